/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * common.c - what every provider must stand.
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

#include "suite.h"

/* P-2: it never agrees to a copy that it cannot make; no effect, any time */
static void test_supported(void) {
        struct vss_promise promise = { 0 };
        struct vss_volume volume;

        for (size_t i = 0; i < suite.mount_count; i++) {
                volume_of(suite.mounts[i], suite.subvolumes[i], &volume);
                CHECK_INT(ops->is_volume_supported(&provider, &volume, VSS_CTX_BACKUP, &promise,
                                                   &words),
                          1);
                CHECK(is_memory() || promise.hold == VSS_HOLD_OWN); /* P-60, P-90 */
                CHECK(promise.instant <= VSS_INSTANT_ONE);
        }
        if (is_memory())
                return;
        CHECK_INT(ops->is_volume_supported(&provider, &volume, VSS_VOLSNAP_ATTR_TRANSPORTABLE,
                                           &promise, &words),
                  0);
        CHECK(words.message);
        CHECK_INT(ops->configure(&provider, "no_such_setting", "1", &words), E_INVALIDARG);
}

/* M-4, S-20, S-65, S-66, S-54, P-33: one life, and what is known of the copy in and after it */
static void test_life(void) {
        struct set set = set_new();
        struct vss_snapshot_prop prop;
        struct stat st;

        set.context = VSS_CTX_APP_ROLLBACK;
        set_run(&set, BEGIN, POST_COMMIT);
        CHECK_INT(count_copies(&set.id), 0); /* not CREATED yet */
        prop = properties_of(&set.copies[0]); /* writers ask for it in PostSnapshot */
        CHECK_INT(prop.status, VSS_SS_POSTCOMMITTED);
        CHECK_INT(stat(prop.device_object, &st), 0);
        vss_free_snapshot_properties(&prop);
        set_run(&set, PRE_FINAL, POST_FINAL);
        CHECK_INT(count_copies(&set.id), suite.mount_count);
        for (size_t i = 0; i < suite.mount_count; i++) {
                prop = properties_of(&set.copies[i]);
                CHECK(vss_id_equal(&prop.snapshot_set_id, &set.id));
                CHECK(vss_id_equal(&prop.provider_id, &ops->id));
                CHECK_STR(prop.original_mount, suite.mounts[i]);
                CHECK(strncmp(prop.original_volume, "TEST=", 5) == 0);
                CHECK_INT(prop.snapshots_count, suite.mount_count);
                CHECK((prop.attributes & VSS_CTX_APP_ROLLBACK) == VSS_CTX_APP_ROLLBACK);
                CHECK_INT(prop.status, VSS_SS_CREATED);
                CHECK(prop.creation_timestamp > vss_timestamp_now() - INT64_C(600000000));
                CHECK(prop.originating_machine && prop.service_machine);
                CHECK(prop.device_object[strlen(prop.device_object) - 1] != '/');
                check_equal(suite.mounts[i], prop.device_object);
                vss_free_snapshot_properties(&prop);
        }
        /* a set that is CREATED ignores abort (the table of section 3.1) */
        ops->abort_snapshots(&provider, &set.id);
        CHECK_INT(count_copies(&set.id), suite.mount_count);
        CHECK_INT(fresh("delete-set", text_of(&set.id)), is_memory() ? 99 : suite.mount_count);
        CHECK_INT(count_copies(&set.id), is_memory() ? suite.mount_count : 0);
        provider_restart(); /* memory forgets here */
        CHECK_INT(count_copies(&set.id), 0);
        CHECK_INT(folders_of_set(&set.id), 0);
}

/* struct pair - two counters in files of their own, by write and through a mapping */
struct writer {
        pid_t pid;
        int to, from;
};

static void count_up(const char *folder, int in, int out) {
        volatile uint64_t *mapped[2];
        int fds[4];
        uint64_t n = 0;
        char byte;

        for (int i = 0; i < 4; i++) {
                char path[4200];

                snprintf(path, sizeof(path), "%s/counter%d", folder, i);
                fds[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
                CHECK_INT(ftruncate(fds[i], 4096), 0);
        }
        for (int i = 0; i < 2; i++)
                mapped[i] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[2 + i], 0);
        fcntl(in, F_SETFL, O_NONBLOCK);
        for (;; n++) {
                ssize_t r = read(in, &byte, 1);

                if (r == 0)
                        _exit(0);
                if (r == 1) { /* frozen: acknowledge, then wait for the thaw */
                        CHECK_INT(write(out, "f", 1), 1);
                        fcntl(in, F_SETFL, 0);
                        CHECK_INT(read(in, &byte, 1), 1);
                        fcntl(in, F_SETFL, O_NONBLOCK);
                }
                CHECK_INT(pwrite(fds[0], &n, sizeof(n), 0), sizeof(n));
                CHECK_INT(pwrite(fds[1], &n, sizeof(n), 0), sizeof(n));
                *mapped[0] = n;
                *mapped[1] = n;
        }
}

