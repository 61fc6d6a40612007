/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-copies.c - providers and copies: who is chosen, what a promise is worth, what is listed,
 * deleted, recorded, and undone by a later life.
 */
#include <errno.h>

#include "tests/matrix/scenes.h"

static int add_by(struct world *w, const char *volume, const struct vss_id *provider) {
        struct vss_volume v = world_volume(volume);
        int r;

        w->replied = false;
        r = session_add_to_snapshot_set(w->session, &v, provider, NULL, world_reply, w, NULL);
        if (r < 0)
                return r;
        world_run(w, &w->replied);
        return w->reply.code;
}

static int supported(struct world *w, const char *volume, const struct vss_id *provider) {
        struct vss_volume v = world_volume(volume);

        w->replied = false;
        CHECK_INT(session_is_volume_supported(w->session, &v, provider, world_reply, w, NULL), 0);
        world_run(w, &w->replied);
        return w->reply.code < 0 ? w->reply.code : w->reply.supported;
}

static void open_set(struct world *w, uint32_t context) {
        world_session(w, context);
        CHECK_INT(world_start(w, NULL), 0);
}

/* ---- selection ---- */

/* P-13: hardware, software, system; then order, then name */
static void test_selection_order(void) {
        struct world *w = world_new(NULL);
        struct actor *soft;

        world_provider(w, "s-system", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        world_provider(w, "z-soft", VSS_PROV_SOFTWARE, VSS_HOLD_OWN)->only_volume = "/v1 /v2";
        soft = world_provider(w, "a-soft", VSS_PROV_SOFTWARE, VSS_HOLD_OWN);
        soft->only_volume = "/v1 /v3";
        world_provider(w, "hard", VSS_PROV_HARDWARE, VSS_HOLD_OWN)->only_volume = "/v3";
        open_set(w, VSS_CTX_FILE_SHARE_BACKUP);
        CHECK_INT(world_add(w, "/v1", NULL), 0);
        CHECK_STR(w->reply_provider, "a-soft");
        CHECK_INT(world_add(w, "/v2", NULL), 0);
        CHECK_STR(w->reply_provider, "z-soft");
        CHECK_INT(world_add(w, "/v3", NULL), 0);
        CHECK_STR(w->reply_provider, "hard");
        CHECK_INT(world_add(w, "/v4", NULL), 0);
        CHECK_STR(w->reply_provider, "s-system");
        end(w);
}

/* P-15 */
static void test_given_provider(void) {
        struct world *w = world_new(NULL);
        struct actor *a = world_provider(w, "a", VSS_PROV_SOFTWARE, VSS_HOLD_OWN);
        struct actor *b = world_provider(w, "b", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        struct vss_id unknown;

        CHECK_INT(vss_id_new(&unknown), 0);
        a->only_volume = "/v1";
        open_set(w, VSS_CTX_FILE_SHARE_BACKUP);
        CHECK_INT(add_by(w, "/v1", &b->id), 0);
        CHECK_STR(w->reply_provider, "b");
        CHECK_INT(add_by(w, "/v2", &a->id), VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER);
        CHECK(strstr(w->reply_words, "a: not mine"));
        CHECK_INT(add_by(w, "/v2", &unknown), VSS_E_PROVIDER_NOT_REGISTERED);
        CHECK_INT(supported(w, "/v2", &a->id), 0);
        CHECK_INT(supported(w, "/v2", &b->id), 1);
        CHECK_INT(supported(w, "/v2", &unknown), VSS_E_PROVIDER_NOT_REGISTERED);
        end(w);
}

/* P-14: one that fails while being asked counts as "no"; nobody is left: the words say why */
static void test_nobody_copies(void) {
        struct world *w = world_new(NULL);

        world_provider(w, "dies", VSS_PROV_SOFTWARE, VSS_HOLD_OWN);
        world_provider(w, "refuses", VSS_PROV_SYSTEM, VSS_HOLD_OWN)->only_volume = "/other";
        world_strike(world_actor(w, "dies"), VERB_IS_VOLUME_SUPPORTED, FAULT_DIES);
        open_set(w, VSS_CTX_FILE_SHARE_BACKUP);
        CHECK_INT(world_add(w, "/v1", NULL), VSS_E_VOLUME_NOT_SUPPORTED);
        CHECK(strstr(w->reply_words, "dies: killed by signal 9"));
        CHECK(strstr(w->reply_words, "refuses: not mine"));
        CHECK_INT(world_add(w, "/v1", NULL), 0); /* the set stays open, the program is started */
        CHECK_INT(world_do(w), FINISHED);
        end(w);
}

/* S-3, S-6, S-7: what the copies must be able to do */
static void test_promises(void) {
        struct world *w = world_new(NULL);
        struct actor *a = world_provider(w, "soft", VSS_PROV_SOFTWARE, VSS_HOLD_OWN);

        a->attributes = 0;
        open_set(w, VSS_CTX_NAS_ROLLBACK);
        CHECK_INT(world_add(w, "/v1", NULL), VSS_E_VOLUME_NOT_SUPPORTED);
        CHECK(strstr(w->reply_words, "persistent"));
        world_release(w);
        open_set(w, VSS_CTX_FILE_SHARE_BACKUP | VSS_VOLSNAP_ATTR_TRANSPORTABLE);
        CHECK_INT(world_add(w, "/v1", NULL), VSS_E_VOLUME_NOT_SUPPORTED);
        world_release(w);
        a->attributes = UINT32_MAX;
        open_set(w, VSS_CTX_CLIENT_ACCESSIBLE);
        CHECK_INT(world_add(w, "/v1", NULL), VSS_E_VOLUME_NOT_SUPPORTED);
        CHECK(strstr(w->reply_words, "system provider"));
        a->provider_kind = VSS_PROV_SYSTEM;
        world_die(a);
        CHECK_INT(world_add(w, "/v1", NULL), 0);
        end(w);
}

/* nobody can freeze here: volumes that would have to be are refused, others are not */
static void test_no_hold(void) {
        struct world *w = world_new(NULL);

        world_provider(w, "freezes", VSS_PROV_SOFTWARE, VSS_HOLD_FREEZE)->only_volume = "/v1";
        world_provider(w, "own", VSS_PROV_SYSTEM, VSS_HOLD_OWN)->only_volume = "/v2";
        open_set(w, VSS_CTX_FILE_SHARE_BACKUP);
        CHECK_INT(world_add(w, "/v1", NULL), VSS_E_VOLUME_NOT_SUPPORTED);
        CHECK(strstr(w->reply_words, "frozen"));
        CHECK_INT(world_add(w, "/v2", NULL), 0);
        CHECK_INT(world_do(w), FINISHED);
        end(w);
}

/* P-60: one file system must not be frozen and kept running in the same set */
static void test_same_file_system(void) {
        struct vss_volume one = world_volume("/v1"), two = world_volume("/v2");
        struct world *w = world_new(NULL);

        one.fs_uuid = two.fs_uuid = "the same";
        world_hold(w);
        world_provider(w, "freezes", VSS_PROV_SOFTWARE, VSS_HOLD_FREEZE)->only_volume = "/v1";
        world_provider(w, "own", VSS_PROV_SYSTEM, VSS_HOLD_OWN)->only_volume = "/v2";
        open_set(w, VSS_CTX_FILE_SHARE_BACKUP);
        for (unsigned i = 0; i < 2; i++) {
                w->replied = false;
                CHECK_INT(session_add_to_snapshot_set(w->session, i ? &two : &one, NULL, NULL,
                                                      world_reply, w, NULL),
                          0);
                world_run(w, &w->replied);
                CHECK_INT(w->reply.code, i ? VSS_E_VOLUME_NOT_SUPPORTED : 0);
        }
        CHECK(strstr(w->reply_words, "same file system"));
        end(w);
}

/* S-21: what writers are told about the instant is the weakest promise */
static void test_instant(void) {
        static const struct {
                uint32_t hold_a, instant_a, hold_b, instant_b, expected;
        } rows[] = {
                { VSS_HOLD_FREEZE, VSS_INSTANT_ONE, VSS_HOLD_FREEZE, VSS_INSTANT_ONE,
                  VSS_INSTANT_ONE },
                { VSS_HOLD_OWN, VSS_INSTANT_ONE, VSS_HOLD_OWN, VSS_INSTANT_ONE,
                  VSS_INSTANT_SPREAD }, /* two providers, each with an instant of its own */
                { VSS_HOLD_OWN, VSS_INSTANT_SPREAD, VSS_HOLD_FREEZE, VSS_INSTANT_ONE,
                  VSS_INSTANT_SPREAD },
                { VSS_HOLD_OWN, VSS_INSTANT_NONE, VSS_HOLD_FREEZE, VSS_INSTANT_ONE,
                  VSS_INSTANT_NONE },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct world *w = world_new(NULL);
                struct actor *a, *b;

                world_hold(w);
                a = world_provider(w, "a", VSS_PROV_SOFTWARE, rows[i].hold_a);
                b = world_provider(w, "b", VSS_PROV_SYSTEM, rows[i].hold_b);
                a->only_volume = "/v1";
                a->instant = rows[i].instant_a;
                b->instant = rows[i].instant_b;
                world_writer(w, "writer", VSS_APP_FRONT_END, false);
                world_upto_do(w, VSS_CTX_BACKUP, 2);
                CHECK_INT(world_do(w), FINISHED);
                CHECK_INT(w->last_instant, rows[i].expected);
                end(w);
        }
}

/* PT-3, P-40, S-50: a code that a provider may not return */
static void test_code_of_provider(void) {
        struct world *w = world_new(NULL);

        world_provider(w, "odd", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        world_strike(world_actor(w, "odd"), VERB_BEGIN_PREPARE_SNAPSHOT, FAULT_NONRETRYABLE);
        open_set(w, VSS_CTX_FILE_SHARE_BACKUP);
        CHECK_INT(world_add(w, "/v1", NULL), VSS_E_UNEXPECTED_PROVIDER_ERROR);
        CHECK(strstr(w->reply_words, "'odd'") && strstr(w->reply_words, "begin_prepare_snapshot"));
        CHECK_INT(world_add(w, "/v1", NULL), 0);
        world_strike(world_actor(w, "odd"), VERB_COMMIT_SNAPSHOTS, FAULT_NONRETRYABLE);
        CHECK_INT(world_do(w), VSS_E_UNEXPECTED_PROVIDER_ERROR);
        end(w);
}

/* SEC-45: a copy must be where a provider can have put one */
static void test_device_is_checked(void) {
        struct world *w = world_new(NULL);

        world_provider(w, "rogue", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        w->device = "/copies/../etc";
        open_set(w, VSS_CTX_FILE_SHARE_BACKUP);
        CHECK_INT(world_add(w, "/v1", NULL), 0);
        CHECK_INT(world_do(w), VSS_E_UNEXPECTED_PROVIDER_ERROR);
        end(w);
}

/* S-51, S-52, S-53: providers and writers learn that recovery in the copy will come */
static void test_autorecovery(void) {
        static const struct {
                uint32_t context;
                bool expected;
        } rows[] = { { VSS_CTX_BACKUP, true },
                     { VSS_CTX_BACKUP | VSS_VOLSNAP_ATTR_NO_AUTORECOVERY, false },
                     { VSS_CTX_BACKUP | VSS_VOLSNAP_ATTR_TRANSPORTABLE, false } };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct world *w = world_new(NULL);
                struct actor *p = world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN);

                p->attributes |= VSS_VOLSNAP_ATTR_TRANSPORTABLE;
                world_writer(w, "writer", VSS_APP_FRONT_END, false)->autorecover = true;
                world_upto_do(w, rows[i].context, 1);
                CHECK_INT(world_do(w), FINISHED);
                CHECK_INT((p->last_context & VSS_VOLSNAP_ATTR_AUTORECOVER) != 0, rows[i].expected);
                end(w);
        }
}

/* ---- copies that exist ---- */

static void properties_now(struct world *w) {
        w->replied = false;
        CHECK_INT(session_get_snapshot_properties(w->session, &w->wanted, world_reply, w, NULL), 0);
}

/* S-9: during creation a copy is not there; S-33: one stamp for the set */
static void test_seen_when_created(void) {
        struct world *w = world_new(NULL);
        struct vss_id second;

        world_provider(w, "a", VSS_PROV_SOFTWARE, VSS_HOLD_OWN)->only_volume = "/v1";
        world_provider(w, "b", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        open_set(w, VSS_CTX_FILE_SHARE_BACKUP);
        CHECK_INT(world_add(w, "/v1", &w->wanted), 0);
        CHECK_INT(world_add(w, "/v2", &second), 0);
        w->trigger = properties_now;
        w->trigger_verb = VERB_POST_FINAL_COMMIT_SNAPSHOTS;
        world_actor(w, "b")->cost_us[VERB_POST_FINAL_COMMIT_SNAPSHOTS] = 1000000;
        CHECK_INT(world_do(w), FINISHED);
        world_run(w, &w->replied);
        CHECK_INT(w->reply.code, VSS_E_OBJECT_NOT_FOUND);
        properties_now(w);
        world_run(w, &w->replied);
        CHECK_INT(w->reply.code, 0);
        CHECK(vss_id_equal(&w->reply_copies[0].snapshot_id, &w->wanted));
        CHECK_INT(world_query(w), 0);
        CHECK_INT(w->reply.n_snapshots, 2);
        CHECK(w->reply_copies[0].creation_timestamp != 0);
        CHECK_INT(w->reply_copies[0].creation_timestamp, w->reply_copies[1].creation_timestamp);
        end(w);
}

/* S-62, S-63, S-64: persistent copies survive; a session sees those of its own context */
static void test_persistent(void) {
        struct world *w = world_new(NULL);
        struct vss_id set, copy;

        world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        make_persistent(w, &set, &copy);
        for (size_t i = 0; i < 16; i++)
                CHECK(!w->records[i].used); /* nobody's duty any more */
        world_release(w);
        world_session(w, VSS_CTX_BACKUP);
        CHECK_INT(world_query(w), S_FALSE);
        world_release(w);
        world_session(w, VSS_CTX_ALL);
        CHECK_INT(world_query(w), 0);
        CHECK_INT(w->reply.n_snapshots, 2);
        world_release(w);
        world_session(w, VSS_CTX_NAS_ROLLBACK);
        CHECK_INT(world_query(w), 0);
        CHECK_INT(w->reply.n_snapshots, 2);
        CHECK_INT(session_query(w->session, VSS_OBJECT_SNAPSHOT_SET, world_reply, w, NULL),
                  E_INVALIDARG);
        end(w);
}

static int erase(struct world *w, const struct vss_id *id, uint32_t type) {
        int r;

        w->replied = false;
        r = session_delete_snapshots(w->session, id, type, false, world_reply, w, NULL);
        if (r < 0)
                return r;
        world_run(w, &w->replied);
        return w->reply.code;
}

/* S-70 */
static void test_delete(void) {
        struct world *w = world_new(NULL);
        struct actor *p = world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        struct vss_id set, copy;

        make_persistent(w, &set, &copy);
        CHECK_INT(erase(w, &set, VSS_OBJECT_PROVIDER), E_INVALIDARG);
        CHECK_INT(erase(w, &set, VSS_OBJECT_SNAPSHOT), VSS_E_OBJECT_NOT_FOUND);
        world_strike(p, VERB_DELETE_SNAPSHOTS, FAULT_RETRYABLE);
        CHECK_INT(erase(w, &set, VSS_OBJECT_SNAPSHOT_SET), VSS_E_PROVIDER_VETO);
        CHECK_INT(w->reply.deleted, 0);
        CHECK(!vss_id_is_null(&w->reply.not_deleted));
        CHECK_INT(erase(w, &copy, VSS_OBJECT_SNAPSHOT), 0);
        CHECK_INT(w->reply.deleted, 1);
        CHECK_INT(erase(w, &copy, VSS_OBJECT_SNAPSHOT), VSS_E_OBJECT_NOT_FOUND);
        CHECK_INT(erase(w, &set, VSS_OBJECT_SNAPSHOT_SET), 0);
        CHECK_INT(w->reply.deleted, 1);
        CHECK_INT(p->n_disk, 0);
        end(w);
}

/* S-60, S-71: what another requester may be reading is not taken from under it without force */
static void test_delete_used(void) {
        struct world *w = world_new(NULL);
        struct actor *p = world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        struct session *reader;
        struct vss_id set, copy;

        world_session(w, VSS_CTX_FILE_SHARE_BACKUP);
        CHECK_INT(world_start(w, &set), 0);
        CHECK_INT(world_add(w, "/v1", &copy), 0);
        CHECK_INT(world_add(w, "/v2", NULL), 0);
        CHECK_INT(world_do(w), FINISHED);
        reader = w->session;
        world_session(w, VSS_CTX_ALL);
        CHECK_INT(erase(w, &copy, VSS_OBJECT_SNAPSHOT), VSS_E_VOLUME_IN_USE);
        CHECK(vss_id_equal(&w->reply.not_deleted, &copy));
        CHECK(strstr(w->reply_words, "'/v1'") && strstr(w->reply_words, "wait for its end, or"));
        CHECK_INT(erase(w, &set, VSS_OBJECT_SNAPSHOT_SET), VSS_E_VOLUME_IN_USE);
        CHECK_INT(w->reply.deleted, 0);
        CHECK_INT(p->n_disk, 2);
        w->replied = false;
        CHECK_INT(session_delete_snapshots(w->session, &copy, VSS_OBJECT_SNAPSHOT, true,
                                           world_reply, w, NULL),
                  0);
        world_run(w, &w->replied);
        CHECK_INT(w->reply.deleted, 1);
        world_release(w);
        w->session = reader;
        CHECK_INT(erase(w, &set, VSS_OBJECT_SNAPSHOT_SET), 0); /* its own */
        CHECK_INT(w->reply.deleted, 1);
        end(w);
}

/* likewise when its requester has a service of its own (the embedded default) */
static void test_delete_used_elsewhere(void) {
        struct world *w = world_new(NULL);
        struct actor *p = world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        struct disk_copy *copy = &p->disk[p->n_disk++];

        *copy = (struct disk_copy){ .committed = true, .created = true };
        CHECK_INT(vss_id_new(&copy->id), 0);
        CHECK_INT(vss_id_new(&copy->set_id), 0);
        w->elsewhere = copy->set_id;
        world_session(w, VSS_CTX_ALL);
        CHECK_INT(erase(w, &copy->id, VSS_OBJECT_SNAPSHOT), VSS_E_VOLUME_IN_USE);
        copy->attributes = VSS_CTX_NAS_ROLLBACK;
        CHECK_INT(erase(w, &copy->id, VSS_OBJECT_SNAPSHOT), 0); /* S-62: nobody's */
        *copy = (struct disk_copy){ .id = w->elsewhere, .committed = true, .created = true };
        p->n_disk = 1;
        CHECK_INT(erase(w, &copy->id, VSS_OBJECT_SNAPSHOT), 0); /* a left-over */
        end(w);
}

struct heard {
        bool done;
        int code;
};

static void hear(void *userdata, const struct reply *reply) {
        struct heard *heard = userdata;

        CHECK(!heard->done);
        *heard = (struct heard){ true, reply->code };
}

/* S-70: deletions come one after the other; the release of a session answers its questions */
static void test_deletes_queue(void) {
        struct world *w = world_new(NULL);
        struct actor *p = world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        struct heard heard[3] = { 0 };
        struct vss_id set, copy;

        make_persistent(w, &set, &copy);
        p->cost_us[VERB_DELETE_SNAPSHOTS] = 1000;
        for (unsigned i = 0; i < 2; i++)
                CHECK_INT(session_delete_snapshots(w->session, &set, VSS_OBJECT_SNAPSHOT_SET, true,
                                                   hear, &heard[i], NULL),
                          0);
        world_run(w, &heard[1].done);
        CHECK_INT(heard[0].code, 0);
        CHECK_INT(heard[1].code, VSS_E_OBJECT_NOT_FOUND);
        CHECK_INT(session_delete_snapshots(w->session, &set, VSS_OBJECT_SNAPSHOT_SET, true, hear,
                                           &heard[2], NULL),
                  0);
        world_release(w);
        CHECK(heard[2].done);
        CHECK_INT(heard[2].code, -ECANCELED);
        end(w);
}

/* an auto-release copy that cannot be deleted is tried again, and its record stays till then */
static void test_release_fails(void) {
        struct world *w = world_new(NULL);
        struct actor *p = world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN);

        open_set(w, VSS_CTX_FILE_SHARE_BACKUP);
        CHECK_INT(world_add(w, "/v1", NULL), 0);
        CHECK_INT(world_do(w), FINISHED);
        world_strike(p, VERB_DELETE_SNAPSHOTS, FAULT_RETRYABLE);
        world_strike(p, VERB_DELETE_SNAPSHOTS, FAULT_RETRYABLE);
        world_release(w);
        CHECK_INT(w->released_code, VSS_E_PROVIDER_VETO);
        world_settle(w, 0);
        CHECK_INT(p->n_disk, 0); /* the ledger has done it */
        end(w);
}

/* ---- records ---- */

/* the record stands before the deed: without it no provider prepares anything */
static void test_no_record_no_deed(void) {
        struct world *w = world_new(NULL);
        struct actor *p = world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN);

        open_set(w, VSS_CTX_FILE_SHARE_BACKUP);
        w->record_broken = true;
        CHECK_INT(world_add(w, "/v1", NULL), -ENOSPC);
        CHECK(!world_was_told(p, VERB_BEGIN_PREPARE_SNAPSHOT));
        w->record_broken = false;
        CHECK_INT(world_add(w, "/v1", NULL), 0);
        CHECK(w->records[15].used || w->records[0].used);
        end(w);
}

static const char token[] = "token";

static struct set_record left_behind(struct world *w, struct record_copy copies[2],
                                     struct record_undo *undo, bool created, uint32_t context) {
        struct set_record record = { .context = context,
                                     .created = created,
                                     .reached_writers = true,
                                     .copies = copies,
                                     .n_copies = 2,
                                     .undos = undo,
                                     .n_undos = 1 };
        struct actor *p = world_actor(w, "p");

        CHECK_INT(vss_id_new(&record.set_id), 0);
        for (unsigned i = 0; i < 2; i++) {
                copies[i] = (struct record_copy){
                        .provider_id = p->id, .provider = "p", .volume = "/v1", .mount_point = "/v1"
                };
                CHECK_INT(vss_id_new(&copies[i].snapshot_id), 0);
                p->disk[p->n_disk++] = (struct disk_copy){ .id = copies[i].snapshot_id,
                                                           .set_id = record.set_id,
                                                           .attributes = context,
                                                           .committed = true,
                                                           .created = created };
        }
        *undo = (struct record_undo){ .writer_id = world_actor(w, "writer")->id,
                                      .writer = "writer",
                                      .instance_name = "one",
                                      .token = token,
                                      .token_size = 5 };
        world_actor(w, "writer")->holding = true;
        w->records[0] = (struct record_kept){ .used = true, .set_id = record.set_id };
        return record;
}

/* S-47: without the CREATED mark the providers abort; with it auto-release copies are deleted,
 * others stay; the dead writer's token is handed to a fresh process */
static void reconcile(bool created, uint32_t context, size_t left, const char *told) {
        struct world *w = world_new(NULL);
        struct record_copy copies[2];
        struct record_undo undo;
        struct set_record record;

        world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        world_writer(w, "writer", VSS_APP_FRONT_END, true);
        record = left_behind(w, copies, &undo, created, context);
        CHECK_INT(coordinator_reconcile(w->c, &record, NULL), 0);
        world_settle(w, 0);
        CHECK_INT(world_actor(w, "writer")->undos, 1);
        CHECK_INT(world_actor(w, "p")->n_disk, left);
        CHECK_STR(world_told(world_actor(w, "p")), told);
        CHECK_STR(world_told(world_actor(w, "writer")), "load undo");
        world_check_end(w);
        world_free(w);
}

static void test_reconcile(void) {
        reconcile(false, VSS_CTX_BACKUP, 0,
                  "load abort_snapshots delete_snapshots delete_snapshots");
        reconcile(false, VSS_CTX_NAS_ROLLBACK, 0,
                  "load abort_snapshots delete_snapshots delete_snapshots");
        reconcile(true, VSS_CTX_BACKUP, 0, "load delete_snapshots delete_snapshots");
        reconcile(true, VSS_CTX_NAS_ROLLBACK, 2, "");
}

/* what fails is tried again after some minutes, and the record stays as long */
static void test_reconcile_tries_again(void) {
        struct world *w = world_new(NULL);
        struct record_copy copies[2];
        struct record_undo undo;
        struct set_record record;
        struct actor *p = world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN);

        world_writer(w, "writer", VSS_APP_FRONT_END, false);
        world_die(world_actor(w, "writer")); /* it has not come back yet */
        record = left_behind(w, copies, &undo, true, VSS_CTX_BACKUP);
        undo.writer = "";
        p->cost_us[VERB_DELETE_SNAPSHOTS] = UINT64_C(400000000); /* beyond every deadline */
        CHECK_INT(coordinator_reconcile(w->c, &record, NULL), 0);
        world_settle(w, UINT64_C(3600000000));
        CHECK(w->records[0].used);
        CHECK_INT(w->records[0].n_undos, 1);
        p->cost_us[VERB_DELETE_SNAPSHOTS] = 0;
        world_reregister(w, world_actor(w, "writer"));
        world_settle(w, UINT64_C(3600000000));
        CHECK_INT(world_actor(w, "writer")->undos, 1);
        CHECK_INT(p->n_disk, 0);
        world_check_end(w);
        world_free(w);
}

