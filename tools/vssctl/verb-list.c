/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verb-list.c - vssctl list: writers, components, providers, volumes, shadows, backups, paths.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "list.h"
#include "vssctl.h"

DEFINE_CLEANUP(struct vss_backup_components *, vss_backup_components_free)
DEFINE_CLEANUP(struct vss_enum_object *, vss_enum_object_free)

enum { OPT_FROM = 1, OPT_SET, OPT_COMPONENT };

static const char *arg_from, *arg_set;
static struct component_list arg_components;

static int gather(struct vss_backup_components *bc, size_t *ret_count) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct vss_async *async;
        int r = vss_backup_components_gather_writer_metadata(bc, &async, &error);

        progress("asking the writers");
        if (r >= 0)
                r = vss_async_finish(async, &error);
        if (r >= 0)
                r = vss_backup_components_get_writer_metadata_count(bc, ret_count, &error);
        progress("%s", "");
        if (r >= 0 && error.message)
                fprintf(stderr, "vssctl: %s\n", printable(error.message));
        return r < 0 ? report_error(&error, "cannot ask the writers") : EXIT_OK;
}

static const struct vss_writer_status *status_of(struct vss_backup_components *bc,
                                                 const struct vss_id *instance,
                                                 struct vss_writer_status *buffer) {
        size_t count;

        if (vss_backup_components_get_writer_status_count(bc, &count, NULL) < 0)
                return NULL;
        for (size_t i = 0; i < count; i++)
                if (vss_backup_components_get_writer_status(bc, i, buffer, NULL) >= 0 &&
                    vss_id_equal(&buffer->instance_id, instance))
                        return buffer;
        return NULL;
}

static int print_writer(const struct vss_writer_identity *id,
                        const struct vss_writer_status *status) {
        uint32_t state = status ? status->state : (uint32_t)VSS_WS_STABLE;
        int failure = status ? status->failure : S_OK;

        if (arg_json) {
                struct json json = { 0 };

                json_string(&json, "record", "writer");
                json_string(&json, "name", id->name);
                json_id(&json, "writer_id", &id->writer_id);
                json_id(&json, "instance_id", &id->instance_id);
                json_string(&json, "instance_name", id->instance_name);
                json_number(&json, "state", state);
                json_string(&json, "state_word", writer_state_word(state));
                json_code(&json, "last_error", failure);
                return json_print(&json);
        }
        printf("writer '%s'%s%s\n  writer id:   %s\n  instance id: %s\n  state:       [%u] %s\n"
               "  last error:  %s\n",
               printable(id->name), id->instance_name && *id->instance_name ? ", " : "",
               id->instance_name ? printable(id->instance_name) : "", format_id(&id->writer_id),
               format_id(&id->instance_id), (unsigned)state, writer_state_word(state),
               failure == S_OK ? "no error" : vss_error_name(failure));
        return EXIT_OK;
}

static const char *full_path(const struct vss_component_info *info) {
        static char *text;

        free(text);
        if (asprintf(&text, "%s%s%s", info->logical_path ? info->logical_path : "",
                     info->logical_path && *info->logical_path ? "\\" : "", info->name) < 0)
                text = NULL;
        return text ? text : info->name;
}

static void print_file_set(const char *kind, const struct vss_wm_filedesc *file) {
        const char *alternate = vss_wm_filedesc_get_alternate_location(file);

        printf("    %s%s/%s%s", kind, printable(vss_wm_filedesc_get_path(file)),
               printable(vss_wm_filedesc_get_filespec(file)),
               vss_wm_filedesc_get_recursive(file) ? " and below" : "");
        if (alternate)
                printf(" (read from %s)", printable(alternate));
        if (vss_wm_filedesc_get_backup_type_mask(file) != 0x0f0f)
                printf(" mask 0x%04x", (unsigned)vss_wm_filedesc_get_backup_type_mask(file));
        putchar('\n');
}

static void print_files(const struct vss_wm_component *c, const struct vss_component_info *info) {
        for (size_t i = 0; i < info->file_count; i++)
                print_file_set("", vss_wm_component_get_file(c, i));
        for (size_t i = 0; i < info->database_count; i++)
                print_file_set("database ", vss_wm_component_get_database_file(c, i));
        for (size_t i = 0; i < info->log_file_count; i++)
                print_file_set("log ", vss_wm_component_get_database_log_file(c, i));
}