static struct writer start_writer(const char *folder) {
        struct writer w;
        int to[2], from[2];

        CHECK_INT(pipe2(to, O_CLOEXEC), 0);
        CHECK_INT(pipe2(from, O_CLOEXEC), 0);
        w.pid = fork();
        CHECK(w.pid >= 0);
        if (w.pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(to[1]);
                count_up(folder, to[0], from[1]);
        }
        close(to[0]);
        close(from[1]);
        w.to = to[1];
        w.from = from[0];
        return w;
}

/* read_counters() - with @sync what was read has reached the device when it returns */
static void read_counters(const char *folder, uint64_t values[4], bool sync) {
        for (int i = 0; i < 4; i++) {
                char path[4200];
                int fd;

                snprintf(path, sizeof(path), "%s/counter%d", folder, i);
                fd = open(path, O_RDONLY | O_CLOEXEC);
                CHECK(fd >= 0);
                CHECK_INT(pread(fd, &values[i], 8, 0), 8);
                if (sync)
                        CHECK_INT(fdatasync(fd), 0);
                close(fd);
        }
}

static void tell(const struct writer *w, const char *word) {
        char byte;

        CHECK_INT(write(w->to, word, 1), 1);
        if (*word == 'f')
                CHECK_INT(read(w->from, &byte, 1), 1);
}

/* P-90: with the writer frozen the copy is the original as it was at commit, mapped pages included.
 * P-61: without, what was written before the commit is in the copy of a file system's own snapshot
 */
static void moving_data(const struct writer *w, bool hold) {
        struct set set = set_new();
        struct vss_snapshot_prop prop;
        uint64_t copied[4], live[4];

        usleep(50000);
        set_run(&set, BEGIN, END_PREPARE);
        usleep(20000);
        if (hold)
                tell(w, "f");
        set_run(&set, PRE_COMMIT, PRE_COMMIT);
        read_counters(suite.mounts[0], live, !hold);
        set_run(&set, COMMIT, POST_COMMIT);
        if (hold)
                tell(w, "t");
        set_run(&set, PRE_FINAL, POST_FINAL);
        prop = properties_of(&set.copies[0]);
        usleep(20000); /* the copy must not follow its original */
        read_counters(prop.device_object, copied, false);
        vss_free_snapshot_properties(&prop);
        if (hold && !is_memory())
                CHECK(memcmp(copied, live, sizeof(live)) == 0);
        for (int i = 0; i < 4; i++)
                CHECK(copied[i] >= live[i]);
}

static void test_moving_data(void) {
        struct writer w = start_writer(suite.mounts[0]);

        for (int i = 0; i < 6; i++)
                moving_data(&w, i % 2 == 0 || is_mirror());
        close(w.to);
        close(w.from);
        waitpid(w.pid, NULL, 0);
        CHECK_INT(count_copies(NULL), 6 * suite.mount_count);
}

