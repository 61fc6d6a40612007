/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * async.c - long calls: the operation's signals, what is left to do when it has succeeded, and
 * waiting for it by processing the connection (B-125 to B-130).
 */
#define _GNU_SOURCE
#include "requester/inside.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"

static struct vss_async *async_unref(struct vss_async *async) {
        if (!async || --async->references > 0)
                return NULL;
        free(async->path);
        free(async->words);
        free(async->warnings);
        free(async);
        return NULL;
}

struct vss_async *vss_async_free(struct vss_async *async) {
        return async_unref(async);
}

void bc_forget_running(struct vss_backup_components *bc) {
        if (!bc->running)
                return;
        bc->running->bc = NULL;
        if (bc->running->code == VSS_S_ASYNC_PENDING)
                bc->running->code = VSS_S_ASYNC_CANCELLED;
        bc->running = async_unref(bc->running);
}

/* ---- beginning ---- */

int bc_begin(struct vss_backup_components *bc, enum operation_kind kind, sd_bus_message *reply,
             struct vss_async **ret, struct vss_error *reterr) {
        struct vss_async *async;
        const char *path = "";

        if (reply && sd_bus_message_read_basic(reply, 'o', &path) < 0)
                return bc_malformed("a long call", -EBADMSG, reterr);
        async = calloc(1, sizeof(*async));
        if (async)
                async->path = strdup(path);
        if (!async || !async->path) {
                free(async);
                return vss_fail(reterr, -ENOMEM, "no memory for an operation");
        }
        async->references = 2; /* the caller's and the object's */
        async->bc = bc;
        async->kind = kind;
        async->code = reply ? VSS_S_ASYNC_PENDING : VSS_S_ASYNC_FINISHED;
        async->completed = !reply;
        bc->running = async;
        *ret = async;
        return 0;
}

int bc_start(struct vss_backup_components *bc, enum operation_kind kind, const char *member,
             struct vss_async **ret, struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r = bc_call(bc, member, &reply, reterr, "");

        return r < 0 ? r : bc_begin(bc, kind, reply, ret, reterr);
}

/* ---- signals ---- */

static void on_progress(struct vss_backup_components *bc, sd_bus_message *m) {
        const char *phase, *who;

        if (bc->progress && sd_bus_message_read(m, "ss", &phase, &who) > 0)
                bc->progress(bc->progress_data, phase, who);
}

static void on_completed(struct vss_async *async, sd_bus_message *m) {
        const char *words;
        int32_t code;

        if (sd_bus_message_read(m, "is", &code, &words) < 0) {
                code = VSS_E_UNEXPECTED;
                words = "vssd's word about the end of the operation is malformed";
        }
        free(async->words);
        async->words = *words ? strdup(words) : NULL;
        async->code = code == VSS_S_ASYNC_PENDING || code == 0 ? VSS_S_ASYNC_FINISHED : code;
        async->completed = true;
}

/* Only remembers: what must be asked then is asked outside of the message's handler. */
int bc_on_operation(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        struct vss_backup_components *bc = userdata;
        const char *path = sd_bus_message_get_path(m);

        if (!bc->running || bc->running->completed || !path || strcmp(path, bc->running->path) != 0)
                return 0;
        if (sd_bus_message_is_signal(m, VSS_OPERATION_INTERFACE, "Progress"))
                on_progress(bc, m);
        else if (sd_bus_message_is_signal(m, VSS_OPERATION_INTERFACE, "Completed"))
                on_completed(bc->running, m);
        return 0;
}

/* ---- the end ---- */

/* What the service's success leaves to this side; a failure here fails the operation. */
static int conclude_success(struct vss_backup_components *bc, enum operation_kind kind,
                            struct vss_error *words) {
        switch (kind) {
        case OPERATION_GATHER:
                return bc_take_metadata(bc, words);
        case OPERATION_STATUS:
                return bc_take_status(bc, words);
        case OPERATION_PREPARE:
                return bc_take_fragments(bc, COMPONENT_EVENT_PREPARE_BACKUP,
                                         VSS_WS_FAILED_AT_PREPARE_BACKUP, words);
        case OPERATION_SNAPSHOT:
                if (!bc->prepare_called) /* without writers nobody may have been asked (BV-7) */
                        break;
                return bc_take_fragments(bc, COMPONENT_EVENT_POST_SNAPSHOT,
                                         VSS_WS_FAILED_AT_POST_SNAPSHOT, words);
        case OPERATION_PRE_RESTORE:
                return bc_take_fragments(bc, COMPONENT_EVENT_PRE_RESTORE,
                                         VSS_WS_FAILED_AT_PRE_RESTORE, words);
        case OPERATION_POST_RESTORE:
                return bc_take_fragments(bc, COMPONENT_EVENT_POST_RESTORE,
                                         VSS_WS_FAILED_AT_POST_RESTORE, words);
        case OPERATION_COMPLETE:
                break;
        }
        return 0;
}

