/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "common/tree.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

void tree_init(struct tree *tree, uint32_t writer_restore) {
        memset(tree, 0, sizeof(*tree));
        tree->method = VSS_RME_RESTORE_IF_CAN_REPLACE;
        tree->writer_restore = writer_restore;
        tree->schema = VSS_BS_COPY;
}

static void sets_done(struct file_set *sets, size_t count) {
        for (size_t i = 0; i < count; i++)
                file_set_done(&sets[i]);
        free(sets);
}

static void component_done(struct tree_component *component) {
        free(component->name);
        free(component->logical_path);
        free(component->caption);
        sets_done(component->sets, component->set_count);
        for (size_t i = 0; i < component->dependency_count; i++) {
                free(component->dependencies[i].logical_path);
                free(component->dependencies[i].name);
        }
        free(component->dependencies);
}

void tree_done(struct tree *tree) {
        for (size_t i = 0; i < tree->component_count; i++)
                component_done(&tree->components[i]);
        free(tree->components);
        for (size_t i = 0; i < tree->selection_count; i++)
                free(tree->selections[i].chosen);
        free(tree->selections);
        sets_done(tree->excludes, tree->exclude_count);
        sets_done(tree->purges, tree->purge_count);
        sets_done(tree->mappings, tree->mapping_count);
        free(tree->service);
        free(tree->procedure);
        memset(tree, 0, sizeof(*tree));
}

struct tree_component *tree_find(struct tree *tree, const char *section, int *ret_r,
                                 struct vss_error *reterr) {
        struct tree_component *component;
        const char *name;

        *ret_r = 0;
        if (strncmp(section, "component", 9) != 0 || (section[9] && section[9] != ' '))
                return NULL;
        name = section + 9 + strspn(section + 9, " ");
        if (!*name || strchr(name, '\\')) {
                *ret_r = util_fail(reterr, E_INVALIDARG,
                                   "section [%s]: write [component NAME]; a backslash belongs "
                                   "into logical_path only",
                                   section);
                return NULL;
        }
        for (size_t i = 0; i < tree->component_count; i++)
                if (strcmp(tree->components[i].name, name) == 0)
                        return &tree->components[i];
        *ret_r = GROW(&tree->components, tree->component_count);
        if (*ret_r < 0)
                return NULL;
        component = &tree->components[tree->component_count];
        memset(component, 0, sizeof(*component));
        component->selectable = component->selectable_for_restore = true;
        component->name = strdup(name);
        if (!component->name) {
                *ret_r = -ENOMEM;
                return NULL;
        }
        tree->component_count++;
        return component;
}

static int add_set(struct file_set **sets, size_t *count, const char *value, unsigned allowed,
                   struct vss_error *reterr) {
        _cleanup_free_ char *text = strdup(value);
        int r;

        if (!text || GROW(sets, *count) < 0)
                return -ENOMEM;
        r = file_set_parse(text, allowed, &(*sets)[*count], reterr);
        if (r >= 0)
                (*count)++;
        return r;
}

/* "ID logical\path\name": the rest of the line after the id is taken as it is */
static int add_dependency(struct tree_component *component, const char *value,
                          struct vss_error *reterr) {
        struct tree_dependency *dependency;
        size_t n = strcspn(value, " \t");
        _cleanup_free_ char *id = strndup(value, n), *path = NULL;
        const char *full = value + n + strspn(value + n, " \t"), *last = strrchr(full, '\\');

        if (!id || GROW(&component->dependencies, component->dependency_count) < 0)
                return -ENOMEM;
        dependency = &component->dependencies[component->dependency_count];
        if (vss_id_parse(id, &dependency->writer) < 0 || !*full || (last && !last[1]))
                return util_fail(reterr, E_INVALIDARG,
                                 "'%s' is no dependency; write the other writer's id, a blank and "
                                 "its component, as in 01234567-89ab-cdef-0123-456789abcdef "
                                 "path\\name",
                                 value);
        if (last && last > full) {
                path = strndup(full, (size_t)(last - full));
                if (!path)
                        return -ENOMEM;
        }
        dependency->name = strdup(last ? last + 1 : full);
        if (!dependency->name)
                return -ENOMEM;
        dependency->logical_path = path;
        path = NULL;
        component->dependency_count++;
        return 0;
}

static int set_logical_path(struct tree_component *component, const char *value) {
        char *path;
        size_t n;

        /* M-34: one separator at each end does not count */
        value += *value == '\\';
        n = strlen(value);
        n -= n > 0 && value[n - 1] == '\\';
        path = strndup(value, n);
        if (!path)
                return -ENOMEM;
        free(component->logical_path);
        component->logical_path = *path ? path : NULL;
        if (!*path)
                free(path);
        return 0;
}

