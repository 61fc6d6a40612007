/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vssd - the coordinator: command line, and what is plugged into what. See vssd(8).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/layout.h"
#include "base/process.h"
#include "bus/names.h"
#include "bus/server.h"
#include "config.h"
#include "store/store.h"

enum { EXIT_USAGE = 2 };

static const char help[] =
        "usage: vssd --bus=system|session|ADDRESS [--config=DIR]\n"
        "       vssd --private [--config=DIR]\n"
        "       vssd --check-config [--config=DIR]\n"
        "\n"
        "The coordinator of shadow copies: requesters ask it, writers and providers obey it.\n"
        "\n"
        "  --bus=WHERE     take the name " VSS_BUS_NAME " on this bus\n"
        "  --private       serve the one program that has the other end of descriptor 3\n"
        "  --config=DIR    configuration, instead of %s\n"
        "  --check-config  read the configuration, say what is wrong with it, and end\n"
        "  --debug         say every step on standard error\n"
        "  --help, --version\n"
        "\n"
        "Exit status: 0 ended as asked, 1 failed (words on standard error), 2 wrong usage.\n";

/* ---- records and slot ---- */

static int op_write(void *userdata, const struct set_record *record, struct vss_error *reterr) {
        return store_write(userdata, record, reterr);
}

static int op_remove(void *userdata, const struct vss_id *set_id, uint32_t context,
                     struct vss_error *reterr) {
        return store_remove(userdata, set_id, context, reterr);
}

static bool op_is_elsewhere(void *userdata, const struct vss_id *set_id, uint32_t context) {
        return store_is_elsewhere(userdata, set_id, context);
}

static int op_acquire(void *userdata, const struct vss_id *session_id, struct vss_error *reterr) {
        return store_slot_acquire(userdata, session_id, reterr);
}

static void op_release(void *userdata) {
        store_slot_release(userdata);
}

static const struct record_ops record_ops = { op_write, op_remove, op_is_elsewhere };
static const struct slot_ops slot_ops = { op_acquire, op_release };

/* ---- after a life that ended badly (S-47) ---- */

static int on_adopted(void *userdata, const struct set_record *record) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct server *server = userdata;
        char set[VSS_ID_TEXT_SIZE];
        int r;

        server_log(server, WORDS_NOTICE, "a former life left the set %s%s",
                   vss_id_format(&record->set_id, set),
                   record->created ? "" : " unfinished; it is removed");
        r = coordinator_reconcile(server->coordinator, record, &error);
        if (r < 0)
                server_log(server, WORDS_ERROR, "set %s of a former life: %s", set,
                           vss_error_message(&error));
        return 0; /* one set that cannot be cleaned up does not hide the others */
}

static void on_damaged(void *userdata, const char *path, const char *words) {
        server_log(userdata, WORDS_ERROR, "'%s': %s", path, words);
}

static void on_thawed(void *userdata, size_t question, int code, const struct vss_error *error,
                      const struct volume_list *thawed) {
        if (code < 0 && code != VSS_E_SNAPSHOT_SET_IN_PROGRESS)
                server_log(userdata, WORDS_ERROR, "%s", vss_error_message(error));
        else if (thawed->count > 0)
                server_log(userdata, WORDS_WARNING,
                           "%zu file systems that a former life had left frozen were thawed",
                           thawed->count);
}

/* What is frozen comes first: whatever follows may have to write there. */
static int clean_up(struct server *server, struct store *store, struct vss_error *reterr) {
        int r = 0;

        if (geteuid() == 0)
                r = server_probe(server,
                                 &(struct probe_question){ "thaw", server->settings.runtime_dir },
                                 1, on_thawed, server);
        if (r >= 0)
                r = store_adopt(store, on_adopted, on_damaged, server, reterr);
        return r;
}

/* ---- */

struct arguments {
        struct server_options server;
        const char *bus;
        bool private, check;
};

static int serve(const struct arguments *arguments, struct server *server, struct store **store,
                 struct vss_error *reterr) {
        struct server_store plug = { &record_ops, &slot_ops, NULL };
        int r = store_open(server->settings.runtime_dir, server->settings.state_dir, store, reterr);

        plug.userdata = *store;
        if (r >= 0)
                r = server_open(server, &plug, reterr);
        if (r >= 0 && arguments->private)
                r = server_serve_fd(server, VSS_HOST_FD, reterr);
        else if (r >= 0)
                r = server_serve_bus(server, arguments->bus, reterr);
        if (r >= 0)
                r = clean_up(server, *store, reterr);
        return r < 0 ? r : server_run(server);
}

