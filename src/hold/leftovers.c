/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * leftovers.c - what to do with the record of a vss-hold whose two processes are both dead.
 */
#define _GNU_SOURCE
#include "hold/leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "hold/protocol.h"
#include "hold/record.h"

struct search {
        const struct fs_identity *wanted;
        int fd;
};

/* A mount of the wanted file system that is not covered by another one, and is it really. */
static int open_if_same(void *userdata, const struct mount_line *line) {
        struct search *search = userdata;
        _cleanup_free_ struct fs_identity *found = NULL;
        _cleanup_close_ int fd = -1;

        if (line->super != search->wanted->super)
                return 0;
        found = malloc(sizeof(*found));
        if (!found)
                return -ENOMEM;
        fd = open(line->mount_point, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || fs_identify(fd, found) < 0 || found->super != search->wanted->super ||
            !fs_same_uuid(found, search->wanted))
                return 0;
        search->fd = take_fd(&fd);
        return 1;
}

/* Nobody claims the device: the super block is gone, and its freeze with it. */
static bool super_is_gone(uint64_t super) {
        char path[64], line[128], name[128];
        _cleanup_fclose_ FILE *file = NULL;
        _cleanup_close_ int fd = -1;

        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/uevent", major(super), minor(super));
        file = fopen(path, "re");
        if (!file)
                return false; /* btrfs has no such device; do not guess */
        while (fgets(line, sizeof(line), file)) {
                char device[160];
                struct stat st;

                if (sscanf(line, "DEVNAME=%127s", name) != 1)
                        continue;
                snprintf(device, sizeof(device), "/dev/%s", name);
                fd = open(device, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
                return fd >= 0 ? fstat(fd, &st) >= 0 && S_ISBLK(st.st_mode) && st.st_rdev == super
                               : errno == ENXIO;
        }
        return false;
}

static int fail_unmounted(const struct fs_identity *identity, struct vss_error *reterr) {
        char uuid[2 * sizeof(identity->uuid) + 1] = "";

        for (uint32_t i = 0; i < identity->uuid_size && i < sizeof(identity->uuid); i++)
                snprintf(uuid + (size_t)2 * i, 3, "%02x", identity->uuid[i]);
        return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                        "the file system of device %u:%u (id %s), last mounted at '%s', is still "
                        "frozen but mounted nowhere; mount it and run 'vssctl thaw' again",
                        major(identity->super), minor(identity->super), uuid,
                        identity->mount_point);
}

static int thaw_entry(struct hold_entry *entry, unsigned *thawed, struct vss_error *reterr) {
        struct search search = { &entry->identity, -1 };
        _cleanup_close_ int fd = -1;
        int r = mounts_each(open_if_same, &search);

        fd = search.fd;
        if (r < 0)
                return vss_fail(reterr, r, "cannot read the list of mounts: %s", strerror(-r));
        if (r == 0 && !super_is_gone(entry->identity.super))
                return fail_unmounted(&entry->identity, reterr);
        if (r > 0) {
                if (ioctl(fd, FITHAW, 0) >= 0)
                        (*thawed)++;
                else if (errno != EINVAL) /* EINVAL: somebody did it before us */
                        return vss_fail(reterr, -errno, "cannot thaw '%s': %m",
                                        entry->identity.mount_point);
        }
        atomic_store(&entry->state, HOLD_STATE_THAWED);
        return 0;
}

static bool is_ours(const struct hold_entry *entry) {
        uint32_t state = atomic_load(&entry->state);

        return state == HOLD_STATE_FREEZING || state == HOLD_STATE_FROZEN;
}

/* In reverse order of freezing: a thaw writes, and must not meet a frozen store below (S-29).
 * What cannot be thawed keeps its state, and the others are thawed all the same. */
static int thaw_record(struct hold_record *record, unsigned *thawed, struct vss_error *reterr) {
        uint64_t bound = UINT64_MAX;
        int result = 0;

        for (;;) {
                uint64_t level = UINT64_MAX;

                for (uint32_t i = 0; i < record->count; i++) {
                        const struct hold_entry *entry = &record->entries[i];

                        if (is_ours(entry) && entry->level < bound &&
                            (level == UINT64_MAX || entry->level > level))
                                level = entry->level;
                }
                if (level == UINT64_MAX)
                        return result;
                bound = level;
                for (uint32_t i = 0; i < record->count; i++) {
                        struct hold_entry *entry = &record->entries[i];
                        int r;

                        if (!is_ours(entry) || entry->level != level)
                                continue;
                        r = thaw_entry(entry, thawed, result < 0 ? NULL : reterr);
                        if (r < 0)
                                result = r;
                }
        }
}

static bool is_complete(const struct hold_record *record, size_t size) {
        return size >= sizeof(*record) && strcmp(record->magic, HOLD_RECORD_MAGIC) == 0 &&
               record->count <= HOLD_VOLUMES_MAX && size == hold_record_size(record->count);
}

static bool is_of_this_boot(const struct hold_record *record) {
        char boot_id[48];

        return hold_boot_id(boot_id) < 0 || memcmp(boot_id, record->boot_id, sizeof(boot_id)) == 0;
}

static int fail_alive(const struct hold_record *record, struct vss_error *reterr) {
        return vss_fail(reterr, VSS_E_SNAPSHOT_SET_IN_PROGRESS,
                        "a living vss-hold (processes %d and %d) holds writes and lets them go "
                        "within 10 seconds; if it does not, kill both and run 'vssctl thaw' again",
                        atomic_load(&record->freezer), atomic_load(&record->guardian));
}

/* act_on() - 0: the record is done with and can go */
static int act_on(int folder, const char *name, unsigned *thawed, struct vss_error *reterr) {
        _cleanup_close_ int fd = openat(folder, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        struct hold_record *record;
        struct stat st;
        int r = 0;

        if (fd < 0 && errno == ENOENT)
                return 0;
        if (fd < 0 || fstat(fd, &st) < 0)
                return vss_fail(reterr, -errno, "cannot read the record '%s': %m", name);
        if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_size == 0)
                return vss_fail(reterr, -EINVAL, "'%s' is no record of ours; remove it", name);
        record = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (record == MAP_FAILED)
                return vss_fail(reterr, -errno, "cannot map the record '%s': %m", name);
        if (!is_complete(record, (size_t)st.st_size))
                r = vss_fail(reterr, -EINVAL, "'%s' is no record of ours; remove it", name);
        else if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                r = fail_alive(record, reterr);
        else if (is_of_this_boot(record))
                r = thaw_record(record, thawed, reterr);
        munmap(record, (size_t)st.st_size);
        return r;
}

int hold_thaw_leftovers(const char *runtime_dir, unsigned *ret_thawed, struct vss_error *reterr) {
        _cleanup_closedir_ DIR *dir = opendir(runtime_dir);
        struct dirent *entry;
        unsigned thawed = 0;
        int result = 0;

        if (ret_thawed)
                *ret_thawed = 0;
        if (!dir)
                return errno == ENOENT
                               ? 0
                               : vss_fail(reterr, -errno, "cannot read '%s': %m", runtime_dir);
        while ((entry = readdir(dir))) {
                int r;

                if (strncmp(entry->d_name, HOLD_RECORD_PREFIX, strlen(HOLD_RECORD_PREFIX)) != 0)
                        continue;
                r = act_on(dirfd(dir), entry->d_name, &thawed, result < 0 ? NULL : reterr);
                if (r < 0)
                        result = r;
                else
                        (void)unlinkat(dirfd(dir), entry->d_name, 0);
        }
        if (ret_thawed)
                *ret_thawed = thawed;
        return result;
}
