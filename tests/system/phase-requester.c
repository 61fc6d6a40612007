/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * requester.c - the smallest backup program: a set over some volumes, phase by phase on standard
 * output, so that a script can strike at a chosen moment. It copies nothing.
 *
 * requester [--address=BUS] CONFIG-DIR backup USE-MS VOLUME...   exit 0, or 2 with words
 * requester [--address=BUS] CONFIG-DIR idle MS    have a service that cleans up, and do nothing
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vss/requester.h"

static struct vss_error error;

static void must(int r, const char *what) {
        if (r == 0)
                return;
        printf("failed %s %s %s\n", what, vss_error_name(r), vss_error_message(&error));
        exit(2);
}

static void progress(void *userdata, const char *phase, const char *who) {
        printf("progress %s %s\n", phase, who);
}

static void finish(int r, struct vss_async **async, const char *what) {
        if (r == 0)
                r = vss_async_finish(*async, &error);
        must(r, what);
        printf("done %s\n", what);
}

static void backup(struct vss_backup_components *bc, char **volumes, unsigned use_ms) {
        struct vss_async *async = NULL;
        struct vss_id id;
        uint64_t freeze_us, hold_us;

        vss_backup_components_set_progress(bc, progress, NULL);
        must(vss_backup_components_initialize_for_backup(bc, NULL, &error), "initialize");
        must(vss_backup_components_set_context(bc, VSS_CTX_BACKUP, &error), "set_context");
        must(vss_backup_components_set_backup_state(bc, false, false, VSS_BT_FULL, false, &error),
             "set_backup_state");
        finish(vss_backup_components_gather_writer_metadata(bc, &async, &error), &async, "gather");
        must(vss_backup_components_start_snapshot_set(bc, &id, &error), "start_snapshot_set");
        for (; *volumes; volumes++)
                must(vss_backup_components_add_to_snapshot_set(bc, *volumes, NULL, NULL, &id,
                                                               &error),
                     *volumes);
        finish(vss_backup_components_prepare_for_backup(bc, &async, &error), &async, "prepare");
        finish(vss_backup_components_do_snapshot_set(bc, &async, &error), &async, "snapshot");
        must(vss_backup_components_get_set_timing(bc, &freeze_us, &hold_us, &error), "timing");
        printf("timing freeze %llu hold %llu\n", (unsigned long long)freeze_us,
               (unsigned long long)hold_us);
        usleep(use_ms * 1000);
        finish(vss_backup_components_backup_complete(bc, &async, &error), &async, "complete");
}

static int usage(void) {
        fprintf(stderr, "usage: requester [--address=BUS] CONFIG-DIR backup USE-MS VOLUME...\n"
                        "       requester [--address=BUS] CONFIG-DIR idle MS\n");
        return 1;
}

int main(int argc, char **argv) {
        struct vss_connection connection = { .embedded = 1 };
        struct vss_backup_components *bc = NULL;

        setvbuf(stdout, NULL, _IOLBF, 0);
        if (argc > 1 && strncmp(argv[1], "--address=", 10) == 0) {
                connection.address = argv[1] + 10;
                connection.embedded = 0;
                argv++;
                argc--;
        }
        if (argc < 4)
                return usage();
        connection.config_dir = argv[1];
        must(vss_backup_components_create(&connection, &bc, &error), "create");
        printf("done create\n");
        if (strcmp(argv[2], "backup") == 0)
                backup(bc, argv + 4, (unsigned)atoi(argv[3]));
        else if (strcmp(argv[2], "idle") == 0)
                usleep((unsigned)atoi(argv[3]) * 1000);
        else
                return usage();
        vss_backup_components_free(bc);
        printf("done release\n");
        return 0;
}
