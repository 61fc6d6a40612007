/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-back.c - bringing files back from a folder that "copy" made: where each goes, by method,
 * target, mappings and new targets, is decided and done by what vssctl restores with
 * (backup/restore-put.h). For that the folder becomes a backup set of one image in a scratch store.
 * What the requester has to tell the service of it is told here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/restore-put.h"
#include "backup/restore-services.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/ranges.h"
#include "betest.h"

/* what outlives one call: the settings, and services that are stopped or wait to be restarted */
struct back {
        struct restore_settings settings;
        struct restore_services services;
        char **restarts; /* method 8: after PostRestore */
        size_t restart_count, restart_capacity;
};

/* the folder as a store */
struct scratch {
        struct run *run;
        char path[sizeof("/var/tmp/vss-betest.XXXXXX")];
        int files; /* of the folder */
        struct store *store;
        struct set_writer *writer;
        struct operation *op;
        struct set_list list;
        const struct set_info *set;
        uint32_t *components; /* by number of the chosen one */
        size_t holes; /* sparse files that stand for ranges */
        const char *dir;
        struct vss_error *reterr;
};

static void service_trouble(void *userdata, const struct vss_error *error) {
        say_begin("trouble");
        say_text("message", vss_error_message(error));
        say_end();
}

static int back_new(struct run *run, struct vss_error *reterr) {
        struct back *back;
        int r;

        if (run->back)
                return 0;
        back = calloc(1, sizeof(*back));
        if (!back)
                return -ENOMEM;
        r = restore_settings_read(&back->settings, run->connection.config_dir, reterr);
        if (r < 0) {
                restore_settings_done(&back->settings);
                free(back);
                return r;
        }
        back->services = (struct restore_services){ .settings = &back->settings,
                                                    .trouble = service_trouble };
        run->back = back;
        return 0;
}

void back_before_post_restore(struct run *run) {
        if (run->back)
                restore_services_start(&run->back->services, NULL, NULL);
}

void back_after_post_restore(struct run *run) {
        for (size_t i = 0; run->back && i < run->back->restart_count; i++) {
                restore_services_restart(&run->back->services, run->back->restarts[i]);
                free(run->back->restarts[i]);
        }
        if (run->back)
                run->back->restart_count = 0;
}

void back_done(struct run *run) {
        struct back *back = run->back;

        if (!back)
                return;
        restore_services_done(&back->services);
        for (size_t i = 0; i < back->restart_count; i++)
                free(back->restarts[i]);
        free(back->restarts);
        restore_settings_done(&back->settings);
        free(back);
        run->back = NULL;
}

/* ---- the folder becomes a set ---- */

static struct component_key key_of(const struct chosen *chosen) {
        return (struct component_key){ .writer_id = chosen->key.writer_id,
                                       .instance_name = "",
                                       .type = chosen->key.type,
                                       .logical_path = chosen->key.logical_path
                                                               ? chosen->key.logical_path
                                                               : "",
                                       .name = chosen->key.name };
}

static int add_whole(struct scratch *s, uint32_t component, const char *path) {
        const struct source source = { .component = component,
                                       .path = path,
                                       .root_fd = s->files,
                                       .read_path = path + 1,
                                       .pick = SOURCE_WHOLE };

        return op_run(s->op, &source, NULL, s->reterr);
}

/* write_range() - the next @length bytes of @in to their place */
static int write_range(int in, int out, uint64_t offset, uint64_t length) {
        char buffer[65536];

        while (length > 0) {
                size_t want = length < sizeof(buffer) ? (size_t)length : sizeof(buffer);

                if (read(in, buffer, want) != (ssize_t)want)
                        return -ENODATA;
                if (pwrite(out, buffer, want, (off_t)offset) != (ssize_t)want)
                        return -EIO;
                offset += want;
                length -= want;
        }
        return 0;
}

