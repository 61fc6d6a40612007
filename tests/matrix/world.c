/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * world.c - the actors behind the ports, their clock and their requester. See world.h.
 */
#include "tests/matrix/world.h"

#include <errno.h>

#include "base/array.h"

const char *const fault_names[FAULT_COUNT] = {
        [FAULT_NONE] = "nothing",        [FAULT_RETRYABLE] = "fails, retryable",
        [FAULT_NONRETRYABLE] = "fails",  [FAULT_LATE] = "late",
        [FAULT_STUCK] = "stuck",         [FAULT_DIES] = "dies",
        [FAULT_TWICE] = "answers twice",
};

/* ---- clock ---- */

static uint64_t now_us(void *userdata) {
        return ((struct world *)userdata)->now;
}

static vss_timestamp_t timestamp(void *userdata) {
        return (vss_timestamp_t)((struct world *)userdata)->now * 10;
}

static void arm(void *userdata, uint64_t at_us) {
        ((struct world *)userdata)->timer = at_us;
}

/* ---- what an actor may be asked at this moment ---- */

static unsigned freeze_rank(const struct actor *a) {
        for (unsigned i = 0; i < LEVEL_COUNT; i++)
                if (level_at(i) == a->level)
                        return i;
        CHECK_FAIL_("%s has no level", a->name);
}

static bool is_open(const struct world *w, const struct actor *a, enum verb verb) {
        for (size_t i = 0; i < ELEMENTSOF(w->queue); i++)
                if (w->queue[i].used && !w->queue[i].forgotten && w->queue[i].actor == a &&
                    w->queue[i].call.verb == verb)
                        return true;
        return false;
}

static bool any_open(const struct world *w, enum party_kind kind, enum verb verb) {
        for (size_t i = 0; i < w->n_actors; i++)
                if (w->actors[i].kind == kind && is_open(w, &w->actors[i], verb))
                        return true;
        return false;
}

/* S-22, B-43: level after level, and nobody is frozen or thawed while volumes are held */
static void check_level_order(const struct world *w, const struct actor *a, enum verb verb) {
        for (size_t i = 0; i < w->n_actors; i++) {
                const struct actor *o = &w->actors[i];

                if (o->kind != PARTY_WRITER || !is_open(w, o, verb))
                        continue;
                if (verb == VERB_FREEZE)
                        CHECK(freeze_rank(o) >= freeze_rank(a));
                else
                        CHECK(freeze_rank(o) <= freeze_rank(a));
        }
        CHECK_INT(w->volumes_frozen, 0);
}

static void check_all_providers(const struct world *w, const struct vss_id *set_id,
                                uint32_t state) {
        for (size_t i = 0; i < w->n_actors; i++)
                if (w->actors[i].kind == PARTY_PROVIDER &&
                    vss_id_equal(&w->actors[i].set_id, set_id))
                        CHECK_INT(w->actors[i].set_state, state);
}

/* P-30: the state in which each call finds the provider, and the one it leaves */
static const struct {
        uint32_t from, to;
} life[VERB_COUNT] = {
        [VERB_END_PREPARE_SNAPSHOTS] = { VSS_SS_PREPARING, VSS_SS_PREPARED },
        [VERB_PRE_COMMIT_SNAPSHOTS] = { VSS_SS_PREPARED, VSS_SS_PRECOMMITTED },
        [VERB_COMMIT_SNAPSHOTS] = { VSS_SS_PRECOMMITTED, VSS_SS_COMMITTED },
        [VERB_POST_COMMIT_SNAPSHOTS] = { VSS_SS_COMMITTED, VSS_SS_POSTCOMMITTED },
        [VERB_PRE_FINAL_COMMIT_SNAPSHOTS] = { VSS_SS_POSTCOMMITTED, VSS_SS_PREFINALCOMMITTED },
        [VERB_POST_FINAL_COMMIT_SNAPSHOTS] = { VSS_SS_PREFINALCOMMITTED, VSS_SS_CREATED },
};

