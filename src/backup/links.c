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

                if (!slot->used)
                        return NULL;
                if (slot->component == component && slot->device == st->st_dev &&
                    slot->inode == st->st_ino)
                        return slot;
        }
}

static void insert(struct hard_links *links, const struct hard_link *link) {
        size_t i = slot_of(links, link->component, link->device, link->inode);

        while (links->slots[i].used)
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
                if (links->slots[i].used)
                        insert(&larger, &links->slots[i]);
        free(links->slots);
        *links = larger;
        return 0;
}

struct hard_link *hard_links_get(struct hard_links *links, uint32_t component,
                                 const struct stat *st) {
        struct hard_link *found = hard_links_find(links, component, st);
        struct hard_link link = {
                .used = true, .component = component, .device = st->st_dev, .inode = st->st_ino
        };

        if (found)
                return found;
        if (links->count * 4 >= links->size * 3 && grow(links) < 0)
                return NULL;
        insert(links, &link);
        return hard_links_find(links, component, st);
}

int hard_link_keep(struct hard_link *link, const char *path, const struct stat *st) {
        struct kept_name *kept = calloc(1, sizeof(*kept));

        if (!kept)
                return -ENOMEM;
        kept->path = strdup(path);
        if (!kept->path) {
                free(kept);
                return -ENOMEM;
        }
        kept->st = *st;
        kept->next = link->kept;
        link->kept = kept;
        return 0;
}

void hard_links_done(struct hard_links *links) {
        for (size_t i = 0; i < links->size; i++) {
                struct kept_name *kept = links->slots[i].kept, *next;

                for (; kept; kept = next) {
                        next = kept->next;
                        free(kept->path);
                        free(kept);
                }
                free(links->slots[i].path);
                free(links->slots[i].extra);
        }
        free(links->slots);
        *links = (struct hard_links){ 0 };
}
