/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-put.h - one image of one component into place, as its plan says: destinations looked at,
 * files put, staged for the boot, or directed, all of it or nothing. What its writer has to
 * hear comes out; telling it, and the order of images, is the caller's.
 */
#ifndef BACKUP_RESTORE_PUT_H
#define BACKUP_RESTORE_PUT_H

#include "backup/restore-plan.h"
#include "backup/restore-settings.h"
#include "backup/restore.h"

/* struct restore_putter - the same for all components of a restore; lent
 * @request: what the caller wants of each: paths, trusted_roots, existing, undo_dir, wanted, result
 *           and their userdata. The rest is filled in
 * @stop_service: as in struct restore_plan_ops */
struct restore_putter {
        struct store *store;
        const struct restore_settings *settings;
        const struct restore_request *request;
        const struct engine_watch *watch;
        void *userdata;
        void (*note)(void *userdata, const char *words);
        int (*stop_service)(void *userdata, const char *service, struct vss_error *reterr);
};

/* struct restore_image - what is to be put
 * @image: as in struct restore_request
 * @first: files that go before the others
 * @is_part: the caller's paths leave files of the set out: it can never be all */
struct restore_image {
        const struct chain *chain;
        size_t image;
        const char *const *first;
        size_t first_count;
        bool is_part;
};

/* restore_put_is_part() - do the paths of @request leave out files that the chain has in the end?
 * Directories do not count, nor what ->wanted does not want, nor sockets, which no restore makes */
int restore_put_is_part(struct store *store, const struct chain *chain,
                        const struct restore_request *request, bool *ret, struct vss_error *reterr);

/* restore_look() - a look() of struct restore_plan_ops, @userdata being this */
struct restore_looker {
        const struct restore_putter *putter;
        const struct restore_image *image;
        struct view *before; /* images that were put before this one, or NULL */
        struct chain before_chain;
        char *before_path; /* the view is at this one; owned */
        bool before_ended, failed;
        bool ignore_in_use; /* as if nobody had anything open */
};

int restore_look(void *userdata, restore_place_fn where, void *where_userdata,
                 struct restore_sight *ret, struct vss_error *reterr);
/* restore_was_put() - a was_put() of struct restore_plan_ops: in an earlier image of the chain */
bool restore_was_put(void *userdata, const char *path);
/* restore_look_stop() - a stop() of struct restore_plan_ops: the putter's */
int restore_look_stop(void *userdata, const char *service, struct vss_error *reterr);
void restore_looker_done(struct restore_looker *looker);

/* struct restore_put_result - @status: enum vss_file_restore_status, which is not ALL,
 * though nothing failed, when paths left files out or files were kept that exist; @deferred:
 * registered for the next boot */
struct restore_put_result {
        uint32_t status;
        bool deferred;
        struct restore_summary summary;
};

/* restore_put() - decide, then do. @input is that of the plan, which comes out for what is to be
 * recorded, also when nothing was restored; NULL when it could not be made.
 *
 * Return: 0 when all is in place or registered, else negative with words */
int restore_put(const struct restore_putter *putter, const struct restore_image *image,
                const struct restore_plan_input *input, struct restore_plan **ret_plan,
                struct restore_put_result *ret, struct vss_error *reterr);

#endif
