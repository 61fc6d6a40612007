/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-restore.c - restores as the coordinator sees them: the order of calls, who hears of it, who
 * dies in between, and one restore of a writer at a time.
 */
#include "tests/matrix/scenes.h"

#define MINUTE UINT64_C(60000000)
#define TIMEOUT (30 * MINUTE) /* of PreRestore */

static size_t documents_of(struct world *w, const char *const *names,
                           struct component_document *documents) {
        size_t n = 0;

        for (; names[n]; n++)
                documents[n] = (struct component_document){ world_actor(w, names[n])->instance,
                                                            world_document(w) };
        return n;
}

static int pre_restore(struct world *w, const char *const *names) {
        struct component_document documents[4];
        size_t n = documents_of(w, names, documents);
        struct operation *op;
        int r = session_pre_restore(w->session, documents, n, &op, NULL);

        return world_op(w, r, op);
}

static int post_restore(struct world *w, const char *const *names) {
        struct component_document documents[4];
        size_t n = documents_of(w, names, documents);
        struct operation *op;
        int r = session_post_restore(w->session, documents, n, &op, NULL);

        return world_op(w, r, op);
}

static struct world *restore_world(void) {
        struct world *w = world_new(NULL);

        world_writer(w, "a", VSS_APP_FRONT_END, false);
        world_writer(w, "b", VSS_APP_FRONT_END, false);
        CHECK_INT(session_new(w->c, 0, true, w, &w->session, NULL), 0);
        return w;
}

/* R-19, restore-protocol 2.1: the table of calls per state */
static void test_restore_states(void) {
        static const char *const a[] = { "a", NULL };
        struct world *w = restore_world();
        struct vss_id id;

        CHECK_INT(pre_restore(w, a), VSS_E_BAD_STATE); /* I */
        CHECK_INT(session_set_restore_state(w->session, 4, NULL), E_INVALIDARG);
        CHECK_INT(session_set_restore_state(w->session, VSS_RTYPE_BY_COPY, NULL), 0);
        CHECK_INT(world_gather(w), FINISHED);
        CHECK_INT(session_set_restore_state(w->session, VSS_RTYPE_OTHER, NULL), 0); /* G */
        CHECK_INT(world_gather(w), VSS_E_BAD_STATE);
        CHECK_INT(post_restore(w, a), VSS_E_BAD_STATE);
        CHECK_INT(session_set_context(w->session, 0, NULL), VSS_E_BAD_STATE);
        CHECK_INT(session_set_backup_state(w->session, true, false, 1, false, NULL),
                  VSS_E_BAD_STATE);
        CHECK_INT(session_start_snapshot_set(w->session, &id, NULL), VSS_E_BAD_STATE);
        CHECK_INT(world_add(w, "/v1", NULL), VSS_E_BAD_STATE);
        CHECK_INT(world_do(w), VSS_E_BAD_STATE);
        CHECK_INT(world_complete(w), VSS_E_BAD_STATE);
        CHECK_INT(world_abort(w), VSS_E_BAD_STATE); /* */
        CHECK_INT(pre_restore(w, a), FINISHED);
        CHECK_INT(session_set_restore_state(w->session, VSS_RTYPE_OTHER, NULL),
                  VSS_E_BAD_STATE); /* C */
        CHECK_INT(pre_restore(w, a), VSS_E_BAD_STATE);
        CHECK_INT(post_restore(w, a), FINISHED);
        CHECK_INT(post_restore(w, a), VSS_E_BAD_STATE); /* D */
        CHECK_INT(world_status(w, "a").state, VSS_WS_STABLE);
        world_release(w);
        CHECK_STR(world_told(world_actor(w, "a")), "identify pre_restore post_restore");
        CHECK_STR(world_told(world_actor(w, "b")), "identify"); /* */
        end(w);
}

/* who is not named in PostRestore does not get it; R-110: who failed PreRestore does */
static void test_restore_events(void) {
        static const char *const both[] = { "a", "b", NULL }, *const b[] = { "b", NULL };
        struct world *w = restore_world();

        CHECK_INT(world_gather(w), FINISHED);
        world_strike(world_actor(w, "b"), VERB_PRE_RESTORE, FAULT_RETRYABLE);
        CHECK_INT(pre_restore(w, both), FINISHED);
        CHECK_INT(world_status(w, "b").state, VSS_WS_FAILED_AT_PRE_RESTORE);
        CHECK_INT(post_restore(w, b), FINISHED);
        world_release(w);
        CHECK_STR(world_told(world_actor(w, "a")), "identify pre_restore");
        CHECK_STR(world_told(world_actor(w, "b")), "identify pre_restore post_restore");
        end(w);
}

