/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-folders.c - a component whose folders are gone: they belong to the plain files of the
 * same backup, which know owner and mode. Without this they would be made for root only,
 * and the application could not open what was restored. It is an attempt: what fails here is made
 * as before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "restore.h"

struct folders {
        char **missing;
        size_t count, capacity;
};

static bool is_gone(const char *path) {
        struct stat st;

        return lstat(path, &st) < 0 && errno == ENOENT;
}

static int note_missing(void *userdata, const struct vss_wm_filedesc *file) {
        const char *path = vss_wm_filedesc_get_path(file);
        struct folders *folders = userdata;
        char *copy;

        if (!is_gone(path))
                return 0;
        copy = strdup(path);
        if (!copy || ARRAY_RESERVE(&folders->missing, folders->count, &folders->capacity) < 0) {
                free(copy);
                return -ENOMEM;
        }
        folders->missing[folders->count++] = copy;
        return 0;
}

static bool is_needed(void *userdata, const struct entry *entry) {
        const struct folders *folders = userdata;

        if (entry->type != ENTRY_DIRECTORY)
                return false;
        for (size_t i = 0; i < folders->count; i++)
                if (path_is_below(folders->missing[i], entry->path))
                        return is_gone(entry->path);
        return false;
}

static int make(const struct source_set *from, struct folders *folders) {
        static const struct component_key own = { .instance_name = "",
                                                  .logical_path = "",
                                                  .name = "" };
        struct restore_summary summary = { 0 };
        struct chain chain = { 0 };
        struct set_place place;
        const struct restore_request request = {
                .chain = &chain,
                .existing = RESTORE_KEEP,
                .undo_dir = from->undo_dir,
                .untouched = from->settings->own,
                .untouched_count = ELEMENTSOF(from->settings->own),
                .records = from->settings->state_dir,
                .wanted = is_needed,
                .userdata = folders,
        };
        int r = catalogue_find(from->set, &own, &place);

        if (r >= 0)
                r = chain_of(from->sets, &place, &chain, NULL);
        if (r >= 0)
                r = restore_run(from->store, &request, NULL, &summary, NULL);
        chain_done(&chain);
        return r;
}

void restore_missing_folders(const struct source_set *from) {
        struct restore_choice *choice = from->choice;
        struct folders folders = { 0 };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < choice->count; i++)
                if (choice->images[i].place.component > 0)
                        r = restore_for_each_file_set(from, &choice->images[i], note_missing,
                                                      &folders);
        if (r >= 0 && folders.count > 0)
                (void)make(from, &folders);
        for (size_t i = 0; i < folders.count; i++)
                free(folders.missing[i]);
        free(folders.missing);
}
