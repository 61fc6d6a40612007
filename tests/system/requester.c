/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * requester.c - a backup program with public calls only, one step per line of standard input, so
 * that a script can look, and kill, in between.
 *
 * usage: requester CONFIG-DIR [ADDRESS]
 *   context N | enable-class ID | disable-class ID | disable-instance ID | gather | writers | start
 * | add VOLUME [PROVIDER-ID] | prepare | snapshot | copies | status | complete | abort | delete |
 * timing | volumes | resolve PATH | below PATH | query | keep | forget ID | changes ID | release
 *
 * keep, forget and changes concern the first copy.
 *
 * Each step answers lines, then "ok", or "failed NAME: words".
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vss/requester.h"

static struct vss_backup_components *bc;
static struct vss_id copies[64], set_id;
static size_t n_copies;

static int print_volume(void *userdata, const struct vss_volume *volume, const char *provider,
                        const char *refusal) {
        printf("%s %s %s\n", volume->mount_point, provider ? provider : "-",
               refusal ? refusal : "");
        return 0;
}

static int finish(int r, struct vss_async *async, struct vss_error *e) {
        if (r >= 0)
                r = vss_async_finish(async, e);
        if (r >= 0 && e->message)
                fprintf(stderr, "warning: %s\n", e->message);
        return r;
}

static int gather(struct vss_error *e) {
        struct vss_async *async = NULL;
        int r = vss_backup_components_set_backup_state(bc, false, false, VSS_BT_FULL, false, e);

        if (r >= 0)
                r = vss_backup_components_gather_writer_metadata(bc, &async, e);
        return finish(r, async, e);
}

static int print_writers(struct vss_error *e) {
        size_t n = 0;
        int r = vss_backup_components_get_writer_metadata_count(bc, &n, e);

        for (size_t i = 0; r >= 0 && i < n; i++) {
                struct vss_examine_writer_metadata *metadata;
                struct vss_writer_identity identity;
                char class[VSS_ID_TEXT_SIZE], text[VSS_ID_TEXT_SIZE];
                struct vss_id instance;

                r = vss_backup_components_get_writer_metadata(bc, i, &instance, &metadata, e);
                if (r < 0)
                        break;
                vss_examine_writer_metadata_get_identity(metadata, &identity);
                printf("%s class %s instance %s\n", identity.name,
                       vss_id_format(&identity.writer_id, class), vss_id_format(&instance, text));
        }
        return r;
}

static int print_status(struct vss_error *e) {
        struct vss_async *async = NULL;
        size_t n = 0;
        int r = vss_backup_components_gather_writer_status(bc, &async, e);

        r = finish(r, async, e);
        if (r >= 0)
                r = vss_backup_components_get_writer_status_count(bc, &n, e);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                struct vss_writer_status status;

                r = vss_backup_components_get_writer_status(bc, i, &status, e);
                if (r >= 0)
                        printf("%s state %u %s %s\n", status.name, status.state,
                               vss_error_name(status.failure), status.message);
        }
        return r;
}

static int add(char *volume, struct vss_error *e) {
        char *provider = strchr(volume, ' ');
        struct vss_id id;
        int r;

        if (provider) {
                *provider++ = '\0';
                if (vss_id_parse(provider, &id) < 0)
                        return vss_fail(e, E_INVALIDARG, "'%s' is no id", provider);
        }
        r = vss_backup_components_add_to_snapshot_set(bc, volume, provider ? &id : NULL, NULL,
                                                      &copies[n_copies], e);
        if (r >= 0)
                n_copies++;
        return r;
}

static int print_copies(struct vss_error *e) {
        for (size_t i = 0; i < n_copies; i++) {
                struct vss_snapshot_prop prop = { 0 };
                int r = vss_backup_components_get_snapshot_properties(bc, &copies[i], &prop, e);

                if (r < 0)
                        return r;
                printf("%s %s\n", prop.original_mount, prop.device_object);
                vss_free_snapshot_properties(&prop);
        }
        return 0;
}

