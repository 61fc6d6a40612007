/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record.h - lines of fields between tabs: how manifests and set files are spelled.
 *
 * A field is bytes; a byte below 0x21, 0x7f and '%' are written as %XX. So a line holds any path
 * (SEC-60: paths are bytes), and every text tool can read it.
 */
#ifndef BACKUP_RECORD_H
#define BACKUP_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* struct text - a growing buffer; an allocation that fails is remembered and everything after it
 * ignored, so that only the end must be checked */
struct text {
        char *data;
        size_t size, capacity;
        bool failed;
};

void text_done(struct text *text);
void text_reset(struct text *text); /* keeps the memory */
void text_raw(struct text *text, const void *data, size_t size);
void text_char(struct text *text, char c);
void text_string(struct text *text, const char *string); /* as it is */
void text_field(struct text *text, const char *bytes); /* escaped */
void text_number(struct text *text, uint64_t number);
void text_signed(struct text *text, int64_t number);
void text_octal(struct text *text, uint32_t number);
void text_hex(struct text *text, const uint8_t *bytes, size_t size);
/* text_cstring() - NUL-terminated, NULL when something failed; belongs to @text */
char *text_cstring(struct text *text);

/* field_split() - cut @line (NUL-terminated, changed in place) at its tabs.
 * Return: the number of fields, at most @max; more than @max is counted as @max + 1 */
size_t field_split(char *line, char **fields, size_t max);
/* The value of a field: 0 or -EBADMSG. field_unescape() works in place. */
int field_unescape(char *field);
int field_number(const char *field, uint64_t *ret);
int field_u32(const char *field, uint32_t *ret);
int field_signed(const char *field, int64_t *ret);
int field_octal(const char *field, uint32_t *ret);
int field_hex(const char *field, uint8_t *ret, size_t size);

/* path_compare() - the order of a tree walked depth first, names as bytes: '/' sorts lowest */
int path_compare(const char *a, const char *b);

/* pattern_matches() - M-48: '*' any run, '?' one code point (one byte where there is none),
 * "*.*" means "*" */
bool pattern_matches(const char *pattern, const char *name);
bool pattern_is_plain(const char *pattern);

#endif
