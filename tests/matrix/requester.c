/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * requester.c - the requester of world.h, and what a test looks at. The actors are in world.c.
 */
#include "base/array.h"
#include "tests/matrix/world.h"

/* ---- the requester ---- */

void world_session(struct world *w, uint32_t context) {
        CHECK_INT(session_new(w->c, 0, false, w, &w->session, NULL), 0);
        if (context != VSS_CTX_BACKUP)
                CHECK_INT(session_set_context(w->session, context, NULL), 0);
}

int world_op(struct world *w, int r, struct operation *op) {
        if (r < 0)
                return r;
        w->op_done = false;
        CHECK_INT(operation_status(op, NULL), VSS_S_ASYNC_PENDING);
        world_run(w, &w->op_done);
        return w->op_code;
}

int world_gather(struct world *w) {
        struct operation *op;
        int r = session_gather_writer_metadata(w->session, NULL, &op, NULL);

        return world_op(w, r, op);
}

int world_start(struct world *w, struct vss_id *ret_set) {
        struct vss_id id;

        return session_start_snapshot_set(w->session, ret_set ? ret_set : &id, NULL);
}

void world_reply(void *userdata, const struct reply *reply) {
        struct world *w = userdata;

        CHECK(!w->replied);
        w->replied = true;
        w->reply = *reply;
        CHECK(reply->n_snapshots <= ELEMENTSOF(w->reply_copies));
        for (size_t i = 0; i < reply->n_snapshots; i++)
                w->reply_copies[i] = reply->snapshots[i]; /* strings are dead, ids live */
        (void)snprintf(w->reply_words, sizeof(w->reply_words), "%s", reply->words);
        (void)snprintf(w->reply_provider, sizeof(w->reply_provider), "%s", reply->provider);
}

static int wait_reply(struct world *w, int r) {
        if (r < 0)
                return r;
        world_run(w, &w->replied);
        return w->reply.code;
}

int world_add(struct world *w, const char *volume, struct vss_id *ret_copy) {
        struct vss_volume v = world_volume(volume);
        int r;

        w->replied = false;
        r = wait_reply(
                w, session_add_to_snapshot_set(w->session, &v, NULL, NULL, world_reply, w, NULL));
        if (r >= 0 && ret_copy)
                *ret_copy = w->reply.id;
        return r;
}

int world_prepare(struct world *w) {
        struct operation *op;
        int r = session_set_backup_state(w->session, false, false, VSS_BT_FULL, false, NULL);

        if (r >= 0)
                r = session_prepare_for_backup(w->session, NULL, 0, true, &op, NULL);
        return world_op(w, r, op);
}

int world_prepare_for(struct world *w, const char *const *writers) {
        struct component_document documents[MAX_ACTORS];
        struct operation *op;
        size_t n = 0;
        int r = session_set_backup_state(w->session, true, false, VSS_BT_FULL, false, NULL);

        for (; writers[n]; n++)
                documents[n] = (struct component_document){ world_actor(w, writers[n])->instance,
                                                            world_document(w) };
        if (r >= 0)
                r = session_prepare_for_backup(w->session, documents, n, true, &op, NULL);
        return world_op(w, r, op);
}

int world_do(struct world *w) {
        struct operation *op;
        int r = session_do_snapshot_set(w->session, &op, NULL);

        return world_op(w, r, op);
}

int world_complete(struct world *w) {
        struct operation *op;
        int r = session_backup_complete(w->session, NULL, 0, &op, NULL);

        return world_op(w, r, op);
}

int world_abort(struct world *w) {
        w->replied = false;
        return wait_reply(w, session_abort_backup(w->session, world_reply, w, NULL));
}

int world_query(struct world *w) {
        w->replied = false;
        return wait_reply(w, session_query(w->session, VSS_OBJECT_SNAPSHOT, world_reply, w, NULL));
}

static void released(void *userdata, const struct reply *reply) {
        struct world *w = userdata;

        CHECK(!w->released);
        w->released = true;
        w->released_code = reply->code;
}

void world_release(struct world *w) {
        struct session *s = w->session;

        if (s) {
                w->session = NULL;
                w->released = false;
                session_release(s, released, w);
        }
        world_run(w, &w->released);
}

void world_upto_do(struct world *w, uint32_t context, size_t n_volumes) {
        static const char *const volumes[] = { "/v1", "/v2", "/v3", "/v4" };
        bool writers = !(context & VSS_VOLSNAP_ATTR_NO_WRITERS);

        world_session(w, context);
        if (writers)
                CHECK_INT(world_gather(w), VSS_S_ASYNC_FINISHED);
        CHECK_INT(world_start(w, NULL), 0);
        for (size_t i = 0; i < n_volumes; i++)
                CHECK_INT(world_add(w, volumes[i], NULL), 0);
        if (writers)
                CHECK_INT(world_prepare(w), VSS_S_ASYNC_FINISHED);
}

/* ---- looking ---- */

const char *world_told(const struct actor *a) {
        static char text[32768];
        size_t n = 0;

        text[0] = '\0';
        for (size_t i = 0; i < a->n_told; i++)
                n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i ? " " : "",
                                      verb_name(a->told[i].verb));
        return text;
}

bool world_was_told(const struct actor *a, enum verb verb) {
        for (size_t i = 0; i < a->n_told; i++)
                if (a->told[i].verb == verb)
                        return true;
        return false;
}

struct session_writer world_status(struct world *w, const char *writer) {
        struct session_writer status;
        size_t n = 0;

        CHECK_INT(session_count_writers(w->session, &n, NULL), 0);
        for (size_t i = 0; i < n; i++) {
                CHECK_INT(session_get_writer(w->session, i, &status), 0);
                if (strcmp(status.identity.name, writer) == 0)
                        return status;
        }
        CHECK_FAIL_("the session knows no writer %s", writer);
}

static void check_disk(const struct actor *a) {
        for (size_t i = 0; i < a->n_disk; i++)
                if (a->disk[i].committed &&
                    !(a->disk[i].created && (a->disk[i].attributes & VSS_VOLSNAP_ATTR_PERSISTENT)))
                        CHECK_FAIL_("%s still has a copy of %s; log:\n%s", a->name,
                                    a->disk[i].volume, a->world->log);
}

void world_check_end(struct world *w) {
        CHECK_INT(w->volumes_frozen, 0);
        CHECK(!coordinator_held(w->c));
        CHECK_INT(w->notices_while_held, 0);
        CHECK(!w->slot);
        CHECK_INT(w->documents, 0);
        for (size_t i = 0; i < w->n_actors; i++) {
                if (w->actors[i].holding)
                        CHECK_FAIL_("%s still holds; log:\n%s", w->actors[i].name, w->log);
                check_disk(&w->actors[i]);
        }
        for (size_t i = 0; i < ELEMENTSOF(w->records); i++)
                if (w->records[i].used)
                        CHECK_FAIL_("a record is left: %zu copies, %zu undos; log:\n%s",
                                    w->records[i].n_copies, w->records[i].n_undos, w->log);
}
