/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "sqlite/image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sqlite/lists.h"
#include "sqlite/restore.h"

enum { INLINE_RANGES = 1000 }; /* more go into a ranges file: documents are read as a whole */
static const char NO_LIST[] = "-";

uint32_t image_schema(const struct config *config) {
        const uint32_t always = VSS_BS_COPY | VSS_BS_WRITER_SUPPORTS_NEW_TARGET |
                                VSS_BS_WRITER_SUPPORTS_RESTORE_WITH_MOVE | VSS_BS_RESTORE_RENAME;

        return config->page_hashes
                       ? always | VSS_BS_INCREMENTAL | VSS_BS_DIFFERENTIAL | VSS_BS_TIMESTAMPED
                       : always;
}

/* ---- stamps ---- */

struct stamp {
        char list[256]; /* "-": none */
        unsigned char digest[PAGES_DIGEST];
        uint64_t log; /* bytes of the log that a restore brings */
};

static bool stamp_parse(const char *text, struct stamp *ret) {
        char digest[PAGES_DIGEST_TEXT];
        int end = 0;

        return sscanf(text, "sqlite-pages:2:%255[^:]:%64[^:]:%" SCNu64 "%n", ret->list, digest,
                      &ret->log, &end) == 3 &&
               text[end] == '\0' &&
               (strcmp(ret->list, NO_LIST) == 0 || pages_digest_parse(digest, ret->digest));
}

static int stamp_format(const struct database *database, const struct pages_sum *sum, uint64_t log,
                        char **ret) {
        char digest[PAGES_DIGEST_TEXT] = "-";
        const char *list = NO_LIST;
        size_t length = strlen(NO_LIST);

        if (database->list.name) {
                pages_digest_format(sum->digest, digest);
                list = database->list.name;
                length = strlen(list) - strlen(".new"); /* the name that it will have */
        }
        return asprintf(ret, "sqlite-pages:2:%.*s:%s:%" PRIu64, (int)length, list, digest, log) < 0
                       ? -ENOMEM
                       : 0;
}

/* ---- the log beside a database ---- */

struct log {
        bool exists;
        uint64_t size;
        unsigned char digest[PAGES_DIGEST];
};

static int read_log(const char *path, struct log *ret) {
        _cleanup_free_ char *wal = database_sidecar(path, "-wal");
        int r = wal ? pages_digest_file(wal, &ret->size, ret->digest) : -ENOMEM;

        ret->exists = r != -ENOENT;
        return ret->exists ? r : 0;
}

/* ---- one backup ---- */

struct image {
        const struct config *config;
        struct database *database;
        struct vss_component *component;
        const char *copy;
        uint64_t end_us;
        uint32_t type; /* effective */
        bool ranges_allowed; /* the requester can read partial files */
        char key[LISTS_KEY_SIZE];
        struct stamp previous;
        bool has_previous;
        struct pages_list base;
        bool has_base; /* base is open */
        const char *why_whole; /* NULL: nothing to say */
        struct log log;
        struct pages_sum sum;
        struct changes changes;
};

static bool is_increment(const struct image *image) {
        return image->type == VSS_BT_INCREMENTAL || image->type == VSS_BT_DIFFERENTIAL;
}

/* I-39, I-43: they leave no history. I-157: a differential one is nobody's base */
static bool may_be_base(const struct image *image) {
        return image->type != VSS_BT_COPY && image->type != VSS_BT_OTHER &&
               image->type != VSS_BT_DIFFERENTIAL;
}

/* what this backup will be compared with, or in words why it cannot be (I-159) */
static const char *find_base(struct image *image) {
        const char *text = vss_component_get_previous_backup_stamp(image->component);
        int r;

        if (!text)
                return "the backup that it builds on has no stamp";
        if (!stamp_parse(text, &image->previous))
                return "the stamp of the backup that it builds on is none of this writer's";
        image->has_previous = true;
        if (strcmp(image->previous.list, NO_LIST) == 0)
                return "the backup that it builds on has no page hash list (page_hashes, "
                       "hash_time)";
        r = lists_open(image->config->state, image->key, image->previous.list, &image->base);
        if (r == E_INVALIDARG) {
                image->has_previous = false;
                return "the stamp of the backup that it builds on is that of another database";
        }
        if (r == -ENOENT)
                return "the page hash list of the backup that it builds on is not there: lost, "
                       "dropped for newer ones (keep_lists), or that backup never ended";
        image->has_base = r >= 0;
        if (r < 0 || memcmp(image->base.sum.digest, image->previous.digest, PAGES_DIGEST) != 0)
                return "the page hash list of the backup that it builds on is damaged";
        return image->ranges_allowed ? NULL : "the backup program takes no partial files";
}

