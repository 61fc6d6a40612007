/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * create-metadata.c - a writer describes itself: the public calls of identify, each checked at
 * once, and the checks that are possible only at the end.
 */
#include "documents/create-metadata.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "documents/backup-types.h"
#include "documents/text.h"
#include "documents/writer-metadata.h"

static int set_identity(struct metadata *m, const struct vss_writer_identity *identity,
                        struct vss_error *reterr) {
        struct tree *tree = &m->tree;
        struct node *node = m->identification;
        int r = 0;

        if (vss_id_is_null(&identity->writer_id) || !identity->name || !*identity->name)
                return vss_fail(reterr, E_INVALIDARG,
                                "a writer needs a class id and a name (D-8, D-10)");
        r = r < 0 ? r : node_set_id(tree, node, ID_WRITER, &identity->writer_id);
        r = r < 0 ? r : node_set_id(tree, node, ID_INSTANCE, &identity->instance_id);
        r = r < 0 ? r
                  : node_set_text(tree, node, ID_INSTANCE_NAME, identity->instance_name, reterr);
        r = r < 0 ? r : node_set_text(tree, node, ID_NAME, identity->name, reterr);
        r = r < 0 ? r : node_set_word(node, ID_USAGE, identity->usage, reterr);
        r = r < 0 ? r : node_set_word(node, ID_SOURCE, identity->source, reterr);
        r = r < 0 ? r : node_set_mask(tree, node, ID_MAJOR, identity->version_major);
        r = r < 0 ? r : node_set_mask(tree, node, ID_MINOR, identity->version_minor);
        return r;
}

int create_writer_metadata_new(const struct vss_writer_identity *identity, bool express,
                               struct vss_create_writer_metadata **ret, struct vss_error *reterr) {
        _cleanup_free_ struct vss_create_writer_metadata *metadata = calloc(1, sizeof(*metadata));
        struct metadata *m;
        int r;

        if (!metadata)
                return -ENOMEM;
        metadata->express = express;
        m = &metadata->m;
        r = component_index_init(&m->index);
        if (r < 0)
                return r;
        r = tree_init(&m->tree, &element_writer_metadata, NULL);
        if (r < 0) {
                component_index_done(&m->index);
                return r;
        }
        r = node_set_text(&m->tree, m->tree.root, WM_VERSION, DOCUMENT_VERSION, reterr);
        m->identification = node_new(&m->tree, &element_identification);
        m->by_path = file_set_index_new();
        if (r >= 0)
                r = m->identification && m->by_path
                            ? node_append(&m->tree, m->tree.root, m->identification)
                            : -ENOMEM;
        if (r >= 0)
                r = set_identity(m, identity, reterr);
        if (r < 0) {
                metadata_done(m);
                return r;
        }
        *ret = take(metadata);
        return 0;
}

struct vss_create_writer_metadata *
create_writer_metadata_free(struct vss_create_writer_metadata *metadata) {
        if (metadata) {
                metadata_done(&metadata->m);
                free(metadata);
        }
        return NULL;
}

/* ---- helpers ---- */

static int check_open(const struct vss_create_writer_metadata *metadata, struct vss_error *reterr) {
        if (metadata->closed)
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "a writer's metadata can be changed inside identify only");
        return 0;
}

static int not_for_express(const struct vss_create_writer_metadata *metadata, const char *what,
                           struct vss_error *reterr) {
        if (!metadata->express)
                return 0;
        return vss_fail(reterr, VSS_E_NOT_SUPPORTED, "an express writer cannot have %s", what);
}

/* singleton() - the one child of the root of this kind, made when it is not there yet */
static int singleton(struct metadata *m, struct node **slot, const struct element *element) {
        struct node *node = *slot ? *slot : node_new(&m->tree, element);
        int r;

        if (!node)
                return -ENOMEM;
        r = *slot ? 0 : node_append(&m->tree, m->tree.root, node);
        if (r >= 0)
                *slot = node;
        return r;
}

static int check_limit(size_t count, uint64_t limit, const char *what, struct vss_error *reterr) {
        if (count < limit)
                return 0;
        return vss_fail(reterr, E_OUTOFMEMORY, "a writer can declare %" PRIu64 " %s at most", limit,
                        what);
}

