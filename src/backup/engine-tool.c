/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * engine-tool.c - the engine from a shell, for its system tests and measurements. Not installed.
 *
 *   engine-tool backup [-t TYPE] [-c] [-K] STORE PATH=DIR[:FILESPEC[:r]] ...
 *       -c  ctimes and inode numbers are no proof (a mirror copy), compare by content
 *       -K  each source a writer's component of its own, named by PATH
 *       PATH is the name under which DIR, an absolute folder or file, is stored
 *   engine-tool changed STORE PATH=DIR CHANGED ...   an increment of only these paths
 *   engine-tool ranges STORE PATH=FILE RANGES        an increment of a partial file
 *   engine-tool list STORE
 *   engine-tool show STORE SET [-k PATH]             names, one per line, then "gone NAME"
 *   engine-tool restore [-l] [-g] [-w|-s] [-i refuse|rename] [-u DIR] [-e keep|absent] [-k PATH]
 *               STORE SET INTO [PATH ...]
 *       -l  only the last image, on top; -g with its deletions; INTO may be "-": home
 *       -w  all or nothing, -s only staged; -u where their lists are; -i what of files in use
 *   engine-tool verify [-f] STORE SET
 *   engine-tool remove STORE SET
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/engine.h"
#include "base/cleanup.h"

static const char *option_type = "full", *option_existing = "", *option_component, *option_undo;
static bool option_content, option_components, option_last, option_gone, option_full;
static bool option_whole, option_later;
static enum restore_in_use option_in_use;

static struct set_writer *writing;

static void die(const struct vss_error *error) {
        set_abandon(writing);
        fprintf(stderr, "engine-tool: %s\n", vss_error_message(error));
        exit(1);
}

static void trouble(void *userdata, uint32_t component, const char *path, int code,
                    const char *words) {
        fprintf(stderr, "trouble: '%s': %s (%s)\n", path, words, vss_error_name(code));
}

static const struct engine_watch watch = { .trouble = trouble };

static uint32_t parse_type(const char *text) {
        static const char *const names[] = { "",    "full", "incremental", "differential",
                                             "log", "copy", "other" };

        for (uint32_t i = 1; i < 7; i++)
                if (strcmp(names[i], text) == 0)
                        return i;
        fprintf(stderr, "engine-tool: no type '%s'\n", text);
        exit(2);
}

static struct component_key key_of(const char *path) {
        struct component_key key = { .instance_name = "", .logical_path = "", .name = "" };

        if (path) {
                key.writer_id.bytes[0] = 1;
                key.type = VSS_CT_FILEGROUP;
                key.name = path;
        }
        return key;
}

struct job {
        struct store *store;
        struct set_list list;
        struct set_writer *set;
        struct operation *op;
        uint32_t type;
        struct vss_error error;
};

static void begin(struct job *job, const char *path, uint32_t type) {
        struct set_options options = { .type = type };

        *job = (struct job){ .type = type };
        if (store_open(path, STORE_CREATE, &job->store, &job->error) < 0 ||
            store_lock(job->store, &job->error) < 0 ||
            store_list(job->store, &job->list, &job->error) < 0 ||
            set_begin(job->store, &options, &job->set, &job->error) < 0 ||
            (writing = job->set, op_begin(job->set, type, &job->op, &job->error) < 0))
                die(&job->error);
}

static void use_base(struct job *job, uint32_t component, const char *name) {
        struct component_key key = key_of(name);
        struct set_place base;

        if ((job->type == VSS_BT_INCREMENTAL || job->type == VSS_BT_DIFFERENTIAL) &&
            catalogue_base(&job->list, &key, job->type, &base) >= 0 &&
            op_set_base(job->op, component, &base, &job->list, &job->error) < 0)
                die(&job->error);
}

