/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * suite.c - provider-suite PLUGIN [key=value ...] [-m MOUNT [-s SUBVOLUME]] [-a AREA] CASES...
 *
 * What vss-provider-suite cannot know of a provider: where ours keep their copies, and what each
 * kind can get wrong. The plug-in is driven by the same code. The script provider-suite.sh makes
 * the file systems and chooses the cases.
 */
#define _GNU_SOURCE
#include "cases.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

const char *mounts[VOLUMES_MAX], *subvolumes[VOLUMES_MAX], *area;

bool is_mirror(void) {
        return strcmp(ops->name, "mirror") == 0;
}

static const char *fs_type_of(const char *mount) {
        struct statfs fs;

        CHECK_INT(statfs(mount, &fs), 0);
        switch ((unsigned long)fs.f_type) {
        case 0x9123683e:
                return "btrfs";
        case 0x58465342:
                return "xfs";
        case 0xef53:
                return "ext4";
        default:
                return "other";
        }
}

void volume_of(const char *mount, const char *subvolume, struct vss_volume *ret) {
        struct statx st;
        struct statfs fs;
        char *id; /* lives as long as the program */

        CHECK(mount);
        CHECK_INT(statx(AT_FDCWD, mount, 0, STATX_BASIC_STATS | STATX_MNT_ID, &st), 0);
        CHECK_INT(statfs(mount, &fs), 0);
        CHECK(asprintf(&id, "TEST=%s", mount) >= 0);
        *ret = (struct vss_volume){ .id = id,
                                    .mount_point = mount,
                                    .device = "",
                                    .fs_type = fs_type_of(mount),
                                    .fs_uuid = "",
                                    .subvolume = subvolume ? subvolume : "",
                                    .mount_id = st.stx_mnt_id,
                                    .dev_major = st.stx_dev_major,
                                    .dev_minor = st.stx_dev_minor,
                                    .read_only = (fs.f_flags & ST_RDONLY) != 0 };
}

bool is_mine(const struct vss_snapshot_prop *prop) {
        for (size_t i = 0; i < suite.volume_count; i++)
                if (strcmp(prop->original_mount, mounts[i]) == 0)
                        return true;
        return false; /* other tests may run beside this one */
}

static int count_one(void *userdata, const struct vss_snapshot_prop *prop) {
        CHECK_INT(prop->status, VSS_SS_CREATED);
        *(int *)userdata += is_mine(prop);
        return 0;
}

int count_all(void) {
        int count = 0;

        CHECK_INT(ops->query(&provider, count_one, &count, &words), 0);
        return count;
}

void shell(const char *command, const char *a, const char *b) {
        pid_t pid;
        int status;

        fflush(stdout);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                execl("/bin/bash", "bash", "-c", command, "bash", a, b, (char *)NULL);
                _exit(127);
        }
        CHECK_INT(waitpid(pid, &status, 0), pid);
        if (status != 0)
                CHECK_FAIL_("failed (%d): %s [%s] [%s]", status, command, a, b);
}

/* make_tree() - all kinds of files that a volume may hold */
void make_tree(const char *at) {
        shell("cd \"$1\" && rm -rf t && mkdir -p t/a/b t/empty t/'sp ace' && echo one >t/a/one && "
              "seq 1 50000 >t/a/b/many && : >t/a/nothing && ln t/a/one t/a/b/one-too && "
              "ln -s a/one t/link && ln -s /etc/shadow t/absolute && mkfifo t/fifo && "
              "chmod 4751 t/a/one && chmod 2770 t/a/b && chown 1234:4321 t/a/b t/a/nothing && "
              "touch -d '2001-02-03 04:05:06.123456789' t/a/nothing t/empty && "
              "touch -h -d '2002-02-03 04:05:06.123456789' t/link && "
              "setfattr -n user.colour -v green t/a/b/many && "
              "setfattr -n user.on-folder -v 1 t/a && "
              "{ setfacl -m u:77:rw t/a/b/many || true; } && "
              "mkdir t/inherits && echo not >t/inherits/file && mkfifo t/inherits/fifo && "
              "{ setfacl -d -m u:77:rwx t/inherits || true; } && "
              "truncate -s 64M t/sparse && echo x | dd of=t/sparse bs=1M seek=32 conv=notrunc "
              "status=none && mknod t/null c 1 3 && touch \"$(printf 't/new\\nline')\" && "
              "echo bytes >\"$(printf 't/\\377\\376')\" && "
              "touch t/$(printf 'n%.0s' $(seq 1 255)) && chmod 0 t/a/nothing",
              at, "");
}

