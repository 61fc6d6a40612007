/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * references.h - the document of a set that names the reference snapshots which hold its state.
 *
 * It says whose they are: a store that was copied has the same sets, and must not release what the
 * other one's next increment asks about.
 */
#ifndef BACKUP_REFERENCES_H
#define BACKUP_REFERENCES_H

#include "backup/internal.h"

#define REFERENCES_DOCUMENT "references"

/* struct reference - a line of the document */
struct reference {
        char *volume, *mount_point;
        struct vss_id provider_id, id;
};

/* struct reference_source - a file set that the image of @component has as it stood in the copies:
 * an increment of it may rest on what is told of them (taken.h) */
struct reference_source {
        uint32_t component;
        char digest[2 * DIGEST_SIZE + 1];
};

/* struct replaced - an operation on which less is built once the set of a note exists (kept.h) */
struct replaced {
        struct vss_id set;
        uint32_t operation;
};

struct references {
        char fingerprint[2 * DIGEST_SIZE + 1]; /* of the requester's own files; "": not of them */
        char *owner; /* of references_owner(); NULL in those of older versions */
        struct reference *items;
        size_t count, capacity;
        struct reference_source *sources;
        size_t sources_count, sources_capacity;
        char **alone; /* files that were a component's, and are own ones when it gives them up */
        size_t alone_count, alone_capacity;
        struct replaced *replaced; /* in notes only */
        size_t replaced_count, replaced_capacity;
};

void references_done(struct references *references);
int references_add(struct references *references, const char *volume, const char *mount_point,
                   const struct vss_id *provider_id, const struct vss_id *id);
/* once each */
int references_add_replaced(struct references *references, const struct vss_id *set,
                            uint32_t operation);
int references_add_source(struct references *references, uint32_t component, const char *digest);
int references_add_alone(struct references *references, const char *path);
bool references_have_source(const struct references *references, uint32_t component,
                            const char *digest);
bool references_have_alone(const struct references *references, const char *path);
/* 0 or -ENOMEM; @text is the caller's */
int references_format(const struct references *references, struct text *text);
/* -EBADMSG. @text is taken apart */
int references_parse(char *text, struct references *ret);
/* references_of() - what an image's operation has; VSS_E_OBJECT_NOT_FOUND, -ENOENT */
int references_of(struct store *store, const struct set_info *set, uint32_t operation,
                  struct references *ret);

/* references_owner() - this store on this machine; a copy of the store is another one. NULL when
 * it cannot be said; the caller frees it */
char *references_owner(struct store *store);
bool references_are_of(const struct references *references, const char *owner);

/* references_are_needed() - will any of the components whose state they hold be built on the
 * operation that names them? @place: of that, any component */
bool references_are_needed(const struct references *references, const struct set_list *sets,
                           const struct set_place *place);

#endif
