/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service.c - see service.h: the order of things. The record first, then the deed; whatever fails,
 * what ran is started again.
 */
#define _GNU_SOURCE
#include "backup/service.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/service-inside.h"
#include "base/cleanup.h"
#include "base/file.h"

struct service {
        struct service_manager *manager;
        struct service_look look;
        struct service_record record;
        bool is_down; /* something waits to be started */
};

void service_look_done(struct service_look *look) {
        free(look->id);
        names_done(&look->stop);
        names_done(&look->again);
        *look = (struct service_look){ 0 };
}

bool service_name_is_good(const char *name) {
        size_t n = name ? strlen(name) : 0;

        for (size_t i = 0; i < n; i++)
                if (!isalnum((unsigned char)name[i]) && !strchr(":_.@-", name[i]))
                        return false;
        /* no option of a command, no hidden file, no folder */
        return n >= 1 && n <= 255 && name[0] != '-' && name[0] != '.';
}

char *service_join(const char *first, const struct names *names) {
        size_t size = strlen(first) + 1;
        char *joined, *p;

        for (size_t i = 0; i < names->count; i++)
                size += strlen(names->items[i]) + 1;
        joined = malloc(size);
        if (!joined)
                return NULL;
        p = stpcpy(joined, first);
        for (size_t i = 0; i < names->count; i++)
                p = stpcpy(stpcpy(p, " "), names->items[i]);
        return joined;
}

static int open_manager(const struct service_options *options, struct service_manager **ret,
                        struct vss_error *reterr) {
        return options->settings->service_command ? command_open(options, ret, reterr)
                                                  : systemd_open(options, ret, reterr);
}

static struct service_manager *manager_close(struct service_manager *manager) {
        if (manager)
                manager->ops->close(manager);
        return NULL;
}

static uint64_t deadline_of(const struct service_options *options) {
        return monotonic_us() + options->settings->service_timeout_us;
}

static int find(const char *name, const struct service_options *options,
                struct service_manager **ret, struct service_look *ret_look,
                struct vss_error *reterr) {
        int r;

        if (!service_name_is_good(name))
                return vss_fail(reterr, E_INVALIDARG,
                                "the writer names the service '%s', which is no name of one",
                                name ? name : "");
        r = open_manager(options, ret, reterr);
        return r < 0 ? r : (*ret)->ops->look(*ret, name, ret_look, reterr);
}

int service_check(const char *name, const struct service_options *options, bool *ret_active,
                  struct vss_error *reterr) {
        struct service_manager *manager = NULL;
        struct service_look look = { 0 };
        int r = find(name, options, &manager, &look, reterr);

        if (r >= 0 && ret_active)
                *ret_active = look.active;
        service_look_done(&look);
        manager_close(manager);
        return r < 0 ? r : 0;
}

/* the record: what runs now, and what a restore that was killed has left to be started */
static int write_record(struct service *service, struct vss_error *reterr) {
        const struct service_options *options = service->manager->options;
        int r = 0;

        service->record.service = strdup(service->look.id);
        service->record.files_are_complete = options->files_are_complete;
        if (!service->record.service)
                r = -ENOMEM;
        for (size_t i = 0; r >= 0 && i < service->look.again.count; i++)
                r = names_add(&service->record.again, service->look.again.items[i]);
        if (r < 0)
                return vss_fail(reterr, r, "out of memory");
        r = service_record_put(options->settings, &service->record, reterr);
        if (r < 0)
                names_done(&service->record.again); /* perhaps another one's */
        service->is_down = service->record.again.count > 0;
        return r;
}

int service_stop(const char *name, const struct service_options *options, struct service **ret,
                 struct vss_error *reterr) {
        _cleanup_error_ struct vss_error undo = VSS_ERROR_INIT;
        struct service *service = calloc(1, sizeof(*service));
        int r;

        if (!service)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        r = find(name, options, &service->manager, &service->look, reterr);
        if (r >= 0)
                r = write_record(service, reterr);
        if (r >= 0 && service->look.stop.count > 0)
                r = service->manager->ops->stop(service->manager, &service->look,
                                                deadline_of(options), reterr);
        if (r >= 0) {
                *ret = service;
                return 0;
        }
        if (service_start(service, &undo) < 0)
                (void)vss_fail(reterr, r, "%s; and then: %s",
                               reterr ? vss_error_message(reterr) : "", vss_error_message(&undo));
        service_free(service);
        return r;
}