/* S-70, S-72: one, all of a set, unknown, twice, a type that cannot be deleted */
static void test_delete(void) {
        struct set a = set_new(), b = set_new();
        struct vss_id left, unknown = set_new().id;
        uint32_t deleted;
        int before = count_copies(NULL);

        set_run(&a, BEGIN, POST_FINAL);
        shell("echo later >\"$1\"/later", suite.mounts[0], "");
        set_run(&b, BEGIN, POST_FINAL); /* a second set while the first exists */
        CHECK_INT(count_copies(NULL), before + 2 * (int)suite.mount_count);
        CHECK_INT(delete_object(&unknown, VSS_OBJECT_SNAPSHOT, false, &deleted, &left),
                  VSS_E_OBJECT_NOT_FOUND);
        CHECK_INT(deleted, 0);
        CHECK_INT(delete_object(&a.id, VSS_OBJECT_PROVIDER, false, &deleted, &left), E_INVALIDARG);
        CHECK_INT(delete_object(&a.copies[0], VSS_OBJECT_SNAPSHOT, false, &deleted, &left), 0);
        CHECK_INT(deleted, 1);
        CHECK(vss_id_is_null(&left));
        CHECK_INT(delete_object(&a.copies[0], VSS_OBJECT_SNAPSHOT, false, &deleted, &left),
                  VSS_E_OBJECT_NOT_FOUND);
        CHECK(vss_id_equal(&left, &a.copies[0]));
        if (!is_memory()) { /* S-72: the younger one is unharmed */
                struct vss_snapshot_prop prop = properties_of(&b.copies[0]);

                check_equal(suite.mounts[0], prop.device_object);
                vss_free_snapshot_properties(&prop);
        }
        CHECK_INT(delete_object(&b.id, VSS_OBJECT_SNAPSHOT_SET, false, &deleted, &left), 0);
        CHECK_INT(deleted, suite.mount_count);
        (void)delete_object(&a.id, VSS_OBJECT_SNAPSHOT_SET, true, &deleted, &left);
        CHECK_INT(count_copies(&a.id), 0);
        CHECK_INT(folders_of_set(&a.id) + folders_of_set(&b.id), 0);
}

/* S-71: a copy that is mounted or exposed is busy, unless forced */
static void test_busy(void) {
        struct set set = set_new();
        struct vss_snapshot_prop prop;
        char where[4200];
        struct vss_id left;
        uint32_t deleted;
        struct stat st;
        int fd;

        if (is_memory())
                return;
        set_run(&set, BEGIN, POST_FINAL);
        prop = properties_of(&set.copies[0]);
        snprintf(where, sizeof(where), "%s.busy.XXXXXX",
                 suite.mounts[0]); /* the script cleans up */
        CHECK(mkdtemp(where));
        CHECK_INT(mount(prop.device_object, where, NULL, MS_BIND, NULL), 0);
        fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK_INT(delete_object(&set.id, VSS_OBJECT_SNAPSHOT_SET, false, &deleted, &left),
                  VSS_E_VOLUME_IN_USE);
        CHECK(vss_id_equal(&left, &set.copies[0])); /* S-70: the first that failed */
        CHECK_INT(umount2(where, MNT_DETACH), 0);
        CHECK_INT(ops->set_snapshot_property(&provider, &set.copies[0], VSS_SPROPID_EXPOSED_NAME,
                                             where, &words),
                  0);
        vss_free_snapshot_properties(&prop);
        prop = properties_of(&set.copies[0]);
        CHECK_STR(prop.exposed_name, where); /* S-62: kept with the copy */
        CHECK_INT(delete_object(&set.id, VSS_OBJECT_SNAPSHOT_SET, false, &deleted, &left),
                  VSS_E_VOLUME_IN_USE);
        CHECK_INT(mount(prop.device_object, where, NULL, MS_BIND, NULL), 0);
        CHECK_INT(delete_object(&set.id, VSS_OBJECT_SNAPSHOT_SET, true, &deleted, &left), 0);
        CHECK(deleted > 0);
        CHECK_INT(stat(prop.device_object, &st), -1); /* S-68 */
        vss_free_snapshot_properties(&prop);
        close(fd);
        CHECK_INT(rmdir(where), 0); /* not mounted any more */
        CHECK_INT(folders_of_set(&set.id), 0);
}

/* P-30, P-32, S-40..S-43: abort after each step, twice, here and by a process without memory */
static void test_abort(void) {
        struct set unknown = set_new();

        for (unsigned last = BEGIN; last < POST_FINAL; last++) {
                struct set set = set_new(), lost = set_new();

                set_run(&set, BEGIN, (enum step)last);
                ops->abort_snapshots(&provider, &set.id);
                ops->abort_snapshots(&provider, &set.id);
                CHECK_INT(folders_of_set(&set.id), 0);
                CHECK_INT(count_copies(&set.id), 0);
                CHECK(set_step(&set, END_PREPARE) < 0); /* nothing goes on after it */

                if (is_memory())
                        continue;
                set_run(&lost, BEGIN, (enum step)last);
                CHECK(folders_of_set(&lost.id) > 0);
                ops->unload(&provider); /* P-12: an abort as well */
                CHECK_INT(folders_of_set(&lost.id), 0);
                provider_restart();
        }
        ops->abort_snapshots(&provider, &(struct vss_id){ 0 });
        ops->abort_snapshots(&provider, &unknown.id);
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
        CHECK_INT(count_copies(NULL), 0);
}

