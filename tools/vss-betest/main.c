/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - vss-betest: a backup program that does what a script says, call by call, and tells what
 * each call answered. For who writes a writer, a provider or a backup program.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "betest.h"
#include "config.h"

/* T-5 */
enum {
        EXIT_OK = 0,
        EXIT_USAGE = 1,
        EXIT_RUNTIME = 2,
        EXIT_MEMORY = 3,
        EXIT_WRITER = 4 /* the script went well, a writer's status was a failure */
};

static bool arg_strict, arg_quiet;

static const char usage[] =
        "usage: vss-betest [OPTIONS] SCRIPT [NAME=VALUE]...\n"
        "       vss-betest --calls\n"
        "\n"
        "Makes a backup program's calls as the lines of SCRIPT say ('-': standard input).\n"
        "\n"
        "  --config DIR       settings of a private service, instead of /etc/vss\n"
        "  --address ADDRESS  the service on this bus\n"
        "  --strict           a failed writer is a failure (2 instead of 4)\n"
        "  --quiet            calls that answer as expected are not told\n"
        "  --json             one JSON object per line\n"
        "  --calls            the calls that a script can make\n"
        "  --help             this text\n"
        "  --version          the version\n";

/* ---- what is no call of the service ---- */

#define CALL(verb)                                                                                 \
        static int call_##verb(struct run *run, const struct words *words, struct vss_error *reterr)

CALL(set) {
        return set_variable(run, words->items[0], words->items[1]);
}

CALL(echo) {
        say_begin("echo");
        say_arguments(words);
        say_end();
        return 0;
}

CALL(sleep) {
        uint32_t ms;
        int r = word_value((const struct word[]){ { "0", 0 }, { NULL, 0 } }, words->items[0], &ms,
                           reterr);
        struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

        while (r >= 0 && nanosleep(&left, &left) < 0 && errno == EINTR)
                ;
        return r;
}