static int find_component(struct metadata *m, const char *logical_path, const char *name,
                          struct node **ret, struct vss_error *reterr) {
        char excerpt[TEXT_EXCERPT_SIZE];

        if (!name)
                return vss_fail(reterr, E_INVALIDARG, "the component's name is missing");
        *ret = component_index_find(&m->index, logical_path, name);
        if (!*ret)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "component '%s' has not been added with this logical path",
                                text_excerpt(name, strlen(name), excerpt));
        return 0;
}

/* ---- components ---- */

static int fill_component(struct tree *tree, struct node *node,
                          const struct vss_component_info *info, struct vss_error *reterr) {
        const char *path = info->logical_path;
        int r;

        if (!info->name)
                return vss_fail(reterr, E_INVALIDARG, "a component needs a name (D-25)");
        if (component_same_path(path, NULL))
                path = NULL; /* the root is written by leaving the attribute out */
        r = node_set_text(tree, node, CO_PATH, path, reterr);
        r = r < 0 ? r : node_set_text(tree, node, CO_NAME, info->name, reterr);
        r = r < 0 ? r : node_set_text(tree, node, CO_CAPTION, info->caption, reterr);
        if (r >= 0 && info->icon && info->icon_size > 0)
                r = node_set_bytes(tree, node, CO_ICON, info->icon, info->icon_size, reterr);
        r = r < 0 ? r : node_set_bool(node, CO_RESTORE_METADATA, info->restore_metadata);
        r = r < 0 ? r : node_set_bool(node, CO_NOTIFY, info->notify_on_backup_complete);
        r = r < 0 ? r : node_set_bool(node, CO_SELECTABLE, info->selectable);
        r = r < 0 ? r : node_set_bool(node, CO_SELECTABLE_RESTORE, info->selectable_for_restore);
        r = r < 0 ? r : node_set_mask(tree, node, CO_FLAGS, info->flags);
        return r;
}

static int check_component(const struct vss_create_writer_metadata *metadata,
                           const struct vss_component_info *info, struct vss_error *reterr) {
        const uint32_t known =
                VSS_CF_BACKUP_RECOVERY | VSS_CF_APP_ROLLBACK_RECOVERY | VSS_CF_NOT_SYSTEM_STATE;

        if (info->type != VSS_CT_DATABASE && info->type != VSS_CT_FILEGROUP)
                return vss_fail(reterr, E_INVALIDARG,
                                "a component is a database or a file group, not type %" PRIu32,
                                info->type);
        if (info->flags & ~known)
                return vss_fail(reterr, E_INVALIDARG, "the component has unknown flags 0x%" PRIx32,
                                info->flags & ~known);
        if (metadata->express && info->type == VSS_CT_DATABASE)
                return not_for_express(metadata, "database components", reterr);
        if (info->flags & ~(uint32_t)VSS_CF_NOT_SYSTEM_STATE)
                return not_for_express(metadata, "components that ask for a writable copy (M-37)",
                                       reterr);
        return check_limit(metadata_component_count(&metadata->m),
                           metadata->m.tree.limits.components, "components", reterr);
}

int vss_create_writer_metadata_add_component(struct vss_create_writer_metadata *metadata,
                                             const struct vss_component_info *info,
                                             struct vss_error *reterr) {
        struct metadata *m = &metadata->m;
        char excerpt[TEXT_EXCERPT_SIZE];
        struct node *node;
        int r;

        r = check_open(metadata, reterr);
        if (r >= 0)
                r = check_component(metadata, info, reterr);
        if (r >= 0)
                r = singleton(m, &m->locations, &element_backup_locations);
        if (r < 0)
                return r;
        node = node_new(&m->tree,
                        info->type == VSS_CT_DATABASE ? &element_database : &element_file_group);
        if (!node)
                return -ENOMEM;
        r = fill_component(&m->tree, node, info, reterr);
        if (r < 0)
                return r;
        r = component_index_add(&m->index, node);
        if (r == VSS_E_OBJECT_ALREADY_EXISTS)
                return vss_fail(reterr, r, "component '%s' was added before",
                                text_excerpt(info->name, strlen(info->name), excerpt));
        return r < 0 ? r : node_append(&m->tree, m->locations, node);
}