/* spread() - the stored bytes at their places in @to, a file full of holes */
static int spread(const char *from, const char *to, const struct ranges *ranges, off_t size) {
        _cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC);
        _cleanup_close_ int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        int r = in < 0 || out < 0 || ftruncate(out, size) < 0 ? -errno : 0;

        for (size_t i = 0; r >= 0 && i < ranges->count; i++)
                r = write_range(in, out, ranges->items[i].offset, ranges->items[i].length);
        return r;
}

static int run_ranges(struct scratch *s, uint32_t component, const char *path, const char *name,
                      const struct ranges *ranges) {
        _cleanup_close_ int root = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ struct byte_range *list = calloc(ranges->count + 1, sizeof(*list));
        const struct source source = { .component = component,
                                       .path = path,
                                       .root_fd = root,
                                       .read_path = name,
                                       .pick = SOURCE_RANGES,
                                       .ranges = list,
                                       .ranges_count = ranges->count };

        if (root < 0 || !list)
                return root < 0 ? -errno : -ENOMEM;
        for (size_t i = 0; i < ranges->count; i++)
                list[i] = (struct byte_range){ ranges->items[i].offset, ranges->items[i].length };
        return op_run(s->op, &source, NULL, s->reterr);
}

/* add_ranges() - @words: "ranges", component, path, number, size, list */
static int add_ranges(struct scratch *s, uint32_t component, char *const *words) {
        _cleanup_free_ char *from = NULL, *to = NULL;
        struct ranges ranges = { 0 };
        const char *file;
        char name[32];
        int r;

        (void)snprintf(name, sizeof(name), "ranges-%zu", ++s->holes);
        to = path_join(s->path, name);
        if (!to || asprintf(&from, "%s/ranges/%s", s->dir, words[3]) < 0)
                return -ENOMEM;
        r = ranges_parse(words[5], &ranges, &file, s->reterr);
        if (r >= 0)
                r = spread(from, to, &ranges, (off_t)strtoull(words[4], NULL, 10));
        ranges_normalize(&ranges);
        if (r >= 0)
                r = run_ranges(s, component, words[2], name, &ranges);
        ranges_done(&ranges);
        return r;
}

static int add_indexed(void *userdata, char *const *words, size_t count) {
        struct scratch *s = userdata;

        if (count < 3 || strcmp(words[0], "skip") == 0)
                return 0;
        for (size_t i = 0; i < s->run->chosen_count; i++) {
                _cleanup_free_ char *text = component_text(&s->run->chosen[i]);

                if (!text)
                        return -ENOMEM;
                if (strcmp(text, words[1]) == 0)
                        return count == 6 ? add_ranges(s, s->components[i], words)
                                          : add_whole(s, s->components[i], words[2]);
        }
        return 0; /* of a component that is not selected */
}

static int begin_set(struct scratch *s, struct vss_error *reterr) {
        const struct set_options options = { .type = VSS_BT_FULL };
        _cleanup_free_ char *path = path_join(s->path, "store");
        int r = path ? store_open(path, STORE_CREATE, &s->store, reterr) : -ENOMEM;

        if (r >= 0)
                r = store_lock(s->store, reterr);
        if (r >= 0)
                r = set_begin(s->store, &options, &s->writer, reterr);
        if (r >= 0)
                r = op_begin(s->writer, VSS_BT_FULL, &s->op, reterr);
        for (size_t i = 0; r >= 0 && i < s->run->chosen_count; i++) {
                struct component_key key = key_of(&s->run->chosen[i]);

                r = op_add_component(s->op, &key, &s->components[i], reterr);
        }
        return r;
}

static int end_set(struct scratch *s, struct vss_error *reterr) {
        int r = op_end(s->op, reterr);

        if (r >= 0)
                r = set_publish(take(s->writer), reterr);
        if (r >= 0)
                r = store_list(s->store, &s->list, reterr);
        return r < 0 ? r : set_find(&s->list, "latest", &s->set, reterr);
}

