/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listing.c - volumes that are there, or that hold some paths, and who would copy each: vss-probe
 * is asked first, then the providers. However many paths lead to a volume, they are asked once.
 */
#define _GNU_SOURCE
#include "bus/listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "bus/authorize.h"
#include "bus/late-reply.h"
#include "bus/wire.h"

enum { QUESTIONS_MAX = 4096 };

struct listing;

struct listed {
        struct listing *listing;
        struct volume volume;
        char *provider;
        size_t same; /* the first one that shows this volume, which the providers are asked about */
};

/* What the probe said to one question: a failure, or a part of the items */
struct answered {
        int code;
        char *words;
        size_t first, count;
};

/* Volumes that were found, while the providers are asked about each */
struct listing {
        struct server *server;
        sd_bus_message *m;
        bool many; /* ResolvePaths: each question may fail by itself */
        struct answered *answers;
        size_t questions, answered;
        struct listed *items;
        size_t count, capacity;
        size_t waiting;
};

static void listing_free(struct listing *listing) {
        for (size_t i = 0; i < listing->count; i++) {
                volume_clear(&listing->items[i].volume);
                free(listing->items[i].provider);
        }
        free(listing->items);
        for (size_t i = 0; i < listing->questions; i++)
                free(listing->answers[i].words);
        free(listing->answers);
        sd_bus_message_unref(listing->m);
        free(listing);
}

/* ---- the reply ---- */

/* candidates() - the volumes of an answer as they are sent; their strings are lent, but for the
 * refusals, which are the caller's with the array */
static int candidates(const struct listing *listing, const struct answered *answer,
                      struct wire_candidate **ret) {
        struct wire_candidate *list = calloc(answer->count + 1, sizeof(*list));

        *ret = list;
        for (size_t i = 0; list && i < answer->count; i++) {
                const struct listed *item = &listing->items[answer->first + i];
                const struct listed *asked = &listing->items[item->same];
                const char *refusal = asked->volume.refusal;

                list[i] =
                        (struct wire_candidate){ .volume = item->volume.v,
                                                 .provider = asked->provider,
                                                 .refusal = refusal ? wire_words(refusal) : NULL };
                if (refusal && !list[i].refusal)
                        return -ENOMEM;
        }
        return list ? 0 : -ENOMEM;
}

static int append_candidates(sd_bus_message *reply, const struct listing *listing,
                             const struct answered *answer) {
        char name[WIRE_ERROR_NAME_SIZE];
        _cleanup_free_ char *words = answer->words ? wire_words(answer->words) : NULL;
        struct wire_candidate *list;
        int r = candidates(listing, answer, &list);
        struct wire_records records = { list, answer->count };
        struct wire_resolved resolved = {
                .error = answer->code < 0 ? (char *)(uintptr_t)wire_error_name(answer->code, name)
                                          : NULL,
                .words = words,
                .volumes = records
        };

        if (r >= 0)
                r = listing->many ? wire_append(reply, &wire_resolved, &resolved)
                                  : wire_append_records(reply, &wire_candidate, &records);
        for (size_t i = 0; list && i < answer->count; i++)
                free(list[i].refusal);
        free(list);
        return r;
}

static int send_listing(const struct listing *listing) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(listing->m, &reply);

        if (r >= 0 && listing->many)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (size_t i = 0; r >= 0 && i < listing->questions; i++)
                r = append_candidates(reply, listing, &listing->answers[i]);
        if (r >= 0 && listing->many)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static void finish(struct listing *listing, int r, const struct vss_error *error) {
        if (r >= 0) {
                r = send_listing(listing);
                error = NULL;
        }
        if (r < 0)
                reply_failure(listing->m, r, error);
        listing_free(listing);
}

/* ---- the providers ---- */

static void one_less(struct listing *listing) {
        if (--listing->waiting == 0)
                finish(listing, 0, NULL);
}

static void on_asked(void *userdata, const struct reply *answer) {
        struct listed *listed = userdata;

        if (answer->code >= 0 && answer->supported)
                listed->provider = strdup(answer->provider);
        else
                listed->volume.refusal =
                        strdup(*answer->words ? answer->words : "no provider supports it");
        one_less(listed->listing);
}

static bool shows_same(const struct volume *a, const struct volume *b) {
        return !a->refusal && !b->refusal && strcmp(a->v.id, b->v.id) == 0 &&
               strcmp(a->v.mount_point, b->v.mount_point) == 0;
}

/* find_same() - volumes are few even when paths are many: compare with those alone */
static size_t find_same(const struct listing *listing, size_t item, const size_t *distinct,
                        size_t n) {
        for (size_t i = 0; i < n; i++)
                if (shows_same(&listing->items[distinct[i]].volume, &listing->items[item].volume))
                        return distinct[i];
        return item;
}

static void ask(struct listing *listing, struct listed *listed) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int r;

        listing->waiting++;
        r = coordinator_ask_volume(listing->server->coordinator, &listed->volume.v, on_asked,
                                   listed, &error);
        if (r >= 0)
                return;
        listing->waiting--;
        listed->volume.refusal = strdup(vss_error_message(&error));
}