static unsigned freezable(const struct set_view *set) {
        unsigned n = 0;

        for (size_t i = 0; i < set->n_copies; i++)
                n += set->copies[i].hold == VSS_HOLD_FREEZE;
        return n;
}

static void check_provider_call(struct world *w, const struct actor *a, const struct call *call) {
        if (life[call->verb].to) { /* P-30, P-50 */
                CHECK_INT(a->set_state, life[call->verb].from);
                CHECK(vss_id_equal(&a->set_id, &call->set_id));
        }
        switch ((int)call->verb) {
        case VERB_PRE_COMMIT_SNAPSHOTS: /* P-53 */
                CHECK(!any_open(w, PARTY_WRITER, VERB_FREEZE));
                break;
        case VERB_COMMIT_SNAPSHOTS: /* P-51; P-52 is the state machine */
                CHECK_INT(w->volumes_frozen, freezable(call->set));
                CHECK(!any_open(w, PARTY_HOLD, VERB_HOLD_FREEZE));
                break;
        case VERB_POST_COMMIT_SNAPSHOTS: /* P-52 */
                CHECK_INT(w->volumes_frozen, 0);
                check_all_providers(w, &call->set_id, VSS_SS_COMMITTED);
                break;
        case VERB_ABORT_SNAPSHOTS: /* S-42: release first */
        case VERB_DELETE_SNAPSHOTS:
                CHECK_INT(w->volumes_frozen, 0);
                break;
        default:
                break;
        }
}

static void check_call(struct world *w, struct actor *a, const struct call *call) {
        if (call->verb == VERB_LOAD) {
                CHECK(a->program);
                CHECK(!coordinator_held(w->c)); /* S-30: no process is started */
        } else if (a->kind == PARTY_PROVIDER) {
                check_provider_call(w, a, call);
        } else if (a->kind == PARTY_WRITER) {
                if (call->verb == VERB_FREEZE || call->verb == VERB_THAW)
                        check_level_order(w, a, call->verb);
                if (call->verb == VERB_FREEZE)
                        CHECK(coordinator_held(w->c));
        }
}

/* ---- sending ---- */

static struct queued *enqueue(struct world *w) {
        for (size_t i = 0; i < ELEMENTSOF(w->queue); i++)
                if (!w->queue[i].used) {
                        w->queue[i] = (struct queued){ .used = true };
                        return &w->queue[i];
                }
        CHECK_FAIL_("the queue is full");
}

/* strike() - in the worst case the deed was done, and only the answer is missing */
static void strike(struct queued *q) {
        struct actor *a = q->actor;

        q->fault = a->faults[0].kind;
        a->faults[0] = a->faults[1];
        a->faults[1].kind = FAULT_NONE;
        if (q->fault == FAULT_LATE)
                q->at_us = q->deadline_us + 1000000;
        else if (q->fault == FAULT_STUCK)
                q->at_us = UINT64_MAX;
        else if (q->fault != FAULT_TWICE)
                q->at_us++; /* after the others have answered */
        if (q->fault == FAULT_STUCK || q->fault == FAULT_DIES) {
                a->holding = a->holding || q->call.verb == VERB_FREEZE;
                if (q->call.verb == VERB_HOLD_FREEZE) {
                        a->world->volumes_frozen = 1;
                        a->world->frozen_since = a->world->now;
                }
        }
        a->busy_until = q->at_us;
}

static void pull_trigger(struct world *w, enum verb verb) {
        if (w->trigger && verb == w->trigger_verb && !w->pulled)
                w->pulled = true; /* carried out by world_run(), from the event loop */
}