static int fill(struct scratch *s, struct run *run, const char *dir, struct vss_error *reterr) {
        _cleanup_free_ char *files = path_join(dir, "files");
        int r;

        *s = (struct scratch){ .run = run,
                               .dir = dir,
                               .files = -1,
                               .reterr = reterr,
                               .path = "/var/tmp/vss-betest.XXXXXX" };
        if (!mkdtemp(s->path)) {
                s->path[0] = '\0';
                return vss_fail(reterr, -errno, "cannot make a folder in /var/tmp");
        }
        s->components = calloc(run->chosen_count + 1, sizeof(*s->components));
        if (!files || !s->components)
                return -ENOMEM;
        s->files = open(files, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* absent without whole files */
        r = begin_set(s, reterr);
        if (r >= 0)
                r = each_indexed(dir, add_indexed, s, reterr);
        return r < 0 ? r : end_set(s, reterr);
}

static void scratch_done(struct scratch *s) {
        set_abandon(s->writer);
        set_list_done(&s->list);
        store_close(s->store);
        if (s->path[0])
                (void)remove_tree(AT_FDCWD, s->path);
        if (s->files >= 0)
                close(s->files);
        free(s->components);
}

/* ---- the writer's document as it was stored ---- */

static bool is_of(const struct vss_examine_writer_metadata *metadata,
                  const struct vss_component_key *key) {
        const struct vss_wm_component *c;
        struct vss_writer_identity identity;
        struct vss_component_info info;

        vss_examine_writer_metadata_get_identity(metadata, &identity);
        if (!vss_id_equal(&identity.writer_id, &key->writer_id))
                return false;
        for (size_t i = 0; (c = vss_examine_writer_metadata_get_component(metadata, i)); i++) {
                vss_wm_component_get_component_info(c, &info);
                if (strcmp(info.name, key->name) == 0 &&
                    strcmp(info.logical_path ? info.logical_path : "",
                           key->logical_path ? key->logical_path : "") == 0)
                        return true;
        }
        return false;
}

/* find_metadata() - of the files that "save_writer_metadata DIR/writers" made the one that declares
 * the component; without one what the living writer says, lent. *ret_own is to be freed */
static int find_metadata(struct run *run, const char *dir, const struct vss_component_key *key,
                         const struct vss_examine_writer_metadata **ret,
                         struct vss_examine_writer_metadata **ret_own, struct vss_error *reterr) {
        _cleanup_free_ char *pattern = path_join(dir, "writers/*.xml");
        glob_t found = { 0 };
        size_t count = 0;
        int r = 0;

        *ret = *ret_own = NULL;
        if (!pattern)
                return -ENOMEM;
        if (glob(pattern, 0, NULL, &found) == 0)
                for (size_t i = 0; r >= 0 && !*ret && i < found.gl_pathc; i++) {
                        _cleanup_free_ char *name = NULL, *xml = NULL;

                        if (asprintf(&name, "@%s", found.gl_pathv[i]) < 0)
                                r = -ENOMEM;
                        else
                                r = read_text(name, &xml, reterr);
                        if (r >= 0)
                                r = vss_examine_writer_metadata_create(xml, strlen(xml), ret_own,
                                                                       reterr);
                        if (r >= 0 && is_of(*ret_own, key))
                                *ret = *ret_own;
                        else if (r >= 0)
                                *ret_own = vss_examine_writer_metadata_free(*ret_own);
                }
        globfree(&found);
        if (r >= 0 && !*ret)
                r = vss_backup_components_get_writer_metadata_count(run->bc, &count, reterr);
        for (size_t i = 0; r >= 0 && !*ret && i < count; i++) {
                struct vss_examine_writer_metadata *living;

                r = vss_backup_components_get_writer_metadata(run->bc, i, NULL, &living, reterr);
                if (r >= 0 && is_of(living, key))
                        *ret = living;
        }
        if (r >= 0 && !*ret)
                r = vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                             "no writer document declares component '%s'", key->name);
        return r;
}