/* a registered writer undoes as soon as it is back, not at the next try */
static void test_undo_when_back(void) {
        struct world *w = world_new(NULL);
        struct record_copy copies[2];
        struct record_undo undo;
        struct set_record record;

        world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        world_writer(w, "writer", VSS_APP_FRONT_END, false);
        world_die(world_actor(w, "writer"));
        record = left_behind(w, copies, &undo, true, VSS_CTX_NAS_ROLLBACK);
        undo.writer = "";
        CHECK_INT(coordinator_reconcile(w->c, &record, NULL), 0);
        world_settle(w, UINT64_C(3601000000));
        world_reregister(w, world_actor(w, "writer"));
        world_settle(w, 0);
        CHECK_INT(world_actor(w, "writer")->undos, 1);
        world_check_end(w);
        world_free(w);
}

/* a writer that dies while frozen: a fresh process undoes, but not before the hold is over */
static void test_undo_after_the_window(void) {
        struct world *w = world_new(NULL);
        struct actor *writer = world_writer(w, "writer", VSS_APP_FRONT_END, true);
        uint64_t loaded = 0;

        world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN)->cost_us[VERB_COMMIT_SNAPSHOTS] =
                2000000;
        world_writer(w, "other", VSS_APP_FRONT_END, false);
        world_upto_do(w, VSS_CTX_BACKUP, 1);
        world_strike(writer, VERB_FREEZE, FAULT_DIES);
        CHECK_INT(world_do(w), FINISHED);
        world_settle(w, 0);
        CHECK_STR(world_told(writer),
                  "load identify prepare_backup prepare_snapshot freeze load undo");
        for (size_t i = 1; i < writer->n_told; i++)
                if (writer->told[i].verb == VERB_LOAD)
                        loaded = writer->told[i].at_us;
        CHECK(loaded >= world_actor(w, "other")->told[4].at_us); /* its Thaw */
        CHECK_INT(world_actor(w, "other")->told[4].verb - VERB_THAW, 0);
        CHECK_INT(world_status(w, "writer").state, VSS_WS_FAILED_AT_FREEZE);
        end(w);
}

