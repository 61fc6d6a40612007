/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copies.c - questions about copies that exist: list, tell the properties of one, delete.
 *
 * The providers know them, nothing is remembered here (S-63). A session sees the copies of its
 * own context, VSS_CTX_ALL sees all (S-64); what is in creation nobody sees (S-9).
 */
#include "coordinator/inside.h"

#include <string.h>

#define CONTEXT_BITS                                                                               \
        (VSS_VOLSNAP_ATTR_PERSISTENT | VSS_VOLSNAP_ATTR_CLIENT_ACCESSIBLE |                        \
         VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE | VSS_VOLSNAP_ATTR_NO_WRITERS)

static bool in_context(const struct session *s, const struct vss_snapshot_prop *prop) {
        return s->context == VSS_CTX_ALL ||
               (s->context & CONTEXT_BITS) == (prop->attributes & CONTEXT_BITS);
}

static int new_question(struct session *s, reply_t done, void *userdata, struct question **ret,
                        struct vss_error *reterr) {
        int r = question_new(s->coordinator, s, done, userdata, ret);

        return r < 0 ? vss_fail(reterr, r, "out of memory") : 0;
}

/* reply_found() - the records whose index @keep says; lent to the reply */
static void reply_found(struct question *q, bool (*keep)(const struct question *, size_t)) {
        _cleanup_free_ struct vss_snapshot_prop *props = calloc(q->n_found + 1, sizeof(*props));

        if (!props) {
                question_answer(q, vss_fail(&q->error, -ENOMEM, "out of memory"));
                return;
        }
        for (size_t i = 0; i < q->n_found; i++)
                if (keep(q, i))
                        props[q->reply.n_snapshots++] = q->found[i].prop;
        q->reply.snapshots = props;
        question_answer(q, q->reply.n_snapshots > 0 ? 0 : S_FALSE);
}

/* ---- Query ---- */

static bool seen(const struct question *q, size_t i) {
        return in_context(q->session, &q->found[i].prop);
}

static void tell_all(struct question *q) {
        reply_found(q, seen);
}

static void tell_providers(struct question *q) {
        _cleanup_free_ struct vss_provider_prop *props = NULL;
        size_t n = 0;

        for (struct party *p = q->coordinator->parties; p; p = p->next)
                n += p->kind == PARTY_PROVIDER;
        props = calloc(n + 1, sizeof(*props));
        if (!props) {
                question_answer(q, vss_fail(&q->error, -ENOMEM, "out of memory"));
                return;
        }
        for (struct party *p = q->coordinator->parties; p; p = p->next)
                if (p->kind == PARTY_PROVIDER && p->running)
                        props[q->reply.n_providers++] = p->provider;
        q->reply.providers = props;
        question_answer(q, q->reply.n_providers > 0 ? 0 : S_FALSE);
}

int session_query(struct session *s, uint32_t type, reply_t done, void *userdata,
                  struct vss_error *reterr) {
        struct question *q;
        int r;

        if (type != VSS_OBJECT_SNAPSHOT && type != VSS_OBJECT_PROVIDER)
                return vss_fail(reterr, E_INVALIDARG,
                                "only snapshots and providers can be queried, not type %u", type);
        r = new_question(s, done, userdata, &q, reterr);
        if (r < 0)
                return r;
        if (type == VSS_OBJECT_PROVIDER)
                question_load_providers(q, tell_providers);
        else
                question_query(q, tell_all);
        return 0;
}

int coordinator_list_providers(struct coordinator *c, reply_t done, void *userdata,
                               struct vss_error *reterr) {
        struct question *q;
        int r = question_new(c, NULL, done, userdata, &q);

        if (r < 0)
                return vss_fail(reterr, r, "out of memory");
        question_load_providers(q, tell_providers);
        return 0;
}

/* ---- the properties of one ---- */

static bool wanted(const struct question *q, size_t i) {
        const struct vss_snapshot_prop *prop = &q->found[i].prop;

        return vss_id_equal(&prop->snapshot_id, &q->id) ||
               (q->type == VSS_OBJECT_SNAPSHOT_SET && vss_id_equal(&prop->snapshot_set_id, &q->id));
}

static int not_found(struct question *q) {
        char text[VSS_ID_TEXT_SIZE];

        return vss_fail(&q->error, VSS_E_OBJECT_NOT_FOUND, "no provider has %s",
                        vss_id_format(&q->id, text));
}

static void tell_one(struct question *q) {
        size_t n = 0;

        for (size_t i = 0; i < q->n_found; i++)
                n += wanted(q, i);
        if (n == 0)
                question_answer(q, not_found(q));
        else
                reply_found(q, wanted);
}

static void described(void *owner, void *target, enum ending ending, struct answer *answer) {
        struct question *q = owner;
        struct party *p = target;

        for (size_t i = 0; ending == ENDED_ANSWERED && i < answer->n_snapshots; i++)
                if (question_find_add(q, p, &answer->snapshots[i]) < 0)
                        break;
        question_ended(q, p, VERB_GET_SNAPSHOT_PROPERTIES, ending, answer);
        question_answered(q);
}

struct party *session_provider_of(const struct session *s, const struct vss_id *snapshot_id) {
        for (size_t i = 0; s->set && s->set->published && i < s->set->view.n_copies; i++)
                if (vss_id_equal(&s->set->copies[i].snapshot_id, snapshot_id))
                        return s->set->states[i].provider;
        return NULL;
}