/* ---- one component ---- */

struct returning {
        struct scratch *scratch;
        struct chosen *chosen;
        struct vss_component *entry;
        struct restore_plan *plan;
};

static void on_result(void *userdata, const struct entry *entry, const char *placed,
                      enum restore_outcome outcome, int code, const char *words) {
        say_begin("returned");
        say_text("decision", entry->partial ? "ranges" : "whole");
        say_text("path", placed ? placed : entry->path);
        if (outcome == RESTORE_FAILED)
                say_code("failed", code);
        say_text("message", words);
        say_end();
}

static void on_note(void *userdata, const char *words) {
        say_begin("note");
        say_text("message", words);
        say_end();
}

static int on_stop(void *userdata, const char *service, struct vss_error *reterr) {
        const struct returning *b = userdata;

        return restore_services_stop(&b->scratch->run->back->services, service,
                                     &b->chosen->key.writer_id, reterr);
}

static void say_verdict(const struct returning *b, int code, const struct vss_error *error) {
        static const char *const courses[] = { "nothing", "original", "mapped", "at_boot" };
        const struct restore_verdict *v = restore_plan_verdict(b->plan);

        say_begin("decided");
        say_text("component", b->chosen->key.name);
        say_text("course", v->course < COURSE_MAX ? courses[v->course] : "?");
        say_text("rule", v->rule);
        say_text("service", v->service);
        if (v->writer_error)
                say_bool("writer_error", true);
        if (v->announces_reboot)
                say_bool("reboot", true);
        say_text("warning", v->warning);
        say_text("message", code < 0 ? vss_error_message(error) : v->words);
        say_end();
}

/* what went to its mapped place, all of it */
static int record_mappings(const struct returning *b, struct vss_error *reterr) {
        struct vss_file_set files;
        const char *destination;
        int r = 0;

        for (size_t i = 0; r >= 0 && restore_plan_mapping(b->plan, i, &files, &destination); i++)
                r = vss_backup_components_add_alternative_location_mapping(
                        b->scratch->run->bc, &b->chosen->key, &files, destination, reterr);
        return r;
}

/* the writer finds its ranges file where it is now */
static int record_ranges_files(const struct returning *b, struct vss_error *reterr) {
        const char *ranges;
        int r = 0;

        for (size_t i = 0;
             r >= 0 && vss_component_get_partial_file(b->entry, i, NULL, NULL, &ranges, NULL) >= 0;
             i++) {
                struct restore_destination where;
                const char *file = NULL;
                struct ranges list = { 0 };

                if (ranges_parse(ranges, &list, &file, NULL) >= 0 && file)
                        r = restore_plan_destination(b->plan, file, ENTRY_FILE, &where);
                if (r >= 0 && file && where.path && strcmp(where.path, file) != 0)
                        r = vss_backup_components_set_ranges_file_path(
                                b->scratch->run->bc, &b->chosen->key, i, where.path, reterr);
                ranges_done(&list);
        }
        return r;
}

static int restart_later(struct back *back, const struct restore_plan *plan) {
        const struct restore_verdict *v = restore_plan_verdict(plan);

        if (!v->restarts)
                return 0;
        if (ARRAY_RESERVE(&back->restarts, back->restart_count, &back->restart_capacity) < 0)
                return -ENOMEM;
        back->restarts[back->restart_count] = strdup(v->service);
        return back->restarts[back->restart_count++] ? 0 : -ENOMEM;
}