static void hold_dies(struct world *w) {
        world_die(w->hold);
}

/* once all is released, the death of vss-hold is nobody's failure */
static void test_hold_dies_after_release(void) {
        struct world *w = world_new(NULL);

        world_hold(w);
        world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_FREEZE);
        open_set(w, VSS_CTX_FILE_SHARE_BACKUP);
        CHECK_INT(world_add(w, "/v1", NULL), 0);
        w->trigger = hold_dies;
        w->trigger_verb = VERB_POST_COMMIT_SNAPSHOTS;
        CHECK_INT(world_do(w), FINISHED);
        end(w);
}

static struct session *older;
static struct heard older_heard;

static void delete_older(struct world *w) {
        CHECK_INT(session_delete_snapshots(older, &w->wanted, VSS_OBJECT_SNAPSHOT, true, hear,
                                           &older_heard, NULL),
                  0);
}

/* S-30: another session's copy goes while the window is open; its record waits (the actor of the
 * record checks that), and is brought up to date afterwards */
static void test_record_waits_for_the_window(void) {
        struct world *w = world_new(NULL);

        older_heard.done = false;
        world_provider(w, "quick", VSS_PROV_SOFTWARE, VSS_HOLD_OWN)->only_volume = "/v1";
        world_provider(w, "slow", VSS_PROV_SYSTEM, VSS_HOLD_OWN)->cost_us[VERB_COMMIT_SNAPSHOTS] =
                3000000;
        open_set(w, VSS_CTX_FILE_SHARE_BACKUP);
        CHECK_INT(world_add(w, "/v1", &w->wanted), 0);
        CHECK_INT(world_do(w), FINISHED);
        older = w->session;
        open_set(w, VSS_CTX_FILE_SHARE_BACKUP);
        CHECK_INT(world_add(w, "/v2", NULL), 0);
        w->trigger = delete_older;
        w->trigger_verb = VERB_PRE_COMMIT_SNAPSHOTS;
        world_actor(w, "quick")->cost_us[VERB_DELETE_SNAPSHOTS] = 1000000;
        CHECK_INT(world_do(w), FINISHED);
        CHECK(older_heard.done && older_heard.code == 0);
        world_release(w);
        for (size_t i = 0; i < 16; i++)
                CHECK(!w->records[i].used);
        w->session = older;
        end(w);
}

