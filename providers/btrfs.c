/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs - copies are snapshots of subvolumes.
 *
 * Each is atomic by itself, so nothing is frozen (P-60: a snapshot on a frozen btrfs blocks), and
 * several of one set are taken one after the other (P-62). A copy is made writable and becomes
 * read-only in PostFinalCommit (S-55), without auto-recovery at once. Where copies lie and how they
 * are found again is copies.c; where on the file system, btrfs-place.c.
 *
 * What changed between two of them is btrfs-delta.c, what is kept for that btrfs-reference.c.
 *
 * Settings: min_free (bytes that must be free), state_dir, references (how many reference snapshots
 * each volume may have).
 */
#define _GNU_SOURCE
#include <btrfsutil.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "btrfs-delta.h"
#include "btrfs-reference.h"
#include "btrfs.h"
#include "copies-ops.h"
#include "kit.h"

static void release(void *own) {
        struct source *source = own;

        if (!source)
                return;
        if (source->fd >= 0)
                close(source->fd);
        free(source->mount_point);
        free(source->path);
        free(source);
}

static int remove_copy(int folder) {
        return subvolume_delete(folder, "copy");
}

static bool searches(const char *fs_type) {
        return strcmp(fs_type, "btrfs") == 0;
}

static const struct copies_kind kind = {
        .name = "btrfs",
        .id = { { 0x64, 0x2f, 0x9a, 0x0c, 0x5b, 0x1e, 0x4f, 0x5a, 0x9d, 0x2b, 0x0f, 0x61, 0x73,
                  0x33, 0x1a, 0x01 } },
        .technique = VSS_VOLSNAP_ATTR_DIFFERENTIAL,
        .instant = VSS_INSTANT_SPREAD,
        .compatibility = VSS_SC_DISABLE_DEFRAG, /* defragmenting unshares what the copy shares */
        .searches = searches,
        .is_intact = subvolume_is_there,
        .remove = remove_copy,
        .release = release,
};

enum { REFERENCES_DEFAULT = 8, REFERENCES_MAX = 1000 };

/* the plug-in's state */
struct btrfs {
        struct copies copies; /* first: copies-ops.h */
        unsigned references; /* per volume, at most */
        struct delta *deltas; /* comparisons that run */
};

static struct btrfs *btrfs_of(struct vss_provider *p) {
        struct btrfs *b = vss_provider_data(p);

        if (b)
                return b;
        b = copies_new(p, sizeof(*b), &kind);
        if (b)
                b->references = REFERENCES_DEFAULT;
        return b;
}

static int set_references(struct btrfs *b, const char *value, struct vss_error *reterr) {
        char *end;
        unsigned long n = strtoul(value, &end, 10);

        if (*value < '0' || *value > '9' || *end || n > REFERENCES_MAX)
                return vss_fail(reterr, E_INVALIDARG, "references = '%s': a number up to %d is due",
                                value, REFERENCES_MAX);
        b->references = (unsigned)n;
        return 0;
}

static int btrfs_configure(struct vss_provider *p, const char *key, const char *value,
                           struct vss_error *reterr) {
        struct btrfs *b = btrfs_of(p);

        if (!b)
                return fail_memory(reterr);
        if (strcmp(key, "references") == 0)
                return set_references(b, value, reterr);
        return copies_configure(&b->copies, key, value, reterr);
}

static int btrfs_load(struct vss_provider *p, struct vss_error *reterr) {
        return btrfs_of(p) ? 0 : fail_memory(reterr);
}

static void btrfs_unload(struct vss_provider *p) {
        struct btrfs *b = vss_provider_data(p);

        if (!b)
                return;
        delta_stop(&b->deltas, NULL);
        copies_done(&b->copies);
        free(b);
        vss_provider_set_data(p, NULL);
}

static int btrfs_is_volume_supported(struct vss_provider *p, const struct vss_volume *volume,
                                     uint32_t context, struct vss_promise *ret,
                                     struct vss_error *reterr) {
        struct copies *copies = copies_of(p);
        int r;

        if (copies_context(copies, context, reterr) < 0)
                return 0;
        r = volume_check(volume, reterr);
        if (r <= 0)
                return r;
        copies_promise(copies, ret);
        return 1;
}

static struct source *source_new(const struct vss_volume *volume) {
        struct source *source = calloc(1, sizeof(*source));

        if (!source)
                return NULL;
        source->fd = -1;
        source->mount_point = strdup(volume->mount_point);
        source->path = strdup(volume->subvolume);
        if (source->mount_point && source->path)
                return source;
        release(source);
        return NULL;
}

