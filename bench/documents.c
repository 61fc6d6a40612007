/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * documents.c - how long it takes to build, save, load and walk a Writer Metadata Document of
 * 100,000 components with 1,000,000 file sets, and how much memory at most. Other sizes by
 * arguments: COMPONENTS FILE-SETS-PER-COMPONENT.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "documents/components-document.h"
#include "documents/create-metadata.h"

static uint64_t started;

static void lap(const char *what) {
        struct rusage usage;

        (void)getrusage(RUSAGE_SELF, &usage);
        printf("%-28s %6.2f s, peak %4ld MiB\n", what,
               (double)(monotonic_us() - started) / 1000000.0, usage.ru_maxrss / 1024);
        fflush(stdout);
        started = monotonic_us();
}

static void must(int r, const struct vss_error *error) {
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", vss_error_name(r), vss_error_message(error));
                exit(1);
        }
}

static void build(size_t components, size_t file_sets, char **ret, size_t *ret_size) {
        struct vss_writer_identity identity = { .name = "Bench",
                                                .usage = VSS_UT_USERDATA,
                                                .source = VSS_ST_OTHER };
        struct vss_restore_method method = { .method = VSS_RME_RESTORE_IF_CAN_REPLACE,
                                             .writer_restore = VSS_WRE_NEVER };
        struct vss_create_writer_metadata *metadata;
        struct vss_error error = VSS_ERROR_INIT;

        must(vss_id_new(&identity.writer_id), &error);
        must(create_writer_metadata_new(&identity, false, &metadata, &error), &error);
        must(vss_create_writer_metadata_set_restore_method(metadata, &method, &error), &error);
        for (size_t i = 0; i < components; i++) {
                char path[64], name[32], directory[96];
                struct vss_component_info info = { .type = VSS_CT_FILEGROUP,
                                                   .logical_path = path,
                                                   .name = name,
                                                   .selectable = true };

                (void)snprintf(path, sizeof(path), "tenant%zu\\store%zu", i / 1000, i / 100 % 10);
                (void)snprintf(name, sizeof(name), "component%zu", i);
                must(vss_create_writer_metadata_add_component(metadata, &info, &error), &error);
                for (size_t k = 0; k < file_sets; k++) {
                        struct vss_file_set files = { .path = directory,
                                                      .filespec = "*.dat",
                                                      .recursive = k % 2 };

                        (void)snprintf(directory, sizeof(directory), "/srv/tenant%zu/%s/part%zu",
                                       i / 1000, name, k);
                        must(vss_create_writer_metadata_add_files_to_file_group(
                                     metadata, path, name, &files, &error),
                             &error);
                }
        }
        lap("build");
        must(create_writer_metadata_finish(metadata, NULL, ret, ret_size, &error), &error);
        lap("finish and save");
        create_writer_metadata_free(metadata);
}

static void walk(const struct vss_examine_writer_metadata *metadata) {
        size_t components, total = 0, kinds[4] = { 0 };

        vss_examine_writer_metadata_get_file_counts(metadata, NULL, NULL, &components);
        for (size_t i = 0; i < components; i++) {
                const struct vss_wm_component *component =
                        vss_examine_writer_metadata_get_component(metadata, i);
                struct vss_component_info info;

                vss_wm_component_get_component_info(component, &info);
                kinds[vss_examine_writer_metadata_classify(metadata, i)]++;
                for (size_t k = 0; k < info.file_count; k++)
                        total += strlen(
                                vss_wm_filedesc_get_path(vss_wm_component_get_file(component, k)));
        }
        printf("%zu components, %zu optional, %zu bytes of paths\n", components,
               kinds[VSS_COMPONENT_OPTIONAL], total);
}

static void load(const char *xml, size_t size) {
        struct vss_examine_writer_metadata *metadata;
        struct vss_error error = VSS_ERROR_INIT;
        char *again;
        size_t again_size;

        must(vss_examine_writer_metadata_create(xml, size, &metadata, &error), &error);
        lap("load");
        walk(metadata);
        lap("walk and classify");
        must(vss_examine_writer_metadata_save_as_xml(metadata, &again, &again_size, &error),
             &error);
        lap("save");
        if (again_size != size || memcmp(xml, again, size) != 0) {
                fprintf(stderr, "saved differs from loaded\n");
                exit(1);
        }
        free(again);
        vss_examine_writer_metadata_free(metadata);
}

/* select_all() - the other document: every component explicit, then a writer's way and back */
static void select_all(const char *xml, size_t size) {
        struct vss_examine_writer_metadata *metadata;
        struct vss_writer_components *writer;
        struct vss_writer_identity identity;
        struct vss_error error = VSS_ERROR_INIT;
        size_t components, fragment_size;
        struct bcd *bcd;
        char *fragment;

        must(vss_examine_writer_metadata_create(xml, size, &metadata, &error), &error);
        vss_examine_writer_metadata_get_identity(metadata, &identity);
        vss_examine_writer_metadata_get_file_counts(metadata, NULL, NULL, &components);
        must(bcd_new(&bcd), &error);
        lap("load");
        for (size_t i = 0; i < components; i++) {
                struct vss_component_info info;
                struct vss_component_key key = { identity.writer_id, VSS_CT_FILEGROUP };

                vss_wm_component_get_component_info(
                        vss_examine_writer_metadata_get_component(metadata, i), &info);
                key.logical_path = info.logical_path;
                key.name = info.name;
                must(bcd_add_component(bcd, &identity.instance_id, &key, metadata, &error), &error);
                must(bcd_set_backup_options(bcd, &key, "option", &error), &error);
        }
        must(bcd_check_required(bcd, &identity.instance_id, metadata, &error), &error);
        lap("add every component");
        must(bcd_fragment(bcd, &identity.instance_id, &fragment, &fragment_size, &error), &error);
        must(writer_components_load(fragment, fragment_size, NULL, metadata, &writer, &error),
             &error);
        free(fragment);
        writer_components_set_event(writer, COMPONENT_EVENT_POST_SNAPSHOT);
        for (size_t i = 0; i < components; i++)
                must(vss_component_set_backup_stamp(vss_writer_components_get_component(writer, i),
                                                    "stamp"),
                     &error);
        must(writer_components_save(writer, &fragment, &fragment_size, &error), &error);
        must(bcd_merge(bcd, &identity.instance_id, COMPONENT_EVENT_POST_SNAPSHOT, BCD_MERGE_ALL,
                       fragment, fragment_size, metadata, &error),
             &error);
        lap("to the writer and back");
        free(fragment);
        writer_components_free(writer);
        bcd_free(bcd);
        vss_examine_writer_metadata_free(metadata);
}

/* in_child() - peak memory is that of a process, so each step has its own; the text is shared */
static void in_child(void (*step)(const char *, size_t), const char *xml, size_t size) {
        pid_t child = fork();
        int status;

        if (child == 0) {
                started = monotonic_us();
                step(xml, size);
                fflush(stdout);
                _exit(0);
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
                exit(1);
}

int main(int argc, char **argv) {
        size_t components = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
        size_t file_sets = argc > 2 ? strtoul(argv[2], NULL, 10) : 10;
        char *xml;
        size_t size;

        started = monotonic_us();
        build(components, file_sets, &xml, &size);
        printf("%zu components, %zu file sets, %.1f MiB of XML\n", components,
               components * file_sets, (double)size / (1 << 20));
        fflush(stdout);
        in_child(load, xml, size);
        in_child(select_all, xml, size);
        free(xml);
        return 0;
}
