/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mirror.c - what only a copier of trees can get wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

static void delete_set(struct set *set) {
        struct vss_id left;
        uint32_t deleted;
        int r = delete_object(&set->id, VSS_OBJECT_SNAPSHOT_SET, true, &deleted, &left);

        if (r != 0)
                CHECK_FAIL_("%s", vss_error_message(&words));
        CHECK_INT(folders_of_set(&set->id), 0);
}

/* S-20: what changed between the rounds and the commit is in the copy, whatever kind of change */
static void test_changes_between_rounds(void) {
        struct set set = set_new();
        struct vss_snapshot_prop prop;
        const char *at = mounts[0];

        shell("mkdir -p \"$1\"/c/dir/sub \"$1\"/c/gone/deep && cd \"$1\"/c && "
              "for i in $(seq 1 300); do echo $i >f$i; done && ln f1 hard1 && ln f1 hard2 && "
              "echo x >dir/sub/x && echo y >gone/deep/y && setfattr -n user.a -v 1 dir && "
              "setfattr -n user.b -v 1 f9 && mkfifo pipe && ln -s f1 sym && sleep 0.1",
              at, "");
        set_run(&set, BEGIN, END_PREPARE);
        shell("cd \"$1\"/c && echo changed >f2 && rm f3 && mv f4 renamed && chmod 600 f5 && "
              "touch -d 2001-01-01 f6 && cp -p f7 f7.new && mv f7.new f7 && rm f8 && mkdir f8 && "
              "echo in >f8/in && setfattr -x user.b f9 && setfattr -x user.a dir && "
              "setfattr -n user.c -v 3 dir && mv dir/sub dir/sub2 && rm -r gone && echo >gone && "
              "rm pipe && ln -s f1 pipe && rm sym && mkfifo sym && rm hard1 && echo new >hard1 && "
              "echo appended >>hard2 && ln f10 hard10 && chown 5:6 dir && mv f11 f12 && "
              "truncate -s 0 f13 && : >new && touch -d '1999-09-09' dir/sub2",
              at, "");
        set_run(&set, PRE_COMMIT, POST_FINAL);
        prop = properties_of(&set.copies[0]);
        check_equal(at, prop.device_object);
        vss_free_snapshot_properties(&prop);
        delete_set(&set);
        shell("rm -r \"$1\"/c", at, "");
}

/* A same-size change within the time stamps' grain is not missed */
static void test_racy_change(void) {
        struct set set = set_new();
        struct vss_snapshot_prop prop;
        char path[4200], text[5] = "";
        int fd;

        snprintf(path, sizeof(path), "%s/racy", mounts[0]);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        CHECK_INT(pwrite(fd, "old!", 4, 0), 4);
        set_run(&set, BEGIN, PRE_COMMIT);
        CHECK_INT(pwrite(fd, "mid!", 4, 0), 4);
        CHECK_INT(pwrite(fd, "new!", 4, 0), 4);
        set_run(&set, COMMIT, POST_FINAL);
        close(fd);
        CHECK_INT(unlink(path), 0);
        prop = properties_of(&set.copies[0]);
        snprintf(path, sizeof(path), "%s/racy", prop.device_object);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        CHECK_INT(read(fd, text, 4), 4);
        CHECK_STR(text, "new!");
        close(fd);
        vss_free_snapshot_properties(&prop);
        delete_set(&set);
}

