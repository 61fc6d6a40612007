/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-record.c - see service-record.h.
 */
#define _GNU_SOURCE
#include "backup/service-record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "backup/record.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/sum.h"

#define FOLDER "stopped"
#define FIRST_LINE "vss-stopped 1\n"

enum { RECORD_MAX_SIZE = 1 << 20 };

/* ---- names ---- */

bool names_have(const struct names *names, const char *name) {
        for (size_t i = 0; i < names->count; i++)
                if (strcmp(names->items[i], name) == 0)
                        return true;
        return false;
}

int names_add(struct names *names, const char *name) {
        char *copy;

        if (names_have(names, name))
                return 0;
        copy = strdup(name);
        if (!copy || ARRAY_RESERVE(&names->items, names->count, &names->capacity) < 0) {
                free(copy);
                return -ENOMEM;
        }
        names->items[names->count++] = copy;
        return 0;
}

void names_done(struct names *names) {
        for (size_t i = 0; i < names->count; i++)
                free(names->items[i]);
        free(names->items);
        *names = (struct names){ 0 };
}

/* ---- whose is it? ---- */

void service_record_done(struct service_record *record) {
        free(record->service);
        names_done(&record->again);
        *record = (struct service_record){ 0 };
}

bool service_record_is_current(const struct service_record *record) {
        char boot[BOOT_IDENTITY_SIZE];

        return boot_identity(boot) < 0 || strcmp(boot, record->boot) == 0;
}

bool service_record_is_alive(const struct service_record *record) {
        return service_record_is_current(record) &&
               process_start_time(record->pid) == record->started;
}

bool service_record_is_mine(const struct service_record *record) {
        return record->pid == getpid() && service_record_is_alive(record);
}

/* ---- the text ---- */

static void put_line(struct text *text, const char *key, const char *value) {
        text_string(text, key);
        text_char(text, '\t');
        text_field(text, value);
        text_char(text, '\n');
}

static void format(const struct service_record *record, struct text *text) {
        char number[32];

        text_string(text, FIRST_LINE);
        put_line(text, "boot", record->boot);
        (void)snprintf(number, sizeof(number), "%d", (int)record->pid);
        put_line(text, "process", number);
        (void)snprintf(number, sizeof(number), "%llu", record->started);
        put_line(text, "started", number);
        put_line(text, "complete", record->files_are_complete ? "1" : "0");
        for (size_t i = 0; i < record->again.count; i++)
                put_line(text, "again", record->again.items[i]);
        (void)snprintf(number, sizeof(number), "%016" PRIx64,
                       text->failed ? 0 : sum_add(SUM_BEGIN, text->data, text->size));
        put_line(text, "sum", number);
}

/* cut the last line off, when it is the sum of what stands before it */
static int check_sum(char *data, size_t size) {
        const size_t last = strlen("sum\t") + 16 + 1;
        char expected[32];

        if (size < strlen(FIRST_LINE) + last || strncmp(data, FIRST_LINE, strlen(FIRST_LINE)) != 0)
                return -EBADMSG;
        (void)snprintf(expected, sizeof(expected), "sum\t%016" PRIx64 "\n",
                       sum_add(SUM_BEGIN, data, size - last));
        if (strcmp(data + size - last, expected) != 0)
                return -EBADMSG;
        data[size - last] = '\0';
        return 0;
}

static int take_line(struct service_record *record, const char *key, const char *value) {
        uint64_t number;

        if (strcmp(key, "again") == 0)
                return names_add(&record->again, value);
        if (strcmp(key, "boot") == 0) {
                if (strlen(value) >= sizeof(record->boot))
                        return -EBADMSG;
                strcpy(record->boot, value);
                return 0;
        }
        if (field_number(value, &number) < 0)
                return -EBADMSG;
        if (strcmp(key, "process") == 0)
                record->pid = (pid_t)number;
        else if (strcmp(key, "started") == 0)
                record->started = number;
        else if (strcmp(key, "complete") == 0)
                record->files_are_complete = number != 0;
        return 0;
}

static int parse(char *data, size_t size, struct service_record *record) {
        int r = check_sum(data, size);
        char *rest = data + strlen(FIRST_LINE), *line;

        while (r >= 0 && (line = strsep(&rest, "\n"))) {
                char *fields[2];

                if (!*line)
                        continue;
                r = field_split(line, fields, 2) == 2 ? field_unescape(fields[1]) : -EBADMSG;
                if (r >= 0)
                        r = take_line(record, fields[0], fields[1]);
        }
        return r;
}

/* ---- the files ---- */

