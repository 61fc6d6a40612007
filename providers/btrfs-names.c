/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs-names.c - see btrfs-names.h. What remains in the end is told by btrfs-tell.c.
 *
 * Two trees of what was touched. In the one are the names as they are now, in the other those of
 * the reference (struct past); a name that is looked up for the first time enters both. What stands
 * below a directory of the reference and was never named is where it was, relative to it.
 */
#define _GNU_SOURCE
#include "btrfs-names-inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { EXTENTS_MAX = 65536 /* of one file; of more it is only known that it changed */ };

/* ---- memory ---- */

static void *names_alloc(struct names *names, size_t size, int *reterr) {
        void *p = NULL;

        *reterr = -E2BIG;
        if (names->bytes + size <= names->max_bytes) {
                p = calloc(1, size);
                *reterr = -ENOMEM;
        }
        if (p)
                names->bytes += size;
        return p;
}

static void names_release(struct names *names, void *p, size_t size) {
        if (p)
                names->bytes -= size;
        free(p);
}

static size_t hash(const void *parent, const char *name, size_t length) {
        uint64_t h = (uintptr_t)parent * UINT64_C(0x9e3779b97f4a7c15);

        for (size_t i = 0; i < length; i++)
                h = (h ^ (uint8_t)name[i]) * UINT64_C(0x100000001b3);
        return (size_t)(h ^ (h >> 29));
}

#define GROW(names_, table, size_, count, type)                                                    \
        static int grow_##table(struct names *names_) {                                            \
                size_t size = names_->size_ ? names_->size_ * 2 : 64;                              \
                int r;                                                                             \
                type **fresh;                                                                      \
                                                                                                   \
                if (names_->count < names_->size_)                                                 \
                        return 0;                                                                  \
                fresh = names_alloc(names_, size * sizeof(type *), &r);                            \
                if (!fresh)                                                                        \
                        return r;                                                                  \
                for (size_t i = 0; i < names_->size_; i++)                                         \
                        for (type *e = names_->table[i], *next; e; e = next) {                     \
                                size_t h = hash(e->parent, e->name, strlen(e->name));              \
                                                                                                   \
                                next = e->hash_next;                                               \
                                e->hash_next = fresh[h & (size - 1)];                              \
                                fresh[h & (size - 1)] = e;                                         \
                        }                                                                          \
                names_release(names_, names_->table, names_->size_ * sizeof(type *));              \
                names_->table = fresh;                                                             \
                names_->size_ = size;                                                              \
                return 0;                                                                          \
        }

GROW(names, nodes, nodes_size, nodes_count, struct node)
GROW(names, pasts, pasts_size, pasts_count, struct past)

/* ---- the two trees ---- */

static struct node *find_node(const struct names *names, const struct node *parent,
                              const char *name, size_t length) {
        struct node *node = NULL;

        if (names->nodes_size)
                node = names->nodes[hash(parent, name, length) & (names->nodes_size - 1)];
        while (node && (node->parent != parent || strncmp(node->name, name, length) != 0 ||
                        node->name[length] != '\0'))
                node = node->hash_next;
        return node;
}

static struct past *find_past(const struct names *names, const struct past *parent,
                              const char *name, size_t length) {
        struct past *past = NULL;

        if (names->pasts_size)
                past = names->pasts[hash(parent, name, length) & (names->pasts_size - 1)];
        while (past && (past->parent != parent || strncmp(past->name, name, length) != 0 ||
                        past->name[length] != '\0'))
                past = past->hash_next;
        return past;
}

static void node_detach(struct names *names, struct node *node) {
        struct node **p = &names->nodes[hash(node->parent, node->name, strlen(node->name)) &
                                        (names->nodes_size - 1)];

        while (*p != node)
                p = &(*p)->hash_next;
        *p = node->hash_next;
        names->nodes_count--;
        *node->link = node->next;
        if (node->next)
                node->next->link = node->link;
}

static void node_attach(struct names *names, struct node *node, struct node *parent) {
        struct node **slot = &names->nodes[hash(parent, node->name, strlen(node->name)) &
                                           (names->nodes_size - 1)];

        node->parent = parent;
        node->hash_next = *slot;
        *slot = node;
        names->nodes_count++;
        node->next = parent->children;
        if (node->next)
                node->next->link = &node->next;
        parent->children = node;
        node->link = &parent->children;
}

static void node_release(struct names *names, struct node *node) {
        names_release(names, node->extents, node->extents_capacity * sizeof(*node->extents));
        names_release(names, node->name, node->name ? strlen(node->name) + 1 : 0);
        names_release(names, node, sizeof(*node));
}

static int node_rename(struct names *names, struct node *node, const char *name, size_t length) {
        int r;
        char *copy = names_alloc(names, length + 1, &r);

        if (!copy)
                return r;
        memcpy(copy, name, length);
        names_release(names, node->name, node->name ? strlen(node->name) + 1 : 0);
        node->name = copy;
        return 0;
}