int session_get_snapshot_properties(struct session *s, const struct vss_id *snapshot_id,
                                    reply_t done, void *userdata, struct vss_error *reterr) {
        struct call call = { .verb = VERB_GET_SNAPSHOT_PROPERTIES,
                             .document = -1,
                             .snapshot_id = *snapshot_id };
        struct party *own = session_provider_of(s, snapshot_id);
        struct question *q;
        int r = new_question(s, done, userdata, &q, reterr);

        if (r < 0)
                return r;
        q->id = *snapshot_id;
        if (own) {
                q->step = tell_one;
                question_ask(q, own, &call, described);
        } else {
                question_query(q, tell_one);
        }
        return 0;
}

/* ---- deletion: one after the other, the first failure stops the rest (S-70) ---- */

static void delete_next(struct question *q);

/* forget_deleted() - the session that made the copy need not delete it again */
static void forget_deleted(struct coordinator *c, const struct vss_id *snapshot_id) {
        for (struct session *s = c->sessions; s; s = s->next)
                for (size_t i = 0; s->set && i < s->set->view.n_copies; i++)
                        if (vss_id_equal(&s->set->copies[i].snapshot_id, snapshot_id)) {
                                s->set->states[i].deleted = true;
                                s->set->ledger->copies[i].gone = true;
                                (void)ledger_save(s->set->ledger, NULL);
                        }
}

static void deleted(void *owner, void *target, enum ending ending, struct answer *answer) {
        struct question *q = owner;
        struct party *p = target;
        const struct vss_snapshot_prop *prop = &q->found[q->at].prop;
        int code = ending == ENDED_ANSWERED ? provider_code(answer->result)
                                            : VSS_E_UNEXPECTED_PROVIDER_ERROR;

        q->pending--;
        if (ending == ENDED_ANSWERED && answer->result == 0) {
                q->reply.deleted++;
                forget_deleted(q->coordinator, &prop->snapshot_id);
                q->at++;
                question_then(q, delete_next);
                return;
        }
        q->reply.not_deleted = prop->snapshot_id;
        question_ended(q, p, VERB_DELETE_SNAPSHOTS, ending, answer);
        vss_fail(&q->error, code, "provider '%s' could not delete the copy of '%s': %s", p->name,
                 prop->original_mount ? prop->original_mount : "an unknown volume",
                 answer->message ? answer->message : vss_error_name(answer->result));
        question_answer(q, code);
}

/* in_use() - S-60: an auto-release copy belongs to its requester, which may be reading it, until
 * that lets go; to a requester of another service as well (each embedded one has its own) */
static bool in_use(const struct question *q, const struct vss_snapshot_prop *prop) {
        const struct ports *ports = q->coordinator->ports;

        if (prop->attributes & VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE)
                return false;
        for (const struct session *s = q->coordinator->sessions; s; s = s->next)
                if (s->set && vss_id_equal(&s->set->view.set_id, &prop->snapshot_set_id))
                        return s != q->session;
        return ports->records->is_elsewhere(ports->userdata, &prop->snapshot_set_id,
                                            prop->attributes);
}

/* refuse_used() - S-71: without force */
static void refuse_used(struct question *q, const struct vss_snapshot_prop *prop) {
        q->reply.not_deleted = prop->snapshot_id;
        question_answer(
                q, vss_fail(&q->error, VSS_E_VOLUME_IN_USE,
                            "the shadow copy of '%s' belongs to a backup that still runs "
                            "and goes with it: wait for its end, or delete the copy with "
                            "force, and the backup fails",
                            prop->original_mount ? prop->original_mount : "an unknown volume"));
}

static void delete_next(struct question *q) {
        struct call call = { .verb = VERB_DELETE_SNAPSHOTS,
                             .document = -1,
                             .type = VSS_OBJECT_SNAPSHOT,
                             .force = q->force };

        while (q->at < q->n_found && !(wanted(q, q->at) && seen(q, q->at) && q->found[q->at].party))
                q->at++;
        if (q->at == q->n_found) {
                question_answer(q, q->reply.deleted > 0 ? 0 : not_found(q));
                return;
        }
        if (!q->force && coordinator_held(q->coordinator)) { /* no file is looked at now */
                question_later(q, delete_next);
                return;
        }
        if (!q->force && in_use(q, &q->found[q->at].prop)) {
                refuse_used(q, &q->found[q->at].prop);
                return;
        }
        call.snapshot_id = q->found[q->at].prop.snapshot_id;
        call.set_id = q->found[q->at].prop.snapshot_set_id;
        question_ask(q, q->found[q->at].party, &call, deleted);
}

static void delete_start(struct question *q) {
        for (struct question *other = q->coordinator->questions; other; other = other->next)
                if (other->deleting && other != q) {
                        q->waiting = true; /* question_answer() of the other wakes it */
                        return;
                }
        q->deleting = true;
        question_query(q, delete_next);
}

int session_delete_snapshots(struct session *s, const struct vss_id *id, uint32_t type, bool force,
                             reply_t done, void *userdata, struct vss_error *reterr) {
        struct question *q;
        int r;

        if (type != VSS_OBJECT_SNAPSHOT && type != VSS_OBJECT_SNAPSHOT_SET)
                return vss_fail(reterr, E_INVALIDARG,
                                "a snapshot or a snapshot set can be deleted, not type %u", type);
        r = new_question(s, done, userdata, &q, reterr);
        if (r < 0)
                return r;
        q->id = *id;
        q->type = type;
        q->force = force;
        question_then(q, delete_start);
        return 0;
}
