/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * optimization - keeps out of shadow copies what the machine's lists name (not_to_snapshot.d): it
 * declares the files as left out of copies and of backups, and deletes them from the copies before
 * these become read-only. It has no component and holds nobody; vssd starts it when there is a
 * list.
 */
#include <errno.h>
#include <string.h>

#include "common/purge.h"
#include "optimization/list.h"

static struct list_settings settings = { .expand_user_profile = true };
static struct list list; /* as declared last: what is deleted is what was declared */

static int configure(struct vss_writer *writer, const char *section, const char *key,
                     const char *value, struct vss_error *reterr) {
        bool lists = strcmp(section, "lists") == 0, exclude = strcmp(section, "exclude") == 0;

        if (lists && strcmp(key, "folder") == 0 && util_path_is_clean(value))
                return util_replace(&settings.folder, value);
        if (exclude && strcmp(key, "expand_user_profile") == 0 &&
            util_bool(value, &settings.expand_user_profile) >= 0)
                return 0;
        if (exclude && strcmp(key, "profiles") == 0 &&
            (strcmp(value, "passwd") == 0 || strncmp(value, "glob:/", 6) == 0))
                return util_replace(&settings.profiles, value);
        return util_fail(reterr, E_INVALIDARG,
                         "'%s': known are [lists] folder = /absolute/folder, [exclude] "
                         "expand_user_profile = yes|no and profiles = passwd|glob:/pattern",
                         value);
}

static int load(struct vss_writer *writer, struct vss_error *reterr) {
        return settings.folder ? 0
                               : util_fail(reterr, E_INVALIDARG,
                                           "[lists] folder is missing; it is the folder of the "
                                           "lists, usually /etc/vss/not_to_snapshot.d");
}

static void unload(struct vss_writer *writer) {
        list_done(&list);
        free(settings.folder);
        free(settings.profiles);
        settings = (struct list_settings){ .expand_user_profile = true };
}

/* declare() - B-155: what is in no copy is in no backup either */
static int declare(struct vss_create_writer_metadata *metadata, const struct file_set *set,
                   struct vss_error *reterr) {
        struct vss_file_set files = file_set_public(set);
        int r = vss_create_writer_metadata_add_exclude_files(metadata, &files, reterr);

        return r < 0 ? r
                     : vss_create_writer_metadata_add_exclude_files_from_snapshot(metadata, &files,
                                                                                  reterr);
}

static int identify(struct vss_writer *writer, struct vss_create_writer_metadata *metadata,
                    struct vss_error *reterr) {
        /* a writer has to declare something: with nothing to leave out, a name that nothing has */
        static char nowhere[] = PURGE_EVERY_VOLUME, nothing[] = "$Nothing$";
        const struct vss_file_set none = { .path = nowhere, .filespec = nothing };
        struct list fresh = { 0 };
        int r = list_read(&settings, &fresh);

        if (r < 0)
                return r;
        list_done(&list);
        list = fresh;
        for (size_t i = 0; r >= 0 && i < list.count; i++)
                r = declare(metadata, &list.sets[i], reterr);
        if (r >= 0 && list.count == 0)
                r = vss_create_writer_metadata_add_exclude_files_from_snapshot(metadata, &none,
                                                                               reterr);
        return r;
}

/* nobody is held: what is deleted is not in use in the copy */
static int nothing_to_hold(struct vss_writer *writer, struct vss_error *reterr) {
        return 0;
}

static void writer_abort(struct vss_writer *writer) {
}

static int post_snapshot(struct vss_writer *writer, struct vss_writer_components *components,
                         struct vss_error *reterr) {
        if (list.complaint)
                (void)vss_writer_set_writer_failure(writer, VSS_E_WRITERERROR_PARTIAL_FAILURE, 0,
                                                    list.complaint);
        purge_copies(writer, list.sets, list.count);
        return 0;
}

static struct vss_writer_ops ops = {
        .name = "Shadow Copy Optimization",
        .version_major = 1,
        .id = { { 0x3e, 0x1d, 0x7b, 0x52, 0x96, 0xc4, 0x4a, 0x0f, 0x8f, 0x27, 0xc5, 0xd8, 0xa1,
                  0xb6, 0x0e, 0x94 } },
        .usage = VSS_UT_SYSTEMSERVICE,
        .source = VSS_ST_OTHER,
        .configure = configure,
        .load = load,
        .unload = unload,
        .identify = identify,
        .freeze = nothing_to_hold,
        .thaw = nothing_to_hold,
        .post_snapshot = post_snapshot,
        .abort = writer_abort,
};

VSS_WRITER(ops);