/* PT-1, P-33, S-47: SIGKILL after each step; a fresh process lists nothing and cleans up */
static void test_killed_after_each_step(void) {
        if (is_memory())
                return;
        for (unsigned last = BEGIN; last <= POST_FINAL; last++) {
                struct set set = set_new();
                char *argument;

                CHECK(asprintf(&argument, "%s:%u", text_of(&set.id), last) >= 0);
                CHECK_INT(fresh("make", argument), 128 + SIGKILL);
                free(argument);
                if (last < POST_FINAL) {
                        CHECK_INT(fresh("query", text_of(&set.id)), 0);
                        CHECK(folders_of_set(&set.id) > 0);
                        CHECK_INT(fresh("abort", text_of(&set.id)), 0);
                } else { /* S-62, S-63: it is CREATED, and survives */
                        CHECK_INT(fresh("abort", text_of(&set.id)), 0);
                        CHECK_INT(fresh("query", text_of(&set.id)), suite.mount_count);
                        CHECK_INT(fresh("delete-set", text_of(&set.id)), suite.mount_count);
                }
                CHECK_INT(folders_of_set(&set.id), 0);
        }
}

/* The same in the middle of a step: whatever moment it is, nothing half-made is listed */
static void test_killed_at_any_moment(void) {
        if (is_memory())
                return;
        for (unsigned i = 0; i < 24; i++) {
                struct set set = set_new();
                char *argument;
                pid_t pid;

                CHECK(asprintf(&argument, "%s:%u", text_of(&set.id), POST_FINAL) >= 0);
                pid = fresh_pid("make", argument);
                free(argument);
                usleep(4000 + i * 6000);
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
                if (count_copies(&set.id) > 0) {
                        CHECK_INT(count_copies(&set.id), suite.mount_count);
                        pid = fresh_pid("delete-set",
                                        text_of(&set.id)); /* a death while deleting */
                        usleep(i * 1000);
                        kill(pid, SIGKILL);
                        waitpid(pid, NULL, 0);
                        (void)fresh("delete-set", text_of(&set.id));
                }
                CHECK_INT(fresh("abort", text_of(&set.id)), 0);
                CHECK_INT(count_copies(&set.id), 0);
                CHECK_INT(folders_of_set(&set.id), 0);
        }
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
        if (is_memory())
                return;
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
                CHECK(all >= (int)suite.mount_count);
                CHECK_INT(folders_of_set(&set.id), 0);
        }
}