static int query(struct vss_error *e) {
        struct vss_enum_object *cursor = NULL;
        struct vss_object_prop prop;
        size_t fetched;
        int r = vss_backup_components_query(bc, VSS_OBJECT_SNAPSHOT, &cursor, e);

        while (r == 0 && vss_enum_object_next(cursor, 1, &prop, &fetched) == 0 && fetched == 1)
                printf("%s %s\n", prop.obj.snap.original_mount, prop.obj.snap.device_object);
        vss_enum_object_free(cursor);
        return r;
}

static int timing(struct vss_error *e) {
        uint64_t freeze, hold;
        int r = vss_backup_components_get_set_timing(bc, &freeze, &hold, e);

        if (r >= 0)
                printf("freeze %lu hold %lu\n", (unsigned long)freeze, (unsigned long)hold);
        return r;
}

static int delete_set(struct vss_error *e) {
        struct vss_id not_deleted;
        uint32_t deleted = 0;
        int r = vss_backup_components_delete_snapshots(bc, &set_id, VSS_OBJECT_SNAPSHOT_SET, false,
                                                       &deleted, &not_deleted, e);

        printf("deleted %u\n", deleted);
        return r;
}

/* ---- what changed ---- */

static int keep(struct vss_error *e) {
        char text[VSS_ID_TEXT_SIZE];
        struct vss_id id;
        int r = vss_backup_components_keep_reference(bc, &copies[0], &id, e);

        if (r >= 0)
                printf("%s\n", vss_id_format(&id, text));
        return r;
}

static int forget(const char *text, struct vss_error *e) {
        struct vss_snapshot_prop prop = { 0 };
        struct vss_id id;
        int r = vss_id_parse(text, &id);

        if (r >= 0)
                r = vss_backup_components_get_snapshot_properties(bc, &copies[0], &prop, e);
        if (r >= 0)
                r = vss_backup_components_release_reference(bc, &prop.provider_id, &id, e);
        vss_free_snapshot_properties(&prop);
        return r;
}

static int print_change(void *userdata, const struct vss_change *change) {
        static const char *const kinds[] = { "", "changed", "new", "gone", "renamed" };

        printf("%s%s /%s", kinds[change->kind],
               change->kind == VSS_CHANGE_CHANGED && change->content ? "+" : "", change->path);
        if (change->from)
                printf(" from /%s", change->from);
        for (size_t i = 0; i < change->extent_count; i++)
                printf(" %lu:%lu", (unsigned long)change->extents[i].offset,
                       (unsigned long)change->extents[i].length);
        putchar('\n');
        return 0;
}

static int changes(const char *text, struct vss_error *e) {
        struct vss_id id;
        int r = vss_id_parse(text, &id);

        if (r >= 0)
                r = vss_backup_components_query_changes(bc, &copies[0], &id, print_change, NULL, e);
        return r;
}

static int print_path(void *userdata, size_t question, const struct vss_volume *volume,
                      const char *provider, const char *refusal) {
        printf("%zu %s %s\n", question, volume->mount_point, refusal ? refusal : provider);
        return 0;
}

/* paths PATH PATH ...: all in one question */
static int paths(char *rest, struct vss_error *e) {
        struct vss_path_question questions[64];
        struct vss_error failures[64] = { 0 };
        size_t n = 0;
        int r;

        for (char *path; n < 64 && (path = strsep(&rest, " "));)
                questions[n++] = (struct vss_path_question){ path, false };
        r = vss_backup_components_resolve_paths(bc, questions, n, print_path, NULL, failures, e);
        for (size_t i = 0; i < n; i++) {
                if (failures[i].code)
                        printf("%zu %s %s\n", i, vss_error_name(failures[i].code),
                               vss_error_message(&failures[i]));
                vss_error_clear(&failures[i]);
        }
        return r;
}

static int filter(const char *verb, const char *text, struct vss_error *e) {
        struct vss_id id;

        if (vss_id_parse(text, &id) < 0)
                return vss_fail(e, E_INVALIDARG, "'%s' is no id", text);
        if (*verb == 'e')
                return vss_backup_components_enable_writer_classes(bc, &id, 1, e);
        if (strcmp(verb, "disable-class") == 0)
                return vss_backup_components_disable_writer_classes(bc, &id, 1, e);
        return vss_backup_components_disable_writer_instances(bc, &id, 1, e);
}