/* the requester dies between the two */
static void test_restore_requester_dies(void) {
        static const char *const both[] = { "a", "b", NULL };
        struct world *w = restore_world();

        CHECK_INT(world_gather(w), FINISHED);
        CHECK_INT(pre_restore(w, both), FINISHED);
        world_release(w);
        CHECK_STR(world_told(world_actor(w, "b")), "identify pre_restore post_restore");
        end(w);
}

/* a writer that comes back is another instance and does not get the pending PostRestore */
static void test_restore_writer_restarts(void) {
        static const char *const a[] = { "a", NULL };
        struct world *w = restore_world();
        struct component_document old = { world_actor(w, "a")->instance, world_document(w) };
        struct operation *op;
        int r;

        CHECK_INT(world_gather(w), FINISHED);
        CHECK_INT(pre_restore(w, a), FINISHED);
        world_die(world_actor(w, "a"));
        world_reregister(w, world_actor(w, "a"));
        r = session_post_restore(w->session, &old, 1, &op, NULL);
        CHECK_INT(world_op(w, r, op), FINISHED);
        CHECK_INT(world_status(w, "a").failure, VSS_E_WRITER_NOT_RESPONDING);
        CHECK_STR(world_told(world_actor(w, "a")), "identify pre_restore");
        end(w);
}

/* ---- several restores at once (R-148) ---- */

/* a second requester; its operations are waited for by letting time pass */
static struct session *second(struct world *w) {
        struct session *s;
        struct operation *op;

        w->several = true;
        CHECK_INT(session_new(w->c, 0, true, w, &s, NULL), 0);
        CHECK_INT(session_gather_writer_metadata(s, NULL, &op, NULL), 0);
        world_settle(w, 0);
        CHECK_INT(operation_status(op, NULL), FINISHED);
        return s;
}

static struct operation *pre(struct world *w, struct session *s, const char *const *names) {
        struct component_document documents[4];
        size_t n = documents_of(w, names, documents);
        struct operation *op;

        CHECK_INT(session_pre_restore(s, documents, n, &op, NULL), 0);
        world_settle(w, 0);
        return op;
}

static int post(struct world *w, struct session *s, const char *const *names) {
        struct component_document documents[4];
        size_t n = documents_of(w, names, documents);
        struct operation *op;

        CHECK_INT(session_post_restore(s, documents, n, &op, NULL), 0);
        world_settle(w, 0);
        return operation_status(op, NULL);
}

static void leave(struct world *w, struct session *s) {
        session_release(s, NULL, NULL);
        world_settle(w, 0);
}

static struct session_writer of(struct session *s, const char *name) {
        struct session_writer writer = { 0 };
        size_t n = 0;

        CHECK_INT(session_count_writers(s, &n, NULL), 0);
        for (size_t i = 0; i < n; i++) {
                CHECK_INT(session_get_writer(s, i, &writer), 0);
                if (strcmp(writer.identity.name, name) == 0)
                        return writer;
        }
        CHECK_FAIL_("no writer %s", name);
}

static const char *const a_only[] = { "a", NULL }, *const b_only[] = { "b", NULL },
                         *const a_and_b[] = { "a", "b", NULL }, *const nobody[] = { NULL };

static struct world *two_restores(struct session **ret) {
        struct world *w = restore_world();

        CHECK_INT(world_gather(w), FINISHED);
        *ret = second(w);
        CHECK_INT(pre_restore(w, a_only), FINISHED);
        return w;
}

#define IDENTIFIED "identify identify"

