/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record.c - writing and reading the text of a record. Unknown lines are skipped, so that an older
 * vssd can undo what a newer one recorded.
 */
#include "store/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/sum.h"

#define FIRST_LINE "vss-set 1\n"
#define SUM_LINE "sum "

static void put_hex(FILE *f, const void *data, size_t size) {
        const unsigned char *bytes = data;

        fputc('x', f); /* so that empty bytes are a word as well */
        for (size_t i = 0; i < size; i++)
                fprintf(f, "%02x", bytes[i]);
}

static void put_id(FILE *f, const char *before, const struct vss_id *id) {
        char text[VSS_ID_TEXT_SIZE];

        fprintf(f, "%s%s", before, vss_id_format(id, text));
}

static void put_text(FILE *f, const char *text) {
        fputc(' ', f);
        put_hex(f, text, strlen(text));
}

static void put_lines(FILE *f, const struct set_record *r, const struct vss_id *life) {
        fputs(FIRST_LINE, f);
        put_id(f, "set ", &r->set_id);
        put_id(f, "\nsession ", &r->session_id);
        put_id(f, "\nlife ", life);
        fprintf(f, "\ncontext %" PRIx32 "\ncreated %d\nwriters %d\n", r->context, r->created,
                r->reached_writers);
        for (size_t i = 0; i < r->n_copies; i++) {
                put_id(f, "copy ", &r->copies[i].snapshot_id);
                put_id(f, " ", &r->copies[i].provider_id);
                fprintf(f, " %d", r->copies[i].hold);
                put_text(f, r->copies[i].provider);
                put_text(f, r->copies[i].volume);
                put_text(f, r->copies[i].mount_point);
                fputc('\n', f);
        }
        for (size_t i = 0; i < r->n_undos; i++) {
                put_id(f, "undo ", &r->undos[i].writer_id);
                put_text(f, r->undos[i].writer);
                put_text(f, r->undos[i].instance_name);
                fputc(' ', f);
                put_hex(f, r->undos[i].token, r->undos[i].token_size);
                fputc('\n', f);
        }
}

int record_format(const struct set_record *record, const struct vss_id *life, char **ret,
                  size_t *ret_size) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        put_lines(f, record, life);
        if (fflush(f) != 0 || ferror(f)) {
                fclose(f);
                return -ENOMEM;
        }
        fprintf(f, SUM_LINE "%016" PRIx64 "\n", sum_add(SUM_BEGIN, text, size));
        if (ferror(f) || fclose(f) != 0)
                return -ENOMEM;
        *ret = take(text);
        *ret_size = size;
        return 0;
}

/* ---- reading ---- */

static int hex_digit(char c) {
        const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

        return at ? (int)(at - digits) : -1;
}

/* get_hex() - the next word as bytes, NUL after them */
static int get_hex(char **words, char **ret, size_t *ret_size) {
        char *word = strsep(words, " ");
        size_t n = word ? strlen(word) : 0;
        char *bytes;

        if (n < 1 || word[0] != 'x' || n % 2 == 0)
                return E_INVALIDARG;
        bytes = malloc(n / 2 + 1);
        if (!bytes)
                return -ENOMEM;
        for (size_t i = 0; i < n / 2; i++) {
                int high = hex_digit(word[1 + 2 * i]), low = hex_digit(word[2 + 2 * i]);

                if (high < 0 || low < 0) {
                        free(bytes);
                        return E_INVALIDARG;
                }
                bytes[i] = (char)(high * 16 + low);
        }
        bytes[n / 2] = '\0';
        *ret = bytes;
        if (ret_size)
                *ret_size = n / 2;
        return 0;
}

static int get_text(char **words, const char **ret) {
        char *text;
        size_t size;
        int r = get_hex(words, &text, &size);

        if (r < 0)
                return r;
        if (strlen(text) != size) {
                free(text);
                return E_INVALIDARG;
        }
        *ret = text;
        return 0;
}

static int get_id(char **words, struct vss_id *ret) {
        char *word = strsep(words, " ");

        return word ? vss_id_parse(word, ret) : E_INVALIDARG;
}

static int get_number(char **words, int base, uint32_t *ret) {
        char *word = strsep(words, " "), *end;
        unsigned long n;

        if (!word || !*word)
                return E_INVALIDARG;
        errno = 0;
        n = strtoul(word, &end, base);
        if (errno || *end || n > UINT32_MAX)
                return E_INVALIDARG;
        *ret = (uint32_t)n;
        return 0;
}

static int get_flag(char **words, bool *ret) {
        uint32_t n;
        int r = get_number(words, 10, &n);

        if (r < 0 || n > 1)
                return E_INVALIDARG;
        *ret = n == 1;
        return 0;
}

static int get_set(struct record_read *read, char **words) {
        return get_id(words, &read->record.set_id);
}

