/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vssctl.h - what the verbs of vssctl share: the words of the command line, the ways of speaking
 * to a person and to a program, and the exit codes.
 */
#ifndef TOOLS_VSSCTL_H
#define TOOLS_VSSCTL_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vss/requester.h"

/* T-5 */
enum {
        EXIT_OK = 0,
        EXIT_USAGE = 1, /* also: the object does not exist */
        EXIT_RUNTIME = 2,
        EXIT_MEMORY = 3,
        EXIT_WRITER = 4 /* the operation went well, a wanted writer did not */
};

/* One option of a verb; --help, the completion and the check of the manual read this table. */
struct opt {
        const char *name;
        const char *argument; /* NULL: takes none */
        const char *help;
        int value; /* what parse_options() hands to the verb */
};

struct verb {
        const char *name;
        const char *synopsis; /* after "vssctl NAME " */
        const char *summary;
        const struct opt *options; /* ends with a NULL name */
        int (*run)(int argc, char *argv[]);
};

extern const struct verb verb_backup, verb_list, verb_verify, verb_restore, verb_forget,
        verb_shadow, verb_thaw;

extern bool arg_json, arg_quiet;
extern const char *arg_config;

/* next_option() - like getopt_long(3) over @verb's table and the common options.
 * Return: value of the table, -1 at the end (operands start at optind), '?' after a message */
int next_option(const struct verb *verb, int argc, char *argv[]);

void print_verb_help(const struct verb *verb);

/* connect_service() - an object to work with, initialized for a backup; exit code */
int connect_service(struct vss_backup_components **ret);

/* report_error() - "vssctl: WHAT: message (NAME 0x...)" or the same as JSON; returns the exit code
 * that T-5 gives to the failure */
int report_error(const struct vss_error *error, const char *what_format, ...)
        __attribute__((format(printf, 2, 3)));

/* strip_slashes() - those at the end, as the shell completes a folder; "/" stays */
void strip_slashes(char *path);

/* usage_error() - words and EXIT_USAGE */
int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- JSON: one object per line (T-6) ---- */
struct json {
        char *text;
        size_t size, capacity;
        bool failed;
};

/* Bytes that are no UTF-8 become \udcXX, one each, which Python's os.fsencode() turns back. */
void json_string(struct json *json, const char *key, const char *bytes); /* NULL: null */
void json_number(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_code(struct json *json, const char *key, int code); /* name and hex of a result */
void json_id(struct json *json, const char *key, const struct vss_id *id);
void json_time(struct json *json, const char *key, vss_timestamp_t time);
void json_strings(struct json *json, const char *key, const char *const *list);
int json_print(struct json *json); /* prints the line and empties @json; exit code */

/* ---- for people ---- */

/* printable() - control characters and invalid UTF-8 as \xNN; a static ring of eight buffers,
 * made longer as needed: valid until the eighth next call */
const char *printable(const char *bytes);
const char *format_id(const struct vss_id *id); /* {...}, T-4; same ring */
const char *format_time(vss_timestamp_t time); /* local; same ring */
const char *format_bytes(uint64_t bytes); /* "12.3 MB"; same ring */
const char *format_entries(uint64_t count); /* "1 entry"; same ring */
const char *writer_state_word(uint32_t state); /* T-40 */
const char *backup_type_word(uint32_t type); /* "full" ... */
const char *attribute_words(uint32_t attributes); /* T-41; same ring */

/* print_note() - something the user should know, on standard error or as a record */
void print_note(const char *words);

struct verify_summary;
struct chain_summary;

/* print_verify_record() - what a verification of a backup found, in JSON */
void print_verify_record(const char *folder, const struct verify_summary *summary,
                         const struct chain_summary *chains, bool good);

/* print_trouble() - one file that went wrong; @where: the component or backup it belongs to, ""
 * for plain files; @placed: where it was to go, or NULL */
void print_trouble(const char *where, const char *path, const char *placed, int code,
                   const char *words);

/* watch_interrupts() - from now on a signal does not end the process at once; is_interrupted() -
 * one came, and what is under way should come to its end */
void watch_interrupts(void);
bool is_interrupted(void);

/* progress() - replaces the progress line when standard error is a terminal; "" clears it */
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
