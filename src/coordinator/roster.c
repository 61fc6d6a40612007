/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * roster.c - who can be asked: writers, providers, vss-hold; and the calls that are under way.
 *
 * A call is answered, late, or lost, once; a ticket that is not in the list any more is an answer
 * that came twice or too late and is dropped. What an answer means is not known here.
 */
#include "coordinator/inside.h"

#include <string.h>

char *text_or_empty(const char *text) {
        return strdup(text ? text : "");
}

int writer_identity_copy(struct writer_identity *ret, const struct writer_identity *from) {
        struct writer_identity copy = *from;

        copy.instance_name = text_or_empty(from->instance_name);
        copy.name = text_or_empty(from->name);
        if (!copy.instance_name || !copy.name) {
                writer_identity_done(&copy);
                return -ENOMEM;
        }
        if (copy.level == VSS_APP_UNKNOWN)
                copy.level = VSS_APP_FRONT_END;
        *ret = copy;
        return 0;
}

void writer_identity_done(struct writer_identity *identity) {
        free((char *)(uintptr_t)identity->instance_name);
        free((char *)(uintptr_t)identity->name);
        *identity = (struct writer_identity){ 0 };
}

uint64_t phase_timeout(const struct coordinator *c, enum phase_id id) {
        return c->settings.deadline_us[id];
}

/* ---- finding ---- */

struct party *party_find(struct coordinator *c, enum party_kind kind, const char *name) {
        for (struct party *p = c->parties; p; p = p->next)
                if (p->kind == kind && strcmp(p->name, name) == 0)
                        return p;
        return NULL;
}

struct party *provider_find(struct coordinator *c, const struct vss_id *id) {
        for (struct party *p = c->parties; p; p = p->next)
                if (p->kind == PARTY_PROVIDER && vss_id_equal(&p->provider.provider_id, id))
                        return p;
        return NULL;
}

/* ---- calls ---- */

static struct pending *pending_new(struct coordinator *c) {
        struct pending *p = c->spare;

        if (!p)
                return calloc(1, sizeof(*p));
        c->spare = p->next;
        *p = (struct pending){ 0 };
        return p;
}

static void pending_end(struct coordinator *c, struct pending *p) {
        timer_stop(&p->deadline);
        LIST_REMOVE(&c->pending, p);
        LIST_ADD(&c->spare, p);
}

int calls_reserve(struct coordinator *c, size_t count) {
        size_t have = 0;

        for (struct pending *p = c->spare; p; p = p->next)
                have++;
        for (; have < count; have++) {
                struct pending *p = calloc(1, sizeof(*p));

                if (!p)
                        return -ENOMEM;
                LIST_ADD(&c->spare, p);
        }
        return 0;
}

/* A party is loaded once at a time: a second VERB_LOAD would start it anew under the first. */
static struct pending *find_pending(struct coordinator *c, const struct party *party, bool waits) {
        for (struct pending *p = c->pending; p; p = p->next)
                if (p->party == party && (waits ? p->waits : p->loads))
                        return p;
        return NULL;
}

/* hand_load_on() - who began the load loses interest; is there somebody who waits for it? */
static bool hand_load_on(struct coordinator *c, struct pending *p) {
        struct pending *heir = p->loads ? find_pending(c, p->party, true) : NULL;

        if (!heir)
                return false;
        heir->ticket = p->ticket;
        heir->loads = true;
        heir->held_back = p->held_back;
        heir->load_timeout_us = p->load_timeout_us;
        heir->waits = false;
        return true;
}

void calls_forget(struct coordinator *c, const void *owner, const void *target) {
        for (struct pending *p = c->pending, *next; p; p = next) {
                next = p->next;
                if (p->owner != owner || (target && p->target != target))
                        continue;
                if (!hand_load_on(c, p) && c->ports->party->forget)
                        c->ports->party->forget(c->ports->userdata, p->ticket);
                pending_end(c, p);
        }
}

