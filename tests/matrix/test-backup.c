/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-backup.c - the coordinator's rules one by one, with the strict actors of world.h.
 */
#include <errno.h>

#include "tests/matrix/scenes.h"

/* BV-11, B-32..B-42, S-2.2: who is asked what, and the states after each */
static void test_normal_run(void) {
        struct world *w = usual_world();
        struct vss_id set;

        world_session(w, VSS_CTX_BACKUP);
        CHECK_INT(world_gather(w), FINISHED);
        CHECK_INT(world_start(w, &set), 0);
        CHECK(w->slot);
        CHECK_INT(world_add(w, "/v1", NULL), 0);
        CHECK_STR(w->reply_provider, "frozen");
        CHECK_INT(world_add(w, "/v2", NULL), 0);
        CHECK_STR(w->reply_provider, "own"); /* P-13, P-16 */
        CHECK_INT(world_prepare(w), FINISHED);
        CHECK_INT(state_of(w, "front"), VSS_WS_STABLE);
        CHECK_INT(world_do(w), FINISHED);
        CHECK(!w->slot); /* S-13 */
        CHECK_INT(state_of(w, "front"), VSS_WS_WAITING_FOR_BACKUP_COMPLETE);
        CHECK_INT(world_complete(w), FINISHED);
        CHECK_INT(state_of(w, "front"), VSS_WS_STABLE);
        world_release(w);
        CHECK(vss_id_equal(&world_actor(w, "front")->shutdown_set, &set)); /* B-138 */
        CHECK_TOLD(w, "front",
                   "load identify prepare_backup prepare_snapshot freeze thaw post_snapshot "
                   "backup_complete backup_shutdown");
        CHECK_TOLD(w, "vss-hold", "hold_prepare hold_sync hold_sync hold_freeze hold_release");
        CHECK_TOLD(w, "frozen",
                   "load is_volume_supported query begin_prepare_snapshot is_volume_supported "
                   "end_prepare_snapshots pre_commit_snapshots commit_snapshots "
                   "post_commit_snapshots get_snapshot_properties pre_final_commit_snapshots "
                   "post_final_commit_snapshots delete_snapshots");
        end(w);
}

/* ---- order of the requester's calls ---- */

/* BV-1, BV-6, B-25, S-10, OQ-S4 */
static void test_order_of_calls(void) {
        struct world *w = usual_world();

        world_session(w, VSS_CTX_BACKUP);
        CHECK_INT(world_do(w), VSS_E_BAD_STATE);
        CHECK_INT(world_start(w, NULL), VSS_E_BAD_STATE); /* GatherWriterMetadata is missing */
        CHECK_INT(world_complete(w), VSS_E_BAD_STATE);
        CHECK_INT(world_gather(w), FINISHED);
        CHECK_INT(world_gather(w), VSS_E_BAD_STATE); /* BV-2 */
        CHECK_INT(world_add(w, "/v1", NULL), VSS_E_BAD_STATE);
        CHECK_INT(world_prepare(w), VSS_E_BAD_STATE); /* StartSnapshotSet is missing */
        CHECK_INT(world_start(w, NULL), 0);
        CHECK_INT(world_start(w, NULL), VSS_E_BAD_STATE); /* M-79 */
        CHECK_INT(world_do(w), VSS_E_BAD_STATE); /* PrepareForBackup is missing */
        CHECK_INT(world_prepare(w), FINISHED);
        CHECK_INT(world_prepare(w), VSS_E_BAD_STATE);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_INT(world_do(w), VSS_E_BAD_STATE);
        CHECK_INT(world_add(w, "/v1", NULL), VSS_E_BAD_STATE); /* S-15 */
        CHECK_INT(world_complete(w), FINISHED);
        CHECK_INT(world_complete(w), VSS_E_BAD_STATE);
        end(w);
}

/* BV-1: PrepareForBackup without SetBackupState */
static void test_backup_state_is_needed(void) {
        struct world *w = usual_world();
        struct operation *op;

        world_session(w, VSS_CTX_BACKUP);
        CHECK_INT(world_gather(w), FINISHED);
        CHECK_INT(world_start(w, NULL), 0);
        CHECK_INT(session_prepare_for_backup(w->session, NULL, 0, true, &op, NULL),
                  VSS_E_BAD_STATE);
        CHECK_INT(session_set_backup_state(w->session, false, false, VSS_BT_UNDEFINED, false, NULL),
                  E_INVALIDARG);
        CHECK_INT(session_set_backup_state(w->session, false, false, 7, false, NULL), E_INVALIDARG);
        end(w);
}

