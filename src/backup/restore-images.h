/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-images.h - components of writers back into place, image by image (I-185): for each image
 * of a chain its own document, PreRestore, its files, PostRestore; SetAdditionalRestores in all but
 * the last (I-186).
 *
 * Components whose next image lies in the same operation of the same set share one bracket. A
 * component that fails stops where it is and the others go on. Knows writers, services and
 * the order of images; where the files go and how is restore-put.h's.
 */
#ifndef BACKUP_RESTORE_IMAGES_H
#define BACKUP_RESTORE_IMAGES_H

#include "backup/restore.h"
#include "backup/restore-settings.h"
#include "backup/restore-wishes.h"

struct restore_images;

/* struct image_turn - a component whose turn it is; lent for the call
 * @image:  as in struct restore_request: the image from 1, or 0: all of the chain at once, because
 *          no writer wants to hear of it or the caller asked for that
 * @number: of the image from 1, also with @image 0
 */
struct image_turn {
        const struct chain *chain;
        size_t image, number;
        const struct set_place *place;
        const struct component_key *key;
};

/* struct restore_images_result - what became of a component; lent
 * @status: what its writer hears, or would: enum vss_file_restore_status
 * @good:   nothing failed, its writer is content. Also a part that was asked for is good, though
 * its status is not ALL
 * @is_part: paths left files of it out
 * @kept:   files that exist were kept
 * @deferred: it comes with the next boot, @reboot: its writer asks for one
 * @told:   its writer took part
 * @done:   of its @count images are in place
 * @words, @code: what is wrong, and what to do; NULL and 0 when it is good, or was not begun */
struct restore_images_result {
        const struct component_key *key;
        uint32_t status;
        bool good, is_part, kept, deferred, reboot, told;
        size_t done, count;
        int code;
        const char *words;
};

struct restore_images_watch {
        void *userdata;
        const char *config_dir; /* where the writers are, see struct vss_connection */
        const struct restore_wishes *wishes; /* told to the writers with each image; NULL: none */
        bool at_once; /* one bracket with the chain put together: what exists is kept. So is a
                       * component of which the paths of @request leave files out: told that not all
                       * of an image is in place, its writer would have to stop there */
        void (*note)(void *userdata, const char *words);
        bool (*stop)(void *userdata); /* begin nothing more? */
        void (*begun)(void *userdata, const struct image_turn *turn);
        /* puts the files of the image where the caller wants them; 0, or negative with words. No
         * plan is made then, and no service stopped. NULL: what follows up to @trouble is there
         * instead */
        int (*files)(void *userdata, const struct image_turn *turn, struct vss_error *reterr);
        /* what is wanted of the component, into an empty request: paths, wanted, existing, result,
         * userdata and the like; where it goes is the plan's. Lent until @put; also asked when it
         * is added */
        void (*request)(void *userdata, const struct image_turn *turn, struct restore_request *ret);
        struct engine_watch engine;
        const struct restore_settings *settings;
        /* what became of the image: also when nothing did */
        void (*put)(void *userdata, const struct image_turn *turn,
                    const struct restore_summary *summary);
        /* not the component's fault, and it is restored: a service that does not start */
        void (*trouble)(void *userdata, const struct vss_error *error);
        /* the component goes no further; words say at which image it is and what to do */
        void (*failed)(void *userdata, const struct component_key *key,
                       const struct vss_error *error);
        /* it goes no further because of @stop; @done of its @count images are in place */
        void (*left)(void *userdata, const struct component_key *key, size_t done, size_t count);
};

/* @list and @watch must live longer */
int restore_images_new(struct store *store, const struct set_list *list,
                       const struct restore_images_watch *watch, struct restore_images **ret);
struct restore_images *restore_images_free(struct restore_images *images);

/* restore_images_add() - the component as it was in @wanted. Its chain is looked through first: one
 * with a gap, or whose documents cannot be read, is told to watch->failed and takes no part.
 * 0 or -ENOMEM */
int restore_images_add(struct restore_images *images, const struct set_place *wanted);

/* restore_images_rehearse() - would the writers take what is wished for? Selects, and tells nobody;
 * needed only when there are wishes. 0, or the first refusal */
int restore_images_rehearse(struct restore_images *images, struct vss_error *reterr);

/* restore_images_run() - all that were added; what became of them was told to the watch */
void restore_images_run(struct restore_images *images);

/* restore_images_result() - of the @index-th that was added, after the run; false: no more */
bool restore_images_result(const struct restore_images *images, size_t index,
                           struct restore_images_result *ret);

/* restore_images_need_reboot() - because of a writer, or of files that wait for it */
bool restore_images_need_reboot(const struct restore_images *images);

#endif