static int set_bool(const char *value, bool *to, struct vss_error *reterr) {
        return util_bool(value, to) < 0
                       ? util_fail(reterr, E_INVALIDARG, "'%s' is neither yes nor no", value)
                       : 0;
}

static int configure_component(struct tree *tree, struct tree_component *component, const char *key,
                               const char *value, struct vss_error *reterr) {
        if (strcmp(key, "files") == 0)
                return add_set(&component->sets, &component->set_count, value,
                               FILE_SET_ALTERNATE | FILE_SET_MASK |
                                       (tree->anything ? FILE_SET_NEVER : 0U),
                               reterr);
        if (tree->databases && strcmp(key, "logs") == 0) {
                int r = add_set(&component->sets, &component->set_count, value, FILE_SET_MASK,
                                reterr);

                component->database = true;
                if (r >= 0)
                        component->sets[component->set_count - 1].log = true;
                return r;
        }
        if (strcmp(key, "exclude") == 0)
                return add_set(&tree->excludes, &tree->exclude_count, value, 0, reterr);
        if (strcmp(key, "exclude_from_snapshot") == 0) {
                int r = add_set(&tree->purges, &tree->purge_count, value, 0, reterr);

                component->purges |= r >= 0; /* B-155: and from the backup */
                return r < 0 ? r : add_set(&tree->excludes, &tree->exclude_count, value, 0, reterr);
        }
        if (strcmp(key, "depends") == 0)
                return add_dependency(component, value, reterr);
        if (strcmp(key, "logical_path") == 0)
                return set_logical_path(component, value);
        if (strcmp(key, "caption") == 0)
                return util_replace(&component->caption, value);
        if (strcmp(key, "selectable") == 0)
                return set_bool(value, &component->selectable, reterr);
        if (strcmp(key, "selectable_for_restore") == 0)
                return set_bool(value, &component->selectable_for_restore, reterr);
        if (strcmp(key, "not_system_state") == 0)
                return set_bool(value, &component->not_system_state, reterr);
        return util_fail(reterr, E_INVALIDARG,
                         "this key is unknown; known are files, exclude, "
                         "exclude_from_snapshot, depends, logical_path, caption, selectable, "
                         "selectable_for_restore and not_system_state");
}

static int set_method(struct tree *tree, const char *value, struct vss_error *reterr) {
        static const char *const methods[] = { "-", /* index is the official number */
                                               "restore_if_not_there",
                                               "restore_if_can_replace",
                                               "stop_restore_start",
                                               "restore_to_alternate_location",
                                               "restore_at_reboot",
                                               "restore_at_reboot_if_cannot_replace",
                                               "custom",
                                               "restore_stop_start",
                                               NULL };
        int i;

        if (strncasecmp(value, "VSS_RME_", 8) == 0)
                value += 8;
        if (strcasecmp(value, "restore_if_can_be_replaced") == 0) /* T-50 */
                value = methods[VSS_RME_RESTORE_IF_CAN_REPLACE];
        i = util_word_in(value, methods);
        if (i <= 0)
                return util_fail(reterr, E_INVALIDARG,
                                 "'%s' is no restore method; restore_if_can_replace is the usual "
                                 "one, vss-writers(7) lists all",
                                 value);
        tree->method = (uint32_t)i;
        return 0;
}

static int set_events(struct tree *tree, const char *value, struct vss_error *reterr) {
        static const char *const words[] = { "never", "if_replace_fails", "always", NULL };
        int i = util_word_in(value, words);

        if (i < 0)
                return util_fail(reterr, E_INVALIDARG,
                                 "'%s': known are never, if_replace_fails and always", value);
        tree->writer_restore = (uint32_t)(i + VSS_WRE_NEVER);
        tree->events_given = true;
        return 0;
}

static int configure_restore(struct tree *tree, const char *key, const char *value,
                             struct vss_error *reterr) {
        if (strcmp(key, "method") == 0)
                return set_method(tree, value, reterr);
        if (strcmp(key, "events") == 0)
                return set_events(tree, value, reterr);
        if (strcmp(key, "service") == 0)
                return util_replace(&tree->service, value);
        if (strcmp(key, "procedure") == 0)
                return util_replace(&tree->procedure, value);
        if (strcmp(key, "reboot") == 0)
                return set_bool(value, &tree->reboot, reterr);
        if (strcmp(key, "mapping") == 0)
                return add_set(&tree->mappings, &tree->mapping_count, value, FILE_SET_TO, reterr);
        return util_fail(reterr, E_INVALIDARG,
                         "this key is unknown; known are method, events, service, procedure, "
                         "reboot and mapping");
}