/* S-1, S-2, S-4, S-5 */
static void test_contexts(void) {
        static const struct {
                uint32_t context;
                int code;
        } rows[] = {
                { VSS_CTX_BACKUP, 0 },
                { VSS_CTX_FILE_SHARE_BACKUP, 0 },
                { VSS_CTX_NAS_ROLLBACK, 0 },
                { VSS_CTX_APP_ROLLBACK, 0 },
                { VSS_CTX_CLIENT_ACCESSIBLE, 0 },
                { VSS_CTX_CLIENT_ACCESSIBLE_WRITERS, 0 },
                { VSS_CTX_ALL, 0 },
                { VSS_CTX_BACKUP | VSS_VOLSNAP_ATTR_NO_AUTORECOVERY, 0 },
                { VSS_CTX_APP_ROLLBACK | VSS_VOLSNAP_ATTR_DIFFERENTIAL, 0 },
                { VSS_CTX_BACKUP | VSS_VOLSNAP_ATTR_NOT_TRANSACTED |
                          VSS_VOLSNAP_ATTR_ROLLBACK_RECOVERY | VSS_VOLSNAP_ATTR_TXF_RECOVERY,
                  0 },
                { VSS_CTX_BACKUP | VSS_VOLSNAP_ATTR_TRANSPORTABLE, 0 },
                { VSS_CTX_BACKUP | VSS_VOLSNAP_ATTR_HARDWARE_ASSISTED, E_INVALIDARG },
                { VSS_CTX_BACKUP | VSS_VOLSNAP_ATTR_AUTORECOVER, E_INVALIDARG },
                { VSS_VOLSNAP_ATTR_PERSISTENT, E_INVALIDARG },
                /* S-61: neither persistent nor auto-release: providers may, no context does */
                { VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE, E_INVALIDARG },
                { VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE | VSS_VOLSNAP_ATTR_NO_WRITERS, E_INVALIDARG },
                { VSS_CTX_BACKUP | VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE, E_INVALIDARG },
                { VSS_CTX_BACKUP | VSS_VOLSNAP_ATTR_DIFFERENTIAL | VSS_VOLSNAP_ATTR_PLEX,
                  E_INVALIDARG },
                { VSS_VOLSNAP_ATTR_NO_AUTORECOVERY | VSS_VOLSNAP_ATTR_ROLLBACK_RECOVERY,
                  E_INVALIDARG },
                { VSS_VOLSNAP_ATTR_NO_AUTORECOVERY | VSS_VOLSNAP_ATTR_TXF_RECOVERY, E_INVALIDARG },
                { VSS_CTX_CLIENT_ACCESSIBLE | VSS_VOLSNAP_ATTR_NO_AUTORECOVERY, E_INVALIDARG },
                { VSS_CTX_CLIENT_ACCESSIBLE_WRITERS | VSS_VOLSNAP_ATTR_PLEX, E_INVALIDARG },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct world *w = usual_world();

                world_session(w, VSS_CTX_BACKUP);
                CHECK_INT(session_set_context(w->session, rows[i].context, NULL), rows[i].code);
                if (rows[i].code == 0)
                        CHECK_INT(session_set_context(w->session, rows[i].context, NULL),
                                  VSS_E_BAD_STATE);
                end(w);
        }
}

/* B-3: the context is set before StartSnapshotSet; whoever sets none makes a backup */
static void test_context_in_time(void) {
        struct world *w = usual_world();
        struct vss_volume v = world_volume("/v2");

        CHECK_INT(session_new(w->c, 0, false, w, &w->session, NULL), 0);
        CHECK_INT(world_gather(w), FINISHED);
        CHECK_INT(world_start(w, NULL), 0);
        CHECK_INT(session_set_context(w->session, VSS_CTX_NAS_ROLLBACK, NULL), VSS_E_BAD_STATE);
        CHECK_INT(world_add(w, "/v2", NULL), 0);
        CHECK_INT(world_prepare(w), FINISHED);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_INT(world_actor(w, "own")->last_context, VSS_CTX_BACKUP);
        CHECK_INT(world_actor(w, "front")->last_context, VSS_CTX_BACKUP);
        CHECK_INT(session_set_context(w->session, VSS_CTX_BACKUP, NULL), VSS_E_BAD_STATE);
        world_release(w);
        CHECK_INT(session_new(w->c, 0, false, w, &w->session, NULL), 0);
        CHECK_INT(session_set_context(w->session, VSS_CTX_FILE_SHARE_BACKUP, NULL), 0);
        w->replied = false;
        CHECK_INT(session_is_volume_supported(w->session, &v, NULL, world_reply, w, NULL), 0);
        world_run(w, &w->replied);
        CHECK_INT(session_set_context(w->session, VSS_CTX_BACKUP, NULL), VSS_E_BAD_STATE); /* S-4 */
        end(w);
}

static void test_context_all_creates_nothing(void) { /* S-5 */
        struct world *w = usual_world();

        world_session(w, VSS_CTX_ALL);
        CHECK_INT(world_gather(w), FINISHED);
        CHECK_INT(session_set_context(w->session, VSS_CTX_BACKUP, NULL), VSS_E_BAD_STATE);
        CHECK_INT(world_start(w, NULL), VSS_E_BAD_STATE);
        end(w);
}

/* BV-7, M-74, S-11: without writers */
static void test_without_writers(void) {
        struct world *w = usual_world();

        world_session(w, VSS_CTX_FILE_SHARE_BACKUP);
        CHECK_INT(world_start(w, NULL), 0);
        CHECK_INT(world_do(w), VSS_E_BAD_STATE); /* S-12: neither writers nor volumes */
        CHECK_INT(world_add(w, "/v1", NULL), 0);
        CHECK_INT(world_prepare(w), VSS_E_BAD_STATE);
        CHECK_INT(world_complete(w), VSS_E_BAD_STATE);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_TOLD(w, "front", "");
        CHECK(world_was_told(w->hold, VERB_HOLD_FREEZE));
        end(w);
}