/* descend_and() - count how deep the chain of folders named "d" goes from @at, making it if told */
static int descend(const char *at, int make) {
        int fd = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC), depth = 0, next;

        CHECK(fd >= 0);
        for (;; depth++) {
                if (depth < make)
                        CHECK_INT(mkdirat(fd, "depth", 0755), 0);
                next = openat(fd, "depth", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (next < 0)
                        break;
                close(fd);
                fd = next;
        }
        if (make) {
                next = openat(fd, "bottom", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
                CHECK_INT(write(next, "here", 4), 4);
        } else {
                next = openat(fd, "bottom", O_RDONLY | O_CLOEXEC);
        }
        CHECK(next >= 0);
        close(next);
        close(fd);
        return depth;
}

/* Deeper than PATH_MAX and than descriptors: copied, updated, deleted */
static void test_deep(void) {
        struct set set = set_new();
        struct vss_snapshot_prop prop;
        char at[4200];

        snprintf(at, sizeof(at), "%s/deep", mounts[0]);
        CHECK_INT(mkdir(at, 0755), 0);
        CHECK_INT(descend(at, 3000), 3000);
        set_run(&set, BEGIN, POST_FINAL);
        prop = properties_of(&set.copies[0]);
        snprintf(at, sizeof(at), "%s/deep", prop.device_object);
        CHECK_INT(descend(at, 0), 3000);
        vss_free_snapshot_properties(&prop);
        delete_set(&set);
        shell("rm -r \"$1\"/deep", mounts[0], "");
}

/* Files that come, go and change their kind while the rounds run cost nothing but themselves */
static void test_storm(void) {
        struct set set = set_new();
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (pid == 0) {
                execl("/bin/sh", "sh", "-c",
                      "mkdir -p \"$0\"/storm && cd \"$0\"/storm || exit 1; i=0; while [ -d . ]; do "
                      "i=$((i+1)); n=$((i%37)); case $((i%5)) in 0) rm -rf n$n;; "
                      "1) mkdir -p n$n/x;; 2) echo $i >n$n/x/f;; 3) mv n$n n$((n+1));; "
                      "4) rm -rf n$n; ln -s /etc/passwd n$n;; esac; [ -e ../stop ] && exit 0; done "
                      "2>/dev/null",
                      mounts[0], (char *)NULL);
                _exit(127);
        }
        usleep(200000);
        for (int i = 0; i < 3; i++) {
                set = set_new();
                set_run(&set, BEGIN, POST_FINAL);
                delete_set(&set);
        }
        shell(": >\"$1\"/stop", mounts[0], "");
        waitpid(pid, NULL, 0);
        shell("rm -r \"$1\"/stop \"$1\"/storm", mounts[0], "");
}

/* Only the wanted paths, at their places, with the folders above them; S-66 */
static void test_paths(void) {
        char one[4200], two[4200], none[4200], through[4200];
        const char *paths[] = { one, two, none, through, NULL };
        struct set set = set_new();
        struct vss_snapshot_prop prop;

        snprintf(one, sizeof(one), "%s/p/data/in", mounts[0]);
        snprintf(two, sizeof(two), "%s/p/file", mounts[0]);
        snprintf(none, sizeof(none), "%s/p/not/there", mounts[0]);
        snprintf(through, sizeof(through), "%s/p/link/in", mounts[0]);
        shell("mkdir -p \"$1\"/p/data/in/deeper \"$1\"/p/data/out && cd \"$1\"/p && "
              "echo 1 >file && echo 2 >filex && echo 3 >data/in/deeper/three && echo 4 >data/four "
              "&& ln -s data link && chmod 711 data",
              mounts[0], "");
        set.paths = paths;
        set_run(&set, BEGIN, POST_FINAL);
        prop = properties_of(&set.copies[0]);
        shell("cd \"$1\" && [ \"$(find p | sort | tr '\\n' ' ')\" = 'p p/data p/data/in "
              "p/data/in/deeper p/data/in/deeper/three p/file ' ] && [ $(stat -c %a p/data) = 711 "
              "] "
              "&& [ \"$(ls -A)\" = p ] && grep -q '^ELOOP /p/link$' ../problems",
              prop.device_object, "");
        vss_free_snapshot_properties(&prop);
        delete_set(&set);
        snprintf(none, sizeof(none), "%s/../etc", mounts[0]);
        set = set_new();
        set.paths = paths;
        CHECK_INT(set_step(&set, BEGIN), E_INVALIDARG);
        ops->abort_snapshots(&provider, &set.id);
        shell("rm -r \"$1\"/p", mounts[0], "");
}

/* Many paths, in any order, with names that begin alike */
static void test_many_paths(void) {
        enum { COUNT = 3000 };
        static char names[COUNT][4300];
        static const char *paths[COUNT + 1];
        struct set set = set_new();
        struct vss_snapshot_prop prop;

        shell("mkdir \"$1\"/q && cd \"$1\"/q && seq 1 6000 | xargs touch", mounts[0], "");
        for (int i = 0; i < COUNT; i++) { /* 1999 and 6000 have no common divisor */
                snprintf(names[i], sizeof(names[i]), "%s/q/%d", mounts[0], 1 + i * 1999 % 6000);
                paths[i] = names[i];
        }
        set.paths = paths;
        set_run(&set, BEGIN, POST_FINAL);
        prop = properties_of(&set.copies[0]);
        shell("[ $(ls \"$1\"/q | wc -l) = 3000 ] && [ ! -e \"$1\"/q/3 ] && [ -e \"$1\"/q/2 ] && "
              "[ ! -e \"$1\"/../problems ]",
              prop.device_object, "");
        vss_free_snapshot_properties(&prop);
        delete_set(&set);
        shell("rm -r \"$1\"/q", mounts[0], "");
}

/* S-67: where another file system begins stands an empty folder; what cannot be had is told */
static void test_crossing(void) {
        struct set set = set_new();
        struct vss_snapshot_prop prop;
        char folder[4200], file[4200], inside[4200];

        snprintf(folder, sizeof(folder), "%s/m/tmp", mounts[0]);
        snprintf(file, sizeof(file), "%s/m/file", mounts[0]);
        snprintf(inside, sizeof(inside), "%s/m/same", mounts[0]);
        shell("mkdir -p \"$1\"/m/tmp \"$1\"/m/same \"$1\"/m/src && echo s >\"$1\"/m/src/s && "
              ": >\"$1\"/m/file",
              mounts[0], "");
        CHECK_INT(mount("none", folder, "tmpfs", 0, "mode=711"), 0);
        CHECK_INT(mount("/etc/hostname", file, NULL, MS_BIND, NULL), 0);
        snprintf(file, sizeof(file), "%s/m/src", mounts[0]);
        CHECK_INT(mount(file, inside, NULL, MS_BIND, NULL), 0); /* one device, another mount */
        shell("echo no >\"$1\"/m/tmp/no", mounts[0], "");
        set_run(&set, BEGIN, POST_FINAL);
        prop = properties_of(&set.copies[0]);
        shell("cd \"$1\"/m && [ -d tmp ] && [ -z \"$(ls -A tmp)\" ] && [ -z \"$(ls -A same)\" ] && "
              "[ -e src/s ] && [ ! -e file ] && grep -q '^EXDEV /m/file$' ../../problems",
              prop.device_object, "");
        vss_free_snapshot_properties(&prop);
        snprintf(file, sizeof(file), "%s/m/file", mounts[0]);
        CHECK_INT(umount(file), 0);
        CHECK_INT(umount(inside), 0);
        CHECK_INT(umount(folder), 0);
        delete_set(&set);
        shell("rm -r \"$1\"/m", mounts[0], "");
}

/* Holes stay holes, and a copy on the same file system costs no data */
static void test_sparse(void) {
        struct set set = set_new();
        struct vss_snapshot_prop prop;

        shell("cd \"$1\" && truncate -s 1G hole && echo x | dd of=hole bs=1M seek=700 conv=notrunc "
              "status=none && dd if=/dev/zero of=zeros bs=1M count=3 status=none && sync -f .",
              mounts[0], "");
        set_run(&set, BEGIN, POST_FINAL);
        prop = properties_of(&set.copies[0]);
        shell("cd \"$1\" && [ $(stat -c %b hole) -lt 1000 ] && cmp hole \"$2\"/hole && "
              "cmp zeros \"$2\"/zeros",
              prop.device_object, mounts[0]);
        vss_free_snapshot_properties(&prop);
        delete_set(&set);
        shell("rm \"$1\"/hole \"$1\"/zeros", mounts[0], "");
}

/* P-32: a set is given up while end_prepare runs */
static void test_aborted_flag(void) {
        struct set set = set_new();

        set_run(&set, BEGIN, BEGIN);
        provider.aborted = true;
        CHECK(set_step(&set, END_PREPARE) < 0);
        ops->abort_snapshots(&provider, &set.id);
        provider.aborted = false;
        CHECK_INT(folders_of_set(&set.id), 0);
}

void mirror_cases(void) {
        RUN(test_changes_between_rounds);
        RUN(test_racy_change);
        RUN(test_deep);
        RUN(test_storm);
        RUN(test_paths);
        RUN(test_many_paths);
        RUN(test_crossing);
        RUN(test_sparse);
        RUN(test_aborted_flag);
}

/* No room in the area: told with figures and the setting, before anything is held */
void mirror_room(void) {
        struct set set = set_new();

        shell("dd if=/dev/urandom of=\"$1\"/big bs=1M count=40 status=none", mounts[0], "");
        set_run(&set, BEGIN, BEGIN);
        CHECK_INT(set_step(&set, END_PREPARE), VSS_E_INSUFFICIENT_STORAGE);
        CHECK(strstr(words.message, "needs") && strstr(words.message, "area"));
        ops->abort_snapshots(&provider, &set.id);
        CHECK_INT(folders_of_set(&set.id), 0);
        printf("ok mirror_room\n");
}

/* The last round may not be slow: a limit that nothing can keep */
void mirror_slow(void) {
        struct set set = set_new();

        shell("mkdir -p \"$1\"/s && cd \"$1\"/s && for i in $(seq 1 2000); do echo >$i; done",
              mounts[0], "");
        set_run(&set, BEGIN, BEGIN);
        CHECK_INT(set_step(&set, END_PREPARE), VSS_E_PROVIDER_VETO);
        CHECK(strstr(words.message, "max_last_round"));
        ops->abort_snapshots(&provider, &set.id);
        CHECK_INT(folders_of_set(&set.id), 0);
        printf("ok mirror_slow\n");
}

/* The area on the volume itself is not copied into itself, and what was copied there before neither
 */
void mirror_inside(void) {
        struct set one = set_new(), two = set_new();
        struct vss_snapshot_prop prop;

        set_run(&one, BEGIN, POST_FINAL);
        set_run(&two, BEGIN, POST_FINAL);
        prop = properties_of(&two.copies[0]);
        shell("[ -d \"$1\"/area ] && [ -z \"$(ls -A \"$1\"/area)\" ] && [ -e \"$1\"/t/a/one ]",
              prop.device_object, "");
        vss_free_snapshot_properties(&prop);
        delete_set(&one);
        delete_set(&two);
        printf("ok mirror_inside\n");
}

static void as_user(void) {
        struct set set = set_new();
        struct vss_snapshot_prop prop;

        CHECK_INT(setgid(4242), 0);
        CHECK_INT(setuid(4242), 0);
        provider_restart();
        set_run(&set, BEGIN, POST_FINAL);
        prop = properties_of(&set.copies[0]);
        shell("cd \"$1\"/u && [ \"$(cat readable)\" = yes ] && [ ! -e secret ] && [ ! -e closed ] "
              "&& "
              "[ -e fixed/in ] && [ \"$(stat -c %a fixed)\" = 555 ] && "
              "grep -q '^EACCES /u/secret$' ../../problems && "
              "grep -q '^EACCES /u/closed$' ../../problems",
              prop.device_object, "");
        vss_free_snapshot_properties(&prop);
        CHECK_INT(count_copies(&set.id), 1);
        delete_set(&set); /* folders without write permission included */
}

/* A user copies what the user may read; what may not be read is missing, and told */
void mirror_user(void) {
        pid_t pid;
        int status;

        shell("cd \"$1\" && chmod 755 . && mkdir -p u/fixed/deeper u/closed && echo yes "
              ">u/readable && "
              "echo no >u/secret && chmod 600 u/secret && : >u/fixed/in && : >u/fixed/deeper/in && "
              "chown -R 4242:4242 u/fixed && chmod 555 u/fixed u/fixed/deeper && chmod 700 "
              "u/closed",
              mounts[0], "");
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                as_user();
                _exit(0);
        }
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK_INT(status, 0);
        printf("ok mirror_user\n");
}

