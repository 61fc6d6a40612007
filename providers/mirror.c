/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mirror - copies of the wanted paths on file systems that can make no snapshots.
 *
 * The copy is brought up to date in rounds while applications run and split from its original while
 * the writers are frozen; the file system never is, because a reflink or a copy onto a frozen one
 * blocks. So files that belong to no writer are each as they were at some moment of the last round:
 * not crash-consistent (`instant` none).
 *
 * Settings: area (folder for copies that cannot share extents with their originals),
 * max_last_round (5s), min_free, state_dir.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "copies-ops.h"
#include "kit.h"
#include "mirror.h"
#include "mounts.h"

struct state {
        struct copies copies; /* first: copies-ops.h. Its area is the setting, or the default */
        uint64_t max_last_round_us;
};

static void release(void *own) {
        mirror_free(own);
}

static bool is_intact(int folder) {
        struct stat st;

        return fstatat(folder, "copy", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* searches() - types that can share extents between files */
static bool searches(const char *fs_type) {
        static const char *const types[] = { "xfs", "btrfs", "bcachefs", "ocfs2", "zfs" };

        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
                if (strcmp(fs_type, types[i]) == 0)
                        return true;
        return false;
}

static const struct copies_kind kind = {
        .name = "mirror",
        .id = { { 0x0b, 0x6e, 0x21, 0x8d, 0x70, 0x47, 0x4c, 0xc3, 0x8a, 0x55, 0x2e, 0x94, 0x16,
                  0xd2, 0x7f, 0x01 } },
        .technique = VSS_VOLSNAP_ATTR_PLEX,
        .instant = VSS_INSTANT_NONE,
        .searches = searches,
        .is_intact = is_intact,
        .remove = mirror_remove,
        .release = release,
};

/* default_area() - the state folder's own; a configured one must exist, because making
 * it could fill the file system below a disk that is not mounted today */
static int default_area(struct copies *copies) {
        char *area;

        if (copies->area)
                return 0;
        if (asprintf(&area, "%s/mirror", copies->state_dir) < 0)
                return -ENOMEM;
        copies->area = area;
        for (char *p = area + 1; *p; p++) {
                if (*p != '/')
                        continue;
                *p = '\0';
                (void)mkdir(area, 0755);
                *p = '/';
        }
        (void)mkdir(area, 0700); /* when this fails, is_volume_supported says so */
        return 0;
}

static struct state *state_of(struct vss_provider *p) {
        struct state *s = vss_provider_data(p);

        if (s)
                return s;
        s = copies_new(p, sizeof(*s), &kind);
        if (s)
                s->max_last_round_us = 5000000;
        return s;
}

static int mirror_configure(struct vss_provider *p, const char *key, const char *value,
                            struct vss_error *reterr) {
        struct state *s = state_of(p);

        if (!s)
                return fail_memory(reterr);
        if (strcmp(key, "area") == 0)
                return kit_directory(key, value, &s->copies.area, reterr);
        if (strcmp(key, "max_last_round") == 0)
                return kit_duration(key, value, &s->max_last_round_us, reterr);
        return copies_configure(&s->copies, key, value, reterr);
}

static int mirror_load(struct vss_provider *p, struct vss_error *reterr) {
        struct state *s = state_of(p);

        return s && default_area(&s->copies) >= 0 ? 0 : fail_memory(reterr);
}

static void mirror_unload(struct vss_provider *p) {
        struct state *s = vss_provider_data(p);

        if (!s)
                return;
        copies_done(&s->copies);
        free(s);
        vss_provider_set_data(p, NULL);
}

static int mirror_is_volume_supported(struct vss_provider *p, const struct vss_volume *volume,
                                      uint32_t context, struct vss_promise *ret,
                                      struct vss_error *reterr) {
        struct state *s = vss_provider_data(p);
        _cleanup_free_ char *root = NULL;
        bool clones;
        int r;

        if (copies_context(&s->copies, context, reterr) < 0)
                return 0;
        r = mirror_support(&s->copies, volume, &root, &clones, reterr);
        if (r <= 0)
                return r;
        copies_promise(&s->copies, ret);
        return 1;
}

/* leads_from_mount() - will a search of the mounts find `.vss` in @root? */
static bool leads_from_mount(const char *root) {
        struct mounts mounts;
        bool found = false;

        if (mounts_read(&mounts) < 0)
                return false;
        for (size_t i = 0; i < mounts.count && !found; i++)
                found = strcmp(mounts.items[i].point, root) == 0 &&
                        searches(mounts.items[i].fs_type);
        mounts_done(&mounts);
        return found;
}

static int mirror_begin_prepare_snapshot(struct vss_provider *p, const struct vss_prepare *prepare,
                                         struct vss_error *reterr) {
        struct state *s = vss_provider_data(p);
        _cleanup_free_ char *root = NULL;
        struct mirror *m = NULL;
        struct making *making;
        bool clones;
        int r;

        copies_enter_set(&s->copies, &prepare->set_id);
        r = copies_context(&s->copies, prepare->context, reterr);
        if (r < 0)
                return r;
        r = mirror_support(&s->copies, prepare->volume, &root, &clones, reterr);
        if (r == 0)
                return vss_wrap(reterr, VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER,
                                "provider 'mirror'");
        if (r < 0)
                return r;
        r = leads_from_mount(root) ? 0 : copies_remember_place(&s->copies, root, reterr);
        if (r >= 0)
                r = mirror_new(&s->copies, prepare, s->max_last_round_us, &m, reterr);
        if (r >= 0)
                r = copies_begin(&s->copies, prepare, root, &making, reterr);
        if (r < 0) {
                mirror_free(m);
                return r;
        }
        m->clones = clones;
        making->own = m; /* from here on freed with the set */
        return mirror_start(m, making, reterr);
}

/* each() - one step of every copy of the set */
static int each(struct vss_provider *p, const struct vss_id *set,
                int (*step)(struct mirror *, struct vss_error *), uint32_t status, uint32_t count,
                struct vss_error *reterr) {
        struct copies *copies = copies_of(p);
        int r = copies_is_current(copies, set, reterr);

        for (size_t i = 0; r >= 0 && i < copies->count; i++)
                r = step(copies->made[i]->own, reterr);
        if (r >= 0)
                copies_status(copies, status, count);
        return r;
}

static int mirror_end_prepare_snapshots(struct vss_provider *p, const struct vss_id *set,
                                        struct vss_error *reterr) {
        struct copies *copies = copies_of(p);
        int r = copies_is_current(copies, set, reterr);

        if (r >= 0)
                copies_sweep(copies);
        for (size_t i = 0; r >= 0 && i < copies->count; i++)
                r = mirror_settle(copies->made[i]->own, p, reterr);
        if (r >= 0)
                copies_status(copies, VSS_SS_PREPARED, 0);
        return r;
}

static int mirror_pre_commit_snapshots(struct vss_provider *p, const struct vss_id *set,
                                       struct vss_error *reterr) {
        return each(p, set, mirror_pre_commit, VSS_SS_PRECOMMITTED, 0, reterr);
}

static int mirror_commit_snapshots(struct vss_provider *p, const struct vss_id *set,
                                   struct vss_error *reterr) {
        vss_timestamp_t when = vss_timestamp_now();
        int r = each(p, set, mirror_commit, VSS_SS_COMMITTED, 0, reterr);

        if (r >= 0)
                copies_stamp(copies_of(p), when);
        return r;
}

static int mirror_post_commit_snapshots(struct vss_provider *p, const struct vss_id *set,
                                        uint32_t count, struct vss_error *reterr) {
        return each(p, set, mirror_tidy, VSS_SS_POSTCOMMITTED, count, reterr);
}

static int mirror_post_final_commit_snapshots(struct vss_provider *p, const struct vss_id *set,
                                              struct vss_error *reterr) {
        struct copies *copies = copies_of(p);
        int r = copies_is_current(copies, set, reterr);

        for (size_t i = 0; r >= 0 && i < copies->count; i++)
                if (syncfs(copies->made[i]->folder) <
                    0) /* before the record says that it is whole */
                        r = fail_errno(reterr, errno, "cannot sync the copy in '%s'",
                                       copies->made[i]->place);
        return r < 0 ? r : copies_created(copies, reterr);
}

static struct vss_provider_ops mirror_ops = {
        .name = "mirror",
        .title = "copies of the wanted paths, split while the writers are frozen",
        .version = "1.0",
        .id = { { 0x0b, 0x6e, 0x21, 0x8d, 0x70, 0x47, 0x4c, 0xc3, 0x8a, 0x55, 0x2e, 0x94, 0x16,
                  0xd2, 0x7f, 0x01 } },
        .version_id = { { 0x0b, 0x6e, 0x21, 0x8d, 0x70, 0x47, 0x4c, 0xc3, 0x8a, 0x55, 0x2e, 0x94,
                          0x16, 0xd2, 0x7f, 0x02 } },
        .kind = VSS_PROV_SYSTEM, /* the last resort of P-13 */
        .configure = mirror_configure,
        .load = mirror_load,
        .unload = mirror_unload,
        .is_volume_supported = mirror_is_volume_supported,
        .is_volume_snapshotted = copies_op_is_volume_snapshotted,
        .begin_prepare_snapshot = mirror_begin_prepare_snapshot,
        .end_prepare_snapshots = mirror_end_prepare_snapshots,
        .pre_commit_snapshots = mirror_pre_commit_snapshots,
        .commit_snapshots = mirror_commit_snapshots,
        .post_commit_snapshots = mirror_post_commit_snapshots,
        .pre_final_commit_snapshots = copies_op_pre_final_commit_snapshots,
        .post_final_commit_snapshots = mirror_post_final_commit_snapshots,
        .abort_snapshots = copies_op_abort_snapshots,
        .get_snapshot_properties = copies_op_get_snapshot_properties,
        .query = copies_op_query,
        .delete_snapshots = copies_op_delete_snapshots,
        .set_snapshot_property = copies_op_set_snapshot_property,
};

VSS_PROVIDER(mirror_ops);
