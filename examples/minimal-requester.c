/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * minimal-requester.c - a backup program: asks the writers, takes a shadow copy of the volume that
 * holds a path, says where to read, waits for Enter, tells the writers how it went, and lets
 * everything go.
 * usage: minimal-requester PATH [CONFIG-DIR|BUS-ADDRESS [DOCUMENT]]
 *
 * With CONFIG-DIR a private vssd is used. A real program would copy files where this one waits, and
 * keep DOCUMENT with them: without it nothing can be restored with the writers' help.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vss/requester.h>

#define TRY(call)                                                                                  \
        do {                                                                                       \
                r = (call);                                                                        \
                if (r < 0)                                                                         \
                        return r;                                                                  \
        } while (0)

typedef struct vss_backup_components bc_t;

typedef int (*component_fn)(bc_t *bc, const struct vss_id *instance,
                            const struct vss_component_key *key, struct vss_error *e);

/* everything that every writer has at the top; what is below it comes along */
static int each_component(bc_t *bc, component_fn fn, struct vss_error *e) {
        size_t writers;
        int r;

        TRY(vss_backup_components_get_writer_metadata_count(bc, &writers, e));
        for (size_t i = 0; i < writers; i++) {
                struct vss_examine_writer_metadata *md;
                const struct vss_wm_component *c;
                struct vss_writer_identity who;
                struct vss_id instance;

                TRY(vss_backup_components_get_writer_metadata(bc, i, &instance, &md, e));
                vss_examine_writer_metadata_get_identity(md, &who);
                for (size_t k = 0; (c = vss_examine_writer_metadata_get_component(md, k)); k++) {
                        struct vss_component_info info;
                        struct vss_component_key key;
                        uint32_t kind = vss_examine_writer_metadata_classify(md, k);

                        if (kind != VSS_COMPONENT_REQUIRED && kind != VSS_COMPONENT_OPTIONAL)
                                continue;
                        vss_wm_component_get_component_info(c, &info);
                        key = (struct vss_component_key){ who.writer_id, info.type,
                                                          info.logical_path, info.name };
                        TRY(fn(bc, &instance, &key, e));
                }
        }
        return 0;
}

static int add_component(bc_t *bc, const struct vss_id *instance,
                         const struct vss_component_key *key, struct vss_error *e) {
        printf("component: %s\n", key->name);
        return vss_backup_components_add_component(bc, instance, key, e);
}

/* a component whose writer failed is not in the backup, whatever was copied (B-17) */
static int tell_success(bc_t *bc, const struct vss_id *instance,
                        const struct vss_component_key *key, struct vss_error *e) {
        struct vss_writer_status status;
        bool good = false;
        size_t count;
        int r;

        TRY(vss_backup_components_get_writer_status_count(bc, &count, e));
        for (size_t i = 0; i < count; i++) {
                TRY(vss_backup_components_get_writer_status(bc, i, &status, e));
                if (vss_id_equal(&status.instance_id, instance))
                        good = status.failure == S_OK;
        }
        return vss_backup_components_set_backup_succeeded(bc, instance, key, good, e);
}

/* the first volume is the one that holds the path */
static int take_first(void *userdata, const struct vss_volume *volume, const char *provider,
                      const char *refusal) {
        char *mount_point = userdata;

        if (!*mount_point && strlen(volume->mount_point) < 4096)
                strcpy(mount_point, volume->mount_point);
        return 0;
}

