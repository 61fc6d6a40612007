/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * links.c - the names of files that have more than one, by device and inode number. Only such
 * files are remembered, so that memory follows the hard links and not the files.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backup/writing.h"

static size_t slot_of(const struct hard_links *links, uint32_t component, dev_t device,
                      ino_t inode) {
        uint64_t h = (uint64_t)inode * UINT64_C(0x9E3779B97F4A7C15);

        h ^= ((uint64_t)device + component) * UINT64_C(0xC2B2AE3D27D4EB4F);
        h ^= h >> 29;
        return (size_t)h & (links->size - 1);
}

struct hard_link *hard_links_find(const struct hard_links *links, uint32_t component,
                                  const struct stat *st) {
        if (links->size == 0)
                return NULL;
        for (size_t i = slot_of(links, component, st->st_dev, st->st_ino);;
             i = (i + 1) & (links->size - 1)) {
                struct hard_link *slot = &links->slots[i];

                if (!slot->path)
                        return NULL;
                if (slot->component == component && slot->device == st->st_dev &&
                    slot->inode == st->st_ino)
                        return slot;
        }
}

static void insert(struct hard_links *links, const struct hard_link *link) {
        size_t i = slot_of(links, link->component, link->device, link->inode);

        while (links->slots[i].path)
                i = (i + 1) & (links->size - 1);
        links->slots[i] = *link;
        links->count++;
}

static int grow(struct hard_links *links) {
        struct hard_links larger = { .size = links->size ? links->size * 2 : 64 };

        larger.slots = calloc(larger.size, sizeof(*larger.slots));
        if (!larger.slots)
                return -ENOMEM;
        for (size_t i = 0; i < links->size; i++)
                if (links->slots[i].path)
                        insert(&larger, &links->slots[i]);
        free(links->slots);
        *links = larger;
        return 0;
}

int hard_links_add(struct hard_links *links, const struct hard_link *link) {
        struct hard_link copy = *link;

        if (links->count * 4 >= links->size * 3) {
                int r = grow(links);

                if (r < 0)
                        return r;
        }
        copy.path = strdup(link->path);
        if (!copy.path)
                return -ENOMEM;
        insert(links, &copy);
        return 0;
}

void hard_links_done(struct hard_links *links) {
        for (size_t i = 0; i < links->size; i++)
                free(links->slots[i].path);
        free(links->slots);
        *links = (struct hard_links){ 0 };
}
