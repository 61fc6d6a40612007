/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * writer.c - a writer from its ops: checks, configuration, load, release.
 */
#define _GNU_SOURCE
#include "writer/writer.h"

#include <string.h>

#include "documents/create-metadata.h"

enum { FREEZE_TIMEOUT_DEFAULT_MS = 60000 }; /* B-47 */

static int check_numbers(const struct vss_writer_ops *ops, struct vss_error *reterr) {
        if (vss_id_is_null(&ops->id))
                return vss_fail(reterr, E_INVALIDARG,
                                "writer '%s' has no id: give it one in vss_writer_ops.id",
                                ops->name);
        if (ops->usage < VSS_UT_BOOTABLESYSTEMSTATE || ops->usage > VSS_UT_OTHER)
                return vss_fail(reterr, E_INVALIDARG,
                                "writer '%s': usage %u is none of enum vss_usage_type", ops->name,
                                ops->usage);
        if (ops->source < VSS_ST_TRANSACTEDDB || ops->source > VSS_ST_OTHER)
                return vss_fail(reterr, E_INVALIDARG,
                                "writer '%s': source %u is none of enum vss_source_type", ops->name,
                                ops->source);
        if (ops->level > VSS_APP_SYSTEM_RM)
                return vss_fail(reterr, E_INVALIDARG,
                                "writer '%s': level %u is none of enum vss_application_level",
                                ops->name, ops->level);
        return 0;
}

static int check_ops(const struct vss_writer_ops *ops, struct vss_error *reterr) {
        if (!ops->name || !*ops->name)
                return vss_fail(reterr, E_INVALIDARG,
                                "the writer has no name: set vss_writer_ops.name");
        if (ops->api != VSS_WRITER_API)
                return vss_fail(reterr, E_INVALIDARG,
                                "writer '%s' is built for API %u, this library has %u: rebuild it",
                                ops->name, ops->api, VSS_WRITER_API);
        if (!ops->identify)
                return vss_fail(reterr, E_INVALIDARG,
                                "writer '%s' lacks the required operation 'identify'", ops->name);
        /* who can hold must be able to let go (B-44, B-75) */
        if (ops->freeze && !ops->thaw)
                return vss_fail(reterr, E_INVALIDARG, "writer '%s' has 'freeze' but lacks 'thaw'",
                                ops->name);
        if ((ops->freeze || ops->prepare_snapshot) && !ops->abort)
                return vss_fail(reterr, E_INVALIDARG,
                                "writer '%s' prepares or freezes but lacks 'abort'", ops->name);
        return check_numbers(ops, reterr);
}

static void fill_defaults(struct vss_writer_ops *ops) {
        if (ops->level == VSS_APP_UNKNOWN)
                ops->level = VSS_APP_FRONT_END;
        if (ops->freeze_timeout_ms == 0)
                ops->freeze_timeout_ms = FREEZE_TIMEOUT_DEFAULT_MS;
}

/* What a writer learnt from its settings: version_major to freeze_timeout_ms lie in one piece,
 * in every size of the struct that writer_new() takes. */
static int take_identity(struct vss_writer *writer, struct vss_error *reterr) {
        const size_t begin = offsetof(struct vss_writer_ops, version_major),
                     end = offsetof(struct vss_writer_ops, configure);

        if (!writer->given)
                return 0;
        memcpy((char *)&writer->ops + begin, (const char *)writer->given + begin, end - begin);
        fill_defaults(&writer->ops);
        return check_numbers(&writer->ops, reterr);
}

int writer_new(const struct vss_writer_ops *ops, struct vss_writer **ret,
               struct vss_error *reterr) {
        struct vss_writer *writer;
        size_t size;
        int r;

        if (!ops || ops->size < offsetof(struct vss_writer_ops, configure))
                return vss_fail(reterr, E_INVALIDARG,
                                "the writer's operations are not registered: use VSS_WRITER()");
        writer = calloc(1, sizeof(*writer));
        if (!writer)
                return vss_fail(reterr, -ENOMEM, "no memory for the writer");
        size = ops->size < sizeof(writer->ops) ? ops->size : sizeof(writer->ops);
        memcpy(&writer->ops, ops, size);
        writer->event_flags = VSS_SM_ALL_FLAGS;

        r = check_ops(&writer->ops, reterr);
        if (r < 0) {
                free(writer);
                return r;
        }
        fill_defaults(&writer->ops);
        *ret = writer;
        return 0;
}