int tree_configure(struct tree *tree, const char *section, const char *key, const char *value,
                   struct vss_error *reterr) {
        struct tree_component *component;
        int r;

        component = tree_find(tree, section, &r, reterr);
        if (r < 0)
                return r;
        if (component)
                r = configure_component(tree, component, key, value, reterr);
        else if (strcmp(section, "restore") == 0)
                r = configure_restore(tree, key, value, reterr);
        else
                return 0;
        return r < 0 ? r : 1;
}

static int check_overlaps(const struct tree_component *a, const struct tree_component *b,
                          struct vss_error *reterr) {
        for (size_t i = 0; i < a->set_count; i++)
                for (size_t j = a == b ? i + 1 : 0; j < b->set_count; j++)
                        if (file_sets_overlap(&a->sets[i], &b->sets[j]))
                                return util_fail(
                                        reterr, E_INVALIDARG,
                                        "[component %s] files %s/%s and [component %s] files "
                                        "%s/%s can name the same file; every file belongs to one "
                                        "set only, and exclude does not help: name the "
                                        "subdirectories one by one",
                                        a->name, a->sets[i].path, a->sets[i].filespec, b->name,
                                        b->sets[j].path, b->sets[j].filespec);
        return 0;
}

static bool has_set(const struct tree *tree, const struct file_set *set) {
        for (size_t i = 0; i < tree->component_count; i++)
                for (size_t j = 0; j < tree->components[i].set_count; j++)
                        if (file_set_same(&tree->components[i].sets[j], set))
                                return true;
        return false;
}

/* check_purges() - S-57: only files of its own */
static int check_purges(const struct tree *tree, struct vss_error *reterr) {
        for (size_t i = 0; i < tree->purge_count; i++) {
                const struct file_set *purge = &tree->purges[i];
                bool own = false;

                for (size_t j = 0; j < tree->component_count; j++)
                        for (size_t k = 0; k < tree->components[j].set_count; k++)
                                own |= file_sets_overlap(purge, &tree->components[j].sets[k]);
                if (!own)
                        return util_fail(reterr, E_INVALIDARG,
                                         "exclude_from_snapshot %s/%s names no file of any "
                                         "component; what is not this writer's goes into "
                                         "not_to_snapshot.d",
                                         purge->path, purge->filespec);
        }
        return 0;
}

static bool has_mapping(const struct tree *tree, const struct file_set *set) {
        for (size_t i = 0; i < tree->mapping_count; i++)
                if (file_set_same(&tree->mappings[i], set))
                        return true;
        return false;
}

/* a file set without a mapping is the writer's error, and found when the restore is needed */
static int check_all_mapped(const struct tree *tree, struct vss_error *reterr) {
        for (size_t i = 0; i < tree->component_count; i++)
                for (size_t j = 0; j < tree->components[i].set_count; j++) {
                        const struct file_set *set = &tree->components[i].sets[j];

                        if (!has_mapping(tree, set))
                                return util_fail(reterr, E_INVALIDARG,
                                                 "[restore] method restores to another place, but "
                                                 "none is given for [component %s] %s/%s%s; add "
                                                 "mapping = /dir/pattern [recursive] to=/other/dir",
                                                 tree->components[i].name, set->path, set->filespec,
                                                 set->recursive ? " recursive" : "");
                }
        return 0;
}

/* what is put there must not be the next backup's original, nor hide one */
static int check_mapping(const struct tree *tree, size_t index, struct vss_error *reterr) {
        const struct file_set *mapping = &tree->mappings[index];

        if (!has_set(tree, mapping))
                return util_fail(reterr, E_INVALIDARG,
                                 "[restore] mapping %s/%s is no file set of any component "
                                 "(path, pattern and recursive must be equal)",
                                 mapping->path, mapping->filespec);
        for (size_t i = 0; i < index; i++) /* */
                if (file_set_same(&tree->mappings[i], mapping))
                        return util_fail(reterr, E_INVALIDARG,
                                         "[restore] mapping %s/%s stands there twice; a file goes "
                                         "to one other place only: remove one line",
                                         mapping->path, mapping->filespec);
        for (size_t i = 0; i < tree->component_count; i++)
                for (size_t j = 0; j < tree->components[i].set_count; j++) {
                        const struct file_set *set = &tree->components[i].sets[j];

                        if (strcmp(set->path, mapping->alternate) == 0 ||
                            (set->recursive && util_path_is_below(mapping->alternate, set->path)))
                                return util_fail(reterr, E_INVALIDARG,
                                                 "[restore] mapping to=%s lies where [component "
                                                 "%s] has its files, %s/%s; name a place of its "
                                                 "own",
                                                 mapping->alternate, tree->components[i].name,
                                                 set->path, set->filespec);
                }
        return 0;
}

