/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volumes.c - see volumes.h.
 */
#define _GNU_SOURCE
#include "backup/volumes.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

void volumes_done(struct used_volumes *volumes) {
        for (size_t i = 0; i < volumes->count; i++) {
                struct used_volume *v = &volumes->items[i];

                for (size_t k = 0; k < v->path_count; k++)
                        free(v->paths[k]);
                free(v->paths);
                free(v->id);
                free(v->mount_point);
                free(v->fs_type);
                free(v->provider);
                for (size_t k = 0; k < v->missing_count; k++)
                        free(v->missing[k].path);
                free(v->missing);
                if (v->copy_fd >= 0)
                        close(v->copy_fd);
        }
        free(volumes->items);
        memset(volumes, 0, sizeof(*volumes));
}

struct used_volume *volumes_find(const struct used_volumes *volumes, const char *path) {
        struct used_volume *best = NULL;

        for (size_t i = 0; i < volumes->count; i++) {
                struct used_volume *v = &volumes->items[i];

                if (path_is_below(path, v->mount_point) &&
                    (!best || strlen(v->mount_point) > strlen(best->mount_point)))
                        best = v;
        }
        return best;
}

static struct used_volume *find_by_id(struct used_volumes *volumes, const char *id) {
        for (size_t i = 0; i < volumes->count; i++)
                if (strcmp(volumes->items[i].id, id) == 0)
                        return &volumes->items[i];
        return NULL;
}

/* add_path() - one more thing to read; what a path above covers already is not repeated */
static int add_path(struct used_volume *volume, const char *path) {
        char *copy;

        for (size_t i = 0; i < volume->path_count; i++)
                if (path_is_below(path, volume->paths[i]))
                        return 0;
        /* room for the NULL at the end, too */
        if (ARRAY_RESERVE(&volume->paths, volume->path_count + 1, &volume->path_capacity) < 0)
                return -ENOMEM;
        copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        volume->paths[volume->path_count++] = copy;
        volume->paths[volume->path_count] = NULL;
        return 0;
}

static int add_volume(struct used_volumes *volumes, const struct vss_volume *volume,
                      const char *provider, struct used_volume **ret) {
        struct used_volume *v = find_by_id(volumes, volume->id);

        if (v) {
                *ret = v;
                return 0;
        }
        if (ARRAY_RESERVE(&volumes->items, volumes->count, &volumes->capacity) < 0)
                return -ENOMEM;
        v = &volumes->items[volumes->count];
        *v = (struct used_volume){ .id = strdup(volume->id),
                                   .mount_point = strdup(volume->mount_point),
                                   .fs_type = strdup(volume->fs_type),
                                   .provider = strdup(provider ? provider : ""),
                                   .copy_fd = -1 };
        volumes->count++;
        *ret = v;
        return v->id && v->mount_point && v->fs_type && v->provider ? 0 : -ENOMEM;
}

/* The questions, and what has come of them so far */
struct collecting {
        struct used_volumes *volumes;
        struct selection *notes;
        struct vss_path_question *questions;
        size_t count;
        size_t current; /* being answered; count: none yet */
        char *refusal; /* of the volume that holds the path of the first question refused */
        size_t refused;
};

static int collect_volume(void *userdata, size_t question, const struct vss_volume *volume,
                          const char *provider, const char *refusal) {
        struct collecting *c = userdata;
        const char *path = c->questions[question].path;
        bool holder = c->current != question;
        struct used_volume *v;
        int r;

        c->current = question;
        if (c->refusal)
                return 0;
        if (refusal && holder) {
                c->refused = question;
                c->refusal = strdup(refusal);
                return c->refusal ? 0 : -ENOMEM;
        }
        if (refusal) {
                selection_note(c->notes, "'%s' below '%s' is left out: %s", volume->mount_point,
                               path, refusal);
                return 0;
        }
        r = add_volume(c->volumes, volume, provider, &v);
        return r < 0 ? r : add_path(v, holder ? path : volume->mount_point);
}

