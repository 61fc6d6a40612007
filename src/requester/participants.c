/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * participants.c - who takes part in a restore (restore-protocol 3 and 4): which living writer
 * stands for one of the document, which of the two events it wants, and what was forgotten.
 */
#define _GNU_SOURCE
#include "requester/inside.h"

#include <string.h>

static struct vss_component_key key_of(const struct vss_component *c, const struct vss_id *class) {
        return (struct vss_component_key){ .writer_id = *class,
                                           .type = vss_component_get_component_type(c),
                                           .logical_path = vss_component_get_logical_path(c),
                                           .name = vss_component_get_component_name(c) };
}

/* ---- which living one ---- */

static uint32_t wanted_events(const struct gathered *writer) {
        struct vss_restore_method method;

        return vss_examine_writer_metadata_get_restore_method(writer->metadata, &method) == 0
                       ? method.writer_restore
                       : VSS_WRE_ALWAYS;
}

static bool has_name(const struct gathered *writer, const char *name) {
        const char *own = writer->identity.instance_name;

        return strcmp(own ? own : "", name ? name : "") == 0;
}

enum { WANTS = 1, DECLARES = 2, NAMED = 4 };

/* the name it had at backup; components are unique over the instances of a class (M-13), so
 * then who declares this one; else the earliest that wants to hear of restores */
static int claim_of(const struct gathered *writer, const struct wanted *wanted) {
        return (has_name(writer, wanted->instance_name) ? NAMED : 0) |
               (bc_declares(writer, wanted->logical_path, wanted->name) ? DECLARES : 0) |
               (wanted_events(writer) != VSS_WRE_NEVER ? WANTS : 0);
}

struct gathered *bc_find_living(struct vss_backup_components *bc, const struct wanted *wanted) {
        struct gathered *best = NULL;
        size_t count = 0;
        int claim = -1;

        for (size_t i = 0; i < bc->writer_count; i++) {
                struct gathered *writer = &bc->writers[i];

                if (!vss_id_equal(&writer->identity.writer_id, wanted->class_id))
                        continue;
                count++;
                if (claim_of(writer, wanted) <= claim)
                        continue;
                claim = claim_of(writer, wanted);
                best = writer;
        }
        if (count > 1 && wanted->tell)
                bc_note(bc,
                        "component '%s' goes to instance '%s' of writer '%s': of %zu that run it "
                        "is "
                        "%s",
                        wanted->name, best->identity.instance_name, best->identity.name, count,
                        claim & NAMED      ? "the one with the name it had at backup"
                        : claim & DECLARES ? "the one that declares it"
                                           : "the earliest that wants to hear of it");
        return best;
}

struct gathered *bc_find_by_key(struct vss_backup_components *bc,
                                const struct vss_component_key *key) {
        struct vss_component *c = bcd_get_component(bc->bcd, key);

        return bc_find_living(
                bc, &(struct wanted){ .class_id = &key->writer_id,
                                      .instance_name = c ? writer_components_get_instance_name(
                                                                   component_get_owner(c))
                                                         : NULL,
                                      .logical_path = key->logical_path,
                                      .name = key->name });
}

static struct vss_component *first_selected(struct vss_writer_components *part) {
        size_t count = vss_writer_components_get_component_count(part);

        for (size_t i = 0; i < count; i++) {
                struct vss_component *c = vss_writer_components_get_component(part, i);

                if (vss_component_is_selected_for_restore(c))
                        return c;
        }
        return NULL;
}

/* Instance ids change at each start of a writer (M-10): the document's is not the living one's. */
static struct gathered *find_living(struct vss_backup_components *bc,
                                    struct vss_writer_components *part,
                                    const struct vss_id *class_id, bool tell) {
        size_t count = vss_writer_components_get_component_count(part);
        struct vss_component *first = first_selected(part);

        for (size_t i = 0; i < count; i++) {
                struct vss_component *c = vss_writer_components_get_component(part, i);
                struct vss_component_key key = key_of(c, class_id);
                struct vss_id chosen = bcd_get_selected_instance(bc->bcd, &key);

                if (vss_component_is_selected_for_restore(c) && !vss_id_is_null(&chosen))
                        return bc_find_writer(bc, &chosen);
        }
        return bc_find_living(
                bc, &(struct wanted){ .class_id = class_id,
                                      .instance_name = writer_components_get_instance_name(part),
                                      .logical_path = vss_component_get_logical_path(first),
                                      .name = vss_component_get_component_name(first),
                                      .tell = tell });
}