static int call(void *userdata, enum party_kind kind, void *peer, uint64_t ticket,
                const struct call *call_) {
        struct world *w = userdata;
        struct actor *a = peer;
        struct queued *q;

        CHECK_INT(a->kind, kind);
        CHECK(call_->deadline_us >= w->now);
        check_call(w, a, call_);
        CHECK(a->n_told < MAX_TOLD);
        if (!call_->quiet) { /* else its runtime alone is told */
                a->told[a->n_told].at_us = w->now;
                a->told[a->n_told].seq = ++w->seq;
                a->told[a->n_told++].verb = call_->verb;
        }
        if (!a->running && call_->verb != VERB_LOAD)
                return -ECONNREFUSED;
        if (call_->set && a->kind == PARTY_WRITER)
                w->last_instant = call_->set->instant;
        if (a->kind == PARTY_WRITER) {
                a->freezes += call_->verb == VERB_FREEZE;
                a->thaws += call_->verb == VERB_THAW;
                a->aborts += call_->verb == VERB_ABORT;
        }
        q = enqueue(w);
        q->ticket = ticket;
        q->actor = a;
        q->call = *call_;
        if (call_->set)
                q->freezable = freezable(call_->set);
        if (call_->volume)
                (void)snprintf(q->volume, sizeof(q->volume), "%s", call_->volume->id);
        q->sent_us = w->now;
        q->deadline_us = call_->deadline_us;
        q->at_us = a->busy_until > w->now ? a->busy_until : w->now;
        if (q->at_us != UINT64_MAX)
                q->at_us += a->cost_us[call_->verb];
        a->busy_until = q->at_us;
        if (a->faults[0].kind && a->faults[0].verb == call_->verb)
                strike(q);
        pull_trigger(w, call_->verb);
        return 0;
}

static void forget(void *userdata, uint64_t ticket) {
        struct world *w = userdata;

        for (size_t i = 0; i < ELEMENTSOF(w->queue); i++)
                if (w->queue[i].used && w->queue[i].ticket == ticket)
                        w->queue[i].forgotten = true;
}

/* the process is gone; what it held stays, what it only knew is lost */
static void process_gone(struct actor *a) {
        struct world *w = a->world;
        size_t kept = 0;

        a->running = false;
        a->busy_until = 0;
        a->answered_freeze = false;
        for (size_t i = 0; i < ELEMENTSOF(w->queue); i++)
                if (w->queue[i].actor == a)
                        w->queue[i].used = false;
        for (size_t i = 0; i < a->n_disk; i++)
                if (a->disk[i].committed)
                        a->disk[kept++] = a->disk[i];
        a->n_disk = kept;
        a->set_state = VSS_SS_UNKNOWN;
        if (a->kind == PARTY_HOLD) { /* the guardian sees the end of its freezer */
                w->volumes_frozen = 0;
                a->running = true;
        }
}

static void kill_peer(void *userdata, enum party_kind kind, void *peer) {
        struct actor *a = peer;

        if (kind == PARTY_PROVIDER) /* P-43 */
                CHECK(!coordinator_held(a->world->c) && a->world->volumes_frozen == 0);
        process_gone(a);
        if (!a->program)
                a->holding = false; /* its runtime thaws when the connection ends */
}

static void gone(void *userdata, enum party_kind kind, void *peer) {
        ((struct actor *)peer)->party = NULL;
}

static void drop_document(void *userdata, int document) {
        struct world *w = userdata;

        CHECK(document >= 1000 && document < w->next_document);
        CHECK(w->documents > 0);
        w->documents--;
}

int world_document(struct world *w) {
        w->documents++;
        return w->next_document++;
}

void world_die(struct actor *a) {
        struct party *party = a->party;

        process_gone(a);
        if (!a->program && a->kind != PARTY_HOLD)
                a->party = NULL;
        coordinator_party_died(a->world->c, party, "killed by signal 9");
}

void world_let_go(struct world *w) {
        w->volumes_frozen = 0;
        coordinator_hold_expired(w->c, "its 10 s were over");
}

/* ---- what an actor does ---- */

static bool fails(const struct queued *q) {
        return q->fault == FAULT_RETRYABLE || q->fault == FAULT_NONRETRYABLE;
}

static void writer_fails(const struct actor *a, const struct queued *q, struct answer *answer) {
        if (q->fault == FAULT_RETRYABLE) {
                answer->failure = a->veto ? a->veto : VSS_E_WRITERERROR_RETRYABLE;
                answer->fatal = a->veto == 0;
        } else {
                answer->failure = VSS_E_WRITERERROR_NONRETRYABLE; /* and true: B-79 */
        }
        answer->application_failure = 42;
        answer->message = "the fault was injected";
}

