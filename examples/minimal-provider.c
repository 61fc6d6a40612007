/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* minimal-provider.c - a provider that copies what is wanted of a volume with cp(1) into a folder
 * on another file system while the writers stand still. For small volumes: the copies must be made
 * within the ten seconds of the window. In vss.conf, with a folder that is root's, mode 0700:
 *     [provider.plaincopy]
 *     folder = /srv/copies
 * It keeps there SETID/record, which says whether the copies of the set are whole, and for each
 * SETID/SNAPSHOTID/copy beside `wanted`, the paths. So a process without memory knows all. Who
 * makes a set holds a lock on its folder, and cp inherits it: nobody removes what the cp of a dead
 * process still writes. A file that vanishes meanwhile fails the set, and so does a full disk. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vss/provider.h>

typedef struct vss_provider P;
typedef struct vss_error E;
typedef const struct vss_id *ID;

enum { COPIES_MAX = 16 };
struct record {
        struct vss_id set;
        uint32_t status, total;
        int32_t count; /* of the copies that are left */
        vss_timestamp_t when;
        struct {
                struct vss_id id;
                uint32_t attributes;
                char volume[256], mount[1024];
        } copies[COPIES_MAX];
};

static struct vss_provider_ops ops;
static const uint32_t promised =
        VSS_VOLSNAP_ATTR_PERSISTENT | VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE | VSS_VOLSNAP_ATTR_PLEX;
static char folder[1024];
static struct record now; /* the set that is made; its id is null when there is none */
static int lock = -1; /* on its folder */

/* path() - of a set, of a copy, of something below; one of four buffers */
static char *path(ID set, ID copy, const char *below) {
        static char buffers[4][1200];
        static unsigned turn;
        char a[VSS_ID_TEXT_SIZE], b[VSS_ID_TEXT_SIZE] = "", *to = buffers[turn++ % 4];

        snprintf(to, sizeof(buffers[0]), "%s/%s/%s%s", folder, vss_id_format(set, a),
                 copy ? vss_id_format(copy, b) : b, below);
        return to;
}

static int fail(E *e, const char *what, const char *where) {
        return vss_fail(e, errno == ENOSPC ? VSS_E_INSUFFICIENT_STORAGE : VSS_E_PROVIDER_VETO,
                        "cannot %s '%s': %s", what, where, strerror(errno));
}

static int run(const char *where, char *const argv[]) {
        int result = -1;
        pid_t pid = fork();

        if (pid == 0) {
                if (chdir(where) == 0)
                        execvp(argv[0], argv);
                _exit(127);
        }
        return pid > 0 && waitpid(pid, &result, 0) == pid ? result : -1;
}

static void remove_all(char *name) {
        char words[][4] = { "rm", "-rf", "--" };

        (void)run("/", (char *[]){ words[0], words[1], words[2], name, NULL });
}

static bool load_record(const char *name, struct record *r) {
        FILE *from = fopen(name, "re");
        bool ok = from && fread(r, sizeof(*r), 1, from) == 1;

        if (from)
                fclose(from);
        return ok;
}

/* save_record() - the old one or the new one, whenever the machine stops */
static int save_record(const struct record *r, E *e) {
        char *name = path(&r->set, NULL, "record"), *fresh = path(&r->set, NULL, "record.new");
        FILE *to = fopen(fresh, "we");

        if (!to)
                return fail(e, "make", fresh);
        if (fwrite(r, sizeof(*r), 1, to) == 1 && fflush(to) == 0 && syncfs(fileno(to)) == 0 &&
            rename(fresh, name) == 0 && syncfs(fileno(to)) == 0)
                return fclose(to) == 0 ? 0 : fail(e, "write", name);
        fclose(to);
        return fail(e, "write", name);
}

/* tidy() - remove a set that is not whole, or empty. The lock says whether somebody is making it,
 * or the cp of a dead process goes on; with @wait until that ends */