static int collect_all(struct vss_backup_components *bc, struct collecting *c,
                       struct vss_error *reterr) {
        _cleanup_free_ char *refusal = NULL;
        int r = vss_backup_components_resolve_paths(bc, c->questions, c->count, collect_volume, c,
                                                    NULL, reterr);

        refusal = c->refusal;
        if (r >= 0 && refusal)
                r = vss_fail(reterr, VSS_E_VOLUME_NOT_SUPPORTED,
                             "no shadow copy can be made of the volume that holds '%s': %s",
                             c->questions[c->refused].path, refusal);
        return r;
}

/* parents before what is below them; of equal paths the one that asks for more */
static int by_path(const void *a, const void *b) {
        const struct plan_item *x = *(const struct plan_item *const *)a;
        const struct plan_item *y = *(const struct plan_item *const *)b;
        int order = strcmp(plan_reads(x), plan_reads(y));

        return order ? order : y->recursive - x->recursive;
}

/* list_questions() - each path once; components like to share folders */
static void list_questions(const struct plan *plan, const struct plan_item **items,
                           struct collecting *c) {
        size_t count = 0;

        for (size_t i = 0; i < plan->count; i++)
                if (plan_needs_snapshot(plan, &plan->items[i]))
                        items[count++] = &plan->items[i];
        qsort(items, count, sizeof(*items), by_path);
        for (size_t i = 0; i < count; i++)
                if (i == 0 || strcmp(plan_reads(items[i - 1]), plan_reads(items[i])) != 0)
                        c->questions[c->count++] =
                                (struct vss_path_question){ plan_reads(items[i]),
                                                            items[i]->recursive };
        c->current = c->count;
}

int volumes_collect(struct vss_backup_components *bc, const struct plan *plan,
                    struct selection *notes, struct used_volumes *ret, struct vss_error *reterr) {
        _cleanup_free_ const struct plan_item **items = calloc(plan->count + 1, sizeof(*items));
        _cleanup_free_ struct vss_path_question *questions =
                calloc(plan->count + 1, sizeof(*questions));
        struct used_volumes volumes = { 0 };
        struct collecting c = { .volumes = &volumes, .notes = notes, .questions = questions };
        int r = -ENOMEM;

        if (items && questions) {
                list_questions(plan, items, &c);
                r = collect_all(bc, &c, reterr);
        }
        if (r < 0) {
                volumes_done(&volumes);
                return r;
        }
        *ret = volumes;
        return 0;
}

/* name_of_provider() - the caller frees it; NULL: no such provider, or no memory */
static char *name_of_provider(struct vss_backup_components *bc, const struct vss_id *id) {
        struct vss_enum_object *cursor = NULL;
        struct vss_object_prop prop;
        char *name = NULL;
        size_t fetched;

        if (vss_backup_components_query(bc, VSS_OBJECT_PROVIDER, &cursor, NULL) < 0)
                return NULL;
        while (!name && vss_enum_object_next(cursor, 1, &prop, &fetched) == 0 && fetched == 1)
                if (vss_id_equal(&prop.obj.prov.provider_id, id))
                        name = strdup(prop.obj.prov.name);
        vss_enum_object_free(cursor);
        return name;
}

int volumes_choose_provider(struct vss_backup_components *bc, const struct vss_id *provider,
                            struct used_volumes *volumes, struct vss_error *reterr) {
        _cleanup_free_ char *name = name_of_provider(bc, provider);

        for (size_t i = 0; i < volumes->count; i++) {
                struct used_volume *v = &volumes->items[i];
                bool supported;
                int r = vss_backup_components_is_volume_supported(bc, provider, v->id, &supported,
                                                                  reterr);

                if (r >= 0 && !supported)
                        r = VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER;
                if (r < 0)
                        return vss_wrap(reterr, r, "volume '%s'", v->mount_point);
                free(v->provider);
                v->provider = strdup(name ? name : "the provider named");
                if (!v->provider)
                        return vss_fail(reterr, -ENOMEM, "out of memory");
        }
        return 0;
}

int volumes_add_to_set(struct vss_backup_components *bc, struct used_volumes *volumes,
                       const struct vss_id *provider, struct vss_error *reterr) {
        for (size_t i = 0; i < volumes->count; i++) {
                struct used_volume *v = &volumes->items[i];
                int r = vss_backup_components_add_to_snapshot_set(bc, v->id, provider,
                                                                  (const char *const *)v->paths,
                                                                  &v->snapshot_id, reterr);

                if (r < 0)
                        return vss_wrap(reterr, r, "volume '%s'", v->mount_point);
        }
        return 0;
}