static struct writer_identity identity_of(const struct actor *a) {
        return (struct writer_identity){ .writer_id = a->id,
                                         .instance_id = a->instance,
                                         .instance_name = "one",
                                         .name = a->name,
                                         .level = a->level,
                                         .freeze_timeout_ms = a->freeze_timeout_ms };
}

static void writer_does(struct actor *a, const struct queued *q, struct answer *answer) {
        static struct writer_identity identity;
        enum verb verb = q->call.verb;

        a->last_context = q->call.context;
        if (verb == VERB_LOAD && fails(q)) {
                answer->result = -EIO;
                answer->message = "the fault was injected";
                return;
        }
        if (verb == VERB_LOAD) {
                a->running = true;
                CHECK_INT(vss_id_new(&a->instance), 0);
                identity = identity_of(a);
                answer->writer = &identity;
        }
        if (verb == VERB_IDENTIFY) {
                answer->document = world_document(a->world);
                answer->autorecover = a->autorecover;
                answer->parallel_restores = a->parallel;
        }
        if (q->call.document >= 0 && verb != VERB_BACKUP_COMPLETE)
                answer->document = world_document(a->world);
        if (verb == VERB_FREEZE)
                a->holding = a->answered_freeze = true;
        if (verb == VERB_THAW || verb == VERB_ABORT || verb == VERB_UNDO)
                a->holding = false;
        if (verb == VERB_UNDO) {
                CHECK_INT(q->call.token_size, 5);
                a->undos++;
        }
        if (verb == VERB_BACKUP_SHUTDOWN)
                a->shutdown_set = q->call.set_id;
        if (a->token && verb == a->token_at) {
                answer->undo = "token";
                answer->undo_size = 5;
        }
        if (fails(q))
                writer_fails(a, q, answer);
}

static struct disk_copy *disk_find(struct actor *a, const struct vss_id *id) {
        for (size_t i = 0; i < a->n_disk; i++)
                if (vss_id_equal(&a->disk[i].id, id))
                        return &a->disk[i];
        return NULL;
}

static struct vss_snapshot_prop prop_of(const struct actor *a, const struct disk_copy *copy) {
        return (struct vss_snapshot_prop){
                .snapshot_id = copy->id,
                .snapshot_set_id = copy->set_id,
                .snapshots_count = 1,
                .device_object = (char *)(uintptr_t)a->world->device,
                .original_volume = (char *)(uintptr_t)copy->volume,
                .original_mount = (char *)(uintptr_t)copy->volume,
                .provider_id = a->id,
                .attributes = copy->attributes,
                .status = VSS_SS_CREATED,
        };
}

static void drop_copies(struct actor *a, const struct vss_id *set_id, bool also_created) {
        size_t kept = 0;

        for (size_t i = 0; i < a->n_disk; i++)
                if (!vss_id_equal(&a->disk[i].set_id, set_id) ||
                    (a->disk[i].created && !also_created))
                        a->disk[kept++] = a->disk[i];
        a->n_disk = kept;
}

static void does_load(struct actor *a, const struct queued *q, struct answer *answer) {
        static struct vss_provider_prop prop;

        a->running = true;
        prop = (struct vss_provider_prop){ .provider_id = a->id,
                                           .name = a->name,
                                           .title = a->name,
                                           .version = (char *)(uintptr_t) "1",
                                           .kind = a->provider_kind };
        answer->provider = &prop;
}

static void does_begin(struct actor *a, const struct queued *q, struct answer *answer) {
        struct disk_copy *copy;

        if (!vss_id_equal(&a->set_id, &q->call.set_id)) /* P-30: the old one is dropped */
                drop_copies(a, &a->set_id, false);
        a->set_id = q->call.set_id;
        a->set_state = VSS_SS_PREPARING;
        CHECK(a->n_disk < ELEMENTSOF(a->disk));
        copy = &a->disk[a->n_disk++];
        *copy = (struct disk_copy){ .id = q->call.snapshot_id,
                                    .set_id = q->call.set_id,
                                    .attributes = q->call.context };
        (void)snprintf(copy->volume, sizeof(copy->volume), "%s", q->volume);
}