/* one program, no shell; variables are in its environment (SEC-60) */
CALL(exec) {
        int status, r;
        pid_t pid;

        for (size_t i = 0; i < run->variable_count; i++)
                (void)setenv(run->variables[i].name, run->variables[i].value, 1);
        r = posix_spawn(&pid, words->items[0], NULL, NULL, (char *const *)words->items, environ);
        if (r != 0)
                return vss_fail(reterr, -r, "cannot run '%s': %s", words->items[0], strerror(r));
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return vss_fail(reterr, -errno, "'%s' is lost", words->items[0]);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        return vss_fail(reterr, VSS_E_UNEXPECTED, "'%s' ended with %s %d", words->items[0],
                        WIFEXITED(status) ? "exit code" : "signal",
                        WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

/* what a backup program's crash does to the others */
CALL(die) {
        (void)raise(SIGKILL);
        return 0;
}

static const struct call calls_own[] = {
        { "set", "NAME VALUE", 2, 2, call_set },
        { "echo", "TEXT...", 1, MAX_WORDS, call_echo },
        { "sleep", "MILLISECONDS", 1, 1, call_sleep },
        { "exec", "FILE [ARGUMENT]...", 1, MAX_WORDS, call_exec },
        { "die", "", 0, 0, call_die },
        { NULL, NULL, 0, 0, NULL },
};

static const struct call *const groups[] = { calls_backup, calls_restore, calls_look, calls_files,
                                             calls_own };

static const struct call *find_call(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(groups); i++)
                for (const struct call *c = groups[i]; c->name; c++)
                        if (strcmp(c->name, name) == 0)
                                return c;
        return NULL;
}

static int print_calls(void) {
        for (size_t i = 0; i < ELEMENTSOF(groups); i++)
                for (const struct call *c = groups[i]; c->name; c++)
                        printf("%s%s%s\n", c->name, *c->arguments ? " " : "", c->arguments);
        return EXIT_OK;
}

/* ---- one line ---- */

struct line {
        unsigned number;
        const struct call *call; /* NULL: nothing on it */
        bool async;
        struct words words;
        int expected[8];
        size_t expected_count; /* 0: any success */
};

/* the names behind "=>" */
static int take_expected(struct line *line, const char *word, struct vss_error *reterr) {
        int code = code_from_name(word);

        if (code == 0 && strcmp(word, "S_OK") != 0)
                return vss_fail(reterr, E_INVALIDARG, "'%s' is no code", word);
        if (line->expected_count == ELEMENTSOF(line->expected))
                return vss_fail(reterr, E_INVALIDARG, "too many codes");
        line->expected[line->expected_count++] = code;
        return 0;
}

static int take_word(struct line *line, char *word, bool *expecting, struct vss_error *reterr) {
        if (*expecting)
                return take_expected(line, word, reterr);
        if (strcmp(word, "=>") == 0) {
                *expecting = true;
                return 0;
        }
        if (!line->call && !line->async && strcmp(word, "async") == 0) {
                line->async = true;
                return 0;
        }
        if (!line->call) {
                line->call = find_call(word);
                return line->call ? 0
                                  : vss_fail(reterr, E_INVALIDARG,
                                             "no call '%s'; vss-betest --calls lists them", word);
        }
        if (line->words.count == MAX_WORDS)
                return vss_fail(reterr, E_INVALIDARG, "too many words");
        line->words.items[line->words.count++] = word;
        return 0;
}

/* parse_line() - @text is cut in place and lent to @ret */
static int parse_line(char *text, unsigned number, struct line *ret, struct vss_error *reterr) {
        struct line line = { .number = number };
        bool expecting = false;
        char *word;
        int r = 0;

        text += strspn(text, " \t");
        if (*text == '#' || strncmp(text, "rem ", 4) == 0)
                *text = '\0';
        while (r >= 0 && (r = next_word(&text, &word)) > 0 && strcmp(word, "#") != 0)
                r = take_word(&line, word, &expecting, reterr);
        if (r < 0)
                return reterr->message
                               ? r
                               : vss_fail(reterr, r, "a quote is not closed, or a bad escape");
        if ((line.async || expecting) && !line.call)
                return vss_fail(reterr, E_INVALIDARG, "the call is missing");
        if (line.call &&
            (line.words.count < line.call->least || line.words.count > line.call->most))
                return vss_fail(reterr, E_INVALIDARG, "write: %s %s", line.call->name,
                                line.call->arguments);
        *ret = line;
        return 0;
}

static bool as_expected(const struct line *line, int r) {
        for (size_t i = 0; i < line->expected_count; i++)
                if (line->expected[i] == r)
                        return true;
        return line->expected_count == 0 && r >= 0;
}

static void tell(const struct line *line, const struct words *words, int r,
                 const struct vss_error *error) {
        bool expected = as_expected(line, r);

        if (arg_quiet && expected)
                return;
        say_begin("call");
        say_number("line", line->number);
        say_text("call", line->call->name);
        say_arguments(words);
        say_code("result", r);
        if (!expected)
                say_bool("expected", false);
        say_text("message", r < 0 || error->message ? vss_error_message(error) : NULL);
        say_end();
}

/* the object must be there for all calls but those of our own and "create" */
static bool needs_object(const struct call *call) {
        for (const struct call *c = calls_own; c->name; c++)
                if (c == call)
                        return false;
        return call != &calls_backup[0];
}

static int run_line(struct run *run, struct line *line, struct vss_error *reterr) {
        struct words words = { .count = line->words.count };
        int r = 0;

        run->want_async = line->async;
        for (size_t i = 0; r >= 0 && i < words.count; i++)
                r = expand_variables(run, line->words.items[i], &words.items[i], reterr);
        if (r >= 0 && needs_object(line->call) && !run->bc)
                r = vss_fail(reterr, E_INVALIDARG, "'create' comes first");
        if (r >= 0)
                r = line->call->run(run, &words, reterr);
        tell(line, &words, r, reterr);
        for (size_t i = 0; i < words.count; i++)
                free(words.items[i]);
        return r;
}

static int exit_code_of(int code) {
        if (code == -ENOMEM || code == E_OUTOFMEMORY)
                return EXIT_MEMORY;
        return EXIT_RUNTIME;
}

/* EXIT_OK, or how the program ends: the line could not be read, or answered otherwise than told */
static int do_line(struct run *run, char *text, unsigned number, bool only_look) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct line line = { 0 };
        int r = parse_line(text, number, &line, &error);

        if (r < 0) {
                fprintf(stderr, "vss-betest: line %u: %s\n", number, vss_error_message(&error));
                return EXIT_USAGE;
        }
        if (!line.call || only_look)
                return EXIT_OK;
        r = run_line(run, &line, &error);
        if (as_expected(&line, r))
                return EXIT_OK;
        fprintf(stderr, "vss-betest: line %u: %s: %s/0x%08x: %s\n", number, line.call->name,
                vss_error_name(r), (unsigned)r, vss_error_message(&error));
        return r < 0 ? exit_code_of(r) : EXIT_RUNTIME;
}

/* ---- the whole ---- */

/* T-22: what was begun is ended in order, whatever the script left open */
static void close_bracket(struct run *run) {
        struct vss_async *async = NULL;

        if (!run->bc || !run->under_way)
                return;
        if (!run->is_restore) {
                (void)vss_backup_components_abort_backup(run->bc, NULL);
                return;
        }
        for (size_t i = 0; i < run->chosen_count; i++)
                (void)vss_backup_components_set_file_restore_status(
                        run->bc, &run->chosen[i].key,
                        run->chosen[i].done ? run->chosen[i].status : VSS_RS_NONE, NULL);
        back_before_post_restore(run);
        if (vss_backup_components_post_restore(run->bc, &async, NULL) >= 0)
                (void)vss_async_finish(async, NULL);
        back_after_post_restore(run);
}