/* the second waits for the end of PostRestore, not only for its beginning */
static void test_one_after_the_other(void) {
        struct session *s;
        struct world *w = two_restores(&s);
        struct operation *op = pre(w, s, a_and_b), *own;
        struct component_document document = { world_actor(w, "a")->instance, world_document(w) };

        CHECK_INT(operation_status(op, NULL), VSS_S_ASYNC_PENDING);
        CHECK_TOLD(w, "a", IDENTIFIED " pre_restore");
        CHECK_TOLD(w, "b", IDENTIFIED " pre_restore"); /* it is free */
        CHECK(strstr(w->log, "'a' is in the middle of another restore"));
        world_actor(w, "a")->cost_us[VERB_POST_RESTORE] = MINUTE;
        CHECK_INT(session_post_restore(w->session, &document, 1, &own, NULL), 0);
        world_settle(w, MINUTE / 2);
        CHECK_TOLD(w, "a", IDENTIFIED " pre_restore post_restore");
        world_settle(w, MINUTE);
        CHECK_INT(operation_status(own, NULL), FINISHED);
        CHECK_INT(operation_status(op, NULL), FINISHED);
        CHECK_TOLD(w, "a", IDENTIFIED " pre_restore post_restore pre_restore");
        world_actor(w, "a")->cost_us[VERB_POST_RESTORE] = 0;
        CHECK_INT(post(w, s, a_and_b), FINISHED);
        CHECK_INT(of(s, "a").state, VSS_WS_STABLE);
        leave(w, s);
        CHECK_TOLD(w, "a", IDENTIFIED " pre_restore post_restore pre_restore post_restore");
        end(w);
}

/* as long as the writer itself might take; it was not asked, so it hears nothing afterwards */
static void test_waited_too_long(void) {
        struct session *s;
        struct world *w = two_restores(&s);
        struct operation *op = pre(w, s, a_only);

        world_settle(w, TIMEOUT - 1);
        CHECK_INT(operation_status(op, NULL), VSS_S_ASYNC_PENDING);
        world_settle(w, 2);
        CHECK_INT(operation_status(op, NULL), FINISHED);
        CHECK_INT(of(s, "a").state, VSS_WS_FAILED_AT_PRE_RESTORE);
        CHECK_INT(of(s, "a").failure, VSS_E_WRITERERROR_RETRYABLE);
        CHECK_STR(of(s, "a").message, "writer 'a' was not asked to 'pre_restore': another restore "
                                      "of it has not ended; try again later");
        CHECK_INT(post(w, s, a_only), FINISHED);
        leave(w, s);
        CHECK_TOLD(w, "a", IDENTIFIED " pre_restore");
        CHECK_INT(post_restore(w, a_only), FINISHED);
        CHECK_TOLD(w, "a", IDENTIFIED " pre_restore post_restore");
        end(w);
}

static void test_parallel(void) {
        struct world *w = restore_world();
        struct session *s;

        world_actor(w, "a")->parallel = true;
        CHECK_INT(world_gather(w), FINISHED);
        s = second(w);
        CHECK_INT(pre_restore(w, a_only), FINISHED);
        CHECK_INT(operation_status(pre(w, s, a_only), NULL), FINISHED);
        CHECK_TOLD(w, "a", IDENTIFIED " pre_restore pre_restore");
        CHECK_INT(post(w, s, a_only), FINISHED);
        CHECK_INT(post_restore(w, a_only), FINISHED);
        leave(w, s);
        CHECK_TOLD(w, "a", IDENTIFIED " pre_restore pre_restore post_restore post_restore");
        end(w);
}

/* the third wants what the second holds and waits for; the first wants nothing of theirs */
static void test_queue(void) {
        struct session *s, *third;
        struct world *w = two_restores(&s);
        struct operation *two, *three;

        third = second(w);
        two = pre(w, s, a_and_b); /* has b, waits for a */
        three = pre(w, third, a_and_b); /* waits for both */
        CHECK_INT(post_restore(w, a_only), FINISHED);
        world_settle(w, 0);
        CHECK_INT(operation_status(two, NULL), FINISHED); /* before the third */
        CHECK_INT(operation_status(three, NULL), VSS_S_ASYNC_PENDING);
        CHECK_INT(post(w, s, b_only), FINISHED); /* a is left out, and is free as well */
        CHECK_INT(operation_status(three, NULL), FINISHED);
        CHECK_TOLD(w, "a", IDENTIFIED " pre_restore identify post_restore pre_restore pre_restore");
        CHECK_INT(post(w, third, a_and_b), FINISHED);
        leave(w, s);
        leave(w, third);
        end(w);
}