/* end_call() - @p is gone before @done runs, so that done may call and forget as it likes */
static void end_call(struct coordinator *c, struct pending *p, enum ending ending,
                     struct answer *answer) {
        struct pending was = *p;

        pending_end(c, p);
        was.done(was.owner, was.target, ending, answer);
        if (answer->document >= 0)
                c->ports->party->drop_document(c->ports->userdata, take_fd(&answer->document));
}

static void end_call_badly(struct coordinator *c, struct pending *p, enum ending ending, int code,
                           const char *words) {
        struct answer answer = ANSWER_INIT;

        answer.result = code;
        answer.message = words;
        end_call(c, p, ending, &answer);
}

static void call_late(struct timer *timer) {
        struct pending *p = container(timer, struct pending, deadline);
        struct coordinator *c = p->party->coordinator;

        p->party->timeouts++;
        if (c->ports->party->forget)
                c->ports->party->forget(c->ports->userdata, p->ticket);
        end_call_badly(c, p, ENDED_LATE, -ETIMEDOUT, "no answer in time");
}

static int send_pending(struct pending *p, const struct call *call, uint64_t timeout_us) {
        struct coordinator *c = p->party->coordinator;
        struct call sent = *call;

        p->ticket = ++c->last_ticket;
        sent.deadline_us = timers_now(&c->timers) + timeout_us;
        timer_set(&c->timers, &p->deadline, sent.deadline_us, call_late);
        return c->ports->party->call(c->ports->userdata, p->party->kind, p->party->peer, p->ticket,
                                     &sent);
}

static const struct call load_call = { .verb = VERB_LOAD, .document = -1 };

/* hold_back() - S-30: no process is started while something is held, which ends by itself */
static int hold_back(struct pending *p, uint64_t timeout_us) {
        p->held_back = true;
        p->ticket = ++p->party->coordinator->last_ticket;
        p->load_timeout_us = timeout_us;
        return 0;
}

static int wait_for_load(struct pending *p, uint64_t timeout_us) {
        struct coordinator *c = p->party->coordinator;

        p->waits = true;
        p->ticket = ++c->last_ticket;
        timer_set(&c->timers, &p->deadline, timers_now(&c->timers) + timeout_us, call_late);
        return 0;
}

int party_call(struct party *party, const struct call *call, uint64_t timeout_us, bool start,
               call_done_t done, void *owner, void *target) {
        struct coordinator *c = party->coordinator;
        bool load = call->verb == VERB_LOAD;
        struct pending *p;
        int r;

        if (!party->running && !load && !(start && party->program))
                return -ECONNRESET;
        p = pending_new(c);
        if (!p)
                return -ENOMEM;
        p->party = party;
        p->owner = owner;
        p->target = target;
        p->done = done;
        LIST_ADD(&c->pending, p);
        p->starting = !party->running && !load;
        if (p->starting) {
                p->after_start = *call;
                p->timeout_us = timeout_us;
                timeout_us = phase_timeout(c, PHASE_LOAD);
                call = &load_call;
        }
        if (call->verb != VERB_LOAD || !find_pending(c, party, false)) {
                p->loads = call->verb == VERB_LOAD;
                r = p->loads && coordinator_held(c) ? hold_back(p, timeout_us)
                                                    : send_pending(p, call, timeout_us);
        } else {
                r = wait_for_load(p, timeout_us);
        }
        if (r < 0)
                pending_end(c, p);
        return r < 0 ? r : 0;
}

void calls_go_on(struct coordinator *c) {
        for (struct pending *p = c->pending; p;) {
                int r;

                if (!p->held_back) {
                        p = p->next;
                        continue;
                }
                p->held_back = false;
                r = send_pending(p, &load_call, p->load_timeout_us);
                if (r < 0)
                        end_call_badly(c, p, ENDED_LOST, r, "could not be reached");
                p = c->pending; /* sending and ending may have changed the list */
        }
}

/* ---- identities ---- */

