/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * suite.c - the provider suite: provider-suite PLUGIN [key=value ...] [-m MOUNT [-s SUBVOLUME]]
 * [-a AREA] CASES...
 *
 * It stands in for vss-host: what a provider asks of its runtime is defined here. The script
 * provider-suite.sh makes the file systems and chooses the cases.
 */
#define _GNU_SOURCE
#include "suite.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

struct suite suite;
struct vss_provider provider;
struct vss_provider_ops *ops;
struct vss_error words;
static void *handle;

void vss_provider_set_data(struct vss_provider *p, void *data) {
        p->data = data;
}

void *vss_provider_data(const struct vss_provider *p) {
        return p->data;
}

bool vss_provider_aborted(const struct vss_provider *p) {
        return p->aborted;
}

bool is_memory(void) {
        return strcmp(ops->name, "memory") == 0;
}

bool is_mirror(void) {
        return strcmp(ops->name, "mirror") == 0;
}

/* What the runtime does for a step that a provider leaves out: nothing (vss/provider.h) */
static int no_load(struct vss_provider *p, struct vss_error *error) {
        return 0;
}

static void no_unload(struct vss_provider *p) {
}

static int no_setting(struct vss_provider *p, const char *key, const char *value,
                      struct vss_error *error) {
        return E_INVALIDARG;
}

static int no_step(struct vss_provider *p, const struct vss_id *set, struct vss_error *error) {
        return 0;
}

static int no_post_commit(struct vss_provider *p, const struct vss_id *set, uint32_t count,
                          struct vss_error *error) {
        return 0;
}

static void fill_defaults(void) {
        CHECK(ops->is_volume_supported && ops->begin_prepare_snapshot && ops->commit_snapshots);
        CHECK(ops->abort_snapshots && ops->get_snapshot_properties && ops->query);
        CHECK(ops->delete_snapshots);
        ops->configure = ops->configure ?: no_setting;
        ops->load = ops->load ?: no_load;
        ops->unload = ops->unload ?: no_unload;
        ops->end_prepare_snapshots = ops->end_prepare_snapshots ?: no_step;
        ops->pre_commit_snapshots = ops->pre_commit_snapshots ?: no_step;
        ops->post_commit_snapshots = ops->post_commit_snapshots ?: no_post_commit;
        ops->pre_final_commit_snapshots = ops->pre_final_commit_snapshots ?: no_step;
        ops->post_final_commit_snapshots = ops->post_final_commit_snapshots ?: no_step;
}

static void configure_and_load(void) {
        provider = (struct vss_provider){ 0 };
        for (size_t i = 0; i < suite.setting_count; i++) {
                char *key = strdup(suite.settings[i]), *value = strchr(key, '=');

                *value++ = '\0';
                if (ops->configure(&provider, key, value, &words) < 0)
                        CHECK_FAIL_("configure: %s", vss_error_message(&words));
                free(key);
        }
        CHECK_INT(ops->load(&provider, &words), 0);
}

void provider_open(void) {
        struct vss_provider_ops *(*init)(void);

        handle = dlopen(suite.plugin, RTLD_NOW | RTLD_LOCAL);
        if (!handle)
                CHECK_FAIL_("%s", dlerror());
        *(void **)&init = dlsym(handle, "vss_provider_init");
        CHECK(init);
        ops = init();
        CHECK_INT(ops->size, sizeof(*ops));
        CHECK_INT(ops->api, VSS_PROVIDER_API);
        fill_defaults();
        configure_and_load();
}

void provider_close(void) {
        ops->unload(&provider);
        CHECK(!provider.data);
        vss_error_clear(&words);
        dlclose(handle);
}

