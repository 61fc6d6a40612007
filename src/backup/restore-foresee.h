/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-foresee.h - what a restore into place would do with a component: the plan of the restore
 * itself (restore-plan.h), over the same documents and destinations. Touches nothing and tells no
 * writer anything: a target that one sets in PreRestore is not known yet.
 */
#ifndef BACKUP_RESTORE_FORESEE_H
#define BACKUP_RESTORE_FORESEE_H

#include "backup/restore-plan.h"
#include "backup/restore-settings.h"
#include "backup/restore-wishes.h"
#include "backup/restore.h"

struct restore_foresight;

/* all are lent */
struct restore_foresight_options {
        struct store *store;
        const struct set_list *list;
        const char *config_dir;
        const struct restore_settings *settings;
        const struct restore_wishes *wishes;
        const struct engine_watch *watch;
        void *userdata;
        void (*note)(void *userdata, const char *words);
};

int restore_foresight_new(const struct restore_foresight_options *options,
                          struct restore_foresight **ret);
struct restore_foresight *restore_foresight_free(struct restore_foresight *foresight);

/* struct restore_foreseen - @told: its writer runs, and would take part. Release with
 * restore_foreseen_done() before the next one is looked at */
struct restore_foreseen {
        struct chain chain;
        struct restore_plan *plan;
        struct restore_part *parts; /* lent to the plan */
        bool told;
};

/* restore_foresee() - the component as it was in @wanted, with its whole chain. Of @request counts
 * what counts for struct restore_putter. Negative with words: it would not even be begun */
int restore_foresee(struct restore_foresight *foresight, const struct set_place *wanted,
                    const struct restore_request *request, struct restore_foreseen *ret,
                    struct vss_error *reterr);
void restore_foreseen_done(struct restore_foreseen *foreseen);

#endif
