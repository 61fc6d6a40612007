/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify.c - is a set still what was written? First the stored bytes of every file against the
 * digests in backup-set.txt; then, if asked, every member against the manifest.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/restoring.h"
#include "base/cleanup.h"
#include "base/file.h"

#define PROGRESS_STEP 64

struct verify {
        struct store *store;
        const struct set_info *set;
        const struct engine_watch *watch;
        struct set_damages *damages; /* may be NULL */
        struct verify_summary summary;
        bool list_damaged; /* a manifest */
        struct vss_error *reterr;
};

static void tell(struct verify *verify, uint32_t component, const char *path, int code,
                 const char *words) {
        verify->summary.damaged++;
        if (verify->watch && verify->watch->trouble)
                verify->watch->trouble(verify->watch->userdata, component, path, code, words);
}

/* something of a stored file is wrong, by more than single members */
static int damaged(struct verify *verify, const char *file, uint32_t component, const char *path,
                   int code, const char *words) {
        const char *slash = strrchr(file, '/');

        if (slash && strcmp(slash + 1, MANIFEST_FILE) == 0)
                verify->list_damaged = true;
        tell(verify, component, path, code, words);
        return verify->damages ? set_damages_add_file(verify->damages, verify->set, file) : 0;
}

static int progress(struct verify *verify, uint64_t done, uint64_t bytes, const char *path) {
        int r;

        if (!verify->watch || !verify->watch->progress || done % PROGRESS_STEP != 0)
                return 0;
        r = verify->watch->progress(verify->watch->userdata, done, bytes, path);
        return r < 0 ? vss_fail(verify->reterr, r, "the verification was cancelled") : 0;
}

static int check_stored(struct verify *verify, const struct stored_file *file) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_close_ int fd = store_open_file(verify->store, verify->set, file->name, &error);
        _cleanup_free_ char *words = NULL;
        uint8_t digest[DIGEST_SIZE];
        uint64_t size = 0;
        int r;

        if (fd < 0)
                return damaged(verify, file->name, 0, file->name, fd, vss_error_message(&error));
        r = digest_file(fd, digest, &size);
        if (r < 0)
                return damaged(verify, file->name, 0, file->name, r, strerror(-r));
        verify->summary.files++;
        verify->summary.bytes += size;
        if (size == file->size && memcmp(digest, file->digest, DIGEST_SIZE) == 0)
                return progress(verify, verify->summary.files, verify->summary.bytes, file->name);
        if (asprintf(&words,
                     size == file->size ? "its %" PRIu64 " bytes are not those that were written"
                                        : "it has %" PRIu64 " bytes and was written with %" PRIu64,
                     size, file->size) < 0) {
                words = NULL;
                return -ENOMEM;
        }
        return damaged(verify, file->name, 0, file->name, -EBADMSG, words);
}

/* which pieces of a large file are wrong, by the digests in the manifest */
static char *wrong_pieces(struct members *members, struct manifest_reader *reader) {
        const uint64_t *numbers;
        const uint8_t *is, *was;
        size_t n = content_digest_chunks(members->digest, &numbers, &is), at = 0, count;
        uint64_t first;
        struct text text = { 0 };

        while (n > 0 && text.size < 200 &&
               manifest_next_chunks(reader, &first, &was, &count, NULL) > 0) {
                for (size_t i = 0; i < count; i++) {
                        while (at < n && numbers[at] < first + i)
                                at++;
                        if (at < n && numbers[at] == first + i &&
                            memcmp(is + at * DIGEST_SIZE, was + i * DIGEST_SIZE, DIGEST_SIZE) == 0)
                                continue;
                        text_string(&text, text.size ? ", " : "wrong is what begins at byte ");
                        text_number(&text, (first + i) * CHUNK_SIZE);
                }
        }
        if (text.size == 0 || !text_cstring(&text)) {
                text_done(&text);
                return NULL;
        }
        return text.data;
}

/* of a partial file the set holds the ranges, not its size */
static uint64_t size_held(const struct record *record) {
        _cleanup_free_ struct byte_range *ranges = NULL;
        uint64_t size = 0;
        size_t count;

        if (record->archive != ARCHIVE_RANGES ||
            record_ranges_parse(record->extra, &ranges, &count) < 0)
                return record->size;
        for (size_t i = 0; i < count; i++)
                size += ranges[i].length;
        return size;
}