void provider_restart(void) {
        ops->unload(&provider);
        configure_and_load();
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
        static char ids[4][512];
        static unsigned turn;
        char *id = ids[turn++ % 4];
        struct statx st;
        struct statfs fs;

        CHECK(mount);
        CHECK_INT(statx(AT_FDCWD, mount, 0, STATX_BASIC_STATS | STATX_MNT_ID, &st), 0);
        CHECK_INT(statfs(mount, &fs), 0);
        snprintf(id, sizeof(ids[0]), "TEST=%s", mount);
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

struct set set_new(void) {
        struct set set = { .context = VSS_CTX_BACKUP };

        CHECK_INT(vss_id_new(&set.id), 0);
        for (size_t i = 0; i < 4; i++)
                CHECK_INT(vss_id_new(&set.copies[i]), 0);
        return set;
}

static int begin(struct set *set) {
        int r = 0;

        for (size_t i = 0; i < suite.mount_count && r >= 0; i++) {
                struct vss_volume volume;
                struct vss_prepare prepare = { .set_id = set->id,
                                               .snapshot_id = set->copies[i],
                                               .context = set->context,
                                               .volume = &volume,
                                               .paths = set->paths };

                volume_of(suite.mounts[i], suite.subvolumes[i], &volume);
                r = ops->begin_prepare_snapshot(&provider, &prepare, &words);
        }
        return r;
}

int set_step(struct set *set, enum step step) {
        switch (step) {
        case BEGIN:
                return begin(set);
        case END_PREPARE:
                return ops->end_prepare_snapshots(&provider, &set->id, &words);
        case PRE_COMMIT:
                return ops->pre_commit_snapshots(&provider, &set->id, &words);
        case COMMIT:
                return ops->commit_snapshots(&provider, &set->id, &words);
        case POST_COMMIT:
                return ops->post_commit_snapshots(&provider, &set->id, (uint32_t)suite.mount_count,
                                                  &words);
        case PRE_FINAL:
                return ops->pre_final_commit_snapshots(&provider, &set->id, &words);
        case POST_FINAL:
                return ops->post_final_commit_snapshots(&provider, &set->id, &words);
        case STEPS:
                break;
        }
        return E_INVALIDARG;
}

void set_run(struct set *set, enum step from, enum step to) {
        for (unsigned step = from; step <= (unsigned)to; step++) {
                int r = set_step(set, (enum step)step);

                if (r != 0)
                        CHECK_FAIL_("step %u: %s: %s", step, vss_error_name(r),
                                    vss_error_message(&words));
        }
}

struct vss_snapshot_prop properties_of(const struct vss_id *copy) {
        struct vss_snapshot_prop prop = { 0 };
        int r = ops->get_snapshot_properties(&provider, copy, &prop, &words);

        if (r != 0)
                CHECK_FAIL_("%s: %s", vss_error_name(r), vss_error_message(&words));
        return prop;
}

struct counting {
        const struct vss_id *set;
        int count;
};

bool is_mine(const struct vss_snapshot_prop *prop) {
        for (size_t i = 0; i < suite.mount_count; i++)
                if (strcmp(prop->original_mount, suite.mounts[i]) == 0)
                        return true;
        return false; /* other tests may run beside this one */
}

static int count_one(void *userdata, const struct vss_snapshot_prop *prop) {
        struct counting *c = userdata;

        CHECK_INT(prop->status, VSS_SS_CREATED);
        if (c->set ? vss_id_equal(&prop->snapshot_set_id, c->set) : is_mine(prop))
                c->count++;
        return 0;
}

int count_copies(const struct vss_id *set) {
        struct counting c = { .set = set };

        CHECK_INT(ops->query(&provider, count_one, &c, &words), 0);
        return c.count;
}

int delete_object(const struct vss_id *id, uint32_t type, bool force, uint32_t *ret_deleted,
                  struct vss_id *ret_nondeleted) {
        return ops->delete_snapshots(&provider, id, type, force, ret_deleted, ret_nondeleted,
                                     &words);
}

char *text_of(const struct vss_id *id) {
        static char texts[4][VSS_ID_TEXT_SIZE];
        static unsigned turn;

        return vss_id_format(id, texts[turn++ % 4]);
}

pid_t fresh_pid(const char *verb, const char *argument) {
        char *argv[64];
        int n = 0;
        pid_t pid;

        for (int i = 0; i < suite.argc && n < 60; i++)
                argv[n++] = suite.argv[i];
        argv[n++] = strdup("--do");
        argv[n++] = strdup(verb);
        argv[n++] = strdup(argument);
        argv[n] = NULL;
        fflush(stdout);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                execv("/proc/self/exe", argv);
                _exit(127);
        }
        for (int i = n - 3; i < n; i++)
                free(argv[i]);
        return pid;
}

int fresh(const char *verb, const char *argument) {
        pid_t pid = fresh_pid(verb, argument);
        int status;

        CHECK_INT(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* make() - a life up to a step, then SIGKILL; "SETID:STEP" */
static int make(const char *argument) {
        char id[VSS_ID_TEXT_SIZE] = "";
        struct set set = set_new();

        memcpy(id, argument, VSS_ID_TEXT_SIZE - 1);
        CHECK_INT(vss_id_parse(id, &set.id), 0);
        set_run(&set, BEGIN, (enum step)atoi(argument + VSS_ID_TEXT_SIZE));
        raise(SIGKILL);
        return 1;
}

int fresh_verb(const char *verb, const char *argument) {
        struct vss_id id = { 0 }, left;
        uint32_t deleted = 0;

        if (strcmp(verb, "make") == 0)
                return make(argument);
        CHECK_INT(vss_id_parse(argument, &id), 0);
        if (strcmp(verb, "query") == 0)
                return count_copies(&id);
        if (strcmp(verb, "abort") == 0) {
                ops->abort_snapshots(&provider, &id);
                return 0;
        }
        return delete_object(&id, VSS_OBJECT_SNAPSHOT_SET, false, &deleted, &left) == 0
                       ? (int)deleted
                       : 99;
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
        int count = suite.area ? folders_in(suite.area, text_of(set)) : 0;

        for (size_t i = 0; i < suite.mount_count; i++)
                count += folders_in(suite.mounts[i], text_of(set));
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

int main(int argc, char **argv) {
        int status = 0;

        if (argc < 3) {
                fprintf(stderr,
                        "usage: provider-suite PLUGIN.so [KEY=VALUE...] [-a AREA] -m MOUNT [-s "
                        "SUBVOLUME]... CASES...\nCASES:");
                for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                        fprintf(stderr, " %s", cases[i].name);
                fprintf(stderr, "\n");
                return 2;
        }
        setvbuf(stdout, NULL, _IOLBF, 0);
        umask(022);
        suite.plugin = argv[1];
        suite.argv = argv;
        suite.argc = argc;
        for (int i = 2; i < argc; i++) {
                if (strcmp(argv[i], "-m") == 0)
                        suite.mounts[suite.mount_count++] = argv[++i];
                else if (strcmp(argv[i], "-s") == 0)
                        suite.subvolumes[suite.mount_count - 1] = argv[++i];
                else if (strcmp(argv[i], "-a") == 0)
                        suite.area = argv[++i];
                else if (strchr(argv[i], '='))
                        suite.settings[suite.setting_count++] = argv[i];
        }
        provider_open();
        if (argc > 5 && strcmp(argv[argc - 3], "--do") == 0)
                status = fresh_verb(argv[argc - 2], argv[argc - 1]);
        else
                for (int i = 2; i < argc; i++)
                        if (argv[i][0] != '-' && !strchr(argv[i], '='))
                                run_case(argv[i]);
                        else if (argv[i][0] == '-')
                                i++;
        provider_close();
        return status;
}
