/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-backup.c - the coordinator's rules one by one, with the strict actors of world.h.
 */
#include <errno.h>

#include "tests/matrix/world.h"

#define FINISHED VSS_S_ASYNC_FINISHED
#define CHECK_TOLD(world, actor, expected)                                                         \
        CHECK_STR(world_told(world_actor(world, actor)), expected)

static struct world *usual_world(void) {
        struct world *w = world_new(NULL);

        world_hold(w);
        world_provider(w, "frozen", VSS_PROV_SOFTWARE, VSS_HOLD_FREEZE)->only_volume = "/v1";
        world_provider(w, "own", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        world_writer(w, "front", VSS_APP_FRONT_END, true);
        return w;
}

static void end(struct world *w) {
        world_release(w);
        world_settle(w, 0);
        world_check_end(w);
        world_free(w);
}

static uint32_t state_of(struct world *w, const char *writer) {
        return world_status(w, writer).state;
}

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

int main(void) {
        RUN(test_normal_run);
        return 0;
}