/* ---- file sets ---- */

static int fill_file_set(struct tree *tree, struct node *node, const struct vss_file_set *files,
                         struct vss_error *reterr) {
        int r = file_path_check("path", files->path, reterr);

        r = r < 0 ? r : filespec_check(files->filespec, reterr);
        r = r < 0 ? r : node_set_text(tree, node, FS_PATH, files->path, reterr);
        r = r < 0 ? r : node_set_text(tree, node, FS_FILESPEC, files->filespec, reterr);
        return r;
}

/* set_source() - alternate path and mask: only file sets that are backed up have them */
static int set_source(const struct vss_create_writer_metadata *metadata, struct tree *tree,
                      struct node *node, const struct vss_file_set *files,
                      struct vss_error *reterr) {
        const uint32_t partial_types = VSS_FSBT_DIFFERENTIAL_BACKUP_REQUIRED |
                                       VSS_FSBT_INCREMENTAL_BACKUP_REQUIRED |
                                       VSS_FSBT_LOG_BACKUP_REQUIRED;
        uint32_t mask = files->backup_type_mask ? files->backup_type_mask : FILE_SET_MASK_DEFAULT;
        int r = file_set_mask_check(mask, reterr);

        if (r < 0)
                return r;
        /* the default mask has these bits, and the original's own express writers keep it */
        if (mask != FILE_SET_MASK_DEFAULT && (mask & partial_types)) {
                r = not_for_express(
                        metadata, "file sets for differential, incremental or log backups", reterr);
                if (r < 0)
                        return r;
        }
        if (files->alternate_path) {
                r = not_for_express(metadata, "alternate paths", reterr);
                r = r < 0 ? r : file_path_check("alternate path", files->alternate_path, reterr);
                r = r < 0 ? r
                          : node_set_text(tree, node, FS_ALTERNATE, files->alternate_path, reterr);
        }
        return r < 0 ? r : node_set_mask(tree, node, FS_MASK, mask);
}

static int add_file_set(struct vss_create_writer_metadata *metadata, const char *logical_path,
                        const char *name, const struct element *element,
                        const struct vss_file_set *files, struct vss_error *reterr) {
        struct metadata *m = &metadata->m;
        struct node *component, *node;
        int r;

        r = check_open(metadata, reterr);
        if (r >= 0)
                r = find_component(m, logical_path, name, &component, reterr);
        if (r >= 0)
                r = check_limit(m->file_set_count, m->tree.limits.file_sets, "file sets", reterr);
        if (r < 0)
                return r;
        if ((component->element == &element_database) == (element == &element_file_list))
                return vss_fail(reterr, E_INVALIDARG,
                                "component '%s' is a %s, which takes no such file set (M-32)", name,
                                element == &element_file_list ? "database" : "file group");
        if (element != &element_file_list && (files->recursive || files->alternate_path))
                return vss_fail(reterr, E_INVALIDARG,
                                "a database's file set is neither recursive nor has it an "
                                "alternate path (M-29, M-30)");
        node = node_new(&m->tree, element);
        if (!node)
                return -ENOMEM;
        r = fill_file_set(&m->tree, node, files, reterr);
        /* "no" is left out, except by express writers (xml-format 2.1) */
        if (r >= 0 && element == &element_file_list && (files->recursive || metadata->express))
                r = node_set_bool(node, FS_RECURSIVE, files->recursive);
        r = r < 0 ? r : set_source(metadata, &m->tree, node, files, reterr);
        r = r < 0 ? r : node_append(&m->tree, component, node);
        if (r >= 0)
                m->file_set_count++;
        return r;
}

int vss_create_writer_metadata_add_files_to_file_group(struct vss_create_writer_metadata *metadata,
                                                       const char *logical_path, const char *name,
                                                       const struct vss_file_set *files,
                                                       struct vss_error *reterr) {
        return add_file_set(metadata, logical_path, name, &element_file_list, files, reterr);
}

int vss_create_writer_metadata_add_database_files(struct vss_create_writer_metadata *metadata,
                                                  const char *logical_path, const char *name,
                                                  const struct vss_file_set *files,
                                                  struct vss_error *reterr) {
        return add_file_set(metadata, logical_path, name, &element_database_files, files, reterr);
}