void check_equal(const char *original, const char *copy) {
        shell("list() { cd \"$1\" && {"
              "  find . -path ./.vss -prune -o"
              "    \\( -type f -printf '%y %m %U %G %s %T@ %n %P\\0'"
              "       -o -printf '%y %m %U %G %T@ %P -> %l\\0' \\);"
              "  find . -path ./.vss -prune -o -type f -print0 | sort -z | xargs -0 -r cksum;"
              "  find . -path ./.vss -prune -o ! -type l -print0 | sort -z |"
              "    xargs -0 -r getfattr -h -d -m- 2>/dev/null; } | sort -z; };"
              "cmp <(list \"$1\") <(list \"$2\") && exit 0;"
              "diff -a <(list \"$1\" | tr '\\0' '\\n') <(list \"$2\" | tr '\\0' '\\n') |"
              "  head -20; exit 1",
              original, copy);
}

static int folders_in(const char *root, const char *set) {
        char path[4096];
        struct dirent *entry;
        int count = 0;
        DIR *dir;

        snprintf(path, sizeof(path), "%s/.vss", root);
        dir = opendir(path);
        while (dir && (entry = readdir(dir)))
                if (strstr(entry->d_name, set))
                        count++;
        if (dir)
                closedir(dir);
        return count;
}

int folders_of_set(const struct vss_id *set) {
        int count = area ? folders_in(area, text_of(set)) : 0;

        for (size_t i = 0; i < suite.volume_count; i++)
                count += folders_in(mounts[i], text_of(set));
        return count;
}

static const struct {
        const char *name;
        void (*run)(void);
} cases[] = { { "common", common_cases },      { "full", case_full },
              { "read-only", case_read_only }, { "mirror", mirror_cases },
              { "room", mirror_room },         { "slow", mirror_slow },
              { "inside", mirror_inside },     { "btrfs", btrfs_cases },
              { "nested", btrfs_nested },      { "user", btrfs_user },
              { "mirror-user", mirror_user },  { "fills", mirror_fills },
              { "faults", memory_faults },     { "moving", moving_cases },
              { "measure", measure } };

static void run_case(const char *name) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                if (strcmp(cases[i].name, name) == 0) {
                        cases[i].run();
                        return;
                }
        CHECK_FAIL_("there is no case '%s'", name);
}

/* take_argument() - options that are no cases; how many arguments they take */
static int take_argument(char **argv) {
        if (strcmp(argv[0], "-m") == 0)
                mounts[suite.volume_count++] = argv[1];
        else if (strcmp(argv[0], "-s") == 0)
                subvolumes[suite.volume_count - 1] = argv[1];
        else if (strcmp(argv[0], "-a") == 0)
                area = argv[1];
        else if (strchr(argv[0], '='))
                suite.settings[suite.setting_count++] = argv[0];
        else
                return 0;
        return argv[0][0] == '-' ? 2 : 1;
}

static int usage(void) {
        fprintf(stderr, "usage: provider-suite PLUGIN.so [KEY=VALUE...] [-a AREA] -m MOUNT [-s "
                        "SUBVOLUME]... CASES...\nCASES:");
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                fprintf(stderr, " %s", cases[i].name);
        fprintf(stderr, "\n");
        return 2;
}

int main(int argc, char **argv) {
        bool inner = argc > 6 && strcmp(argv[1], "--do") == 0;
        const char *wanted[16], *verb = inner ? argv[4] : NULL, *argument = inner ? argv[5] : NULL;
        int status = 0, count = 0;

        if (argc < 3)
                return usage();
        if (inner) { /* by spawn_self() */
                suite.shared_fd = atoi(argv[2]);
                argv[5] = argv[0];
                argc -= 5;
                argv += 5;
        }
        setvbuf(stdout, NULL, _IOLBF, 0);
        umask(022);
        suite.plugin = argv[1];
        suite.argv = argv;
        suite.argc = argc;
        suite.loud = true;
        for (int i = 2, n; i < argc; i += n ?: 1)
                if ((n = take_argument(argv + i)) == 0)
                        wanted[count++] = argv[i];
        CHECK_INT(inner ? verdict_map() : verdict_share(), 0);
        for (size_t i = 0; i < suite.volume_count; i++)
                volume_of(mounts[i], subvolumes[i], &suite.volumes[i]);
        provider_open();
        suite.verdict->ready = inner;
        if (inner)
                status = fresh_verb(verb, argument);
        for (int i = 0; !inner && i < count; i++)
                run_case(wanted[i]);
        provider_close();
        return status;
}
