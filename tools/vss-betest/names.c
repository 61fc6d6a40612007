/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * names.c - from the words of a script to writers and components, and back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "betest.h"

bool writer_matches(const char *text, const struct vss_writer_identity *identity) {
        struct vss_id id;

        if (vss_id_parse(text, &id) >= 0)
                return vss_id_equal(&id, &identity->writer_id) ||
                       vss_id_equal(&id, &identity->instance_id);
        return strcasecmp(text, identity->name) == 0 ||
               (identity->instance_name && strcasecmp(text, identity->instance_name) == 0);
}

static bool same(const char *a, const char *b) {
        return strcmp(a ? a : "", b ? b : "") == 0;
}

void chosen_done(struct chosen *chosen) {
        free((char *)(uintptr_t)chosen->key.logical_path);
        free((char *)(uintptr_t)chosen->key.name);
        memset(chosen, 0, sizeof(*chosen));
}

void forget_chosen(struct run *run) {
        for (size_t i = 0; i < run->chosen_count; i++)
                chosen_done(&run->chosen[i]);
        run->chosen_count = 0;
}

static int set_names(struct chosen *chosen, const char *path, const char *name) {
        chosen->key.logical_path = path && *path ? strdup(path) : NULL;
        chosen->key.name = strdup(name);
        if ((path && *path && !chosen->key.logical_path) || !chosen->key.name) {
                chosen_done(chosen);
                return -ENOMEM;
        }
        return 0;
}

/* the writer as it told about itself; false when none fits */
static bool find_told(struct run *run, const char *writer, struct vss_examine_writer_metadata **ret,
                      struct vss_writer_identity *ret_identity) {
        size_t count = 0;

        (void)vss_backup_components_get_writer_metadata_count(run->bc, &count, NULL);
        for (size_t i = 0; i < count; i++) {
                struct vss_id instance;

                if (vss_backup_components_get_writer_metadata(run->bc, i, &instance, ret, NULL) < 0)
                        continue;
                vss_examine_writer_metadata_get_identity(*ret, ret_identity);
                if (writer_matches(writer, ret_identity))
                        return true;
        }
        return false;
}

/* type and existence by what the writer declares */
static bool take_told(const struct vss_examine_writer_metadata *metadata, struct chosen *chosen) {
        size_t count = 0;

        vss_examine_writer_metadata_get_file_counts(metadata, NULL, NULL, &count);
        for (size_t i = 0; i < count; i++) {
                struct vss_component_info info;

                vss_wm_component_get_component_info(
                        vss_examine_writer_metadata_get_component(metadata, i), &info);
                if (same(info.name, chosen->key.name) &&
                    same(info.logical_path, chosen->key.logical_path)) {
                        chosen->key.type = info.type;
                        return true;
                }
        }
        return false;
}

/* walks the present document; the entry that @like names, or NULL */
struct vss_component *entry_of(struct run *run, const struct chosen *like) {
        size_t writers = 0;

        (void)vss_backup_components_get_writer_components_count(run->bc, &writers, NULL);
        for (size_t i = 0; i < writers; i++) {
                struct vss_writer_components *components;
                struct vss_id instance, class;

                if (vss_backup_components_get_writer_components(run->bc, i, &components, NULL) < 0)
                        continue;
                vss_writer_components_get_writer_info(components, &instance, &class);
                if (!vss_id_equal(&class, &like->key.writer_id) ||
                    (!run->is_restore && !vss_id_is_null(&like->instance) &&
                     !vss_id_equal(&instance, &like->instance)))
                        continue;
                for (size_t j = 0; j < vss_writer_components_get_component_count(components); j++) {
                        struct vss_component *c =
                                vss_writer_components_get_component(components, j);

                        if (same(vss_component_get_component_name(c), like->key.name) &&
                            same(vss_component_get_logical_path(c), like->key.logical_path))
                                return c;
                }
        }
        return NULL;
}

