/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resolve.c - from a path or a name to the volume that is meant (S-16, T-3, B-151, P-62).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "volume/scan.h"

/* Where a path leads: every link followed, and the mount by which it is reached. */
struct place {
        char path[PATH_MAX];
        struct look look;
        const struct mount_entry *mount;
};

/* A program or server that hangs would take us with it, so it is asked before its files are. */
static int check_way(const struct scan *scan, const char *path, struct vss_error *reterr) {
        const struct mount_entry *foreign, *at = mount_table_at(&scan->mounts, path, &foreign);
        int r;

        if (!foreign || scan_answers(scan, foreign))
                return 0;
        r = at != foreign                                ? -ETIMEDOUT
            : mount_entry_kind(foreign) == MOUNT_NETWORK ? VSS_E_VOLUME_NOT_LOCAL
                                                         : VSS_E_VOLUME_NOT_SUPPORTED;
        return vss_fail(reterr, r,
                        "'%s' is reached through '%s' (%s from '%s'), which does not answer; no "
                        "shadow copy can be made of what lies there",
                        path, foreign->point, foreign->type, foreign->source);
}

static int find_place(const struct scan *scan, const char *path, struct place *ret,
                      struct vss_error *reterr) {
        int r;

        if (*path != '/')
                return vss_fail(reterr, E_INVALIDARG, "'%s' is not an absolute path", path);
        r = check_way(scan, path, reterr);
        if (r < 0)
                return r;
        if (!realpath(path, ret->path)) {
                r = errno == ENOENT || errno == ENOTDIR ? VSS_E_OBJECT_NOT_FOUND
                    : errno == EACCES                   ? E_ACCESSDENIED
                                                        : -errno;
                return vss_fail(reterr, r, "cannot find '%s': %m", path);
        }
        r = look_at(AT_FDCWD, ret->path, &ret->look);
        ret->mount = r < 0 ? NULL : mount_table_find(&scan->mounts, ret->look.mount_id);
        if (!ret->mount)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "'%s' went away, or was mounted anew, while it was looked at; "
                                "try again",
                                path);
        return 0;
}

static int check_kind(const struct place *place, struct vss_error *reterr) {
        const char *type = place->mount->type;

        if (place->mount->deleted)
                return vss_fail(reterr, VSS_E_VOLUME_NOT_SUPPORTED,
                                "'%s' lies on a bind mount of a folder that was removed since; "
                                "unmount '%s'",
                                place->path, place->mount->point);
        switch (mount_entry_kind(place->mount)) {
        case MOUNT_LOCAL:
                return 0;
        case MOUNT_NETWORK:
                return vss_fail(reterr, VSS_E_VOLUME_NOT_LOCAL,
                                "'%s' lies on a network file system (%s from '%s'); it must be "
                                "backed up on its server",
                                place->path, type, place->mount->source);
        case MOUNT_FUSE:
                return vss_fail(reterr, VSS_E_VOLUME_NOT_SUPPORTED,
                                "'%s' lies on a file system that a program shows (%s); back up "
                                "what the program stores instead",
                                place->path, type);
        case MOUNT_STACKED:
                return vss_fail(reterr, VSS_E_VOLUME_NOT_SUPPORTED,
                                "'%s' lies on a stacked file system (%s); back up the folders "
                                "that it is stacked from instead",
                                place->path, type);
        case MOUNT_PSEUDO:
                break;
        }
        return vss_fail(reterr, VSS_E_VOLUME_NOT_SUPPORTED,
                        "'%s' lies on %s, which keeps nothing on a disk; no shadow copy can be "
                        "made of it",
                        place->path, type);
}

static bool is_on(const struct sight *sight, const struct look *look) {
        return sight->volume.v.dev_major == look->dev_major &&
               sight->volume.v.dev_minor == look->dev_minor;
}

/* The sight of the volume by which @place is reached, so that its paths begin with the mount
 * point; the chosen one when none is. */
static const struct sight *sight_of(const struct scan *scan, const struct place *place) {
        const struct sight *best = NULL, *chosen = NULL;

        for (size_t i = 0; i < scan->count; i++) {
                const struct sight *sight = &scan->items[i];

                if (!is_on(sight, &place->look))
                        continue;
                if (sight->chosen)
                        chosen = sight;
                if (sight->volume.v.mount_id == place->look.mount_id &&
                    path_is_below(place->path, sight->volume.v.mount_point))
                        best = sight;
        }
        return best ? best : chosen;
}