/* PATH=DIR[:SPEC[:r]]: fills @source; the strings are cut out of @text */
static void parse_source(char *text, struct source *source) {
        char *equals = strchr(text, '='), *colon;

        if (!equals) {
                fprintf(stderr, "engine-tool: '%s' is not PATH=DIR\n", text);
                exit(2);
        }
        *equals = '\0';
        *source = (struct source){ .path = text, .pick = SOURCE_WHOLE };
        colon = strchr(equals + 1, ':');
        if (colon) {
                *colon++ = '\0';
                source->filespec = colon;
                colon = strchr(colon, ':');
                source->recursive = colon != NULL;
                if (colon)
                        *colon = '\0';
        }
        source->root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        source->read_path = equals + 2; /* below "/" */
        source->names_only_change_with_ctime = !option_content;
}

static int end(struct job *job) {
        bool good = true;
        char id[VSS_ID_TEXT_SIZE];
        const struct set_info *info = set_writer_info(job->set);

        if (op_end(job->op, &job->error) < 0)
                die(&job->error);
        for (size_t i = 0; i < info->operations[0].components_count; i++)
                good = good && info->operations[0].components[i].good;
        vss_id_format(&info->id, id);
        writing = NULL;
        if (set_publish(job->set, &job->error) < 0)
                die(&job->error);
        puts(id);
        set_list_done(&job->list);
        store_close(job->store);
        return good ? 0 : 3;
}

static int backup(int argc, char **argv) {
        struct job job;

        begin(&job, argv[0], parse_type(option_type));
        if (!option_components)
                use_base(&job, 0, NULL);
        for (int i = 1; i < argc; i++) {
                struct source source;

                parse_source(argv[i], &source);
                if (option_components) {
                        struct component_key key = key_of(source.path);

                        if (op_add_component(job.op, &key, &source.component, &job.error) < 0)
                                die(&job.error);
                        use_base(&job, source.component, source.path);
                }
                if (job.type == VSS_BT_INCREMENTAL || job.type == VSS_BT_DIFFERENTIAL)
                        source.pick = SOURCE_COMPARE;
                if (op_run(job.op, &source, &watch, &job.error) < 0)
                        die(&job.error);
                close(source.root_fd);
        }
        return end(&job);
}

/* the paths come sorted; "+" before one: its content, "*": all below it */
static int changed(int argc, char **argv) {
        struct changed_path *paths = calloc((size_t)argc, sizeof(*paths));
        struct source source;
        struct job job;

        begin(&job, argv[0], VSS_BT_INCREMENTAL);
        use_base(&job, 0, NULL);
        parse_source(argv[1], &source);
        source.pick = SOURCE_COMPARE;
        for (int i = 2; paths && i < argc; i++)
                paths[i - 2] = (struct changed_path){ argv[i] + (argv[i][0] != '/'),
                                                      argv[i][0] == '*', argv[i][0] == '+' };
        if (!paths ||
            op_run_changed(job.op, &source, paths, (size_t)(argc - 2), &watch, &job.error) < 0)
                die(&job.error);
        free(paths);
        close(source.root_fd);
        return end(&job);
}

static int ranges(int argc, char **argv) {
        struct byte_range list[16];
        struct component_key key;
        struct source source;
        struct job job;
        char *p = argv[2];

        begin(&job, argv[0], VSS_BT_INCREMENTAL);
        parse_source(argv[1], &source);
        key = key_of(source.path);
        if (op_add_component(job.op, &key, &source.component, &job.error) < 0)
                die(&job.error);
        use_base(&job, source.component, source.path);
        source.pick = SOURCE_RANGES;
        source.ranges = list;
        while (p && *p && source.ranges_count < 16) {
                list[source.ranges_count].offset = strtoull(p, &p, 0);
                list[source.ranges_count++].length = strtoull(p + 1, &p, 0);
                p += *p == ',';
        }
        if (op_run(job.op, &source, &watch, &job.error) < 0)
                die(&job.error);
        close(source.root_fd);
        return end(&job);
}

