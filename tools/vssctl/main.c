/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - vssctl: back up and restore a running machine through VSS. Each verb has its own file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/process.h"
#include "config.h"
#include "vssctl.h"

bool arg_json, arg_quiet;
const char *arg_config;

/* --json stands somewhere on the command line: also an error before it is reached is told so */
static bool json_wanted;

static const struct verb *const verbs[] = { &verb_backup, &verb_list,   &verb_verify, &verb_restore,
                                            &verb_forget, &verb_shadow, &verb_thaw };

enum { OPT_JSON = 0x1000, OPT_QUIET, OPT_CONFIG, OPT_HELP, OPT_VERSION };

static const struct opt common_options[] = {
        { "json", NULL, "one JSON object per line", OPT_JSON },
        { "quiet", NULL, "no progress line, no account of what went well", OPT_QUIET },
        { "config", "DIR", "configuration folder (default " VSS_CONFIG_DIR ")", OPT_CONFIG },
        { "help", NULL, "this text", OPT_HELP },
        { "version", NULL, "the version", OPT_VERSION },
        { NULL, NULL, NULL, 0 },
};

static void print_options(const struct opt *options) {
        for (const struct opt *o = options; o->name; o++) {
                char left[64];

                snprintf(left, sizeof(left), "--%s%s%s", o->name, o->argument ? " " : "",
                         o->argument ? o->argument : "");
                printf("  %-25s  %s\n", left, o->help);
        }
}

void print_verb_help(const struct verb *verb) {
        printf("vssctl %s %s\n\n%s\n\n", verb->name, verb->synopsis, verb->summary);
        print_options(verb->options);
        print_options(common_options);
}

