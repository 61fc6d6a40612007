/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fragments.c - the Backup Components Document's way to the writers and back: each gets its own
 * part, sealed, and what it made of it is taken over only as far as it may change it.
 */
#define _GNU_SOURCE
#include "requester/inside.h"

#include <string.h>

#include "base/array.h"
#include "base/memfd.h"

static bool is_restore(const struct vss_backup_components *bc) {
        return bc->state & STATE_ANY_RESTORE;
}

/* ---- whose part is whose ---- */

/* choose_living() - who gets @part. Return: 1 and *ret, 0 nobody, VSS_E_OBJECT_NOT_FOUND */
static int choose_living(struct vss_backup_components *bc, struct vss_writer_components *part,
                         enum operation_kind kind, struct gathered **ret, struct vss_error *words) {
        struct vss_id instance, class_id;
        char text[VSS_ID_TEXT_SIZE];
        int r = 1;

        vss_writer_components_get_writer_info(part, &instance, &class_id);
        if (is_restore(bc))
                r = bc_choose_restoring(bc, part, kind == OPERATION_POST_RESTORE, ret, words);
        else if (!(*ret = bc_find_writer(bc, &instance)))
                return vss_fail(words, VSS_E_OBJECT_NOT_FOUND,
                                "writer %s has components here but does not run: start it",
                                vss_id_format(&class_id, text));
        if (r <= 0)
                return r;
        if (!vss_id_is_null(&(*ret)->stored_instance) &&
            !vss_id_equal(&(*ret)->stored_instance, &instance))
                return vss_fail(words, VSS_E_OBJECT_NOT_FOUND,
                                "writer '%s' stands for two instances of the backup: restore them "
                                "one after the other",
                                (*ret)->identity.name);
        (*ret)->stored_instance = instance;
        return 1;
}

/* ---- out ---- */

static int append_fragment(struct vss_backup_components *bc, sd_bus_message *m,
                           const struct gathered *writer, struct vss_error *reterr) {
        _cleanup_free_ char *xml = NULL;
        _cleanup_close_ int fd = -1;
        size_t size;
        int r = bcd_fragment(bc->bcd, &writer->stored_instance, &xml, &size, reterr);

        if (r < 0)
                return r;
        fd = memfd_new_sealed("vss-components", xml, size);
        if (fd < 0)
                return vss_fail(reterr, fd, "cannot write the components of writer '%s' to memory",
                                writer->identity.name);
        r = sd_bus_message_open_container(m, 'r', "sh");
        if (r >= 0)
                r = wire_append_id(m, &writer->identity.instance_id);
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 'h', &fd); /* duplicates it */
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? vss_fail(reterr, r, "cannot send the components of writer '%s'",
                                writer->identity.name)
                     : 0;
}

struct recipients {
        const struct gathered **items;
        size_t count, capacity;
};

/* choose_recipients() - not selected: everybody takes part, nobody has components (B-30, B-59).
 * Warnings of a success are left in @words */
static int choose_recipients(struct vss_backup_components *bc, enum operation_kind kind,
                             struct recipients *ret, struct vss_error *words) {
        struct vss_writer_components *part;
        struct bcd_state state;

        bcd_get_state(bc->bcd, &state);
        for (size_t i = 0; state.select_components && (part = bcd_get_writer(bc->bcd, i)); i++) {
                struct gathered *writer;
                int r = choose_living(bc, part, kind, &writer, words);

                if (r < 0)
                        return r;
                if (r == 0)
                        continue;
                if (ARRAY_RESERVE(&ret->items, ret->count, &ret->capacity) < 0)
                        return vss_fail(words, -ENOMEM, "no memory for the list of writers");
                ret->items[ret->count++] = writer;
        }
        return 0;
}

/* the service logs what was noted since the last event */
static int append_warnings(struct vss_backup_components *bc, sd_bus_message *m) {
        const struct wire_restore_options options = { .warnings = bc->unlogged };

        return wire_append(m, &wire_restore_options, &options);
}

