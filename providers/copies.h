/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copies.h - the book that btrfs and mirror keep: which copies lie where, the set that is being
 * made, and what every provider answers alike (query, properties, delete, abort).
 *
 * How a copy is made and removed is the provider's (struct copies_kind). All knowledge is read from
 * the folders beside the copies, so a fresh process knows as much as the one that died.
 */
#ifndef PROVIDERS_COPIES_H
#define PROVIDERS_COPIES_H

#include "record.h"

struct copies_kind {
        const char *name;
        struct vss_id id;
        uint32_t technique; /* DIFFERENTIAL or PLEX */
        uint32_t instant;
        uint32_t compatibility; /* enum vss_snapshot_compatibility of what is copied */
        bool (*searches)(const char *fs_type); /* may copies lie on such a mount? */
        bool (*is_intact)(int folder); /* is the copy of a CREATED record there? */
        int (*remove)(int folder); /* all that the provider keeps in it; 0 or negative errno */
        void (*release)(void *own); /* stop what works on a copy in the making; own may be NULL */
};

/* struct making - one copy of the current set */
struct making {
        struct record record;
        char *place; /* path of the folder `.vss` */
        char name[RECORD_NAME_SIZE];
        int folder;
        void *own; /* the provider's */
};

struct copies {
        const struct copies_kind *kind;
        char *area; /* searched as well, NULL none */
        char *state_dir; /* keeps the list of places that no mount leads to */
        uint64_t min_free;
        struct vss_id set; /* being made; null none */
        struct making **made;
        size_t count, capacity;
};

/* copies_init() - with the caller's default state folder; 0 or E_OUTOFMEMORY */
int copies_init(struct copies *copies, const struct copies_kind *kind);
void copies_done(struct copies *copies);

/* copies_setting() - state_dir, min_free, enabled, order: 1 taken, 0 not ours, negative code */
int copies_setting(struct copies *copies, const char *key, const char *value,
                   struct vss_error *reterr);

/* copies_context() - can such copies be made at all? 0 or VSS_E_UNSUPPORTED_CONTEXT */
int copies_context(const struct copies *copies, uint32_t context, struct vss_error *reterr);

/* copies_place() - open the folder `.vss` of @root, made when missing, and check that nobody else
 * may enter it; the descriptor, or the code of a failure */
int copies_place(const char *root, struct vss_error *reterr);

/* copies_remember_place() - @root is no mount's root: note it, so that fresh processes look there
 */
int copies_remember_place(struct copies *copies, const char *root, struct vss_error *reterr);

/* copies_enter_set() - begin_prepare's first step: a new set drops the old one (P-30), and what a
 * dead process began without a record */
void copies_enter_set(struct copies *copies, const struct vss_id *set);

/* copies_begin() - the folder and the record of a copy below @root; lent in *ret */
int copies_begin(struct copies *copies, const struct vss_prepare *prepare, const char *root,
                 struct making **ret, struct vss_error *reterr);

/* copies_is_current() - 0, or a veto for another set than the one being made (P-30) */
int copies_is_current(const struct copies *copies, const struct vss_id *set,
                      struct vss_error *reterr);

/* copies_stamp() - the same instant on all copies of the set (S-33) */
void copies_stamp(struct copies *copies, vss_timestamp_t when);

/* copies_status() - of all copies in the making; @count above 0 is that of the whole set */
void copies_status(struct copies *copies, uint32_t status, uint32_t count);

/* copies_created() - all are whole and synced: write it down, forget the set */
int copies_created(struct copies *copies, struct vss_error *reterr);

void copies_abort(struct copies *copies, const struct vss_id *set);
/* copies_sweep() - finish removals that were interrupted, remove what a dead process left half-made
 * (P-33), and auto-release copies of an earlier boot of this machine */
void copies_sweep(const struct copies *copies);

int copies_get(struct copies *copies, const struct vss_id *snapshot, struct vss_snapshot_prop *ret,
               struct vss_error *reterr);
int copies_query(struct copies *copies, vss_snapshot_sink_t sink, void *userdata,
                 struct vss_error *reterr);
int copies_delete(struct copies *copies, const struct vss_id *id, uint32_t type, bool force,
                  uint32_t *ret_deleted, struct vss_id *ret_nondeleted, struct vss_error *reterr);
int copies_set_property(struct copies *copies, const struct vss_id *snapshot, uint32_t property,
                        const char *value, struct vss_error *reterr);
int copies_is_snapshotted(struct copies *copies, const struct vss_volume *volume,
                          uint32_t *ret_compatibility, struct vss_error *reterr);

#endif
