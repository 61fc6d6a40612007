/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verb-shadow.c - vssctl shadow create|list|show|delete: shadow copies without a backup.
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

enum { OPT_CONTEXT = 1, OPT_NO_WRITERS, OPT_PROVIDER, OPT_FORCE, OPT_SET, OPT_ALL };

static const char *arg_context = "persistent", *arg_provider;
static bool arg_no_writers, arg_force, arg_set, arg_all;

static int context_value(uint32_t *ret) {
        if (strcmp(arg_context, "persistent") == 0)
                *ret = arg_no_writers ? VSS_CTX_NAS_ROLLBACK : VSS_CTX_APP_ROLLBACK;
        else if (strcmp(arg_context, "client-accessible") == 0)
                *ret = arg_no_writers ? VSS_CTX_CLIENT_ACCESSIBLE
                                      : VSS_CTX_CLIENT_ACCESSIBLE_WRITERS;
        else
                return usage_error("--context is 'persistent' or 'client-accessible', not '%s'; a "
                                   "volatile copy would end with this command",
                                   arg_context);
        return EXIT_OK;
}

/* fill_set_of_one() - T-20: a set of the named volumes, as simple as it can be */
static int create_set(struct vss_backup_components *bc, char *volumes[],
                      const struct vss_id *provider, struct vss_id *ret_set,
                      struct vss_error *error) {
        struct vss_async *async;
        int r;

        if (!arg_no_writers) {
                r = vss_backup_components_set_backup_state(bc, false, false, VSS_BT_COPY, false,
                                                           error);
                if (r >= 0)
                        r = vss_backup_components_gather_writer_metadata(bc, &async, error);
                if (r >= 0)
                        r = vss_async_finish(async, error);
                if (r < 0)
                        return r;
        }
        r = vss_backup_components_start_snapshot_set(bc, ret_set, error);
        for (; r >= 0 && *volumes; volumes++) {
                struct vss_id id;

                r = vss_backup_components_add_to_snapshot_set(bc, *volumes, provider, NULL, &id,
                                                              error);
                if (r < 0)
                        return vss_wrap(error, r, "volume '%s'", printable(*volumes));
        }
        if (r >= 0 && !arg_no_writers) {
                r = vss_backup_components_prepare_for_backup(bc, &async, error);
                if (r >= 0)
                        r = vss_async_finish(async, error);
        }
        if (r >= 0)
                r = vss_backup_components_do_snapshot_set(bc, &async, error);
        return r < 0 ? r : vss_async_finish(async, error);
}

static void print_exposure(const struct vss_snapshot_prop *p) {
        if (p->exposed_name)
                printf("  exposed:      %s\n", printable(p->exposed_name));
        else
                printf("  exposed:      not exposed\n");
}

/* T-41 */
static int print_shadow(const struct vss_snapshot_prop *p) {
        if (arg_json) {
                struct json json = { 0 };

                json_string(&json, "record", "shadow");
                json_id(&json, "id", &p->snapshot_id);
                json_id(&json, "set_id", &p->snapshot_set_id);
                json_number(&json, "count", p->snapshots_count);
                json_string(&json, "original_volume", p->original_volume);
                json_string(&json, "original_mount", p->original_mount);
                json_time(&json, "created", p->creation_timestamp);
                json_string(&json, "device_object", p->device_object);
                json_string(&json, "originating_machine", p->originating_machine);
                json_string(&json, "service_machine", p->service_machine);
                json_string(&json, "exposed_name", p->exposed_name);
                json_string(&json, "exposed_path", p->exposed_path);
                json_id(&json, "provider_id", &p->provider_id);
                json_number(&json, "attributes", p->attributes);
                json_string(&json, "attribute_words", attribute_words(p->attributes));
                return json_print(&json);
        }
        printf("shadow copy %s\n", format_id(&p->snapshot_id));
        printf("  set:          %s, %d when created, %s\n", format_id(&p->snapshot_set_id),
               (int)p->snapshots_count, format_time(p->creation_timestamp));
        printf("  volume:       %s (%s)\n", printable(p->original_mount),
               printable(p->original_volume));
        printf("  device:       %s\n", printable(p->device_object));
        printf("  machine:      %s, service on %s\n", printable(p->originating_machine),
               printable(p->service_machine));
        print_exposure(p);
        printf("  provider:     %s\n", format_id(&p->provider_id));
        printf("  attributes:   %s\n", attribute_words(p->attributes));
        return EXIT_OK;
}