/* a disk that is full, or a folder that cannot be written, costs the list and no more */
static int begin_list(struct image *image) {
        if (!may_be_base(image) ||
            lists_begin(image->config->state, image->key, &image->database->list) < 0)
                return -1;
        return image->database->list.fd;
}

static void drop_list(struct image *image) {
        lists_drop(image->config->state, &image->database->list);
        changes_done(&image->changes);
}

/* A clone of this copy: so that it lives on while it is compared, and for the next backup. Then,
 * what it has in common with the clone of the base, whose hashes the list has. */
static void prove_same(const struct image *image, bool compare, struct extents *ret) {
        const char *state = image->config->state;
        struct database *database = image->database;
        int base;

        if (!image->config->page_clones || (!compare && !may_be_base(image)) ||
            clone_make(state, database->directory, image->copy, &database->clone) < 0 || !compare)
                return;
        base = clone_open(state, &database->clone, image->previous.list, image->base.fd,
                          image->base.end);
        if (base >= 0)
                (void)extents_shared(base, database->clone.fd, ret);
        util_closep(&base);
}

/* Nothing counts that was taken over from a list that is damaged, or for another file than was
 * read; and a clone must be of the file that the list is of. */
static int scan_sparing(struct image *image, struct pages_scan *scan, bool *ret_sound) {
        struct extents same = { NULL, 0 };
        struct clone *clone = &image->database->clone;
        bool other;
        int r;

        prove_same(image, scan->base != NULL, &same);
        scan->same = same.count > 0 ? &same : NULL;
        r = pages_scan(scan, &image->sum, ret_sound);
        other = clone->fd >= 0 && !clone_is_of(clone, image->copy);
        if (other || r < 0 || !may_be_base(image))
                clone_done(clone);
        if (r >= 0 && scan->spared > 0 && (other || !*ret_sound)) {
                drop_list(image);
                scan->out = begin_list(image);
                scan->same = NULL;
                r = pages_scan(scan, &image->sum, ret_sound);
        }
        scan->same = NULL;
        extents_done(&same);
        return r;
}

static int scan(struct image *image) {
        struct pages_scan scan = {
                .file = image->copy,
                .end_us = image->end_us,
                .out = begin_list(image),
                .type = image->type == VSS_BT_INCREMENTAL ? image->type : VSS_BT_FULL,
                .path = image->database->path,
                .base = image->has_base && !image->why_whole ? &image->base : NULL,
                .changes = &image->changes
        };
        bool sound;
        int r = scan_sparing(image, &scan, &sound);

        if (r < 0 && scan.out >= 0) {
                drop_list(image);
                scan.out = -1;
                if (r != -ETIME)
                        r = pages_scan(&scan, &image->sum, &sound);
        }
        if (r == -ETIME)
                image->why_whole = "the time for its page hashes (hash_time) was not enough";
        else if (r < 0)
                image->why_whole = "its shadow copy could not be read for page hashes";
        else if (scan.base && !sound)
                image->why_whole = "the page hash list of the backup that it builds on is damaged";
        return r;
}

/*
 * A file that is in the base and not in this backup comes back when the chain is restored (I-189).
 * For a log of another time that is fatal: SQLite would put it over the database. In WAL mode the
 * copy always has a log, if only an empty one, since the hold opens the database.
 */
static bool would_mix(const struct image *image) {
        return is_increment(image) && !image->log.exists &&
               (!image->has_previous || image->previous.log > 0);
}

static uint64_t log_of_restore(const struct image *image) {
        return image->log.exists ? image->log.size : is_increment(image) ? image->previous.log : 0;
}

static void set_proof(const struct image *image) {
        char digest[PAGES_DIGEST_TEXT], log_digest[PAGES_DIGEST_TEXT];
        _cleanup_free_ char *text = NULL, *log = NULL;

        pages_digest_format(image->sum.digest, digest);
        pages_digest_format(image->log.digest, log_digest);
        if (asprintf(&log, "%" PRIu64 ":%s", image->log.size, log_digest) < 0)
                log = NULL;
        else if (asprintf(&text, "sqlite-image:1:%" PRIu32 ":%" PRIu64 ":%s:%s",
                          image->sum.page_size, image->sum.size, digest,
                          image->log.exists ? log : "none") < 0)
                text = NULL;
        if (text) /* without it a restore is checked by SQLite alone */
                (void)vss_component_set_backup_metadata(image->component, text);
}

