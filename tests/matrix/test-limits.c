/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-limits.c - what the coordinator never has twice, never has more of, and never waits longer
 * for: the slot, a program's load, sets, volumes, copies, sessions and times.
 */
#include <errno.h>

#include "tests/matrix/scenes.h"

/* B-9, BV-9, M-78, S-13 */
static void test_slot(void) {
        struct world *w = usual_world();
        struct session *first;

        world_upto_do(w, VSS_CTX_BACKUP, 1);
        first = w->session;
        world_session(w, VSS_CTX_BACKUP);
        CHECK_INT(world_gather(w), FINISHED);
        CHECK_INT(world_start(w, NULL), VSS_E_SNAPSHOT_SET_IN_PROGRESS);
        session_release(first, NULL, NULL);
        world_settle(w, 0);
        CHECK_INT(world_start(w, NULL), 0);
        end(w);
}

/* a program that two sessions need at once is loaded once: a second load would kill the first */
static void test_load_once(void) {
        struct world *w = usual_world();
        struct session *first;
        struct operation *op;

        world_session(w, VSS_CTX_BACKUP);
        CHECK_INT(session_gather_writer_metadata(w->session, NULL, &op, NULL), 0);
        first = w->session;
        world_session(w, VSS_CTX_BACKUP);
        CHECK_INT(session_gather_writer_metadata(w->session, NULL, &op, NULL), 0);
        for (unsigned n = 1; n <= 2; n++) {
                w->op_done = false;
                world_run(w, &w->op_done);
                CHECK_INT(w->completions, n);
                CHECK_INT(w->op_code, FINISHED);
        }
        CHECK_TOLD(w, "front", "load identify identify");
        session_release(first, NULL, NULL);
        end(w);
}

/* and who began the load may leave before it is over */
static void test_load_handed_on(void) {
        struct world *w = usual_world();
        struct session *first;
        struct operation *op;

        world_actor(w, "front")->cost_us[VERB_LOAD] = 1000000;
        world_session(w, VSS_CTX_BACKUP);
        CHECK_INT(session_gather_writer_metadata(w->session, NULL, &op, NULL), 0);
        first = w->session;
        world_session(w, VSS_CTX_BACKUP);
        CHECK_INT(session_gather_writer_metadata(w->session, NULL, &op, NULL), 0);
        session_release(first, NULL, NULL);
        for (int code = VSS_S_ASYNC_CANCELLED; code != FINISHED; code = w->op_code) {
                w->op_done = false;
                world_run(w, &w->op_done);
        }
        CHECK_TOLD(w, "front", "load identify");
        CHECK_INT(state_of(w, "front"), VSS_WS_STABLE);
        end(w);
}

/* SEC-25: a set that is not followed by DoSnapshotSet is dropped */
static void test_idle_set(void) {
        struct world *w = usual_world();

        world_upto_do(w, VSS_CTX_BACKUP, 1);
        world_settle(w, 299000000);
        CHECK(w->slot);
        world_settle(w, 2000000);
        CHECK(!w->slot);
        CHECK_INT(world_actor(w, "front")->aborts, 1);
        CHECK_INT(world_do(w), VSS_E_BAD_STATE);
        CHECK_INT(world_add(w, "/v2", NULL), VSS_E_BAD_STATE);
        end(w);
}