static void open_store(const char *path, struct store **ret, struct set_list *list) {
        struct vss_error error = VSS_ERROR_INIT;

        if (store_open(path, 0, ret, &error) < 0 || store_list(*ret, list, &error) < 0)
                die(&error);
}

static int list_sets(int argc, char **argv) {
        struct set_list list;
        struct store *store;

        open_store(argv[0], &store, &list);
        for (size_t i = 0; i < list.count; i++) {
                char id[VSS_ID_TEXT_SIZE];
                const struct set_component *own = &list.sets[i]->operations[0].components[0];

                printf("%s %s %s %llu entries %llu bytes %llu gone %llu stored\n",
                       vss_id_format(&list.sets[i]->id, id), list.sets[i]->folder,
                       own->good ? "good" : "failed", (unsigned long long)own->entries,
                       (unsigned long long)own->bytes, (unsigned long long)own->gone,
                       (unsigned long long)list.sets[i]->stored_bytes);
        }
        for (size_t i = 0; i < list.unreadable_count; i++)
                printf("damaged %s: %s\n", list.unreadable[i].folder, list.unreadable[i].words);
        set_list_done(&list);
        store_close(store);
        return 0;
}

static void find_chain(const struct set_list *list, const char *text, struct chain *ret) {
        struct component_key key = key_of(option_component);
        struct vss_error error = VSS_ERROR_INIT;
        const struct set_info *set;
        struct set_place place;

        if (set_find(list, text, &set, &error) < 0)
                die(&error);
        if (catalogue_find(set, &key, &place) < 0) {
                fprintf(stderr, "engine-tool: no such component\n");
                exit(1);
        }
        if (chain_of(list, &place, ret, &error) < 0)
                die(&error);
}

static int show(int argc, char **argv) {
        struct vss_error error = VSS_ERROR_INIT;
        const struct entry *entry;
        struct set_list list;
        struct store *store;
        struct chain chain;
        struct view *view;
        const char *gone;
        int r;

        open_store(argv[0], &store, &list);
        find_chain(&list, argv[1], &chain);
        if (view_open(store, &chain, argc > 2 ? argv[2] : NULL, &view, &error) < 0)
                die(&error);
        while ((r = view_next(view, &entry, &error)) > 0)
                printf("%c %s\n", entry->type, entry->path);
        while (r >= 0 && (r = view_next_gone(view, &gone, &error)) > 0)
                printf("gone %s\n", gone);
        if (r < 0)
                die(&error);
        view_close(view);
        chain_done(&chain);
        set_list_done(&list);
        store_close(store);
        return 0;
}

static int print_staged(void *userdata, const struct restore_staged *staged,
                        struct vss_error *reterr) {
        printf("%s -> %s\n", staged->staged, staged->destination);
        return 0;
}

static int restore(int argc, char **argv) {
        struct restore_request request = { 0 };
        struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary summary;
        struct set_list list;
        struct store *store;
        struct chain chain;
        int r;

        open_store(argv[0], &store, &list);
        find_chain(&list, argv[1], &chain);
        request.chain = &chain;
        request.into = strcmp(argv[2], "-") == 0 ? NULL : argv[2];
        request.image = option_last ? chain.count : 0;
        request.remove_gone = option_gone;
        request.existing = strcmp(option_existing, "keep") == 0     ? RESTORE_KEEP
                           : strcmp(option_existing, "absent") == 0 ? RESTORE_MUST_BE_ABSENT
                                                                    : RESTORE_REPLACE;
        request.paths = argc > 3 ? (const char *const *)(argv + 3) : NULL;
        request.paths_count = argc > 3 ? (size_t)(argc - 3) : 0;
        request.whole = option_whole;
        request.undo_dir = option_undo;
        request.in_use = option_in_use;
        r = option_later
                    ? restore_stage(store, &request, &watch, print_staged, NULL, &summary, &error)
                    : restore_run(store, &request, &watch, &summary, &error);
        if (summary.changed && r < 0)
                printf("changed\n");
        printf("%llu placed %llu kept %llu failed %llu removed\n",
               (unsigned long long)summary.placed, (unsigned long long)summary.kept,
               (unsigned long long)summary.failed, (unsigned long long)summary.removed);
        if (r < 0)
                die(&error);
        chain_done(&chain);
        set_list_done(&list);
        store_close(store);
        return 0;
}