/* each key of [timeout] once, with what holds */
static void print_timeouts(const struct coordinator_settings *settings) {
        for (unsigned i = 0; i < PHASE_COUNT; i++) {
                const char *key = phase_setting((enum phase_id)i);
                uint64_t own = settings->deadline_us[i];
                unsigned first = 0;

                while (key && (!phase_setting((enum phase_id)first) ||
                               strcmp(phase_setting((enum phase_id)first), key) != 0))
                        first++;
                if (key && first == i)
                        printf("timeout %s: %gs\n", key,
                               (double)(own ? own : phases[i].deadline_us) / 1e6);
        }
}

static int check(const struct server *server) {
        const struct settings *settings = &server->settings;

        for (size_t i = 0; i < settings->warnings.count; i++)
                fprintf(stderr, "vssd: %s\n", settings->warnings.items[i]);
        for (size_t i = 0; i < settings->left_out.count; i++)
                fprintf(stderr, "vssd: %s\n", settings->left_out.items[i]);
        for (size_t i = 0; i < server->programs.count; i++)
                printf("%s %s: %s\n",
                       server->programs.items[i].kind == PARTY_WRITER ? "writer" : "provider",
                       server->programs.items[i].name, server->programs.items[i].path);
        print_timeouts(&settings->coordinator);
        return settings->warnings.count + settings->left_out.count > 0 ? EXIT_FAILURE
                                                                       : EXIT_SUCCESS;
}

static int run(const struct arguments *arguments) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct server *server = NULL;
        struct store *store = NULL;
        int r, status = EXIT_SUCCESS;

        (void)umask(077);
        process_raise_descriptors(); /* three and more for each writer */
        r = server_new(&arguments->server, &server, &error);
        if (r >= 0 && arguments->check)
                status = check(server);
        else if (r >= 0)
                r = serve(arguments, server, &store, &error);
        if (r < 0) {
                fprintf(stderr, "vssd: %s\n", error.message ? error.message : vss_error_text(r));
                status = EXIT_FAILURE;
        }
        server_free(server);
        store_close(store);
        return status;
}

static int usage(const char *words) {
        fprintf(stderr, "vssd: %s; try 'vssd --help'\n", words);
        return EXIT_USAGE;
}

int main(int argc, char **argv) {
        enum {
                OPTION_BUS = 256,
                OPTION_PRIVATE,
                OPTION_CONFIG,
                OPTION_CHECK,
                OPTION_DEBUG,
                OPTION_HELP,
                OPTION_VERSION
        };
        static const struct option options[] = {
                { "bus", required_argument, NULL, OPTION_BUS },
                { "private", no_argument, NULL, OPTION_PRIVATE },
                { "config", required_argument, NULL, OPTION_CONFIG },
                { "check-config", no_argument, NULL, OPTION_CHECK },
                { "debug", no_argument, NULL, OPTION_DEBUG },
                { "help", no_argument, NULL, OPTION_HELP },
                { "version", no_argument, NULL, OPTION_VERSION },
                { NULL, 0, NULL, 0 },
        };
        struct arguments arguments = { .server.config_dir = layout_config_dir() };
        int c;

        process_settle();
        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case OPTION_BUS:
                        arguments.bus = optarg;
                        break;
                case OPTION_PRIVATE:
                        arguments.private = true;
                        break;
                case OPTION_CONFIG:
                        arguments.server.config_dir = optarg;
                        break;
                case OPTION_CHECK:
                        arguments.check = true;
                        break;
                case OPTION_DEBUG:
                        arguments.server.debug = true;
                        break;
                case OPTION_HELP:
                        printf(help, layout_config_dir());
                        return EXIT_SUCCESS;
                case OPTION_VERSION:
                        puts("vssd " VSS_VERSION);
                        return EXIT_SUCCESS;
                default:
                        return EXIT_USAGE;
                }
        if (optind < argc)
                return usage("no arguments are expected");
        if (!!arguments.bus + arguments.private + arguments.check != 1)
                return usage("give one of --bus, --private and --check-config");
        return run(&arguments);
}
