/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "images.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/check.h"

static struct vss_component_key key_of(const struct host *host) {
        return (struct vss_component_key){ .writer_id = host->identity.writer_id,
                                           .type = VSS_CT_DATABASE,
                                           .name = "app" };
}

static char *copy_text(const char *text) {
        char *copy = text ? strdup(text) : NULL;

        CHECK(!text || copy);
        return copy;
}

/* ---- taking ---- */

/* the bytes of the ranges, one after the other */
static void store_ranges(struct image *image, const char *text) {
        const char *file = NULL;
        char *out;

        CHECK_INT(ranges_parse(text, &image->ranges, &file, NULL), 0);
        if (file)
                CHECK_INT(ranges_read_file(AT_FDCWD, file, &image->ranges, NULL), 0);
        image->partial = true;
        CHECK(asprintf(&out, "%s/app.db.ranges", image->folder) > 0);
        {
                _cleanup_close_ int from = open(scratch_path("copy/app.db"), O_RDONLY | O_CLOEXEC),
                                    to = open(out, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

                CHECK(from >= 0 && to >= 0);
                for (size_t i = 0; i < image->ranges.count; i++) {
                        const struct range *range = &image->ranges.items[i];
                        char *data = malloc(range->length + 1);

                        CHECK(data && range->offset + range->length <= image->size);
                        CHECK_INT(pread(from, data, range->length, (off_t)range->offset),
                                  range->length);
                        CHECK_INT(write_all(to, data, range->length), 0);
                        free(data);
                }
        }
        free(out);
}

static void store(struct image *image, const struct vss_component *component) {
        static int number;
        const char *path, *name, *ranges;
        struct stat st;

        image->folder = scratch_path("image-%d", number++);
        run("mkdir -p '%s/truth' && cp '%s' '%s/truth/'", image->folder,
            scratch_path("copy/app.db"), image->folder);
        run("cd '%s' && for f in app.db-wal* app.db-journal*; do ! test -e \"$f\" || cp -a \"$f\" "
            "'%s/'; done",
            scratch_path("copy"), image->folder);
        CHECK_INT(stat(scratch_path("copy/app.db"), &st), 0);
        image->size = (uint64_t)st.st_size;
        if (vss_component_get_partial_file_count(component) == 0) {
                run("cp '%s' '%s/'", scratch_path("copy/app.db"), image->folder);
                return;
        }
        CHECK_INT(vss_component_get_partial_file_count(component), 1);
        CHECK_INT(vss_component_get_partial_file(component, 0, &path, &name, &ranges, NULL), 0);
        CHECK_STR(path, scratch_path("data"));
        CHECK_STR(name, "app.db");
        store_ranges(image, ranges);
}

void image_begin(struct host *host, struct image *image, uint32_t type, const struct image *base,
                 const char *const *settings) {
        struct vss_component_key key;
        struct vss_component *component;
        struct timespec from, to;
        const char *words;

        memset(image, 0, sizeof(*image));
        image->type = type;
        start(host, settings);
        host->backup_type = type;
        host->partial_files = true;
        host_select(host, VSS_CT_DATABASE, NULL, "app");
        key = key_of(host);
        if (base && base->stamp)
                CHECK_INT(bcd_set_previous_backup_stamp(host->bcd, &key, base->stamp, NULL), 0);
        CHECK_INT(host_event(host, "PrepareBackup"), 0);
        CHECK_INT(host_event(host, "PrepareSnapshot"), 0);
        CHECK_INT(host_event(host, "Freeze"), 0);
        make_copy();
        CHECK_INT(host_event(host, "Thaw"), 0);
        (void)clock_gettime(CLOCK_MONOTONIC, &from);
        (void)host_event(host, "PostSnapshot");
        (void)clock_gettime(CLOCK_MONOTONIC, &to);
        image->post_us = (uint64_t)((to.tv_sec - from.tv_sec) * 1000000 +
                                    (to.tv_nsec - from.tv_nsec) / 1000);
        component = host_component(host, "app");
        (void)vss_component_get_failure(component, &image->failure, NULL, &words);
        image->words = copy_text(words);
        image->stamp = copy_text(vss_component_get_backup_stamp(component));
        image->message = copy_text(vss_component_get_post_snapshot_failure_msg(component));
        if (image->failure == 0)
                store(image, component);
        remove_copy();
}

void image_end(struct host *host, struct image *image, bool succeeded) {
        struct vss_component_key key = key_of(host);
        size_t size;

        CHECK_INT(bcd_set_backup_succeeded(host->bcd, &host->instance, &key, succeeded, NULL), 0);
        CHECK_INT(bcd_save(host->bcd, &image->xml, &size, NULL), 0);
        CHECK_INT(host_event(host, "BackupComplete"), 0);
        CHECK_INT(host_event(host, "BackupShutdown"), 0);
        host_stop(host);
}

void image_take(struct image *image, uint32_t type, const struct image *base) {
        struct host host;

        image_begin(&host, image, type, base, NULL);
        if (image->failure)
                CHECK_FAIL_("%s", image->words);
        image_end(&host, image, true);
}

void image_done(struct image *image) {
        free(image->stamp);
        free(image->message);
        free(image->words);
        free(image->xml);
        ranges_done(&image->ranges);
        memset(image, 0, sizeof(*image));
}

uint64_t image_bytes(const struct image *image) {
        uint64_t bytes = 0;

        for (size_t i = 0; i < image->ranges.count; i++)
                bytes += image->ranges.items[i].length;
        return image->partial ? bytes : image->size;
}

static char *truth_of(const struct image *image, size_t *ret_size) {
        _cleanup_free_ char *path = NULL;
        char *data;

        CHECK(asprintf(&path, "%s/truth/app.db", image->folder) > 0);
        CHECK_INT(read_whole_file(AT_FDCWD, path, 1 << 30, &data, ret_size), 0);
        return data;
}

void image_expect_ranges(const struct image *image, const struct image *base, size_t page_size) {
        size_t size, base_size, range = 0;
        _cleanup_free_ char *now = truth_of(image, &size), *before = truth_of(base, &base_size);

        CHECK(image->partial);
        for (size_t at = 0; at < size; at += page_size) {
                bool differs =
                        at + page_size > base_size || memcmp(now + at, before + at, page_size) != 0;
                const struct range *r;

                while (range < image->ranges.count &&
                       image->ranges.items[range].offset + image->ranges.items[range].length <= at)
                        range++;
                r = range < image->ranges.count ? &image->ranges.items[range] : NULL;
                if (differs != (r && r->offset <= at && r->offset + r->length > at))
                        CHECK_FAIL_("page at %zu %s", at,
                                    differs ? "changed and is not in" : "did not change and is in");
        }
}

/* ---- putting back ---- */

/* the stored document, for the instance that lives now */
static void load(struct host *host, const struct image *image) {
        char instance[VSS_ID_TEXT_SIZE];
        _cleanup_free_ char *xml = copy_text(image->xml);
        char *at;

        vss_id_format(&host->instance, instance);
        at = strstr(xml, "instanceId=\"");
        CHECK(at);
        memcpy(at + strlen("instanceId=\""), instance, strlen(instance));
        host->bcd = bcd_free(host->bcd);
        CHECK_INT(bcd_load(xml, strlen(xml), NULL, &host->bcd, NULL), 0);
}

void restore_load(struct host *host, const struct image *image, bool more_follow) {
        struct vss_component_key key = key_of(host);

        load(host, image);
        CHECK_INT(bcd_set_restore_state(host->bcd, VSS_RTYPE_BY_COPY, NULL), 0);
        CHECK_INT(bcd_set_selected_for_restore(host->bcd, &key, true, NULL, NULL), 0);
        CHECK_INT(bcd_set_additional_restores(host->bcd, &key, more_follow, NULL), 0);
}

void restore_prepare(struct host *host, const struct image *image, bool more_follow,
                     const char *const *settings) {
        start(host, settings);
        CHECK_INT(host_identify(host), 0);
        restore_load(host, image, more_follow);
}

void restore_begin(struct host *host, const struct image *image, bool more_follow) {
        restore_prepare(host, image, more_follow, NULL);
        CHECK_INT(host_event(host, "PreRestore"), 0);
}

void image_put_into(const struct image *image, const char *folder) {
        _cleanup_free_ char *data = NULL, *path = NULL, *to = NULL;
        uint64_t at = 0;
        size_t size;
        int fd;

        CHECK(asprintf(&to, "%s/app.db", folder) > 0);
        run("cd '%s' && for f in app.db-*; do ! test -e \"$f\" || cp -a \"$f\" '%s/'; done",
            image->folder, folder);
        if (!image->partial) {
                run("cp --remove-destination '%s/app.db' '%s'", image->folder, to);
                return;
        }
        CHECK(asprintf(&path, "%s/app.db.ranges", image->folder) > 0);
        CHECK_INT(read_whole_file(AT_FDCWD, path, 1 << 30, &data, &size), 0);
        fd = open(to, O_WRONLY | O_CLOEXEC);
        CHECK(fd >= 0);
        for (size_t i = 0; i < image->ranges.count; i++) {
                const struct range *range = &image->ranges.items[i];

                CHECK_INT(pwrite_all(fd, data + at, range->length, (off_t)range->offset), 0);
                at += range->length;
        }
        CHECK_INT(at, size);
        CHECK_INT(ftruncate(fd, (off_t)image->size), 0); /* I-129 */
        close(fd);
}

void image_put_back(const struct image *image) {
        image_put_into(image, scratch_path("data"));
}

int restore_end(struct host *host, char **ret_words) {
        struct vss_component_key key = key_of(host);
        const struct vss_component *component;
        const char *words;
        int32_t failure;

        CHECK_INT(bcd_set_file_restore_status(host->bcd, &key, VSS_RS_ALL, NULL), 0);
        (void)host_event(host, "PostRestore");
        component = host_component(host, "app");
        (void)vss_component_get_failure(component, &failure, NULL, &words);
        if (ret_words)
                *ret_words = copy_text(words);
        else if (failure)
                fprintf(stderr, "PostRestore: %s\n", words);
        host_stop(host);
        return failure;
}

static const struct image *last_of(const struct image *const *chain) {
        while (chain[1])
                chain++;
        return *chain;
}

int chain_restore(const struct image *const *chain, enum chain_mode mode) {
        const struct image *wanted = last_of(chain);
        struct host host;
        int r = 0;

        run("rm -f '%s'/app.db*", scratch_path("data"));
        if (mode == CHAIN_MERGED)
                restore_begin(&host, wanted, false);
        for (; r == 0 && *chain; chain++) {
                if (mode == CHAIN_ONE_BY_ONE)
                        restore_begin(&host, *chain, *chain != wanted);
                image_put_back(*chain);
                if (*chain == wanted)
                        run("cmp '%s' '%s/truth/app.db'", scratch_path("data/app.db"),
                            wanted->folder);
                if (mode == CHAIN_ONE_BY_ONE || *chain == wanted)
                        r = restore_end(&host, NULL);
        }
        return r;
}

/* ---- the state folder ---- */

int lists_kept(const char *suffix) {
        DIR *folder = opendir(scratch_path("state"));
        struct dirent *entry;
        int count = 0;

        while (folder && (entry = readdir(folder))) {
                size_t n = strlen(entry->d_name), m = strlen(suffix);

                count += n > m && strcmp(entry->d_name + n - m, suffix) == 0;
        }
        if (folder)
                closedir(folder);
        return count;
}

char *list_of(const struct image *image) {
        char name[256];

        CHECK(image->stamp && sscanf(image->stamp, "sqlite-pages:2:%255[^:]:", name) == 1);
        return strcmp(name, "-") == 0 ? NULL : scratch_path("state/%s", name);
}

void spoil(const char *path, off_t offset) {
        int fd = open(path, O_RDWR | O_CLOEXEC);
        unsigned char byte;

        CHECK(fd >= 0);
        CHECK_INT(pread(fd, &byte, 1, offset), 1);
        byte ^= 1;
        CHECK_INT(pwrite(fd, &byte, 1, offset), 1);
        close(fd);
}
