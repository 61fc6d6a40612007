/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mirror-walk.c - one round: make the copy equal to the tree, touching only what changed.
 *
 * Walks by descriptors, never by paths, so depth and odd names do not matter. Only the lowest
 * folders are kept open; on the way up the others are opened again through ".." and recognised by
 * their inode number.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kit.h"
#include "mirror-walk.h"
#include "places.h"

enum { KEPT_OPEN = 64 };

static int add_listed(struct walk *w, const char *name) {
        size_t n = strlen(name) + 1;

        if (w->names_used + n > w->names_size) {
                size_t size = w->names_size ? w->names_size * 2 : 65536;
                char *grown = realloc(w->names, size);

                if (!grown)
                        return -ENOMEM;
                w->names = grown;
                w->names_size = size;
        }
        if (!KIT_GROW(&w->order, w->order_count, &w->order_capacity))
                return -ENOMEM;
        memcpy(w->names + w->names_used, name, n);
        w->order[w->order_count++] = w->names_used;
        w->names_used += n;
        return 0;
}

static int by_name(const void *a, const void *b, void *names) {
        return strcmp((char *)names + *(const size_t *)a, (char *)names + *(const size_t *)b);
}

/* list() - the names in the folder, sorted; at the root without our own */
static int list(struct walk *w, const struct frame *f) {
        int fd = openat(f->from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        int r = 0;

        if (!dir) {
                r = fd < 0 ? -errno : -ENOMEM;
                if (fd >= 0)
                        close(fd);
                return r;
        }
        while (r >= 0 && (errno = 0, entry = readdir(dir))) {
                const char *name = entry->d_name;

                if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
                    !(w->depth == 1 && strcmp(name, PLACE_NAME) == 0))
                        r = add_listed(w, name);
        }
        if (r >= 0 && errno != 0)
                r = -errno;
        closedir(dir);
        if (r >= 0)
                qsort_r(w->order, w->order_count, sizeof(*w->order), by_name, w->names);
        return r;
}

static int list_wanted(struct walk *w, const struct frame *f) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < f->want->count; i++)
                r = add_listed(w, f->want->child[i]->name);
        return r;
}

/* match() - the node's children become the names listed: new ones are added, others dropped */
static int match(struct walk *w) {
        struct tree_index *index = &w->m->index;
        uint32_t parent = walk_top(w)->node, previous = 0, at = index->nodes[parent].child;
        size_t i = 0;

        while (i < w->order_count || at != 0) {
                const char *name = i < w->order_count ? w->names + w->order[i] : NULL;
                int order = !name     ? -1
                            : at == 0 ? 1
                                      : strcmp(index->names + walk_node(w, at)->name, name);

                if (order < 0) {
                        char gone[NAME_MAX + 1];
                        int r;

                        snprintf(gone, sizeof(gone), "%s", index->names + walk_node(w, at)->name);
                        r = walk_drop(w, at, gone);
                        if (r < 0)
                                return r;
                        index_remove(index, parent, previous);
                } else {
                        if (order == 0)
                                previous = at;
                        else if (index_add(index, parent, previous, name, &previous) < 0)
                                return walk_out_of_memory(w);
                        i++;
                }
                at = previous ? walk_node(w, previous)->next : walk_node(w, parent)->child;
        }
        return 0;
}

/* enter() - bring the folder's names up to date; its subfolders come after it */
static int enter(struct walk *w) {
        struct frame *f = walk_top(w);
        int r;

        w->names_used = 0;
        w->order_count = 0;
        r = f->want ? list_wanted(w, f) : list(w, f);
        if (r == -ENOMEM)
                return walk_out_of_memory(w);
        if (r < 0)
                return r;
        if (geteuid() != 0 && f->to >= 0) { /* its mode may lock out a user */
                (void)fchmod(f->to, 0700);
                f->touched = true;
        }
        r = match(w);
        for (uint32_t n = walk_node(w, f->node)->child; n != 0 && r >= 0; n = walk_node(w, n)->next)
                r = walk_sync_name(w, n);
        walk_top(w)->next = walk_node(w, walk_top(w)->node)->child;
        return r < 0 ? -ECANCELED : 0;
}

static void close_frame(struct frame *f) {
        kit_closep(&f->from);
        kit_closep(&f->to);
        f->from = f->to = -1;
}

static int open_folder(int at, const char *name, ino_t expected, int *ret) {
        int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        if (fd < 0)
                return -errno;
        if (expected != 0 && (fstat(fd, &st) < 0 || st.st_ino != expected)) {
                close(fd);
                return -ESTALE;
        }
        *ret = fd;
        return 0;
}

/* from_root() - down to frame @at again, when a folder was moved away below the walk */
static int from_root(struct walk *w, size_t at) {
        _cleanup_close_ int from = fcntl(w->frames[0].from, F_DUPFD_CLOEXEC, 3);
        _cleanup_close_ int to = fcntl(w->frames[0].to, F_DUPFD_CLOEXEC, 3);

        for (size_t i = 1; i <= at; i++) {
                const struct frame *f = &w->frames[i];
                const char *name = w->m->index.names + walk_node(w, f->node)->name;
                int next_from = -1, next_to = -1;
                int r = open_folder(from, name, f->from_ino, &next_from);

                if (r >= 0 && to >= 0)
                        r = open_folder(to, name, f->to_ino, &next_to);
                kit_closep(&from);
                kit_closep(&to);
                from = next_from;
                to = next_to;
                if (r < 0)
                        return r;
        }
        w->frames[at].from = take_fd(&from);
        w->frames[at].to = take_fd(&to);
        return 0;
}