/* S-12, B-23: with writers a set may be empty; they get all events, no provider is called */
static void test_empty_set(void) {
        struct world *w = usual_world();

        world_upto_do(w, VSS_CTX_BACKUP, 0);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_TOLD(w, "front",
                   "load identify prepare_backup prepare_snapshot freeze thaw post_snapshot");
        CHECK_TOLD(w, "own", "");
        CHECK_TOLD(w, "vss-hold", "");
        end(w);
}

/* BV-38, B-22, OQ-B13: no file needs a shadow copy */
static void test_no_snapshot_needed(void) {
        struct world *w = usual_world();

        world_upto_do(w, VSS_CTX_BACKUP, 0);
        CHECK_INT(world_complete(w), FINISHED);
        CHECK(!w->slot);
        world_release(w);
        CHECK_TOLD(w, "front", "load identify prepare_backup backup_complete backup_shutdown");
        CHECK(vss_id_is_null(&world_actor(w, "front")->shutdown_set)); /* B-138 */
        end(w);
}

/* ---- who takes part ---- */

static size_t gathered(struct world *w, const struct writer_filter *filter) {
        struct operation *op;
        size_t n;
        int r;

        CHECK_INT(session_new(w->c, 0, false, w, &w->session, NULL), 0);
        r = session_gather_writer_metadata(w->session, filter, &op, NULL);
        CHECK_INT(world_op(w, r, op), FINISHED);
        CHECK_INT(session_count_writers(w->session, &n, NULL), 0);
        return n;
}

/* BV-4, BV-5, B-31 (BV-3: the filter comes with Gather, so there is no later call) */
static void test_filter(void) {
        struct world *w = world_new(NULL);
        struct vss_id a = world_writer(w, "A", 3, false)->id;
        struct vss_id b = world_writer(w, "B", 3, false)->id;
        struct vss_id c_instance = world_writer(w, "C", 3, false)->instance;
        struct vss_id both[] = { a, b };
        struct writer_filter filter = { .enabled_classes = both,
                                        .n_enabled_classes = 2,
                                        .disabled_classes = &a,
                                        .n_disabled_classes = 1 };

        CHECK_INT(gathered(w, &filter), 1);
        CHECK_INT(state_of(w, "B"), VSS_WS_STABLE);
        world_release(w);
        filter = (struct writer_filter){ .disabled_classes = &a, .n_disabled_classes = 1 };
        CHECK_INT(gathered(w, &filter), 2);
        world_release(w);
        filter = (struct writer_filter){ .disabled_instances = &c_instance,
                                         .n_disabled_instances = 1 };
        CHECK_INT(gathered(w, &filter), 2);
        world_release(w);
        CHECK_INT(gathered(w, NULL), 3);
        end(w);
}

/* BV-12, B-30: component mode, a writer without components gets no event after Identify */
static void test_component_mode(void) {
        struct world *w = usual_world();
        const char *named[] = { "front", NULL };

        world_writer(w, "other", VSS_APP_BACK_END, false);
        world_session(w, VSS_CTX_BACKUP);
        CHECK_INT(world_gather(w), FINISHED);
        CHECK_INT(world_start(w, NULL), 0);
        CHECK_INT(world_add(w, "/v1", NULL), 0);
        CHECK_INT(world_prepare_for(w, named), FINISHED);
        CHECK_INT(world_do(w), FINISHED);
        CHECK(world_status(w, "front").components >= 1000); /* what the writer made of it */
        CHECK_INT(world_status(w, "other").components, -1);
        CHECK_INT(world_complete(w), FINISHED);
        world_release(w);
        CHECK_TOLD(w, "other", "identify");
        CHECK(world_was_told(world_actor(w, "front"), VERB_BACKUP_SHUTDOWN));
        end(w);
}

static void test_documents_of_strangers(void) {
        struct world *w = usual_world();
        struct component_document documents[2] = { { .document = world_document(w) },
                                                   { .document = world_document(w) } };
        struct operation *op;

        world_session(w, VSS_CTX_BACKUP);
        CHECK_INT(world_gather(w), FINISHED);
        CHECK_INT(world_start(w, NULL), 0);
        CHECK_INT(session_set_backup_state(w->session, true, false, VSS_BT_FULL, false, NULL), 0);
        CHECK_INT(session_prepare_for_backup(w->session, documents, 1, true, &op, NULL),
                  VSS_E_OBJECT_NOT_FOUND);
        documents[0].document = world_document(w);
        documents[0].instance_id = documents[1].instance_id = world_actor(w, "front")->instance;
        CHECK_INT(session_prepare_for_backup(w->session, documents, 2, true, &op, NULL),
                  E_INVALIDARG);
        CHECK_INT(session_set_backup_state(w->session, false, false, VSS_BT_FULL, false, NULL), 0);
        documents[0].document = world_document(w);
        CHECK_INT(session_prepare_for_backup(w->session, documents, 1, true, &op, NULL),
                  E_INVALIDARG); /* B-59: not in component mode */
        end(w);
}

