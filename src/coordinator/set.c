/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * set.c - a shadow copy set as data: its volumes, who copies them, what they promised.
 *
 * All room is allocated when the set begins, so that nothing is while it is held.
 */
#include "coordinator/inside.h"

#include <string.h>

/* ---- copies of what came from outside ---- */

int volume_copy(struct vss_volume *ret, const struct vss_volume *from) {
        struct vss_volume v = *from;
        bool whole;

        v.id = text_or_empty(from->id);
        v.mount_point = text_or_empty(from->mount_point);
        v.device = text_or_empty(from->device);
        v.fs_type = text_or_empty(from->fs_type);
        v.fs_uuid = text_or_empty(from->fs_uuid);
        v.subvolume = text_or_empty(from->subvolume);
        whole = v.id && v.mount_point && v.device && v.fs_type && v.fs_uuid && v.subvolume;
        if (!whole) {
                volume_done(&v);
                return -ENOMEM;
        }
        *ret = v;
        return 0;
}

static void drop(const char *text) {
        free((char *)(uintptr_t)text);
}

void volume_done(struct vss_volume *v) {
        drop(v->id);
        drop(v->mount_point);
        drop(v->device);
        drop(v->fs_type);
        drop(v->fs_uuid);
        drop(v->subvolume);
        *v = (struct vss_volume){ 0 };
}

char **paths_copy(const char *const *paths) {
        size_t n = 0;
        char **copy;

        while (paths && paths[n])
                n++;
        copy = calloc(n + 1, sizeof(*copy));
        for (size_t i = 0; copy && i < n; i++) {
                copy[i] = strdup(paths[i]);
                if (!copy[i]) {
                        paths_free(copy);
                        return NULL;
                }
        }
        return copy;
}

void paths_free(char **paths) {
        for (size_t i = 0; paths && paths[i]; i++)
                free(paths[i]);
        free(paths);
}

static bool text_copy(char **text) {
        if (!*text)
                return true;
        *text = strdup(*text);
        return *text != NULL;
}

int snapshot_prop_copy(struct vss_snapshot_prop *ret, const struct vss_snapshot_prop *from) {
        struct vss_snapshot_prop copy = *from;
        bool whole = true;

        whole = text_copy(&copy.device_object) && whole;
        whole = text_copy(&copy.original_volume) && whole;
        whole = text_copy(&copy.original_mount) && whole;
        whole = text_copy(&copy.originating_machine) && whole;
        whole = text_copy(&copy.service_machine) && whole;
        whole = text_copy(&copy.exposed_name) && whole;
        whole = text_copy(&copy.exposed_path) && whole;
        if (!whole) {
                vss_free_snapshot_properties(&copy);
                return -ENOMEM;
        }
        *ret = copy;
        return 0;
}

/* ---- the set ---- */

int set_new(struct session *session, struct set **ret) {
        struct set *set = calloc(1, sizeof(*set));
        int r;

        if (!set)
                return -ENOMEM;
        set->copies = calloc(MAX_VOLUMES, sizeof(*set->copies));
        set->states = calloc(MAX_VOLUMES, sizeof(*set->states));
        set->providers = calloc(MAX_VOLUMES, sizeof(*set->providers));
        set->view.copies = set->copies;
        set->view.context = session->context;
        set->view.instant = VSS_INSTANT_ONE; /* of no volumes; each one can weaken it */
        r = set->copies && set->states && set->providers ? vss_id_new(&set->view.set_id) : -ENOMEM;
        if (r >= 0)
                r = ledger_new(session->coordinator, &set->view.set_id, &session->id,
                               session->context, &set->ledger);
        if (r < 0) {
                set_free(set);
                return r;
        }
        *ret = set;
        return 0;
}

static void clear_copy(struct set *set, size_t i) {
        volume_done(&set->copies[i].volume);
        paths_free(set->states[i].paths);
        free(set->states[i].device);
}