static int print_component(const struct vss_writer_identity *writer,
                           const struct vss_wm_component *c) {
        struct vss_component_info info;

        vss_wm_component_get_component_info(c, &info);
        if (arg_json) {
                struct json json = { 0 };

                json_string(&json, "record", "component");
                json_string(&json, "writer", writer->name);
                json_id(&json, "writer_id", &writer->writer_id);
                json_string(&json, "type", info.type == VSS_CT_DATABASE ? "database" : "filegroup");
                json_string(&json, "logical_path", info.logical_path);
                json_string(&json, "name", info.name);
                json_string(&json, "caption", info.caption);
                json_bool(&json, "selectable", info.selectable);
                json_bool(&json, "selectable_for_restore", info.selectable_for_restore);
                json_number(&json, "flags", info.flags);
                json_number(&json, "file_sets", (int64_t)info.file_count);
                json_number(&json, "database_files", (int64_t)info.database_count);
                json_number(&json, "log_files", (int64_t)info.log_file_count);
                return json_print(&json);
        }
        printf("  %s%s%s%s, %s\n", printable(full_path(&info)), info.caption ? " \"" : "",
               info.caption ? printable(info.caption) : "", info.caption ? "\"" : "",
               info.selectable ? "selectable" : "not selectable");
        print_files(c, &info);
        return EXIT_OK;
}

static int print_components(const struct vss_writer_identity *id,
                            const struct vss_examine_writer_metadata *metadata) {
        size_t count;

        vss_examine_writer_metadata_get_file_counts(metadata, NULL, NULL, &count);
        if (!arg_json)
                printf("%s: %zu component%s\n", printable(id->name), count, count == 1 ? "" : "s");
        for (size_t i = 0; i < count; i++) {
                int r = print_component(id, vss_examine_writer_metadata_get_component(metadata, i));

                if (r != EXIT_OK)
                        return r;
        }
        return EXIT_OK;
}

static int list_writers_or_components(bool components) {
        _cleanup_(vss_backup_components_freep) struct vss_backup_components *bc = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct vss_async *async;
        size_t count;
        int r = connect_service(&bc);

        if (r == EXIT_OK)
                r = gather(bc, &count);
        if (r != EXIT_OK)
                return r;
        if (vss_backup_components_gather_writer_status(bc, &async, &error) >= 0)
                (void)vss_async_finish(async, NULL);
        if (count == 0 && !arg_json)
                printf("There are no writers. vss.conf(5) tells how to configure them.\n");
        for (size_t i = 0; i < count && r == EXIT_OK; i++) {
                struct vss_examine_writer_metadata *metadata;
                struct vss_writer_identity id;
                struct vss_writer_status status;
                struct vss_id instance;

                if (vss_backup_components_get_writer_metadata(bc, i, &instance, &metadata, &error) <
                    0)
                        return report_error(&error, "cannot read what writer %zu declares", i);
                vss_examine_writer_metadata_get_identity(metadata, &id);
                r = components ? print_components(&id, metadata)
                               : print_writer(&id, status_of(bc, &instance, &status));
        }
        return r;
}

static int list_writers(void) {
        return list_writers_or_components(false);
}

static int list_components(void) {
        return list_writers_or_components(true);
}

static int print_provider(const struct vss_provider_prop *p) {
        static const char *const kinds[] = { "unknown", "system", "software", "hardware",
                                             "file share" };
        const char *kind = p->kind < ELEMENTSOF(kinds) ? kinds[p->kind] : "unknown";

        if (arg_json) {
                struct json json = { 0 };

                json_string(&json, "record", "provider");
                json_string(&json, "name", p->name);
                json_string(&json, "title", p->title);
                json_string(&json, "type", kind);
                json_id(&json, "id", &p->provider_id);
                json_string(&json, "version", p->version);
                return json_print(&json);
        }
        printf("provider '%s': %s\n  type:    %s\n  id:      %s\n  version: %s\n",
               printable(p->name), printable(p->title), kind, format_id(&p->provider_id),
               printable(p->version));
        return EXIT_OK;
}

static int list_providers(void) {
        _cleanup_(vss_backup_components_freep) struct vss_backup_components *bc = NULL;
        _cleanup_(vss_enum_object_freep) struct vss_enum_object *cursor = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct vss_object_prop prop;
        size_t fetched;
        int r = connect_service(&bc);

        if (r != EXIT_OK)
                return r;
        r = vss_backup_components_query(bc, VSS_OBJECT_PROVIDER, &cursor, &error);
        if (r < 0)
                return report_error(&error, "cannot list providers");
        r = EXIT_OK;
        while (r == EXIT_OK && vss_enum_object_next(cursor, 1, &prop, &fetched) == 0 &&
               fetched == 1)
                r = print_provider(&prop.obj.prov);
        return r;
}

int find_provider(const char *word, struct vss_id *ret) {
        _cleanup_(vss_backup_components_freep) struct vss_backup_components *bc = NULL;
        _cleanup_(vss_enum_object_freep) struct vss_enum_object *cursor = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct vss_object_prop prop;
        size_t fetched;
        int r;

        if (vss_id_parse(word, ret) >= 0)
                return EXIT_OK;
        r = connect_service(&bc);
        if (r != EXIT_OK)
                return r;
        r = vss_backup_components_query(bc, VSS_OBJECT_PROVIDER, &cursor, &error);
        if (r < 0)
                return report_error(&error, "cannot list providers");
        while (vss_enum_object_next(cursor, 1, &prop, &fetched) == 0 && fetched == 1)
                if (strcmp(prop.obj.prov.name, word) == 0) {
                        *ret = prop.obj.prov.provider_id;
                        return EXIT_OK;
                }
        return usage_error("there is no provider '%s'; 'vssctl list providers' shows them",
                           printable(word));
}