static void print_help(void) {
        printf("vssctl VERB [OPTIONS] ...\n\nBack up and restore a running machine.\n\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                printf("  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
        printf("\n");
        print_options(common_options);
        printf("\n'vssctl VERB --help' tells about one verb.\n");
}

static size_t add_long_options(struct option *list, size_t count, const struct opt *options) {
        for (const struct opt *o = options; o->name; o++)
                list[count++] =
                        (struct option){ o->name, o->argument ? required_argument : no_argument,
                                         NULL, o->value };
        return count;
}

/* finish_output() - a full disk or a closed output must not look like success */
static int finish_output(int r) {
        if (fflush(stdout) == 0 && !ferror(stdout))
                return r;
        fprintf(stderr, "vssctl: cannot write the output: %s; what it would have said is lost\n",
                strerror(errno));
        return r == EXIT_OK ? EXIT_RUNTIME : r;
}

/* is_usable() - an empty value is a variable that was not set; a folder that is not there would
 * mean, without a word, no writers at all */
static bool is_usable(const char *config) {
        struct stat st;

        if (optarg && *optarg == '\0') {
                usage_error("an option has an empty value; leave the option out instead");
                return false;
        }
        if (!config || (stat(config, &st) >= 0 && S_ISDIR(st.st_mode)))
                return true;
        usage_error("--config '%s': no such folder", printable(config));
        return false;
}

static void usage_record(const char *words) {
        struct json json = { 0 };

        if (!json_wanted)
                return;
        json_string(&json, "record", "error");
        json_string(&json, "what", "usage");
        json_code(&json, "code", E_INVALIDARG);
        json_string(&json, "message", words);
        (void)json_print(&json);
}

int next_option(const struct verb *verb, int argc, char *argv[]) {
        struct option list[32] = { 0 };
        size_t count = add_long_options(list, 0, verb->options);

        add_long_options(list, count, common_options);
        for (;;) {
                int c = getopt_long(argc, argv, "", list, NULL);

                if (c != -1 && c != '?' && !is_usable(c == OPT_CONFIG ? optarg : NULL))
                        return '?';
                switch (c) {
                case OPT_JSON:
                        arg_json = true;
                        continue;
                case OPT_QUIET:
                        arg_quiet = true;
                        continue;
                case OPT_CONFIG:
                        arg_config = optarg;
                        continue;
                case OPT_HELP:
                        print_verb_help(verb);
                        exit(finish_output(EXIT_OK));
                case OPT_VERSION:
                        puts("vssctl " VSS_VERSION);
                        exit(finish_output(EXIT_OK));
                case '?':
                        usage_record("an option is wrong: see standard error and --help");
                        fprintf(stderr, "Try 'vssctl %s%s--help'.\n", verb->name,
                                *verb->name ? " " : "");
                        return c;
                default:
                        return c;
                }
        }
}

int usage_error(const char *format, ...) {
        _cleanup_free_ char *words = NULL;
        va_list ap;

        progress("%s", "");
        va_start(ap, format);
        if (vasprintf(&words, format, ap) < 0)
                words = NULL;
        va_end(ap);
        usage_record(words);
        fprintf(stderr, "vssctl: %s\n", words ? words : "out of memory");
        return EXIT_USAGE;
}

static int exit_code_of(int code) {
        if (code == -ENOMEM || code == E_OUTOFMEMORY)
                return EXIT_MEMORY;
        if (code == VSS_E_OBJECT_NOT_FOUND || code == -ENOENT || code == E_INVALIDARG)
                return EXIT_USAGE;
        return EXIT_RUNTIME;
}

int report_error(const struct vss_error *error, const char *what_format, ...) {
        _cleanup_free_ char *what = NULL;
        va_list ap;

        progress("%s", "");
        va_start(ap, what_format);
        if (vasprintf(&what, what_format, ap) < 0)
                what = NULL;
        va_end(ap);
        if (arg_json) {
                struct json json = { 0 };

                json_string(&json, "record", "error");
                json_string(&json, "what", what);
                json_code(&json, "code", error->code);
                json_string(&json, "message", vss_error_message(error));
                (void)json_print(&json);
        }
        fprintf(stderr, "vssctl: %s%s%s", what ? what : "", what && *what ? ": " : "",
                printable(vss_error_message(error)));
        if (error->code < -4095) /* an official code; the words of an errno say it all */
                fprintf(stderr, " (%s 0x%08x)", vss_error_name(error->code), (unsigned)error->code);
        fputc('\n', stderr);
        /* of a full disk the words say what to do; it does not become empty by waiting */
        if (vss_error_is_retryable(error->code) && error->code != VSS_E_INSUFFICIENT_STORAGE)
                fprintf(stderr, "vssctl: trying again later may help\n");
        return exit_code_of(error->code);
}

int connect_service(struct vss_backup_components **ret) {
        const struct vss_connection how = { .config_dir = arg_config,
                                            .embedded = arg_config ? 1 : 0 };
        struct vss_backup_components *bc = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int r = vss_backup_components_create(&how, &bc, &error);

        if (r >= 0)
                r = vss_backup_components_initialize_for_backup(bc, NULL, &error);
        if (r < 0) {
                vss_backup_components_free(bc);
                return report_error(&error, "cannot reach the service");
        }
        *ret = bc;
        return EXIT_OK;
}

int main(int argc, char *argv[]) {
        static const struct verb none = { "", "", "",
                                          common_options + ELEMENTSOF(common_options) - 1, NULL };

        process_settle();
        setlocale(LC_ALL, "");
        process_raise_descriptors(); /* a backup holds one for each file set of a component */
        for (int i = 1; i < argc; i++)
                json_wanted |= strcmp(argv[i], "--json") == 0;
        if (argc >= 2 && argv[1][0] != '-') {
                for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                        if (strcmp(argv[1], verbs[i]->name) == 0) {
                                argv[1] = argv[0]; /* getopt's messages begin with it */
                                return finish_output(verbs[i]->run(argc - 1, argv + 1));
                        }
                return usage_error("there is no verb '%s'; see 'vssctl --help'", argv[1]);
        }
        for (int i = 1; i < argc; i++)
                if (strcmp(argv[i], "--help") == 0) {
                        print_help();
                        return finish_output(EXIT_OK);
                }
        if (argc >= 2)
                return next_option(&none, argc, argv) == '?'
                               ? EXIT_USAGE
                               : usage_error("the verb comes first: vssctl VERB [OPTIONS] ...");
        print_help();
        return EXIT_USAGE;
}