static int send_fragments(struct vss_backup_components *bc, const char *member,
                          const struct gathered *const *writers, size_t count, sd_bus_message **ret,
                          struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *m = NULL;
        bool warn = ret && is_restore(bc);
        int r = bc_new_call(bc, member, &m, reterr);

        if (r < 0)
                return r;
        if (sd_bus_message_open_container(m, 'a', "(sh)") < 0)
                return vss_fail(reterr, -ENOMEM, "cannot write a message");
        for (size_t i = 0; i < count; i++) {
                r = append_fragment(bc, m, writers[i], reterr);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_close_container(m);
        if (!warn)
                return bc_send(bc, m, r, ret, reterr);
        return bc_send_complete(bc, m, r < 0 ? r : append_warnings(bc, m), ret, reterr);
}

int bc_start_with_fragments(struct vss_backup_components *bc, enum operation_kind kind,
                            const char *member, struct vss_async **ret, struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_error_ struct vss_error words = VSS_ERROR_INIT;
        struct recipients to = { 0 };
        size_t sent = 0;
        int r = choose_recipients(bc, kind, &to, &words);

        if (r < 0)
                vss_error_move(reterr, &words);
        for (; r >= 0 && to.count - sent > VSS_DOCUMENTS_MAX; sent += VSS_DOCUMENTS_MAX)
                r = send_fragments(bc, "GiveDocuments", to.items + sent, VSS_DOCUMENTS_MAX, NULL,
                                   reterr);
        if (r >= 0)
                r = send_fragments(bc, member, to.items + sent, to.count - sent, &reply, reterr);
        free(to.items);
        if (r >= 0)
                r = bc_begin(bc, kind, reply, ret, reterr);
        if (r < 0)
                return r;
        (*ret)->warnings = take(words.message);
        free(bc->unlogged);
        bc->unlogged = NULL;
        return 0;
}

/* ---- and back ---- */

static int merge(struct vss_backup_components *bc, struct gathered *writer, int fd,
                 enum component_event event, struct vss_error *reterr) {
        _cleanup_free_ char *xml = NULL;
        size_t size;
        int r = memfd_read(fd, VSS_DOCUMENT_SIZE_MAX, &xml, &size);

        if (r < 0)
                return vss_fail(reterr, r, "its components are no sealed memory file");
        return bcd_merge(bc->bcd, &writer->stored_instance, event, BCD_MERGE_ALL, xml, size,
                         writer->metadata, reterr);
}

struct taking {
        enum component_event event;
        uint32_t spoiled_state;
};

/* A writer that lies fails alone: its words are refused and its components cannot succeed. */
static int take_fragment(struct vss_backup_components *bc, sd_bus_message *m, void *userdata,
                         struct vss_error *warnings) {
        const struct taking *taking = userdata;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct gathered *writer;
        struct vss_id instance;
        int fd, r = wire_read_id(m, &instance);

        if (r >= 0)
                r = sd_bus_message_read_basic(m, 'h', &fd);
        if (r < 0)
                return r;
        writer = bc_find_writer(bc, &instance);
        if (!writer || vss_id_is_null(&writer->stored_instance))
                return 0; /* of nobody whom we gave anything */
        r = merge(bc, writer, fd, taking->event, &error);
        if (r < 0) {
                vss_wrap(&error, r, "what writer '%s' made of its components is refused",
                         writer->identity.name);
                bc_spoil(writer, taking->spoiled_state, vss_error_message(&error));
                vss_error_clear(warnings);
                vss_error_move(warnings, &error);
        }
        return r == -ENOMEM ? r : 0;
}

int bc_take_fragments(struct vss_backup_components *bc, enum component_event event,
                      uint32_t spoiled_state, struct vss_error *reterr) {
        struct taking taking = { event, spoiled_state };

        return bc_each_document(bc, "GetWriterComponents", "sh", take_fragment, &taking, reterr);
}