static void set_flags(struct vss_backup_components *bc, enum operation_kind kind, bool success) {
        if (kind == OPERATION_SNAPSHOT)
                bc->snapshot_failed = !success;
        if (kind == OPERATION_GATHER && success && bc->state == STATE_RESTORE)
                bc->state = STATE_RESTORE_GATHERED;
        /* whatever came of them: the bracket of a restore is closed by PostRestore */
        if (kind == OPERATION_PRE_RESTORE)
                bc->state = STATE_RESTORE_COPYING;
        if (kind == OPERATION_POST_RESTORE)
                bc->state = STATE_RESTORE_DONE;
}

/* what was found before goes in front of what the service said */
static void add_warnings(struct vss_async *async) {
        _cleanup_free_ char *said = async->words, *before = take(async->warnings);

        if (asprintf(&async->words, "%s%s%s", before, said ? "; " : "", said ? said : "") < 0)
                async->words = NULL;
}

static void conclude(struct vss_backup_components *bc) {
        _cleanup_error_ struct vss_error words = VSS_ERROR_INIT;
        struct vss_async *async = take(bc->running);
        bool success = async->code == VSS_S_ASYNC_FINISHED;
        int r = success ? conclude_success(bc, async->kind, &words) : 0;

        if (r < 0)
                async->code = r;
        if (words.message && (r < 0 || !async->words)) {
                free(async->words);
                async->words = take(words.message);
        }
        if (async->warnings && async->code == VSS_S_ASYNC_FINISHED)
                add_warnings(async);
        set_flags(bc, async->kind, success && r >= 0);
        async->bc = NULL;
        async_unref(async);
}

int bc_lost_code(enum operation_kind kind) {
        return kind == OPERATION_PRE_RESTORE || kind == OPERATION_POST_RESTORE
                       ? VSS_E_WRITER_INFRASTRUCTURE /* */
                       : VSS_E_UNEXPECTED;
}

/* A service that has ended ends the operation as well. */
static void give_up(struct vss_backup_components *bc) {
        struct vss_async *async = bc->running;

        if (!async || async->completed)
                return;
        async->code = bc_lost_code(async->kind);
        free(async->words);
        async->words = bc->lost_words ? strdup(bc->lost_words) : NULL;
        async->completed = true;
}

static int report(struct vss_async *async, struct vss_error *reterr) {
        vss_error_clear(reterr);
        if (async->words)
                return vss_fail(reterr, async->code, "%s", async->words);
        if (async->code < 0)
                return vss_fail(reterr, async->code, "%s", vss_error_text(async->code));
        return async->code;
}

int vss_async_query_status(struct vss_async *async, struct vss_error *reterr) {
        return vss_async_wait(async, 0, reterr);
}

int vss_async_wait(struct vss_async *async, uint32_t timeout_ms, struct vss_error *reterr) {
        uint64_t now = monotonic_us(), end = UINT64_MAX;
        struct vss_backup_components *bc;
        int r;

        async->references++; /* the object's may be the last, and it goes with the conclusion */
        if (timeout_ms != UINT32_MAX)
                end = now + (uint64_t)timeout_ms * 1000;
        while ((bc = async->bc)) {
                bool lost;

                if (async->completed) {
                        conclude(bc);
                        break;
                }
                lost = bc_process(bc, NULL) < 0;
                if (!lost && !async->completed) {
                        now = monotonic_us();
                        if (now >= end)
                                break;
                        lost = bc_wait(bc, end == UINT64_MAX ? UINT64_MAX : end - now, NULL) < 0;
                }
                if (lost)
                        give_up(bc);
        }
        r = report(async, reterr);
        async_unref(async);
        return r;
}

int vss_async_cancel(struct vss_async *async) {
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        struct vss_backup_components *bc;
        int32_t code;
        int r = vss_async_query_status(async, NULL);

        if (r != VSS_S_ASYNC_PENDING)
                return r; /* B-129 */
        bc = async->bc;
        r = bc_new_call_to(bc, async->path, VSS_OPERATION_INTERFACE, "Cancel", &m, NULL);
        if (r >= 0)
                r = bc_send(bc, m, 0, &reply, NULL);
        if (r >= 0)
                r = sd_bus_message_read_basic(reply, 'i', &code);
        return r < 0 ? r : code;
}

int vss_async_finish(struct vss_async *async, struct vss_error *reterr) {
        int r = vss_async_wait(async, UINT32_MAX, reterr);

        vss_async_free(async);
        if (r != VSS_S_ASYNC_FINISHED)
                return r;
        if (reterr)
                reterr->code = 0; /* words, if any, are a warning */
        return 0;
}
