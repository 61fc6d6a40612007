/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * story-writer.c - a writer plug-in for tests: it appends what it is told to a file, with the
 * process id, and stumbles where its settings say. Settings: file, veto_at, die_at, sleep_at.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vss/writer.h"

#ifndef WINDOW_MS
#define WINDOW_MS 0
#endif

static char file[2048], folder[2048], veto_at[64], die_at[64], sleep_at[64];

static int take(char *to, size_t size, const char *value) {
        return snprintf(to, size, "%s", value) < (int)size ? 0 : E_INVALIDARG;
}

static int configure(struct vss_writer *w, const char *section, const char *key, const char *value,
                     struct vss_error *e) {
        if (strcmp(key, "file") == 0)
                return take(file, sizeof(file), value);
        if (strcmp(key, "folder") == 0)
                return take(folder, sizeof(folder), value);
        if (strcmp(key, "veto_at") == 0)
                return take(veto_at, sizeof(veto_at), value);
        if (strcmp(key, "die_at") == 0)
                return take(die_at, sizeof(die_at), value);
        if (strcmp(key, "sleep_at") == 0)
                return take(sleep_at, sizeof(sleep_at), value);
        return vss_fail(e, E_INVALIDARG, "'%s' is no setting of the story writer", key);
}

static int tell(const char *event, struct vss_error *e) {
        int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        if (fd < 0 || dprintf(fd, "%s\n", event) < 0)
                return vss_fail(e, VSS_E_WRITERERROR_NONRETRYABLE, "cannot write '%s'", file);
        close(fd);
        if (strcmp(event, die_at) == 0)
                abort();
        if (strcmp(event, sleep_at) == 0)
                sleep(2);
        if (strcmp(event, veto_at) == 0)
                return vss_fail(e, VSS_E_WRITERERROR_RETRYABLE, "the story stops at %s", event);
        return 0;
}

static int identify(struct vss_writer *w, struct vss_create_writer_metadata *md,
                    struct vss_error *e) {
        const struct vss_component_info info = { .type = VSS_CT_FILEGROUP, .name = "story" };
        const struct vss_file_set files = { .path = folder, .filespec = "*", .recursive = true };
        const struct vss_restore_method method = { .method = VSS_RME_RESTORE_IF_CAN_REPLACE,
                                                   .writer_restore = VSS_WRE_ALWAYS };
        int r = vss_create_writer_metadata_add_component(md, &info, e);

        if (r == 0)
                r = vss_create_writer_metadata_add_files_to_file_group(md, NULL, "story", &files,
                                                                       e);
        if (r == 0)
                r = vss_create_writer_metadata_set_restore_method(md, &method, e);
        return r < 0 ? r : tell("identify", e);
}

static int prepare_backup(struct vss_writer *w, struct vss_writer_components *c,
                          struct vss_error *e) {
        int r = vss_writer_deposit_undo(w, file, strlen(file));

        return r < 0 ? r : tell("prepare_backup", e);
}

static int prepare_snapshot(struct vss_writer *w, struct vss_error *e) {
        return tell("prepare_snapshot", e);
}

static int freeze(struct vss_writer *w, struct vss_error *e) {
        return tell("freeze", e);
}

static int thaw(struct vss_writer *w, struct vss_error *e) {
        return tell("thaw", e);
}

static int post_snapshot(struct vss_writer *w, struct vss_writer_components *c,
                         struct vss_error *e) {
        struct vss_component *component = c ? vss_writer_components_get_component(c, 0) : NULL;
        char *path;
        int r = vss_writer_get_snapshot_path(w, folder, &path);

        if (r < 0)
                return vss_fail(e, r, "no copy holds '%s'", folder);
        free(path);
        if (component)
                r = vss_component_set_backup_stamp(component, "the stamp");
        return r < 0 ? r : tell("post_snapshot", e);
}

static int backup_complete(struct vss_writer *w, struct vss_writer_components *c,
                           struct vss_error *e) {
        return tell("backup_complete", e);
}

static void backup_shutdown(struct vss_writer *w, const struct vss_id *set_id) {
        (void)tell(vss_id_is_null(set_id) ? "backup_shutdown null" : "backup_shutdown", NULL);
}

static void give_up(struct vss_writer *w) {
        (void)tell("abort", NULL);
}

static int undo(struct vss_writer *w, const void *token, size_t size, struct vss_error *e) {
        bool mine = size == strlen(file) && memcmp(token, file, size) == 0;

        return tell(mine ? "undo" : "undo of a stranger's token", e);
}

static struct vss_writer_ops ops = {
        .name = "Story",
        .id = { "\x73tory writer.." },
        .usage = VSS_UT_USERDATA,
        .source = VSS_ST_OTHER,
        .freeze_timeout_ms = WINDOW_MS,
        .configure = configure,
        .identify = identify,
        .prepare_backup = prepare_backup,
        .prepare_snapshot = prepare_snapshot,
        .freeze = freeze,
        .thaw = thaw,
        .post_snapshot = post_snapshot,
        .backup_complete = backup_complete,
        .backup_shutdown = backup_shutdown,
        .abort = give_up,
        .undo = undo,
};
VSS_WRITER(ops);
