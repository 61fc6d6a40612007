/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * common.c - what both btrfs and mirror must stand: their folders, several processes, file systems
 * that take no copy.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "vss-provider-suite/moving.h"

/* S-20: all that a volume holds, access lists too, is in the copy as it was */
static void test_equal(void) {
        struct set set = set_new();

        set_run(&set, BEGIN, POST_FINAL);
        for (size_t i = 0; i < suite.volume_count; i++) {
                struct vss_snapshot_prop prop = properties_of(&set.copies[i]);

                check_equal(mounts[i], prop.device_object);
                vss_free_snapshot_properties(&prop);
        }
        CHECK_INT(fresh("delete-set", text_of(&set.id)), suite.volume_count);
        CHECK_INT(folders_of_set(&set.id), 0);
}

/* P-61: what a program that knows no freeze has synced is in the copy of a file system's own
 * snapshot. To be repeated by hand: what it looks for shows itself seldom */
void moving_cases(void) {
        struct moving_writer w;

        tree_make(mounts[0]);
        w = moving_start(mounts[0]);
        for (int i = 0; i < 6; i++) {
                uint64_t live[MOVING_COUNTERS], copied[MOVING_COUNTERS];
                struct set set = set_new();
                struct vss_snapshot_prop prop;

                set_run(&set, BEGIN, PRE_COMMIT);
                moving_read(mounts[0], live, "volume");
                shell("sync -f \"$1\"", mounts[0], "");
                set_run(&set, COMMIT, POST_FINAL);
                prop = properties_of(&set.copies[0]);
                moving_read(prop.device_object, copied, "copy");
                vss_free_snapshot_properties(&prop);
                for (int k = 0; k < MOVING_COUNTERS; k++)
                        CHECK(copied[k] >= live[k]);
                set_delete(&set);
        }
        moving_end(&w);
        tree_remove(mounts[0]);
        printf("ok moving_cases\n");
}

/* P-30, PT-2: another set silently drops the unfinished one, in each state */
static void test_new_set_drops(void) {
        for (unsigned last = BEGIN; last < POST_FINAL; last++) {
                struct set old = set_new(), new = set_new();

                set_run(&old, BEGIN, (enum step)last);
                set_run(&new, BEGIN, BEGIN);
                CHECK_INT(folders_of_set(&old.id), 0);
                CHECK(set_step(&old, (enum step)(last + 1)) < 0);
                ops->abort_snapshots(&provider, &new.id);
        }
        CHECK_INT(count_all(), 0);
}

/* copied_folder() - a command that gives the first copy of @set a double that claims to be @fake's
 */
static const char *copied_folder(const struct set *set, const struct set *fake) {
        static char command[1024];
        const char *s = text_of(&set->id), *c = text_of(&set->copies[0]);
        const char *fs = text_of(&fake->id), *fc = text_of(&fake->copies[0]);

        snprintf(command, sizeof(command),
                 "cp -r --preserve=mode %s-%s-%s %s-%s-%s && "
                 "sed -i 's/%s/%s/; s/%s/%s/' %s-%s-%s/record",
                 ops->name, s, c, ops->name, fs, fc, s, fs, c, fc, ops->name, fs, fc);
        return command;
}

/* Several processes remove at once: one does it, the others wait for it or leave it alone */
static void test_removed_by_many(void) {
        for (int i = 0; i < 5; i++) {
                struct set set = set_new(), other = set_new();
                pid_t pids[4];
                int status, all = 0;

                set_run(&set, BEGIN, POST_FINAL);
                for (int k = 0; k < 4; k++)
                        pids[k] = fresh_pid(k < 3 ? "delete-set" : "abort", text_of(&set.id));
                set_run(&other, BEGIN, END_PREPARE); /* sweeps */
                ops->abort_snapshots(&provider, &other.id);
                for (int k = 0; k < 4; k++) {
                        CHECK_INT(waitpid(pids[k], &status, 0), pids[k]);
                        CHECK(WIFEXITED(status));
                        if (k < 3 && WEXITSTATUS(status) != 99)
                                all += WEXITSTATUS(status);
                }
                CHECK(all >= (int)suite.volume_count);
                CHECK_INT(folders_of_set(&set.id), 0);
        }
}