/* ---- which event ---- */

/* replace_failed() - R-34: something did not go where it came from, as far as is known here */
static bool replace_failed(struct vss_writer_components *part) {
        size_t count = vss_writer_components_get_component_count(part);

        for (size_t i = 0; i < count; i++) {
                const struct vss_component *c = vss_writer_components_get_component(part, i);

                if (vss_component_is_selected_for_restore(c) &&
                    (vss_component_get_file_restore_status(c) != VSS_RS_ALL ||
                     vss_component_get_alternate_location_mapping_count(c) > 0))
                        return true;
        }
        return false;
}

static bool wants_post_restore(const struct gathered *writer, struct vss_writer_components *part) {
        struct vss_restore_method method;

        if (wanted_events(writer) != VSS_WRE_IF_REPLACE_FAILS)
                return true;
        (void)vss_examine_writer_metadata_get_restore_method(writer->metadata, &method);
        return (method.method == VSS_RME_RESTORE_IF_NOT_THERE ||
                method.method == VSS_RME_RESTORE_IF_CAN_REPLACE) &&
               replace_failed(part);
}

/* ---- what was forgotten ---- */

static void tell_contradiction(void *userdata, const struct vss_component *c, const char *call,
                               const char *option, const char *value) {
        struct warned *warned = userdata;

        bc_warn(warned->bc, warned->words,
                "component '%s': %s was called, so \"%s\"=\"%s\" of its restore options does not "
                "count (R-45)",
                vss_component_get_component_name(c), call, option, value);
}

/* they come up together or not at all */
static void tell_required(struct warned *warned, const struct gathered *writer,
                          struct vss_writer_components *part) {
        const struct vss_wm_component *declared;
        struct vss_id class_id;

        vss_writer_components_get_writer_info(part, NULL, &class_id);
        for (size_t i = 0;
             (declared = vss_examine_writer_metadata_get_component(writer->metadata, i)); i++) {
                struct vss_component_info info;
                struct vss_component_key key = { .writer_id = class_id };
                struct vss_component *c;

                vss_wm_component_get_component_info(declared, &info);
                key.type = info.type;
                key.logical_path = info.logical_path;
                key.name = info.name;
                c = bcd_get_component(warned->bc->bcd, &key);
                if (c && component_get_owner(c) == part &&
                    vss_examine_writer_metadata_classify(writer->metadata, i) ==
                            VSS_COMPONENT_REQUIRED &&
                    !vss_component_is_selected_for_restore(c))
                        bc_warn(warned->bc, warned->words,
                                "component '%s' of writer '%s' is not selected, but belongs to "
                                "every restore of it: select it too (R-26)",
                                info.name, writer->identity.name);
        }
}

static void tell_all(struct warned *warned, const struct gathered *writer,
                     struct vss_writer_components *part) {
        size_t count = vss_writer_components_get_component_count(part);

        tell_required(warned, writer, part);
        for (size_t i = 0; i < count; i++) {
                struct vss_component *c = vss_writer_components_get_component(part, i);

                if (vss_component_is_selected_for_restore(c))
                        (void)bcd_each_contradiction(c, tell_contradiction, warned);
        }
}

int bc_choose_restoring(struct vss_backup_components *bc, struct vss_writer_components *part,
                        bool post, struct gathered **ret, struct vss_error *words) {
        struct warned warned = { bc, words };
        char text[VSS_ID_TEXT_SIZE];
        struct vss_id class_id;

        vss_writer_components_get_writer_info(part, NULL, &class_id);
        if (!first_selected(part)) /* */
                return 0;
        *ret = find_living(bc, part, &class_id, !post);
        if (!*ret)
                return vss_fail(words, VSS_E_OBJECT_NOT_FOUND,
                                "writer %s has components here but does not run: start it",
                                vss_id_format(&class_id, text));
        if (!post)
                tell_all(&warned, *ret, part);
        if (wanted_events(*ret) == VSS_WRE_NEVER) { /* */
                if (!post)
                        bc_warn(bc, words,
                                "writer '%s' takes part in no restore, so it will not hear of this "
                                "one: restore its files without selecting it",
                                (*ret)->identity.name);
                return 0;
        }
        return !post || wants_post_restore(*ret, part);
}
