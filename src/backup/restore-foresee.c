/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-foresee.c - see restore-foresee.h. Components are selected in a document of its own for
 * each operation, which goes without PreRestore.
 */
#define _GNU_SOURCE
#include "backup/restore-foresee.h"

#include <stdio.h>

#include "backup/restore-put.h"
#include "backup/restore-writers.h"
#include "backup/service.h"
#include "base/cleanup.h"

struct restore_foresight {
        struct restore_foresight_options options;
        struct restore_writers *writers; /* of the operation looked at last */
        struct set_place place;
};

int restore_foresight_new(const struct restore_foresight_options *options,
                          struct restore_foresight **ret) {
        struct restore_foresight *foresight = calloc(1, sizeof(*foresight));

        if (!foresight)
                return -ENOMEM;
        foresight->options = *options;
        *ret = foresight;
        return 0;
}

struct restore_foresight *restore_foresight_free(struct restore_foresight *foresight) {
        if (!foresight)
                return NULL;
        restore_writers_free(foresight->writers);
        free(foresight);
        return NULL;
}

static int open_operation(struct restore_foresight *f, const struct set_place *place,
                          struct vss_error *reterr) {
        const struct restore_writers_watch watch = { f->options.userdata, f->options.wishes,
                                                     f->options.note };

        if (f->writers && f->place.set == place->set && f->place.operation == place->operation)
                return 0;
        f->writers = restore_writers_free(f->writers);
        f->place = *place;
        return restore_writers_open(f->options.store, place->set, place->operation,
                                    f->options.config_dir, &watch, &f->writers, reterr);
}

/* would_stop() - a service that can be stopped; what it has open will be free then */
static int would_stop(void *userdata, const char *service, struct vss_error *reterr) {
        struct restore_looker *looker = userdata;
        const struct service_options options = { .settings = looker->putter->settings };
        bool active;
        int r = service_check(service, &options, &active, reterr);

        looker->ignore_in_use = r >= 0 && active;
        return r;
}

static int decide(struct restore_foresight *f, const struct restore_request *request,
                  const struct restore_foreseen *foreseen, struct vss_error *reterr) {
        const struct restore_putter putter = { .store = f->options.store,
                                               .settings = f->options.settings,
                                               .request = request,
                                               .watch = f->options.watch };
        const struct restore_image image = { .chain = &foreseen->chain };
        struct restore_looker looker = { .putter = &putter, .image = &image };
        const struct restore_plan_ops ops = { .userdata = &looker,
                                              .look = restore_look,
                                              .stop = would_stop };
        int r = restore_plan_decide(foreseen->plan, &ops, reterr);

        restore_looker_done(&looker);
        return r;
}

int restore_foresee(struct restore_foresight *f, const struct set_place *wanted,
                    const struct restore_request *request, struct restore_foreseen *ret,
                    struct vss_error *reterr) {
        const struct component_key *key = &set_place_component(wanted)->key;
        struct restore_plan_input input = { .key = key };
        struct restore_foreseen foreseen = { 0 };
        int r = open_operation(f, wanted, reterr);

        if (r >= 0)
                r = chain_of(f->options.list, wanted, &foreseen.chain, reterr);
        if (r >= 0)
                r = restore_writers_select(f->writers, key, false, reterr);
        if (r >= 0 &&
            restore_wishes_parts(f->options.wishes, key, &foreseen.parts, &input.part_count) < 0)
                r = vss_fail(reterr, -ENOMEM, "out of memory");
        if (r >= 0) {
                input.parts = foreseen.parts;
                input.component = restore_writers_component(f->writers, key);
                input.metadata = restore_writers_metadata(f->writers, key, reterr);
                r = input.metadata ? restore_plan_new(&input, &foreseen.plan, reterr)
                                   : VSS_E_OBJECT_NOT_FOUND;
        }
        if (r >= 0)
                r = decide(f, request, &foreseen, reterr);
        if (r < 0) {
                restore_foreseen_done(&foreseen);
                return r;
        }
        foreseen.told = restore_writers_is_told(f->writers, key);
        *ret = foreseen;
        return 0;
}

void restore_foreseen_done(struct restore_foreseen *foreseen) {
        restore_plan_free(foreseen->plan);
        free(foreseen->parts);
        chain_done(&foreseen->chain);
        *foreseen = (struct restore_foreseen){ 0 };
}
