/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dependencies.c - a help for requesters: what the selected components depend on is selected
 * too, until nothing is missing or what is missing is not there. Nothing here is done unasked, and
 * in which order the writers work does not follow from it.
 */
#define _GNU_SOURCE
#include "requester/inside.h"

#include <stdio.h>

struct search {
        struct vss_backup_components *bc;
        size_t added;
        char *missing; /* words, or NULL */
};

static struct gathered *find_declaring(struct vss_backup_components *bc, const struct vss_id *class,
                                       const char *path, const char *name, size_t *ret_index) {
        for (size_t i = 0; i < bc->writer_count; i++) {
                struct gathered *writer = &bc->writers[i];

                if (vss_id_equal(&writer->identity.writer_id, class) &&
                    bc_find_declared(writer, path, name, ret_index))
                        return writer;
        }
        return NULL;
}

static int note_missing(struct search *s, const char *name, const char *why) {
        _cleanup_free_ char *before = take(s->missing);

        return asprintf(&s->missing, "%s%s'%s' %s", before ? before : "", before ? "; " : "", name,
                        why) < 0
                       ? -ENOMEM
                       : 0;
}

/* its own entry, or the one that it came along with */
static int select_entry(struct search *s, struct vss_component *entry, const char *path,
                        const char *name, struct vss_error *reterr) {
        struct vss_component_key key = { .type = vss_component_get_component_type(entry),
                                         .logical_path = vss_component_get_logical_path(entry),
                                         .name = vss_component_get_component_name(entry) };
        int r;

        vss_writer_components_get_writer_info(component_get_owner(entry), NULL, &key.writer_id);
        if (vss_component_is_selected_for_restore(entry)) /* only in part */
                r = vss_backup_components_add_restore_subcomponent(s->bc, &key, path ? path : "",
                                                                   name, reterr);
        else
                r = vss_backup_components_set_selected_for_restore(s->bc, &key, true, NULL, reterr);
        s->added += r >= 0;
        return r;
}

static int follow(struct search *s, const struct vss_wm_dependency *dependency, bool tell,
                  struct vss_error *reterr) {
        struct vss_id class = vss_wm_dependency_get_writer_id(dependency);
        const char *path = vss_wm_dependency_get_logical_path(dependency);
        const char *name = vss_wm_dependency_get_component_name(dependency);
        struct vss_component *entry;
        size_t index;
        struct gathered *writer = find_declaring(s->bc, &class, path, name, &index);

        if (!writer)
                return tell ? note_missing(s, name, "is of a writer that does not run") : 0;
        if (bcd_is_restored(s->bc->bcd, writer->metadata, index))
                return 0;
        entry = bcd_get_entry_of(s->bc->bcd, writer->metadata, index);
        if (!entry)
                return tell ? note_missing(s, name, "is not in this backup") : 0;
        return select_entry(s, entry, path, name, reterr);
}

/* one pass over everything that is restored as things are selected now */
static int pass(struct search *s, bool tell, struct vss_error *reterr) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < s->bc->writer_count; i++) {
                const struct vss_examine_writer_metadata *md = s->bc->writers[i].metadata;
                const struct vss_wm_component *c;

                for (size_t k = 0; r >= 0 && (c = vss_examine_writer_metadata_get_component(md, k));
                     k++) {
                        const struct vss_wm_dependency *d;

                        if (!bcd_is_restored(s->bc->bcd, md, k))
                                continue;
                        for (size_t n = 0; r >= 0 && (d = vss_wm_component_get_dependency(c, n));
                             n++)
                                r = follow(s, d, tell, reterr);
                }
        }
        return r;
}

int vss_backup_components_select_dependencies(struct vss_backup_components *bc, size_t *ret_added,
                                              struct vss_error *reterr) {
        struct search s = { .bc = bc };
        size_t before;
        int r = bc_check(bc, STATE_RESTORE_GATHERED, "SelectDependencies", reterr);

        if (r < 0)
                return r;
        do {
                before = s.added;
                r = pass(&s, false, reterr);
        } while (r >= 0 && s.added > before);
        if (r >= 0)
                r = pass(&s, true, reterr);
        if (r >= 0 && s.missing)
                r = vss_fail(reterr, S_FALSE, "what is restored depends on more: %s", s.missing);
        free(s.missing);
        if (ret_added)
                *ret_added = s.added;
        return r;
}
