/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * set.c - the life of a set being written: begun under a hidden name, published by one rename.
 *
 * Killed anywhere before the rename the store is as it was, and the next one to lock it removes
 * the rest. The first error that is the store's ends the set; trouble with one file does not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backup/writing.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

int set_broken(struct set_writer *set, int code, struct vss_error *reterr) {
        bool told = reterr && reterr->code == code && reterr->message;

        if (set->broken >= 0)
                set->broken = code;
        return told ? code : store_failed(set->store, code, reterr);
}

static char *folder_name(const struct set_info *info) {
        int64_t seconds = 0;
        uint32_t nanoseconds = 0;
        char id[VSS_ID_TEXT_SIZE], stamp[40], *name;
        struct tm tm;
        time_t time;

        vss_timestamp_to_unix(info->time, &seconds, &nanoseconds);
        time = (time_t)seconds;
        if (!gmtime_r(&time, &tm) || strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &tm) == 0)
                return NULL;
        vss_id_format(&info->id, id);
        id[8] = '\0';
        return asprintf(&name, "%s.%03uZ-%s-%s", stamp, nanoseconds / 1000000,
                        backup_type_name(info->type), id) < 0
                       ? NULL
                       : name;
}

static int fill_info(struct set_info *info, const struct set_options *options) {
        char host[256] = "";
        int r = vss_id_new(&info->id);

        if (r < 0)
                return r;
        (void)gethostname(host, sizeof(host) - 1);
        info->type = options->type;
        info->time = options->time ? options->time : vss_timestamp_now();
        info->label = strdup(options->label ? options->label : "");
        info->host = strdup(host);
        info->folder = folder_name(info);
        return info->label && info->host && info->folder ? 0 : -ENOMEM;
}

static struct set_writer *set_writer_free(struct set_writer *set) {
        if (!set)
                return NULL;
        for (size_t i = 0; i < set->operations_count; i++) {
                struct operation *op = set->operations[i];

                archive_writer_free(op->data);
                archive_writer_free(op->ranges);
                for (size_t j = 0; j < op->bases_count; j++)
                        chain_done(&op->bases[j]);
                for (size_t j = 0; j < op->runs_count; j++) {
                        free(op->runs[j].name);
                        free(op->runs[j].root);
                }
                for (size_t j = 0; j < op->coverage_count; j++) {
                        free(op->coverage[j].path);
                        free(op->coverage[j].filespec);
                }
                hard_links_done(&op->links);
                attributes_done(&op->attributes);
                content_digest_free(op->digest);
                closep(&op->fd);
                free(op->bases);
                free(op->runs);
                for (size_t j = 0; j < op->exact_count; j++)
                        free(op->exact[j].path);
                free(op->exact);
                free(op->coverage);
                free(op->buffer);
                free(op->extents);
                free(op);
        }
        closep(&set->fd);
        set_record_free(set->record);
        free(set->operations);
        free(set->incomplete);
        free(set);
        return NULL;
}

static int make_folder(struct set_writer *set) {
        if (asprintf(&set->incomplete, INCOMPLETE_PREFIX "%s", set->record->info.folder) < 0) {
                set->incomplete = NULL;
                return -ENOMEM;
        }
        if (mkdirat(set->store->fd, set->incomplete, 0700) < 0)
                return -errno;
        set->fd = openat(set->store->fd, set->incomplete,
                         O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        return set->fd < 0 ? -errno : 0;
}

/* next_number() - a clock may go back: what comes after what is not for it to say */
static int next_number(struct store *store, uint64_t *ret, struct vss_error *reterr) {
        struct set_list sets = { 0 };
        int r = store_list(store, &sets, reterr);

        *ret = sets.count > 0 ? sets.sets[sets.count - 1]->number + 1 : 1;
        set_list_done(&sets);
        return r;
}

int set_begin(struct store *store, const struct set_options *options, struct set_writer **ret,
              struct vss_error *reterr) {
        struct set_writer *set;
        int r = 0;

        if (store->lock_fd < 0)
                return vss_fail(reterr, VSS_E_BAD_STATE, "the backup store must be locked first");
        if (!backup_type_name(options->type))
                return vss_fail(reterr, E_INVALIDARG, "%u is no backup type", options->type);
        set = calloc(1, sizeof(*set));
        if (!set)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        set->store = store;
        set->fd = -1;
        set->record = calloc(1, sizeof(*set->record));
        r = set->record ? fill_info(&set->record->info, options) : -ENOMEM;
        if (r >= 0)
                r = next_number(store, &set->record->info.number, NULL);
        if (r >= 0)
                r = make_folder(set);
        if (r < 0) {
                set_abandon(set);
                return store_failed(store, r, reterr);
        }
        *ret = set;
        return 0;
}

const struct set_info *set_writer_info(const struct set_writer *set) {
        return &set->record->info;
}

struct set_writer *set_abandon(struct set_writer *set) {
        struct store *store;
        char *incomplete;

        if (!set)
                return NULL;
        store = set->store;
        incomplete = take(set->incomplete);
        set_writer_free(set);
        if (incomplete)
                (void)remove_tree(store->fd, incomplete); /* else the next lock does it */
        free(incomplete);
        return NULL;
}

static int sync_folder(int at, const char *name) {
        _cleanup_close_ int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

        if (fd < 0 || fsync(fd) < 0)
                return -errno;
        return 0;
}

/* every file was synced when it was closed; now the folders that name them, from the inside */
static int sync_folders(struct set_writer *set) {
        _cleanup_free_ char *before = NULL;

        for (size_t i = 0; i < set->operations_count; i++) {
                int fd = set->operations[i]->fd;
                int r = 0;

                for (size_t j = 0; j < set->record->files_count && r >= 0; j++) {
                        _cleanup_free_ char *name = strdup(set->record->files[j].name);
                        char *first = name ? strchr(name, '/') : NULL;
                        char *second = first ? strchr(first + 1, '/') : NULL;

                        if (!name)
                                return -ENOMEM;
                        if (!second)
                                continue;
                        *second = '\0';
                        if (before && strcmp(before, name) == 0)
                                continue;
                        r = sync_folder(set->fd, name);
                        free(before);
                        before = take(name);
                }
                if (r >= 0 && fsync(fd) < 0)
                        r = -errno;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int write_set_file(struct set_writer *set) {
        struct text text = { 0 };
        int r = set_record_format(set->record, &text);

        if (r >= 0)
                r = write_file_atomic(set->fd, SET_FILE, text.data, text.size, 0600);
        text_done(&text);
        return r;
}

int set_publish(struct set_writer *take_set, struct vss_error *reterr) {
        struct set_writer *set = take_set;
        struct store *store = set->store;
        int r = set->broken < 0 ? set->broken : 0;

        for (size_t i = 0; i < set->operations_count; i++) {
                if (set->operations[i]->ended)
                        continue;
                set_abandon(set);
                return vss_fail(reterr, VSS_E_BAD_STATE, "operation %zu has not ended", i + 1);
        }
        if (r >= 0)
                r = sync_folders(set);
        if (r >= 0)
                r = write_set_file(set);
        if (r >= 0 && renameat(store->fd, set->incomplete, store->fd, set->record->info.folder) < 0)
                r = -errno;
        if (r < 0) {
                set_abandon(set);
                return store_failed(store, r, reterr);
        }
        /* from here on the set is there; only its survival of a power cut is open */
        r = fsync(store->fd) < 0 ? -errno : 0;
        set_writer_free(set);
        return r < 0 ? store_failed(store, r, reterr) : 0;
}
