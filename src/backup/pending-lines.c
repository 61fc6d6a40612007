/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pending-lines.c - the lines of the journal of moves, written and read. A line that is none is
 * counted and passed over; the set that it may have belonged to then has not all its moves, and
 * does not count.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backup/pending-journal.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/sum.h"

#define VERSION 1

enum { SUM_DIGITS = 16, FIELDS_MAX = 16 };

/* ---- writing ---- */

static size_t line_begin(struct text *text, const char *kind, const struct vss_id *id) {
        char words[VSS_ID_TEXT_SIZE];
        size_t at = text->size;

        text_string(text, "0000000000000000\t");
        text_string(text, kind);
        if (id) {
                text_char(text, '\t');
                text_string(text, vss_id_format(id, words));
        }
        return at;
}

static void put(struct text *text, const char *field) {
        text_char(text, '\t');
        text_field(text, field);
}

static void put_number(struct text *text, uint64_t number) {
        text_char(text, '\t');
        text_number(text, number);
}

static void put_directory(struct text *text, const struct directory_identity *d) {
        put_number(text, d->device);
        put_number(text, d->inode);
        put_number(text, d->fs_type);
        put_number(text, d->fs_id);
}

static uint64_t line_end(struct text *text, size_t at) {
        char digits[SUM_DIGITS + 1];
        uint64_t sum;

        if (text->failed)
                return 0;
        sum = sum_add(SUM_BEGIN, text->data + at + SUM_DIGITS, text->size - at - SUM_DIGITS);
        (void)snprintf(digits, sizeof(digits), "%016" PRIx64, sum);
        memcpy(text->data + at, digits, SUM_DIGITS);
        text_char(text, '\n');
        return sum;
}

void line_set(struct text *text, const struct journal_set *set) {
        char session[VSS_ID_TEXT_SIZE];
        size_t at = line_begin(text, "journal", NULL);

        put_number(text, VERSION);
        line_end(text, at);
        at = line_begin(text, "set", &set->id);
        put(text, vss_id_format(&set->session, session));
        text_char(text, '\t');
        text_signed(text, set->time);
        put(text, set->boot);
        put(text, set->title);
        line_end(text, at);
}

uint64_t line_move(struct text *text, const struct vss_id *id, size_t number,
                   const struct journal_move *move) {
        size_t at = line_begin(text, "move", id);

        put_number(text, number);
        put(text, move->told.staged);
        put(text, move->told.destination);
        put_number(text, move->inode);
        put_number(text, move->mode);
        put_directory(text, &move->parent);
        put_directory(text, &move->staged_parent);
        return line_end(text, at);
}

uint64_t sum_of_sums(uint64_t sum, uint64_t line) {
        return sum_add(sum, &line, sizeof(line));
}

void line_commit(struct text *text, const struct vss_id *id, size_t count, uint64_t sum) {
        size_t at = line_begin(text, "commit", id);

        put_number(text, count);
        put_number(text, sum);
        line_end(text, at);
}

void line_done(struct text *text, const struct vss_id *id, size_t number, int code,
               const char *words) {
        size_t at = line_begin(text, "done", id);

        put_number(text, number);
        text_char(text, '\t');
        text_signed(text, code);
        put(text, words);
        line_end(text, at);
}

void line_gone(struct text *text, const struct vss_id *id) {
        line_end(text, line_begin(text, "gone", id));
}

/* ---- reading ---- */

static struct journal_set *find(struct journal *journal, const char *field) {
        struct vss_id id;

        if (vss_id_parse(field, &id) < 0)
                return NULL;
        for (size_t i = journal->count; i > 0; i--) /* mostly the last */
                if (vss_id_equal(&journal->sets[i - 1].id, &id))
                        return &journal->sets[i - 1];
        return NULL;
}

static int read_set(struct journal *journal, char **fields, size_t count) {
        struct journal_set set = { .sum = SUM_BEGIN };
        int64_t time = 0;

        if (count != 6 || find(journal, fields[1]) || vss_id_parse(fields[1], &set.id) < 0 ||
            vss_id_parse(fields[2], &set.session) < 0 || field_signed(fields[3], &time) < 0 ||
            strlen(fields[4]) >= sizeof(set.boot) || field_unescape(fields[5]) < 0)
                return -EBADMSG;
        set.time = time;
        strcpy(set.boot, fields[4]);
        if (ARRAY_RESERVE(&journal->sets, journal->count, &journal->capacity) < 0)
                return -ENOMEM;
        set.title = strdup(fields[5]);
        if (!set.title)
                return -ENOMEM;
        journal->sets[journal->count++] = set;
        return 0;
}

static int read_directory_fields(char **fields, struct directory_identity *ret) {
        if (field_number(fields[0], &ret->device) < 0 || field_number(fields[1], &ret->inode) < 0 ||
            field_number(fields[2], &ret->fs_type) < 0 || field_number(fields[3], &ret->fs_id) < 0)
                return -EBADMSG;
        return 0;
}