/* The same file by way of the volume's root, when @place came by a bind mount of a part. */
static char *true_path(const struct sight *partial, const struct sight *whole,
                       const struct place *place) {
        const char *inside = partial->shown + strspn(partial->shown, "/");
        const char *below = place->path + strlen(partial->volume.v.mount_point);
        size_t subvolume = strlen(whole->volume.v.subvolume);
        _cleanup_free_ char *folder = NULL;

        if (subvolume > 0 && path_is_below(inside, whole->volume.v.subvolume))
                inside += subvolume + strspn(inside + subvolume, "/");
        folder = path_join(whole->volume.v.mount_point, inside);
        below += strspn(below, "/");
        return folder && *below ? path_join(folder, below) : take(folder);
}

static const struct sight *whole_sight(const struct scan *scan, const struct look *look) {
        for (size_t i = 0; i < scan->count; i++)
                if (is_on(&scan->items[i], look) && scan->items[i].chosen)
                        return scan->items[i].whole ? &scan->items[i] : NULL;
        return NULL;
}

static int find_holder(const struct scan *scan, const struct place *place, const struct sight **ret,
                       struct vss_error *reterr) {
        const struct sight *sight = sight_of(scan, place), *whole;
        _cleanup_free_ char *path = NULL;

        if (!sight)
                return vss_fail(reterr, VSS_E_VOLUME_NOT_SUPPORTED,
                                scan_is_ours(scan, place->path)
                                        ? "'%s' lies in a shadow copy"
                                        : "'%s' lies on a volume that cannot be looked at",
                                place->path);
        whole = whole_sight(scan, &place->look);
        if (sight->whole || !whole) {
                *ret = sight;
                return 0;
        }
        path = true_path(sight, whole, place);
        return vss_fail(reterr, path ? VSS_E_VOLUME_NOT_SUPPORTED : -ENOMEM,
                        "'%s' shows only a part of the volume at '%s'; name '%s' instead",
                        place->path, whole->volume.v.mount_point, path ? path : "?");
}

/* ---- what is mounted or nested below (B-151) ---- */

static bool is_strictly_below(const char *path, const char *folder) {
        return path_is_below(path, folder) && strcmp(path, folder) != 0;
}

static bool has_better(const struct scan *scan, const struct sight *sight, const char *path) {
        for (size_t i = 0; i < scan->count; i++) {
                const struct sight *other = &scan->items[i];

                if (other == sight || !is_strictly_below(other->volume.v.mount_point, path) ||
                    other->volume.v.dev_major != sight->volume.v.dev_major ||
                    other->volume.v.dev_minor != sight->volume.v.dev_minor)
                        continue;
                if (other->whole != sight->whole ? other->whole
                    : strlen(other->volume.v.mount_point) != strlen(sight->volume.v.mount_point)
                            ? strlen(other->volume.v.mount_point) <
                                      strlen(sight->volume.v.mount_point)
                            : other < sight)
                        return true;
        }
        return false;
}

static int add_refused(struct volume_list *list, const struct volume *volume, const char *refusal) {
        struct volume lent = *volume;
        char *words = strdup(refusal);
        int r;

        lent.refusal = words;
        r = words ? volume_list_add(list, &lent) : -ENOMEM;
        free(words);
        return r;
}

/* A bind mount of a part: its files belong to a volume that is copied from elsewhere. */
static int add_partial(const struct scan *scan, const struct sight *sight,
                       struct volume_list *list) {
        struct look look = { .dev_major = sight->volume.v.dev_major,
                             .dev_minor = sight->volume.v.dev_minor };
        const struct sight *whole = whole_sight(scan, &look);
        _cleanup_free_ char *path = NULL, *words = NULL;
        struct place place = { .look = look };

        if (!whole)
                return volume_list_add(list, &sight->volume);
        (void)snprintf(place.path, sizeof(place.path), "%s", sight->volume.v.mount_point);
        path = true_path(sight, whole, &place);
        if (!path || asprintf(&words,
                              "'%s' shows only a part of the volume at '%s'; name '%s' as well if "
                              "it is wanted",
                              place.path, whole->volume.v.mount_point, path) < 0) {
                words = NULL;
                return -ENOMEM;
        }
        return add_refused(list, &sight->volume, words);
}

static int add_sights_below(const struct scan *scan, const struct place *place,
                            struct volume_list *list) {
        for (size_t i = 0; i < scan->count; i++) {
                const struct sight *sight = &scan->items[i];
                int r = 0;

                if (!is_strictly_below(sight->volume.v.mount_point, place->path))
                        continue;
                if (!sight->whole)
                        r = add_partial(scan, sight, list);
                else if (!is_on(sight, &place->look) && !has_better(scan, sight, place->path))
                        r = volume_list_add(list, &sight->volume);
                if (r < 0)
                        return r;
        }
        return 0;
}