/* The area fills while the copy is made: the round ends with words, and all is given back */
void mirror_fills(void) {
        struct set set = set_new();
        struct vss_id left;
        uint32_t deleted;
        int r;

        set_run(&set, BEGIN, END_PREPARE);
        shell("dd if=/dev/zero of=\"$2\"/fill bs=64K 2>/dev/null; "
              "dd if=/dev/urandom of=\"$1\"/late bs=1M count=8 2>/dev/null && sync -f \"$1\"",
              mounts[0], area);
        r = set_step(&set, PRE_COMMIT);
        CHECK_INT(r == 0 ? set_step(&set, COMMIT) : r, VSS_E_INSUFFICIENT_STORAGE);
        CHECK(strstr(words.message, "full") && strstr(words.message, "area"));
        ops->abort_snapshots(&provider, &set.id);
        CHECK_INT(folders_of_set(&set.id), 0);
        /* S-70 on a full file system: deleting needs no space */
        shell("rm \"$2\"/fill \"$1\"/late", mounts[0], area);
        set = set_new();
        set_run(&set, BEGIN, POST_FINAL);
        shell("dd if=/dev/zero of=\"$1\"/fill bs=64K 2>/dev/null; true", area, "");
        CHECK_INT(delete_object(&set.id, VSS_OBJECT_SNAPSHOT_SET, false, &deleted, &left), 0);
        CHECK_INT(folders_of_set(&set.id), 0);
        printf("ok mirror_fills\n");
}