static int each_shadow(struct vss_backup_components *bc, const struct vss_id *only,
                       unsigned *ret_count, struct vss_error *error) {
        _cleanup_(vss_enum_object_freep) struct vss_enum_object *cursor = NULL;
        struct vss_object_prop prop;
        size_t fetched;
        int r = vss_backup_components_query(bc, VSS_OBJECT_SNAPSHOT, &cursor, error);

        *ret_count = 0;
        if (r < 0)
                return r;
        while (vss_enum_object_next(cursor, 1, &prop, &fetched) == 0 && fetched == 1) {
                const struct vss_snapshot_prop *p = &prop.obj.snap;

                if (only && !vss_id_equal(only, &p->snapshot_id) &&
                    !vss_id_equal(only, &p->snapshot_set_id))
                        continue;
                if (print_shadow(p) != EXIT_OK)
                        return -ENOMEM;
                ++*ret_count;
        }
        return 0;
}

static int shadow_create(char *volumes[]) {
        _cleanup_(vss_backup_components_freep) struct vss_backup_components *bc = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct vss_id set, provider = { 0 };
        uint32_t context = 0;
        unsigned count;
        int r;

        if (!*volumes)
                return usage_error("name the volumes to copy, for example their mount points");
        r = context_value(&context);
        if (r == EXIT_OK && arg_provider)
                r = find_provider(arg_provider, &provider);
        if (r == EXIT_OK)
                r = connect_service(&bc);
        if (r != EXIT_OK)
                return r;
        r = vss_backup_components_set_context(bc, context, &error);
        if (r >= 0)
                r = create_set(bc, volumes, &provider, &set, &error);
        if (r < 0) {
                (void)vss_backup_components_abort_backup(bc, NULL);
                return report_error(&error, "no shadow copy was made");
        }
        r = each_shadow(bc, &set, &count, &error);
        return r < 0 ? report_error(&error, "cannot show the new set") : EXIT_OK;
}

static int open_administration(struct vss_backup_components **ret) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int r = connect_service(ret);

        if (r != EXIT_OK)
                return r;
        r = vss_backup_components_set_context(*ret, VSS_CTX_ALL, &error);
        return r < 0 ? report_error(&error, "cannot administer shadow copies") : EXIT_OK;
}

static int shadow_list(char *operands[], bool must_exist) {
        _cleanup_(vss_backup_components_freep) struct vss_backup_components *bc = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct vss_id id;
        unsigned count;
        int r;

        if (must_exist && !*operands)
                return usage_error("name the id of a shadow copy or of a set");
        if (*operands && vss_id_parse(*operands, &id) < 0)
                return usage_error("'%s' is no id", *operands);
        r = open_administration(&bc);
        if (r != EXIT_OK)
                return r;
        r = each_shadow(bc, *operands ? &id : NULL, &count, &error);
        if (r < 0)
                return report_error(&error, "cannot list shadow copies");
        if (count == 0 && must_exist)
                return usage_error("there is no shadow copy or set %s", format_id(&id));
        if (count == 0 && !arg_json)
                printf("There are no shadow copies.\n");
        return EXIT_OK;
}

int list_shadows(void) {
        char *none[] = { NULL };

        return shadow_list(none, false);
}

static int report_deleted(unsigned deleted) {
        struct json json = { 0 };

        if (!arg_json) {
                printf("%u deleted\n", deleted);
                return EXIT_OK;
        }
        json_string(&json, "record", "deleted");
        json_number(&json, "deleted", deleted);
        return json_print(&json);
}

