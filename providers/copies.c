/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "copies.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kit.h"
#include "mounts.h"
#include "places.h"

/* default_state_dir() - root: as configured; a user: in the user's XDG folders */
static char *default_state_dir(void) {
        const char *state = secure_getenv("XDG_STATE_HOME"), *home = secure_getenv("HOME");
        char *dir = NULL;

        if (geteuid() == 0)
                return strdup(VSS_STATE_DIR);
        if (state && state[0] == '/')
                return asprintf(&dir, "%s/vss", state) < 0 ? NULL : dir;
        return asprintf(&dir, "%s/.local/state/vss", home && home[0] == '/' ? home : "/") < 0 ? NULL
                                                                                              : dir;
}

int copies_init(struct copies *copies, const struct copies_kind *kind) {
        *copies = (struct copies){ .kind = kind, .state_dir = default_state_dir() };
        return copies->state_dir ? 0 : E_OUTOFMEMORY;
}

static void making_free(const struct copies_kind *kind, struct making *m) {
        kind->release(m->own);
        record_done(&m->record);
        free(m->place);
        if (m->folder >= 0)
                close(m->folder);
        free(m);
}

static void forget_set(struct copies *copies) {
        for (size_t i = 0; i < copies->count; i++)
                making_free(copies->kind, copies->made[i]);
        copies->count = 0;
        copies->set = (struct vss_id){ 0 };
}

void copies_done(struct copies *copies) {
        struct vss_id set = copies->set;

        if (!vss_id_is_null(&set)) /* unloading during a creation is an abort (P-12) */
                copies_abort(copies, &set);
        free(copies->made);
        free(copies->area);
        free(copies->state_dir);
        *copies = (struct copies){ 0 };
}

int copies_setting(struct copies *copies, const char *key, const char *value,
                   struct vss_error *reterr) {
        int r = 0;

        if (strcmp(key, "state_dir") == 0)
                r = kit_directory(key, value, &copies->state_dir, reterr);
        else if (strcmp(key, "min_free") == 0)
                r = kit_size(key, value, &copies->min_free, reterr);
        else if (!kit_common_setting(key))
                return 0;
        return r < 0 ? r : 1;
}

int copies_context(const struct copies *copies, uint32_t context, struct vss_error *reterr) {
        const uint32_t techniques = VSS_VOLSNAP_ATTR_DIFFERENTIAL | VSS_VOLSNAP_ATTR_PLEX;
        const uint32_t foreign = VSS_VOLSNAP_ATTR_TRANSPORTABLE |
                                 VSS_VOLSNAP_ATTR_HARDWARE_ASSISTED | VSS_VOLSNAP_ATTR_FILE_SHARE;

        if (context == VSS_CTX_ALL || (context & foreign) ||
            (context & techniques & ~copies->kind->technique))
                return vss_fail(reterr, VSS_E_UNSUPPORTED_CONTEXT,
                                "provider '%s' makes no copies with context and attributes 0x%08x",
                                copies->kind->name, context);
        return 0;
}