static int check_writer(const struct writer_identity *w, struct vss_error *reterr) {
        const char *name = w->name && *w->name ? w->name : "(no name)";

        if (vss_id_is_null(&w->writer_id) || vss_id_is_null(&w->instance_id))
                return vss_fail(reterr, E_INVALIDARG,
                                "writer '%s' has no class id or no instance id", name);
        if (w->level > VSS_APP_SYSTEM_RM)
                return vss_fail(reterr, E_INVALIDARG,
                                "writer '%s' declares application level %u; 1 to 4 exist (M-53)",
                                name, w->level);
        return 0;
}

static int learn_writer(struct party *party, const struct writer_identity *identity,
                        struct vss_error *reterr) {
        struct writer_identity copy;
        int r = check_writer(identity, reterr);

        if (r < 0)
                return r;
        r = writer_identity_copy(&copy, identity);
        if (r < 0)
                return vss_fail(reterr, r, "out of memory");
        writer_identity_done(&party->writer);
        party->writer = copy;
        return 0;
}

static int learn_provider(struct party *party, const struct vss_provider_prop *prop,
                          struct vss_error *reterr) {
        struct vss_provider_prop copy = *prop;
        struct party *other = provider_find(party->coordinator, &prop->provider_id);

        if (vss_id_is_null(&prop->provider_id) || prop->kind < VSS_PROV_SYSTEM ||
            prop->kind > VSS_PROV_FILESHARE)
                return vss_fail(reterr, E_INVALIDARG, "provider '%s' tells no id or no known kind",
                                party->name);
        if (other && other != party) /* P-10 */
                return vss_fail(reterr, VSS_E_PROVIDER_ALREADY_REGISTERED,
                                "provider '%s' has the id of provider '%s'", party->name,
                                other->name);
        copy.name = text_or_empty(prop->name);
        copy.title = text_or_empty(prop->title);
        copy.version = text_or_empty(prop->version);
        if (!copy.name || !copy.title || !copy.version) {
                vss_free_provider_properties(&copy);
                return vss_fail(reterr, -ENOMEM, "out of memory");
        }
        vss_free_provider_properties(&party->provider);
        party->provider = copy;
        return 0;
}

static int learn(struct party *party, const struct answer *answer, struct vss_error *reterr) {
        int r;

        if (party->kind == PARTY_WRITER)
                r = answer->writer ? learn_writer(party, answer->writer, reterr) : -EPROTO;
        else if (party->kind == PARTY_PROVIDER)
                r = answer->provider ? learn_provider(party, answer->provider, reterr) : -EPROTO;
        else
                r = 0;
        if (r == -EPROTO)
                vss_fail(reterr, r, "'%s' was loaded but tells no identity", party->name);
        if (r < 0)
                return r;
        party->running = true;
        return 0;
}

static bool still_pending(struct coordinator *c, const struct pending *p) {
        for (struct pending *at = c->pending; at; at = at->next)
                if (at == p)
                        return true;
        return false;
}

/* load_over() - go on with one call that needed the load: @answer tells how that went */
static void load_over(struct coordinator *c, struct pending *p, struct answer *answer) {
        int r = answer->result;

        p->loads = p->waits = false;
        timer_stop(&p->deadline);
        if (!p->starting) {
                end_call(c, p, ENDED_ANSWERED, answer);
        } else if (r < 0) {
                end_call(c, p, ENDED_LOST, answer);
        } else {
                p->starting = false;
                r = send_pending(p, &p->after_start, p->timeout_us);
                if (r < 0 && still_pending(c, p))
                        end_call_badly(c, p, ENDED_LOST, r, "could not be reached");
        }
}

/* answer_load() - learn who it is; then whatever it was loaded for, by whomever */
static void answer_load(struct coordinator *c, struct pending *p, struct answer *answer) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct party *party = p->party;
        struct answer others = ANSWER_INIT;
        struct pending *waiting;
        int r = answer->result;

        if (r >= 0) {
                r = learn(party, answer, &error);
                answer->result = r < 0 ? r : 0;
                if (r < 0)
                        answer->message = error.message;
        }
        others.result = answer->result;
        others.message = answer->message;
        load_over(c, p, answer);
        while ((waiting = find_pending(c, party, true))) {
                struct answer copy = others;

                load_over(c, waiting, &copy);
        }
}