/* collect_all() - ids of every copy; deleting while the cursor is open would be a race */
static int collect_all(struct vss_backup_components *bc, struct vss_id **ret, size_t *ret_count,
                       struct vss_error *error) {
        _cleanup_(vss_enum_object_freep) struct vss_enum_object *cursor = NULL;
        _cleanup_free_ struct vss_id *ids = NULL;
        size_t count = 0, capacity = 0, fetched;
        struct vss_object_prop prop;
        int r = vss_backup_components_query(bc, VSS_OBJECT_SNAPSHOT, &cursor, error);

        if (r < 0)
                return r;
        while (vss_enum_object_next(cursor, 1, &prop, &fetched) == 0 && fetched == 1) {
                uint32_t attributes = prop.obj.snap.attributes;

                /* a backup is reading it, and it goes with that backup */
                if (!(attributes & VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE) && !arg_force)
                        continue;
                if (ARRAY_RESERVE(&ids, count, &capacity) < 0)
                        return -ENOMEM;
                ids[count++] = prop.obj.snap.snapshot_id;
        }
        *ret = take(ids);
        *ret_count = count;
        return 0;
}

static int shadow_delete(char *operands[]) {
        _cleanup_(vss_backup_components_freep) struct vss_backup_components *bc = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_free_ struct vss_id *ids = NULL;
        uint32_t type = arg_set ? VSS_OBJECT_SNAPSHOT_SET : VSS_OBJECT_SNAPSHOT, deleted = 0;
        struct vss_id left, given;
        size_t count = 0;
        unsigned total = 0;
        int r = 0;

        if (!arg_all && !*operands)
                return usage_error("name the ids to delete, or --all");
        for (char **p = operands; *p; p++)
                if (vss_id_parse(*p, &given) < 0)
                        return usage_error("'%s' is no id", *p);
        r = open_administration(&bc);
        if (r != EXIT_OK)
                return r;
        if (arg_all)
                r = collect_all(bc, &ids, &count, &error);
        for (size_t i = 0; r >= 0 && i < count; i++, total += deleted)
                r = vss_backup_components_delete_snapshots(bc, &ids[i], VSS_OBJECT_SNAPSHOT,
                                                           arg_force, &deleted, &left, &error);
        for (char **p = operands; r >= 0 && *p; p++, total += deleted) {
                (void)vss_id_parse(*p, &given);
                r = vss_backup_components_delete_snapshots(bc, &given, type, arg_force, &deleted,
                                                           &left, &error);
        }
        if (r < 0) {
                (void)report_deleted(total + deleted);
                return report_error(&error, "not everything was deleted");
        }
        return report_deleted(total);
}

static const struct opt options[] = {
        { "context", "CONTEXT", "persistent (default) or client-accessible", OPT_CONTEXT },
        { "no-writers", NULL, "do not involve the applications", OPT_NO_WRITERS },
        { "provider", "NAME", "the provider that makes the copies", OPT_PROVIDER },
        { "set", NULL, "delete: the ids are those of sets", OPT_SET },
        { "all", NULL, "delete: every shadow copy but those of backups that run", OPT_ALL },
        { "force", NULL, "delete: also copies that are in use", OPT_FORCE },
        { NULL, NULL, NULL, 0 },
};

static int run_shadow(int argc, char *argv[]) {
        char **operands;
        int c;

        while ((c = next_option(&verb_shadow, argc, argv)) != -1)
                switch (c) {
                case OPT_CONTEXT:
                        arg_context = optarg;
                        break;
                case OPT_NO_WRITERS:
                        arg_no_writers = true;
                        break;
                case OPT_PROVIDER:
                        arg_provider = optarg;
                        break;
                case OPT_SET:
                        arg_set = true;
                        break;
                case OPT_ALL:
                        arg_all = true;
                        break;
                case OPT_FORCE:
                        arg_force = true;
                        break;
                default:
                        return EXIT_USAGE;
                }
        if (optind == argc)
                return usage_error("say create, list, show or delete");
        operands = argv + optind + 1;
        if (strcmp(argv[optind], "create") == 0)
                return shadow_create(operands);
        if (strcmp(argv[optind], "list") == 0)
                return shadow_list(operands, false);
        if (strcmp(argv[optind], "show") == 0)
                return shadow_list(operands, true);
        if (strcmp(argv[optind], "delete") == 0)
                return shadow_delete(operands);
        return usage_error("'vssctl shadow %s' is not known; say create, list, show or delete",
                           argv[optind]);
}

const struct verb verb_shadow = {
        .name = "shadow",
        .synopsis = "[OPTIONS] create VOLUME... | list [ID] | show ID | delete ID...",
        .summary = "Make, show and delete shadow copies without a backup.",
        .options = options,
        .run = run_shadow,
};
