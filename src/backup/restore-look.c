/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-look.c - the plan's questions about destinations, put to the engine (restore-put.h).
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "backup/record.h"
#include "backup/restore-put.h"
#include "base/cleanup.h"

/* the plan's question as the engine asks it */
struct asking {
        const struct restore_request *request; /* of the caller */
        restore_place_fn where;
        void *where_userdata;
};

static const char *on_where(void *userdata, const struct entry *entry) {
        const struct asking *a = userdata;

        if (a->request->wanted && !a->request->wanted(a->request->userdata, entry))
                return NULL;
        return a->where(a->where_userdata, entry);
}

/* what is kept is in nobody's way */
static int to_sight(const struct restore_request *request, const struct restore_probe *probe,
                    struct restore_sight *ret) {
        bool keep = request->existing == RESTORE_KEEP, full;

        full = probe->bytes_needed > probe->bytes_free;
        ret->there = probe->replaceable + probe->blocked;
        ret->obstacles = probe->blocked_absent + (keep ? 0 : probe->blocked);
        if (ret->obstacles == 0 && full)
                ret->obstacles = 1;
        if (ret->there && asprintf(&ret->there_words, "'%s' is there already",
                                   probe->present ? probe->present : "") < 0)
                return -ENOMEM;
        if (ret->obstacles && asprintf(&ret->obstacle_words, "%s",
                                       probe->words ? probe->words : "it is in the way") < 0)
                return -ENOMEM;
        return 0;
}

static int rewind_before(struct restore_looker *looker, struct vss_error *reterr) {
        const struct restore_image *image = looker->image;

        restore_looker_done(looker);
        if (image->image < 2)
                return 0;
        looker->before_chain =
                (struct chain){ .links = image->chain->links, .count = image->image - 1 };
        return view_open(looker->putter->store, &looker->before_chain, NULL, &looker->before,
                         reterr);
}

int restore_look(void *userdata, restore_place_fn where, void *where_userdata,
                 struct restore_sight *ret, struct vss_error *reterr) {
        struct restore_looker *looker = userdata;
        const struct restore_putter *putter = looker->putter;
        struct asking asking = { putter->request, where, where_userdata };
        struct restore_request request = *putter->request;
        struct restore_probe probe;
        int r;

        request.chain = looker->image->chain;
        request.image = looker->image->image;
        request.where = on_where;
        request.wanted = NULL;
        request.result = NULL;
        request.userdata = &asking;
        request.in_use = looker->ignore_in_use             ? RESTORE_IN_USE_IGNORE
                         : putter->settings->rename_in_use ? RESTORE_IN_USE_RENAME
                                                           : RESTORE_IN_USE_REFUSE;
        r = rewind_before(looker, reterr);
        if (r >= 0)
                r = restore_probe(putter->store, &request, NULL, putter->watch, &probe, reterr);
        if (r < 0)
                return r;
        r = to_sight(putter->request, &probe, ret);
        restore_probe_done(&probe);
        if (looker->failed)
                return vss_fail(reterr, -EIO, "an earlier image of the chain cannot be read");
        return r < 0 ? vss_fail(reterr, r, "out of memory") : 0;
}

/* the view is read along: both come in path order */
bool restore_was_put(void *userdata, const char *path) {
        struct restore_looker *looker = userdata;
        const struct entry *entry;

        while (looker->before && !looker->before_ended) {
                int order = looker->before_path ? path_compare(looker->before_path, path) : -1;
                int r;

                if (order >= 0)
                        return order == 0;
                r = view_next(looker->before, &entry, NULL);
                looker->before_ended = r <= 0;
                looker->failed |= r < 0;
                if (r <= 0)
                        break;
                free(looker->before_path);
                looker->before_path = strdup(entry->path);
                if (!looker->before_path)
                        looker->failed = looker->before_ended = true;
        }
        return false;
}

int restore_look_stop(void *userdata, const char *service, struct vss_error *reterr) {
        const struct restore_putter *putter = ((struct restore_looker *)userdata)->putter;

        return putter->stop_service(putter->userdata, service, reterr);
}

void restore_looker_done(struct restore_looker *looker) {
        view_close(looker->before);
        free(looker->before_path);
        *looker = (struct restore_looker){ .putter = looker->putter,
                                           .image = looker->image,
                                           .ignore_in_use = looker->ignore_in_use };
}