static int open_folder(const struct restore_settings *settings, bool create) {
        _cleanup_free_ char *path = path_join(settings->state_dir, FOLDER);
        int r = !path ? -ENOMEM : create ? mkdir_parents(path, 0700) : 0;
        int fd;

        if (r < 0)
                return r;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 ? -errno : fd;
}

static int read_record(int folder, const char *name, struct service_record *ret) {
        struct service_record record = { .service = strdup(name) };
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r = record.service ? read_whole_file(folder, name, RECORD_MAX_SIZE, &data, &size)
                               : -ENOMEM;

        if (r >= 0)
                r = parse(data, size, &record);
        if (r < 0)
                service_record_done(&record);
        else
                *ret = record;
        return r;
}

/* what was to be started by one that died comes behind what is to be started anyway */
static int take_over(int folder, struct service_record *record, struct vss_error *reterr) {
        struct service_record former;
        int r = read_record(folder, record->service, &former);

        if (r < 0)
                return r == -ENOENT || r == -EBADMSG ? 0 : r;
        if (service_record_is_alive(&former) && !service_record_is_mine(&former))
                r = vss_fail(reterr, -EBUSY, "another restore, process %d, has stopped '%s'",
                             (int)former.pid, record->service);
        else if (service_record_is_current(&former))
                for (size_t i = 0; r >= 0 && i < former.again.count; i++)
                        r = names_add(&record->again, former.again.items[i]);
        service_record_done(&former);
        return r;
}

int service_record_put(const struct restore_settings *settings, struct service_record *record,
                       struct vss_error *reterr) {
        _cleanup_close_ int folder = open_folder(settings, true);
        struct text text = { 0 };
        int r = folder < 0 ? folder : boot_identity(record->boot);

        /* locked until it is closed: two restores of one service do not pass each other here */
        if (r >= 0 && flock(folder, LOCK_EX) < 0)
                r = -errno;
        record->pid = getpid();
        record->started = process_start_time(record->pid);
        if (r >= 0)
                r = take_over(folder, record, reterr);
        if (r == -EBUSY)
                return r;
        if (r >= 0 && record->again.count > 0) {
                format(record, &text);
                r = text.failed ? -ENOMEM
                                : write_file_atomic(folder, record->service, text.data, text.size,
                                                    0600);
        }
        text_done(&text);
        return r < 0 ? vss_fail(reterr, r,
                                "cannot record in '%s' that '%s' is stopped, so it is not: %s",
                                settings->state_dir, record->service, strerror(-r))
                     : 0;
}

int service_record_remove(const struct restore_settings *settings, const char *service) {
        _cleanup_close_ int folder = open_folder(settings, false);

        if (folder < 0)
                return folder == -ENOENT ? 0 : folder;
        return unlinkat(folder, service, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int service_records(const struct restore_settings *settings,
                    int (*each)(void *userdata, const struct service_record *record),
                    void *userdata, struct vss_error *reterr) {
        _cleanup_close_ int folder = open_folder(settings, false);
        _cleanup_closedir_ DIR *dir = folder < 0 ? NULL : read_directory(folder);
        const struct dirent *entry;
        int r = 0;

        if (folder == -ENOENT)
                return 0;
        if (!dir)
                return vss_fail(reterr, folder < 0 ? folder : -errno,
                                "cannot read the records of stopped services in '%s': %s",
                                settings->state_dir, strerror(folder < 0 ? -folder : errno));
        while (r >= 0 && (entry = readdir(dir))) {
                struct service_record record;

                if (entry->d_name[0] == '.' || read_record(folder, entry->d_name, &record) < 0)
                        continue;
                r = each(userdata, &record);
                service_record_done(&record);
        }
        return r;
}

/* ---- at boot ---- */

struct telling {
        const struct restore_settings *settings;
        void (*note)(void *userdata, const char *words);
        void *userdata;
};

static int tell_at_boot(void *userdata, const struct service_record *record) {
        struct telling *telling = userdata;
        char words[512];

        if (service_record_is_current(record))
                return 0;
        (void)snprintf(
                words, sizeof(words),
                record->files_are_complete
                        ? "'%s' was being restarted after a restore when the machine went "
                          "down; this boot starts it if it is enabled, nobody else does"
                        : "'%s' was stopped for a restore that did not end before the machine "
                          "went down: its files may be half old and half new; restore it "
                          "again. This boot starts it if it is enabled, nobody else does",
                record->service);
        telling->note(telling->userdata, words);
        return service_record_remove(telling->settings, record->service);
}

int service_records_at_boot(const struct restore_settings *settings,
                            void (*note)(void *userdata, const char *words), void *userdata,
                            struct vss_error *reterr) {
        struct telling telling = { settings, note, userdata };
        int r = service_records(settings, tell_at_boot, &telling, reterr);

        return r < 0 ? r : 0;
}