static int check_restore(const struct tree *tree, struct vss_error *reterr) {
        int r = 0;

        if ((tree->method == VSS_RME_STOP_RESTORE_START ||
             tree->method == VSS_RME_RESTORE_STOP_START) &&
            !tree->service)
                return util_fail(reterr, E_INVALIDARG,
                                 "[restore] method stops a service, but names none; add "
                                 "service = NAME");
        if (tree->service && (!*tree->service || strpbrk(tree->service, "/ \t")))
                return util_fail(reterr, E_INVALIDARG,
                                 "[restore] service = '%s' is no name of one unit; write for "
                                 "example app.service (R-63)",
                                 tree->service);
        for (size_t i = 0; r >= 0 && i < tree->mapping_count; i++)
                r = check_mapping(tree, i, reterr);
        if (r >= 0 && tree->method == VSS_RME_RESTORE_TO_ALTERNATE_LOCATION)
                r = check_all_mapped(tree, reterr);
        return r;
}

int tree_check(const struct tree *tree, struct vss_error *reterr) {
        int r;

        if (tree->anything)
                return 0;
        if (tree->component_count == 0)
                return util_fail(reterr, E_INVALIDARG,
                                 "nothing is declared; add a section [component NAME] with "
                                 "files = /dir/pattern");
        for (size_t i = 0; i < tree->component_count; i++)
                for (size_t j = i; j < tree->component_count; j++) {
                        r = check_overlaps(&tree->components[i], &tree->components[j], reterr);
                        if (r < 0)
                                return r;
                }
        r = check_purges(tree, reterr);
        return r < 0 ? r : check_restore(tree, reterr);
}

static int identify_component(const struct tree_component *component,
                              struct vss_create_writer_metadata *metadata,
                              struct vss_error *reterr) {
        struct vss_component_info info = {
                .type = component->database ? VSS_CT_DATABASE : VSS_CT_FILEGROUP,
                .logical_path = component->logical_path,
                .name = component->name,
                .caption = component->caption,
                .restore_metadata = component->restore_metadata,
                .notify_on_backup_complete = component->notify,
                .selectable = component->selectable,
                .selectable_for_restore = component->selectable_for_restore,
                .flags = (component->not_system_state ? VSS_CF_NOT_SYSTEM_STATE : 0U) |
                         (component->purges ? VSS_CF_BACKUP_RECOVERY : 0U), /* W-10 */
        };
        int r = vss_create_writer_metadata_add_component(metadata, &info, reterr);

        for (size_t i = 0; r >= 0 && i < component->set_count; i++) {
                struct vss_file_set set = file_set_public(&component->sets[i]);

                r = (!component->database     ? vss_create_writer_metadata_add_files_to_file_group
                     : component->sets[i].log ? vss_create_writer_metadata_add_database_log_files
                                              : vss_create_writer_metadata_add_database_files)(
                        metadata, component->logical_path, component->name, &set, reterr);
        }
        for (size_t i = 0; r >= 0 && i < component->dependency_count; i++) {
                const struct tree_dependency *on = &component->dependencies[i];

                r = vss_create_writer_metadata_add_component_dependency(
                        metadata, component->logical_path, component->name, &on->writer,
                        on->logical_path, on->name, reterr);
        }
        return r < 0 ? vss_wrap(reterr, r, "[component %s]", component->name) : 0;
}

int tree_identify(const struct tree *tree, struct vss_create_writer_metadata *metadata,
                  struct vss_error *reterr) {
        struct vss_restore_method method = { .method = tree->method,
                                             .service = tree->service,
                                             .user_procedure = tree->procedure,
                                             .writer_restore = tree->writer_restore,
                                             .reboot_required = tree->reboot };
        int r = vss_create_writer_metadata_set_restore_method(metadata, &method, reterr);

        if (r >= 0)
                r = vss_create_writer_metadata_set_backup_schema(metadata, tree->schema, reterr);
        for (size_t i = 0; r >= 0 && i < tree->component_count; i++)
                r = identify_component(&tree->components[i], metadata, reterr);
        for (size_t i = 0; r >= 0 && i < tree->exclude_count; i++) {
                struct vss_file_set set = file_set_public(&tree->excludes[i]);

                set.backup_type_mask = 0;
                r = vss_create_writer_metadata_add_exclude_files(metadata, &set, reterr);
        }
        for (size_t i = 0; r >= 0 && i < tree->purge_count; i++) {
                struct vss_file_set set = file_set_public(&tree->purges[i]);

                set.backup_type_mask = 0;
                r = vss_create_writer_metadata_add_exclude_files_from_snapshot(metadata, &set,
                                                                               reterr);
        }
        for (size_t i = 0; r >= 0 && i < tree->mapping_count; i++) {
                struct vss_file_set set = file_set_public(&tree->mappings[i]);

                set.backup_type_mask = 0;
                set.alternate_path = NULL;
                r = vss_create_writer_metadata_add_alternate_location_mapping(
                        metadata, &set, tree->mappings[i].alternate, reterr);
        }
        return r;
}