static int step(const char *verb, char *rest, struct vss_error *e) {
        struct vss_async *async = NULL;
        int r;

        if (strcmp(verb, "context") == 0)
                return vss_backup_components_set_context(bc, (uint32_t)strtoul(rest, NULL, 0), e);
        if (strncmp(verb, "enable-", 7) == 0 || strncmp(verb, "disable-", 8) == 0)
                return filter(verb, rest, e);
        if (strcmp(verb, "paths") == 0)
                return paths(rest, e);
        if (strcmp(verb, "gather") == 0)
                return gather(e);
        if (strcmp(verb, "writers") == 0)
                return print_writers(e);
        if (strcmp(verb, "status") == 0)
                return print_status(e);
        if (strcmp(verb, "start") == 0)
                return vss_backup_components_start_snapshot_set(bc, &set_id, e);
        if (strcmp(verb, "add") == 0)
                return add(rest, e);
        if (strcmp(verb, "prepare") == 0) {
                r = vss_backup_components_prepare_for_backup(bc, &async, e);
                return finish(r, async, e);
        }
        if (strcmp(verb, "snapshot") == 0) {
                r = vss_backup_components_do_snapshot_set(bc, &async, e);
                return finish(r, async, e);
        }
        if (strcmp(verb, "complete") == 0) {
                r = vss_backup_components_backup_complete(bc, &async, e);
                return finish(r, async, e);
        }
        if (strcmp(verb, "abort") == 0)
                return vss_backup_components_abort_backup(bc, e);
        if (strcmp(verb, "copies") == 0)
                return print_copies(e);
        if (strcmp(verb, "delete") == 0)
                return delete_set(e);
        if (strcmp(verb, "timing") == 0)
                return timing(e);
        if (strcmp(verb, "query") == 0)
                return query(e);
        if (strcmp(verb, "keep") == 0)
                return keep(e);
        if (strcmp(verb, "forget") == 0)
                return forget(rest, e);
        if (strcmp(verb, "changes") == 0)
                return changes(rest, e);
        if (strcmp(verb, "volumes") == 0)
                return vss_backup_components_query_volumes(bc, print_volume, NULL, e);
        if (strcmp(verb, "resolve") == 0 || strcmp(verb, "below") == 0)
                return vss_backup_components_resolve_path(bc, rest, *verb == 'b', print_volume,
                                                          NULL, e);
        if (strcmp(verb, "release") == 0) {
                bc = vss_backup_components_free(bc);
                return 0;
        }
        return vss_fail(e, E_INVALIDARG, "no such step: %s", verb);
}

static void answer(int r, struct vss_error *e) {
        if (r < 0)
                printf("failed %s: %s\n", vss_error_name(r), vss_error_message(e));
        else
                puts("ok");
        fflush(stdout);
        vss_error_clear(e);
}

int main(int argc, char **argv) {
        struct vss_connection connection = { .config_dir = argc > 1 ? argv[1] : NULL,
                                             .address = argc > 2 ? argv[2] : NULL,
                                             .embedded = argc <= 2 };
        struct vss_error e = VSS_ERROR_INIT;
        char line[4200];
        int r;

        if (argc < 2)
                return 2;
        if (argc > 2)
                connection.config_dir = NULL;
        r = vss_backup_components_create(&connection, &bc, &e);
        if (r >= 0)
                r = vss_backup_components_initialize_for_backup(bc, NULL, &e);
        answer(r, &e);
        while (bc && fgets(line, sizeof(line), stdin)) {
                char *rest;

                line[strcspn(line, "\n")] = '\0';
                rest = strchr(line, ' ');
                if (rest)
                        *rest++ = '\0';
                answer(step(line, rest ? rest : (char[]){ "" }, &e), &e);
        }
        vss_backup_components_free(bc);
        return 0;
}
