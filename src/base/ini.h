/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ini.h - the one reader of configuration text (CFG-1).
 */
#ifndef BASE_INI_H
#define BASE_INI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vss/error.h"

enum {
        INI_GO_ON = 1 << 0 /* a line that is no setting goes to the sink, without a key and with
                              words as its value, and reading goes on; else it ends the reading */
};

/* ini_sink_t - takes one setting; a negative return stops the reading and is returned.
 * @section is "" before the first one, as text between the brackets, trimmed */
typedef int (*ini_sink_t)(void *userdata, const char *section, const char *key, const char *value,
                          unsigned line);

/* ini_parse() - @text is NUL-terminated and not changed.
 * Return: 0, E_INVALIDARG with the line in @reterr, or what the sink returned */
int ini_parse(const char *text, unsigned flags, ini_sink_t sink, void *userdata,
              struct vss_error *reterr);

/* ini_read_file() - parse a file that only its owner can write: owned by root or by the caller,
 * not writable by group or others, else -EPERM with words (CFG-2) */
int ini_read_file(const char *path, unsigned flags, ini_sink_t sink, void *userdata,
                  struct vss_error *reterr);

/* conf_each() - call @sink for each "*.conf" of @folder in lexical order; no folder is no error.
 * Return: 0 or what @sink returned below zero */
int conf_each(const char *folder, int (*sink)(void *userdata, const char *path), void *userdata);

/* ini_paths() - a list of clean absolute paths between commas; @sink, which may be NULL, gets each.
 * 0, -ENOMEM, what @sink returned below zero, or E_INVALIDARG, then perhaps after some */
int ini_paths(const char *value, int (*sink)(void *userdata, const char *path), void *userdata);

/* Values. 0 and *ret, or E_INVALIDARG. */
int ini_bool(const char *value, bool *ret);
int ini_duration_us(const char *value, uint64_t *ret); /* "10s", "5min", "200ms", plain seconds */
int ini_size(const char *value, uint64_t *ret); /* "10GB", powers of 1024 */
int ini_uint(const char *value, uint64_t min, uint64_t max, uint64_t *ret);

#endif
