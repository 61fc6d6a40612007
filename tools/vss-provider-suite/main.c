/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - vss-provider-suite: drives one provider through the life of shadow copies on file
 * systems that were prepared for it, and tells which rules it holds. For who writes a provider.
 *
 * This process loads no plug-in; each scenario does, in a process of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "config.h"
#include "suite.h"
#include "volume/scan.h"

enum { EXIT_BROKEN = 1, EXIT_USAGE = 2 };

static const char usage[] =
        "usage: vss-provider-suite [OPTIONS] PLUGIN.so VOLUME...\n"
        "       vss-provider-suite --scenarios\n"
        "\n"
        "Drives a provider through the life of shadow copies of mounted file systems that were\n"
        "made for this purpose, and tells which rules it holds.\n"
        "\n"
        "  --set KEY=VALUE       a setting of the provider, any number\n"
        "  --place DIR           copies lie here too: nothing may be left behind in it\n"
        "  --list COMMAND        tells what copies there are, a line each: none may be left\n"
        "  --full VOLUME         one that has no room for a copy\n"
        "  --unsupported VOLUME  one that the provider cannot copy\n"
        "  --only SCENARIO       this one, any number\n"
        "  --timeout SECONDS     for each scenario (default 120)\n"
        "  --scenarios           what there is to run\n"
        "  --help                this text\n"
        "  --version             the version\n";

static const char *volume_names[VOLUMES_MAX + 3], *full_name, *unsupported_name;
static const char *only[64];
static size_t only_count;
static unsigned timeout_s = 120;
static volatile sig_atomic_t stopped;

static _Noreturn void die(const char *words_, const char *what) {
        fprintf(stderr, "vss-provider-suite: %s%s\n", words_, what);
        exit(EXIT_USAGE);
}

/* scenario_at() - all of them in order, NULL behind the last */
static const struct scenario *scenario_at(size_t index) {
        const struct scenario *const lists[] = { life_scenarios, end_scenarios };

        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                for (const struct scenario *s = lists[i]; s->name; s++)
                        if (index-- == 0)
                                return s;
        return NULL;
}

static const struct scenario *find_scenario(const char *name) {
        const struct scenario *s;

        for (size_t i = 0; (s = scenario_at(i)); i++)
                if (strcmp(s->name, name) == 0)
                        return s;
        return NULL;
}

static int list_scenarios(void) {
        const struct scenario *s;

        for (size_t i = 0; (s = scenario_at(i)); i++)
                printf("%-20s%s\n", s->name, s->title);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_USAGE;
}

/* ---- options ---- */

static void add_text(const char **items, size_t *count, size_t max, const char *text) {
        if (*count == max)
                die("too many of these: ", text);
        items[(*count)++] = text;
}

static void take_option(int c) {
        char *end;

        switch (c) {
        case 's':
                if (!strchr(optarg, '='))
                        die("KEY=VALUE is due, not ", optarg);
                add_text(suite.settings, &suite.setting_count, ELEMENTSOF(suite.settings), optarg);
                break;
        case 'p':
                add_text(suite.places, &suite.place_count, ELEMENTSOF(suite.places), optarg);
                break;
        case 'l':
                suite.list_command = optarg;
                break;
        case 'f':
                full_name = optarg;
                break;
        case 'u':
                unsupported_name = optarg;
                break;
        case 'o':
                if (!find_scenario(optarg))
                        die("no such scenario, see --scenarios: ", optarg);
                add_text(only, &only_count, ELEMENTSOF(only), optarg);
                break;
        case 't':
                timeout_s = (unsigned)strtoul(optarg, &end, 10);
                if (*end || timeout_s == 0)
                        die("--timeout wants seconds, not ", optarg);
                break;
        case 'h':
                exit(fputs(usage, stdout) < 0 ? EXIT_USAGE : EXIT_SUCCESS);
        case 'V':
                exit(puts("vss-provider-suite " VSS_VERSION) < 0 ? EXIT_USAGE : EXIT_SUCCESS);
        case 'S':
                exit(list_scenarios());
        default:
                exit(EXIT_USAGE);
        }
}

