/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kept.c - see kept.h.
 */
#define _GNU_SOURCE
#include "backup/kept.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backup/images.h"
#include "base/cleanup.h"
#include "base/file.h"

#define PREFIX ".references-"

enum { NOTE_MAX = 16 << 20, NAME_SIZE = sizeof(PREFIX) + VSS_ID_TEXT_SIZE };

static const char *note_name(const struct vss_id *set, char ret[NAME_SIZE]) {
        char id[VSS_ID_TEXT_SIZE];

        snprintf(ret, NAME_SIZE, PREFIX "%s", vss_id_format(set, id));
        return ret;
}

static int read_note(struct store *store, const char *name, struct references *ret) {
        _cleanup_free_ char *text = NULL;
        int r = read_whole_file(store->fd, name, NOTE_MAX, &text, NULL);

        if (r >= 0)
                r = references_parse(text, ret);
        if (r < 0)
                references_done(ret);
        return r;
}

static bool has(const struct references *references, const struct reference *reference) {
        for (size_t i = 0; i < references->count; i++)
                if (vss_id_equal(&references->items[i].id, &reference->id) &&
                    vss_id_equal(&references->items[i].provider_id, &reference->provider_id))
                        return true;
        return false;
}

/* merge() - into @to what it does not have */
static int merge(struct references *to, const struct references *from) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < from->count; i++)
                if (!has(to, &from->items[i]))
                        r = references_add(to, from->items[i].volume, from->items[i].mount_point,
                                           &from->items[i].provider_id, &from->items[i].id);
        for (size_t i = 0; r >= 0 && i < from->replaced_count; i++)
                r = references_add_replaced(to, &from->replaced[i].set,
                                            from->replaced[i].operation);
        return r;
}

int kept_note(struct store *store, const struct vss_id *set, const struct references *references) {
        struct references all = { 0 };
        struct text text = { 0 };
        char name[NAME_SIZE];
        int r;

        note_name(set, name);
        (void)read_note(store, name, &all); /* of the other operation of the set */
        if (!all.owner && references->owner)
                all.owner = strdup(references->owner);
        r = references->owner && !all.owner ? -ENOMEM : merge(&all, references);
        if (r >= 0)
                r = references_format(&all, &text);
        if (r >= 0)
                r = write_file_atomic(store->fd, name, text.data, text.size, 0600);
        text_done(&text);
        references_done(&all);
        return r;
}

void kept_strike(struct store *store, const struct vss_id *set) {
        char name[NAME_SIZE];

        /* one that comes back after a power cut is settled like any other */
        (void)unlinkat(store->fd, note_name(set, name), 0);
}

/* append() - the references of one operation of a set, if they are @owner's */
static int append(struct store *store, const struct set_info *set, uint32_t operation,
                  const char *owner, struct references *to) {
        struct references from = { 0 };
        int r = references_of(store, set, operation, &from);

        if (r < 0)
                return r == -ENOMEM ? r : 0; /* it has none, or nobody can say which */
        for (size_t i = 0; r >= 0 && references_are_of(&from, owner) && i < from.count; i++)
                r = references_add(to, from.items[i].volume, from.items[i].mount_point,
                                   &from.items[i].provider_id, &from.items[i].id);
        references_done(&from);
        return r;
}

static int references_of_set(struct store *store, const struct set_info *set, const char *owner,
                             struct references *to) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < set->operations_count; i++)
                r = append(store, set, set->operations[i].number, owner, to);
        return r;
}

int kept_note_of(struct store *store, const struct set_info *set) {
        struct references references = { .owner = references_owner(store) };
        int r = references.owner ? references_of_set(store, set, references.owner, &references)
                                 : -ENOMEM;

        if (r >= 0 && references.count > 0)
                r = kept_note(store, &set->id, &references);
        references_done(&references);
        return r;
}

int kept_release(struct vss_backup_components *bc, const struct reference *reference,
                 struct vss_error *reterr) {
        return vss_backup_components_release_reference(bc, &reference->provider_id, &reference->id,
                                                       reterr);
}

/* ---- settling ---- */

struct settling {
        struct store *store;
        struct vss_backup_components *bc;
        const struct vss_id *writing;
        struct set_list sets;
        struct references named; /* by published sets */
        char *owner;
        bool listed, present; /* the volumes were read a moment ago */
        int failed; /* the first one */
        struct vss_error *reterr;
};

/* list_named() - once, when there is something to settle at all */
static int list_named(struct settling *s) {
        int r = s->listed ? 0 : store_list(s->store, &s->sets, NULL);

        for (size_t i = 0; r >= 0 && !s->listed && i < s->sets.count; i++)
                r = references_of_set(s->store, s->sets.sets[i], s->owner, &s->named);
        s->listed = r >= 0;
        return r;
}

struct looking {
        const struct reference *reference;
        bool found;
};

static int on_volume(void *userdata, const struct vss_volume *volume, const char *provider,
                     const char *refusal) {
        struct looking *looking = userdata;

        (void)provider;
        (void)refusal;
        looking->found |= strcmp(volume->id, looking->reference->volume) == 0;
        return 0;
}

/* release_there() - a provider calls a reference gone whose volume it does not see: it may be back
 * tomorrow */