int vss_create_writer_metadata_add_database_log_files(struct vss_create_writer_metadata *metadata,
                                                      const char *logical_path, const char *name,
                                                      const struct vss_file_set *files,
                                                      struct vss_error *reterr) {
        return add_file_set(metadata, logical_path, name, &element_database_logfiles, files,
                            reterr);
}

int vss_create_writer_metadata_add_component_dependency(struct vss_create_writer_metadata *metadata,
                                                        const char *logical_path, const char *name,
                                                        const struct vss_id *on_writer,
                                                        const char *on_logical_path,
                                                        const char *on_name,
                                                        struct vss_error *reterr) {
        struct metadata *m = &metadata->m;
        struct vss_id own = node_id(m->identification, ID_WRITER);
        struct node *component, *node;
        int r;

        r = check_open(metadata, reterr);
        if (r >= 0)
                r = find_component(m, logical_path, name, &component, reterr);
        if (r < 0)
                return r;
        if (!on_writer || vss_id_is_null(on_writer) || !on_name)
                return vss_fail(reterr, E_INVALIDARG,
                                "a dependency needs a writer's class id and a component's name");
        if (vss_id_equal(on_writer, &own))
                return vss_fail(reterr, E_INVALIDARG,
                                "component '%s' cannot depend on a component of its own writer",
                                name);
        node = node_new(&m->tree, &element_dependency);
        if (!node)
                return -ENOMEM;
        if (component_same_path(on_logical_path, NULL))
                on_logical_path = NULL;
        r = node_set_id(&m->tree, node, DE_WRITER, on_writer);
        r = r < 0 ? r : node_set_text(&m->tree, node, DE_PATH, on_logical_path, reterr);
        r = r < 0 ? r : node_set_text(&m->tree, node, DE_NAME, on_name, reterr);
        return r < 0 ? r : node_append(&m->tree, component, node);
}

static int add_exclude(struct vss_create_writer_metadata *metadata, const struct element *element,
                       const struct vss_file_set *files, struct vss_error *reterr) {
        struct metadata *m = &metadata->m;
        struct node *node;
        int r;

        r = check_open(metadata, reterr);
        if (r >= 0)
                r = singleton(m, &m->locations, &element_backup_locations);
        if (r < 0)
                return r;
        node = node_new(&m->tree, element);
        if (!node)
                return -ENOMEM;
        r = fill_file_set(&m->tree, node, files, reterr);
        r = r < 0 ? r : node_set_bool(node, FS_RECURSIVE, files->recursive);
        return r < 0 ? r : node_append(&m->tree, m->locations, node);
}

int vss_create_writer_metadata_add_exclude_files(struct vss_create_writer_metadata *metadata,
                                                 const struct vss_file_set *files,
                                                 struct vss_error *reterr) {
        return add_exclude(metadata, &element_exclude_files, files, reterr);
}

int vss_create_writer_metadata_add_exclude_files_from_snapshot(
        struct vss_create_writer_metadata *metadata, const struct vss_file_set *files,
        struct vss_error *reterr) {
        int r = not_for_express(metadata, "files that it deletes from shadow copies (D-20)",
                                reterr);

        return r < 0 ? r
                     : add_exclude(metadata, &element_exclude_files_from_snapshot, files, reterr);
}

int vss_create_writer_metadata_add_include_files(struct vss_create_writer_metadata *metadata,
                                                 const struct vss_file_set *files,
                                                 struct vss_error *reterr) {
        (void)metadata, (void)files;
        return vss_fail(reterr, VSS_E_NOT_SUPPORTED,
                        "include files were withdrawn; add the files to a component (D-19)");
}

/* ---- restore ---- */