/* BV-8, M-75, S-14, S-16 */
static void test_volume_limit(void) {
        struct world *w = world_new(NULL);
        char name[16];

        world_provider(w, "all", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        world_session(w, VSS_CTX_FILE_SHARE_BACKUP);
        CHECK_INT(world_start(w, NULL), 0);
        for (unsigned i = 0; i < 64; i++) {
                (void)snprintf(name, sizeof(name), "/v%u", i);
                CHECK_INT(world_add(w, name, NULL), 0);
        }
        CHECK_INT(world_add(w, "/v64", NULL), VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED);
        CHECK_INT(world_add(w, "/v3", NULL), VSS_E_OBJECT_ALREADY_EXISTS);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_INT(world_actor(w, "all")->last_count, 64);
        end(w);
}

/* M-76, S-14: the most copies of one volume */
static void test_copies_limit(void) {
        struct coordinator_settings settings = { .max_copies_per_volume = 2 };
        struct world *w = world_new(&settings);

        world_provider(w, "all", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        for (unsigned i = 0; i < 3; i++) {
                world_session(w, VSS_CTX_NAS_ROLLBACK);
                CHECK_INT(world_start(w, NULL), 0);
                CHECK_INT(world_add(w, "/v1", NULL),
                          i < 2 ? 0 : VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED);
                if (i < 2)
                        CHECK_INT(world_do(w), FINISHED);
                world_release(w);
        }
        end(w);
}

/* M-77: those that clients see are counted by themselves */
static void test_client_copies_limit(void) {
        struct coordinator_settings settings = { .max_client_accessible = 1 };
        struct world *w = world_new(&settings);

        world_provider(w, "all", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        for (unsigned i = 0; i < 3; i++) {
                world_session(w, i < 2 ? VSS_CTX_CLIENT_ACCESSIBLE : VSS_CTX_NAS_ROLLBACK);
                CHECK_INT(world_start(w, NULL), 0);
                CHECK_INT(world_add(w, "/v1", NULL),
                          i == 1 ? VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED : 0);
                if (i != 1)
                        CHECK_INT(world_do(w), FINISHED);
                world_release(w);
        }
        end(w);
}

/* M-80, SEC-24 */
static void test_session_limit(void) {
        struct world *w = world_new(NULL);
        struct session *s[17];

        for (unsigned i = 0; i < 16; i++)
                CHECK_INT(session_new(w->c, 1000, false, NULL, &s[i], NULL), 0);
        CHECK_INT(session_new(w->c, 1000, false, NULL, &s[16], NULL),
                  VSS_E_WRITER_STATUS_NOT_AVAILABLE);
        CHECK_INT(session_new(w->c, 1001, false, NULL, &w->session, NULL), 0);
        session_release(s[0], NULL, NULL);
        CHECK_INT(session_new(w->c, 1000, false, NULL, &s[16], NULL), 0);
        for (unsigned i = 1; i < 17; i++)
                session_release(s[i], NULL, NULL);
        end(w);
}

/* CFG-5: safety limits can be lowered, never raised */
static void test_limits_cannot_be_raised(void) {
        struct coordinator_settings settings = {
                .max_volumes = 1,
                .freeze_window_us = 600000000,
                .deadline_us = { [PHASE_HOLD] = 20000000, [PHASE_COMMIT] = 20000000 }
        };
        struct world *w = world_new(&settings);

        world_hold(w);
        world_provider(w, "all", VSS_PROV_SYSTEM, VSS_HOLD_FREEZE)->cost_us[VERB_COMMIT_SNAPSHOTS] =
                11000000;
        world_session(w, VSS_CTX_FILE_SHARE_BACKUP);
        CHECK_INT(world_start(w, NULL), 0);
        CHECK_INT(world_add(w, "/v1", NULL), 0);
        CHECK_INT(world_add(w, "/v2", NULL), VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED);
        CHECK_INT(world_do(w), VSS_E_HOLD_WRITES_TIMEOUT); /* CT-8 */
        CHECK_INT(told_at(w, "vss-hold", VERB_HOLD_RELEASE) -
                          told_at(w, "vss-hold", VERB_HOLD_FREEZE),
                  10000000);
        end(w);
}

/* one scale for all times */
static void test_scale(void) {
        struct coordinator_settings settings = { .scale = 0.01 };
        struct world *w = world_new(&settings);

        world_hold(w);
        w->guardian_sleeps = true;
        world_provider(w, "all", VSS_PROV_SYSTEM, VSS_HOLD_FREEZE)->cost_us[VERB_COMMIT_SNAPSHOTS] =
                110000;
        world_session(w, VSS_CTX_FILE_SHARE_BACKUP);
        CHECK_INT(world_start(w, NULL), 0);
        CHECK_INT(world_add(w, "/v1", NULL), 0);
        CHECK_INT(world_do(w), VSS_E_HOLD_WRITES_TIMEOUT);
        CHECK_INT(told_at(w, "vss-hold", VERB_HOLD_RELEASE) -
                          told_at(w, "vss-hold", VERB_HOLD_FREEZE),
                  100000);
        end(w);
}

int main(void) {
        RUN(test_slot);
        RUN(test_load_once);
        RUN(test_load_handed_on);
        RUN(test_idle_set);
        RUN(test_volume_limit);
        RUN(test_copies_limit);
        RUN(test_client_copies_limit);
        RUN(test_session_limit);
        RUN(test_limits_cannot_be_raised);
        RUN(test_scale);
        return 0;
}
