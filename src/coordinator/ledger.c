/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ledger.c - what the record of one set says, and the work that is left when nobody else does it.
 *
 * A ledger is made before the set's first deed and goes when nothing is left to undo. While its
 * session lives, only writers that died are undone here: the others are told by Abort and
 * BackupShutdown, also when the set was dropped before. Afterwards, and for sets of an earlier
 * life, everything that is still written in it: one call at a time, a few tries, then again after
 * some minutes. As long as something is left the record stays, for the next life (S-47).
 */
#include "coordinator/inside.h"

#include <string.h>

#define TRIES 3u
#define AGAIN_US (300 * UINT64_C(1000000))

int ledger_new(struct coordinator *c, const struct vss_id *set_id, const struct vss_id *session_id,
               uint32_t context, struct ledger **ret) {
        struct ledger *l = calloc(1, sizeof(*l));

        if (!l)
                return -ENOMEM;
        l->coordinator = c;
        l->set_id = *set_id;
        l->session_id = *session_id;
        l->context = context;
        l->in_session = true;
        LIST_ADD(&c->ledgers, l);
        *ret = l;
        return 0;
}

static void copy_done(struct ledger_copy *copy) {
        free(copy->provider);
        free(copy->volume);
        free(copy->mount_point);
}

static void undo_done(struct ledger_undo *undo) {
        free(undo->writer);
        free(undo->instance_name);
        free(undo->token);
}

struct ledger *ledger_free(struct ledger *l) {
        if (!l)
                return NULL;
        timer_stop(&l->work);
        calls_forget(l->coordinator, l, NULL);
        for (size_t i = 0; i < l->n_copies; i++)
                copy_done(&l->copies[i]);
        for (size_t i = 0; i < l->n_undos; i++)
                undo_done(&l->undos[i]);
        free(l->copies);
        free(l->undos);
        LIST_REMOVE(&l->coordinator->ledgers, l);
        free(l);
        return NULL;
}

/* ---- what it says ---- */

int ledger_add_copy(struct ledger *l, const struct record_copy *from) {
        struct ledger_copy copy = { .snapshot_id = from->snapshot_id,
                                    .provider_id = from->provider_id,
                                    .hold = from->hold };
        int r = ARRAY_RESERVE(&l->copies, l->n_copies, &l->copies_capacity);

        if (r < 0)
                return r;
        copy.provider = text_or_empty(from->provider);
        copy.volume = text_or_empty(from->volume);
        copy.mount_point = text_or_empty(from->mount_point);
        if (!copy.provider || !copy.volume || !copy.mount_point) {
                copy_done(&copy);
                return -ENOMEM;
        }
        l->copies[l->n_copies++] = copy;
        return 0;
}

void ledger_drop_copy(struct ledger *l, const struct vss_id *snapshot_id) {
        for (size_t i = 0; i < l->n_copies; i++) {
                if (!vss_id_equal(&l->copies[i].snapshot_id, snapshot_id))
                        continue;
                copy_done(&l->copies[i]);
                memmove(&l->copies[i], &l->copies[i + 1], (--l->n_copies - i) * sizeof(*l->copies));
                return;
        }
}

static int add_undo(struct ledger *l, const struct record_undo *from, struct member *member) {
        struct ledger_undo undo = { .writer_id = from->writer_id,
                                    .token_size = from->token_size,
                                    .member = member };
        int r = ARRAY_RESERVE(&l->undos, l->n_undos, &l->undos_capacity);

        if (r < 0)
                return r;
        undo.writer = text_or_empty(from->writer);
        undo.instance_name = text_or_empty(from->instance_name);
        undo.token = malloc(from->token_size + 1);
        if (!undo.writer || !undo.instance_name || !undo.token) {
                undo_done(&undo);
                return -ENOMEM;
        }
        memcpy(undo.token, from->token, from->token_size);
        l->undos[l->n_undos++] = undo;
        return 0;
}

static void remove_undo(struct ledger *l, size_t i) {
        undo_done(&l->undos[i]);
        memmove(&l->undos[i], &l->undos[i + 1], (--l->n_undos - i) * sizeof(*l->undos));
}

static bool drop_undo(struct ledger *l, const struct member *member) {
        for (size_t i = 0; i < l->n_undos; i++)
                if (l->undos[i].member == member) {
                        remove_undo(l, i);
                        return true;
                }
        return false;
}

int ledger_add_undo(struct ledger *l, struct member *member, const void *token, size_t size) {
        struct party *party = member->party;
        struct record_undo undo = { .writer_id = member->identity.writer_id,
                                    .writer = party && party->program ? party->name : "",
                                    .instance_name = member->identity.instance_name,
                                    .token = token,
                                    .token_size = size };

        (void)drop_undo(l, member);
        return add_undo(l, &undo, member);
}

/* ---- the record ---- */

static bool anything_left(const struct ledger *l) {
        for (size_t i = 0; i < l->n_copies; i++)
                if (!l->copies[i].gone)
                        return true;
        return l->n_undos > 0;
}