static void tidy(ID set, bool wait) {
        int fd = open(path(set, NULL, ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct record r;

        if (fd >= 0 && flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) == 0 &&
            (!load_record(path(set, NULL, "record"), &r) || r.status != VSS_SS_CREATED ||
             r.count == 0))
                remove_all(path(set, NULL, ""));
        if (fd >= 0)
                close(fd);
}

/* each_set() - the folders of sets, one after the other: false behind the last */
static bool each_set(glob_t *all, size_t *i, struct record *r) {
        char pattern[1100], record[1300];

        snprintf(pattern, sizeof(pattern), "%s/*-*-*-*-*", folder);
        if (*i == 0 && glob(pattern, GLOB_NOESCAPE, NULL, all) != 0)
                return false;
        if (*i == all->gl_pathc) {
                globfree(all);
                return false;
        }
        snprintf(record, sizeof(record), "%s/record", all->gl_pathv[*i]);
        if (!load_record(record, r))
                *r = (struct record){ 0 };
        if (vss_id_parse(strrchr(all->gl_pathv[(*i)++], '/') + 1, &r->set) < 0)
                r->status = VSS_SS_UNKNOWN, r->count = 0;
        return true;
}

static void forget(void) {
        if (lock >= 0)
                close(lock);
        lock = -1;
        now = (struct record){ 0 };
}

static void abort_snapshots(P *p, ID set) {
        struct vss_id id = *set; /* it may be that of `now` */

        if (vss_id_equal(&id, &now.set))
                forget();
        tidy(&id, true);
}

static int configure(P *p, const char *key, const char *value, E *e) {
        struct stat st;

        if (strcmp(key, "enabled") == 0 || strcmp(key, "order") == 0)
                return 0; /* the service's own */
        if (strcmp(key, "folder") != 0)
                return vss_fail(e, E_INVALIDARG, "provider 'plaincopy' has no setting '%s'", key);
        if (*value != '/' || strlen(value) >= sizeof(folder) || strpbrk(value, "*?[") ||
            lstat(value, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
            (st.st_mode & 077))
                return vss_fail(e, E_INVALIDARG, "'%s' is no folder of ours, mode 0700", value);
        snprintf(folder, sizeof(folder), "%s", value);
        return 0;
}

static int is_volume_supported(P *p, const struct vss_volume *volume, uint32_t context,
                               struct vss_promise *ret, E *e) {
        struct stat st;

        if (context & VSS_VOLSNAP_ATTR_TRANSPORTABLE)
                return vss_fail(e, 0, "these copies cannot be taken to another machine");
        if (!*folder || stat(folder, &st) < 0)
                return vss_fail(e, 0, "the setting folder = DIR is missing, or the folder is");
        if (st.st_dev == makedev(volume->dev_major, volume->dev_minor))
                return vss_fail(e, 0, "'%s' lies on the volume itself", folder);
        *ret = (struct vss_promise){ .hold = VSS_HOLD_OWN, .attributes = promised };
        return 1;
}

/* write_wanted() - for xargs, below the mount point; what is not there is left out */
static int write_wanted(const char *name, const struct vss_prepare *prepare, E *e) {
        size_t skip = strlen(prepare->volume->mount_point);
        FILE *to = fopen(name, "we");

        if (to && !*prepare->paths)
                fprintf(to, ".%c", 0);
        for (const char *const *wanted = prepare->paths; to && *wanted; wanted++)
                if (access(*wanted, F_OK) == 0 || errno != ENOENT)
                        fprintf(to, "./%s%c", *wanted + skip, 0);
        return to && fclose(to) == 0 ? 0 : fail(e, "write", name);
}

static int begin_set(ID set, E *e) {
        struct record other;
        char *name;
        size_t i = 0;
        glob_t all;

        abort_snapshots(NULL, &now.set); /* P-30; of none, nothing */
        while (each_set(&all, &i, &other))
                tidy(&other.set, false); /* S-39: what a dead process left */
        name = path(set, NULL, "");
        if (mkdir(name, 0700) < 0 || (lock = open(name, O_RDONLY | O_DIRECTORY)) < 0 ||
            flock(lock, LOCK_EX | LOCK_NB) < 0)
                return fail(e, "make", name);
        now.set = *set;
        now.status = VSS_SS_PREPARING;
        return 0;
}

static int begin_prepare(P *p, const struct vss_prepare *prepare, E *e) {
        ID set = &prepare->set_id, copy = &prepare->snapshot_id;
        const struct vss_volume *volume = prepare->volume;
        struct vss_promise promise;
        int i, r = is_volume_supported(p, volume, prepare->context, &promise, e);

        if (r <= 0)
                return vss_wrap(e, VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER, "plaincopy");
        r = vss_id_equal(set, &now.set) ? 0 : begin_set(set, e);
        if (r < 0)
                return r;
        i = now.count;
        if (i == COPIES_MAX || strlen(volume->mount_point) >= sizeof(now.copies[i].mount) ||
            strlen(volume->id) >= sizeof(now.copies[i].volume))
                return vss_fail(e, VSS_E_PROVIDER_VETO, "too many volumes or too long a name");
        if (mkdir(path(set, copy, ""), 0700) < 0 || mkdir(path(set, copy, "/copy"), 0755) < 0)
                return fail(e, "make", path(set, copy, "/copy"));
        now.copies[i].id = *copy;
        now.copies[i].attributes = prepare->context | promised;
        strcpy(now.copies[i].volume, volume->id);
        strcpy(now.copies[i].mount, volume->mount_point);
        now.count++;
        return write_wanted(path(set, copy, "/wanted"), prepare, e);
}

static int commit(P *p, ID set, E *e) {
        char words[][12] = { "xargs", "-0ra", "cp", "-ax", "--parents", "-t", "--" };

        now.when = vss_timestamp_now();
        for (int i = 0; i < now.count; i++) {
                ID id = &now.copies[i].id;
                char *argv[] = { words[0], words[1], path(set, id, "/wanted"), words[2], words[3],
                                 words[4], words[5], path(set, id, "/copy"),   words[6], NULL };

                if (run(now.copies[i].mount, argv) != 0)
                        return vss_fail(e, VSS_E_PROVIDER_VETO,
                                        "cp cannot copy '%s', see its words", now.copies[i].mount);
        }
        return 0;
}

static int post_commit(P *p, ID set, uint32_t total, E *e) {
        now.total = total;
        now.status = VSS_SS_POSTCOMMITTED;
        return 0;
}

static int post_final_commit(P *p, ID set, E *e) {
        int r;

        now.status = VSS_SS_CREATED;
        r = save_record(&now, e); /* syncs the copies as well */
        if (r == 0)
                forget();
        return r;
}

static struct vss_snapshot_prop properties(const struct record *r, int i) {
        struct vss_snapshot_prop prop = { .snapshot_id = r->copies[i].id,
                                          .snapshot_set_id = r->set,
                                          .snapshots_count = (int32_t)r->total,
                                          .original_volume = strdup(r->copies[i].volume),
                                          .original_mount = strdup(r->copies[i].mount),
                                          .provider_id = ops.id,
                                          .attributes = r->copies[i].attributes,
                                          .creation_timestamp = r->when,
                                          .status = r->status };
        char host[256] = "";

        (void)gethostname(host, sizeof(host) - 1);
        prop.device_object = strdup(path(&r->set, &r->copies[i].id, "/copy"));
        prop.originating_machine = strdup(host);
        prop.service_machine = strdup(host);
        return prop;
}

static int get_properties(P *p, ID id, struct vss_snapshot_prop *ret, E *e) {
        struct record r = now;
        size_t n = 0;
        glob_t all;
        bool found = false;

        do {
                for (int i = 0; i < r.count && !found; i++)
                        if ((found = vss_id_equal(&r.copies[i].id, id)))
                                *ret = properties(&r, i);
        } while (each_set(&all, &n, &r));
        return found ? 0 : vss_fail(e, VSS_E_OBJECT_NOT_FOUND, "plaincopy has no such copy");
}

static int query(P *p, vss_snapshot_sink_t sink, void *data, E *e) {
        struct record r;
        size_t n = 0;
        glob_t all;
        int result = 0;

        while (each_set(&all, &n, &r))
                for (int i = 0; r.status == VSS_SS_CREATED && i < r.count && result == 0; i++) {
                        struct vss_snapshot_prop prop = properties(&r, i);

                        result = sink(data, &prop);
                        vss_free_snapshot_properties(&prop);
                }
        return result;
}

/* is_busy() - is the copy mounted elsewhere? With @end such mounts are ended, lazily */
static bool is_busy(ID id, bool end) {
        char text[VSS_ID_TEXT_SIZE], line[8192], point[4096];
        FILE *mounts = fopen("/proc/self/mountinfo", "re");
        bool busy = false;

        vss_id_format(id, text);
        while (mounts && fgets(line, sizeof(line), mounts)) {
                char *to = point, *from = point;

                if (!strstr(line, text) || sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1)
                        continue;
                for (; *from; from++, to++) /* \040 and the like */
                        if (*from == '\\' && strlen(from) > 3) {
                                *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + from[3] -
                                             '0');
                                from += 3;
                        } else {
                                *to = *from;
                        }
                *to = '\0';
                busy = !end || umount2(point, MNT_DETACH) < 0 || busy;
        }
        if (mounts)
                fclose(mounts);
        return busy;
}

/* delete() - the record forgets a copy first: what is left of it goes with its set at the latest */
static int delete_copy(struct record *r, int i, bool force, E *e) {
        char *name = path(&r->set, &r->copies[i].id, "");
        int result;

        if (is_busy(&r->copies[i].id, force))
                return vss_fail(e, VSS_E_VOLUME_IN_USE, "'%s' is mounted", name);
        r->copies[i] = r->copies[--r->count];
        result = save_record(r, e);
        if (result == 0)
                remove_all(name);
        return result;
}

static int delete_snapshots(P *p, ID id, uint32_t type, bool force, uint32_t *deleted,
                            struct vss_id *nondeleted, E *e) {
        struct record r;
        size_t n = 0;
        glob_t all;
        int result = 0;

        *deleted = 0;
        *nondeleted = (struct vss_id){ 0 };
        if (type != VSS_OBJECT_SNAPSHOT && type != VSS_OBJECT_SNAPSHOT_SET)
                return vss_fail(e, E_INVALIDARG, "only copies and sets can be deleted");
        while (each_set(&all, &n, &r)) {
                for (int i = r.count - 1; r.status == VSS_SS_CREATED && i >= 0 && result == 0;
                     i--) {
                        struct vss_id copy = r.copies[i].id;

                        if (!vss_id_equal(id, type == VSS_OBJECT_SNAPSHOT ? &copy : &r.set))
                                continue;
                        result = delete_copy(&r, i, force, e);
                        if (result == 0)
                                ++*deleted;
                        else
                                *nondeleted = copy;
                }
                if (r.count == 0)
                        tidy(&r.set, false);
        }
        if (result == 0 && *deleted == 0)
                *nondeleted = *id;
        return result || *deleted
                       ? result
                       : vss_fail(e, VSS_E_OBJECT_NOT_FOUND, "plaincopy has no such copy");
}

static struct vss_provider_ops ops = {
        .name = "plaincopy",
        .title = "plain copies in a folder, made while the writers stand still",
        .version = "1",
        .id = { "\x70lain copier 1" },
        .version_id = { "\x70lain copier 2" },
        .kind = VSS_PROV_SOFTWARE,
        .configure = configure,
        .is_volume_supported = is_volume_supported,
        .begin_prepare_snapshot = begin_prepare,
        .commit_snapshots = commit,
        .post_commit_snapshots = post_commit,
        .post_final_commit_snapshots = post_final_commit,
        .abort_snapshots = abort_snapshots,
        .get_snapshot_properties = get_properties,
        .query = query,
        .delete_snapshots = delete_snapshots,
};

VSS_PROVIDER(ops);
