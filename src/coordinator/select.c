/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * select.c - who copies a volume: the providers are asked in order until one agrees (P-13..P-15),
 * and the one that does is given the volume (AddToSnapshotSet).
 */
#include "coordinator/inside.h"

#include <string.h>

/* ---- the order of P-13 ---- */

static int by_rank(const void *a, const void *b) {
        static const int rank[] = { [VSS_PROV_HARDWARE] = 0,
                                    [VSS_PROV_SOFTWARE] = 1,
                                    [VSS_PROV_SYSTEM] = 2,
                                    [VSS_PROV_FILESHARE] = 3 };
        const struct party *x = *(struct party *const *)a, *y = *(struct party *const *)b;

        if (rank[x->provider.kind] != rank[y->provider.kind])
                return rank[x->provider.kind] - rank[y->provider.kind];
        if (x->order != y->order)
                return x->order < y->order ? -1 : 1;
        return strcmp(x->name, y->name);
}

static int list_candidates(struct question *q) {
        size_t n = 0;

        for (struct party *p = q->coordinator->parties; p; p = p->next)
                n += p->kind == PARTY_PROVIDER && p->running;
        q->candidates = calloc(n + 1, sizeof(*q->candidates));
        if (!q->candidates)
                return -ENOMEM;
        for (struct party *p = q->coordinator->parties; p; p = p->next)
                if (p->kind == PARTY_PROVIDER && p->running &&
                    (!q->given || vss_id_equal(&p->provider.provider_id, &q->id)))
                        q->candidates[q->n_candidates++] = p;
        qsort(q->candidates, q->n_candidates, sizeof(*q->candidates), by_rank);
        return 0;
}

/* ---- one candidate after the other ---- */

static void ask_next(struct question *q);

static const char *wrong_promise(const struct question *q, const struct party *p,
                                 const struct answer *answer) {
        const struct set *set = q->session ? q->session->set : NULL;
        uint32_t wanted =
                q->context & (VSS_VOLSNAP_ATTR_PERSISTENT | VSS_VOLSNAP_ATTR_DIFFERENTIAL |
                              VSS_VOLSNAP_ATTR_PLEX | VSS_VOLSNAP_ATTR_TRANSPORTABLE);

        if ((q->context & VSS_VOLSNAP_ATTR_CLIENT_ACCESSIBLE) &&
            p->provider.kind != VSS_PROV_SYSTEM) /* S-6 */
                return "only the system provider makes client-accessible copies";
        if (wanted & ~answer->attributes & VSS_VOLSNAP_ATTR_PERSISTENT) /* S-7 */
                return "it cannot make a persistent copy of this volume";
        if (wanted & ~answer->attributes) /* S-3 */
                return "it cannot make a copy of the kind asked for";
        if (answer->hold == VSS_HOLD_FREEZE && !q->coordinator->hold)
                return "the volume would have to be frozen, and nobody here may do that";
        for (size_t i = 0; set && q->add && *q->volume.fs_uuid && i < set->view.n_copies; i++)
                if (strcmp(set->copies[i].volume.fs_uuid, q->volume.fs_uuid) == 0 &&
                    (set->copies[i].hold == VSS_HOLD_FREEZE) != (answer->hold == VSS_HOLD_FREEZE))
                        return "another volume of the same file system is in the set, and one "
                               "must be frozen where the other must not"; /* P-60 */
        return NULL;
}

/* ---- the volume becomes part of the set ---- */

static void begun(void *owner, void *target, enum ending ending, struct answer *answer) {
        struct question *q = owner;
        struct party *p = target;
        struct set *set = q->session->set;
        int code = ending == ENDED_ANSWERED ? provider_code(answer->result)
                                            : VSS_E_UNEXPECTED_PROVIDER_ERROR;

        q->pending--;
        if (ending == ENDED_ANSWERED && answer->result == 0) {
                set->state = phases[PHASE_BEGIN_PREPARE].during;
                q->reply.id = q->id;
                question_answer(q, 0);
                return;
        }
        set_remove(set, &q->id); /* S-39: the provider is told nothing, the set stays open */
        (void)ledger_save(set->ledger, NULL);
        vss_fail(&q->error, code, "provider '%s' %s '%s': %s", p->name,
                 ending == ENDED_LATE ? "did not answer" : "failed in",
                 phases[PHASE_BEGIN_PREPARE].name,
                 answer->message ? answer->message : vss_error_name(answer->result));
        note_log(q->coordinator, WORDS_WARNING, q->session, phases[PHASE_BEGIN_PREPARE].name,
                 p->name, "%s", vss_error_message(&q->error));
        if (ending == ENDED_LATE) /* or it would begin after all, and commit what nobody knows */
                party_kill(p, "it did not begin a preparation in time and was ended");
        question_answer(q, code);
}

