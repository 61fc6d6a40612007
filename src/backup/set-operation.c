/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * set-operation.c - one operation of a set: its components, documents and sources.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/writing.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

#define PROGRESS_STEP 64

static const struct component_key own_key = { .instance_name = "", .logical_path = "", .name = "" };

static int make_operation(struct set_writer *set, struct operation *op) {
        char name[24];

        snprintf(name, sizeof(name), "op-%u", op->number);
        if (mkdirat(set->fd, name, 0700) < 0)
                return -errno;
        op->fd = openat(set->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (op->fd < 0)
                return -errno;
        op->digest = content_digest_new();
        op->buffer = malloc(READ_SIZE);
        return op->digest && op->buffer ? 0 : -ENOMEM;
}

int op_begin(struct set_writer *set, uint32_t type, struct operation **ret,
             struct vss_error *reterr) {
        struct operation *op;
        int r;

        if (!backup_type_name(type))
                return vss_fail(reterr, E_INVALIDARG, "%u is no backup type", type);
        if (ARRAY_RESERVE(&set->operations, set->operations_count, &set->operations_capacity) < 0)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        op = calloc(1, sizeof(*op));
        if (!op)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        op->set = set;
        op->fd = -1;
        op->number = (uint32_t)set->operations_count + 1;
        set->operations[set->operations_count++] = op;
        if (!set_add_operation(set->record, type))
                return set_broken(set, -ENOMEM, reterr);
        r = make_operation(set, op);
        if (r >= 0)
                r = op_add_component(op, &own_key, NULL, reterr);
        if (r < 0)
                return set_broken(set, r, reterr);
        *ret = op;
        return 0;
}

int op_add_component(struct operation *op, const struct component_key *key, uint32_t *ret_index,
                     struct vss_error *reterr) {
        struct set_operation *info = op_info(op);
        struct chain *grown;

        for (size_t i = 0; i < info->components_count; i++)
                if (component_key_equal(&info->components[i].key, key))
                        return vss_fail(reterr, E_INVALIDARG,
                                        "the component '%s' is in the operation already",
                                        key->name);
        grown = realloc(op->bases, (op->bases_count + 1) * sizeof(*grown));
        if (!grown)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        op->bases = grown;
        op->bases[op->bases_count] = (struct chain){ 0 };
        if (!operation_add_component(info, key))
                return vss_fail(reterr, -ENOMEM, "out of memory");
        if (ret_index)
                *ret_index = (uint32_t)op->bases_count;
        op->bases_count++;
        return 0;
}

static int check_component(const struct operation *op, uint32_t component,
                           struct vss_error *reterr) {
        if (component >= op->bases_count)
                return vss_fail(reterr, E_INVALIDARG, "the operation has no component %u",
                                component);
        return 0;
}

/* bytes of a manifest that the kernel is asked to read while the provider looks for changes */
#define AHEAD (64 << 20)

static void read_ahead(struct operation *op, const struct chain *chain) {
        for (size_t i = 0; i < chain->count; i++) {
                const struct set_place *place = &chain->links[i];
                _cleanup_free_ char *name = operation_file(place->operation, MANIFEST_FILE);
                _cleanup_close_ int fd =
                        name ? store_open_file(op->set->store, place->set, name, NULL) : -1;

                if (fd >= 0)
                        (void)posix_fadvise(fd, 0, AHEAD, POSIX_FADV_WILLNEED);
        }
}

int op_set_base(struct operation *op, uint32_t component, const struct set_place *base,
                const struct set_list *list, struct vss_error *reterr) {
        struct set_component *info;
        struct chain chain = { 0 };
        int r = check_component(op, component, reterr);

        if (r < 0)
                return r;
        info = &op_info(op)->components[component];
        if (!set_place_component(base) ||
            !component_key_equal(&set_place_component(base)->key, &info->key))
                return vss_fail(reterr, E_INVALIDARG, "the base is of another component");
        if (!set_place_component(base)->good)
                return vss_fail(reterr, E_INVALIDARG,
                                "the component failed in the set '%s', which cannot be a base",
                                base->set->folder);
        r = chain_of(list, base, &chain, reterr);
        if (r < 0)
                return r;
        chain_done(&op->bases[component]);
        op->bases[component] = chain;
        if (component == 0)
                read_ahead(op, &chain);
        info->base = base->set->id;
        info->base_operation = base->operation;
        info->base_component = base->component;
        return 0;
}

/* "a.xml" or "writers/a.xml"; nothing that the engine writes itself */
static bool is_document_name(const char *name) {
        _cleanup_free_ char *path = path_join("/", name);
        const char *slash = strchr(name, '/');

        return path && *name && path_is_clean(path) && (!slash || !strchr(slash + 1, '/')) &&
               strcmp(name, DATA_FILE) != 0 && strcmp(name, RANGES_FILE) != 0 &&
               strcmp(name, MANIFEST_FILE) != 0 && strncmp(name, "run-", 4) != 0;
}

static int write_document(struct operation *op, const char *name, const void *data, size_t size) {
        _cleanup_free_ char *file = operation_file(op->number, name), *folder = strdup(name);
        uint8_t digest[DIGEST_SIZE];
        char *slash = folder ? strchr(folder, '/') : NULL;
        int r;

        if (!file || !folder)
                return -ENOMEM;
        if (slash) {
                *slash = '\0';
                if (mkdirat(op->fd, folder, 0700) < 0 && errno != EEXIST)
                        return -errno;
        }
        r = digest_bytes(data, size, digest);
        if (r >= 0)
                r = replace_file(op->fd, name, data, size, 0600); /* set_publish() syncs folders */
        return r < 0 ? r : set_add_file(op->set->record, file, size, digest);
}

int op_put_document(struct operation *op, const char *name, const void *data, size_t size,
                    struct vss_error *reterr) {
        int r;

        if (!is_document_name(name))
                return vss_fail(reterr, E_INVALIDARG, "'%s' cannot be the name of a document",
                                name);
        r = write_document(op, name, data, size);
        return r < 0 ? set_broken(op->set, r, reterr) : 0;
}

int op_component_failed(struct operation *op, uint32_t component, const char *words) {
        struct set_component *info;

        if (component >= op->bases_count)
                return E_INVALIDARG;
        info = &op_info(op)->components[component];
        info->good = false;
        if (info->words)
                return 0;
        info->words = strdup(words);
        return info->words ? 0 : -ENOMEM;
}

/* ---- sources ---- */

static int remember_failure(struct set_record *record, uint32_t operation, uint32_t component,
                            const char *path, int code, const char *words) {
        struct set_failure failure = { operation, component, code, NULL, NULL };

        if (record->failures_count >= FAILURES_MAX)
                return 0; /* the component is failed anyway; the first ones say why */
        if (ARRAY_RESERVE(&record->failures, record->failures_count, &record->failures_capacity) <
            0)
                return -ENOMEM;
        failure.path = strdup(path);
        failure.words = strdup(words);
        record->failures[record->failures_count++] = failure;
        return failure.path && failure.words ? 0 : -ENOMEM;
}

void op_tell_own(struct operation *op, own_name_fn is_own, void *userdata) {
        op->is_own = is_own;
        op->is_own_userdata = userdata;
}

int pass_trouble(struct pass *pass, const char *path, int code, const char *words) {
        uint32_t component = pass->source->component;
        struct operation *op = pass->op;
        _cleanup_free_ char *sentence = NULL;
        int r;

        if (code == -ENOMEM)
                return code;
        if (!words)
                words = strerror(-code);
        if (asprintf(&sentence, "'%s' could not be backed up: %s", path, words) < 0) {
                sentence = NULL;
                return -ENOMEM;
        }
        r = op_component_failed(op, component, sentence);
        if (r >= 0)
                r = remember_failure(op->set->record, op->number, component, path, code, words);
        if (r < 0)
                return r;
        if (pass->watch && pass->watch->trouble)
                pass->watch->trouble(pass->watch->userdata, component, path, code, words);
        return 1;
}

int pass_progress(struct pass *pass, const char *path) {
        int r;

        if (!pass->watch || !pass->watch->progress ||
            (pass->entries % PROGRESS_STEP != 0 && pass->bytes % (READ_SIZE * 8) != 0))
                return 0;
        r = pass->watch->progress(pass->watch->userdata, pass->entries, pass->bytes, path);
        return r < 0 ? vss_fail(pass->reterr, r, "the backup was cancelled") : 0;
}

static int add_coverage(struct operation *op, const struct source *source, bool by_changes) {
        struct coverage *coverage;

        if (ARRAY_RESERVE(&op->coverage, op->coverage_count, &op->coverage_capacity) < 0)
                return -ENOMEM;
        coverage = &op->coverage[op->coverage_count++];
        *coverage =
                (struct coverage){ .component = source->component,
                                   .path = strdup(source->path),
                                   .filespec = source->filespec ? strdup(source->filespec) : NULL,
                                   .recursive = source->recursive,
                                   .by_changes = by_changes };
        return coverage->path && (coverage->filespec || !source->filespec) ? 0 : -ENOMEM;
}

static int open_run(struct operation *op, const struct source *source,
                    struct manifest_writer **ret) {
        struct run *run;
        int fd;

        if (ARRAY_RESERVE(&op->runs, op->runs_count, &op->runs_capacity) < 0)
                return -ENOMEM;
        run = &op->runs[op->runs_count];
        *run = (struct run){ .component = source->component, .root = strdup(source->path) };
        if (asprintf(&run->name, "run-%zu", op->runs_count) < 0)
                run->name = NULL;
        op->runs_count++;
        if (!run->name || !run->root)
                return -ENOMEM;
        fd = openat(op->fd, run->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        return fd < 0 ? -errno : manifest_writer_new(fd, true, ret);
}

static int check_source(const struct operation *op, const struct source *source,
                        struct vss_error *reterr) {
        if (op->ended)
                return vss_fail(reterr, VSS_E_BAD_STATE, "the operation has ended");
        if (source->path[0] != '/')
                return vss_fail(reterr, E_INVALIDARG, "'%s' is not an absolute path", source->path);
        if (source->filespec && (!*source->filespec || strchr(source->filespec, '/')))
                return vss_fail(reterr, E_INVALIDARG,
                                "'%s' is no file specification: it must be one name (M-40)",
                                source->filespec);
        return check_component(op, source->component, reterr);
}

static int write_late(struct pass *pass) {
        int r;

        pass->run = manifest_writer_free(pass->run);
        r = open_run(pass->op, pass->source, &pass->run);
        if (r >= 0)
                r = member_put_late(pass);
        return r < 0 ? r : manifest_finish(pass->run, NULL, NULL);
}

static int run_pass(struct operation *op, const struct source *source,
                    const struct changed_path *paths, size_t count,
                    const struct engine_watch *watch, struct vss_error *reterr) {
        struct pass pass = { .op = op, .source = source, .watch = watch, .reterr = reterr };
        int r = op->set->broken < 0 ? op->set->broken : check_source(op, source, reterr);

        if (r < 0)
                return op->set->broken < 0 ? set_broken(op->set, r, reterr) : r;
        r = add_coverage(op, source, paths != NULL);
        if (r >= 0)
                r = open_run(op, source, &pass.run);
        if (r >= 0 && (paths || source->pick == SOURCE_COMPARE))
                r = changes_begin(&pass);
        if (r >= 0)
                r = paths ? walk_changed(&pass, paths, count) : walk_source(&pass);
        if (r >= 0)
                r = batches_settle(&pass);
        batches_stop(&pass);
        if (r >= 0)
                r = manifest_finish(pass.run, NULL, NULL);
        if (r >= 0 && pass.late_count > 0)
                r = write_late(&pass);
        changes_end(&pass);
        manifest_writer_free(pass.run);
        free(pass.late);
        return r < 0 ? set_broken(op->set, r, reterr) : 0;
}

int op_run(struct operation *op, const struct source *source, const struct engine_watch *watch,
           struct vss_error *reterr) {
        return run_pass(op, source, NULL, 0, watch, reterr);
}

int op_run_changed(struct operation *op, const struct source *source,
                   const struct changed_path *paths, size_t count, const struct engine_watch *watch,
                   struct vss_error *reterr) {
        static const struct changed_path none;

        if (source->pick != SOURCE_COMPARE)
                return vss_fail(reterr, E_INVALIDARG,
                                "only what is compared can be known to differ");
        return run_pass(op, source, paths ? paths : &none, count, watch, reterr);
}

static int finish_archive(struct operation *op, struct archive_writer **archive, const char *name) {
        _cleanup_free_ char *file = operation_file(op->number, name);
        uint8_t digest[DIGEST_SIZE];
        uint64_t stored = 0;
        int r;

        if (!*archive)
                return 0;
        r = archive_writer_finish(*archive, digest, &stored);
        *archive = archive_writer_free(*archive);
        if (r >= 0 && !file)
                r = -ENOMEM;
        return r < 0 ? r : set_add_file(op->set->record, file, stored, digest);
}

int op_end(struct operation *op, struct vss_error *reterr) {
        int r = op->set->broken < 0 ? op->set->broken : 0;

        if (op->ended)
                return vss_fail(reterr, VSS_E_BAD_STATE, "the operation has ended already");
        if (r >= 0)
                r = finish_archive(op, &op->data, DATA_FILE);
        if (r >= 0)
                r = finish_archive(op, &op->ranges, RANGES_FILE);
        if (r >= 0)
                r = merge_runs(op, reterr);
        if (r < 0)
                return set_broken(op->set, r, reterr);
        op->ended = true;
        return 0;
}