int copies_place(const char *root, struct vss_error *reterr) {
        _cleanup_close_ int at = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
        int r;

        if (at < 0)
                return fail_errno(reterr, errno, "cannot open '%s'", root);
        if (mkdirat(at, PLACE_NAME, 0700) < 0 && errno != EEXIST)
                return fail_errno(reterr, errno, "cannot make the folder '%s/" PLACE_NAME "'",
                                  root);
        fd = openat(at, PLACE_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return fail_errno(reterr, errno, "cannot open '%s/" PLACE_NAME "'", root);
        r = place_check(fd);
        if (r < 0)
                return vss_fail(reterr, VSS_E_PROVIDER_VETO,
                                "'%s/" PLACE_NAME "' could be entered by others than user %u: "
                                "make it that user's with mode 0700, or remove it",
                                root, geteuid());
        return take_fd(&fd);
}

/* add_line() - @line into the sorted-by-age file @path, once; 0 or negative errno */
static int add_line(const char *path, const char *line) {
        _cleanup_free_ char *text = kit_read(AT_FDCWD, path, 1 << 20);
        _cleanup_free_ char *escaped = kit_escape(line), *more = NULL;
        size_t n;

        if (!escaped)
                return -ENOMEM;
        n = strlen(escaped);
        for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
                if (strncmp(p, escaped, n) == 0 && p[n] == '\n')
                        return 0;
        if (asprintf(&more, "%s%s\n", text ?: "", escaped) < 0) {
                more = NULL;
                return -ENOMEM;
        }
        return kit_write(AT_FDCWD, path, more);
}

/* make_parents() - like mkdir -p with mode 0700 */
static int make_parents(const char *path) {
        _cleanup_free_ char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        for (char *p = copy + 1;; p++) {
                char c = *p;

                if (c != '/' && c != '\0')
                        continue;
                *p = '\0';
                if (mkdir(copy, 0700) < 0 && errno != EEXIST)
                        return -errno;
                if (c == '\0')
                        return 0;
                *p = c;
        }
}

int copies_remember_place(struct copies *copies, const char *root, struct vss_error *reterr) {
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *name = NULL;
        int r = make_parents(copies->state_dir);

        if (r >= 0) {
                fd = open(copies->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                r = fd < 0 ? -errno : 0;
        }
        if (r >= 0)
                r = asprintf(&name, "%s/%s.places", copies->state_dir, copies->kind->name) < 0
                            ? -ENOMEM
                            : add_line(name, root);
        if (r < 0)
                return fail_errno(reterr, r, "cannot note the place '%s' below '%s'", root,
                                  copies->state_dir);
        return 0;
}

/* sweep_unrecorded() - a set that ends before DoSnapshotSet is told to no provider (S-39): nobody
 * will ever abort what was killed between making the folder and writing its record */
static void sweep_unrecorded(const struct copies *copies) {
        struct copy_list list;

        if (places_collect(copies, &list) < 0)
                return;
        for (size_t i = 0; i < list.count; i++)
                if (list.items[i].record.prop.status == 0 && !list.items[i].living)
                        (void)places_remove(copies->kind, list.items[i].place, list.items[i].name,
                                            &list.items[i].record, false);
        copy_list_done(&list);
}

void copies_enter_set(struct copies *copies, const struct vss_id *set) {
        struct vss_id old = copies->set;

        if (vss_id_equal(&old, set))
                return;
        if (!vss_id_is_null(&old))
                copies_abort(copies, &old);
        copies->set = *set;
        sweep_unrecorded(copies);
}

static int fill_record(const struct copies *copies, const struct vss_prepare *prepare,
                       struct making *m) {
        struct vss_snapshot_prop *p = &m->record.prop;
        char host[256] = "localhost";

        (void)gethostname(host, sizeof(host) - 1);
        p->snapshot_id = prepare->snapshot_id;
        p->snapshot_set_id = prepare->set_id;
        p->provider_id = copies->kind->id;
        p->attributes = prepare->context | copies->kind->technique;
        p->instant = copies->kind->instant;
        p->status = VSS_SS_PREPARING;
        p->snapshots_count = 1;
        m->record.context = prepare->context;
        m->record.identity = record_identity(m->folder);
        m->record.boot = record_boot();
        p->original_volume = strdup(prepare->volume->id);
        p->original_mount = strdup(prepare->volume->mount_point);
        p->originating_machine = strdup(host);
        p->service_machine = strdup(host);
        if (asprintf(&p->device_object, "%s/%s/copy", m->place, m->name) < 0)
                p->device_object = NULL;
        return m->record.identity && p->original_volume && p->original_mount && p->device_object &&
                               p->originating_machine && p->service_machine
                       ? 0
                       : -ENOMEM;
}

/* live_in_new() - -ENOENT when the sweep of another process took it before it was marked */
static int live_in_new(int place, struct making *m) {
        int r;

        if (mkdirat(place, m->name, 0700) < 0)
                return -errno;
        m->folder = openat(place, m->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = m->folder < 0 ? -errno : place_live_in(m->folder);
        if (r >= 0)
                return 0;
        if (m->folder >= 0)
                close(m->folder);
        m->folder = -1;
        (void)unlinkat(place, m->name, AT_REMOVEDIR);
        return r;
}

/* make_folder() - from here on abort finds it by its name */
static int make_folder(const struct copies *copies, const struct vss_prepare *prepare,
                       const char *root, struct making *m, struct vss_error *reterr) {
        _cleanup_close_ int place = copies_place(root, reterr);
        int r;

        if (place < 0)
                return place;
        if (kit_space(place, root, copies->min_free, NULL) < 0)
                copies_sweep(copies);
        r = kit_space(place, root, copies->min_free, reterr);
        if (r < 0)
                return r;
        if (asprintf(&m->place, "%s/" PLACE_NAME, strcmp(root, "/") == 0 ? "" : root) < 0) {
                m->place = NULL;
                return fail_memory(reterr);
        }
        record_folder_name(copies->kind->name, &prepare->set_id, &prepare->snapshot_id, m->name);
        for (int tries = 0; (r = live_in_new(place, m)) == -ENOENT && tries < 10; tries++)
                ;
        if (r < 0 || fsync(place) < 0)
                return fail_errno(reterr, r < 0 ? r : errno,
                                  "cannot make the folder of a copy in '%s'", m->place);
        r = fill_record(copies, prepare, m);
        if (r >= 0)
                r = record_write(m->folder, &m->record);
        return r < 0 ? fail_errno(reterr, r, "cannot write the record in '%s/%s'", m->place,
                                  m->name)
                     : 0;
}

int copies_begin(struct copies *copies, const struct vss_prepare *prepare, const char *root,
                 struct making **ret, struct vss_error *reterr) {
        struct making *m;
        int r;

        for (size_t i = 0; i < copies->count; i++)
                if (vss_id_equal(&copies->made[i]->record.prop.snapshot_id, &prepare->snapshot_id))
                        return vss_fail(reterr, VSS_E_OBJECT_ALREADY_EXISTS,
                                        "this copy is being made already");
        m = calloc(1, sizeof(*m));
        if (!m || !KIT_GROW(&copies->made, copies->count, &copies->capacity)) {
                free(m);
                return fail_memory(reterr);
        }
        m->folder = -1;
        r = make_folder(copies, prepare, root, m, reterr);
        if (r < 0) {
                if (m->folder >= 0)
                        (void)places_remove(copies->kind, m->place, m->name, &m->record, true);
                making_free(copies->kind, m);
                return r;
        }
        copies->made[copies->count++] = m;
        *ret = m;
        return 0;
}

int copies_is_current(const struct copies *copies, const struct vss_id *set,
                      struct vss_error *reterr) {
        char id[VSS_ID_TEXT_SIZE];

        if (!vss_id_is_null(set) && vss_id_equal(&copies->set, set) && copies->count > 0)
                return 0;
        return vss_fail(reterr, VSS_E_PROVIDER_VETO, "provider '%s' is not making the set %s",
                        copies->kind->name, vss_id_format(set, id));
}

void copies_stamp(struct copies *copies, vss_timestamp_t when) {
        for (size_t i = 0; i < copies->count; i++)
                copies->made[i]->record.prop.creation_timestamp = when;
}

void copies_status(struct copies *copies, uint32_t status, uint32_t count) {
        for (size_t i = 0; i < copies->count; i++) {
                copies->made[i]->record.prop.status = status;
                if (count > 0)
                        copies->made[i]->record.prop.snapshots_count = (int32_t)count;
        }
}

int copies_created(struct copies *copies, struct vss_error *reterr) {
        for (size_t i = 0; i < copies->count; i++) {
                struct making *m = copies->made[i];
                int r;

                m->record.prop.status = VSS_SS_CREATED;
                r = record_write(m->folder, &m->record);
                if (r < 0)
                        return fail_errno(reterr, r, "cannot write the record in '%s/%s'", m->place,
                                          m->name);
        }
        forget_set(copies);
        return 0;
}

void copies_abort(struct copies *copies, const struct vss_id *set) {
        struct copy_list list;

        if (vss_id_equal(&copies->set, set))
                forget_set(copies);
        if (vss_id_is_null(set) || places_collect(copies, &list) < 0)
                return;
        for (size_t i = 0; i < list.count; i++) {
                const struct vss_snapshot_prop *p = &list.items[i].record.prop;
                _cleanup_free_ char *folder = NULL;

                if (!vss_id_equal(&p->snapshot_set_id, set) || p->status == VSS_SS_CREATED)
                        continue;
                if (asprintf(&folder, "%s/%s", list.items[i].place, list.items[i].name) >= 0)
                        (void)mounts_using(folder, true);
                (void)places_remove(copies->kind, list.items[i].place, list.items[i].name,
                                    &list.items[i].record, true);
        }
        copy_list_done(&list);
}

/* set_lives() - does a process work on this set? Ours may just be writing what it collected */
static bool set_lives(const struct copies *copies, const struct copy_list *list,
                      const struct vss_id *set) {
        bool living = vss_id_equal(&copies->set, set);

        for (size_t i = 0; i < list->count; i++)
                living = living || (list->items[i].living &&
                                    vss_id_equal(&list->items[i].record.prop.snapshot_set_id, set));
        return living;
}

static void sweep_one(const struct copies *copies, const struct copy_list *list,
                      const struct copy *copy) {
        const struct vss_snapshot_prop *p = &copy->record.prop;

        if ((p->status == VSS_SS_CREATED && !record_is_outlived(&copy->record)) ||
            (p->status != VSS_SS_DELETED && set_lives(copies, list, &p->snapshot_set_id)))
                return;
        (void)places_remove(copies->kind, copy->place, copy->name, &copy->record, false);
}

void copies_sweep(const struct copies *copies) {
        struct copy_list list;

        if (places_collect(copies, &list) < 0)
                return;
        /* those that a half-made one makes half-made go before it: it alone says so */
        for (size_t i = 0; i < list.count; i++)
                if (list.items[i].demoted)
                        sweep_one(copies, &list, &list.items[i]);
        for (size_t i = 0; i < list.count; i++)
                if (!list.items[i].demoted)
                        sweep_one(copies, &list, &list.items[i]);
        copy_list_done(&list);
}
