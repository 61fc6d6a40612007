/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include <string.h>
#include <sys/stat.h>

#include "kit.h"
#include "mirror.h"

enum { MAX_PROBLEMS = 10000 };

int index_init(struct tree_index *index) {
        uint32_t root;

        *index = (struct tree_index){ 0 };
        return index_add(index, 0, 0, "", &root);
}

void index_done(struct tree_index *index) {
        free(index->nodes);
        free(index->names);
        free(index->links);
        *index = (struct tree_index){ 0 };
}

static int add_name(struct tree_index *index, const char *name, uint32_t *ret) {
        size_t n = strlen(name) + 1;

        if (index->names_used + n > UINT32_MAX)
                return -ENOMEM;
        if (index->names_used + n > index->names_size) {
                size_t size = index->names_size ? index->names_size * 2 : 65536;
                char *grown = realloc(index->names, size);

                if (!grown)
                        return -ENOMEM;
                index->names = grown;
                index->names_size = size;
        }
        memcpy(index->names + index->names_used, name, n);
        *ret = (uint32_t)index->names_used;
        index->names_used += n;
        return 0;
}

int index_add(struct tree_index *index, uint32_t parent, uint32_t previous, const char *name,
              uint32_t *ret) {
        struct node node = { 0 };
        uint32_t at = index->unused;

        if (add_name(index, name, &node.name) < 0)
                return -ENOMEM;
        if (at != 0) {
                index->unused = index->nodes[at].next;
        } else {
                if (index->count >= UINT32_MAX ||
                    !KIT_GROW(&index->nodes, index->count, &index->capacity))
                        return -ENOMEM;
                at = (uint32_t)index->count++;
        }
        if (at != 0) {
                uint32_t *link =
                        previous ? &index->nodes[previous].next : &index->nodes[parent].child;

                node.next = *link;
                *link = at;
        }
        index->nodes[at] = node;
        *ret = at;
        return 0;
}

/* release() - put the list that begins at @first, and all below, on the list of unused nodes;
 * depth costs nothing, because children are put in front of what is still to do */
static void release(struct tree_index *index, uint32_t first) {
        while (first != 0) {
                struct node *node = &index->nodes[first];
                uint32_t next = node->next;

                if (node->child != 0) {
                        uint32_t last = node->child;

                        while (index->nodes[last].next != 0)
                                last = index->nodes[last].next;
                        index->nodes[last].next = next;
                        next = node->child;
                }
                *node = (struct node){ .next = index->unused };
                index->unused = first;
                first = next;
        }
}

void index_remove(struct tree_index *index, uint32_t parent, uint32_t previous) {
        uint32_t *link = previous ? &index->nodes[previous].next : &index->nodes[parent].child;
        uint32_t at = *link;

        *link = index->nodes[at].next;
        index->nodes[at].next = 0;
        release(index, at);
}

void index_clear_children(struct tree_index *index, uint32_t node) {
        release(index, index->nodes[node].child);
        index->nodes[node].child = 0;
}

void node_set(struct node *node, const struct meta *meta, uint32_t flags) {
        node->ino = meta->ino;
        node->size = meta->size;
        node->mtime = meta->mtime;
        node->ctime = meta->ctime;
        node->flags = flags | (meta->racy ? NODE_RACY : 0) |
                      ((meta->mode & S_IFMT) >> 12) << NODE_TYPE_SHIFT;
}

bool node_equals(const struct node *node, const struct meta *meta) {
        return (node->flags & NODE_COPIED) && !(node->flags & NODE_RACY) &&
               node->ino == meta->ino && node->size == meta->size && node->mtime == meta->mtime &&
               node->ctime == meta->ctime &&
               node->flags >> NODE_TYPE_SHIFT == (meta->mode & S_IFMT) >> 12;
}

static struct link *find_slot(struct link *links, size_t size, uint64_t ino) {
        size_t at = (size_t)(ino * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (size - 1);

        while (links[at].ino != 0 && links[at].ino != ino)
                at = (at + 1) & (size - 1);
        return &links[at];
}

struct link *index_link(struct tree_index *index, uint64_t ino) {
        struct link *slot;

        if (index->link_count * 2 >= index->link_size) {
                size_t size = index->link_size ? index->link_size * 2 : 256;
                struct link *grown = calloc(size, sizeof(*grown));

                if (!grown)
                        return NULL;
                for (size_t i = 0; i < index->link_size; i++)
                        if (index->links[i].ino != 0)
                                *find_slot(grown, size, index->links[i].ino) = index->links[i];
                free(index->links);
                index->links = grown;
                index->link_size = size;
        }
        slot = find_slot(index->links, index->link_size, ino);
        if (slot->ino == 0) {
                slot->ino = ino;
                index->link_count++;
        }
        return slot;
}

/* want_place() - where the @n bytes at @name are among the children, or would be */
static size_t want_place(const struct want *parent, const char *name, size_t n, bool *ret_found) {
        size_t low = 0, high = parent->count;

        *ret_found = false;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const char *other = parent->child[middle]->name;
                int order = strncmp(other, name, n);

                if (order == 0 && other[n] == '\0') {
                        *ret_found = true;
                        return middle;
                }
                if (order < 0)
                        low = middle + 1;
                else /* a longer name with this beginning comes after it */
                        high = middle;
        }
        return low;
}

/* want_child() - the child of @parent with that name, made when missing */
static struct want *want_child(struct want *parent, const char *name, size_t n) {
        struct want *child;
        bool found;
        size_t at = want_place(parent, name, n, &found);

        if (found)
                return parent->child[at];
        if (!KIT_GROW(&parent->child, parent->count, &parent->capacity))
                return NULL;
        child = calloc(1, sizeof(*child));
        if (child)
                child->name = strndup(name, n);
        if (!child || !child->name) {
                free(child);
                return NULL;
        }
        memmove(&parent->child[at + 1], &parent->child[at],
                (parent->count - at) * sizeof(*parent->child));
        parent->child[at] = child;
        parent->count++;
        return child;
}

int want_add(struct want **root, const char *relative) {
        struct want *at;

        if (!*root)
                *root = calloc(1, sizeof(**root));
        at = *root;
        for (const char *p = relative; at && *p;) {
                size_t n = strcspn(p, "/");

                if (n > 0)
                        at = want_child(at, p, n);
                p += n + (p[n] == '/');
        }
        if (!at)
                return -ENOMEM;
        at->whole = true;
        return 0;
}

void want_free(struct want *want) {
        if (!want)
                return;
        for (size_t i = 0; i < want->count; i++)
                want_free(want->child[i]);
        free(want->child);
        free(want->name);
        free(want);
}

const struct want *want_find(const struct want *want, const char *name) {
        bool found;
        size_t at = want_place(want, name, strlen(name), &found);

        return found ? want->child[at] : NULL;
}

int round_note(struct round *round, char *take_path, int error) {
        if (!take_path)
                return -ENOMEM;
        if (round->problem_count >= MAX_PROBLEMS) {
                free(take_path);
                return 0;
        }
        if (!KIT_GROW(&round->problems, round->problem_count, &round->problem_capacity)) {
                free(take_path);
                return -ENOMEM;
        }
        round->problems[round->problem_count++] = (struct problem){ take_path, error };
        return 0;
}

void round_done(struct round *round) {
        for (size_t i = 0; i < round->problem_count; i++)
                free(round->problems[i].path);
        free(round->problems);
        *round = (struct round){ .number = round->number };
}