static int prepare(bc_t *bc, const char *path, struct vss_id *ret_copy, struct vss_error *e) {
        const char *paths[] = { path, NULL };
        char volume[4096] = "";
        struct vss_async *async;
        int r;

        TRY(vss_backup_components_initialize_for_backup(bc, NULL, e));
        TRY(vss_backup_components_set_backup_state(bc, true, false, VSS_BT_FULL, false, e));
        TRY(vss_backup_components_gather_writer_metadata(bc, &async, e));
        TRY(vss_async_finish(async, e));
        TRY(each_component(bc, add_component, e));
        TRY(vss_backup_components_resolve_path(bc, path, false, take_first, volume, e));
        TRY(vss_backup_components_start_snapshot_set(bc, NULL, e));
        TRY(vss_backup_components_add_to_snapshot_set(bc, volume, NULL, paths, ret_copy, e));
        TRY(vss_backup_components_prepare_for_backup(bc, &async, e));
        return vss_async_finish(async, e);
}

/* a writer's veto does not fail the set; whoever asks is told (B-45) */
static int show_writers(bc_t *bc, struct vss_error *e) {
        struct vss_writer_status status;
        struct vss_async *async;
        size_t count;
        int r;

        TRY(vss_backup_components_gather_writer_status(bc, &async, e));
        TRY(vss_async_finish(async, e));
        TRY(vss_backup_components_get_writer_status_count(bc, &count, e));
        for (size_t i = 0; i < count; i++) {
                TRY(vss_backup_components_get_writer_status(bc, i, &status, e));
                printf("status: %s %s %s\n", status.name, vss_error_name(status.failure),
                       status.message);
        }
        return 0;
}

/* after BackupComplete, so that the results are in it (B-20) */
static int save_document(bc_t *bc, const char *path, struct vss_error *e) {
        char *xml;
        size_t size;
        FILE *file;
        int r;

        TRY(vss_backup_components_save_as_xml(bc, &xml, &size, e));
        file = fopen(path, "w");
        if (!file || fwrite(xml, 1, size, file) != size)
                r = vss_fail(e, -errno, "cannot write '%s'", path);
        if (file && fclose(file) != 0 && r >= 0)
                r = vss_fail(e, -errno, "cannot write '%s'", path);
        free(xml);
        return r;
}

static int backup(bc_t *bc, const char *path, const char *document, struct vss_error *e) {
        struct vss_snapshot_prop prop;
        struct vss_async *async;
        struct vss_id copy;
        int r;

        TRY(prepare(bc, path, &copy, e));
        TRY(vss_backup_components_do_snapshot_set(bc, &async, e));
        TRY(vss_async_finish(async, e));
        TRY(show_writers(bc, e));
        TRY(vss_backup_components_get_snapshot_properties(bc, &copy, &prop, e));
        printf("copy: %s\n", prop.device_object);
        vss_free_snapshot_properties(&prop);
        (void)getchar(); /* here a real program copies, and checks that all of it is on its medium
                          */
        TRY(each_component(bc, tell_success, e));
        TRY(vss_backup_components_backup_complete(bc, &async, e));
        TRY(vss_async_finish(async, e));
        return document ? save_document(bc, document, e) : 0;
}

int main(int argc, char *argv[]) {
        struct vss_connection connection = { 0 };
        struct vss_error error = VSS_ERROR_INIT;
        bc_t *bc = NULL;
        int r;

        if (argc < 2) {
                fprintf(stderr,
                        "usage: minimal-requester PATH [CONFIG-DIR|BUS-ADDRESS [DOCUMENT]]\n");
                return 2;
        }
        setvbuf(stdout, NULL, _IOLBF, 0);
        if (argc > 2 && *argv[2] == '/') {
                connection.config_dir = argv[2];
                connection.embedded = 1;
        } else if (argc > 2) {
                connection.address = argv[2];
        }
        r = vss_backup_components_create(&connection, &bc, &error);
        if (r == 0)
                r = backup(bc, argv[1], argc > 3 ? argv[3] : NULL, &error);
        if (r < 0) {
                fprintf(stderr, "minimal-requester: %s (%s)\n", vss_error_message(&error),
                        vss_error_name(r));
                if (bc)
                        (void)vss_backup_components_abort_backup(bc, NULL);
        }
        vss_backup_components_free(bc);
        vss_error_clear(&error);
        return r < 0;
}