static void take_arguments(int argc, char **argv) {
        static const struct option options[] = {
                { "set", required_argument, NULL, 's' },
                { "place", required_argument, NULL, 'p' },
                { "list", required_argument, NULL, 'l' },
                { "full", required_argument, NULL, 'f' },
                { "unsupported", required_argument, NULL, 'u' },
                { "only", required_argument, NULL, 'o' },
                { "timeout", required_argument, NULL, 't' },
                { "scenarios", no_argument, NULL, 'S' },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                { 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
                take_option(c);
        if (argc - optind < 2) {
                fputs(usage, stderr);
                exit(EXIT_USAGE);
        }
        suite.plugin = argv[optind++];
        while (optind < argc)
                add_text(volume_names, &suite.volume_count, VOLUMES_MAX, argv[optind++]);
        if (full_name)
                volume_names[suite.volume_count] = full_name;
        if (unsupported_name)
                volume_names[suite.volume_count + !!full_name] = unsupported_name;
}

/* ---- what all processes share ---- */

/* look_at_volumes() - as the service sees them, written where each process can read it */
static void look_at_volumes(void) {
        static const char *const no_skip[] = { NULL };
        size_t count = suite.volume_count + !!full_name + !!unsupported_name;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct volume_list list = { 0 };
        struct scan scan = { 0 };
        FILE *to;
        int r = scan_init(&scan, no_skip, &error);

        for (size_t i = 0; r >= 0 && i < count; i++) {
                _cleanup_free_ char *path = realpath(volume_names[i], NULL);

                if (!path)
                        die("there is no ", volume_names[i]);
                r = scan_name(&scan, path, &list, &error);
        }
        scan_done(&scan);
        if (r >= 0 && list.count != count)
                r = vss_fail(&error, -EINVAL, "a name means several volumes");
        if (r < 0)
                die("", vss_error_message(&error));
        suite.volumes_fd = memfd_create("volumes", 0);
        to = suite.volumes_fd < 0 ? NULL : fdopen(dup(suite.volumes_fd), "w");
        for (size_t i = 0; to && r >= 0 && i < count; i++)
                r = volume_write(to, &list.items[i]);
        if (!to || r < 0 || volume_write_end(to, &(struct vss_error){ 0 }) < 0 || fclose(to) != 0)
                die("out of memory", "");
        volume_list_clear(&list);
}

/* read_volumes() - the strings live as long as the process */
static void read_volumes(void) {
        static struct volume_list list;
        size_t size, used;
        struct stat st;
        char *text;

        if (fstat(suite.volumes_fd, &st) < 0)
                die("cannot read the volumes", "");
        size = (size_t)st.st_size;
        text = mmap(NULL, size, PROT_READ, MAP_SHARED, suite.volumes_fd, 0);
        if (text == MAP_FAILED || volume_list_read(&list, text, size, &used, NULL) < 0)
                die("cannot read the volumes", "");
        for (size_t i = 0; i < suite.volume_count; i++)
                suite.volumes[i] = list.items[i].v;
        if (full_name)
                suite.full = &list.items[suite.volume_count].v;
        if (unsupported_name)
                suite.unsupported = &list.items[suite.volume_count + !!full_name].v;
}

/* ---- a process that does one thing ---- */

static int do_verb(const char *verb, const char *argument) {
        const struct scenario *scenario = NULL;
        int status = 0;

        if (strcmp(verb, "scenario") == 0) {
                scenario = find_scenario(argument);
                rule("P-10"); /* until it is loaded */
                (void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* hold_await_end() */
                provider_open();
                if (scenario != scenario_at(0))
                        suite.verdict->rules[0] = suite.verdict->rule[0] = '\0';
                scenario->run();
        } else {
                provider_open();
                suite.verdict->ready = 1;
                status = fresh_verb(verb, argument);
        }
        provider_close();
        if (scenario)
                suite.verdict->outcome = OUTCOME_HELD;
        return status;
}

/* ---- the program itself ---- */

static void stop(int signal_number) {
        stopped = signal_number;
}

/* finish() - wait for @pid; what takes too long is ended with SIGALRM, for the report to tell */
static int finish(pid_t pid) {
        int status = 0;

        for (unsigned i = 0; waitpid(pid, &status, WNOHANG) == 0; i++) {
                if (stopped || i >= timeout_s * 100) {
                        kill(pid, SIGKILL);
                        waitpid(pid, &status, 0);
                        return SIGALRM;
                }
                usleep(10000);
        }
        return status;
}

static bool is_wanted(const char *name) {
        for (size_t i = 0; i < only_count; i++)
                if (strcmp(only[i], name) == 0)
                        return true;
        return only_count == 0;
}

static void clean(void) {
        if (suite.verdict->set_count > 0)
                (void)finish(spawn_self("clean", ""));
}

/* run_one() - false when nothing else can be run either */
static bool run_one(const struct scenario *scenario) {
        struct verdict *v = suite.verdict;
        int outcome, status;

        memset(v, 0, sizeof(*v));
        status = finish(spawn_self("scenario", scenario->name));
        if (!stopped)
                report(scenario, status);
        outcome = v->outcome;
        if (outcome != OUTCOME_HELD)
                clean();
        hold_clean();
        return !stopped && (outcome == OUTCOME_HELD || scenario != scenario_at(0));
}

static int run_all(void) {
        struct sigaction action = { .sa_handler = stop };
        const struct scenario *scenario;
        bool usable = true;

        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        for (size_t i = 0; (scenario = scenario_at(i)) && usable; i++)
                if (i == 0 || is_wanted(scenario->name))
                        usable = run_one(scenario);
        for (size_t i = 0; volume_names[i]; i++)
                tree_remove(volume_names[i]);
        if (stopped)
                return 128 + stopped;
        if (report_end() > 0)
                return EXIT_BROKEN;
        return usable ? EXIT_SUCCESS : EXIT_USAGE;
}

int main(int argc, char **argv) {
        bool inner = argc > 5 && strcmp(argv[1], "--do") == 0;
        const char *verb = inner ? argv[4] : NULL, *argument = inner ? argv[5] : NULL;

        if (inner) { /* by spawn_self() */
                suite.shared_fd = atoi(argv[2]);
                suite.volumes_fd = atoi(argv[3]);
                argv[5] = argv[0];
                argc -= 5;
                argv += 5;
        }
        setvbuf(stdout, NULL, _IOLBF, 0);
        umask(022);
        suite.argv = argv;
        suite.argc = argc;
        take_arguments(argc, argv);
        if (!inner)
                look_at_volumes();
        if ((inner ? verdict_map() : verdict_share()) < 0)
                die("cannot share memory", "");
        if (!inner)
                return run_all();
        read_volumes();
        return do_verb(verb, argument);
}
