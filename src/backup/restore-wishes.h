/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-wishes.h - what the operator wants of the writers beyond having their files back: another
 * place or name, another instance, a part, how far logs are replayed. Said through libvss between
 * selection and PreRestore; what comes of it is the writer's business, and where a file then goes
 * the decision table's.
 */
#ifndef BACKUP_RESTORE_WISHES_H
#define BACKUP_RESTORE_WISHES_H

#include "backup/restore-plan.h"
#include "backup/restore.h"
#include "backup/stored-writers.h"
#include "vss/requester.h"

/* struct wished_part - of the explicit component @key only this subcomponent, with all below it;
 * all lent */
struct wished_part {
        struct component_key key;
        const char *sub_logical_path, *sub_name;
};

/* struct restore_wishes - all zero: none. Lists and strings are lent */
struct restore_wishes {
        const struct wished_part *parts; /* a component without one is meant as a whole */
        size_t part_count;
        /* whom the rest is for; count 0: every component */
        const struct component_key *components;
        size_t component_count;
        const struct restore_mapping *targets; /* folders; file sets in them go to the new one */
        size_t target_count;
        const char *name; /* SetRestoreName */
        const char *options; /* SetRestoreOptions */
        uint32_t roll_forward; /* enum vss_rollforward_type; UNDEFINED: nothing is said of it */
        const char *point; /* of VSS_RF_PARTIAL */
        const char *instance; /* name or id of the running instance to restore into */
        bool authoritative;
};

/* restore_wishes_need_writer() - is there something for @key that only its writer can do? */
bool restore_wishes_need_writer(const struct restore_wishes *wishes,
                                const struct component_key *key);

/* restore_wishes_instance() - the running instance that is wished for @key
 * Return: 0 and *ret, the null id when none is; VSS_E_OBJECT_NOT_FOUND with those that run */
int restore_wishes_instance(const struct restore_wishes *wishes, struct vss_backup_components *bc,
                            const struct component_key *key, struct vss_id *ret,
                            struct vss_error *reterr);

/* restore_wishes_apply() - after SetSelectedForRestore, before PreRestore
 * @stored: of the image, for its file sets; used only when there are targets
 *
 * Return: 0, VSS_E_NOT_SUPPORTED when the writer's schema lacks what is wished for,
 * VSS_E_OBJECT_NOT_FOUND when a target fits no file set of it, and what the calls return */
int restore_wishes_apply(const struct restore_wishes *wishes, struct vss_backup_components *bc,
                         const struct component_key *key, const struct stored_writers *stored,
                         struct vss_error *reterr);

/* restore_wishes_destination() - where @path goes by the targets: the longest folder that holds it
 * wins; NULL: none does. The caller frees *ret. 0 or -ENOMEM */
int restore_wishes_destination(const struct restore_wishes *wishes, const char *path, char **ret);

/* restore_wishes_parts() - those of the component @key, for its plan. Strings are lent, the caller
 * frees the array; @wishes may be NULL. 0 or -ENOMEM */
int restore_wishes_parts(const struct restore_wishes *wishes, const struct component_key *key,
                         struct restore_part **ret, size_t *ret_count);

#endif