/* a requester that dies in the middle lets the next one in, after PostRestore */
static void test_first_dies(void) {
        struct session *s;
        struct world *w = two_restores(&s);
        struct operation *op = pre(w, s, a_only);

        world_release(w);
        world_settle(w, 0);
        CHECK_INT(operation_status(op, NULL), FINISHED);
        CHECK_TOLD(w, "a", IDENTIFIED " pre_restore post_restore pre_restore");
        CHECK_INT(post(w, s, a_only), FINISHED);
        leave(w, s);
        world_check_end(w);
        world_free(w);
}

/* who waits can be cancelled, and can die: the writer never hears of it */
static void test_waiting_one_stops(void) {
        struct session *s, *third;
        struct world *w = two_restores(&s);
        struct operation *op = pre(w, s, a_only);

        CHECK_INT(operation_cancel(op), 0);
        world_settle(w, 0);
        CHECK_INT(operation_status(op, NULL), VSS_S_ASYNC_CANCELLED);
        CHECK_INT(of(s, "a").failure, VSS_E_WRITERERROR_RETRYABLE);
        third = second(w);
        (void)pre(w, third, a_only);
        leave(w, third);
        CHECK_INT(post_restore(w, a_only), FINISHED);
        world_settle(w, 2 * TIMEOUT);
        leave(w, s);
        CHECK_TOLD(w, "a", IDENTIFIED " pre_restore identify post_restore");
        end(w);
}

/* the writer dies: both have lost it */
static void test_writer_dies_for_both(void) {
        struct session *s;
        struct world *w = two_restores(&s);
        struct operation *op = pre(w, s, a_only);

        world_die(world_actor(w, "a"));
        world_settle(w, 0);
        CHECK_INT(operation_status(op, NULL), FINISHED);
        CHECK_INT(of(s, "a").failure, VSS_E_WRITER_NOT_RESPONDING);
        CHECK_INT(of(w->session, "a").failure, VSS_E_WRITER_NOT_RESPONDING);
        world_settle(w, 2 * TIMEOUT);
        leave(w, s);
        CHECK_TOLD(w, "a", IDENTIFIED " pre_restore");
        end(w);
}

/* a PostRestore that is late has ended all the same */
static void test_late_post_restore(void) {
        struct session *s;
        struct world *w = two_restores(&s);
        struct operation *op;

        world_strike(world_actor(w, "a"), VERB_POST_RESTORE, FAULT_LATE);
        CHECK_INT(post_restore(w, a_only), FINISHED);
        CHECK_INT(of(w->session, "a").failure, VSS_E_WRITERERROR_TIMEOUT);
        op = pre(w, s, a_only);
        world_settle(w, MINUTE);
        CHECK_INT(operation_status(op, NULL), FINISHED);
        CHECK_INT(post(w, s, a_only), FINISHED);
        CHECK_INT(of(s, "a").failure, 0);
        leave(w, s);
        end(w);
}

/* ---- every failure of a writer in either event, and another restore that waits for it ---- */

static const struct pair {
        enum verb verb;
        enum fault_kind fault;
        const char *told; /* after both were identified */
        int32_t first, second; /* failures of the writer in the two restores */
} pairs[] = {
#define BOTH "pre_restore post_restore pre_restore post_restore"
        { VERB_PRE_RESTORE, FAULT_RETRYABLE, BOTH, VSS_E_WRITERERROR_RETRYABLE, 0 },
        { VERB_PRE_RESTORE, FAULT_NONRETRYABLE, BOTH, VSS_E_WRITERERROR_NONRETRYABLE, 0 },
        { VERB_PRE_RESTORE, FAULT_TWICE, BOTH, 0, 0 },
        { VERB_PRE_RESTORE, FAULT_DIES, "pre_restore", VSS_E_WRITER_NOT_RESPONDING,
          VSS_E_WRITER_NOT_RESPONDING },
        { VERB_PRE_RESTORE, FAULT_LATE, BOTH, VSS_E_WRITERERROR_TIMEOUT, 0 },
        /* its PostRestore takes two hours to be given up, and nobody waits that long */
        { VERB_PRE_RESTORE, FAULT_STUCK, "pre_restore post_restore", VSS_E_WRITERERROR_TIMEOUT,
          VSS_E_WRITERERROR_RETRYABLE },
        { VERB_POST_RESTORE, FAULT_RETRYABLE, BOTH, VSS_E_WRITERERROR_RETRYABLE, 0 },
        { VERB_POST_RESTORE, FAULT_NONRETRYABLE, BOTH, VSS_E_WRITERERROR_NONRETRYABLE, 0 },
        { VERB_POST_RESTORE, FAULT_TWICE, BOTH, 0, 0 },
        { VERB_POST_RESTORE, FAULT_DIES, "pre_restore post_restore", VSS_E_WRITER_NOT_RESPONDING,
          VSS_E_WRITER_NOT_RESPONDING },
        { VERB_POST_RESTORE, FAULT_LATE, "pre_restore post_restore", VSS_E_WRITERERROR_TIMEOUT,
          VSS_E_WRITERERROR_RETRYABLE },
        { VERB_POST_RESTORE, FAULT_STUCK, "pre_restore post_restore", VSS_E_WRITERERROR_TIMEOUT,
          VSS_E_WRITERERROR_RETRYABLE },
};

