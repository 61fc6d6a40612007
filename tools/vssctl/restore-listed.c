/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-listed.c - files of the machine-wide list not_to_backup.d, which no restore puts back
 * either: an older backup may hold them. A look beside (--into) gets them all the same.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backup/not-to-backup.h"
#include "base/cleanup.h"
#include "restore.h"
#include "vssctl.h"

struct restore_listed {
        struct not_to_backup *list;
        char *folder, *volume; /* of the entry before, and the mount point that it lies below */
        bool met; /* something of it was asked for */
};

int restore_listed_load(struct restore_listed **ret) {
        struct restore_listed *listed = calloc(1, sizeof(*listed));

        *ret = listed;
        if (!listed || not_to_backup_load_for_restore(arg_config, &listed->list) < 0)
                return EXIT_MEMORY;
        return EXIT_OK;
}

void restore_listed_free(struct restore_listed *listed) {
        if (!listed)
                return;
        not_to_backup_free(listed->list);
        free(listed->folder);
        free(listed->volume);
        free(listed);
}

/* volume_of() - by what is mounted now; folders that are gone lie where those above them do. NULL:
 * out of memory, and only what is said of every volume is not known then */
static const char *volume_of(struct restore_listed *listed, const char *path) {
        size_t length = (size_t)(strrchr(path, '/') - path);
        struct statx stx;

        if (listed->volume && strlen(listed->folder) == length &&
            memcmp(listed->folder, path, length) == 0)
                return listed->volume;
        free(listed->folder);
        free(listed->volume);
        listed->folder = strndup(path, length);
        listed->volume = listed->folder ? strdup(*listed->folder ? listed->folder : "/") : NULL;
        while (listed->volume && strcmp(listed->volume, "/") != 0) {
                char *slash = strrchr(listed->volume, '/');

                if (statx(AT_FDCWD, listed->volume, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0,
                          &stx) >= 0 &&
                    stx.stx_attributes & STATX_ATTR_MOUNT_ROOT)
                        break;
                slash[slash == listed->volume] = '\0';
        }
        return listed->volume;
}

bool restore_listed_has(struct restore_listed *listed, const struct entry *entry) {
        char *words;

        if (!listed)
                return false;
        if (!not_to_backup_has(listed->list, entry->path, entry->type == ENTRY_DIRECTORY,
                               volume_of(listed, entry->path)))
                return false;
        if (!listed->met &&
            asprintf(&words,
                     "what not_to_backup.d names is not restored either (R-107), for instance "
                     "'%s'; a look at it gives --into",
                     entry->path) >= 0) {
                print_note(words);
                free(words);
        }
        listed->met = true;
        return true;
}

bool restore_listed_met(const struct restore_listed *listed) {
        return listed && listed->met;
}