static void run_done(struct run *run) {
        close_bracket(run);
        forget_object(run);
        back_done(run);
        for (size_t i = 0; i < run->variable_count; i++) {
                free(run->variables[i].name);
                free(run->variables[i].value);
        }
        free(run->variables);
        free(run->chosen);
}

static int do_lines(struct run *run, FILE *script, bool only_look) {
        _cleanup_free_ char *text = NULL;
        size_t capacity = 0;
        unsigned number = 0;
        int code = EXIT_OK;

        while (code == EXIT_OK && getline(&text, &capacity, script) >= 0)
                code = do_line(run, text, ++number, only_look);
        if (code == EXIT_OK && ferror(script)) {
                fprintf(stderr, "vss-betest: cannot read the script: %s\n", strerror(errno));
                return EXIT_RUNTIME;
        }
        return code;
}

/* a file is read twice, so that a slip in its last line stops it before its first (T-30) */
static int do_script(struct run *run, const char *path) {
        _cleanup_fclose_ FILE *file = NULL;
        int code;

        if (strcmp(path, "-") == 0)
                return do_lines(run, stdin, false);
        file = fopen(path, "re");
        if (!file) {
                fprintf(stderr, "vss-betest: cannot read '%s': %s\n", path, strerror(errno));
                return EXIT_USAGE;
        }
        code = do_lines(run, file, true);
        if (code != EXIT_OK)
                return code;
        rewind(file);
        return do_lines(run, file, false);
}

static int take_variables(struct run *run, char **arguments) {
        for (; *arguments; arguments++) {
                char *equals = strchr(*arguments, '=');

                if (!equals || equals == *arguments) {
                        fprintf(stderr, "vss-betest: '%s': write NAME=VALUE\n", *arguments);
                        return EXIT_USAGE;
                }
                *equals = '\0';
                if (set_variable(run, *arguments, equals + 1) < 0)
                        return EXIT_MEMORY;
        }
        return EXIT_OK;
}

/* finish_output() - a full disk must not look like success */
static int finish_output(int code) {
        if (fflush(stdout) == 0 && !ferror(stdout))
                return code;
        fprintf(stderr, "vss-betest: cannot write the output: %s\n", strerror(errno));
        return code == EXIT_OK ? EXIT_RUNTIME : code;
}

static int parse_options(int argc, char *argv[], struct vss_connection *connection) {
        enum {
                OPT_CONFIG = 1,
                OPT_ADDRESS,
                OPT_STRICT,
                OPT_QUIET,
                OPT_JSON,
                OPT_CALLS,
                OPT_HELP,
                OPT_VERSION
        };
        static const struct option options[] = {
                { "config", required_argument, NULL, OPT_CONFIG },
                { "address", required_argument, NULL, OPT_ADDRESS },
                { "strict", no_argument, NULL, OPT_STRICT },
                { "quiet", no_argument, NULL, OPT_QUIET },
                { "json", no_argument, NULL, OPT_JSON },
                { "calls", no_argument, NULL, OPT_CALLS },
                { "help", no_argument, NULL, OPT_HELP },
                { "version", no_argument, NULL, OPT_VERSION },
                { 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
                switch (c) {
                case OPT_CONFIG:
                        connection->config_dir = optarg;
                        connection->embedded = 1;
                        break;
                case OPT_ADDRESS:
                        connection->address = optarg;
                        break;
                case OPT_STRICT:
                        arg_strict = true;
                        break;
                case OPT_QUIET:
                        arg_quiet = true;
                        break;
                case OPT_JSON:
                        arg_json = true;
                        break;
                case OPT_CALLS:
                        exit(finish_output(print_calls()));
                case OPT_HELP:
                        fputs(usage, stdout);
                        exit(finish_output(EXIT_OK));
                case OPT_VERSION:
                        puts("vss-betest " VSS_VERSION);
                        exit(finish_output(EXIT_OK));
                default:
                        return EXIT_USAGE;
                }
        }
        return EXIT_OK;
}

int main(int argc, char *argv[]) {
        static struct run run;
        int code = parse_options(argc, argv, &run.connection);

        if (code == EXIT_OK && optind == argc) {
                fputs(usage, stderr);
                code = EXIT_USAGE;
        }
        if (code == EXIT_OK)
                code = take_variables(&run, argv + optind + 1);
        if (code == EXIT_OK)
                code = do_script(&run, argv[optind]);
        run_done(&run);
        if (code == EXIT_OK && run.writer_failed)
                code = arg_strict ? EXIT_RUNTIME : EXIT_WRITER;
        return finish_output(code);
}