/* BV-20: Identify of another program between the events of this one (BV-10 is in the matrix) */
static void test_identify_in_the_middle(void) {
        struct world *w = usual_world();
        struct session *mine;

        world_upto_do(w, VSS_CTX_BACKUP, 1);
        mine = w->session;
        CHECK_INT(gathered(w, NULL), 1); /* B-74, B-140 */
        CHECK_INT(state_of(w, "front"), VSS_WS_STABLE); /* B-104 */
        world_release(w);
        w->session = mine;
        CHECK_INT(world_do(w), FINISHED);
        CHECK_INT(state_of(w, "front"), VSS_WS_WAITING_FOR_BACKUP_COMPLETE);
        end(w);
}

/* SEC-43: three missed deadlines in a row, then it is left out until it starts anew */
static void test_three_timeouts(void) {
        struct world *w = world_new(NULL);
        struct actor *a = world_writer(w, "slow", 3, false);

        for (unsigned i = 0; i < 3; i++) {
                world_strike(a, VERB_IDENTIFY, FAULT_LATE);
                CHECK_INT(gathered(w, NULL), 0);
                world_release(w);
                world_settle(w, 2000000);
        }
        CHECK_INT(a->n_told, 3);
        CHECK_INT(gathered(w, NULL), 0);
        CHECK_INT(a->n_told, 3);
        world_release(w);
        world_die(a);
        world_reregister(w, a);
        CHECK_INT(gathered(w, NULL), 1);
        end(w);
}

/* ---- levels and windows ---- */

/* BV-14, S-22, B-34, B-43 */
static void test_levels(void) {
        struct world *w = world_new(NULL);
        uint64_t freeze_us, hold_us;

        world_writer(w, "one", VSS_APP_SYSTEM, false);
        world_writer(w, "two", VSS_APP_BACK_END, false);
        world_writer(w, "three", VSS_APP_FRONT_END, false);
        world_writer(w, "three-b", VSS_APP_FRONT_END, false);
        world_writer(w, "four", VSS_APP_SYSTEM_RM, false);
        for (size_t i = 0; i < w->n_actors; i++)
                w->actors[i].cost_us[VERB_FREEZE] = w->actors[i].cost_us[VERB_THAW] = 1000;
        world_actor(w, "three-b")->cost_us[VERB_FREEZE] = 5000;
        world_upto_do(w, VSS_CTX_BACKUP, 0);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_INT(told_at(w, "three", VERB_FREEZE), told_at(w, "three-b", VERB_FREEZE));
        CHECK_INT(told_at(w, "two", VERB_FREEZE), told_at(w, "three", VERB_FREEZE) + 5000);
        CHECK_INT(told_at(w, "one", VERB_FREEZE), told_at(w, "two", VERB_FREEZE) + 1000);
        CHECK_INT(told_at(w, "four", VERB_FREEZE), told_at(w, "one", VERB_FREEZE) + 1000);
        CHECK_INT(told_at(w, "one", VERB_THAW), told_at(w, "four", VERB_THAW) + 1000);
        CHECK_INT(told_at(w, "two", VERB_THAW), told_at(w, "one", VERB_THAW) + 1000);
        CHECK_INT(told_at(w, "three", VERB_THAW), told_at(w, "two", VERB_THAW) + 1000);
        CHECK_INT(session_get_set_timing(w->session, &freeze_us, &hold_us, NULL), 0);
        CHECK_INT(freeze_us, 5000 + 3 * 1000 + 4 * 1000); /* first Freeze sent, last Thaw in */
        end(w);
}

/* the times of GetSetTiming: hold sent to release answered */
static void test_timing(void) {
        struct world *w = usual_world();
        uint64_t freeze_us, hold_us;

        w->hold->cost_us[VERB_HOLD_FREEZE] = 30000;
        w->hold->cost_us[VERB_HOLD_RELEASE] = 200;
        world_actor(w, "frozen")->cost_us[VERB_COMMIT_SNAPSHOTS] = 4000;
        world_actor(w, "front")->cost_us[VERB_THAW] = 7;
        world_upto_do(w, VSS_CTX_BACKUP, 2);
        CHECK_INT(session_get_set_timing(w->session, &freeze_us, &hold_us, NULL), VSS_E_BAD_STATE);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_INT(session_get_set_timing(w->session, &freeze_us, &hold_us, NULL), 0);
        CHECK_INT(hold_us, 34200);
        CHECK_INT(freeze_us, 34207);
        end(w);
}

/* BV-18, B-55: the writer's own window of 2 s, a commit of 3 s: only that writer fails */
static void test_own_window(void) {
        struct world *w = usual_world();

        world_writer(w, "short", VSS_APP_FRONT_END, false)->freeze_timeout_ms = 2000;
        world_die(world_actor(w, "short")); /* it registered before it had a window */
        world_reregister(w, world_actor(w, "short"));
        world_actor(w, "frozen")->cost_us[VERB_COMMIT_SNAPSHOTS] = 3000000;
        world_upto_do(w, VSS_CTX_BACKUP, 2);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_INT(state_of(w, "short"), VSS_WS_FAILED_AT_THAW);
        CHECK_INT(world_status(w, "short").failure, VSS_E_WRITERERROR_TIMEOUT);
        CHECK_TOLD(w, "short", "identify prepare_backup prepare_snapshot freeze abort");
        CHECK_INT(told_at(w, "short", VERB_ABORT) - told_at(w, "short", VERB_FREEZE), 2000000);
        CHECK_INT(state_of(w, "front"), VSS_WS_WAITING_FOR_BACKUP_COMPLETE);
        end(w);
}