int service_is_stopped(struct service *service, struct vss_error *reterr) {
        int r = service->manager->ops->is_active(service->manager, service->look.id, reterr);

        if (r <= 0)
                return r;
        return vss_fail(reterr, -EBUSY,
                        "somebody has started '%s' again while its files are restored; stop what "
                        "starts it, and restore again",
                        service->look.id);
}

int service_start(struct service *service, struct vss_error *reterr) {
        struct service_manager *manager = service->manager;
        bool settled = false;
        int r;

        if (!service->is_down)
                return 0;
        service->is_down = false;
        r = manager->ops->start(manager, &service->record.again, deadline_of(manager->options),
                                &settled, reterr);
        /* a manager that cannot be asked: the next restore, or a person, has to */
        if (r >= 0 || settled)
                (void)service_record_remove(manager->options->settings, service->look.id);
        return r;
}

struct service *service_free(struct service *service) {
        if (!service)
                return NULL;
        if (service->manager)
                (void)service_start(service, NULL);
        service_look_done(&service->look);
        service_record_done(&service->record);
        manager_close(service->manager);
        free(service);
        return NULL;
}

/* ---- after a SIGKILL ---- */

struct leftovers {
        const struct service_options *options;
        void (*note)(void *userdata, const char *words);
        void *userdata;
        int told;
};

static void note(struct leftovers *left, char *take_words) {
        left->note(left->userdata, take_words ? take_words : "out of memory");
        left->told++;
        free(take_words);
}

/* what does not run of it, all when nobody can be asked */
static int find_down(struct service_manager *manager, const struct names *names,
                     struct names *ret) {
        for (size_t i = 0; i < names->count; i++) {
                int r = manager ? manager->ops->is_active(manager, names->items[i], NULL) : 0;

                if (r <= 0 && names_add(ret, names->items[i]) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static void restart(struct leftovers *left, struct service_manager *manager,
                    const struct service_record *record, const struct names *down) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        char *words = NULL;
        bool settled = false;
        int r = manager->ops->start(manager, down, deadline_of(left->options), &settled, &error);

        if (r >= 0 || settled)
                (void)service_record_remove(left->options->settings, record->service);
        r = asprintf(&words, "a restore was killed while it restarted '%s'%s%s", record->service,
                     r < 0 ? ": " : "; it has been started",
                     r < 0 ? vss_error_message(&error) : "");
        note(left, r < 0 ? NULL : words);
}

static void tell_down(struct leftovers *left, struct service_manager *manager,
                      const struct service_record *record, const struct names *down) {
        _cleanup_free_ char *command =
                manager ? manager->ops->command_line(manager, down) : strdup("");
        char *words = NULL;
        int r = asprintf(&words,
                         "a restore that was killed left '%s' stopped, and its files may be half "
                         "old and half new. Restore it again, which starts it afterwards, or start "
                         "it yourself: %s",
                         record->service, command ? command : "");

        note(left, r < 0 ? NULL : words);
}

static int look_at_record(void *userdata, const struct service_record *record) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct leftovers *left = userdata;
        struct service_manager *manager = NULL;
        struct names down = { 0 };
        int r;

        if (service_record_is_alive(record) || !service_record_is_current(record))
                return 0;
        if (open_manager(left->options, &manager, &error) < 0)
                manager = NULL;
        r = find_down(manager, &record->again, &down);
        if (r >= 0 && down.count == 0)
                r = service_record_remove(left->options->settings, record->service);
        else if (r >= 0 && manager && record->files_are_complete)
                restart(left, manager, record, &down);
        else if (r >= 0)
                tell_down(left, manager, record, &down);
        names_done(&down);
        manager_close(manager);
        return r;
}

int service_leftovers(const struct service_options *options,
                      void (*note_)(void *userdata, const char *words), void *userdata,
                      struct vss_error *reterr) {
        struct leftovers left = { options, note_, userdata, 0 };
        int r = service_records_at_boot(options->settings, note_, userdata, reterr);

        if (r >= 0)
                r = service_records(options->settings, look_at_record, &left, reterr);
        return r < 0 ? r : left.told;
}
