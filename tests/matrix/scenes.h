/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scenes.h - what the tests of the matrix that go rule by rule begin and end with. The failure
 * matrix itself makes its own worlds.
 */
#ifndef MATRIX_SCENES_H
#define MATRIX_SCENES_H

#include "tests/matrix/world.h"

#define FINISHED VSS_S_ASYNC_FINISHED
#define CHECK_TOLD(world, actor, expected)                                                         \
        CHECK_STR(world_told(world_actor(world, actor)), expected)

/* usual_world() - vss-hold, a provider of each kind (one that has /v1 frozen) and a front-end
 * writer */
struct world *usual_world(void);

/* end() - release the session and see that nothing is left */
void end(struct world *w);

uint32_t state_of(struct world *w, const char *writer);
uint64_t told_at(struct world *w, const char *name, enum verb verb); /* microseconds */

/* make_persistent() - a finished set of /v1 and /v2 that outlives its session */
void make_persistent(struct world *w, struct vss_id *ret_set, struct vss_id *ret_copy);

#endif