int vss_create_writer_metadata_add_alternate_location_mapping(
        struct vss_create_writer_metadata *metadata, const struct vss_file_set *files,
        const char *destination, struct vss_error *reterr) {
        struct metadata *m = &metadata->m;
        struct node *node;
        int r;

        r = check_open(metadata, reterr);
        r = r < 0 ? r : not_for_express(metadata, "alternate location mappings", reterr);
        r = r < 0 ? r : file_path_check("destination", destination, reterr);
        r = r < 0 ? r : singleton(m, &m->restore_method, &element_restore_method);
        if (r < 0)
                return r;
        node = node_new(&m->tree, &element_alternate_location_mapping);
        if (!node)
                return -ENOMEM;
        r = fill_file_set(&m->tree, node, files, reterr);
        r = r < 0 ? r : node_set_bool(node, FS_RECURSIVE, files->recursive);
        r = r < 0 ? r : node_set_text(&m->tree, node, FS_ALTERNATE, destination, reterr);
        return r < 0 ? r : node_append(&m->tree, m->restore_method, node);
}

/* check_service() - SEC-36: what may be handed to the service manager */
static int check_service(const struct vss_restore_method *method, struct vss_error *reterr) {
        bool needed = method->method == VSS_RME_STOP_RESTORE_START ||
                      method->method == VSS_RME_RESTORE_STOP_START;
        const char *service = method->service;
        size_t n;

        if (!service || !*service)
                return needed ? vss_fail(reterr, E_INVALIDARG,
                                         "this restore method needs the name of the service to "
                                         "stop (R-63)")
                              : 0;
        n = strspn(service, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.@-");
        if (service[n] || n > 255)
                return vss_fail(reterr, E_INVALIDARG,
                                "a service name has letters, digits and ':_.@-' only, at most 255 "
                                "of them (SEC-36)");
        return 0;
}

static int check_restore_method(const struct vss_create_writer_metadata *metadata,
                                const struct vss_restore_method *method, struct vss_error *reterr) {
        if (metadata->express && (method->writer_restore != VSS_WRE_NEVER ||
                                  method->method == VSS_RME_RESTORE_TO_ALTERNATE_LOCATION ||
                                  method->method == VSS_RME_CUSTOM))
                return not_for_express(metadata,
                                       "restore events, nor the restore methods "
                                       "TO_ALTERNATE_LOCATION and CUSTOM (R-76)",
                                       reterr);
        return check_service(method, reterr);
}

int vss_create_writer_metadata_set_restore_method(struct vss_create_writer_metadata *metadata,
                                                  const struct vss_restore_method *method,
                                                  struct vss_error *reterr) {
        struct metadata *m = &metadata->m;
        struct node *node;
        int r;

        r = check_open(metadata, reterr);
        r = r < 0 ? r : check_restore_method(metadata, method, reterr);
        r = r < 0 ? r : singleton(m, &m->restore_method, &element_restore_method);
        if (r < 0)
                return r;
        node = m->restore_method;
        if (node_text(node, RM_METHOD))
                return vss_fail(reterr, VSS_E_OBJECT_ALREADY_EXISTS,
                                "a writer has one restore method; it was set before (D-17)");
        r = node_set_text(&m->tree, node, RM_SERVICE, method->service, reterr);
        r = r < 0 ? r : node_set_text(&m->tree, node, RM_PROCEDURE, method->user_procedure, reterr);
        r = r < 0 ? r : node_set_word(node, RM_WRITER_RESTORE, method->writer_restore, reterr);
        r = r < 0 ? r : node_set_bool(node, RM_REBOOT, method->reboot_required);
        return r < 0 ? r : node_set_word(node, RM_METHOD, method->method, reterr);
}

int vss_create_writer_metadata_set_backup_schema(struct vss_create_writer_metadata *metadata,
                                                 uint32_t schema, struct vss_error *reterr) {
        struct tree *tree = &metadata->m.tree;
        int r = check_open(metadata, reterr);

        r = r < 0 ? r : backup_schema_check(schema, metadata->express, reterr);
        if (r < 0)
                return r;
        return schema ? node_set_mask(tree, tree->root, WM_SCHEMA, schema)
                      : node_set_text(tree, tree->root, WM_SCHEMA, NULL, reterr);
}

int vss_create_writer_metadata_save_as_xml(struct vss_create_writer_metadata *metadata, char **ret,
                                           size_t *ret_size, struct vss_error *reterr) {
        return tree_save(&metadata->m.tree, ret, ret_size, reterr);
}

/* ---- the end of identify ---- */

static int check_mappings(struct metadata *m, struct vss_error *reterr) {
        for (size_t i = 0; i < node_count(m->restore_method, RM_MAPPINGS); i++) {
                const struct node *mapping = node_get(m->restore_method, RM_MAPPINGS, i), *found;
                struct file_triple triple = file_triple_of(mapping);
                char path[TEXT_EXCERPT_SIZE], spec[TEXT_EXCERPT_SIZE];
                int r = component_find_set(m, NULL, triple, &found);

                if (r < 0)
                        return r;
                if (!found)
                        return vss_fail(
                                reterr, E_INVALIDARG,
                                "the alternate location mapping of '%s', '%s' fits no "
                                "file set of the writer exactly (R-92)",
                                text_excerpt(triple.path, strlen(triple.path), path),
                                text_excerpt(triple.filespec, strlen(triple.filespec), spec));
        }
        return 0;
}

/* check_doubles() - M-45: a file belongs to one file set */
static int check_doubles(const struct metadata *m, struct vss_error *reterr) {
        const struct node *set, *other;
        int r = metadata_find_double(m, &set, &other);

        if (r < 0 || !other)
                return r;
        return vss_fail(reterr, E_INVALIDARG,
                        "the file sets '%s' '%s' and '%s' '%s' can name the same file; a file "
                        "belongs to one file set only (M-45)",
                        node_text(other, FS_PATH), node_text(other, FS_FILESPEC),
                        node_text(set, FS_PATH), node_text(set, FS_FILESPEC));
}

static int check_complete(struct metadata *m, struct vss_error *reterr) {
        bool only_excludes = metadata_component_count(m) == 0 &&
                             node_count(m->locations, BL_EXCLUDES) +
                                             node_count(m->locations, BL_SNAPSHOT_EXCLUDES) >
                                     0;
        int r;

        if (only_excludes && !m->restore_method)
                return 0; /* OQ-D8 */
        if (metadata_component_count(m) == 0 && !only_excludes)
                return vss_fail(reterr, E_INVALIDARG,
                                "the writer declared no component (D-44); add one in identify");
        if (!m->restore_method || !node_text(m->restore_method, RM_METHOD))
                return vss_fail(reterr, E_INVALIDARG,
                                "the writer declared no restore method (D-44); set one in "
                                "identify");
        r = check_doubles(m, reterr);
        return r < 0 ? r : check_mappings(m, reterr);
}

static bool has_log_files(const struct metadata *m) {
        for (size_t i = 0; i < metadata_component_count(m); i++)
                if (node_count(metadata_component(m, i), CO_LOGFILES) > 0)
                        return true;
        return false;
}

/* drop_log_schema() - I-64, IV-6: LOG without a log file is not promised */
static int drop_log_schema(struct metadata *m, uint32_t *ret_dropped) {
        uint32_t schema = node_mask(m->tree.root, WM_SCHEMA, 0);

        *ret_dropped = 0;
        if (!(schema & VSS_BS_LOG) || has_log_files(m))
                return 0;
        *ret_dropped = VSS_BS_LOG;
        schema &= ~(uint32_t)VSS_BS_LOG;
        if (schema)
                return node_set_mask(&m->tree, m->tree.root, WM_SCHEMA, schema);
        return node_set_text(&m->tree, m->tree.root, WM_SCHEMA, NULL, NULL);
}

int create_writer_metadata_finish(struct vss_create_writer_metadata *metadata,
                                  uint32_t *ret_dropped, char **ret, size_t *ret_size,
                                  struct vss_error *reterr) {
        struct metadata *m = &metadata->m;
        uint32_t dropped;
        int r;

        metadata->closed = true;
        r = check_complete(m, reterr);
        r = r < 0 ? r : singleton(m, &m->locations, &element_backup_locations);
        r = r < 0 ? r : drop_log_schema(m, &dropped);
        r = r < 0 ? r : tree_save(&m->tree, ret, ret_size, reterr);
        if (r >= 0 && ret_dropped)
                *ret_dropped = dropped;
        return r;
}

uint32_t create_writer_metadata_component_flags(const struct vss_create_writer_metadata *metadata) {
        uint32_t flags = 0;

        for (size_t i = 0; i < metadata_component_count(&metadata->m); i++)
                flags |= node_mask(metadata_component(&metadata->m, i), CO_FLAGS, 0);
        return flags;
}