static void second_waits(const struct pair *pair, bool first_dies) {
        struct world *w = restore_world();
        struct operation *op;
        struct session *s;
        char told[200];

        CHECK_INT(world_gather(w), FINISHED);
        s = second(w);
        world_strike(world_actor(w, "a"), pair->verb, pair->fault);
        CHECK_INT(pre_restore(w, a_and_b), FINISHED);
        op = pre(w, s, a_and_b);
        if (first_dies) {
                session_release(w->session, NULL, NULL);
                w->session = NULL;
        } else {
                (void)post(w, w->session, a_and_b);
        }
        world_settle(w, 6 * TIMEOUT);
        if (w->session) {
                CHECK_INT(of(w->session, "a").failure, pair->first);
                CHECK_INT(of(w->session, "b").failure, 0);
        }
        CHECK_INT(operation_status(op, NULL), FINISHED);
        (void)post(w, s, a_and_b);
        world_settle(w, 6 * TIMEOUT);
        CHECK_INT(of(s, "a").failure, pair->second);
        CHECK_INT(of(s, "b").failure, 0);
        leave(w, s);
        world_settle(w, 6 * TIMEOUT);
        (void)snprintf(told, sizeof(told), IDENTIFIED " %s", pair->told);
        CHECK_TOLD(w, "a", told);
        CHECK_TOLD(w, "b", IDENTIFIED " " BOTH);
        if (w->session)
                world_release(w);
        world_settle(w, 6 * TIMEOUT);
        world_check_end(w);
        world_free(w);
}

/* R-148 with */
static void test_pairs(void) {
        for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
                for (int dies = 0; dies < 2; dies++)
                        second_waits(&pairs[i], dies);
}

/* a whole restore of another writer fits between the two events of this one; R-12: Identify
 * may come at any time and changes nothing */
static void test_restore_within(void) {
        struct world *w = restore_world();
        struct session *s;

        CHECK_INT(world_gather(w), FINISHED);
        CHECK_INT(pre_restore(w, a_only), FINISHED);
        s = second(w);
        CHECK_INT(operation_status(pre(w, s, b_only), NULL), FINISHED);
        CHECK_INT(post(w, s, b_only), FINISHED);
        leave(w, s);
        CHECK_INT(of(w->session, "a").state, VSS_WS_STABLE);
        CHECK_INT(post_restore(w, a_only), FINISHED);
        CHECK_INT(of(w->session, "a").failure, 0);
        CHECK_TOLD(w, "a", "identify pre_restore identify post_restore"); /* no Freeze */
        CHECK_TOLD(w, "b", "identify identify pre_restore post_restore");
        end(w);
}

/* nobody is named: both calls go well, and nobody hears of them */
static void test_nobody(void) {
        struct world *w = restore_world();

        CHECK_INT(world_gather(w), FINISHED);
        CHECK_INT(pre_restore(w, nobody), FINISHED);
        CHECK_INT(post_restore(w, nobody), FINISHED);
        CHECK_TOLD(w, "a", "identify");
        end(w);
}

int main(void) {
        RUN(test_restore_states);
        RUN(test_restore_events);
        RUN(test_restore_requester_dies);
        RUN(test_restore_writer_restarts);
        RUN(test_one_after_the_other);
        RUN(test_waited_too_long);
        RUN(test_parallel);
        RUN(test_queue);
        RUN(test_first_dies);
        RUN(test_waiting_one_stops);
        RUN(test_writer_dies_for_both);
        RUN(test_late_post_restore);
        RUN(test_pairs);
        RUN(test_restore_within);
        RUN(test_nobody);
        return 0;
}
