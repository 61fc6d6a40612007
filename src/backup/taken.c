/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * taken.c - see taken.h.
 */
#define _GNU_SOURCE
#include "backup/taken.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

/* ---- lines that are equal when the answers are ---- */

static void describe(struct text *text, const char *word, const char *a, const char *b) {
        text_string(text, word);
        text_char(text, '\t');
        text_field(text, a);
        if (b) {
                text_char(text, '\t');
                text_field(text, b);
        }
        text_char(text, '\n');
}

static void describe_list(struct text *text, const char *word, char *const *list) {
        for (; list && *list; list++)
                describe(text, word, *list, NULL);
}

static int by_mount_point(const void *a, const void *b) {
        return strcmp((*(const struct used_volume *const *)a)->mount_point,
                      (*(const struct used_volume *const *)b)->mount_point);
}

/* @item: only the volumes that it reads; NULL: all */
static int describe_volumes(const struct job *job, const struct plan_item *item,
                            struct text *text) {
        _cleanup_free_ const struct used_volume **sorted =
                calloc(job->volumes.count + 1, sizeof(*sorted));
        size_t count = 0;

        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < job->volumes.count; i++)
                if (!item || taken_reads(job, item, &job->volumes.items[i]))
                        sorted[count++] = &job->volumes.items[i];
        qsort(sorted, count, sizeof(*sorted), by_mount_point);
        for (size_t i = 0; i < count; i++)
                describe(text, "volume", sorted[i]->mount_point, sorted[i]->id);
        return 0;
}

static int digest_text(struct text *text, char ret[TAKEN_SIZE]) {
        struct text hex = { 0 };
        uint8_t digest[DIGEST_SIZE];
        int r = text_cstring(text) ? digest_bytes(text->data, text->size, digest) : -ENOMEM;

        if (r >= 0) {
                text_hex(&hex, digest, sizeof(digest));
                r = text_cstring(&hex) ? 0 : -ENOMEM;
        }
        if (r >= 0)
                memcpy(ret, hex.data, TAKEN_SIZE);
        text_done(&hex);
        return r;
}

/* ---- the requester's own files ---- */

int taken_own(const struct job *job, char ret[TAKEN_SIZE]) {
        const char *store = job->request->store ? job->request->store : "";
        struct coverage_map *map = NULL;
        struct text text = { 0 };
        int r = job_coverage_new(job, &map);

        describe_list(&text, "path", job->request->what->paths);
        describe_list(&text, "exclude", job->request->what->excludes);
        describe(&text, "store", store, NULL);
        not_to_backup_describe(job->left_out, &text);
        if (r >= 0) {
                job_coverage_describe(map, job->request->what->paths, &text);
                r = describe_volumes(job, NULL, &text);
        }
        if (r >= 0)
                r = digest_text(&text, ret);
        text_done(&text);
        job_coverage_free(map);
        return r;
}

/* ---- a file set of a writer ---- */

bool taken_reads(const struct job *job, const struct plan_item *item,
                 const struct used_volume *volume) {
        return volumes_find(&job->volumes, item->path) == volume ||
               (item->recursive && path_is_below(volume->mount_point, item->path));
}

bool taken_is_exact(const struct job *job, const struct plan_item *item) {
        return item->writer != PLAN_OWN && !plan_takes_alone(item) && !item->alternate &&
               (item->decision == DECIDE_WHOLE || item->decision == DECIDE_COMPARE) &&
               !item->failed && !item->left_out && strpbrk(item->filespec, "*?") &&
               path_is_clean(item->path) && job_reads_copy(job, item);
}

static void describe_excludes(const struct chosen_writer *writer, struct text *text) {
        size_t count;

        vss_examine_writer_metadata_get_file_counts(writer->metadata, NULL, &count, NULL);
        for (size_t i = 0; i < count; i++) {
                const struct vss_wm_filedesc *e =
                        vss_examine_writer_metadata_get_exclude_file(writer->metadata, i);

                describe(text, vss_wm_filedesc_get_recursive(e) ? "exclude-below" : "exclude",
                         vss_wm_filedesc_get_path(e), vss_wm_filedesc_get_filespec(e));
        }
}

/* what entries of the component take out of the file set around them (I-127, I-128) */
static void describe_alone(const struct job *job, const struct plan_item *item, struct text *text) {
        const struct plan *plan = &job->plan;
        size_t defining = job->selection.writers[item->writer].components[item->component].defining;

        for (size_t i = plan->single_count > 0 ? plan->sets[item->writer][defining].first
                                               : PLAN_END;
             i != PLAN_END; i = plan->items[i].next_in_set) {
                const struct plan_item *alone = &plan->items[i];

                if (plan_takes_alone(alone) && path_is_below(alone->path, item->path) &&
                    vss_filespec_matches(item->filespec, alone->filespec))
                        describe(text, "alone", alone->path, alone->filespec);
        }
}

int taken_item(const struct job *job, const struct plan_item *item, char ret[TAKEN_SIZE]) {
        struct text text = { 0 };
        int r;

        describe(&text, item->recursive ? "files-below" : "files", item->path, item->filespec);
        describe_excludes(&job->selection.writers[item->writer], &text);
        not_to_backup_describe(job->left_out, &text);
        describe_alone(job, item, &text);
        r = describe_volumes(job, item, &text);
        if (r >= 0)
                r = digest_text(&text, ret);
        text_done(&text);
        return r;
}