static void ask_meanwhile(struct world *w) {
        struct operation *op;
        struct session *other;

        CHECK_INT(session_new(w->c, 0, false, w, &other, NULL), 0);
        if (w->trigger_verb == VERB_COMMIT_SNAPSHOTS)
                CHECK_INT(session_gather_writer_metadata(other, NULL, &op, NULL), 0);
        CHECK_INT(session_query(other, VSS_OBJECT_SNAPSHOT, hear, &older_heard, NULL), 0);
        older = other;
}

/* S-30: what another requester needs started is started when nothing is held any more (the actors
 * check that), and then it is */
static void test_no_start_while_held(void) {
        struct world *w = world_new(NULL);
        struct actor *p = world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        struct operation *op;

        older_heard.done = false;
        p->cost_us[VERB_COMMIT_SNAPSHOTS] = 2000000;
        world_upto_do(w, VSS_CTX_BACKUP, 1);
        world_writer(w, "late comer", VSS_APP_FRONT_END, true);
        world_provider(w, "another", VSS_PROV_SOFTWARE, VSS_HOLD_OWN);
        world_writer(w, "frozen", VSS_APP_FRONT_END, false);
        w->trigger = ask_meanwhile;
        w->trigger_verb = VERB_COMMIT_SNAPSHOTS;
        CHECK_INT(session_do_snapshot_set(w->session, &op, NULL), 0);
        for (unsigned n = 1; n <= 2; n++) { /* both operations */
                w->op_done = false;
                world_run(w, &w->op_done);
                CHECK_INT(w->op_code, FINISHED);
        }
        world_settle(w, 0);
        CHECK(older_heard.done);
        CHECK_STR(world_told(world_actor(w, "late comer")), "load identify");
        CHECK_STR(world_told(world_actor(w, "another")), "load query");
        session_release(older, NULL, NULL);
        end(w);
}

