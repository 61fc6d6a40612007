/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * select.c - how long it takes to choose among 100,000 components of one writer, which all depend
 * on one of another's, and to plan what to copy of them. Another number by argument.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "backup/plan.h"
#include "base/cleanup.h"
#include "base/file.h"

static uint64_t started;

static void lap(const char *what) {
        printf("%-28s %6.2f s\n", what, (double)(monotonic_us() - started) / 1000000.0);
        fflush(stdout);
        started = monotonic_us();
}

static void must(int r, const struct vss_error *error) {
        if (r >= 0)
                return;
        fprintf(stderr, "%s: %s\n", vss_error_name(r), vss_error_message(error));
        exit(1);
}

/* put_component() - a hundred to a tenant, whose own component holds them all */
static void put_component(FILE *f, size_t i, const char *inner) {
        char logical[64], name[64];

        (void)snprintf(logical, sizeof(logical), "tenant%zu\\store%zu", i / 100, i / 10 % 10);
        (void)snprintf(name, sizeof(name), i % 100 ? "component%zu" : "tenant%zu",
                       i % 100 ? i : i / 100);
        fprintf(f,
                "<FILE_GROUP logicalPath=\"%s\" componentName=\"%s\" restoreMetadata=\"no\" "
                "notifyOnBackupComplete=\"no\" selectable=\"yes\" selectableForRestore=\"no\" "
                "componentFlags=\"0\"><FILE_LIST path=\"/srv/%s\" filespec=\"*.dat\"/>%s"
                "</FILE_GROUP>",
                i % 100 ? logical : "", name, name, inner);
}

static struct vss_examine_writer_metadata *writer(size_t count, const char *id, const char *other) {
        struct vss_examine_writer_metadata *metadata;
        struct vss_error error = VSS_ERROR_INIT;
        _cleanup_free_ char *xml = NULL;
        size_t size;
        FILE *f = open_memstream(&xml, &size);

        must(f ? 0 : -ENOMEM, &error);
        fprintf(f,
                "<WRITER_METADATA xmlns=\"x-schema:#VssWriterMetadataInfo\" version=\"1.2\" "
                "backupSchema=\"0\"><IDENTIFICATION writerId=\"%s\" instanceId=\"%s\" "
                "friendlyName=\"Bench\" usage=\"USER_DATA\" dataSource=\"OTHER\" "
                "majorVersion=\"0\" minorVersion=\"0\"/><RESTORE_METHOD "
                "method=\"RESTORE_IF_CAN_BE_REPLACED\" writerRestore=\"never\" "
                "rebootRequired=\"no\"/><BACKUP_LOCATIONS>",
                id, id);
        for (size_t i = 0; i < count; i++) {
                char inner[192] = "";

                if (other)
                        (void)snprintf(inner, sizeof(inner),
                                       "<DEPENDENCY writerId=\"%s\" logicalPath=\"\" "
                                       "componentName=\"tenant%zu\"/>",
                                       other, i / 100);
                put_component(f, i, inner);
        }
        fputs("</BACKUP_LOCATIONS></WRITER_METADATA>", f);
        must(fclose(f), &error);
        must(vss_examine_writer_metadata_create(xml, size, &metadata, &error), &error);
        return metadata;
}

static void choose(struct vss_examine_writer_metadata *const m[2],
                   const struct selection_request *request, const char *what) {
        const struct vss_id id = { { 1 } };
        struct vss_error error = VSS_ERROR_INIT;
        struct selection s = { 0 };
        struct plan plan;

        started = monotonic_us();
        must(selection_add_writer(&s, &id, m[0]), &error);
        must(selection_add_writer(&s, &id, m[1]), &error);
        must(selection_choose(&s, request, &error), &error);
        lap(what);
        must(plan_make(&s, NULL, VSS_BT_FULL, &plan), &error);
        lap("plan their file sets");
        plan_done(&plan);
        selection_done(&s);
}

int main(int argc, char **argv) {
        static const char first[] = "11111110-2222-4333-8444-555555555555";
        static const char second[] = "11111111-2222-4333-8444-555555555555";
        const char *const paths[] = { "/srv", NULL };
        size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
        struct vss_examine_writer_metadata *m[2];

        started = monotonic_us();
        m[0] = writer(count, first, second);
        m[1] = writer(count, second, NULL);
        printf("%zu components and as many dependencies, %zu of the other writer\n", count, count);
        lap("build and load");
        choose(m, &(struct selection_request){ .paths = paths }, "select by path");
        choose(m, &(struct selection_request){ .all_components = true }, "select all");
        vss_examine_writer_metadata_free(m[0]);
        vss_examine_writer_metadata_free(m[1]);
        return 0;
}
