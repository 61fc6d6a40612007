/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mirror-sync.c - one name of a folder, during a round.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kit.h"
#include "mirror-walk.h"
#include "tree.h"

struct node *walk_node(struct walk *w, uint32_t node) {
        return &w->m->index.nodes[node];
}

struct frame *walk_top(struct walk *w) {
        return &w->frames[w->depth - 1];
}

/* walk_path() - below the volume's root, for words; NULL when out of memory */
static char *walk_path(struct walk *w, const char *name) {
        char *path = NULL;
        size_t size;
        FILE *to = open_memstream(&path, &size);

        if (!to)
                return NULL;
        for (size_t i = 1; i < w->depth; i++)
                fprintf(to, "/%s", w->m->index.names + walk_node(w, w->frames[i].node)->name);
        if (name)
                fprintf(to, "/%s", name);
        fclose(to);
        return path;
}

int walk_out_of_memory(struct walk *w) {
        (void)fail_memory(&w->m->error);
        return -ECANCELED;
}

int walk_note(struct walk *w, const char *name, int error) {
        return round_note(&w->m->round, walk_path(w, name), error < 0 ? -error : error) < 0
                       ? walk_out_of_memory(w)
                       : 0;
}

/* walk_is_given_up() - asked at every name */
static bool walk_is_given_up(struct walk *w) {
        struct mirror *m = w->m;

        m->round.names++;
        if (m->stop || (m->round.provider && vss_provider_aborted(m->round.provider))) {
                vss_fail(&m->error, -ECANCELED, "the set was given up");
                return true;
        }
        if (m->round.deadline_us != 0 && m->round.names % 64 == 0 &&
            kit_monotonic_us() > m->round.deadline_us) {
                vss_fail(&m->error, VSS_E_PROVIDER_VETO,
                         "the last round over '%s' took longer than foreseen and was given up: "
                         "back up fewer paths, or raise the provider's setting max_last_round",
                         m->mount_point);
                return true;
        }
        return false;
}

/* walk_drop() - the copy shall not have this name (any more) */
int walk_drop(struct walk *w, uint32_t node, const char *name) {
        struct node *n = walk_node(w, node);
        int r;

        index_clear_children(&w->m->index, node);
        if (!(n->flags & NODE_COPIED)) {
                n->flags = 0;
                return 0;
        }
        n->flags = 0;
        walk_top(w)->touched = true;
        r = tree_remove(walk_top(w)->to, name, w->m->trash);
        if (r < 0) { /* a name that is wrong in the copy is worse than no copy */
                (void)fail_errno(&w->m->error, r, "cannot remove '%s' from the copy of '%s'", name,
                                 w->m->mount_point);
                return -ECANCELED;
        }
        return 0;
}

/* walk_cannot_have() - the source refuses: gone is gone, the rest is told; the copy lacks the name
 */
int walk_cannot_have(struct walk *w, uint32_t node, const char *name, int error) {
        int r = error == -ECANCELED ? -ECANCELED : walk_drop(w, node, name);

        if (r < 0 || error == -ENOENT || error == -ENOTDIR)
                return r;
        return walk_note(w, name, error);
}