/* A death between the folder and its record: no copy, in nobody's way, and abort removes it */
static void test_no_record(void) {
        const char *root = area ? area : mounts[0];
        struct set set = set_new();
        struct vss_snapshot_prop prop;
        struct vss_volume volume;
        char name[128];
        uint32_t bits;

        snprintf(name, sizeof(name), "%s-%s-%s", ops->name, text_of(&set.id),
                 text_of(&set.copies[0]));
        shell("mkdir -m 700 \"$1/.vss/$2\"", root, name);
        volume_of(mounts[0], subvolumes[0], &volume);
        CHECK_INT(count_copies(&set.id), 0);
        CHECK_INT(ops->is_volume_snapshotted(&provider, &volume, &bits, &words), 0);
        CHECK_INT(ops->get_snapshot_properties(&provider, &set.copies[0], &prop, &words),
                  VSS_E_OBJECT_NOT_FOUND);
        CHECK_INT(fresh("abort", text_of(&set.id)), 0);
        CHECK_INT(folders_of_set(&set.id), 0);
}

/* S-39, P-33: what died before it could be recorded, or was never aborted, goes with the next set;
 * what somebody is making stays */
static void test_next_set_sweeps(void) {
        const char *root = area ? area : mounts[0];
        struct set unrecorded = set_new(), half = set_new(), living = set_new(), next = set_new();
        struct flock mark = { .l_type = F_RDLCK };
        char name[2][128], path[512];
        int fd = -1;

        CHECK_INT(fresh_end(fresh_make(&half, COMMIT)), 128 + SIGKILL);
        for (int i = 0; i < 2; i++) {
                const struct set *set = i ? &living : &unrecorded;

                snprintf(name[i], sizeof(name[i]), "%s-%s-%s", ops->name, text_of(&set->id),
                         text_of(&set->copies[0]));
                shell("mkdir -m 700 \"$1/.vss/$2\"", root, name[i]);
        }
        snprintf(path, sizeof(path), "%s/.vss/%s", root, name[1]);
        /* a provider of another test that sweeps all mounts may come before the lock */
        for (int tries = 0; tries < 10; tries++) {
                (void)mkdir(path, 0700);
                fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fd >= 0 && fcntl(fd, F_OFD_SETLK, &mark) == 0 && access(path, F_OK) == 0)
                        break;
                close(fd);
        }
        set_run(&next, BEGIN, BEGIN);
        CHECK_INT(folders_of_set(&unrecorded.id), 0);
        set_run(&next, END_PREPARE, END_PREPARE);
        CHECK_INT(folders_of_set(&half.id), 0);
        CHECK_INT(folders_of_set(&living.id), 1);
        CHECK_INT(folders_of_set(&next.id), suite.volume_count);
        close(fd);
        ops->abort_snapshots(&provider, &next.id);
        next = set_new();
        set_run(&next, BEGIN, BEGIN);
        CHECK_INT(folders_of_set(&living.id), 0);
        ops->abort_snapshots(&provider, &next.id);
}

/* What is not ours by name, owner, mode and identity is never listed and never removed */
/* the machine died while a copy was read: its record in the service is gone with its memory. What
 * was to end with the requester goes with the next set, what is to stay stays (S-60, P-33) */
static void test_earlier_boot(void) {
        const size_t places = area ? 1 : suite.volume_count;
        static const struct {
                uint32_t context;
                const char *change; /* of the record */
                bool stays;
        } lines[] = { { VSS_CTX_BACKUP, "s/^boot=.*/boot=another/", false },
                      { VSS_CTX_BACKUP, "s/^nothing//", true },
                      { VSS_CTX_BACKUP, "s/^boot=.*/boot=another/;s/^service-machine=/&not-/",
                        true },
                      { VSS_CTX_APP_ROLLBACK, "s/^boot=.*/boot=another/", true } };
        char records[512];
        struct vss_id left;
        uint32_t deleted;

        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                struct set set = set_new(), next = set_new();

                set.context = lines[i].context;
                set_run(&set, BEGIN, POST_FINAL);
                for (size_t k = 0; k < places; k++) {
                        snprintf(records, sizeof(records), "%s/.vss/%s-%s", area ? area : mounts[k],
                                 ops->name, text_of(&set.id));
                        shell("sed -i \"$2\" \"$1\"*/record", records, lines[i].change);
                }
                set_run(&next, BEGIN, END_PREPARE);
                CHECK_INT(folders_of_set(&set.id) > 0, lines[i].stays);
                ops->abort_snapshots(&provider, &next.id);
                if (lines[i].stays)
                        CHECK_INT(delete_object(&set.id, VSS_OBJECT_SNAPSHOT_SET, true, &deleted,
                                                &left),
                                  0);
        }
}