static void does_abort(struct actor *a, const struct queued *q, struct answer *answer) {
        drop_copies(a, &q->call.set_id, false);
        if (vss_id_equal(&a->set_id, &q->call.set_id) && a->set_state != VSS_SS_CREATED)
                a->set_state = VSS_SS_ABORTED;
}

static void does_tell(struct actor *a, const struct queued *q, struct answer *answer) {
        static struct vss_snapshot_prop props[80];

        for (size_t i = 0; i < a->n_disk; i++) {
                bool one = q->call.verb == VERB_GET_SNAPSHOT_PROPERTIES;

                if (one ? vss_id_equal(&a->disk[i].id, &q->call.snapshot_id) : a->disk[i].created)
                        props[answer->n_snapshots++] = prop_of(a, &a->disk[i]);
        }
        answer->snapshots = props;
        if (q->call.verb == VERB_GET_SNAPSHOT_PROPERTIES && answer->n_snapshots == 0)
                answer->result = VSS_E_OBJECT_NOT_FOUND;
}

static void does_delete(struct actor *a, const struct queued *q, struct answer *answer) {
        struct disk_copy *copy = disk_find(a, &q->call.snapshot_id);

        if (copy)
                *copy = a->disk[--a->n_disk];
        else
                answer->result = VSS_E_OBJECT_NOT_FOUND;
}

static void does_support(struct actor *a, const struct queued *q, struct answer *answer) {
        answer->supported = !a->only_volume || strstr(a->only_volume, q->volume);
        answer->message = answer->supported ? NULL : "not mine";
        answer->hold = a->hold;
        answer->instant = a->instant;
        answer->attributes = a->attributes;
}

static void does_step(struct actor *a, const struct queued *q, struct answer *answer) {
        a->set_state = life[q->call.verb].to;
        a->last_context = q->call.context;
        if (q->call.verb == VERB_POST_COMMIT_SNAPSHOTS)
                a->last_count = q->call.count;
        for (size_t i = 0; i < a->n_disk; i++) {
                if (!vss_id_equal(&a->disk[i].set_id, &q->call.set_id))
                        continue;
                if (q->call.verb == VERB_COMMIT_SNAPSHOTS)
                        a->disk[i].committed = true;
                if (q->call.verb == VERB_POST_FINAL_COMMIT_SNAPSHOTS)
                        a->disk[i].created = true;
        }
}

/* the copy's own id names the reference */
static void does_reference(struct actor *a, const struct queued *q, struct answer *answer) {
        struct disk_copy *copy = disk_find(a, &q->call.snapshot_id);

        if (q->call.verb != VERB_RELEASE_REFERENCE && !(copy && copy->created))
                answer->result = VSS_E_OBJECT_NOT_FOUND;
        else
                answer->reference_id = q->call.snapshot_id;
}

static void provider_does(struct actor *a, const struct queued *q, struct answer *answer) {
        static void (*const does[VERB_COUNT])(struct actor *, const struct queued *,
                                              struct answer *) = {
                [VERB_LOAD] = does_load,
                [VERB_IS_VOLUME_SUPPORTED] = does_support,
                [VERB_BEGIN_PREPARE_SNAPSHOT] = does_begin,
                [VERB_END_PREPARE_SNAPSHOTS] = does_step,
                [VERB_PRE_COMMIT_SNAPSHOTS] = does_step,
                [VERB_COMMIT_SNAPSHOTS] = does_step,
                [VERB_POST_COMMIT_SNAPSHOTS] = does_step,
                [VERB_PRE_FINAL_COMMIT_SNAPSHOTS] = does_step,
                [VERB_POST_FINAL_COMMIT_SNAPSHOTS] = does_step,
                [VERB_ABORT_SNAPSHOTS] = does_abort,
                [VERB_GET_SNAPSHOT_PROPERTIES] = does_tell,
                [VERB_QUERY] = does_tell,
                [VERB_DELETE_SNAPSHOTS] = does_delete,
                [VERB_KEEP_REFERENCE] = does_reference,
                [VERB_RELEASE_REFERENCE] = does_reference,
                [VERB_QUERY_CHANGES] = does_reference,
        };

        CHECK(does[q->call.verb]);
        if (!fails(q)) {
                does[q->call.verb](a, q, answer);
                return;
        }
        if (q->call.verb == VERB_COMMIT_SNAPSHOTS) /* half of it was done */
                does[q->call.verb](a, q, answer);
        if (life[q->call.verb].to) { /* P-30: a veto drops the set, of what is on disk not all */
                a->set_state = VSS_SS_ABORTED;
        }
        answer->result = q->fault == FAULT_RETRYABLE ? VSS_E_PROVIDER_VETO : S_FALSE;
        answer->message = "the fault was injected";
}