/* the set and all it may build on: the sets before it */
static int verify(int argc, char **argv) {
        struct set_damages *damages = set_damages_new();
        struct vss_error error = VSS_ERROR_INIT;
        struct verify_summary summary;
        struct chain_summary chains;
        const struct set_info *set;
        struct set_list list;
        struct store *store;
        int r = 0;

        open_store(argv[0], &store, &list);
        if (set_find(&list, argv[1], &set, &error) < 0)
                die(&error);
        for (size_t i = 0; i < list.count && list.sets[i] != set; i++)
                (void)verify_set(store, list.sets[i], option_full ? VERIFY_CONTENT : 0, NULL,
                                 damages, &summary, NULL);
        r = verify_set(store, set, option_full ? VERIFY_CONTENT : 0, &watch, damages, &summary,
                       &error);
        if (r >= 0)
                r = verify_chains(store, &list, set, damages, &watch, &chains, &error);
        if (r < 0)
                die(&error);
        printf("%llu files %llu bytes\n", (unsigned long long)(summary.files + summary.entries),
               (unsigned long long)(summary.bytes + summary.content));
        set_damages_free(damages);
        set_list_done(&list);
        store_close(store);
        return 0;
}

static int remove_set(int argc, char **argv) {
        struct vss_error error = VSS_ERROR_INIT;
        const struct set_info *set;
        struct set_list list;
        struct store *store;

        open_store(argv[0], &store, &list);
        if (store_lock(store, &error) < 0 || set_find(&list, argv[1], &set, &error) < 0 ||
            store_remove(store, set, option_full, &error) < 0)
                die(&error);
        set_list_done(&list);
        store_close(store);
        return 0;
}

static const struct {
        const char *name;
        int arguments;
        int (*run)(int argc, char **argv);
} verbs[] = {
        { "backup", 2, backup },  { "changed", 2, changed },   { "ranges", 3, ranges },
        { "list", 1, list_sets }, { "show", 2, show },         { "restore", 3, restore },
        { "verify", 2, verify },  { "remove", 2, remove_set },
};

int main(int argc, char **argv) {
        const char *verb = argc > 1 ? argv[1] : "";
        int c;

        optind = 2;
        while (argc > 1 && (c = getopt(argc, argv, "+t:ce:k:Klgfwsu:i:")) >= 0) {
                if (c == 't')
                        option_type = optarg;
                else if (c == 'c')
                        option_content = true;
                else if (c == 'e')
                        option_existing = optarg;
                else if (c == 'k')
                        option_component = optarg;
                else if (c == 'K')
                        option_components = true;
                else if (c == 'l')
                        option_last = true;
                else if (c == 'g')
                        option_gone = true;
                else if (c == 'f')
                        option_full = true;
                else if (c == 'w')
                        option_whole = true;
                else if (c == 's')
                        option_later = true;
                else if (c == 'u')
                        option_undo = optarg;
                else if (c == 'i')
                        option_in_use = strcmp(optarg, "rename") == 0 ? RESTORE_IN_USE_RENAME
                                                                      : RESTORE_IN_USE_REFUSE;
                else
                        return 2;
        }
        for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
                if (strcmp(verbs[i].name, verb) == 0 && argc - optind >= verbs[i].arguments)
                        return verbs[i].run(argc - optind, argv + optind);
        fprintf(stderr, "engine-tool: the head of engine-tool.c says how\n");
        return 2;
}