static int get_session(struct record_read *read, char **words) {
        return get_id(words, &read->record.session_id);
}

static int get_life(struct record_read *read, char **words) {
        return get_id(words, &read->life);
}

static int get_context(struct record_read *read, char **words) {
        return get_number(words, 16, &read->record.context);
}

static int get_created(struct record_read *read, char **words) {
        return get_flag(words, &read->record.created);
}

static int get_writers(struct record_read *read, char **words) {
        return get_flag(words, &read->record.reached_writers);
}

static void *mutable(const void *pointer) {
        return (void *)(uintptr_t)pointer;
}

static int get_copy(struct record_read *read, char **words) {
        struct record_copy *copies = mutable(read->record.copies), *copy;
        int r;

        copies = realloc(copies, (read->record.n_copies + 1) * sizeof(*copies));
        if (!copies)
                return -ENOMEM;
        read->record.copies = copies;
        copy = &copies[read->record.n_copies++];
        *copy = (struct record_copy){ 0 };
        r = get_id(words, &copy->snapshot_id);
        if (r >= 0)
                r = get_id(words, &copy->provider_id);
        if (r >= 0)
                r = get_flag(words, &copy->hold);
        if (r >= 0)
                r = get_text(words, &copy->provider);
        if (r >= 0)
                r = get_text(words, &copy->volume);
        return r < 0 ? r : get_text(words, &copy->mount_point);
}

static int get_undo(struct record_read *read, char **words) {
        struct record_undo *undos = mutable(read->record.undos), *undo;
        char *token;
        int r;

        undos = realloc(undos, (read->record.n_undos + 1) * sizeof(*undos));
        if (!undos)
                return -ENOMEM;
        read->record.undos = undos;
        undo = &undos[read->record.n_undos++];
        *undo = (struct record_undo){ 0 };
        r = get_id(words, &undo->writer_id);
        if (r >= 0)
                r = get_text(words, &undo->writer);
        if (r >= 0)
                r = get_text(words, &undo->instance_name);
        if (r >= 0)
                r = get_hex(words, &token, &undo->token_size);
        if (r >= 0)
                undo->token = token;
        return r;
}

static int get_line(struct record_read *read, char *line) {
        static const struct {
                const char *key;
                int (*get)(struct record_read *, char **);
        } keys[] = { { "set", get_set },         { "session", get_session },
                     { "life", get_life },       { "context", get_context },
                     { "created", get_created }, { "writers", get_writers },
                     { "copy", get_copy },       { "undo", get_undo } };
        char *words = line, *key = strsep(&words, " ");

        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (strcmp(keys[i].key, key) == 0)
                        return keys[i].get(read, &words);
        return 0;
}

/* check_sum() - cut the sum off; what is left is what it says */
static int check_sum(char *text, size_t size, struct vss_error *reterr) {
        const size_t last = strlen(SUM_LINE) + 17;
        char expected[32];

        if (size < strlen(FIRST_LINE) + last || strlen(text) != size ||
            strncmp(text, FIRST_LINE, strlen(FIRST_LINE)) != 0)
                return vss_fail(reterr, E_INVALIDARG, "it is no record of a set, or a torn one");
        (void)snprintf(expected, sizeof(expected), SUM_LINE "%016" PRIx64 "\n",
                       sum_add(SUM_BEGIN, text, size - last));
        if (strcmp(text + size - last, expected) != 0)
                return vss_fail(reterr, E_INVALIDARG, "its sum is wrong: torn or changed");
        text[size - last] = '\0';
        return 0;
}

int record_parse(char *text, size_t size, struct record_read *ret, struct vss_error *reterr) {
        struct record_read read = { 0 };
        unsigned number = 1;
        char *line;
        int r = check_sum(text, size, reterr);

        if (r < 0)
                return r;
        text += strlen(FIRST_LINE);
        while ((line = strsep(&text, "\n"))) {
                number++;
                r = *line ? get_line(&read, line) : 0;
                if (r < 0) {
                        record_done(&read);
                        return vss_fail(reterr, r, "line %u cannot be read", number);
                }
        }
        if (vss_id_is_null(&read.record.set_id)) {
                record_done(&read);
                return vss_fail(reterr, E_INVALIDARG, "it names no set");
        }
        *ret = read;
        return 0;
}

void record_done(struct record_read *read) {
        for (size_t i = 0; i < read->record.n_copies; i++) {
                free(mutable(read->record.copies[i].provider));
                free(mutable(read->record.copies[i].volume));
                free(mutable(read->record.copies[i].mount_point));
        }
        for (size_t i = 0; i < read->record.n_undos; i++) {
                free(mutable(read->record.undos[i].writer));
                free(mutable(read->record.undos[i].instance_name));
                free(mutable(read->record.undos[i].token));
        }
        free(mutable(read->record.copies));
        free(mutable(read->record.undos));
        *read = (struct record_read){ 0 };
}