static void decode_percent(char *text) {
        char *to = text;
        unsigned byte;

        while (*text)
                if (sscanf(text, "%%%2X", &byte) == 1 && byte) {
                        *to++ = (char)byte;
                        text += 3;
                } else
                        *to++ = *text++;
        *to = '\0';
}

static int errno_from_name(const char *name) {
        for (int code = 1; code < 256; code++) {
                const char *known = strerrorname_np(code);

                if (known && strcmp(known, name) == 0)
                        return -code;
        }
        return -EIO;
}

static int add_missing(struct used_volume *v, char *line) {
        char *path = strchr(line, ' ');
        struct missing_name *m;

        if (!path)
                return 0;
        *path++ = '\0';
        path += strspn(path, "/"); /* it counts from the volume's root */
        decode_percent(path);
        if (ARRAY_RESERVE(&v->missing, v->missing_count, &v->missing_capacity) < 0)
                return -ENOMEM;
        m = &v->missing[v->missing_count];
        m->code = errno_from_name(line);
        m->path = path_join(v->mount_point, path + strspn(path, "/"));
        if (!m->path)
                return -ENOMEM;
        v->missing_count++;
        return 0;
}

static int read_missing(struct used_volume *v, struct vss_error *reterr) {
        _cleanup_free_ char *text = NULL;
        char *rest, *line;
        int r = read_whole_file(v->copy_fd, "../problems", SIZE_MAX / 2, &text, NULL);

        if (r == -ENOENT)
                return 0;
        for (rest = text; r >= 0 && (line = strsep(&rest, "\n"));)
                r = add_missing(v, line);
        return r < 0 ? vss_fail(reterr, r, "cannot read what the shadow copy of '%s' lacks: %s",
                                v->mount_point, strerror(-r))
                     : 0;
}

int volumes_open_copies(struct vss_backup_components *bc, struct used_volumes *volumes,
                        struct vss_error *reterr) {
        for (size_t i = 0; i < volumes->count; i++) {
                struct used_volume *v = &volumes->items[i];
                struct vss_snapshot_prop prop = { 0 };
                int r = vss_backup_components_get_snapshot_properties(bc, &v->snapshot_id, &prop,
                                                                      reterr);

                if (r < 0)
                        return vss_wrap(reterr, r, "shadow copy of '%s'", v->mount_point);
                v->copy_fd = open(prop.device_object, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                r = v->copy_fd < 0 ? vss_fail(reterr, -errno,
                                              "cannot open the shadow copy of '%s' at '%s': %s",
                                              v->mount_point, prop.device_object, strerror(errno))
                                   : 0;
                /* a full copy has inodes of its own; only a differential one shows the originals'
                 */
                v->preserves_inodes = prop.attributes & VSS_VOLSNAP_ATTR_DIFFERENTIAL;
                v->instant = prop.creation_timestamp;
                if (r >= 0 && prop.attributes & VSS_VOLSNAP_ATTR_PLEX)
                        r = read_missing(v, reterr);
                vss_free_snapshot_properties(&prop);
                if (r < 0)
                        return r;
        }
        return 0;
}

int volumes_check_copies(struct vss_backup_components *bc, const struct used_volumes *volumes,
                         struct vss_error *reterr) {
        for (size_t i = 0; i < volumes->count; i++) {
                const struct used_volume *v = &volumes->items[i];
                struct vss_snapshot_prop prop = { 0 };
                int r = vss_backup_components_get_snapshot_properties(bc, &v->snapshot_id, &prop,
                                                                      reterr);

                vss_free_snapshot_properties(&prop);
                if (r == VSS_E_OBJECT_NOT_FOUND)
                        r = VSS_E_UNEXPECTED_PROVIDER_ERROR; /* not a mistake of the caller */
                if (r < 0)
                        return vss_wrap(reterr, r,
                                        "the shadow copy of '%s' did not stand until all of it was "
                                        "read; begin the backup again",
                                        v->mount_point);
        }
        return 0;
}
