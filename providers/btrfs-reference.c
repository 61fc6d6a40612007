/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs-reference.c - see btrfs-reference.h.
 *
 * The record stands last: before it there is no reference, only a folder to sweep. It holds what
 * the file system said of the snapshot when it was made; whoever writes to the snapshot moves its
 * generation, so that a written one is never taken for what was backed up.
 */
#define _GNU_SOURCE
#include "btrfs-reference.h"

#include <btrfsutil.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "btrfs.h"
#include "kit.h"
#include "places.h"

#define PREFIX "btrfs-reference-"

/* struct reference - its record, and where it lies */
struct reference {
        struct vss_id id;
        uint8_t origin[16]; /* the subvolume whose state it is */
        uint8_t uuid[16]; /* of the snapshot */
        uint64_t otransid, ctransid, generation; /* order of age, and marks of every change */
        char *place;
};

struct reference_list {
        struct reference *items;
        size_t count, capacity;
        bool sweep; /* remove what is half-made instead of collecting */
};

static void list_done(struct reference_list *list) {
        for (size_t i = 0; i < list->count; i++)
                free(list->items[i].place);
        free(list->items);
        *list = (struct reference_list){ 0 };
}

static void folder_name(const struct vss_id *id, char ret[RECORD_NAME_SIZE]) {
        char text[VSS_ID_TEXT_SIZE];

        snprintf(ret, RECORD_NAME_SIZE, PREFIX "%s", vss_id_format(id, text));
}

