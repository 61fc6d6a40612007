/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-requester.c - the smallest restore program, step by step on standard output, so that a
 * script can strike at a chosen moment. It selects every component of the stored document, asks
 * the writers before and after, and restores no file.
 *
 * restore-requester CONFIG-DIR|BUS-ADDRESS DOCUMENT WAIT-MS   exit 0, or 2 with words
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vss/documents.h"
#include "vss/requester.h"

static struct vss_error error;
static struct vss_backup_components *bc;
static size_t changed; /* components whose writers have set another target */

static void must(int r, const char *what) {
        if (r == 0)
                return;
        printf("failed %s %s %s\n", what, vss_error_name(r), vss_error_message(&error));
        exit(2);
}

static void finish(int r, struct vss_async **async, const char *what) {
        if (r == 0)
                r = vss_async_finish(*async, &error);
        must(r, what);
        printf("done %s\n", what);
}

static char *read_document(const char *path) {
        FILE *file = fopen(path, "r");
        char *text = NULL;
        size_t size = 0;

        if (!file || getdelim(&text, &size, '\0', file) < 0) {
                printf("failed document %s cannot be read\n", path);
                exit(2);
        }
        fclose(file);
        return text;
}

/* each_component() - the document is asked afresh: PreRestore may have changed it */
static size_t each_component(void (*what)(const struct vss_component_key *key)) {
        struct vss_writer_components *part;
        size_t n = 0, count = 0;

        changed = 0;
        must(vss_backup_components_get_writer_components_count(bc, &n, &error), "count");
        for (size_t i = 0; i < n; i++) {
                struct vss_component_key key = { 0 };

                must(vss_backup_components_get_writer_components(bc, i, &part, &error), "get");
                vss_writer_components_get_writer_info(part, NULL, &key.writer_id);
                for (size_t k = 0; k < vss_writer_components_get_component_count(part); k++) {
                        struct vss_component *c = vss_writer_components_get_component(part, k);

                        key.type = vss_component_get_component_type(c);
                        key.logical_path = vss_component_get_logical_path(c);
                        key.name = vss_component_get_component_name(c);
                        changed += vss_component_get_restore_target(c) != VSS_RT_ORIGINAL;
                        what(&key);
                        count++;
                }
        }
        return count;
}

static void select_it(const struct vss_component_key *key) {
        must(vss_backup_components_set_selected_for_restore(bc, key, true, NULL, &error), "select");
}

static void restored(const struct vss_component_key *key) {
        must(vss_backup_components_set_file_restore_status(bc, key, VSS_RS_ALL, &error), "result");
}

static void print_status(void) {
        struct vss_async *async = NULL;
        struct vss_writer_status status;
        size_t n = 0;
        int r = vss_backup_components_gather_writer_status(bc, &async, &error);

        if (r == 0)
                r = vss_async_finish(async, &error);
        must(r, "status");
        must(vss_backup_components_get_writer_status_count(bc, &n, &error), "status");
        for (size_t i = 0; i < n; i++) {
                must(vss_backup_components_get_writer_status(bc, i, &status, &error), "status");
                printf("status %s %u %s %s\n", status.name, status.state,
                       vss_error_name(status.failure), status.message);
        }
}

int main(int argc, char **argv) {
        struct vss_connection connection = { 0 };
        struct vss_async *async = NULL;
        char *document;

        setvbuf(stdout, NULL, _IOLBF, 0);
        if (argc != 4) {
                fprintf(stderr,
                        "usage: restore-requester CONFIG-DIR|BUS-ADDRESS DOCUMENT WAIT-MS\n");
                return 1;
        }
        if (argv[1][0] == '/') {
                connection.config_dir = argv[1];
                connection.embedded = 1;
        } else {
                connection.address = argv[1];
        }
        document = read_document(argv[2]);
        must(vss_backup_components_create(&connection, &bc, &error), "create");
        must(vss_backup_components_initialize_for_restore(bc, document, &error), "initialize");
        free(document);
        finish(vss_backup_components_gather_writer_metadata(bc, &async, &error), &async, "gather");
        printf("selected %zu\n", each_component(select_it));
        finish(vss_backup_components_pre_restore(bc, &async, &error), &async, "pre_restore");
        print_status();
        usleep((unsigned)atoi(argv[3]) * 1000);
        (void)each_component(restored);
        printf("changed %zu\n", changed);
        finish(vss_backup_components_post_restore(bc, &async, &error), &async, "post_restore");
        print_status();
        vss_backup_components_free(bc);
        printf("done release\n");
        return 0;
}
