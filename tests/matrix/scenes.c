/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scenes.c - see scenes.h.
 */
#include "tests/matrix/scenes.h"

struct world *usual_world(void) {
        struct world *w = world_new(NULL);

        world_hold(w);
        world_provider(w, "frozen", VSS_PROV_SOFTWARE, VSS_HOLD_FREEZE)->only_volume = "/v1";
        world_provider(w, "own", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        world_writer(w, "front", VSS_APP_FRONT_END, true);
        return w;
}

void end(struct world *w) {
        world_release(w);
        world_settle(w, 0);
        world_check_end(w);
        world_free(w);
}

uint32_t state_of(struct world *w, const char *writer) {
        return world_status(w, writer).state;
}

uint64_t told_at(struct world *w, const char *name, enum verb verb) {
        struct actor *a = world_actor(w, name);

        for (size_t i = 0; i < a->n_told; i++)
                if (a->told[i].verb == verb)
                        return a->told[i].at_us;
        CHECK_FAIL_("%s was not told %s", name, verb_name(verb));
}

void make_persistent(struct world *w, struct vss_id *ret_set, struct vss_id *ret_copy) {
        world_session(w, VSS_CTX_NAS_ROLLBACK);
        CHECK_INT(world_start(w, ret_set), 0);
        CHECK_INT(world_add(w, "/v1", ret_copy), 0);
        CHECK_INT(world_add(w, "/v2", NULL), 0);
        CHECK_INT(world_do(w), FINISHED);
}