static int open_folder(int at, const char *name) {
        return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* ---- the record ---- */

static void put_uuid(FILE *to, const char *key, const uint8_t uuid[16]) {
        fprintf(to, "%s=", key);
        for (int i = 0; i < 16; i++)
                fprintf(to, "%02x", uuid[i]);
        fputc('\n', to);
}

static int write_record(int folder, const struct reference *reference) {
        _cleanup_free_ char *text = NULL, *identity = record_identity(folder);
        size_t size;
        FILE *to = identity ? open_memstream(&text, &size) : NULL;

        if (!to)
                return -ENOMEM;
        put_uuid(to, "origin", reference->origin);
        put_uuid(to, "uuid", reference->uuid);
        fprintf(to, "otransid=%" PRIu64 "\nctransid=%" PRIu64 "\ngeneration=%" PRIu64 "\n",
                reference->otransid, reference->ctransid, reference->generation);
        fprintf(to, "identity=%s\nend=1\n", identity);
        return fclose(to) != 0 ? -ENOMEM : kit_write(folder, "record", text);
}

static bool get_uuid(const char *value, uint8_t ret[16]) {
        for (int i = 0; i < 16; i++)
                if (sscanf(value + strnlen(value, 2 * (size_t)i), "%2hhx", &ret[i]) != 1)
                        return false;
        return strlen(value) == 32;
}

/* 0, -ENOENT when there is none, -EINVAL when it is damaged or of another folder */
static int read_record(int folder, struct reference *ret) {
        _cleanup_free_ char *text = kit_read(folder, "record", 4096);
        _cleanup_free_ char *identity = record_identity(folder);
        unsigned seen = 0;
        char *rest = NULL;

        if (!text)
                return -errno;
        for (char *l = strtok_r(text, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest)) {
                char *value = strchr(l, '=');

                if (!value)
                        return -EINVAL;
                *value++ = '\0';
                if (strcmp(l, "origin") == 0)
                        seen |= get_uuid(value, ret->origin) ? 1 : 0;
                else if (strcmp(l, "uuid") == 0)
                        seen |= get_uuid(value, ret->uuid) ? 2 : 0;
                else if (strcmp(l, "otransid") == 0)
                        seen |= sscanf(value, "%" SCNu64, &ret->otransid) == 1 ? 4 : 0;
                else if (strcmp(l, "ctransid") == 0)
                        seen |= sscanf(value, "%" SCNu64, &ret->ctransid) == 1 ? 8 : 0;
                else if (strcmp(l, "generation") == 0)
                        seen |= sscanf(value, "%" SCNu64, &ret->generation) == 1 ? 16 : 0;
                else if (strcmp(l, "identity") == 0)
                        seen |= identity && strcmp(value, identity) == 0 ? 32 : 0;
                else if (strcmp(l, "end") == 0)
                        seen |= 64;
        }
        return seen == 127 ? 0 : -EINVAL;
}

/* ---- those that lie on this machine ---- */

/* remove_folder() - the snapshot and what is beside it; the record first, so that it is no
 * reference any more whatever follows */
static int remove_folder(int place, const char *name) {
        _cleanup_close_ int folder = open_folder(place, name);
        int r;

        if (folder < 0)
                return errno == ENOENT ? 0 : -errno;
        if (unlinkat(folder, "record", 0) < 0 && errno != ENOENT)
                return -errno;
        r = subvolume_delete(folder, "copy");
        if (r < 0)
                return r;
        (void)unlinkat(folder, "record.new", 0);
        return unlinkat(place, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

static int add(struct reference_list *list, const char *path, const struct reference *reference) {
        struct reference *item;

        if (!KIT_GROW(&list->items, list->count, &list->capacity))
                return -ENOMEM;
        item = &list->items[list->count];
        *item = *reference;
        item->place = strdup(path);
        if (!item->place)
                return -ENOMEM;
        list->count++;
        return 0;
}

static int look_at(struct reference_list *list, const char *path, int place, const char *name) {
        struct reference reference = { 0 };
        _cleanup_close_ int folder = -1;
        bool living;
        int r;

        if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 ||
            vss_id_parse(name + strlen(PREFIX), &reference.id) < 0)
                return 0;
        folder = open_folder(place, name);
        if (folder < 0 || place_check(folder) < 0)
                return 0;
        living = place_is_lived_in(folder); /* first: who is done by then has written so */
        r = read_record(folder, &reference);
        if (r == -ENOENT && list->sweep && !living)
                (void)remove_folder(place, name);
        return r < 0 || list->sweep ? 0 : add(list, path, &reference);
}

static int look_in(void *userdata, const char *path, int place) {
        int copy = open_folder(place, ".");
        DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        struct dirent *entry;
        int r = 0;

        if (!dir) {
                if (copy >= 0)
                        close(copy);
                return 0;
        }
        while (r >= 0 && (entry = readdir(dir)))
                r = look_at(userdata, path, place, entry->d_name);
        closedir(dir);
        return r;
}

void reference_sweep(const struct copies *copies) {
        struct reference_list none = { .sweep = true };

        (void)places_each(copies, look_in, &none);
}

static int collect(const struct copies *copies, struct reference_list *ret,
                   struct vss_error *reterr) {
        int r = places_each(copies, look_in, ret);

        if (r >= 0)
                return 0;
        list_done(ret);
        return fail_errno(reterr, r, "provider '%s' cannot look for its reference snapshots",
                          copies->kind->name);
}

static const struct reference *find(const struct reference_list *list, const struct vss_id *id) {
        for (size_t i = 0; i < list->count; i++)
                if (vss_id_equal(&list->items[i].id, id))
                        return &list->items[i];
        return NULL;
}

static int release_one(const struct reference *reference) {
        _cleanup_close_ int place =
                open(reference->place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        char name[RECORD_NAME_SIZE];

        folder_name(&reference->id, name);
        return place < 0 ? -errno : remove_folder(place, name);
}

int reference_release(struct copies *copies, const struct vss_id *id, struct vss_error *reterr) {
        struct reference_list list = { 0 };
        const struct reference *reference;
        int r = collect(copies, &list, reterr);

        if (r < 0)
                return r;
        reference = find(&list, id);
        if (reference)
                r = release_one(reference);
        if (r < 0)
                r = fail_errno(reterr, r, "cannot remove the reference snapshot in '%s'",
                               reference->place);
        list_done(&list);
        return r;
}

/* release_oldest() - until @limit of the volume are left; what cannot be removed now can be later
 */
static void release_oldest(const struct copies *copies, const uint8_t origin[16], unsigned limit) {
        struct reference_list list = { 0 };

        if (collect(copies, &list, NULL) < 0)
                return;
        for (;;) {
                struct reference *oldest = NULL;
                size_t count = 0;

                for (size_t i = 0; i < list.count; i++) {
                        struct reference *item = &list.items[i];

                        if (vss_id_is_null(&item->id) || memcmp(item->origin, origin, 16) != 0)
                                continue;
                        count++;
                        if (!oldest || item->otransid < oldest->otransid)
                                oldest = item;
                }
                if (count <= limit)
                        break;
                (void)release_one(oldest);
                oldest->id = (struct vss_id){ 0 };
        }
        list_done(&list);
}

/* ---- making one ---- */

static int subvolume_info(int fd, struct btrfs_ioctl_get_subvol_info_args *ret) {
        *ret = (struct btrfs_ioctl_get_subvol_info_args){ 0 };
        return ioctl(fd, BTRFS_IOC_GET_SUBVOL_INFO, ret) < 0 ? -errno : 0;
}

/* open_copy() - a finished copy and what the file system says of it */
static int open_copy(struct copies *copies, const struct vss_id *snapshot, int *ret_fd,
                     char **ret_path, struct btrfs_ioctl_get_subvol_info_args *ret_info,
                     struct vss_error *reterr) {
        struct vss_snapshot_prop prop = { 0 };
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;
        int r = copies_get(copies, snapshot, &prop, reterr);
        bool created = prop.status == VSS_SS_CREATED;

        if (r < 0)
                return r;
        path = take(prop.device_object);
        vss_free_snapshot_properties(&prop);
        if (!created || !path)
                return vss_fail(reterr, VSS_E_BAD_STATE, "the copy is not finished");
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = fd < 0 ? -errno : subvolume_info(fd, ret_info);
        if (r < 0)
                return fail_errno(reterr, r, "cannot open the copy '%s'", path);
        if (!(ret_info->flags & BTRFS_ROOT_SUBVOL_RDONLY))
                return vss_fail(reterr, VSS_E_BAD_STATE, "the copy '%s' is not read-only", path);
        *ret_fd = take_fd(&fd);
        if (ret_path)
                *ret_path = take(path);
        return 0;
}

static int fill(int folder, int copy, struct reference *reference) {
        struct btrfs_ioctl_get_subvol_info_args info;
        _cleanup_close_ int fd = -1;
        int r;

        if (btrfs_util_create_snapshot_fd2(copy, folder, "copy",
                                           BTRFS_UTIL_CREATE_SNAPSHOT_READ_ONLY, NULL,
                                           NULL) != BTRFS_UTIL_OK)
                return -errno;
        fd = open_folder(folder, "copy");
        if (fd < 0)
                return -errno;
        /* its generation stands when it is on disk */
        if (btrfs_util_sync_fd(fd) != BTRFS_UTIL_OK)
                return -errno;
        r = subvolume_info(fd, &info);
        if (r < 0)
                return r;
        memcpy(reference->uuid, info.uuid, 16);
        reference->otransid = info.otransid;
        reference->ctransid = info.ctransid;
        reference->generation = info.generation;
        return write_record(folder, reference);
}

static int make(const char *place_path, int copy, struct reference *reference,
                struct vss_error *reterr) {
        _cleanup_close_ int place =
                open(place_path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_close_ int folder = -1;
        char name[RECORD_NAME_SIZE];
        int r = place < 0 ? -errno : place_check(place);

        folder_name(&reference->id, name);
        if (r >= 0 && mkdirat(place, name, 0700) < 0)
                r = -errno;
        if (r >= 0) {
                folder = open_folder(place, name);
                r = folder < 0 ? -errno : 0;
        }
        if (r >= 0) {
                r = place_live_in(folder);
                if (r >= 0)
                        r = fill(folder, copy, reference);
                if (r < 0)
                        (void)remove_folder(place, name);
        }
        return r < 0 ? fail_errno(reterr, r, "cannot keep a reference snapshot in '%s'", place_path)
                     : 0;
}

/* is_kept() - is there something of this id in the place already? */
static bool is_kept(const char *place, const struct vss_id *id) {
        char name[RECORD_NAME_SIZE];
        _cleanup_close_ int fd = open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        folder_name(id, name);
        return fd >= 0 && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int reference_keep(struct copies *copies, const struct vss_id *snapshot, unsigned limit,
                   struct vss_id *ret_id, struct vss_error *reterr) {
        struct btrfs_ioctl_get_subvol_info_args info;
        struct reference reference = { 0 };
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int copy = -1;
        int r;

        if (limit == 0)
                return vss_fail(reterr, E_NOTIMPL,
                                "provider '%s' keeps no reference snapshots (references = 0)",
                                copies->kind->name);
        if (geteuid() != 0) /* it could be kept, but the kernel would compare nothing */
                return vss_fail(reterr, E_NOTIMPL, "only root can ask for what changed");
        reference_sweep(copies);
        r = open_copy(copies, snapshot, &copy, &path, &info, reterr);
        if (r < 0)
                return r;
        /* PLACE/FOLDER/copy */
        *strrchr(path, '/') = '\0';
        *strrchr(path, '/') = '\0';
        r = metadata_check(path, copies->min_free, reterr);
        if (r < 0)
                return r;
        memcpy(reference.origin, info.parent_uuid, 16);
        reference.id = *snapshot; /* whoever is killed before he hears it knows it */
        if (is_kept(path, snapshot))
                vss_id_new(&reference.id);
        r = make(path, copy, &reference, reterr);
        if (r < 0)
                return r;
        release_oldest(copies, reference.origin, limit);
        *ret_id = reference.id;
        return 0;
}

/* ---- comparing with it ---- */

static int check_reference(const struct reference *reference,
                           const struct btrfs_ioctl_get_subvol_info_args *info,
                           struct vss_error *reterr) {
        if (!(info->flags & BTRFS_ROOT_SUBVOL_RDONLY) ||
            memcmp(info->uuid, reference->uuid, 16) != 0 || info->otransid != reference->otransid ||
            info->ctransid != reference->ctransid || info->generation != reference->generation)
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "the reference snapshot in '%s' was written to or replaced since "
                                "it was kept",
                                reference->place);
        return 0;
}

static int check_copy(const struct reference *reference,
                      const struct btrfs_ioctl_get_subvol_info_args *info,
                      struct vss_error *reterr) {
        if (memcmp(info->parent_uuid, reference->origin, 16) != 0)
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "another subvolume lies at the volume's place than when the "
                                "reference snapshot was kept");
        if (info->otransid <= reference->otransid)
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "the reference snapshot is not older than the copy");
        return 0;
}

static int open_reference(const struct reference *reference, int *ret_fd,
                          struct vss_error *reterr) {
        struct btrfs_ioctl_get_subvol_info_args info;
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;
        char name[RECORD_NAME_SIZE];
        int r;

        folder_name(&reference->id, name);
        if (asprintf(&path, "%s/%s/copy", reference->place, name) < 0) {
                path = NULL;
                return fail_memory(reterr);
        }
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "the reference snapshot '%s' was deleted", path);
        r = fd < 0 ? -errno : subvolume_info(fd, &info);
        if (r < 0)
                return fail_errno(reterr, r, "cannot open the reference snapshot '%s'", path);
        r = check_reference(reference, &info, reterr);
        if (r >= 0)
                *ret_fd = take_fd(&fd);
        return r;
}

int reference_open(struct copies *copies, const struct vss_id *id, const struct vss_id *snapshot,
                   int *ret_reference_fd, int *ret_copy_fd, struct vss_error *reterr) {
        struct btrfs_ioctl_get_subvol_info_args info;
        _cleanup_close_ int copy = -1, fd = -1;
        struct reference_list list = { 0 };
        const struct reference *reference;
        int r = open_copy(copies, snapshot, &copy, NULL, &info, reterr);

        if (r >= 0)
                r = collect(copies, &list, reterr);
        if (r < 0)
                return r;
        reference = find(&list, id);
        r = reference ? open_reference(reference, &fd, reterr)
                      : vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                 "the reference snapshot was released or is not on this machine");
        if (r >= 0)
                r = check_copy(reference, &info, reterr);
        list_done(&list);
        if (r < 0)
                return r;
        *ret_reference_fd = take_fd(&fd);
        *ret_copy_fd = take_fd(&copy);
        return 0;
}