static void hold_does(struct actor *a, const struct queued *q, struct answer *answer) {
        struct world *w = a->world;

        if (fails(q)) {
                answer->result = q->fault == FAULT_RETRYABLE ? VSS_E_HOLD_WRITES_TIMEOUT : -EIO;
                answer->message = "the fault was injected";
                return;
        }
        if (q->call.verb == VERB_HOLD_FREEZE) {
                w->volumes_frozen = q->freezable;
                w->frozen_since = w->now;
        }
        if (q->call.verb == VERB_HOLD_RELEASE)
                w->volumes_frozen = 0;
}

static void deliver(struct world *w, struct queued *q) {
        static void (*const does[])(struct actor *, const struct queued *, struct answer *) = {
                [PARTY_WRITER] = writer_does,
                [PARTY_PROVIDER] = provider_does,
                [PARTY_HOLD] = hold_does,
        };
        struct answer answer = ANSWER_INIT, again;
        struct queued was = *q;

        q->used = false;
        if (was.fault == FAULT_DIES) {
                if (was.call.verb == VERB_COMMIT_SNAPSHOTS)
                        does_step(was.actor, &was, &answer); /* it had done it */
                world_die(was.actor);
                return;
        }
        does[was.actor->kind](was.actor, &was, &answer);
        again = answer;
        coordinator_answer(w->c, was.ticket, &answer);
        if (was.fault != FAULT_TWICE)
                return;
        again.document = again.document >= 0 ? world_document(w) : -1;
        coordinator_answer(w->c, was.ticket, &again);
}

/* ---- record, slot, notices ---- */

static struct record_kept *record_find(struct world *w, const struct vss_id *id) {
        struct record_kept *free_one = NULL;

        for (size_t i = 0; i < ELEMENTSOF(w->records); i++) {
                if (w->records[i].used && vss_id_equal(&w->records[i].set_id, id))
                        return &w->records[i];
                if (!w->records[i].used)
                        free_one = &w->records[i];
        }
        CHECK(free_one);
        return free_one;
}

static int record_fault(struct world *w, struct vss_error *reterr) {
        CHECK(!coordinator_held(w->c)); /* S-30 */
        CHECK_INT(w->volumes_frozen, 0);
        w->record_writes++;
        if (w->record_broken)
                return vss_fail(reterr, -ENOSPC, "no space left for the record");
        return 0;
}

static int record_write(void *userdata, const struct set_record *record, struct vss_error *reterr) {
        struct world *w = userdata;
        struct record_kept *kept = record_find(w, &record->set_id);
        int r = record_fault(w, reterr);

        if (r < 0)
                return r;
        CHECK(record->n_copies > 0 || record->n_undos > 0);
        *kept = (struct record_kept){ true, record->set_id, record->created, record->n_copies,
                                      record->n_undos };
        return 0;
}

static int record_remove(void *userdata, const struct vss_id *set_id, uint32_t context,
                         struct vss_error *reterr) {
        struct world *w = userdata;
        struct record_kept *kept = record_find(w, set_id);
        int r = record_fault(w, reterr);

        if (r < 0)
                return r;
        CHECK(kept->used);
        kept->used = false;
        return 0;
}