/* OQ-B15: a larger window has no effect; S-23, S-43: the service's own 60 s */
static void test_service_window(void) {
        struct world *w = usual_world();

        world_actor(w, "front")->freeze_timeout_ms = 200000;
        world_actor(w, "own")->cost_us[VERB_PRE_COMMIT_SNAPSHOTS] = 9000000;
        world_actor(w, "own")->cost_us[VERB_COMMIT_SNAPSHOTS] = 9000000;
        world_actor(w, "own")->cost_us[VERB_POST_COMMIT_SNAPSHOTS] = 9000000;
        for (unsigned i = 0; i < 2; i++) {
                char name[8];

                (void)snprintf(name, sizeof(name), "w%u", i);
                world_writer(w, name, i ? VSS_APP_SYSTEM : VSS_APP_BACK_END, false)
                        ->cost_us[VERB_FREEZE] = 20000000;
        }
        world_upto_do(w, VSS_CTX_BACKUP, 2);
        CHECK_INT(world_do(w), VSS_E_HOLD_WRITES_TIMEOUT);
        CHECK(strstr(w->op_words, "60000 ms"));
        for (size_t i = 0; i < w->n_actors; i++)
                if (w->actors[i].kind == PARTY_WRITER) { /* each writer's own 60 s began later */
                        CHECK_INT(w->actors[i].aborts, 1);
                        CHECK_INT(w->actors[i].thaws, 0);
                }
        CHECK_INT(told_at(w, "w1", VERB_ABORT) - told_at(w, "front", VERB_FREEZE), 60000000);
        end(w);
}

/* BV-19, PT-4, S-42: a commit of 11 s. The hold ends at 10 s, then Abort, then AbortSnapshots */
static void test_slow_commit(void) {
        struct world *w = usual_world();

        world_actor(w, "own")->cost_us[VERB_COMMIT_SNAPSHOTS] = 11000000;
        world_upto_do(w, VSS_CTX_BACKUP, 2);
        CHECK_INT(world_do(w), VSS_E_HOLD_WRITES_TIMEOUT);
        CHECK_INT(told_at(w, "vss-hold", VERB_HOLD_RELEASE) -
                          told_at(w, "vss-hold", VERB_HOLD_FREEZE),
                  10000000);
        CHECK(told_at(w, "front", VERB_ABORT) >= told_at(w, "vss-hold", VERB_HOLD_RELEASE));
        CHECK(world_was_told(world_actor(w, "frozen"), VERB_ABORT_SNAPSHOTS)); /* S-32 */
        CHECK(world_was_told(world_actor(w, "own"), VERB_ABORT_SNAPSHOTS));
        CHECK_INT(world_query(w), S_FALSE);
        end(w);
}

/* S-25: vss-hold thaws by itself, whatever the coordinator waits for */
static void test_hold_expires(void) {
        struct world *w = usual_world();

        w->hold->cost_us[VERB_HOLD_FREEZE] = 1;
        world_actor(w, "own")->cost_us[VERB_COMMIT_SNAPSHOTS] = 2000;
        world_upto_do(w, VSS_CTX_BACKUP, 2);
        w->trigger_verb = VERB_COMMIT_SNAPSHOTS;
        w->trigger = world_let_go;
        CHECK_INT(world_do(w), VSS_E_HOLD_WRITES_TIMEOUT);
        CHECK(strstr(w->op_words, "vss-hold") && strstr(w->op_words, "commit_snapshots"));
        end(w);
}

/* B-54: who hangs in Freeze leaves half of the smallest window to the rest */
static void test_hanging_freeze(void) {
        struct world *w = usual_world();

        world_writer(w, "hangs", VSS_APP_FRONT_END, false);
        world_actor(w, "front")->freeze_timeout_ms = 8000;
        world_upto_do(w, VSS_CTX_BACKUP, 2);
        world_strike(world_actor(w, "hangs"), VERB_FREEZE, FAULT_LATE);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_INT(told_at(w, "hangs", VERB_ABORT) - told_at(w, "hangs", VERB_FREEZE), 4000000);
        CHECK_INT(state_of(w, "front"), VSS_WS_WAITING_FOR_BACKUP_COMPLETE);
        CHECK_INT(state_of(w, "hangs"), VSS_WS_FAILED_AT_FREEZE);
        end(w);
}

/* ---- failures of writers, told by hand (the matrix has the rest) ---- */

/* BV-15, S-45 */
static void test_freeze_veto(void) {
        struct world *w = usual_world();

        world_writer(w, "other", VSS_APP_FRONT_END, false);
        world_upto_do(w, VSS_CTX_BACKUP, 1);
        world_strike(world_actor(w, "front"), VERB_FREEZE, FAULT_RETRYABLE);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_INT(state_of(w, "front"), VSS_WS_FAILED_AT_FREEZE);
        CHECK_INT(world_status(w, "front").failure, VSS_E_WRITERERROR_RETRYABLE);
        CHECK_INT(world_status(w, "front").application_failure, 42);
        CHECK_INT(state_of(w, "other"), VSS_WS_WAITING_FOR_BACKUP_COMPLETE);
        world_release(w);
        CHECK_TOLD(w, "front",
                   "load identify prepare_backup prepare_snapshot freeze abort backup_shutdown");
        end(w);
}