static void test_foreign(void) {
        const char *root = area ? area : mounts[0];
        struct set set = set_new(), fake = set_new();
        struct vss_volume volume;
        struct vss_prepare prepare;
        struct vss_id left;
        uint32_t deleted;

        set_run(&set, BEGIN, POST_FINAL);
        shell("cd \"$1\"/.vss && echo mine >note && mkdir -p keep/this", root, "");
        /* a folder of ours that somebody copied, with a record that names another copy */
        shell("cd \"$1\"/.vss && eval \"$2\"", root, copied_folder(&set, &fake));
        CHECK_INT(count_all(), suite.volume_count);
        CHECK_INT(delete_object(&fake.id, VSS_OBJECT_SNAPSHOT_SET, true, &deleted, &left),
                  VSS_E_OBJECT_NOT_FOUND);
        ops->abort_snapshots(&provider, &fake.id);
        CHECK_INT(delete_object(&set.id, VSS_OBJECT_SNAPSHOT_SET, true, &deleted, &left), 0);
        shell("cd \"$1\"/.vss && [ \"$(cat note)\" = mine ] && [ -d keep/this ] && "
              "[ -d *\"$2\"* ] && rm -r note keep *\"$2\"*",
              root, text_of(&fake.id));

        /* a folder that others can enter is refused (SEC-68), with words */
        shell("chmod 755 \"$1\"/.vss", root, "");
        volume_of(mounts[0], subvolumes[0], &volume);
        prepare = (struct vss_prepare){ .set_id = fake.id,
                                        .snapshot_id = fake.copies[0],
                                        .volume = &volume };
        CHECK(ops->begin_prepare_snapshot(&provider, &prepare, &words) < 0);
        CHECK(words.message && strstr(words.message, ".vss"));
        ops->abort_snapshots(&provider, &fake.id);
        shell("chmod 700 \"$1\"/.vss", root, "");
        CHECK_INT(folders_of_set(&set.id) + folders_of_set(&fake.id), 0);
}

/* IsVolumeSnapshotted: the compatibility bits matter while copies exist */
static void test_snapshotted(void) {
        struct set set = set_new();
        struct vss_volume volume;
        uint32_t bits = 99;

        if (!ops->is_volume_snapshotted)
                return;
        volume_of(mounts[0], subvolumes[0], &volume);
        CHECK_INT(ops->is_volume_snapshotted(&provider, &volume, &bits, &words), 0);
        CHECK_INT(bits, 0);
        set_run(&set, BEGIN, POST_FINAL);
        CHECK_INT(ops->is_volume_snapshotted(&provider, &volume, &bits, &words), 1);
        CHECK_INT(bits, is_mirror() ? 0 : VSS_SC_DISABLE_DEFRAG);
        CHECK_INT(fresh("delete-set", text_of(&set.id)), suite.volume_count);
}

void common_cases(void) {
        make_tree(mounts[0]);
        RUN(test_equal);
        if (!is_mirror())
                moving_cases();
        RUN(test_new_set_drops);
        RUN(test_removed_by_many);
        RUN(test_no_record);
        RUN(test_next_set_sweeps);
        RUN(test_earlier_boot);
        RUN(test_foreign);
        RUN(test_snapshotted);
}

/* PT-9 in spirit: no room is told before anything is held, and leaves nothing behind */
void case_full(void) {
        struct set set = set_new();
        int r;

        r = set_step(&set, BEGIN);
        if (r == 0)
                r = set_step(&set, END_PREPARE);
        CHECK_INT(r, VSS_E_INSUFFICIENT_STORAGE);
        CHECK(words.message && strstr(words.message, "free"));
        ops->abort_snapshots(&provider, &set.id);
        CHECK_INT(folders_of_set(&set.id), 0);
        printf("ok case_full\n");
}

/* A volume that cannot be written and no other place: no, with words, and no copy is begun */
void case_read_only(void) {
        struct vss_promise promise;
        struct set set = set_new();
        struct vss_volume volume;

        volume_of(mounts[0], subvolumes[0], &volume);
        CHECK_INT(volume.read_only, 1);
        CHECK_INT(ops->is_volume_supported(&provider, &volume, 0, &promise, &words), 0);
        CHECK(words.message);
        CHECK_INT(set_step(&set, BEGIN), VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER);
        CHECK_INT(words.code, VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER);
        printf("ok case_read_only\n");
}