static int release_there(struct settling *s, const struct reference *reference) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct looking looking = { reference, false };
        int r = s->present ? 0
                           : vss_backup_components_resolve_path(s->bc, reference->mount_point,
                                                                false, on_volume, &looking, &error);

        if (r >= 0 && !s->present && !looking.found)
                r = vss_fail(&error, -ENODEV, "another volume is mounted there");
        if (r >= 0)
                r = kept_release(s->bc, reference, &error);
        if (r == E_NOTIMPL) /* who cannot release one has kept none */
                r = 0;
        if (r < 0 && s->failed >= 0)
                s->failed = vss_fail(s->reterr, r,
                                     "a reference snapshot of '%s' that nothing needs any more "
                                     "cannot be released now: %s",
                                     reference->mount_point, vss_error_message(&error));
        return r;
}

static void release_all(struct settling *s, const struct vss_id *set,
                        const struct references *references) {
        bool all = true;

        for (size_t i = 0; i < references->count; i++)
                if (!has(&s->named, &references->items[i]))
                        all = release_there(s, &references->items[i]) >= 0 && all;
        if (all)
                kept_strike(s->store, set);
}

static bool set_exists(const struct settling *s, const struct vss_id *set) {
        return set_find_id(&s->sets, set) || set_list_unreadable(&s->sets, set);
}

/* release_unneeded() - those of one operation, if nothing will be built on it; were all? */
static bool release_unneeded(struct settling *s, const struct set_list *sets,
                             const struct replaced *replaced) {
        const struct set_info *set = set_find_id(sets, &replaced->set);
        const struct set_place place = { set, replaced->operation, 0 };
        struct references references = { 0 };
        bool all = true;

        if (set && references_of(s->store, set, replaced->operation, &references) >= 0 &&
            references_are_of(&references, s->owner) &&
            !references_are_needed(&references, sets, &place))
                for (size_t i = 0; i < references.count; i++)
                        all = release_there(s, &references.items[i]) >= 0 && all;
        references_done(&references);
        return all;
}

/* release_lost() - what a provider was asked to keep and perhaps did, without anybody hearing of
 * it: noted, and not named by the set. Were all? */
static bool release_lost(struct settling *s, const struct set_list *sets, const struct vss_id *set,
                         const struct references *note) {
        const struct set_info *info = set_find_id(sets, set);
        struct references heard = { 0 };
        bool all = true;

        if (info && references_are_of(note, s->owner)) {
                all = references_of_set(s->store, info, s->owner, &heard) >= 0;
                for (size_t i = 0; all && i < note->count; i++)
                        if (!has(&heard, &note->items[i]))
                                all = release_there(s, &note->items[i]) >= 0;
        }
        references_done(&heard);
        return all;
}

/* settle_published() - of a note whose set exists */
static void settle_published(struct settling *s, const struct set_list *sets,
                             const struct vss_id *set, const struct references *note) {
        bool all = release_lost(s, sets, set, note);

        for (size_t i = 0; references_are_of(note, s->owner) && i < note->replaced_count; i++)
                all = release_unneeded(s, sets, &note->replaced[i]) && all;
        if (all)
                kept_strike(s->store, set);
}

void kept_published(struct store *store, struct vss_backup_components *bc,
                    const struct set_list *sets, const struct vss_id *set) {
        struct settling s = {
                .store = store, .bc = bc, .owner = references_owner(store), .present = true
        };
        struct references note = { 0 };
        char name[NAME_SIZE];

        if (s.owner && read_note(store, note_name(set, name), &note) >= 0)
                settle_published(&s, sets, set, &note);
        references_done(&note);
        free(s.owner);
}

static int settle_one(struct settling *s, const char *name) {
        struct references references = { 0 };
        struct vss_id set;
        int r;

        if (vss_id_parse(name + strlen(PREFIX), &set) < 0 ||
            (s->writing && vss_id_equal(&set, s->writing)))
                return 0;
        r = list_named(s);
        if (r < 0)
                return r;
        r = read_note(s->store, name, &references);
        if (set_exists(s, &set)) /* published, or not removed: its own document tells */
                settle_published(s, &s->sets, &set, &references);
        /* what cannot be read, and what is another machine's, is left to whoever can */
        else if (r >= 0 && references_are_of(&references, s->owner))
                release_all(s, &set, &references);
        references_done(&references);
        return r == -ENOMEM ? r : 0;
}

static int each_note(struct store *store, int (*visit)(struct settling *s, const char *name),
                     struct settling *s) {
        _cleanup_closedir_ DIR *dir = read_directory(store->fd);
        struct dirent *entry;
        int r = 0;

        if (!dir)
                return -errno;
        while (r == 0 && (errno = 0, entry = readdir(dir)))
                if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0)
                        r = visit(s, entry->d_name);
        return r;
}

static int is_one(struct settling *s, const char *name) {
        struct vss_id set;

        (void)s;
        return vss_id_parse(name + strlen(PREFIX), &set) >= 0;
}

bool kept_is_noted(struct store *store) {
        return each_note(store, is_one, NULL) > 0;
}

int kept_settle(struct store *store, struct vss_backup_components *bc, const struct vss_id *writing,
                struct vss_error *reterr) {
        struct settling s = { .store = store,
                              .bc = bc,
                              .writing = writing,
                              .owner = references_owner(store),
                              .reterr = reterr };
        int r = s.owner ? each_note(store, settle_one, &s) : -ENOMEM;

        set_list_done(&s.sets);
        references_done(&s.named);
        free(s.owner);
        if (r < 0)
                return vss_fail(reterr, r, "cannot read what is noted in the store '%s': %s",
                                store->path, strerror(-r));
        return s.failed;
}