static bool record_is_elsewhere(void *userdata, const struct vss_id *set_id, uint32_t context) {
        struct world *w = userdata;

        CHECK(!coordinator_held(w->c)); /* S-30 */
        return vss_id_equal(set_id, &w->elsewhere);
}

static int slot_acquire(void *userdata, const struct vss_id *session, struct vss_error *reterr) {
        struct world *w = userdata;

        if (w->slot || w->slot_refused)
                return vss_fail(reterr, VSS_E_SNAPSHOT_SET_IN_PROGRESS, "another one creates");
        w->slot = true;
        return 0;
}

static void slot_release(void *userdata) {
        struct world *w = userdata;

        CHECK(w->slot);
        w->slot = false;
}

static void progress(void *userdata, struct operation *operation, const char *phase,
                     const char *who) {
        struct world *w = userdata;

        CHECK(*phase && *who && operation_number(operation) > 0);
        w->notices_while_held += coordinator_held(w->c);
}

static void completed(void *userdata, struct operation *operation, int code, const char *words) {
        struct world *w = userdata;

        CHECK(!w->op_done || w->several); /* once */
        w->op_done = true;
        w->completions++;
        w->op_code = code;
        (void)snprintf(w->op_words, sizeof(w->op_words), "%s", words);
        CHECK_INT(operation_status(operation, NULL), code);
        CHECK(!coordinator_held(w->c));
}

static void log_words(void *userdata, const struct log_record *record) {
        struct world *w = userdata;
        size_t n = strlen(w->log);

        w->notices_while_held += coordinator_held(w->c);
        (void)snprintf(w->log + n, sizeof(w->log) - n, "%s%s%s%s%s\n", record->phase,
                       *record->phase ? ": " : "", record->message, record->code ? " " : "",
                       record->code ? vss_error_name(record->code) : "");
        if (record->code) /* B-161: which writer, which instance, in which session */
                CHECK(!vss_id_is_null(&record->writer_id) && *record->who && *record->phase &&
                      !vss_id_is_null(&record->instance_id) &&
                      !vss_id_is_null(&record->session_id));
}

static const struct clock_ops clock_ops = { now_us, timestamp, arm };
static const struct party_ops party_ops = { call, forget, kill_peer, gone, drop_document };
static const struct record_ops record_ops = { record_write, record_remove, record_is_elsewhere };
static const struct slot_ops slot_ops = { slot_acquire, slot_release };
static const struct notice_ops notice_ops = { progress, completed, log_words };

/* ---- the world turns ---- */

static struct queued *next_answer(struct world *w) {
        struct queued *found = NULL;

        for (size_t i = 0; i < ELEMENTSOF(w->queue); i++) {
                struct queued *q = &w->queue[i];

                if (q->used && q->at_us != UINT64_MAX &&
                    (!found || q->at_us < found->at_us ||
                     (q->at_us == found->at_us && q->ticket < found->ticket)))
                        found = q;
        }
        return found;
}

#define GUARDIAN_US UINT64_C(10000001)

static bool guardian(struct world *w, uint64_t until) {
        uint64_t at = w->frozen_since + GUARDIAN_US;

        if (w->volumes_frozen == 0 || w->guardian_sleeps || at > until)
                return false;
        w->now = at > w->now ? at : w->now;
        world_let_go(w);
        return true;
}

/* turn() - the next thing that happens, up to @until. Return: false when there is none */
static bool turn(struct world *w, uint64_t until) {
        struct queued *q = next_answer(w);
        uint64_t at = w->timer;

        if (w->pulled && w->trigger) {
                void (*trigger)(struct world *) = w->trigger;

                w->trigger = NULL;
                trigger(w);
                return true;
        }
        if (q && q->at_us < at)
                at = q->at_us;
        if (guardian(w, at < until ? at : until))
                return true;
        if (at == UINT64_MAX || at > until)
                return false;
        if (at > w->now)
                w->now = at;
        if (q && q->at_us <= w->now && q->at_us < w->timer)
                deliver(w, q);
        else
                coordinator_run_timers(w->c);
        return true;
}