int find_component(struct run *run, const char *text, struct chosen *ret,
                   struct vss_error *reterr) {
        const char *colon = strchr(text, ':');
        _cleanup_free_ char *writer = NULL, *path = NULL;
        struct vss_examine_writer_metadata *metadata;
        struct vss_writer_identity identity;
        struct chosen chosen = { .key.type = VSS_CT_FILEGROUP };
        const struct vss_component *entry;
        const char *last;
        int r;

        if (!colon || !colon[1])
                return vss_fail(reterr, E_INVALIDARG,
                                "'%s' is no component: write WRITER:path\\name", text);
        writer = strndup(text, (size_t)(colon - text));
        last = strrchr(++colon, '\\');
        path = last ? strndup(colon, (size_t)(last - colon)) : NULL;
        if (!writer || (last && !path))
                return -ENOMEM;
        r = set_names(&chosen, path, last ? last + 1 : colon);
        if (r < 0)
                return r;
        if (find_told(run, writer, &metadata, &identity)) {
                chosen.key.writer_id = identity.writer_id;
                chosen.instance = identity.instance_id;
                (void)take_told(metadata, &chosen);
        } else if (vss_id_parse(writer, &chosen.key.writer_id) < 0) {
                chosen_done(&chosen);
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "no writer '%s' has answered; before gather_writer_metadata, or in "
                                "a restore without it, name it by its class id",
                                writer);
        } else {
                chosen.instance =
                        chosen.key.writer_id; /* nobody's, unless the script knows better */
        }
        entry = entry_of(run, &chosen);
        if (entry)
                chosen.key.type = vss_component_get_component_type(entry);
        *ret = chosen;
        return 0;
}

struct chosen *find_chosen(struct run *run, const struct chosen *like) {
        for (size_t i = 0; i < run->chosen_count; i++) {
                struct chosen *c = &run->chosen[i];

                if (vss_id_equal(&c->key.writer_id, &like->key.writer_id) &&
                    vss_id_equal(&c->instance, &like->instance) &&
                    same(c->key.name, like->key.name) &&
                    same(c->key.logical_path, like->key.logical_path))
                        return c;
        }
        return NULL;
}

int add_chosen(struct run *run, struct chosen *take_chosen) {
        if (ARRAY_RESERVE(&run->chosen, run->chosen_count, &run->chosen_capacity) < 0) {
                chosen_done(take_chosen);
                return -ENOMEM;
        }
        run->chosen[run->chosen_count++] = *take_chosen;
        memset(take_chosen, 0, sizeof(*take_chosen));
        return 0;
}

static bool is_wanted(char *const *writers, const struct vss_writer_identity *identity) {
        if (!writers || !*writers)
                return true;
        for (; *writers; writers++)
                if (writer_matches(*writers, identity))
                        return true;
        return false;
}

/* a component below a selectable one comes along with that and is never named (L-28, L-30) */
static int each_of_writer(struct run *run, const struct vss_examine_writer_metadata *metadata,
                          const struct vss_writer_identity *identity, explicit_t sink,
                          struct vss_error *reterr) {
        size_t count = 0;
        int r = 0;

        vss_examine_writer_metadata_get_file_counts(metadata, NULL, NULL, &count);
        for (size_t i = 0; r >= 0 && i < count; i++) {
                uint32_t kind = vss_examine_writer_metadata_classify(metadata, i);
                struct vss_component_info info;
                struct vss_component_key key;

                if (kind != VSS_COMPONENT_REQUIRED && kind != VSS_COMPONENT_OPTIONAL)
                        continue;
                vss_wm_component_get_component_info(
                        vss_examine_writer_metadata_get_component(metadata, i), &info);
                key = (struct vss_component_key){ .writer_id = identity->writer_id,
                                                  .type = info.type,
                                                  .logical_path = info.logical_path,
                                                  .name = info.name };
                r = sink(run, &identity->instance_id, &key, reterr);
        }
        return r;
}

int each_explicit(struct run *run, char *const *writers, explicit_t sink,
                  struct vss_error *reterr) {
        size_t count = 0;
        int r = vss_backup_components_get_writer_metadata_count(run->bc, &count, reterr);

        for (size_t i = 0; r >= 0 && i < count; i++) {
                struct vss_examine_writer_metadata *metadata;
                struct vss_writer_identity identity;
                struct vss_id instance;

                r = vss_backup_components_get_writer_metadata(run->bc, i, &instance, &metadata,
                                                              reterr);
                if (r < 0)
                        break;
                vss_examine_writer_metadata_get_identity(metadata, &identity);
                if (is_wanted(writers, &identity))
                        r = each_of_writer(run, metadata, &identity, sink, reterr);
        }
        return r;
}