static int btrfs_begin_prepare_snapshot(struct vss_provider *p, const struct vss_prepare *prepare,
                                        struct vss_error *reterr) {
        struct copies *copies = copies_of(p);
        _cleanup_free_ char *root = NULL;
        struct source *source;
        struct making *making;
        int r;

        copies_enter_set(copies, &prepare->set_id);
        r = copies_context(copies, prepare->context, reterr);
        if (r >= 0)
                r = volume_check(prepare->volume, reterr);
        if (r == 0)
                return vss_wrap(reterr, VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER, "provider 'btrfs'");
        if (r > 0)
                r = place_choose(copies, prepare->volume, &root, reterr);
        if (r >= 0)
                r = metadata_check(root, copies->min_free, reterr);
        if (r < 0)
                return r;
        source = source_new(prepare->volume);
        if (!source)
                return fail_memory(reterr);
        r = source_open(source, reterr);
        if (r >= 0)
                r = copies_begin(copies, prepare, root, &making, reterr);
        if (r < 0) {
                release(source);
                return r;
        }
        close(source->fd); /* an open descriptor would keep the volume from being unmounted */
        source->fd = -1;
        making->own = source;
        return 0;
}

/* end_prepare: what the commit would have to write is written now, once per file system */
static int btrfs_end_prepare_snapshots(struct vss_provider *p, const struct vss_id *set,
                                       struct vss_error *reterr) {
        struct copies *copies = copies_of(p);
        int r = copies_is_current(copies, set, reterr);

        if (r >= 0)
                copies_sweep(copies);
        for (size_t i = 0; r >= 0 && i < copies->count; i++) {
                struct source *source = copies->made[i]->own;
                bool synced = false;

                if (vss_provider_aborted(p))
                        return vss_fail(reterr, -ECANCELED, "the set was given up");
                for (size_t k = 0; k < i; k++) {
                        const struct source *before = copies->made[k]->own;

                        synced = synced || before->fs_device == source->fs_device;
                }
                if (!synced && syncfs(copies->made[i]->folder) < 0)
                        return fail_errno(reterr, errno, "cannot sync '%s'", source->mount_point);
        }
        if (r >= 0)
                copies_status(copies, VSS_SS_PREPARED, 0);
        return r;
}

static int by_depth(const void *a, const void *b) {
        const struct making *const *x = a, *const *y = b;
        const struct source *s = (*x)->own, *t = (*y)->own;

        return strcmp(t->path, s->path); /* "a/b" before "a": children first (P-62) */
}

static int btrfs_pre_commit_snapshots(struct vss_provider *p, const struct vss_id *set,
                                      struct vss_error *reterr) {
        struct copies *copies = copies_of(p);
        int r = copies_is_current(copies, set, reterr);

        for (size_t i = 0; r >= 0 && i < copies->count; i++)
                r = source_open(copies->made[i]->own, reterr);
        if (r < 0)
                return r;
        qsort(copies->made, copies->count, sizeof(*copies->made), by_depth);
        copies_status(copies, VSS_SS_PRECOMMITTED, 0);
        return 0;
}

static int btrfs_commit_snapshots(struct vss_provider *p, const struct vss_id *set,
                                  struct vss_error *reterr) {
        struct copies *copies = copies_of(p);
        int r = copies_is_current(copies, set, reterr);
        vss_timestamp_t when = vss_timestamp_now(); /* P-92: before the first call */
        uint64_t first = kit_monotonic_us(), last = first;

        for (size_t i = 0; r >= 0 && i < copies->count; i++) {
                const struct making *m = copies->made[i];
                const struct source *source = m->own;
                bool fixed = m->record.context & VSS_VOLSNAP_ATTR_NO_AUTORECOVERY;

                last = kit_monotonic_us();
                if (btrfs_util_create_snapshot_fd2(source->fd, m->folder, "copy",
                                                   fixed ? BTRFS_UTIL_CREATE_SNAPSHOT_READ_ONLY : 0,
                                                   NULL, NULL) != BTRFS_UTIL_OK)
                        r = fail_errno(reterr, errno, "cannot take a snapshot of '%s'",
                                       source->mount_point);
        }
        if (r < 0)
                return r;
        for (size_t i = 0; i < copies->count; i++)
                copies->made[i]->record.spread_ms = (uint32_t)((last - first) / 1000);
        copies_stamp(copies, when);
        copies_status(copies, VSS_SS_COMMITTED, 0);
        return 0;
}