static int read_move(struct journal *journal, char **fields, size_t count, uint64_t sum) {
        struct journal_set *set = count == 15 ? find(journal, fields[1]) : NULL;
        struct journal_move move = { 0 };
        uint64_t number;

        if (!set || set->committed || field_number(fields[2], &number) < 0 ||
            number != set->count || field_unescape(fields[3]) < 0 ||
            field_unescape(fields[4]) < 0 || !path_is_clean(fields[3]) ||
            !path_is_clean(fields[4]) || field_number(fields[5], &move.inode) < 0 ||
            field_u32(fields[6], &move.mode) < 0 ||
            read_directory_fields(fields + 7, &move.parent) < 0 ||
            read_directory_fields(fields + 11, &move.staged_parent) < 0)
                return -EBADMSG;
        if (ARRAY_RESERVE(&set->moves, set->count, &set->capacity) < 0)
                return -ENOMEM;
        move.told.staged = strdup(fields[3]);
        move.told.destination = strdup(fields[4]);
        if (!move.told.staged || !move.told.destination) {
                journal_move_done(&move);
                return -ENOMEM;
        }
        set->moves[set->count++] = move;
        set->sum = sum_of_sums(set->sum, sum);
        return 0;
}

static int read_commit(struct journal *journal, char **fields, size_t count) {
        struct journal_set *set = count == 4 ? find(journal, fields[1]) : NULL;
        uint64_t moves, sum;

        if (!set || field_number(fields[2], &moves) < 0 || field_number(fields[3], &sum) < 0)
                return -EBADMSG;
        if (moves == set->count && sum == set->sum)
                set->committed = true;
        else
                set->damaged = true;
        return 0;
}

static int read_done(struct journal *journal, char **fields, size_t count) {
        struct journal_set *set = count == 5 ? find(journal, fields[1]) : NULL;
        struct pending_move *told;
        uint64_t number;
        int64_t code;

        if (!set || field_number(fields[2], &number) < 0 || number >= set->count ||
            field_signed(fields[3], &code) < 0 || code < -4095 || code > 0 ||
            field_unescape(fields[4]) < 0)
                return -EBADMSG;
        told = &set->moves[number].told;
        told->state = code < 0 ? PENDING_FAILED : PENDING_PLACED;
        told->code = (int)code;
        free(told->words);
        told->words = code < 0 ? strdup(fields[4]) : NULL;
        return code < 0 && !told->words ? -ENOMEM : 0;
}

static int read_line(struct journal *journal, char *line, struct vss_error *reterr) {
        char *fields[FIELDS_MAX], digits[SUM_DIGITS + 1];
        uint64_t sum, version;
        size_t count;

        if (strlen(line) < SUM_DIGITS + 2 || line[SUM_DIGITS] != '\t')
                return -EBADMSG;
        sum = sum_add(SUM_BEGIN, line + SUM_DIGITS, strlen(line) - SUM_DIGITS);
        (void)snprintf(digits, sizeof(digits), "%016" PRIx64, sum);
        if (memcmp(digits, line, SUM_DIGITS) != 0)
                return -EBADMSG;
        count = field_split(line + SUM_DIGITS + 1, fields, FIELDS_MAX);
        if (strcmp(fields[0], "set") == 0)
                return read_set(journal, fields, count);
        if (strcmp(fields[0], "move") == 0)
                return read_move(journal, fields, count, sum);
        if (strcmp(fields[0], "commit") == 0)
                return read_commit(journal, fields, count);
        if (strcmp(fields[0], "done") == 0)
                return read_done(journal, fields, count);
        if (strcmp(fields[0], "gone") == 0 && count == 2 && find(journal, fields[1])) {
                find(journal, fields[1])->gone = true;
                return 0;
        }
        if (strcmp(fields[0], "journal") != 0 || count != 2 ||
            field_number(fields[1], &version) < 0)
                return -EBADMSG;
        if (version == VERSION)
                return 0;
        return vss_fail(reterr, VSS_E_NOT_SUPPORTED,
                        "the journal of files that wait for a boot is of a newer version; use the "
                        "vss-place-pending of that version");
}

int journal_parse(struct journal *journal, char *text, size_t size, struct vss_error *reterr) {
        char *end = text + size;

        for (char *line = text; line < end;) {
                char *stop = memchr(line, '\n', (size_t)(end - line));
                int r;

                if (!stop) /* torn: the life that wrote it ended there, and nothing is lost */
                        return 0;
                *stop = '\0';
                r = strlen(line) == (size_t)(stop - line) ? read_line(journal, line, reterr)
                                                          : -EBADMSG;
                if (r == -EBADMSG)
                        journal->damaged++;
                else if (r == -ENOMEM)
                        return vss_fail(reterr, r, "out of memory");
                else if (r < 0)
                        return r;
                line = stop + 1;
        }
        return 0;
}