static int node_new(struct names *names, struct node *parent, const char *name, size_t length,
                    struct node **ret) {
        struct node *node;
        int r = grow_nodes(names);

        if (r < 0)
                return r;
        node = names_alloc(names, sizeof(*node), &r);
        if (!node)
                return r;
        r = node_rename(names, node, name, length);
        if (r < 0) {
                node_release(names, node);
                return r;
        }
        node_attach(names, node, parent);
        *ret = node;
        return 0;
}

static int past_new(struct names *names, struct past *parent, const char *name, size_t length,
                    struct node *now) {
        struct past *past, **slot;
        int r = grow_pasts(names);

        if (r < 0)
                return r;
        past = names_alloc(names, sizeof(*past) + length + 1, &r);
        if (!past)
                return r;
        memcpy(past->name, name, length);
        past->parent = parent;
        past->now = now;
        now->past = past;
        if (parent) {
                slot = &names->pasts[hash(parent, name, length) & (names->pasts_size - 1)];
                past->hash_next = *slot;
                *slot = past;
                names->pasts_count++;
                past->sibling = parent->children;
                parent->children = past;
        }
        return 0;
}

/* past_forget() - a leaf; it is the first child of its parent */
static void past_forget(struct names *names, struct past *past) {
        struct past **p = &names->pasts[hash(past->parent, past->name, strlen(past->name)) &
                                        (names->pasts_size - 1)];

        while (*p != past)
                p = &(*p)->hash_next;
        *p = past->hash_next;
        names->pasts_count--;
        names_release(names, past, sizeof(*past) + strlen(past->name) + 1);
}

struct names *names_new(size_t max_bytes) {
        struct names *names = calloc(1, sizeof(*names));
        int r = -ENOMEM;

        if (!names)
                return NULL;
        names->max_bytes = max_bytes;
        names->root = names_alloc(names, sizeof(*names->root), &r);
        if (names->root) {
                names->root->is_directory = true;
                r = past_new(names, NULL, "", 0, names->root);
        }
        return r < 0 ? names_free(names) : names;
}

struct names *names_free(struct names *names) {
        if (!names)
                return NULL;
        for (size_t i = 0; i < names->nodes_size; i++)
                for (struct node *n = names->nodes[i], *next; n; n = next) {
                        next = n->hash_next;
                        node_release(names, n);
                }
        for (size_t i = 0; i < names->pasts_size; i++)
                for (struct past *p = names->pasts[i], *next; p; p = next) {
                        next = p->hash_next;
                        free(p);
                }
        if (names->root) {
                free(names->root->past);
                node_release(names, names->root);
        }
        free(names->nodes);
        free(names->pasts);
        free(names);
        return NULL;
}

/* ---- names of the stream ---- */

/* one step down: 0 and the node; it enters the trees when it is named for the first time */
static int step(struct names *names, struct node *directory, const char *name, size_t length,
                struct node **ret) {
        struct node *node = find_node(names, directory, name, length);
        int r;

        if (node) {
                *ret = node;
                return 0;
        }
        if (!directory->past || find_past(names, directory->past, name, length))
                return -EBADMSG; /* nothing can be there */
        r = node_new(names, directory, name, length, &node);
        if (r < 0)
                return r;
        r = past_new(names, directory->past, name, length, node);
        if (r < 0) {
                node_detach(names, node);
                node_release(names, node);
                return r;
        }
        *ret = node;
        return 0;
}

/* look_up() - the directory that holds @path's last part, and that part */
static int look_up_parent(struct names *names, const char *path, struct node **ret,
                          const char **ret_name) {
        struct node *node = names->root;
        const char *slash;

        for (; (slash = strchr(path, '/')); path = slash + 1) {
                int r = step(names, node, path, (size_t)(slash - path), &node);

                if (r < 0)
                        return r;
                if (!node->past && !node->is_directory)
                        return -EBADMSG;
        }
        *ret = node;
        *ret_name = path;
        return 0;
}

static int look_up(struct names *names, const char *path, struct node **ret) {
        struct node *parent;
        const char *name;
        int r = look_up_parent(names, path, &parent, &name);

        if (r < 0)
                return r;
        if (*name)
                return step(names, parent, name, strlen(name), ret);
        *ret = names->root;
        return 0;
}

static int create(struct names *names, const char *path, bool is_directory, struct node **ret) {
        struct node *parent, *node;
        const char *name;
        int r = look_up_parent(names, path, &parent, &name);

        if (r < 0)
                return r;
        if (find_node(names, parent, name, strlen(name)))
                return -EBADMSG;
        r = node_new(names, parent, name, strlen(name), &node);
        if (r < 0)
                return r;
        node->is_directory = is_directory;
        if (ret)
                *ret = node;
        return 0;
}

static bool is_below(const struct node *node, const struct node *ancestor) {
        while (node && node != ancestor)
                node = node->parent;
        return node != NULL;
}