/* P-31: a provider is not told of the end of a set that DoSnapshotSet never reached */
static void forget_unannounced(struct set *set) {
        for (size_t i = 0; i < set->view.n_copies; i++) {
                const struct set_provider *sp = set_provider_of(set, set->states[i].provider);

                if (sp && !sp->ending)
                        set->ledger->copies[i].gone = true;
        }
}

struct set *set_free(struct set *set) {
        if (!set)
                return NULL;
        for (size_t i = 0; i < set->view.n_copies; i++)
                clear_copy(set, i);
        if (set->ledger) {
                forget_unannounced(set);
                ledger_leave(set->ledger);
        }
        free(set->copies);
        free(set->states);
        free(set->providers);
        free(set);
        return NULL;
}

bool set_has(const struct set *set, const char *volume_id) {
        for (size_t i = 0; i < set->view.n_copies; i++)
                if (strcmp(set->copies[i].volume.id, volume_id) == 0)
                        return true;
        return false;
}

bool set_must_freeze(const struct set *set) {
        for (size_t i = 0; i < set->view.n_copies; i++)
                if (set->copies[i].hold == VSS_HOLD_FREEZE)
                        return true;
        return false;
}

struct set_provider *set_provider_of(struct set *set, const struct party *party) {
        for (size_t i = 0; i < set->n_providers; i++)
                if (set->providers[i].party == party)
                        return &set->providers[i];
        return NULL;
}

static void count_again(struct set *set) {
        set->n_providers = 0;
        set->view.instant = VSS_INSTANT_ONE;
        for (size_t i = 0; i < set->view.n_copies; i++) {
                struct set_provider *sp = set_provider_of(set, set->states[i].provider);

                if (!sp) {
                        sp = &set->providers[set->n_providers++];
                        *sp = (struct set_provider){ .party = set->states[i].provider };
                }
                sp->count++;
                if (set->copies[i].instant < set->view.instant)
                        set->view.instant = set->copies[i].instant;
        }
        /* each provider's "one" is one of its own volumes only, unless we hold all of them */
        if (set->n_providers > 1 && set->view.instant == VSS_INSTANT_ONE)
                for (size_t i = 0; i < set->view.n_copies; i++)
                        if (set->copies[i].hold != VSS_HOLD_FREEZE)
                                set->view.instant = VSS_INSTANT_SPREAD;
}

int set_add(struct set *set, struct question *q, struct party *provider) {
        size_t n = set->view.n_copies;
        struct record_copy record = { .snapshot_id = q->id,
                                      .provider_id = provider->provider.provider_id,
                                      .provider = provider->name,
                                      .volume = q->volume.id,
                                      .mount_point = q->volume.mount_point,
                                      .hold = q->hold == VSS_HOLD_FREEZE };
        int r = ledger_add_copy(set->ledger, &record);

        if (r < 0)
                return r;
        set->copies[n] = (struct copy){ .snapshot_id = q->id,
                                        .volume = q->volume,
                                        .paths = (const char *const *)q->paths,
                                        .hold = q->hold,
                                        .instant = q->instant,
                                        .device = "",
                                        .provider_peer = provider->peer };
        set->states[n] = (struct copy_state){ .provider = provider,
                                              .provider_id = provider->provider.provider_id,
                                              .paths = q->paths };
        q->volume = (struct vss_volume){ 0 }; /* both belong to the set now */
        q->paths = NULL;
        set->view.n_copies = n + 1;
        count_again(set);
        return 0;
}

void set_remove(struct set *set, const struct vss_id *snapshot_id) {
        size_t i = 0, n;

        while (i < set->view.n_copies && !vss_id_equal(&set->copies[i].snapshot_id, snapshot_id))
                i++;
        if (i == set->view.n_copies)
                return;
        clear_copy(set, i);
        n = --set->view.n_copies - i;
        memmove(&set->copies[i], &set->copies[i + 1], n * sizeof(*set->copies));
        memmove(&set->states[i], &set->states[i + 1], n * sizeof(*set->states));
        ledger_drop_copy(set->ledger, snapshot_id);
        count_again(set);
}