/* A death between the folder and its record: no copy, in nobody's way, and abort removes it */
static void test_no_record(void) {
        const char *root = suite.area ? suite.area : suite.mounts[0];
        struct set set = set_new();
        struct vss_snapshot_prop prop;
        struct vss_volume volume;
        char name[128];
        uint32_t bits;

        if (is_memory())
                return;
        snprintf(name, sizeof(name), "%s-%s-%s", ops->name, text_of(&set.id),
                 text_of(&set.copies[0]));
        shell("mkdir -m 700 \"$1/.vss/$2\"", root, name);
        volume_of(suite.mounts[0], suite.subvolumes[0], &volume);
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
        const char *root = suite.area ? suite.area : suite.mounts[0];
        struct set unrecorded = set_new(), half = set_new(), living = set_new(), next = set_new();
        struct flock mark = { .l_type = F_RDLCK };
        char name[2][128], path[512], *argument;
        int fd;

        if (is_memory())
                return;
        CHECK(asprintf(&argument, "%s:%u", text_of(&half.id), COMMIT) >= 0);
        CHECK_INT(fresh("make", argument), 128 + SIGKILL);
        free(argument);
        for (int i = 0; i < 2; i++) {
                const struct set *set = i ? &living : &unrecorded;

                snprintf(name[i], sizeof(name[i]), "%s-%s-%s", ops->name, text_of(&set->id),
                         text_of(&set->copies[0]));
                shell("mkdir -m 700 \"$1/.vss/$2\"", root, name[i]);
        }
        snprintf(path, sizeof(path), "%s/.vss/%s", root, name[1]);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(fd >= 0 && fcntl(fd, F_OFD_SETLK, &mark) == 0);
        set_run(&next, BEGIN, BEGIN);
        CHECK_INT(folders_of_set(&unrecorded.id), 0);
        set_run(&next, END_PREPARE, END_PREPARE);
        CHECK_INT(folders_of_set(&half.id), 0);
        CHECK_INT(folders_of_set(&living.id), 1);
        CHECK_INT(folders_of_set(&next.id), suite.mount_count);
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
        const size_t places = suite.area ? 1 : suite.mount_count;
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

        for (size_t i = 0; !is_memory() && i < sizeof(lines) / sizeof(lines[0]); i++) {
                struct set set = set_new(), next = set_new();

                set.context = lines[i].context;
                set_run(&set, BEGIN, POST_FINAL);
                for (size_t k = 0; k < places; k++) {
                        snprintf(records, sizeof(records), "%s/.vss/%s-%s",
                                 suite.area ? suite.area : suite.mounts[k], ops->name,
                                 text_of(&set.id));
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
        const char *root = suite.area ? suite.area : suite.mounts[0];
        struct set set = set_new(), fake = set_new();
        struct vss_volume volume;
        struct vss_prepare prepare;
        struct vss_id left;
        uint32_t deleted;

        if (is_memory())
                return;
        set_run(&set, BEGIN, POST_FINAL);
        shell("cd \"$1\"/.vss && echo mine >note && mkdir -p keep/this", root, "");
        /* a folder of ours that somebody copied, with a record that names another copy */
        shell("cd \"$1\"/.vss && eval \"$2\"", root, copied_folder(&set, &fake));
        CHECK_INT(count_copies(NULL), suite.mount_count);
        CHECK_INT(delete_object(&fake.id, VSS_OBJECT_SNAPSHOT_SET, true, &deleted, &left),
                  VSS_E_OBJECT_NOT_FOUND);
        ops->abort_snapshots(&provider, &fake.id);
        CHECK_INT(delete_object(&set.id, VSS_OBJECT_SNAPSHOT_SET, true, &deleted, &left), 0);
        shell("cd \"$1\"/.vss && [ \"$(cat note)\" = mine ] && [ -d keep/this ] && "
              "[ -d *\"$2\"* ] && rm -r note keep *\"$2\"*",
              root, text_of(&fake.id));

        /* a folder that others can enter is refused (SEC-68), with words */
        shell("chmod 755 \"$1\"/.vss", root, "");
        volume_of(suite.mounts[0], suite.subvolumes[0], &volume);
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
        volume_of(suite.mounts[0], suite.subvolumes[0], &volume);
        CHECK_INT(ops->is_volume_snapshotted(&provider, &volume, &bits, &words), 0);
        CHECK_INT(bits, 0);
        set_run(&set, BEGIN, POST_FINAL);
        CHECK_INT(ops->is_volume_snapshotted(&provider, &volume, &bits, &words), 1);
        CHECK_INT(bits, is_mirror() ? 0 : VSS_SC_DISABLE_DEFRAG);
        CHECK_INT(fresh("delete-set", text_of(&set.id)), suite.mount_count);
}

static void delete_all(const struct vss_id *ids, size_t count) {
        for (size_t i = 0; i < count; i++) {
                struct vss_id left;
                uint32_t deleted;

                CHECK_INT(delete_object(&ids[i], VSS_OBJECT_SNAPSHOT, true, &deleted, &left), 0);
        }
}

struct ids {
        struct vss_id items[64];
        size_t count;
};

static int collect_id(void *userdata, const struct vss_snapshot_prop *prop) {
        struct ids *ids = userdata;

        if (!is_mine(prop))
                return 0;
        CHECK(ids->count < 64);
        ids->items[ids->count++] = prop->snapshot_id;
        return 0;
}

/* alone, to be repeated by hand: what it looks for shows itself seldom */
void moving_cases(void) {
        struct ids ids = { 0 };

        RUN(test_moving_data);
        CHECK_INT(ops->query(&provider, collect_id, &ids, &words), 0);
        delete_all(ids.items, ids.count);
}

void common_cases(void) {
        make_tree(suite.mounts[0]);
        RUN(test_supported);
        RUN(test_life);
        moving_cases();
        RUN(test_delete);
        RUN(test_busy);
        RUN(test_abort);
        RUN(test_new_set_drops);
        RUN(test_killed_after_each_step);
        RUN(test_killed_at_any_moment);
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

        volume_of(suite.mounts[0], suite.subvolumes[0], &volume);
        CHECK_INT(volume.read_only, 1);
        CHECK_INT(ops->is_volume_supported(&provider, &volume, 0, &promise, &words), 0);
        CHECK(words.message);
        CHECK_INT(set_step(&set, BEGIN), VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER);
        CHECK_INT(words.code, VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER);
        printf("ok case_read_only\n");
}