int vss_writer_create(struct vss_writer_ops *ops, struct vss_writer **ret,
                      struct vss_error *reterr) {
        if (ops && ops->size == 0) { /* a program has no VSS_WRITER() that fills these */
                ops->size = (uint32_t)sizeof(*ops);
                ops->api = VSS_WRITER_API;
        }
        return writer_new(ops, ret, reterr);
}

struct vss_writer *vss_writer_free(struct vss_writer *writer) {
        struct writer_call call = { .writer = writer, .event = EVENT_LIFE };

        if (!writer)
                return NULL;
        (void)vss_writer_unsubscribe(writer);
        writer_abandon(writer);
        writer_disconnect(writer);
        if (writer->loaded && writer->ops.unload) {
                writer_enter(&call);
                writer->ops.unload(writer);
                writer_leave(&call);
        }
        vss_examine_writer_metadata_free(writer->described);
        free(writer->instance_name);
        free(writer);
        return NULL;
}

int writer_configure(struct vss_writer *writer, const char *section, const char *key,
                     const char *value, struct vss_error *reterr) {
        struct writer_call call = { .writer = writer, .event = EVENT_LIFE };
        int r;

        if (writer->loaded)
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "writer '%s' is loaded: settings come before", writer->ops.name);
        if (!writer->ops.configure)
                return vss_fail(reterr, E_INVALIDARG,
                                "writer '%s' takes no settings: remove '%s' from section [%s]",
                                writer->ops.name, key, section);
        writer_enter(&call);
        r = writer->ops.configure(writer, section, key, value, reterr);
        writer_leave(&call);
        if (r < 0)
                return vss_wrap(reterr, r, "writer '%s', setting '%s' of section [%s]",
                                writer->ops.name, key, section);
        return 0;
}

int writer_load(struct vss_writer *writer, const struct vss_id *instance, const char *instance_name,
                struct vss_error *reterr) {
        struct writer_call call = { .writer = writer, .event = EVENT_LIFE };
        int r = 0;

        if (writer->loaded)
                return vss_fail(reterr, VSS_E_BAD_STATE, "writer '%s' is loaded already",
                                writer->ops.name);
        writer->instance_id = *instance;
        free(writer->instance_name);
        writer->instance_name = strdup(instance_name ? instance_name : "");
        if (!writer->instance_name)
                return vss_fail(reterr, -ENOMEM, "no memory for writer '%s'", writer->ops.name);
        if (writer->ops.load) {
                writer_enter(&call);
                r = writer->ops.load(writer, reterr);
                writer_leave(&call);
        }
        if (r >= 0)
                r = take_identity(writer, reterr);
        if (r < 0)
                return vss_wrap(reterr, r, "writer '%s' cannot start", writer->ops.name);
        writer->loaded = true;
        return 0;
}

int vss_writer_initialize(struct vss_writer *writer, const char *instance_name,
                          struct vss_error *reterr) {
        struct vss_id instance;
        int r = vss_id_new(&instance); /* the service's answer replaces it */

        if (r < 0)
                return vss_fail(reterr, r, "no random numbers for the id of writer '%s'",
                                writer->ops.name);
        return writer_load(writer, &instance, instance_name, reterr);
}

void writer_get_identity(struct vss_writer *writer, struct wire_identity *ret) {
        *ret = (struct wire_identity){
                .writer_id = writer->ops.id,
                .instance_id = writer->instance_id,
                .instance_name = writer->instance_name,
                .name = (char *)(uintptr_t)writer->ops.name, /* lent for writing only */
                .usage = writer->ops.usage,
                .source = writer->ops.source,
                .level = writer->ops.level,
                .freeze_timeout_ms = writer->ops.freeze_timeout_ms,
                .version_major = writer->ops.version_major,
                .version_minor = writer->ops.version_minor,
        };
}