static void begin(struct question *q, struct party *p) {
        struct session *s = q->session;
        struct set *set = s->set;
        struct call call = { .verb = VERB_BEGIN_PREPARE_SNAPSHOT, .document = -1 };
        int r = vss_id_new(&q->id);

        if (r >= 0)
                r = set_add(set, q, p);
        if (r < 0) {
                question_answer(q, vss_fail(&q->error, r, "out of memory"));
                return;
        }
        r = ledger_save(set->ledger, &q->error); /* before the deed */
        if (r < 0) {
                set_remove(set, &q->id);
                vss_wrap(&q->error, r, "the record of the set cannot be written");
                question_answer(q, r);
                return;
        }
        call.set_id = set->view.set_id;
        call.snapshot_id = q->id;
        call.context = set->view.context;
        call.volume = &set->copies[set->view.n_copies - 1].volume;
        call.paths = set->copies[set->view.n_copies - 1].paths;
        question_ask(q, p, &call, begun);
}

/* S-14: how many copies of the volume exist already */
static void counted(void *owner, void *target, enum ending ending, struct answer *answer) {
        struct question *q = owner;
        struct coordinator *c = q->coordinator;
        size_t all = 0, accessible = 0;

        q->pending--;
        question_ended(q, target, VERB_QUERY, ending, answer);
        for (size_t i = 0; i < answer->n_snapshots; i++) {
                const struct vss_snapshot_prop *prop = &answer->snapshots[i];

                if (!prop->original_volume || strcmp(prop->original_volume, q->volume.id) != 0)
                        continue;
                all++;
                accessible += (prop->attributes & VSS_VOLSNAP_ATTR_CLIENT_ACCESSIBLE) != 0;
        }
        if (all < c->settings.max_copies_per_volume &&
            (accessible < c->settings.max_client_accessible ||
             !(q->context & VSS_VOLSNAP_ATTR_CLIENT_ACCESSIBLE))) {
                begin(q, target);
                return;
        }
        question_answer(q, vss_fail(&q->error, VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED,
                                    "'%s' has %zu copies, the most allowed; delete old ones",
                                    q->volume.mount_point, all));
}

static void agreed(struct question *q, struct party *p, const struct answer *answer) {
        struct call call = { .verb = VERB_QUERY, .document = -1 };

        q->reply.supported = true;
        q->reply.provider = p->name;
        q->hold = answer->hold;
        q->instant = answer->instant;
        if (q->add)
                question_ask(q, p, &call, counted);
        else
                question_answer(q, 0);
}

static void asked(void *owner, void *target, enum ending ending, struct answer *answer) {
        struct question *q = owner;
        struct party *p = target;
        bool answered = ending == ENDED_ANSWERED && answer->result == 0; /* P-40: nor S_FALSE */
        bool yes = answered && answer->supported;
        const char *why = yes ? wrong_promise(q, p, answer) : answer->message;

        q->pending--;
        if (yes && !why) {
                agreed(q, p, answer);
                return;
        }
        if (!answered) /* P-14 */
                note_log(q->coordinator, WORDS_WARNING, q->session, "is_volume_supported", p->name,
                         "provider '%s' could not say whether it copies '%s': %s", p->name,
                         q->volume.mount_point, why ? why : vss_error_name(answer->result));
        if (ending == ENDED_LATE)
                party_late(p);
        question_refused(q, p->name, why && *why ? why : "it does not copy this volume");
        q->at++;
        question_then(q, ask_next);
}

static void nobody(struct question *q) {
        int code = q->given ? VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER : VSS_E_VOLUME_NOT_SUPPORTED;

        if (!q->refusals)
                question_refused(q, q->volume.mount_point, "there is no provider");
        if (!q->add) {
                question_answer(q, 0);
                return;
        }
        vss_fail(&q->error, code, "nobody copies '%s': %s", q->volume.mount_point,
                 q->refusals ? q->refusals : "out of memory");
        question_answer(q, code);
}

static void ask_next(struct question *q) {
        struct call call = { .verb = VERB_IS_VOLUME_SUPPORTED,
                             .document = -1,
                             .context = q->context,
                             .volume = &q->volume };

        while (q->at < q->n_candidates && !q->candidates[q->at])
                q->at++;
        if (q->at == q->n_candidates)
                nobody(q);
        else
                question_ask(q, q->candidates[q->at], &call, asked);
}

static void begin_selection(struct question *q) {
        char text[VSS_ID_TEXT_SIZE];

        if (list_candidates(q) < 0) {
                question_answer(q, vss_fail(&q->error, -ENOMEM, "out of memory"));
                return;
        }
        if (q->given && q->n_candidates == 0) { /* P-15 */
                question_answer(q,
                                vss_fail(&q->error, VSS_E_PROVIDER_NOT_REGISTERED,
                                         "there is no provider %s", vss_id_format(&q->id, text)));
                return;
        }
        ask_next(q);
}

void select_provider(struct question *q) {
        question_load_providers(q, begin_selection);
}

int coordinator_ask_volume(struct coordinator *c, const struct vss_volume *volume, reply_t done,
                           void *userdata, struct vss_error *reterr) {
        struct question *q;
        int r = question_new(c, NULL, done, userdata, &q);

        if (r >= 0) {
                q->context = VSS_CTX_BACKUP;
                r = volume_copy(&q->volume, volume);
                if (r < 0) {
                        q->done = NULL;
                        question_answer(q, r);
                }
        }
        if (r < 0)
                return vss_fail(reterr, r, "out of memory");
        select_provider(q);
        return 0;
}
