/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* minimal-writer.c - a writer plug-in for a folder of notes, whose application takes a shared
 * flock(2) of the folder to write. writers.d/notes.conf: [writer] plugin=notes
 * [notes] folder=/srv/notes. A lock ends with its holder, so no undo token is needed. */
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <vss/writer.h>

static int folder = -1;
static char path[4096];

static int configure(struct vss_writer *w, const char *section, const char *key, const char *value,
                     struct vss_error *e) {
        for (unsigned i = 0; i < sizeof(path) - 1 && value[i]; i++)
                path[i] = value[i];
        folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return folder < 0 ? vss_fail(e, E_INVALIDARG, "'%s' is no folder", path) : 0;
}

static int identify(struct vss_writer *w, struct vss_create_writer_metadata *md,
                    struct vss_error *e) {
        const struct vss_component_info notes = { .type = VSS_CT_FILEGROUP, .name = "notes" };
        const struct vss_file_set all = { .path = path, .filespec = "*", .recursive = true };
        const struct vss_restore_method method = { .method = VSS_RME_RESTORE_IF_CAN_REPLACE,
                                                   .writer_restore = VSS_WRE_NEVER };
        int r = vss_create_writer_metadata_add_component(md, &notes, e);

        if (r == 0)
                r = vss_create_writer_metadata_add_files_to_file_group(md, NULL, "notes", &all, e);
        return r < 0 ? r : vss_create_writer_metadata_set_restore_method(md, &method, e);
}

static int freeze(struct vss_writer *w, struct vss_error *e) {
        if (flock(folder, LOCK_EX | LOCK_NB) == 0)
                return 0;
        return vss_fail(e, VSS_E_WRITERERROR_RETRYABLE, "'%s' is being written", path);
}

static int thaw(struct vss_writer *w, struct vss_error *e) {
        return flock(folder, LOCK_UN);
}

static void give_up(struct vss_writer *w) {
        (void)flock(folder, LOCK_UN);
}

static struct vss_writer_ops ops = {
        .name = "Notes",
        .id = { "\x6enotes writer" },
        .usage = VSS_UT_USERDATA,
        .source = VSS_ST_OTHER,
        .configure = configure,
        .identify = identify,
        .freeze = freeze,
        .thaw = thaw,
        .abort = give_up,
};
VSS_WRITER(ops);