static int write_record(struct ledger *l, struct vss_error *reterr) {
        struct coordinator *c = l->coordinator;
        _cleanup_free_ struct record_copy *copies = calloc(l->n_copies + 1, sizeof(*copies));
        _cleanup_free_ struct record_undo *undos = calloc(l->n_undos + 1, sizeof(*undos));
        struct set_record record = { .set_id = l->set_id,
                                     .session_id = l->session_id,
                                     .context = l->context,
                                     .created = l->created,
                                     .reached_writers = l->reached_writers,
                                     .copies = copies,
                                     .undos = undos };

        if (!copies || !undos)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        for (size_t i = 0; i < l->n_copies; i++)
                if (!l->copies[i].gone)
                        copies[record.n_copies++] = (struct record_copy){
                                .snapshot_id = l->copies[i].snapshot_id,
                                .provider_id = l->copies[i].provider_id,
                                .provider = l->copies[i].provider,
                                .volume = l->copies[i].volume,
                                .mount_point = l->copies[i].mount_point,
                                .hold = l->copies[i].hold,
                        };
        for (size_t i = 0; i < l->n_undos; i++)
                undos[record.n_undos++] = (struct record_undo){
                        .writer_id = l->undos[i].writer_id,
                        .writer = l->undos[i].writer,
                        .instance_name = l->undos[i].instance_name,
                        .token = l->undos[i].token,
                        .token_size = l->undos[i].token_size,
                };
        return c->ports->records->write(c->ports->userdata, &record, reterr);
}

int ledger_save(struct ledger *l, struct vss_error *reterr) {
        struct coordinator *c = l->coordinator;
        int r = 0;

        l->dirty = true;
        if (coordinator_held(c))
                return 0;
        if (anything_left(l))
                r = write_record(l, reterr);
        else if (l->on_disk)
                r = c->ports->records->remove(c->ports->userdata, &l->set_id, l->context, reterr);
        if (r < 0)
                return r;
        l->on_disk = anything_left(l);
        l->dirty = false;
        return 0;
}

static void save_or_log(struct ledger *l) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;

        if (ledger_save(l, &error) < 0)
                note_log(l->coordinator, WORDS_ERROR, NULL, "", "",
                         "the record of a set could not be brought up to date: %s",
                         error.message ? error.message : "unknown reason");
}

/* ---- the work ---- */

static void work(struct timer *timer);

static void work_soon(struct ledger *l) {
        timer_set(&l->coordinator->timers, &l->work, timers_now(&l->coordinator->timers), work);
}

static struct party *undo_party(struct ledger *l, const struct ledger_undo *undo) {
        if (*undo->writer)
                return party_find(l->coordinator, PARTY_WRITER, undo->writer);
        for (struct party *p = l->coordinator->parties; p; p = p->next)
                if (p->kind == PARTY_WRITER && p->running && !p->program &&
                    vss_id_equal(&p->writer.writer_id, &undo->writer_id) &&
                    strcmp(p->writer.instance_name, undo->instance_name) == 0)
                        return p;
        return NULL; /* it has not come back yet */
}

static void undo_called(struct ledger *l, const char *who, bool well, const char *words) {
        for (size_t i = 0; i < l->n_undos; i++) {
                if (l->undos[i].token != l->working_token)
                        continue;
                if (well) {
                        note_log(l->coordinator, WORDS_NOTICE, NULL, "undo", who,
                                 "writer '%s' undid what had been left held", who);
                        remove_undo(l, i);
                } else {
                        l->undos[i].tries++;
                        note_log(l->coordinator, WORDS_ERROR, NULL, "undo", who,
                                 "writer '%s' could not undo what was left held: %s", who, words);
                }
                return;
        }
}

static void copy_called(struct ledger *l, const char *who, bool well, const char *words) {
        struct ledger_copy *copy = &l->copies[l->working_copy];

        if (!well) {
                copy->tries++;
                note_log(l->coordinator, WORDS_ERROR, NULL,
                         l->working_abort ? "abort_snapshots" : "delete_snapshots", who,
                         "provider '%s' could not remove the copy of '%s': %s", who,
                         copy->mount_point, words);
                return;
        }
        if (!l->working_abort) {
                copy->gone = true;
                return;
        }
        for (size_t i = 0; i < l->n_copies; i++)
                if (strcmp(l->copies[i].provider, copy->provider) == 0)
                        l->copies[i].aborted = true;
}

static void called(void *owner, void *target, enum ending ending, struct answer *answer) {
        struct ledger *l = owner;
        struct party *party = target;
        _cleanup_free_ char *name = text_or_empty(party->name); /* killing may remove the party */
        bool well = ending == ENDED_ANSWERED && !answer->fatal && answer->failure == 0 &&
                    (answer->result >= 0 || (!l->working_token && !l->working_abort &&
                                             answer->result == VSS_E_OBJECT_NOT_FOUND));
        const char *words = answer->message ? answer->message : vss_error_name(answer->result);

        l->working = false;
        if (ending == ENDED_LATE)
                party_late(party);
        if (l->working_token)
                undo_called(l, name ? name : "", well, words);
        else
                copy_called(l, name ? name : "", well, words);
        save_or_log(l);
        work_soon(l);
}