static int ask_all(struct listing *listing) {
        _cleanup_free_ size_t *distinct = calloc(listing->count + 1, sizeof(*distinct));
        size_t n = 0;

        if (!distinct)
                return -ENOMEM;
        for (size_t i = 0; i < listing->count; i++) {
                listing->items[i].listing = listing;
                listing->items[i].same = find_same(listing, i, distinct, n);
                if (listing->items[i].same == i)
                        distinct[n++] = i;
        }
        listing->waiting = 1; /* this function itself */
        for (size_t i = 0; i < n; i++)
                if (!listing->items[distinct[i]].volume.refusal)
                        ask(listing, &listing->items[distinct[i]]);
        one_less(listing);
        return 0;
}

/* ---- the probe ---- */

static int take_volumes(struct listing *listing, const struct volume_list *volumes) {
        for (size_t i = 0; i < volumes->count; i++) {
                int r = ARRAY_RESERVE(&listing->items, listing->count, &listing->capacity);

                if (r < 0)
                        return r;
                listing->items[listing->count] = (struct listed){ 0 };
                r = volume_clone(&listing->items[listing->count].volume, &volumes->items[i]);
                if (r < 0)
                        return r;
                listing->count++;
        }
        return 0;
}

static void on_volumes(void *userdata, size_t question, int code, const struct vss_error *error,
                       const struct volume_list *volumes) {
        struct listing *listing = userdata;
        struct answered *answer = &listing->answers[question];
        int r = code;

        answer->first = listing->count;
        if (r >= 0)
                r = take_volumes(listing, volumes);
        answer->count = listing->count - answer->first;
        answer->code = r < 0 ? r : 0;
        if (r < 0)
                answer->words = strdup(code < 0 ? vss_error_message(error) : vss_error_text(r));
        if (++listing->answered < listing->questions)
                return;
        if (r < 0 && !listing->many)
                finish(listing, r, code < 0 ? error : NULL);
        else if ((r = ask_all(listing)) < 0)
                finish(listing, r, NULL);
}

static int start_listing(struct server *server, sd_bus_message *m,
                         const struct probe_question *questions, size_t count, bool many) {
        struct listing *listing = calloc(1, sizeof(*listing));
        int r;

        if (!listing)
                return -ENOMEM;
        *listing = (struct listing){ .server = server,
                                     .m = sd_bus_message_ref(m),
                                     .many = many,
                                     .answers = calloc(count + 1, sizeof(*listing->answers)),
                                     .questions = count };
        if (!listing->answers)
                listing->questions = 0;
        r = !listing->answers ? -ENOMEM
            : count == 0      ? ask_all(listing)
                              : server_probe(server, questions, count, on_volumes, listing);
        if (r < 0)
                listing_free(listing);
        return r;
}

/* ---- the members ---- */

static int list_volumes(struct server *server, sd_bus_message *m, const struct caller *caller,
                        struct vss_error *reterr) {
        return start_listing(server, m, &(struct probe_question){ "list", NULL }, 1, false);
}

int method_list_volumes(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return admit(userdata, m, ROLE_REQUESTER, list_volumes, reterr);
}

static int resolve_path(struct server *server, sd_bus_message *m, const struct caller *caller,
                        struct vss_error *reterr) {
        struct probe_question question = { "path", NULL };
        _cleanup_free_ char *path = NULL;
        int below = 0, r = wire_read_path(m, &path);

        if (r >= 0)
                r = sd_bus_message_read(m, "b", &below);
        if (r < 0)
                return r;
        question = (struct probe_question){ below ? "below" : "path", path };
        return start_listing(server, m, &question, 1, false);
}

int method_resolve_path(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return admit(userdata, m, ROLE_REQUESTER, resolve_path, reterr);
}

static int resolve_all(struct server *server, sd_bus_message *m,
                       const struct wire_path_question *paths, size_t count,
                       struct vss_error *reterr) {
        _cleanup_free_ struct probe_question *questions = NULL;

        if (count > QUESTIONS_MAX)
                return vss_fail(reterr, E_INVALIDARG, "%zu paths in one question, %d may be", count,
                                QUESTIONS_MAX);
        questions = calloc(count + 1, sizeof(*questions));
        if (!questions)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++)
                questions[i] =
                        (struct probe_question){ paths[i].below ? "below" : "path", paths[i].path };
        return start_listing(server, m, questions, count, true);
}

static int resolve_paths(struct server *server, sd_bus_message *m, const struct caller *caller,
                         struct vss_error *reterr) {
        struct wire_records paths = { 0 };
        int r = wire_read_records(m, &wire_path_question, &paths);

        if (r >= 0)
                r = resolve_all(server, m, paths.items, paths.count, reterr);
        wire_clear_records(&wire_path_question, &paths);
        return r;
}

int method_resolve_paths(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return admit(userdata, m, ROLE_REQUESTER, resolve_paths, reterr);
}