void coordinator_answer(struct coordinator *c, uint64_t ticket, struct answer *answer) {
        struct pending *p = c->pending;

        while (p && p->ticket != ticket)
                p = p->next;
        if (!p) {
                if (answer->document >= 0)
                        c->ports->party->drop_document(c->ports->userdata,
                                                       take_fd(&answer->document));
                return;
        }
        timer_stop(&p->deadline);
        if (answer->result == -ECONNRESET) {
                end_call(c, p, ENDED_LOST, answer);
        } else {
                p->party->timeouts = 0;
                if (p->starting || p->party->running == false)
                        answer_load(c, p, answer);
                else
                        end_call(c, p, ENDED_ANSWERED, answer);
        }
        timers_run(&c->timers);
}

/* ---- coming and going ---- */

static int party_new(struct coordinator *c, enum party_kind kind, const char *name, void *peer,
                     struct party **ret) {
        struct party *p = calloc(1, sizeof(*p));

        if (!p)
                return -ENOMEM;
        p->coordinator = c;
        p->kind = kind;
        p->peer = peer;
        p->name = text_or_empty(name);
        if (!p->name) {
                free(p);
                return -ENOMEM;
        }
        *ret = p;
        return 0;
}

static void party_free(struct party *p) {
        writer_identity_done(&p->writer);
        vss_free_provider_properties(&p->provider);
        free(p->name);
        free(p);
}

void roster_done(struct coordinator *c) {
        for (struct party *p = c->parties, *next; p; p = next) {
                next = p->next;
                party_free(p);
        }
        if (c->hold)
                party_free(c->hold);
}

int coordinator_add_program(struct coordinator *c, enum party_kind kind, const char *name,
                            uint32_t order, void *peer, struct party **ret,
                            struct vss_error *reterr) {
        struct party *p;
        int r;

        if (kind >= PARTY_HOLD || !name || !*name)
                return vss_fail(reterr, E_INVALIDARG, "a program of the roster needs a name");
        if (party_find(c, kind, name))
                return vss_fail(reterr, VSS_E_OBJECT_ALREADY_EXISTS,
                                "there are two files for '%s'; rename or remove one", name);
        r = party_new(c, kind, name, peer, &p);
        if (r < 0)
                return vss_fail(reterr, r, "out of memory");
        p->program = true;
        p->order = order;
        LIST_ADD(&c->parties, p);
        if (ret)
                *ret = p;
        return 0;
}

int coordinator_add_writer(struct coordinator *c, const struct writer_identity *identity,
                           void *peer, struct party **ret, struct vss_error *reterr) {
        struct party *p;
        int r = check_writer(identity, reterr);

        if (r < 0)
                return r;
        for (p = c->parties; p; p = p->next)
                if (p->kind == PARTY_WRITER && p->running &&
                    vss_id_equal(&p->writer.instance_id, &identity->instance_id))
                        return vss_fail(reterr, VSS_E_WRITER_ALREADY_SUBSCRIBED,
                                        "writer '%s' has registered before", p->writer.name);
        r = party_new(c, PARTY_WRITER, identity->name, peer, &p);
        if (r < 0)
                return vss_fail(reterr, r, "out of memory");
        r = learn_writer(p, identity, reterr);
        if (r < 0) {
                party_free(p);
                return r;
        }
        p->running = true;
        LIST_ADD(&c->parties, p);
        ledgers_work(c); /* it may be the one that has something to undo */
        if (ret)
                *ret = p;
        return 0;
}

int coordinator_set_hold(struct coordinator *c, void *peer, struct party **ret) {
        struct party *p;
        int r;

        if (c->hold)
                coordinator_remove_party(c, c->hold, "vss-hold was replaced");
        if (peer) {
                r = party_new(c, PARTY_HOLD, "vss-hold", peer, &p);
                if (r < 0)
                        return r;
                p->running = true; /* its death is told by failed calls; it is always reachable */
                c->hold = p;
        }
        if (ret)
                *ret = c->hold;
        return 0;
}