static bool same_text(const char *a, const char *b) {
        return strcmp(a ? a : "", b ? b : "") == 0;
}

struct tree_component *tree_match(const struct tree *tree, const struct vss_component *component) {
        for (size_t i = 0; i < tree->component_count; i++) {
                struct tree_component *ours = &tree->components[i];

                if (same_text(ours->name, vss_component_get_component_name(component)) &&
                    same_text(ours->logical_path, vss_component_get_logical_path(component)))
                        return ours;
        }
        return NULL;
}

bool tree_is_below(const struct tree_component *component, const struct tree_component *ancestor) {
        const char *path = component->logical_path, *up = ancestor->logical_path;
        size_t n;

        if (component == ancestor)
                return true;
        if (!path)
                return false;
        if (up) {
                n = strlen(up);
                if (strncmp(path, up, n) != 0 || path[n] != '\\')
                        return false;
                path += n + 1;
        }
        n = strlen(ancestor->name);
        return strncmp(path, ancestor->name, n) == 0 && (path[n] == '\\' || path[n] == '\0');
}

static struct tree_selection *find_selection(const struct tree *tree,
                                             const struct vss_id *session) {
        for (size_t i = 0; i < tree->selection_count; i++)
                if (vss_id_equal(&tree->selections[i].session, session))
                        return &tree->selections[i];
        return NULL;
}

void tree_forget(struct tree *tree, const struct vss_id *session) {
        struct tree_selection *selection = find_selection(tree, session);

        if (!selection)
                return;
        free(selection->chosen);
        *selection = tree->selections[--tree->selection_count];
}

bool tree_is_selected(const struct tree *tree, const struct vss_id *session, size_t component) {
        const struct tree_selection *selection = find_selection(tree, session);

        return !selection || selection->chosen[component];
}

static void choose(const struct tree *tree, const struct vss_component *component, bool *chosen) {
        const struct tree_component *top = tree_match(tree, component);

        for (size_t i = 0; top && i < tree->component_count; i++)
                if (top == &tree->components[i] ||
                    (top->selectable && tree_is_below(&tree->components[i], top)))
                        chosen[i] = true;
}

int tree_select(struct tree *tree, const struct vss_id *session,
                struct vss_writer_components *components) {
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;
        bool *chosen;

        tree_forget(tree, session);
        if (!components)
                return 0;
        chosen = calloc(tree->component_count, sizeof(*chosen));
        if (!chosen || GROW(&tree->selections, tree->selection_count) < 0) {
                free(chosen);
                return -ENOMEM;
        }
        for (size_t i = 0; i < count; i++)
                choose(tree, vss_writer_components_get_component(components, i), chosen);
        tree->selections[tree->selection_count++] =
                (struct tree_selection){ .session = *session, .chosen = chosen };
        return 0;
}

int tree_affected(const struct tree *tree, const struct vss_writer *writer,
                  struct vss_error *reterr) {
        const struct file_set *in = NULL, *out = NULL;
        struct vss_id session = vss_writer_get_session_id(writer);

        for (size_t i = 0; i < tree->component_count; i++)
                for (size_t j = 0; j < tree->components[i].set_count; j++) {
                        const struct file_set *set = &tree->components[i].sets[j];
                        const char *path = set->alternate ? set->alternate : set->path;

                        if (!tree_is_selected(tree, &session, i) || !file_set_needs_snapshot(set))
                                continue;
                        if (vss_writer_is_path_affected(writer, path))
                                in = set;
                        else
                                out = set;
                }
        if (in && out)
                return util_fail(reterr, VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT,
                                 "'%s' is on a volume of the set, '%s' is not; add its volume, or "
                                 "do not select its component",
                                 in->alternate ? in->alternate : in->path,
                                 out->alternate ? out->alternate : out->path);
        return in != NULL;
}