static int ranges_text(struct image *image, char **ret) {
        const char *state = image->config->state;
        struct kept_file *file = &image->database->ranges;
        int r;

        if (image->changes.count <= INLINE_RANGES) {
                *ret = changes_text(&image->changes);
                return *ret ? 0 : -ENOMEM;
        }
        r = lists_begin_ranges(state, image->key, file);
        if (r >= 0)
                r = changes_write(&image->changes, file->fd);
        if (r >= 0) {
                *ret = util_join(state, file->name);
                r = *ret ? 0 : -ENOMEM;
        }
        if (r < 0)
                lists_drop(state, file);
        return r;
}

/* I-153: only what changed; a file of which every page did goes whole */
static void add_ranges(struct image *image) {
        _cleanup_free_ char *ranges = NULL;
        int r;

        if (changes_bytes(&image->changes) == image->sum.size && image->sum.size > 0)
                return;
        r = ranges_text(image, &ranges);
        if (r >= 0)
                r = vss_component_add_partial_file(image->component, image->database->directory,
                                                   image->database->name, ranges, NULL, NULL);
        if (r < 0)
                image->why_whole = "the list of its changed pages could not be told";
}

static void describe(struct image *image) {
        _cleanup_free_ char *stamp = NULL, *words = NULL;
        int scanned;

        if (read_log(image->copy, &image->log) < 0) {
                database_fail(image->database, VSS_E_WRITERERROR_RETRYABLE, 0,
                              "the log of '%s' in the shadow copy cannot be read", image->copy);
                return;
        }
        if (is_increment(image))
                image->why_whole = find_base(image);
        if (would_mix(image)) {
                database_fail(image->database, VSS_E_WRITERERROR_NONRETRYABLE, 0,
                              "'%s' has no write-ahead log, and %s, which a restore would put "
                              "beside it: make a full backup",
                              image->database->path,
                              image->has_previous ? "the backup that this one builds on has one"
                                                  : "nobody knows whether the backup that this "
                                                    "one builds on has one");
                return;
        }
        if (!image->config->page_hashes || !image->config->page_clones)
                clone_sweep(image->config->state, image->database->directory, true);
        scanned = image->config->page_hashes ? scan(image) : -ENODATA;
        if (scanned >= 0)
                set_proof(image);
        if (is_increment(image) && !image->why_whole &&
            image->sum.page_size == image->base.sum.page_size)
                add_ranges(image);
        if (image->type == VSS_BT_INCREMENTAL && !image->why_whole &&
            image->base.type != VSS_BT_FULL)
                image->database->superseded = strdup(image->previous.list);
        if (image->type != VSS_BT_COPY && image->type != VSS_BT_OTHER &&
            stamp_format(image->database, &image->sum, log_of_restore(image), &stamp) >= 0)
                (void)vss_component_set_backup_stamp(image->component, stamp);
        if (is_increment(image) && image->why_whole &&
            asprintf(&words, "'%s' is saved whole: %s", image->database->path, image->why_whole) >=
                    0) {
                util_printable(words);
                (void)vss_component_set_post_snapshot_failure_msg(image->component, words);
        }
}

void image_describe(const struct config *config, const struct vss_writer *writer,
                    struct database *database, struct vss_component *component, const char *copy,
                    uint64_t end_us) {
        struct image image = {
                .config = config,
                .database = database,
                .component = component,
                .copy = copy,
                .end_us = end_us,
                .type = vss_effective_backup_type(vss_writer_get_backup_type(writer),
                                                  image_schema(config)),
                .ranges_allowed = vss_writer_is_partial_file_support_enabled(writer),
                .base = { .fd = -1 },
        };

        if (lists_key(database->logical_path, database->component, image.key) >= 0)
                describe(&image);
        pages_list_close(&image.base);
        changes_done(&image.changes);
}

void image_saved(const struct config *config, struct database *database) {
        char key[LISTS_KEY_SIZE];

        lists_drop(config->state, &database->ranges);
        if (!database->list.name ||
            lists_key(database->logical_path, database->component, key) < 0 ||
            lists_confirm(config->state, &database->list, &database->clone) < 0)
                return;
        if (database->superseded)
                lists_remove(config->state, database->superseded);
        lists_prune(config->state, key, config->keep_lists);
}

void image_lost(const struct config *config, struct database *database) {
        lists_drop(config->state, &database->ranges);
        lists_drop(config->state, &database->list);
        clone_done(&database->clone);
}

/* ---- one restore ---- */

bool image_stands_there(const char *path, const struct vss_component *component) {
        const char *text = vss_component_get_previous_backup_stamp(component);
        struct pages_scan scan = { .file = path, .out = -1 };
        struct stamp base;
        struct pages_sum sum;
        bool sound;

        return vss_component_get_partial_file_count(component) > 0 && text &&
               stamp_parse(text, &base) && strcmp(base.list, NO_LIST) != 0 &&
               pages_scan(&scan, &sum, &sound) >= 0 &&
               memcmp(sum.digest, base.digest, PAGES_DIGEST) == 0;
}