static const char *refusal_below(const struct mount_entry *mount) {
        enum mount_kind kind = mount_entry_kind(mount);

        if (kind == MOUNT_NETWORK)
                return "a network file system is backed up on its server";
        if (kind == MOUNT_FUSE)
                return "a file system that a program shows has no shadow copy";
        if (kind == MOUNT_LOCAL && mount->deleted)
                return "it shows a folder that was removed since";
        return NULL;
}

/* What is mounted below from elsewhere is named with its refusal, so that nobody believes it to
 * be in the copy. Memory file systems and stacked ones hold nothing that would be missed. */
static int add_foreign_below(const struct scan *scan, const struct place *place,
                             struct volume_list *list) {
        for (size_t i = 0; i < scan->mounts.count; i++) {
                const struct mount_entry *mount = &scan->mounts.items[i];
                const char *refusal = refusal_below(mount);
                struct volume volume = { .v = { .id = "",
                                                .mount_point = mount->point,
                                                .device = mount->source,
                                                .fs_type = mount->type,
                                                .mount_id = mount->id } };
                int r;

                if (!refusal || !is_strictly_below(mount->point, place->path))
                        continue;
                r = add_refused(list, &volume, refusal);
                if (r < 0)
                        return r;
        }
        return 0;
}

int scan_path(const struct scan *scan, const char *path, bool below, struct volume_list *list,
              struct vss_error *reterr) {
        const struct sight *holder;
        struct place place;
        int r = find_place(scan, path, &place, reterr);

        if (r == 0)
                r = check_kind(&place, reterr);
        if (r == 0)
                r = find_holder(scan, &place, &holder, reterr);
        if (r < 0)
                return r;
        r = volume_list_add(list, &holder->volume);
        if (r == 0 && below)
                r = add_sights_below(scan, &place, list);
        if (r == 0 && below)
                r = add_foreign_below(scan, &place, list);
        return r < 0 ? vss_fail(reterr, r, "cannot resolve '%s': %s", path, strerror(-r)) : 0;
}

/* ---- names ---- */

static bool is_named(const struct sight *sight, const char *name, const struct stat *device) {
        const struct vss_volume *v = &sight->volume.v;
        struct stat st;

        if (device) {
                if (v->dev_major == major(device->st_rdev) &&
                    v->dev_minor == minor(device->st_rdev))
                        return true;
                /* btrfs shows a device number of its own; its source tells the real one */
                return strcmp(v->fs_type, "btrfs") == 0 && sight->mounted &&
                       stat(v->device, &st) == 0 && S_ISBLK(st.st_mode) &&
                       st.st_rdev == device->st_rdev;
        }
        if (strcmp(v->id, name) == 0)
                return true;
        return sight->mounted && strncmp(name, "UUID=", 5) == 0 && *v->fs_uuid &&
               strcasecmp(name + 5, v->fs_uuid) == 0;
}

static int find_named(const struct scan *scan, const char *name, const struct stat *device,
                      struct volume_list *list, struct vss_error *reterr) {
        const struct sight *found = NULL;

        for (size_t i = 0; i < scan->count; i++) {
                if (!scan->items[i].chosen || !is_named(&scan->items[i], name, device))
                        continue;
                if (found)
                        return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                        "'%s' means several volumes, among them '%s' and '%s'; "
                                        "name a mount point",
                                        name, found->volume.v.mount_point,
                                        scan->items[i].volume.v.mount_point);
                found = &scan->items[i];
        }
        if (!found)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND, "no mounted volume is named '%s'",
                                name);
        return volume_list_add(list, &found->volume);
}

/* A path inside of a volume is not a volume (T-3). */
static int find_mount_point(const struct scan *scan, const char *name, struct volume_list *list,
                            struct vss_error *reterr) {
        const struct sight *holder;
        struct place place;
        int r = find_place(scan, name, &place, reterr);

        if (r == 0)
                r = check_kind(&place, reterr);
        if (r == 0)
                r = find_holder(scan, &place, &holder, reterr);
        if (r < 0)
                return r;
        if (strcmp(holder->volume.v.mount_point, place.path) != 0)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "'%s' is a path inside of a volume; the volume is '%s'", name,
                                holder->volume.v.mount_point);
        return volume_list_add(list, &holder->volume);
}

int scan_name(const struct scan *scan, const char *name, struct volume_list *list,
              struct vss_error *reterr) {
        struct stat st;
        int r;

        if (*name != '/')
                return find_named(scan, name, NULL, list, reterr);
        r = check_way(scan, name, reterr);
        if (r < 0)
                return r;
        if (stat(name, &st) == 0 && S_ISBLK(st.st_mode))
                return find_named(scan, name, &st, list, reterr);
        return find_mount_point(scan, name, list, reterr);
}