static int btrfs_post_commit_snapshots(struct vss_provider *p, const struct vss_id *set,
                                       uint32_t count, struct vss_error *reterr) {
        struct copies *copies = copies_of(p);
        int r = copies_is_current(copies, set, reterr);

        if (r < 0)
                return r;
        for (size_t i = 0; i < copies->count; i++) {
                struct source *source = copies->made[i]->own;

                close(source->fd);
                source->fd = -1;
        }
        copies_status(copies, VSS_SS_POSTCOMMITTED, count);
        return 0;
}

static int btrfs_post_final_commit_snapshots(struct vss_provider *p, const struct vss_id *set,
                                             struct vss_error *reterr) {
        struct copies *copies = copies_of(p);
        int r = copies_is_current(copies, set, reterr);

        for (size_t i = 0; r >= 0 && i < copies->count; i++)
                r = subvolume_make_read_only(copies->made[i]->folder, "copy",
                                             copies->made[i]->record.prop.original_mount, reterr);
        if (r >= 0) /* what recovery wrote and the marks must outlive a power cut */
                for (size_t i = 0; i < copies->count; i++)
                        (void)syncfs(copies->made[i]->folder);
        return r < 0 ? r : copies_created(copies, reterr);
}

static int btrfs_delete_snapshots(struct vss_provider *p, const struct vss_id *id, uint32_t type,
                                  bool force, uint32_t *ret_deleted, struct vss_id *ret_nondeleted,
                                  struct vss_error *reterr) {
        struct btrfs *b = vss_provider_data(p);

        /* of a set, all are ended: a comparison has a life of seconds */
        delta_stop(&b->deltas, type == VSS_OBJECT_SNAPSHOT ? id : NULL);
        return copies_op_delete_snapshots(p, id, type, force, ret_deleted, ret_nondeleted, reterr);
}

static int btrfs_keep_reference(struct vss_provider *p, const struct vss_id *snapshot,
                                struct vss_id *ret, struct vss_error *reterr) {
        struct btrfs *b = vss_provider_data(p);

        return reference_keep(&b->copies, snapshot, b->references, ret, reterr);
}

static int btrfs_release_reference(struct vss_provider *p, const struct vss_id *reference,
                                   struct vss_error *reterr) {
        return reference_release(copies_of(p), reference, reterr);
}

static int btrfs_query_changes(struct vss_provider *p, const struct vss_id *snapshot,
                               const struct vss_id *reference, int stream,
                               struct vss_error *reterr) {
        struct btrfs *b = vss_provider_data(p);
        int reference_fd, copy_fd;
        int r = reference_open(&b->copies, reference, snapshot, &reference_fd, &copy_fd, reterr);

        return r < 0 ? r : delta_start(&b->deltas, snapshot, reference_fd, copy_fd, stream, reterr);
}

static struct vss_provider_ops btrfs_ops = {
        .name = "btrfs",
        .title = "btrfs subvolume snapshots",
        .version = "1.0",
        .id = { { 0x64, 0x2f, 0x9a, 0x0c, 0x5b, 0x1e, 0x4f, 0x5a, 0x9d, 0x2b, 0x0f, 0x61, 0x73,
                  0x33, 0x1a, 0x01 } },
        .version_id = { { 0x64, 0x2f, 0x9a, 0x0c, 0x5b, 0x1e, 0x4f, 0x5a, 0x9d, 0x2b, 0x0f, 0x61,
                          0x73, 0x33, 0x1a, 0x02 } },
        .kind = VSS_PROV_SOFTWARE,
        .configure = btrfs_configure,
        .load = btrfs_load,
        .unload = btrfs_unload,
        .is_volume_supported = btrfs_is_volume_supported,
        .is_volume_snapshotted = copies_op_is_volume_snapshotted,
        .begin_prepare_snapshot = btrfs_begin_prepare_snapshot,
        .end_prepare_snapshots = btrfs_end_prepare_snapshots,
        .pre_commit_snapshots = btrfs_pre_commit_snapshots,
        .commit_snapshots = btrfs_commit_snapshots,
        .post_commit_snapshots = btrfs_post_commit_snapshots,
        .pre_final_commit_snapshots = copies_op_pre_final_commit_snapshots,
        .post_final_commit_snapshots = btrfs_post_final_commit_snapshots,
        .abort_snapshots = copies_op_abort_snapshots,
        .get_snapshot_properties = copies_op_get_snapshot_properties,
        .query = copies_op_query,
        .delete_snapshots = btrfs_delete_snapshots,
        .set_snapshot_property = copies_op_set_snapshot_property,
        .keep_reference = btrfs_keep_reference,
        .release_reference = btrfs_release_reference,
        .query_changes = btrfs_query_changes,
};

VSS_PROVIDER(btrfs_ops);