/* P-43: a provider that says nothing is ended, so that the next question finds a fresh one */
static void test_silent_provider_is_ended(void) {
        struct world *w = world_new(NULL);
        struct actor *p = world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN);

        world_session(w, VSS_CTX_ALL);
        world_strike(p, VERB_QUERY, FAULT_STUCK);
        CHECK_INT(world_query(w), S_FALSE); /* what the others have can be told */
        CHECK(strstr(w->log, "provider 'p' did not answer 'query'"));
        CHECK_INT(world_query(w), S_FALSE);
        CHECK_STR(world_told(p), "load query load query");
        end(w);
}

/* P-43: but not before writes were released; then the next deadline does it */
static void test_silent_provider_in_the_window(void) {
        struct world *w = world_new(NULL);
        struct actor *silent = world_provider(w, "silent", VSS_PROV_SOFTWARE, VSS_HOLD_OWN);

        silent->only_volume = "/v2";
        world_provider(w, "slow", VSS_PROV_SYSTEM, VSS_HOLD_OWN)->cost_us[VERB_COMMIT_SNAPSHOTS] =
                8000000;
        world_writer(w, "writer", VSS_APP_FRONT_END, true)->cost_us[VERB_PREPARE_SNAPSHOT] =
                55000000; /* the question's 60 s end in the commit */
        world_upto_do(w, VSS_CTX_BACKUP, 1);
        world_strike(silent, VERB_QUERY, FAULT_STUCK);
        w->trigger = ask_meanwhile;
        w->trigger_verb = VERB_PREPARE_SNAPSHOT;
        older_heard.done = false;
        CHECK_INT(world_do(w), FINISHED);
        CHECK(older_heard.done);
        CHECK_INT(world_query(w), 0);
        CHECK_INT(world_query(w), 0);
        CHECK_STR(world_told(silent), "load is_volume_supported query query load query");
        session_release(older, NULL, NULL);
        end(w);
}

