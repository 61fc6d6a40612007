/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-references.c - change knowledge: whose copies may be remembered and compared.
 */
#include "tests/matrix/scenes.h"

static int keep(struct world *w, const struct vss_id *copy) {
        int r;

        w->replied = false;
        r = session_keep_reference(w->session, copy, world_reply, w, NULL);
        if (r < 0)
                return r;
        world_run(w, &w->replied);
        return w->reply.code;
}

/* what changed is asked of the provider of a finished copy of one's own, and of nobody else's */
static void test_references(void) {
        struct world *w = world_new(NULL);
        struct actor *p = world_provider(w, "p", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        struct vss_id set, copy;

        make_persistent(w, &set, &copy);
        CHECK_INT(keep(w, &set), VSS_E_OBJECT_NOT_FOUND);
        CHECK_INT(keep(w, &copy), 0);
        CHECK(vss_id_equal(&w->reply.id, &copy));
        w->replied = false;
        CHECK_INT(session_query_changes(w->session, &copy, &copy, 0, world_reply, w, NULL), 0);
        world_run(w, &w->replied);
        CHECK_INT(w->reply.code, 0);
        CHECK_INT(session_release_reference(w->session, &copy, &copy, world_reply, w, NULL),
                  VSS_E_PROVIDER_NOT_REGISTERED);
        world_release(w);
        world_session(w, VSS_CTX_NAS_ROLLBACK);
        CHECK_INT(keep(w, &copy), VSS_E_OBJECT_NOT_FOUND); /* it was another one's */
        world_release(w);
        make_persistent(w, &set, &copy);
        p->cost_us[VERB_KEEP_REFERENCE] = 3600000000;
        CHECK_INT(keep(w, &copy), VSS_E_UNEXPECTED_PROVIDER_ERROR);
        end(w);
}

int main(void) {
        RUN(test_references);
        return 0;
}