void world_run(struct world *w, const bool *done) {
        for (unsigned n = 0; !*done; n++) {
                CHECK(n < 100000);
                if (!turn(w, UINT64_MAX))
                        CHECK_FAIL_("nothing happens any more; log:\n%s", w->log);
        }
}

void world_settle(struct world *w, uint64_t us) {
        uint64_t until = w->now + us;

        while (turn(w, until))
                ;
        w->now = until;
}

void world_strike(struct actor *a, enum verb verb, enum fault_kind fault) {
        size_t i = a->faults[0].kind ? 1 : 0;

        CHECK(!a->faults[i].kind);
        a->faults[i].kind = fault;
        a->faults[i].verb = verb;
}

/* ---- making ---- */

struct world *world_new(const struct coordinator_settings *settings) {
        struct world *w = calloc(1, sizeof(*w));
        struct ports ports = { w, &clock_ops, &party_ops, &record_ops, &slot_ops, &notice_ops };

        CHECK(w);
        w->now = 1000000;
        w->timer = UINT64_MAX;
        w->next_document = 1000;
        w->device = "/copies/one";
        CHECK_INT(coordinator_new(&ports, settings, &w->c), 0);
        return w;
}

void world_free(struct world *w) {
        coordinator_free(w->c);
        CHECK_INT(w->documents, 0);
        free(w);
}

static struct actor *new_actor(struct world *w, enum party_kind kind, const char *name) {
        struct actor *a = &w->actors[w->n_actors++];

        CHECK(w->n_actors <= MAX_ACTORS);
        a->world = w;
        a->kind = kind;
        (void)snprintf(a->name, sizeof(a->name), "%s", name);
        CHECK_INT(vss_id_new(&a->id), 0);
        CHECK_INT(vss_id_new(&a->instance), 0);
        return a;
}

void world_reregister(struct world *w, struct actor *a) {
        struct writer_identity identity;

        CHECK_INT(vss_id_new(&a->instance), 0);
        identity = identity_of(a);
        a->running = true;
        CHECK_INT(coordinator_add_writer(w->c, &identity, a, &a->party, NULL), 0);
}

struct actor *world_writer(struct world *w, const char *name, uint32_t level, bool program) {
        struct actor *a = new_actor(w, PARTY_WRITER, name);

        a->level = level;
        a->program = program;
        a->token = true;
        a->token_at = VERB_PREPARE_SNAPSHOT;
        if (program)
                CHECK_INT(coordinator_add_program(w->c, PARTY_WRITER, name, 0, a, &a->party, NULL),
                          0);
        else
                world_reregister(w, a);
        return a;
}

struct actor *world_provider(struct world *w, const char *name, uint32_t kind, uint32_t hold) {
        struct actor *a = new_actor(w, PARTY_PROVIDER, name);

        a->program = true;
        a->provider_kind = kind;
        a->hold = hold;
        a->instant = VSS_INSTANT_ONE;
        a->attributes = VSS_VOLSNAP_ATTR_PERSISTENT | VSS_VOLSNAP_ATTR_DIFFERENTIAL;
        CHECK_INT(coordinator_add_program(w->c, PARTY_PROVIDER, name, 100, a, &a->party, NULL), 0);
        return a;
}

void world_hold(struct world *w) {
        w->hold = new_actor(w, PARTY_HOLD, "vss-hold");
        w->hold->running = true;
        CHECK_INT(coordinator_set_hold(w->c, w->hold, &w->hold->party), 0);
}

struct actor *world_actor(struct world *w, const char *name) {
        for (size_t i = 0; i < w->n_actors; i++)
                if (strcmp(w->actors[i].name, name) == 0)
                        return &w->actors[i];
        CHECK_FAIL_("there is no actor %s", name);
}

struct vss_volume world_volume(const char *name) {
        return (struct vss_volume){ .id = name,
                                    .mount_point = name,
                                    .device = "/dev/null",
                                    .fs_type = "test",
                                    .fs_uuid = name,
                                    .subvolume = "" };
}