struct proof {
        struct pages_sum sum;
        struct log log;
};

static bool parse_proof(const char *text, struct proof *ret) {
        char digest[PAGES_DIGEST_TEXT], log[PAGES_DIGEST_TEXT];
        int end = 0;

        memset(ret, 0, sizeof(*ret));
        if (sscanf(text, "sqlite-image:1:%" SCNu32 ":%" SCNu64 ":%64[^:]:%n", &ret->sum.page_size,
                   &ret->sum.size, digest, &end) != 3 ||
            end == 0 || !pages_digest_parse(digest, ret->sum.digest))
                return false;
        if (strcmp(text + end, "none") == 0)
                return true;
        ret->log.exists = true;
        return sscanf(text + end, "%" SCNu64 ":%64s", &ret->log.size, log) == 2 &&
               pages_digest_parse(log, ret->log.digest);
}

static int prove_log(const char *path, const struct log *wanted, struct vss_error *reterr) {
        struct log log = { 0 };
        int r;

        if (!wanted->exists)
                return restore_set_aside_log(path, reterr);
        r = read_log(path, &log);
        if (r < 0)
                return util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                                 "'%s-wal' cannot be read: %s", path, strerror(-r));
        if ((!log.exists && wanted->size > 0) || log.size != wanted->size ||
            (log.exists && memcmp(log.digest, wanted->digest, PAGES_DIGEST) != 0))
                return util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                                 "'%s-wal' is not the log that was saved: it has %" PRIu64
                                 " bytes, or others, instead of %" PRIu64 "; nothing has opened "
                                 "the database yet",
                                 path, log.size, wanted->size);
        return 0;
}

/* the list of the image, if it is still here, tells which pages; a broken one tells nothing */
static void name_pages(const struct config *config, const char *path,
                       const struct vss_component *component, char *words, size_t size) {
        const char *text = vss_component_get_backup_stamp(component);
        struct changes changes = { 0 };
        struct pages_list list;
        char key[LISTS_KEY_SIZE];
        struct pages_sum sum;
        struct stamp stamp;
        bool sound;

        words[0] = '\0';
        if (!text || !stamp_parse(text, &stamp) ||
            lists_key(vss_component_get_logical_path(component),
                      vss_component_get_component_name(component), key) < 0 ||
            lists_open(config->state, key, stamp.list, &list) < 0)
                return;
        if (pages_scan(
                    &(struct pages_scan){
                            .file = path, .out = -1, .base = &list, .changes = &changes },
                    &sum, &sound) >= 0 &&
            sound && changes.count > 0)
                (void)snprintf(
                        words, size, " (%" PRIu64 " bytes differ, the first in page %" PRIu64 ")",
                        changes_bytes(&changes), changes.items[0].offset / sum.page_size + 1);
        changes_done(&changes);
        pages_list_close(&list);
}

static void forget_ranges(const struct config *config, const struct vss_component *component) {
        const char *ranges;

        if (vss_component_get_new_target_count(component) > 0)
                return; /* it went there, too */
        for (size_t i = 0; i < vss_component_get_partial_file_count(component); i++)
                if (vss_component_get_partial_file(component, i, NULL, NULL, &ranges, NULL) >= 0)
                        lists_forget_restored(config->state, ranges);
}

int image_prove(const struct config *config, const char *path,
                const struct vss_component *component, struct vss_error *reterr) {
        const char *text = vss_component_get_backup_metadata(component);
        struct pages_scan scan = { .file = path, .out = -1 };
        struct pages_sum sum;
        struct proof proof;
        char pages[128];
        bool sound;
        int r;

        forget_ranges(config, component);
        if (!text || !parse_proof(text, &proof))
                return 0;
        r = pages_scan(&scan, &sum, &sound);
        if (r < 0)
                return util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                                 "the restored '%s' cannot be read: %s", path, strerror(-r));
        if (sum.size != proof.sum.size || sum.page_size != proof.sum.page_size)
                return util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                                 "the restored '%s' has %" PRIu64 " bytes in pages of %" PRIu32
                                 ", and had %" PRIu64 " in pages of %" PRIu32
                                 " when it was saved: restore it again, or an earlier backup",
                                 path, sum.size, sum.page_size, proof.sum.size,
                                 proof.sum.page_size);
        if (memcmp(sum.digest, proof.sum.digest, PAGES_DIGEST) != 0) {
                name_pages(config, path, component, pages, sizeof(pages));
                return util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                                 "the pages of the restored '%s' are not those that were "
                                 "saved%s: restore it again, or an earlier backup",
                                 path, pages);
        }
        return prove_log(path, &proof.log, reterr);
}
