/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records without a file system behind them: which are acted on, which are kept, which go. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "hold/identity.h"
#include "hold/leftovers.h"
#include "hold/record.h"
#include "tests/check.h"

static char folder[] = "/dev/shm/vss-leftovers.XXXXXX";
static int folder_fd;

static struct hold_record *record;
static int record_fd;
static char name[64];

static void create(uint32_t state) {
        CHECK_INT(hold_record_create(folder_fd, 1, &record, &record_fd), 0);
        CHECK_INT(hold_record_publish(folder_fd, record_fd, name), 0);
        record->entries[0].state = state;
        record->entries[0].identity.super = 0; /* no file system has this number */
        strcpy(record->entries[0].identity.mount_point, "/some where");
}

static void owner_dies(void) {
        munmap(record, hold_record_size(1));
        close(record_fd);
}

static bool there(void) {
        return faccessat(folder_fd, name, F_OK, 0) == 0;
}

/* P-78: only on tmpfs */
static void test_runtime_folder(void) {
        CHECK_INT(hold_runtime_open("/proc"), -EMEDIUMTYPE);
        CHECK_INT(hold_runtime_open("/nowhere"), -ENOENT);
        CHECK_INT(hold_thaw_leftovers("/nowhere", NULL, NULL), 0);
}

static void test_living_owner(void) {
        struct vss_error error = VSS_ERROR_INIT;

        create(HOLD_STATE_FROZEN);
        CHECK_INT(hold_thaw_leftovers(folder, NULL, &error), VSS_E_SNAPSHOT_SET_IN_PROGRESS);
        CHECK(there());
        vss_error_clear(&error);
        record->entries[0].state = HOLD_STATE_THAWED;
        owner_dies();
        CHECK_INT(hold_thaw_leftovers(folder, NULL, NULL), 0);
        CHECK(!there());
}

/* S-47: what may be frozen is never forgotten; what never was ours goes (S-28) */
static void test_states(void) {
        static const uint32_t over[] = { HOLD_STATE_IDLE, HOLD_STATE_THAWED, HOLD_STATE_REFUSED,
                                         HOLD_STATE_ENDED };
        static const uint32_t open_ones[] = { HOLD_STATE_FREEZING, HOLD_STATE_FROZEN };
        unsigned thawed;

        for (size_t i = 0; i < 4; i++) {
                create(over[i]);
                owner_dies();
                CHECK_INT(hold_thaw_leftovers(folder, &thawed, NULL), 0);
                CHECK_INT(thawed, 0);
                CHECK(!there());
        }
        for (size_t i = 0; i < 2; i++) {
                struct vss_error error = VSS_ERROR_INIT;

                create(open_ones[i]);
                owner_dies();
                CHECK_INT(hold_thaw_leftovers(folder, &thawed, &error), VSS_E_OBJECT_NOT_FOUND);
                CHECK(strstr(error.message, "'/some where'"));
                CHECK(strstr(error.message, "vssctl thaw"));
                vss_error_clear(&error);
                CHECK(there());
                CHECK_INT(unlinkat(folder_fd, name, 0), 0);
        }
}

static void test_other_boot(void) {
        create(HOLD_STATE_FROZEN);
        record->boot_id[0] ^= 1;
        owner_dies();
        CHECK_INT(hold_thaw_leftovers(folder, NULL, NULL), 0);
        CHECK(!there());
}

/* one bad file does not keep the others from being acted on */
static void test_nonsense(void) {
        int fd = openat(folder_fd, "hold-0", O_CREAT | O_WRONLY, 0600);

        CHECK(fd >= 0);
        CHECK_INT(write_all(fd, "x", 1), 0);
        close(fd);
        create(HOLD_STATE_THAWED);
        owner_dies();
        CHECK_INT(hold_thaw_leftovers(folder, NULL, NULL), -EINVAL);
        CHECK(!there());
        CHECK_INT(unlinkat(folder_fd, "hold-0", 0), 0);
        CHECK_INT(symlinkat("/etc/passwd", folder_fd, "hold-link"), 0);
        CHECK_INT(hold_thaw_leftovers(folder, NULL, NULL), -ELOOP);
        CHECK_INT(unlinkat(folder_fd, "hold-link", 0), 0);
}

static int find_root(void *userdata, const struct mount_line *line) {
        if (line->mount_id != *(uint64_t *)userdata)
                return 0;
        return strcmp(line->mount_point, "/dev/shm") == 0 ? 1 : -EINVAL;
}

static void test_identity(void) {
        struct fs_identity *identity = malloc(sizeof(*identity));

        CHECK(identity);
        CHECK_INT(fs_identify(folder_fd, identity), 0);
        CHECK_STR(identity->mount_point, "/dev/shm");
        CHECK_INT(identity->super, identity->device);
        CHECK_INT(mounts_each(find_root, &identity->mount_id), 1);
        CHECK(fs_same_uuid(identity, identity));
        free(identity);
}

int main(void) {
        if (!mkdtemp(folder))
                SKIP("no /dev/shm");
        folder_fd = hold_runtime_open(folder);
        if (folder_fd < 0) {
                rmdir(folder);
                SKIP("/dev/shm is no tmpfs");
        }
        RUN(test_runtime_folder);
        RUN(test_living_owner);
        RUN(test_states);
        RUN(test_other_boot);
        RUN(test_nonsense);
        RUN(test_identity);
        CHECK_INT(rmdir(folder), 0);
        return 0;
}