static bool start_call(struct ledger *l, struct party *party, const struct call *call,
                       enum phase_id phase) {
        l->working = party_call(party, call, phase_timeout(l->coordinator, phase), true, called, l,
                                party) >= 0;
        return l->working;
}

static bool start_undo(struct ledger *l) {
        for (size_t i = 0; i < l->n_undos; i++) {
                struct ledger_undo *undo = &l->undos[i];
                struct party *party = undo->member ? NULL : undo_party(l, undo);
                struct call call = { .verb = VERB_UNDO,
                                     .document = -1,
                                     .session_id = l->session_id,
                                     .set_id = l->set_id,
                                     .token = undo->token,
                                     .token_size = undo->token_size };

                if (!party || undo->tries >= TRIES)
                        continue;
                call.instance_id = party->writer.instance_id;
                l->working_token = undo->token;
                if (start_call(l, party, &call, PHASE_UNDO))
                        return true;
                undo->tries++;
        }
        return false;
}

static bool start_copy(struct ledger *l) {
        for (size_t i = 0; i < l->n_copies && !l->in_session; i++) {
                struct ledger_copy *copy = &l->copies[i];
                struct party *party = party_find(l->coordinator, PARTY_PROVIDER, copy->provider);
                bool abort = !l->created && !copy->aborted;
                struct call call = { .verb = abort ? VERB_ABORT_SNAPSHOTS : VERB_DELETE_SNAPSHOTS,
                                     .document = -1,
                                     .set_id = l->set_id,
                                     .snapshot_id = copy->snapshot_id,
                                     .type = VSS_OBJECT_SNAPSHOT,
                                     .force = true };

                if (copy->gone || !party || copy->tries >= TRIES)
                        continue;
                l->working_token = NULL;
                l->working_copy = i;
                l->working_abort = abort;
                if (start_call(l, party, &call,
                               abort ? PHASE_ABORT_SNAPSHOTS : PHASE_DELETE_RELEASED))
                        return true;
                copy->tries++;
        }
        return false;
}

static void try_again_later(struct ledger *l) {
        struct coordinator *c = l->coordinator;

        for (size_t i = 0; i < l->n_undos; i++)
                l->undos[i].tries = 0;
        for (size_t i = 0; i < l->n_copies; i++)
                l->copies[i].tries = 0;
        timer_set(&c->timers, &l->work,
                  timers_now(&c->timers) + (uint64_t)((double)AGAIN_US * c->settings.scale), work);
}

static void work(struct timer *timer) {
        struct ledger *l = container(timer, struct ledger, work);

        if (l->working || coordinator_held(l->coordinator))
                return; /* called() and ledgers_work() come again */
        if (start_undo(l) || start_copy(l))
                return;
        if (l->in_session)
                return;
        if (anything_left(l)) {
                try_again_later(l);
                return;
        }
        save_or_log(l);
        ledger_free(l); /* a record that could not be removed has nothing left to do in it */
}

void ledgers_drop_undo(const struct member *member) {
        for (struct ledger *l = member->session->coordinator->ledgers; l; l = l->next)
                if (drop_undo(l, member)) {
                        l->dirty = true;
                        if (!l->in_session)
                                work_soon(l);
                }
}

void ledgers_lose_member(const struct member *member) {
        for (struct ledger *l = member->session->coordinator->ledgers; l; l = l->next)
                for (size_t i = 0; i < l->n_undos; i++)
                        if (l->undos[i].member == member) {
                                l->undos[i].member = NULL;
                                work_soon(l);
                        }
}

void ledger_leave(struct ledger *l) {
        l->in_session = false;
        work_soon(l);
}

void ledgers_work(struct coordinator *c) {
        for (struct ledger *l = c->ledgers; l; l = l->next) {
                if (l->dirty)
                        save_or_log(l);
                work_soon(l);
        }
}

int coordinator_reconcile(struct coordinator *c, const struct set_record *record,
                          struct vss_error *reterr) {
        bool keep = record->created && (record->context & VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE);
        struct ledger *l;
        int r = ledger_new(c, &record->set_id, &record->session_id, record->context, &l);

        if (r < 0)
                return vss_fail(reterr, r, "out of memory");
        l->in_session = false;
        l->on_disk = true;
        l->created = record->created;
        for (size_t i = 0; i < record->n_copies && r >= 0 && !keep; i++)
                r = ledger_add_copy(l, &record->copies[i]);
        for (size_t i = 0; i < record->n_undos && r >= 0; i++)
                r = add_undo(l, &record->undos[i], NULL);
        if (r < 0) {
                ledger_free(l);
                return vss_fail(reterr, r, "out of memory");
        }
        work_soon(l);
        return 0;
}
