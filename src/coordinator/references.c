/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * references.c - what providers know of changes: keep the state of a copy, forget it, compare.
 *
 * Only who made a copy may have it remembered or compared, while its session lives. A reference has
 * no owner: whoever knows its id, and may make backups, may release it.
 */
#include "coordinator/inside.h"

static void told(void *owner, void *target, enum ending ending, struct answer *answer) {
        struct question *q = owner;
        const struct party *p = target;
        int code = ending != ENDED_ANSWERED      ? VSS_E_UNEXPECTED_PROVIDER_ERROR
                   : answer->result == E_NOTIMPL ? E_NOTIMPL
                   : answer->result < 0          ? provider_code(answer->result)
                                                 : 0;

        q->pending--;
        q->reply.id = answer->reference_id;
        if (code < 0)
                vss_fail(&q->error, code, "provider '%s': %s", p->name,
                         answer->message ? answer->message : vss_error_name(code));
        question_answer(q, code);
}

static int ask(struct session *s, struct party *provider, const struct call *call, reply_t done,
               void *userdata, struct vss_error *reterr) {
        struct question *q;
        int r;

        if (!provider)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "the session has no finished shadow copy of this name");
        r = question_new(s->coordinator, s, done, userdata, &q);
        if (r < 0)
                return vss_fail(reterr, r, "out of memory");
        question_ask(q, provider, call, told);
        return 0;
}

int session_keep_reference(struct session *s, const struct vss_id *snapshot_id, reply_t done,
                           void *userdata, struct vss_error *reterr) {
        const struct call call = { .verb = VERB_KEEP_REFERENCE,
                                   .document = -1,
                                   .snapshot_id = *snapshot_id };

        return ask(s, session_provider_of(s, snapshot_id), &call, done, userdata, reterr);
}

int session_query_changes(struct session *s, const struct vss_id *snapshot_id,
                          const struct vss_id *reference_id, int stream, reply_t done,
                          void *userdata, struct vss_error *reterr) {
        const struct call call = { .verb = VERB_QUERY_CHANGES,
                                   .document = stream,
                                   .snapshot_id = *snapshot_id,
                                   .reference_id = *reference_id };

        return ask(s, session_provider_of(s, snapshot_id), &call, done, userdata, reterr);
}

int session_release_reference(struct session *s, const struct vss_id *provider_id,
                              const struct vss_id *reference_id, reply_t done, void *userdata,
                              struct vss_error *reterr) {
        const struct call call = { .verb = VERB_RELEASE_REFERENCE,
                                   .document = -1,
                                   .reference_id = *reference_id };

        for (struct party *p = s->coordinator->parties; p; p = p->next)
                if (p->kind == PARTY_PROVIDER && p->running &&
                    vss_id_equal(&p->provider.provider_id, provider_id))
                        return ask(s, p, &call, done, userdata, reterr);
        return vss_fail(reterr, VSS_E_PROVIDER_NOT_REGISTERED, "no such provider is running");
}