/* and not one that is at work, as long as that work may take, is not silent */
static void test_busy_provider_is_not_ended(void) {
        struct world *w = world_new(NULL);
        struct actor *p = world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN);

        p->cost_us[VERB_END_PREPARE_SNAPSHOTS] = UINT64_C(1800000000); /* half of what it may */
        open_set(w, VSS_CTX_FILE_SHARE_BACKUP);
        CHECK_INT(world_add(w, "/v1", NULL), 0);
        w->trigger = ask_meanwhile;
        w->trigger_verb = VERB_END_PREPARE_SNAPSHOTS;
        older_heard.done = false;
        CHECK_INT(world_do(w), FINISHED);
        CHECK(older_heard.done);
        CHECK(strstr(w->log, "provider 'p' did not answer 'query'"));
        session_release(older, NULL, NULL);
        end(w);
}

static void delete_persistent(struct world *w) {
        CHECK_INT(session_delete_snapshots(older, &w->wanted, VSS_OBJECT_SNAPSHOT, false, hear,
                                           &older_heard, NULL),
                  0);
}

/* S-30: to know whether somebody uses a copy takes a look at files, which are left alone now */
static void test_delete_waits_for_the_window(void) {
        struct world *w = world_new(NULL);
        struct actor *slow = world_provider(w, "slow", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        struct disk_copy *copy = &slow->disk[slow->n_disk++];

        *copy = (struct disk_copy){ .committed = true, .created = true };
        CHECK_INT(vss_id_new(&copy->id), 0);
        CHECK_INT(vss_id_new(&copy->set_id), 0);
        w->wanted = copy->id;
        world_session(w, VSS_CTX_ALL);
        older = w->session;
        older_heard.done = false;
        world_provider(w, "quick", VSS_PROV_SOFTWARE, VSS_HOLD_OWN)->only_volume = "/v1";
        world_writer(w, "frozen", VSS_APP_FRONT_END, true)->cost_us[VERB_FREEZE] = 2000000;
        world_upto_do(w, VSS_CTX_BACKUP, 1);
        w->trigger = delete_persistent;
        w->trigger_verb = VERB_FREEZE;
        CHECK_INT(world_do(w), FINISHED);
        world_settle(w, 1000000);
        CHECK(older_heard.done);
        CHECK_INT(older_heard.code, 0);
        session_release(older, NULL, NULL);
        end(w);
}

/* ---- questions without a session ---- */

static void test_lists(void) {
        struct world *w = world_new(NULL);
        struct vss_volume v = world_volume("/v1");

        world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN)->only_volume = "/v1";
        world_provider(w, "broken", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        world_strike(world_actor(w, "broken"), VERB_LOAD, FAULT_NONRETRYABLE);
        CHECK_INT(coordinator_list_providers(w->c, world_reply, w, NULL), 0);
        world_run(w, &w->replied);
        CHECK_INT(w->reply.n_providers, 1);
        w->replied = false;
        CHECK_INT(coordinator_ask_volume(w->c, &v, world_reply, w, NULL), 0);
        world_run(w, &w->replied);
        CHECK(w->reply.supported);
        world_settle(w, 0);
        CHECK(!coordinator_busy(w->c));
        world_check_end(w);
        world_free(w);
}

/* P-10, T: identities that cannot be right */
static void test_identities(void) {
        struct writer_identity identity = { .instance_name = "", .name = "x" };
        struct world *w = world_new(NULL);
        struct actor *a = world_writer(w, "writer", VSS_APP_FRONT_END, false);
        struct actor *p = world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        struct actor *same = world_provider(w, "q", VSS_PROV_SYSTEM, VSS_HOLD_OWN);

        CHECK_INT(coordinator_add_writer(w->c, &identity, NULL, NULL, NULL), E_INVALIDARG);
        identity.writer_id = a->id;
        identity.instance_id = a->instance;
        CHECK_INT(coordinator_add_writer(w->c, &identity, NULL, NULL, NULL),
                  VSS_E_WRITER_ALREADY_SUBSCRIBED); /* B-76 */
        identity.level = 5;
        CHECK_INT(coordinator_add_writer(w->c, &identity, NULL, NULL, NULL), E_INVALIDARG);
        CHECK_INT(coordinator_add_program(w->c, PARTY_PROVIDER, "p", 0, NULL, NULL, NULL),
                  VSS_E_OBJECT_ALREADY_EXISTS);
        same->id = p->id;
        CHECK_INT(coordinator_list_providers(w->c, world_reply, w, NULL), 0);
        world_run(w, &w->replied);
        CHECK_INT(w->reply.n_providers, 1);
        CHECK(strstr(w->log, "has the id of provider"));
        world_settle(w, 0);
        world_check_end(w);
        world_free(w);
}

int main(void) {
        RUN(test_selection_order);
        RUN(test_given_provider);
        RUN(test_nobody_copies);
        RUN(test_promises);
        RUN(test_no_hold);
        RUN(test_same_file_system);
        RUN(test_instant);
        RUN(test_code_of_provider);
        RUN(test_device_is_checked);
        RUN(test_autorecovery);
        RUN(test_seen_when_created);
        RUN(test_persistent);
        RUN(test_delete);
        RUN(test_delete_used);
        RUN(test_delete_used_elsewhere);
        RUN(test_delete_waits_for_the_window);
        RUN(test_deletes_queue);
        RUN(test_release_fails);
        RUN(test_no_record_no_deed);
        RUN(test_reconcile);
        RUN(test_reconcile_tries_again);
        RUN(test_undo_when_back);
        RUN(test_undo_after_the_window);
        RUN(test_hold_dies_after_release);
        RUN(test_record_waits_for_the_window);
        RUN(test_no_start_while_held);
        RUN(test_silent_provider_is_ended);
        RUN(test_silent_provider_in_the_window);
        RUN(test_busy_provider_is_not_ended);
        RUN(test_lists);
        RUN(test_identities);
        return 0;
}