/* BV-16, B-79, B-86, B-134, S-44 */
static void test_prepare_snapshot_veto(void) {
        struct world *w = usual_world();

        world_upto_do(w, VSS_CTX_BACKUP, 1);
        world_strike(world_actor(w, "front"), VERB_PREPARE_SNAPSHOT, FAULT_NONRETRYABLE);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_INT(state_of(w, "front"), VSS_WS_FAILED_AT_PREPARE_SNAPSHOT);
        world_release(w);
        CHECK_TOLD(w, "front", "load identify prepare_backup prepare_snapshot backup_shutdown");
        end(w);
}

/* BV-17, B-41: a failed PostSnapshot; the copies stay */
static void test_post_snapshot_veto(void) {
        struct world *w = usual_world();

        world_upto_do(w, VSS_CTX_BACKUP, 1);
        world_strike(world_actor(w, "front"), VERB_POST_SNAPSHOT, FAULT_RETRYABLE);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_INT(state_of(w, "front"), VSS_WS_FAILED_AT_POST_SNAPSHOT);
        CHECK_INT(world_actor(w, "front")->aborts, 0);
        CHECK_INT(world_query(w), 0);
        CHECK_INT(w->reply.n_snapshots, 1);
        end(w);
}

/* BV-31, B-85, B-86: PARTIAL_FAILURE goes on, and is not forgotten */
static void test_partial_failure(void) {
        struct world *w = usual_world();
        const char *named[] = { "front", NULL };
        int before;

        world_session(w, VSS_CTX_BACKUP);
        CHECK_INT(world_gather(w), FINISHED);
        CHECK_INT(world_start(w, NULL), 0);
        world_actor(w, "front")->veto = VSS_E_WRITERERROR_PARTIAL_FAILURE;
        world_strike(world_actor(w, "front"), VERB_PREPARE_BACKUP, FAULT_RETRYABLE);
        CHECK_INT(world_prepare_for(w, named), FINISHED);
        before = world_status(w, "front").components;
        CHECK_INT(state_of(w, "front"), VSS_WS_STABLE);
        CHECK_INT(world_status(w, "front").failure, VSS_E_WRITERERROR_PARTIAL_FAILURE);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_INT(state_of(w, "front"), VSS_WS_WAITING_FOR_BACKUP_COMPLETE);
        CHECK(world_status(w, "front").components > before); /* PostSnapshot's */
        CHECK_INT(world_status(w, "front").failure, VSS_E_WRITERERROR_PARTIAL_FAILURE);
        end(w);
}

/* BV-32, B-84: what a rejecting writer made of its document is dropped */
static void test_rejected_document(void) {
        struct world *w = usual_world();
        const char *named[] = { "front", NULL };
        int before;

        world_session(w, VSS_CTX_BACKUP);
        CHECK_INT(world_gather(w), FINISHED);
        CHECK_INT(world_start(w, NULL), 0);
        CHECK_INT(world_prepare_for(w, named), FINISHED);
        before = world_status(w, "front").components;
        world_strike(world_actor(w, "front"), VERB_POST_SNAPSHOT, FAULT_NONRETRYABLE);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_INT(world_status(w, "front").components, before);
        end(w);
}

/* B-81: a code that is none of a writer's becomes NONRETRYABLE */
static void test_odd_code(void) {
        struct world *w = usual_world();

        world_upto_do(w, VSS_CTX_BACKUP, 0);
        world_actor(w, "front")->veto = E_FAIL;
        world_strike(world_actor(w, "front"), VERB_PREPARE_SNAPSHOT, FAULT_RETRYABLE);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_INT(world_status(w, "front").failure, VSS_E_WRITERERROR_NONRETRYABLE);
        end(w);
}

/* ---- abort, cancel, release ---- */

static void test_abort_of_nothing(void) { /* BV-23, B-135 */
        struct world *w = usual_world();

        world_session(w, VSS_CTX_BACKUP);
        CHECK_INT(world_abort(w), 0);
        CHECK_INT(world_gather(w), FINISHED);
        CHECK_INT(world_abort(w), 0);
        world_release(w);
        CHECK_TOLD(w, "front", "load identify");
        end(w);
}

/* BV-24, BV-26, S-39, P-31 */
static void test_abort_after_prepare(void) {
        struct world *w = usual_world();

        world_upto_do(w, VSS_CTX_BACKUP, 1);
        CHECK_INT(world_abort(w), 0);
        CHECK(!w->slot);
        CHECK_INT(world_abort(w), 0);
        CHECK_INT(state_of(w, "front"), VSS_WS_STABLE);
        CHECK_INT(world_do(w), VSS_E_BAD_STATE);
        CHECK_INT(world_complete(w), VSS_E_BAD_STATE);
        world_release(w);
        CHECK_TOLD(w, "front", "load identify prepare_backup abort backup_shutdown");
        CHECK_TOLD(w, "frozen", "load is_volume_supported query begin_prepare_snapshot");
        end(w);
}