/* sync_linked_inode() - links/INO is the one copy of an inode with several names */
static int sync_linked_inode(struct walk *w, const char *name, struct meta *meta, struct link *link,
                             char ino_name[24]) {
        struct mirror *m = w->m;
        struct node as_node = { .ino = link->ino,
                                .size = link->size,
                                .mtime = link->mtime,
                                .ctime = link->ctime,
                                .flags = link->flags };
        struct stat st;
        int r;

        snprintf(ino_name, 24, "%" PRIu64, link->ino);
        if (link->round == m->round.number && (link->flags & NODE_COPIED))
                return 0;
        link->round = m->round.number;
        if (node_equals(&as_node, meta))
                return 0;
        link->flags = 0;
        if (unlinkat(m->links, ino_name, 0) < 0 && errno != ENOENT)
                return mirror_trouble(m, errno, "old link");
        r = file_copy(m, walk_top(w)->from, name, m->links, ino_name, meta);
        if (r < 0)
                return r;
        if (fstatat(m->links, ino_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return mirror_trouble(m, errno, "link");
        node_set(&as_node, meta, NODE_COPIED);
        link->copy_ino = st.st_ino;
        link->size = as_node.size;
        link->mtime = as_node.mtime;
        link->ctime = as_node.ctime;
        link->flags = as_node.flags;
        return r;
}

static int sync_linked(struct walk *w, uint32_t node, const char *name, struct meta *meta) {
        struct mirror *m = w->m;
        struct link *link = index_link(&m->index, meta->ino);
        char ino_name[24];
        struct stat st;
        int r, loss;

        if (!link)
                return walk_out_of_memory(w);
        loss = sync_linked_inode(w, name, meta, link, ino_name);
        if (loss < 0)
                return loss;
        if ((walk_node(w, node)->flags & NODE_COPIED) &&
            fstatat(walk_top(w)->to, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_ino == link->copy_ino) {
                node_set(walk_node(w, node), meta, NODE_COPIED | NODE_LINKED);
                return loss;
        }
        r = walk_drop(w, node, name);
        if (r < 0)
                return r;
        walk_top(w)->touched = true;
        if (linkat(m->links, ino_name, walk_top(w)->to, name, 0) < 0) {
                if (errno != EMLINK)
                        return mirror_trouble(m, errno, "link");
                loss = file_copy(m, walk_top(w)->from, name, walk_top(w)->to, name, meta);
                if (loss < 0)
                        return loss;
        }
        node_set(walk_node(w, node), meta, NODE_COPIED | NODE_LINKED);
        return loss;
}

/* sync_leaf() - anything but a folder; 0, positive errno for lost attributes, negative */
static int sync_leaf(struct walk *w, uint32_t node, const char *name, struct meta *meta) {
        struct node *n = walk_node(w, node);
        int r;

        if (w->m->round.counting) {
                uint64_t bytes = meta->blocks * 512;

                if (S_ISREG(meta->mode) && bytes > (uint64_t)meta->size)
                        bytes = (uint64_t)meta->size;
                w->m->round.needed_bytes +=
                        (bytes + 4095) / 4096 * 4096 / (meta->nlink ? meta->nlink : 1) + 512;
                return 0;
        }
        if (meta->nlink > 1 || ((n->flags & NODE_LINKED) && n->ino == meta->ino))
                return sync_linked(w, node, name, meta);
        if (node_equals(n, meta))
                return 0;
        r = walk_drop(w, node, name);
        if (r < 0)
                return r;
        walk_top(w)->touched = true;
        r = file_copy(w->m, walk_top(w)->from, name, walk_top(w)->to, name, meta);
        if (r >= 0)
                node_set(walk_node(w, node), meta, NODE_COPIED);
        return r;
}

/* sync_folder() - the folder itself; its attributes follow when the walk leaves it */
static int sync_folder(struct walk *w, uint32_t node, const char *name, const struct meta *meta,
                       bool crossing) {
        const uint32_t type = S_IFDIR >> 12;
        struct node *n = walk_node(w, node);
        int r;

        if (w->m->round.counting) {
                w->m->round.needed_bytes += 4096;
                n->flags = type << NODE_TYPE_SHIFT | (crossing ? NODE_CROSSING : 0);
                return 0;
        }
        if (!(n->flags & NODE_COPIED) || n->flags >> NODE_TYPE_SHIFT != type ||
            !(n->flags & NODE_CROSSING) != !crossing) {
                r = n->flags & NODE_COPIED ? walk_drop(w, node, name) : 0;
                if (r < 0)
                        return r;
                if (mkdirat(walk_top(w)->to, name, 0700) < 0 && errno != EEXIST)
                        return mirror_trouble(w->m, errno, "folder");
                walk_top(w)->touched = true;
                node_set(n, meta, NODE_COPIED | NODE_RACY);
                if (crossing && (fchownat(walk_top(w)->to, name, meta->uid, meta->gid, 0) < 0 ||
                                 fchmodat(walk_top(w)->to, name, meta->mode & 07777, 0) < 0))
                        r = geteuid() == 0 ? mirror_trouble(w->m, errno, "folder") : 0;
                else
                        r = 0;
                if (r < 0)
                        return r;
        }
        n->flags = (n->flags & ~(uint32_t)NODE_CROSSING) | (crossing ? NODE_CROSSING : 0);
        return 0;
}

static bool is_ours(const struct mirror *m, const struct meta *meta) {
        return S_ISDIR(meta->mode) && meta->ino == m->excluded && meta->dev == m->excluded_dev;
}

int walk_sync_name(struct walk *w, uint32_t node) {
        const struct frame *f = walk_top(w);
        char name[NAME_MAX + 1];
        struct meta meta;
        bool crossing;
        int r;

        if (walk_is_given_up(w))
                return -ECANCELED;
        snprintf(name, sizeof(name), "%s", w->m->index.names + walk_node(w, node)->name);
        r = mirror_stat(w->m, f->from, name, &meta);
        if (r >= 0 && is_ours(w->m, &meta))
                r = -ENOENT;
        if (r < 0)
                return walk_cannot_have(w, node, name, r);
        crossing = meta.mount_root || meta.dev != w->m->source_dev;
        if (S_ISDIR(meta.mode))
                r = sync_folder(w, node, name, &meta, crossing);
        else if (crossing) /* a file that another file system lends */
                r = -EXDEV;
        else if (f->want && !want_find(f->want, name)->whole)
                r = S_ISLNK(meta.mode) ? -ELOOP : -ENOTDIR; /* a wanted path leads through it */
        else
                r = sync_leaf(w, node, name, &meta);
        if (r < 0)
                return walk_cannot_have(w, node, name, r);
        return r > 0 ? walk_note(w, name, r) : 0;
}