static int check_member(struct verify *verify, struct members *members,
                        struct manifest_reader *reader, const struct record *record) {
        uint32_t operation = members->chain->links[0].operation;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct view_part part = { 0, record };
        int r = members_check(members, &part, &error);

        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                _cleanup_free_ char *pieces = wrong_pieces(members, reader), *words = NULL;

                if (asprintf(&words, "%s%s%s", vss_error_message(&error), pieces ? "; " : "",
                             pieces ? pieces : "") < 0) {
                        words = NULL;
                        return -ENOMEM;
                }
                tell(verify, record->component, record->path, r, words);
                return verify->damages
                               ? set_damages_add_place(verify->damages, verify->set, operation,
                                                       record->archive, record->offset)
                               : 0;
        }
        verify->summary.entries++;
        verify->summary.content += size_held(record);
        return progress(verify, verify->summary.entries, verify->summary.content, record->path);
}

/* every line of a manifest, in order, each member of it that is not only a second name */
static int check_records(struct verify *verify, struct members *members,
                         struct manifest_reader *reader, const char *name) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_free_ char *before = NULL;
        const struct record *record;
        uint32_t component = 0;
        int r;

        while ((r = manifest_next(reader, &record, &error)) > 0) {
                if (before &&
                    (record->component < component ||
                     (record->component == component && path_compare(before, record->path) >= 0)))
                        return damaged(verify, name, record->component, record->path, -EBADMSG,
                                       "the manifest is out of order here");
                free(before);
                before = strdup(record->path);
                component = record->component;
                if (!before)
                        return -ENOMEM;
                if (!record_is_entry(record) || record->archive == ARCHIVE_NONE)
                        continue;
                if (record->link[0]) { /* a name more of what is checked as another */
                        verify->summary.entries++;
                        continue;
                }
                r = check_member(verify, members, reader, record);
                if (r < 0)
                        return r;
        }
        return r < 0 && r != -ENOMEM ? damaged(verify, name, 0, name, r, vss_error_message(&error))
                                     : r;
}

static int check_operation(struct verify *verify, const struct set_operation *operation) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_free_ char *name = operation_file(operation->number, MANIFEST_FILE);
        struct set_place place = { verify->set, operation->number, 0 };
        struct chain chain = { &place, 1, 1 };
        struct manifest_reader *reader = NULL;
        struct members members;
        int fd, r;

        if (!name || members_init(&members, verify->store, &chain) < 0)
                return -ENOMEM;
        fd = store_open_file(verify->store, verify->set, name, &error);
        r = fd < 0 ? fd : manifest_reader_new(fd, name, &reader, &error);
        if (r < 0)
                r = r == -ENOMEM ? r : damaged(verify, name, 0, name, r, vss_error_message(&error));
        else
                r = check_records(verify, &members, reader, name);
        manifest_reader_free(reader);
        members_done(&members);
        return r;
}

static const char *what_remains(const struct verify *verify, unsigned flags) {
        if (verify->list_damaged)
                return "its list of names is damaged, so it can be restored in part only";
        return flags & VERIFY_CONTENT ? "all files that are not named can be restored"
                                      : "a full verification will name the files that are lost";
}

int verify_set(struct store *store, const struct set_info *set, unsigned flags,
               const struct engine_watch *watch, struct set_damages *damages,
               struct verify_summary *ret, struct vss_error *reterr) {
        struct verify verify = {
                .store = store, .set = set, .watch = watch, .damages = damages, .reterr = reterr
        };
        const struct set_record *record = set_record_of(set);
        int r = 0;

        for (size_t i = 0; i < record->files_count && r >= 0; i++)
                r = check_stored(&verify, &record->files[i]);
        for (size_t i = 0; i < set->operations_count && r >= 0 && flags & VERIFY_CONTENT; i++)
                r = check_operation(&verify, &set->operations[i]);
        *ret = verify.summary;
        if (r == -ENOMEM)
                return vss_fail(reterr, r, "out of memory");
        if (r < 0)
                return r;
        if (ret->damaged > 0)
                return vss_fail(reterr, -EBADMSG,
                                "the set '%s' is damaged: %" PRIu64 " things are wrong with it; %s",
                                set->folder, ret->damaged, what_remains(&verify, flags));
        return 0;
}