/* fail_calls() - a done function may try again: look from the start each time, and only at calls
 * that are older than this */
static void fail_calls(struct coordinator *c, struct party *party, const char *words) {
        uint64_t last = c->last_ticket;

        for (struct pending *p = c->pending; p;) {
                if (p->party != party || p->ticket > last) {
                        p = p->next;
                        continue;
                }
                end_call_badly(c, p, ENDED_LOST, -ECONNRESET, words);
                p = c->pending;
        }
}

static void tell_sessions(struct coordinator *c, struct party *party, const char *words) {
        for (struct session *s = c->sessions; s; s = s->next) {
                for (size_t i = 0; i < s->n_members; i++)
                        if (s->members[i]->party == party)
                                member_lost(s->members[i], words);
                if (party->kind == PARTY_HOLD && s->set && s->set->held && walk_runs(&s->walk))
                        walk_fail(&s->walk, VSS_E_HOLD_WRITES_TIMEOUT,
                                  "%s died while it held the volumes in phase '%s': %s",
                                  party->name, phases[*s->walk.at].name, words);
        }
}

static void party_lost(struct party *party, const char *words) {
        struct coordinator *c = party->coordinator;

        party->running = party->kind == PARTY_HOLD;
        party->timeouts = 0;
        fail_calls(c, party, words);
        tell_sessions(c, party, words);
}

/* forget_party() - nobody may keep a pointer to it */
static void forget_party(struct coordinator *c, struct party *party) {
        for (struct session *s = c->sessions; s; s = s->next) {
                for (size_t i = 0; s->set && i < s->set->view.n_copies; i++)
                        if (s->set->states[i].provider == party) {
                                s->set->states[i].provider = NULL;
                                s->set->copies[i].provider_peer = NULL;
                        }
                for (size_t i = 0; s->set && i < s->set->n_providers; i++)
                        if (s->set->providers[i].party == party)
                                s->set->providers[i].party = NULL;
        }
        for (struct question *q = c->questions; q; q = q->next) {
                for (size_t i = 0; i < q->n_candidates; i++)
                        if (q->candidates[i] == party)
                                q->candidates[i] = NULL;
                for (size_t i = 0; i < q->n_found; i++)
                        if (q->found[i].party == party)
                                q->found[i].party = NULL;
        }
        LIST_REMOVE(&c->parties, party);
        if (c->hold == party)
                c->hold = NULL;
        if (c->ports->party->gone)
                c->ports->party->gone(c->ports->userdata, party->kind, party->peer);
        party_free(party);
}

void coordinator_party_died(struct coordinator *c, struct party *party, const char *words) {
        party_lost(party, words ? words : "the process ended");
        if (!party->program && party->kind != PARTY_HOLD)
                forget_party(c, party);
        timers_run(&c->timers);
}

void coordinator_remove_party(struct coordinator *c, struct party *party, const char *words) {
        party_lost(party, words ? words : "it was removed");
        forget_party(c, party);
        timers_run(&c->timers);
}

void party_kill(struct party *party, const char *words) {
        struct coordinator *c = party->coordinator;

        c->ports->party->kill(c->ports->userdata, party->kind, party->peer);
        party_lost(party, words);
        if (!party->program && party->kind != PARTY_HOLD)
                forget_party(c, party);
}

/* P-43: a provider not while something is held, and not when it is at work on another call whose
 * time is not over, as long as a mirror's preparation may take */
void party_late(struct party *party) {
        const struct coordinator *c = party->coordinator;
        bool spared = coordinator_held(c);

        for (const struct pending *p = c->pending; p; p = p->next)
                spared = spared || p->party == party;
        if (spared && party->kind == PARTY_PROVIDER)
                return;
        party_kill(party, "it did not answer in time and was ended");
}
