/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linked.c - where the first name of a file with several was restored, by the place of its data in
 * the chain. Only such files are remembered.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backup/restoring.h"
#include "base/cleanup.h"

static size_t slot_of(const struct linked_names *names, size_t link, uint64_t offset) {
        uint64_t h = (offset + link * 0x1000003) * UINT64_C(0x9E3779B97F4A7C15);

        return (size_t)(h ^ h >> 31) & (names->size - 1);
}

const struct linked *linked_find(const struct linked_names *names, const struct view_part *part,
                                 bool moved) {
        if (names->size == 0)
                return NULL;
        for (size_t i = slot_of(names, part->link, part->record->offset);;
             i = (i + 1) & (names->size - 1)) {
                const struct linked *slot = &names->slots[i];

                if (!slot->path)
                        return NULL;
                if (slot->link == part->link && slot->offset == part->record->offset &&
                    slot->moved == moved)
                        return slot;
        }
}

static void insert(struct linked_names *names, const struct linked *linked) {
        size_t i = slot_of(names, linked->link, linked->offset);

        while (names->slots[i].path)
                i = (i + 1) & (names->size - 1);
        names->slots[i] = *linked;
        names->count++;
}

static int grow(struct linked_names *names) {
        struct linked_names larger = { .size = names->size ? names->size * 2 : 64 };

        larger.slots = calloc(larger.size, sizeof(*larger.slots));
        if (!larger.slots)
                return -ENOMEM;
        for (size_t i = 0; i < names->size; i++)
                if (names->slots[i].path)
                        insert(&larger, &names->slots[i]);
        free(names->slots);
        *names = larger;
        return 0;
}

int linked_add(struct linked_names *names, const struct view_part *part, const struct spot *spot,
               char *take_path, int fd) {
        _cleanup_free_ char *path = take_path;
        struct linked linked = { .link = part->link,
                                 .offset = part->record->offset,
                                 .root = spot->root,
                                 .moved = spot->moved };
        struct stat st;

        if (!path)
                return -ENOMEM;
        if (part->record->links < 2 || linked_find(names, part, spot->moved) || fstat(fd, &st) < 0)
                return 0;
        linked.device = st.st_dev;
        linked.inode = st.st_ino;
        if (names->count * 4 >= names->size * 3 && grow(names) < 0)
                return -ENOMEM;
        linked.path = take(path);
        insert(names, &linked);
        return 0;
}

void linked_done(struct linked_names *names) {
        for (size_t i = 0; i < names->size; i++)
                free(names->slots[i].path);
        free(names->slots);
        *names = (struct linked_names){ 0 };
}
