/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text.h - which characters a document can hold, and how bytes that it cannot hold are spelled.
 */
#ifndef DOCUMENTS_TEXT_H
#define DOCUMENTS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vss/error.h"

/* struct text - a growing string; once out of memory it stays failed and takes nothing more */
struct text {
        char *data; /* NUL-terminated when not NULL */
        size_t size, capacity;
        bool failed;
        bool counting; /* only @size grows, nothing is stored */
};

void text_done(struct text *text);
void text_add(struct text *text, const char *data, size_t size);
void text_add_string(struct text *text, const char *string);

/* text_add_escaped() - as the value of an attribute in double quotes, or as character data */
void text_add_escaped(struct text *text, const char *data, size_t size);

/* text_add_path() - the spelling of a path (docs/documents.md), escaped for an attribute.
 * Characters of XML stand for themselves. A byte b that is not part of one becomes the character
 * U+10F700 + b; so does every byte of a character that such a spelling could be mistaken for */
void text_add_path(struct text *text, const char *path);

/* text_path_size() - bytes that the spelling takes, before escaping */
size_t text_path_size(const char *path);

/* text_path_from() - undo the spelling in place; returns the new size, never larger */
size_t text_path_from(char *data, size_t size);

/* text_char() - length of the character of XML 1.0 at @data, 0 when there is none */
size_t text_char(const char *data, size_t size);

/* text_step() - length of the UTF-8 character at @data; 1 for a byte that is part of none */
size_t text_step(const char *data, size_t size);

/* text_check() - is all of it characters of XML 1.0? */
bool text_check(const char *data, size_t size);

/*
 * text_decode() - UTF-8 or UTF-16, with or without byte order mark, into plain UTF-8
 * @max:        bytes it may have
 * @ret:        the text: in @data itself, or *ret_owned
 * @ret_owned:  to be freed; NULL when @data could be lent
 *
 * NULs at the end are dropped. Return: 0, VSS_E_INVALID_XML_DOCUMENT with words for anything that
 * XML cannot hold, -ENOMEM
 */
int text_decode(const char *data, size_t size, uint64_t max, const char **ret, size_t *ret_size,
                char **ret_owned, struct vss_error *reterr);

/* text_excerpt() - the start of @data for a message, one line, "..." when cut; returns @buffer */
#define TEXT_EXCERPT_SIZE 96
char *text_excerpt(const char *data, size_t size, char buffer[TEXT_EXCERPT_SIZE]);

/* text_from_base64() - ignores white space; size, or -1 when it is not base64. @ret may be @data */
ptrdiff_t text_from_base64(const char *data, size_t size, char *ret);
void text_add_base64(struct text *text, const void *data, size_t size);

#endif