/* BV-25, OQ-B7: no Abort after PostSnapshot, the copies go with the session */
static void test_abort_after_snapshot(void) {
        struct world *w = usual_world();

        world_upto_do(w, VSS_CTX_BACKUP, 1);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_INT(world_abort(w), 0);
        CHECK_INT(world_actor(w, "front")->aborts, 0);
        CHECK_INT(world_actor(w, "frozen")->n_disk, 1);
        world_release(w);
        CHECK_INT(world_actor(w, "frozen")->n_disk, 0);
        CHECK(world_was_told(world_actor(w, "front"), VERB_BACKUP_SHUTDOWN));
        end(w);
}

/* BV-27, B-46, S-48 */
static void test_failed_set(void) {
        struct world *w = usual_world();

        world_upto_do(w, VSS_CTX_BACKUP, 1);
        world_strike(world_actor(w, "frozen"), VERB_PRE_COMMIT_SNAPSHOTS, FAULT_RETRYABLE);
        CHECK_INT(world_do(w), VSS_E_PROVIDER_VETO);
        CHECK(strstr(w->op_words, "'frozen'") && strstr(w->op_words, "pre_commit_snapshots"));
        CHECK_INT(world_complete(w), VSS_E_BAD_STATE);
        CHECK_INT(world_abort(w), 0);
        CHECK_INT(world_actor(w, "front")->aborts, 1);
        CHECK_INT(state_of(w, "front"), VSS_WS_STABLE); /* B-88 */
        end(w);
}

/* BV-21, B-137..B-139, S-60: requester killed after DoSnapshotSet */
static void test_killed_after_snapshot(void) {
        struct world *w = usual_world();

        world_upto_do(w, VSS_CTX_BACKUP, 2);
        CHECK_INT(world_do(w), FINISHED);
        world_release(w);
        CHECK_TOLD(w, "front",
                   "load identify prepare_backup prepare_snapshot freeze thaw post_snapshot "
                   "backup_shutdown");
        CHECK_INT(world_actor(w, "frozen")->n_disk + world_actor(w, "own")->n_disk, 0);
        end(w);
}

/* BV-22, S-46 */
static void test_killed_before_snapshot(void) {
        struct world *w = usual_world();

        world_upto_do(w, VSS_CTX_BACKUP, 1);
        world_release(w);
        CHECK_TOLD(w, "front", "load identify prepare_backup abort backup_shutdown");
        CHECK(vss_id_is_null(&world_actor(w, "front")->shutdown_set));
        end(w);
}

static struct operation *running;

static void cancel_twice(struct world *w) {
        CHECK_INT(operation_cancel(running), 0); /* BV-33, B-128 */
        CHECK_INT(operation_cancel(running), VSS_S_ASYNC_CANCELLED);
}

/* BV-33, BV-34, B-126..B-130 */
static void test_cancel(void) {
        struct world *w = usual_world();
        struct vss_id id;
        size_t n;

        world_upto_do(w, VSS_CTX_BACKUP, 1);
        w->trigger = cancel_twice;
        w->trigger_verb = VERB_END_PREPARE_SNAPSHOTS;
        CHECK_INT(session_do_snapshot_set(w->session, &running, NULL), 0);
        CHECK_INT(operation_status(running, NULL), VSS_S_ASYNC_PENDING);
        CHECK_INT(session_start_snapshot_set(w->session, &id, NULL), VSS_E_BAD_STATE); /* B-130 */
        CHECK_INT(session_count_writers(w->session, &n, NULL), VSS_E_BAD_STATE);
        CHECK_INT(world_op(w, 0, running), VSS_S_ASYNC_CANCELLED);
        CHECK_INT(operation_cancel(running), VSS_S_ASYNC_CANCELLED); /* B-129 */
        CHECK_INT(world_abort(w), 0);
        world_release(w);
        CHECK_TOLD(w, "front", "load identify prepare_backup abort backup_shutdown");
        end(w);

        w = usual_world();
        world_session(w, VSS_CTX_BACKUP);
        CHECK_INT(session_gather_writer_metadata(w->session, NULL, &running, NULL), 0);
        CHECK_INT(world_op(w, 0, running), FINISHED);
        CHECK_INT(operation_cancel(running), VSS_S_ASYNC_FINISHED); /* BV-34 */
        end(w);
}

/* a cancelled PrepareForBackup: who had not answered has failed, a new one may come */
static void test_cancelled_prepare(void) {
        struct world *w = usual_world();
        struct operation *op;

        world_session(w, VSS_CTX_BACKUP);
        CHECK_INT(world_gather(w), FINISHED);
        CHECK_INT(world_start(w, NULL), 0);
        w->trigger = cancel_twice;
        w->trigger_verb = VERB_PREPARE_BACKUP;
        CHECK_INT(session_set_backup_state(w->session, false, false, VSS_BT_FULL, false, NULL), 0);
        CHECK_INT(session_prepare_for_backup(w->session, NULL, 0, true, &running, NULL), 0);
        op = running;
        CHECK_INT(world_op(w, 0, op), VSS_S_ASYNC_CANCELLED);
        CHECK_INT(state_of(w, "front"), VSS_WS_FAILED_AT_PREPARE_BACKUP);
        CHECK_INT(world_prepare(w), FINISHED); /* B-104: a new one ends the failure */
        CHECK_INT(state_of(w, "front"), VSS_WS_STABLE);
        CHECK_INT(world_status(w, "front").failure, 0);
        CHECK_INT(world_do(w), FINISHED);
        end(w);
}