static int print_volume(void *userdata, const struct vss_volume *volume, const char *provider,
                        const char *refusal) {
        if (arg_json) {
                struct json json = { 0 };

                json_string(&json, "record", "volume");
                json_string(&json, "id", volume->id);
                json_string(&json, "mount_point", volume->mount_point);
                json_string(&json, "device", volume->device);
                json_string(&json, "fs_type", volume->fs_type);
                json_string(&json, "subvolume", volume->subvolume);
                json_string(&json, "provider", provider);
                json_string(&json, "refusal", refusal);
                return json_print(&json) == EXIT_OK ? 0 : -ENOMEM;
        }
        printf("%s\n  id:       %s\n  device:   %s (%s)\n", printable(volume->mount_point),
               printable(volume->id), printable(volume->device), printable(volume->fs_type));
        if (*volume->subvolume)
                printf("  subvolume: %s\n", printable(volume->subvolume));
        if (refusal)
                printf("  no shadow copies: %s\n", printable(refusal));
        else
                printf("  provider: %s\n", printable(provider));
        return 0;
}

static int list_volumes(void) {
        _cleanup_(vss_backup_components_freep) struct vss_backup_components *bc = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int r = connect_service(&bc);

        if (r != EXIT_OK)
                return r;
        r = vss_backup_components_query_volumes(bc, print_volume, NULL, &error);
        return r < 0 ? report_error(&error, "cannot list volumes") : EXIT_OK;
}

static const struct opt options[] = {
        { "from", "STORE", "backups, paths: the store to look into", OPT_FROM },
        { "set", "ID", "paths: id, beginning of its name, or latest", OPT_SET },
        { "component", "PATH", "paths: only this component; repeatable", OPT_COMPONENT },
        { NULL, NULL, NULL, 0 },
};

static const struct kind {
        const char *name;
        int (*list)(void);
} kinds[] = {
        { "writers", list_writers },     { "components", list_components },
        { "providers", list_providers }, { "volumes", list_volumes },
        { "shadows", list_shadows },
};

static int parse_options(int argc, char *argv[]) {
        int c;

        while ((c = next_option(&verb_list, argc, argv)) != -1)
                switch (c) {
                case OPT_FROM:
                        arg_from = optarg;
                        break;
                case OPT_SET:
                        arg_set = optarg;
                        break;
                case OPT_COMPONENT:
                        if (component_list_add(&arg_components, optarg) != EXIT_OK)
                                return EXIT_USAGE;
                        break;
                default:
                        return EXIT_USAGE;
                }
        return EXIT_OK;
}

/* list_store() - what is read from a store and needs no service */
static int list_store(const char *what, const char *const *paths, size_t path_count) {
        const struct path_listing listing = { arg_from, arg_set ? arg_set : "latest",
                                              &arg_components, paths, path_count };

        if (!arg_from)
                return usage_error("say which store: --from STORE");
        return strcmp(what, "paths") == 0 ? list_paths(&listing) : list_backups(arg_from);
}

static int run_list(int argc, char *argv[]) {
        const char *what;
        int r = parse_options(argc, argv);

        if (r != EXIT_OK)
                return r;
        if (optind == argc)
                return usage_error("say what to list: writers, components, providers, volumes, "
                                   "shadows, backups or paths");
        what = argv[optind++];
        if (strcmp(what, "paths") == 0) {
                for (int i = optind; i < argc; i++)
                        strip_slashes(argv[i]);
                return list_store(what, (const char *const *)argv + optind,
                                  (size_t)(argc - optind));
        }
        if (optind != argc)
                return usage_error("one thing at a time: 'vssctl list %s' takes no '%s'",
                                   printable(what), printable(argv[optind]));
        if (arg_components.count > 0 || arg_set)
                return usage_error("--set and --component are for 'vssctl list paths'");
        if (strcmp(what, "backups") == 0)
                return list_store(what, NULL, 0);
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (strcmp(what, kinds[i].name) == 0)
                        return arg_from ? usage_error("--from is for 'vssctl list backups' and "
                                                      "'vssctl list paths'")
                                        : kinds[i].list();
        return usage_error("cannot list '%s'; there are writers, components, providers, volumes, "
                           "shadows, backups and paths",
                           printable(what));
}

const struct verb verb_list = {
        .name = "list",
        .synopsis = "[OPTIONS] writers|components|providers|volumes|shadows|backups|paths "
                    "[PATH...]",
        .summary = "Show what takes part in backups, the backups of a store, and their paths.",
        .options = options,
        .run = run_list,
};
