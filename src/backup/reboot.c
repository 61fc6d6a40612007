/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reboot.c - see reboot.h. The note's first line is the boot since which it holds: a runtime folder
 * that outlives a boot does no harm.
 */
#define _GNU_SOURCE
#include "backup/reboot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/pending.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"

#define NOTE "reboot-required"

enum { NOTE_MAX_SIZE = 1 << 20 };

struct strings {
        char **items;
        size_t count, capacity;
};

static void strings_done(struct strings *strings) {
        for (size_t i = 0; i < strings->count; i++)
                free(strings->items[i]);
        free(strings->items);
        *strings = (struct strings){ 0 };
}

static int strings_take(struct strings *strings, char *take_text) {
        if (!take_text || ARRAY_RESERVE(&strings->items, strings->count, &strings->capacity) < 0) {
                free(take_text);
                return -ENOMEM;
        }
        strings->items[strings->count++] = take_text;
        return 0;
}

/* the reasons of an open note; none when it is of a former boot. *ret_current tells which */
static int read_note(int fd, struct strings *ret, bool *ret_current) {
        _cleanup_free_ char *text = NULL;
        char boot[BOOT_IDENTITY_SIZE], *rest, *line;
        struct stat st;
        int r = boot_identity(boot);

        *ret_current = false;
        if (r < 0)
                return r;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size > NOTE_MAX_SIZE)
                return -EFBIG;
        text = calloc(1, (size_t)st.st_size + 1);
        if (!text)
                return -ENOMEM;
        r = pread_all(fd, text, (size_t)st.st_size, 0);
        rest = text;
        line = strsep(&rest, "\n");
        if (r < 0 || strcmp(line, boot) != 0)
                return r;
        *ret_current = true;
        while (r >= 0 && (line = strsep(&rest, "\n")))
                if (*line)
                        r = strings_take(ret, strdup(line));
        return r;
}

static int add_reason(int fd, const char *why) {
        _cleanup_free_ char *text = NULL;
        char boot[BOOT_IDENTITY_SIZE];
        struct strings reasons = { 0 };
        bool current, known = false;
        int r = read_note(fd, &reasons, &current);

        for (size_t i = 0; i < reasons.count; i++)
                known |= strcmp(reasons.items[i], why) == 0;
        strings_done(&reasons);
        if (r < 0 || known)
                return r;
        r = boot_identity(boot);
        if (r < 0 || (!current && ftruncate(fd, 0) < 0))
                return r < 0 ? r : -errno;
        if (asprintf(&text, "%s%s%s\n", current ? "" : boot, current ? "" : "\n", why) < 0) {
                text = NULL;
                return -ENOMEM;
        }
        return write_all(fd, text, strlen(text));
}

int reboot_require(const struct restore_settings *settings, const char *why,
                   struct vss_error *reterr) {
        _cleanup_free_ char *path = path_join(settings->runtime_dir, NOTE), *line = strdup(why);
        _cleanup_close_ int fd = -1;
        int r = path && line ? mkdir_parents(settings->runtime_dir, 0700) : -ENOMEM;

        for (char *p = line; r >= 0 && *p; p++)
                if (*p == '\n')
                        *p = ' ';
        if (r >= 0) {
                fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
                r = fd < 0 || flock(fd, LOCK_EX) < 0 ? -errno : add_reason(fd, line);
        }
        return r < 0 ? vss_fail(reterr, r, "cannot note in '%s' that a reboot is needed: %s",
                                settings->runtime_dir, strerror(-r))
                     : 0;
}

static int add_waiting(const struct pending_info *set, struct strings *reasons) {
        size_t waiting = 0;
        char *text;

        for (size_t i = 0; i < set->count; i++)
                waiting += set->moves[i].state == PENDING_WAITS;
        if (!set->committed || waiting == 0)
                return 0;
        if (asprintf(&text, "'%s': %zu %s put in place then", set->title, waiting,
                     waiting == 1 ? "file is" : "files are") < 0)
                return -ENOMEM;
        return strings_take(reasons, text);
}

int reboot_reasons(const struct restore_settings *settings, char ***ret, size_t *ret_count,
                   struct vss_error *reterr) {
        _cleanup_free_ char *path = path_join(settings->runtime_dir, NOTE);
        _cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
        struct strings reasons = { 0 };
        struct pending_list list = { 0 };
        bool current;
        int r = !path ? -ENOMEM : fd < 0 && errno != ENOENT ? -errno : 0;

        if (fd >= 0)
                r = read_note(fd, &reasons, &current);
        if (r < 0)
                (void)vss_fail(reterr, r, "cannot read '%s': %s", path ? path : NOTE, strerror(-r));
        if (r >= 0)
                r = pending_read(settings, &list, reterr);
        for (size_t i = 0; r >= 0 && i < list.count; i++)
                r = add_waiting(&list.sets[i], &reasons);
        pending_list_done(&list);
        if (r < 0) {
                strings_done(&reasons);
                return r;
        }
        *ret = reasons.items;
        *ret_count = reasons.count;
        return 0;
}

int reboot_happened(const struct restore_settings *settings) {
        _cleanup_free_ char *path = path_join(settings->runtime_dir, NOTE);
        _cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
        struct strings reasons = { 0 };
        bool current;
        int r;

        if (fd < 0)
                return !path ? -ENOMEM : errno == ENOENT ? 0 : -errno;
        r = read_note(fd, &reasons, &current);
        strings_done(&reasons);
        if (r < 0 || current)
                return r;
        return unlink(path) < 0 ? -errno : 0;
}