static void abort_now(struct world *w) {
        w->replied = false;
        CHECK_INT(session_abort_backup(w->session, world_reply, w, NULL), 0);
}

/* AbortBackup while DoSnapshotSet runs: as a cancel, and answered when all are free */
static void test_abort_in_the_window(void) {
        struct world *w = usual_world();

        world_upto_do(w, VSS_CTX_BACKUP, 2);
        w->trigger = abort_now;
        w->trigger_verb = VERB_COMMIT_SNAPSHOTS;
        CHECK_INT(world_do(w), VSS_S_ASYNC_CANCELLED);
        world_run(w, &w->replied);
        CHECK_INT(w->reply.code, 0);
        CHECK_INT(world_actor(w, "front")->thaws, 1); /* S-34: not before the thaw */
        CHECK_INT(world_actor(w, "front")->aborts, 1); /* S-43: PostSnapshot was not delivered */
        end(w);
}

/* B-19, OQ-B12: the status after BackupComplete tells its failure, as often as it is asked for; the
 * writer is free for the next backup by then, whether anybody asks or not */
static void test_status_after_complete(void) {
        struct world *w = usual_world();
        struct session *first;

        world_upto_do(w, VSS_CTX_BACKUP, 1);
        CHECK_INT(world_do(w), FINISHED);
        world_strike(world_actor(w, "front"), VERB_BACKUP_COMPLETE, FAULT_NONRETRYABLE);
        CHECK_INT(world_complete(w), FINISHED);
        for (unsigned i = 0; i < 2; i++) {
                CHECK_INT(state_of(w, "front"), VSS_WS_FAILED_AT_BACKUP_COMPLETE);
                CHECK_INT(world_status(w, "front").failure, VSS_E_WRITERERROR_NONRETRYABLE);
        }
        first = w->session;
        world_upto_do(w, VSS_CTX_BACKUP, 1);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_INT(world_complete(w), FINISHED);
        CHECK_INT(state_of(w, "front"), VSS_WS_STABLE);
        world_release(w);
        w->session = first;
        CHECK_INT(state_of(w, "front"), VSS_WS_FAILED_AT_BACKUP_COMPLETE); /* B-104 */
        end(w);
}

/* B-77, B-50: what a writer began in PrepareForBackup has ended when it answers PrepareForSnapshot,
 * which may take longer than a freeze; nobody is frozen while it is waited for */
static void test_work_ends_before_freeze(void) {
        struct world *w = usual_world();
        uint64_t freeze_us, hold_us;

        world_writer(w, "quick", VSS_APP_FRONT_END, false);
        world_actor(w, "front")->cost_us[VERB_PREPARE_SNAPSHOT] = UINT64_C(290000000);
        world_upto_do(w, VSS_CTX_BACKUP, 1);
        CHECK_INT(world_do(w), FINISHED);
        CHECK_INT(state_of(w, "front"), VSS_WS_WAITING_FOR_BACKUP_COMPLETE);
        for (unsigned i = 0; i < 2; i++)
                CHECK(told_at(w, i ? "front" : "quick", VERB_FREEZE) -
                              told_at(w, "front", VERB_PREPARE_SNAPSHOT) >=
                      UINT64_C(290000000));
        CHECK_INT(session_get_set_timing(w->session, &freeze_us, &hold_us, NULL), 0);
        CHECK(freeze_us < 1000000); /* B-53: seconds, whatever was prepared before */
        end(w);
}

int main(void) {
        RUN(test_normal_run);
        RUN(test_order_of_calls);
        RUN(test_backup_state_is_needed);
        RUN(test_contexts);
        RUN(test_context_in_time);
        RUN(test_context_all_creates_nothing);
        RUN(test_without_writers);
        RUN(test_empty_set);
        RUN(test_no_snapshot_needed);
        RUN(test_filter);
        RUN(test_component_mode);
        RUN(test_documents_of_strangers);
        RUN(test_identify_in_the_middle);
        RUN(test_three_timeouts);
        RUN(test_levels);
        RUN(test_timing);
        RUN(test_own_window);
        RUN(test_service_window);
        RUN(test_slow_commit);
        RUN(test_hold_expires);
        RUN(test_hanging_freeze);
        RUN(test_freeze_veto);
        RUN(test_prepare_snapshot_veto);
        RUN(test_post_snapshot_veto);
        RUN(test_partial_failure);
        RUN(test_rejected_document);
        RUN(test_odd_code);
        RUN(test_abort_of_nothing);
        RUN(test_abort_after_prepare);
        RUN(test_abort_after_snapshot);
        RUN(test_failed_set);
        RUN(test_killed_after_snapshot);
        RUN(test_killed_before_snapshot);
        RUN(test_cancel);
        RUN(test_cancelled_prepare);
        RUN(test_abort_in_the_window);
        RUN(test_status_after_complete);
        RUN(test_work_ends_before_freeze);
        return 0;
}