static int rename_to(struct names *names, const char *from, const char *to) {
        struct node *node, *parent;
        const char *name;
        int r = look_up(names, from, &node);

        if (r >= 0)
                r = look_up_parent(names, to, &parent, &name);
        if (r < 0)
                return r;
        if (node == names->root || is_below(parent, node) ||
            find_node(names, parent, name, strlen(name)))
                return -EBADMSG;
        node_detach(names, node);
        r = node_rename(names, node, name, strlen(name));
        node_attach(names, node, r < 0 ? node->parent : parent);
        return r;
}

static int link_to(struct names *names, const char *path, const char *target) {
        struct node *node, *new;
        int r = look_up(names, target, &node);

        if (r >= 0)
                r = create(names, path, false, &new);
        if (r < 0)
                return r;
        if (node->is_directory)
                return -EBADMSG;
        new->linked_from = node->past ? node->past : node->linked_from;
        if (new->linked_from)
                new->linked_from->linked = true;
        new->content = node->content;
        new->extents_lost = node->content; /* which of them is not repeated */
        node->is_changed = true;
        return 0;
}

/* forget_children() - the directory @past is gone, so are all that were in it and nowhere else */
static void forget_children(struct names *names, struct past *past) {
        struct past **p = &past->children;

        while (*p) {
                struct past *child = *p;

                if (child->now || child->children || child->linked) {
                        p = &child->sibling;
                        continue;
                }
                *p = child->sibling;
                past_forget(names, child);
        }
}

static int remove_name(struct names *names, const char *path, bool is_directory) {
        struct node *node;
        int r = look_up(names, path, &node);

        if (r < 0)
                return r;
        if (node == names->root || node->children || (node->is_directory && !is_directory))
                return -EBADMSG;
        if (node->past) {
                node->past->now = NULL;
                if (is_directory)
                        forget_children(names, node->past);
        }
        node_detach(names, node);
        node_release(names, node);
        return 0;
}

/* ---- content ---- */

static int add_extent(struct names *names, struct node *node, uint64_t offset, uint64_t length) {
        struct name_extent *last =
                node->extents_count ? &node->extents[node->extents_count - 1] : NULL;

        node->content = true;
        if (node->extents_lost || length == 0)
                return 0;
        if (last && offset >= last->offset && offset - last->offset <= last->length) {
                if (offset + length > last->offset + last->length)
                        last->length = offset + length - last->offset;
                return 0;
        }
        if ((last && offset < last->offset) || node->extents_count == EXTENTS_MAX) {
                node->extents_lost = true;
                node->extents_count = 0;
                return 0;
        }
        if (node->extents_count == node->extents_capacity) {
                size_t capacity = node->extents_capacity ? node->extents_capacity * 2 : 4;
                int r;
                struct name_extent *grown = names_alloc(names, capacity * sizeof(*grown), &r);

                if (!grown)
                        return r;
                if (node->extents)
                        memcpy(grown, node->extents, node->extents_count * sizeof(*grown));
                names_release(names, node->extents,
                              node->extents_capacity * sizeof(*node->extents));
                node->extents = grown;
                node->extents_capacity = capacity;
        }
        node->extents[node->extents_count++] = (struct name_extent){ offset, length };
        return 0;
}

/* truncate_to() - what lies before the end is told by extents; when there is none, nothing of it
 * has changed. The byte at the new end stands for that: without any extent all may have */
static int truncate_to(struct names *names, struct node *node, uint64_t size) {
        if (size < UINT64_MAX)
                return add_extent(names, node, size, 1);
        node->content = node->extents_lost = true;
        node->extents_count = 0;
        return 0;
}

static int change(struct names *names, const struct stream_command *command) {
        struct node *node;
        int r = look_up(names, command->path, &node);

        if (r < 0)
                return r;
        node->is_changed = true;
        if (command->kind == STREAM_TRUNCATE)
                return truncate_to(names, node, command->size);
        if (command->kind == STREAM_UPDATE_EXTENT || command->kind == STREAM_CLONE)
                return add_extent(names, node, command->offset, command->size);
        return 0;
}

int names_apply(struct names *names, const struct stream_command *command) {
        switch (command->kind) {
        case STREAM_SNAPSHOT:
        case STREAM_END:
                return 0;
        case STREAM_MKDIR:
                return create(names, command->path, true, NULL);
        case STREAM_MKFILE:
        case STREAM_MKNOD:
        case STREAM_MKFIFO:
        case STREAM_MKSOCK:
        case STREAM_SYMLINK:
                return create(names, command->path, false, NULL);
        case STREAM_RENAME:
                return rename_to(names, command->path, command->to);
        case STREAM_LINK:
                return link_to(names, command->path, command->to);
        case STREAM_UNLINK:
                return remove_name(names, command->path, false);
        case STREAM_RMDIR:
                return remove_name(names, command->path, true);
        case STREAM_SET_XATTR:
        case STREAM_REMOVE_XATTR:
        case STREAM_TRUNCATE:
        case STREAM_CHMOD:
        case STREAM_CHOWN:
        case STREAM_UTIMES:
        case STREAM_UPDATE_EXTENT:
        case STREAM_CLONE:
                return change(names, command);
        }
        return -EBADMSG;
}