static int put(struct returning *b, const struct restore_plan_input *input,
               const struct set_place *place, struct vss_error *reterr) {
        struct run *run = b->scratch->run;
        struct set_place link = *place;
        const struct chain chain = { .links = &link, .count = 1 };
        const struct restore_request request = { .userdata = b, .result = on_result };
        const struct restore_image image = { .chain = &chain, .image = 1 };
        const struct engine_watch watch = { 0 };
        const struct restore_putter putter = { .store = b->scratch->store,
                                               .settings = &run->back->settings,
                                               .request = &request,
                                               .watch = &watch,
                                               .userdata = b,
                                               .note = on_note,
                                               .stop_service = on_stop };
        struct restore_put_result result;
        int r = restore_put(&putter, &image, input, &b->plan, &result, reterr);

        b->chosen->status = result.status;
        if (!b->plan)
                return r;
        say_verdict(b, r, reterr);
        if (r >= 0)
                r = record_mappings(b, reterr);
        if (r >= 0)
                r = record_ranges_files(b, reterr);
        if (r >= 0)
                r = restart_later(run->back, b->plan);
        restore_plan_free(b->plan);
        return r;
}

static int load_parts(const struct vss_component *entry, struct restore_part **ret,
                      size_t *ret_count) {
        size_t count = entry ? vss_component_get_restore_subcomponent_count(entry) : 0;

        *ret = calloc(count + 1, sizeof(**ret));
        *ret_count = count;
        for (size_t i = 0; *ret && i < count; i++)
                (void)vss_component_get_restore_subcomponent(entry, i, &(*ret)[i].logical_path,
                                                             &(*ret)[i].name);
        return *ret ? 0 : -ENOMEM;
}

static int restore_component(struct scratch *s, struct chosen *chosen, struct vss_error *reterr) {
        struct returning b = { s, chosen, entry_of(s->run, chosen), NULL };
        struct vss_examine_writer_metadata *own = NULL;
        const struct component_key key = key_of(chosen);
        struct restore_plan_input input = { .key = &key, .component = b.entry };
        _cleanup_free_ struct restore_part *parts = NULL;
        struct set_place place;
        int r = load_parts(b.entry, &parts, &input.part_count);

        input.parts = parts;
        if (r >= 0)
                r = find_metadata(s->run, s->dir, &chosen->key, &input.metadata, &own, reterr);
        if (r >= 0)
                r = catalogue_find(s->set, &key, &place);
        if (r >= 0)
                r = put(&b, &input, &place, reterr);
        vss_examine_writer_metadata_free(own);
        return r;
}

/* a private copy: no rules but the folder */
static int restore_into(struct scratch *s, struct chosen *chosen, const char *into,
                        struct vss_error *reterr) {
        const struct component_key key = key_of(chosen);
        struct restore_summary summary = { 0 };
        struct set_place place;
        struct chain chain = { .links = &place, .count = 1 };
        const struct restore_request request = {
                .chain = &chain, .image = 1, .into = into, .result = on_result, .whole = true
        };
        const struct engine_watch watch = { 0 };
        int r = catalogue_find(s->set, &key, &place);

        if (r >= 0)
                r = restore_run(s->store, &request, &watch, &summary, reterr);
        chosen->status = r >= 0 ? VSS_RS_ALL : summary.changed ? VSS_RS_FAILED : VSS_RS_NONE;
        return r;
}

/* what one set cannot is no failure of the call: its status says so */
int call_restore_files(struct run *run, const struct words *words, struct vss_error *reterr) {
        const char *into = words->count > 1 ? words->items[1] : NULL;
        struct scratch scratch;
        int r = back_new(run, reterr);

        if (r < 0)
                return r;
        r = fill(&scratch, run, words->items[0], reterr);
        for (size_t i = 0; r >= 0 && i < run->chosen_count; i++) {
                struct chosen *chosen = &run->chosen[i];
                int one;

                chosen->status = VSS_RS_NONE;
                one = into ? restore_into(&scratch, chosen, into, reterr)
                           : restore_component(&scratch, chosen, reterr);
                if (one == -ENOMEM)
                        r = one;
                chosen->failed = one < 0;
                chosen->done = true;
                vss_error_clear(reterr);
        }
        scratch_done(&scratch);
        return r;
}