/* reopen_parent() - before the lowest frame is left */
static int reopen_parent(struct walk *w) {
        struct frame *child = walk_top(w), *parent = child - 1;
        struct stat st;

        if (w->depth < 2 || parent->from >= 0)
                return 0;
        if (child->from >= 0 &&
            open_folder(child->from, "..", parent->from_ino, &parent->from) == 0) {
                if (fstat(parent->from, &st) == 0 && st.st_dev == w->m->source_dev &&
                    (child->to < 0 ||
                     open_folder(child->to, "..", parent->to_ino, &parent->to) == 0))
                        return 0;
        }
        close_frame(parent);
        return from_root(w, w->depth - 2);
}

static int leave_attributes(struct walk *w) {
        struct frame *f = walk_top(w);
        struct node *n = walk_node(w, f->node);
        int r;

        if (w->m->round.counting || (!f->touched && node_equals(n, &f->meta)))
                return 0;
        r = directory_attributes(w->m, f->from, f->to, &f->meta);
        if (r < 0)
                return r;
        node_set(n, &f->meta, NODE_COPIED);
        return r > 0 ? walk_note(w, NULL, r) : 0;
}

static int leave(struct walk *w) {
        int r = leave_attributes(w);

        while (r >= 0 && w->depth > 0) {
                int lost = reopen_parent(w);

                close_frame(walk_top(w));
                w->depth--;
                if (lost >= 0)
                        break;
                /* the parent cannot be found: what is left of it waits for the next round */
                walk_node(w, walk_top(w)->node)->flags |= NODE_RACY;
                r = walk_note(w, NULL, lost);
        }
        return r;
}

static int push(struct walk *w, struct frame frame) {
        int r;

        if (!KIT_GROW(&w->frames, w->depth, &w->capacity)) {
                close_frame(&frame);
                return walk_out_of_memory(w);
        }
        w->frames[w->depth++] = frame;
        if (w->depth > KEPT_OPEN + 1)
                close_frame(&w->frames[w->depth - 1 - KEPT_OPEN]);
        r = enter(w);
        if (r >= 0 || r == -ECANCELED)
                return r;
        close_frame(walk_top(w)); /* it cannot be listed */
        w->depth--;
        return r;
}

/* descend() - into the folder @node of the lowest frame */
static int descend(struct walk *w, uint32_t node) {
        const struct frame *f = walk_top(w);
        struct frame child = { .from = -1, .to = -1, .node = node };
        char name[NAME_MAX + 1];
        struct stat st;
        int r;

        snprintf(name, sizeof(name), "%s", w->m->index.names + walk_node(w, node)->name);
        if (f->want) {
                child.want = want_find(f->want, name);
                if (child.want->whole)
                        child.want = NULL;
        }
        r = open_folder(f->from, name, 0, &child.from);
        if (r >= 0)
                r = mirror_stat(w->m, child.from, "", &child.meta);
        if (r >= 0 && (child.meta.mount_root || child.meta.dev != w->m->source_dev))
                r = -ENOENT; /* mounted on in this very moment: the next round shows it empty */
        if (r >= 0 && !w->m->round.counting) {
                r = open_folder(f->to, name, 0, &child.to);
                if (r >= 0)
                        r = fstat(child.to, &st) < 0 ? -errno : 0;
        }
        if (r >= 0) {
                child.from_ino = child.meta.ino;
                child.to_ino = w->m->round.counting ? 0 : st.st_ino;
                r = push(w, child);
        } else {
                close_frame(&child);
        }
        return r < 0 ? walk_cannot_have(w, node, name, r) : 0;
}

/* next_folder() - the child to go into, 0 when there is none left */
static uint32_t next_folder(struct walk *w) {
        struct frame *f = walk_top(w);

        while (f->next != 0) {
                uint32_t at = f->next;
                const struct node *n = walk_node(w, at);

                f->next = n->next;
                if (n->flags >> NODE_TYPE_SHIFT == S_IFDIR >> 12 && !(n->flags & NODE_CROSSING) &&
                    (w->m->round.counting || (n->flags & NODE_COPIED)))
                        return at;
        }
        return 0;
}

static int run(struct walk *w) {
        struct mirror *m = w->m;
        struct frame root = { .from = fcntl(m->source, F_DUPFD_CLOEXEC, 3),
                              .to = fcntl(m->copy, F_DUPFD_CLOEXEC, 3),
                              .want = m->want && !m->want->whole ? m->want : NULL };
        struct stat st;
        int r;

        if (root.from < 0 || root.to < 0 || mirror_stat(m, root.from, "", &root.meta) < 0 ||
            fstat(root.to, &st) < 0) {
                r = fail_errno(&m->error, errno, "cannot read '%s'", m->mount_point);
                close_frame(&root);
                return r;
        }
        root.from_ino = root.meta.ino;
        root.to_ino = st.st_ino;
        r = push(w, root);
        while (r >= 0 && w->depth > 0) {
                uint32_t node = next_folder(w);

                r = node ? descend(w, node) : leave(w);
        }
        if (r < 0 && r != -ECANCELED)
                (void)fail_errno(&m->error, r, "cannot read '%s'", m->mount_point);
        return r;
}

int mirror_round(struct mirror *m) {
        struct walk w = { .m = m };
        int r;

        vss_error_clear(&m->error);
        r = run(&w);
        while (w.depth > 0)
                close_frame(&w.frames[--w.depth]);
        free(w.frames);
        free(w.names);
        free(w.order);
        if (r >= 0)
                return 0;
        return m->error.code < 0 ? m->error.code
                                 : vss_fail(&m->error, VSS_E_PROVIDER_VETO,
                                            "a round over '%s' failed", m->mount_point);
}
