/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * boot-driver.c - for place-at-boot.sh: what a restore does about services and the next boot, from
 * the command line.
 *
 *     boot-driver CONFIG register TITLE STAGED DESTINATION ...   commit them as one set
 *     boot-driver CONFIG unfinished TITLE STAGED DESTINATION ... and end without a commit
 *     boot-driver CONFIG during SERVICE COMMAND     stop, run the shell command, start
 *     boot-driver CONFIG leftovers
 *     boot-driver CONFIG reboot WHY
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/pending.h"
#include "backup/reboot.h"
#include "backup/service.h"

static int fail(const struct vss_error *error) {
        printf("%s: %s\n", vss_error_name(error->code), vss_error_message(error));
        return 1;
}

static int enroll(const struct restore_settings *settings, char **argv, bool commit,
                  struct vss_error *reterr) {
        const struct vss_id session = { { 1 } };
        struct pending_set *set = NULL;
        int r = pending_begin(settings, &session, *argv++, &set, reterr);

        for (; r >= 0 && argv[0] && argv[1]; argv += 2)
                r = pending_add(set, argv[0], argv[1], reterr);
        if (r >= 0 && !commit)
                _Exit(0);
        if (r >= 0)
                return pending_commit(set, reterr);
        pending_abandon(set);
        return r;
}

static int during(const struct service_options *options, const char *name, const char *command,
                  struct vss_error *reterr) {
        struct service *service = NULL;
        int r = service_stop(name, options, &service, reterr);

        if (r < 0)
                return r;
        fflush(stdout);
        if (system(command) != 0)
                printf("the command failed\n");
        r = service_is_stopped(service, reterr);
        if (r < 0)
                fail(reterr);
        r = service_start(service, reterr);
        service_free(service);
        return r;
}

static void note(void *userdata, const char *words) {
        puts(words);
}

int main(int argc, char **argv) {
        struct vss_error error = VSS_ERROR_INIT;
        struct restore_settings settings = { 0 };
        struct service_options options = { .settings = &settings };
        int r = argc < 3 ? E_INVALIDARG : restore_settings_read(&settings, argv[1], &error);

        if (r < 0)
                return 2;
        if (strcmp(argv[2], "register") == 0 || strcmp(argv[2], "unfinished") == 0)
                r = enroll(&settings, argv + 3, *argv[2] == 'r', &error);
        else if (strcmp(argv[2], "during") == 0)
                r = during(&options, argv[3], argv[4], &error);
        else if (strcmp(argv[2], "leftovers") == 0)
                r = service_leftovers(&options, note, NULL, &error);
        else
                r = reboot_require(&settings, argv[3], &error);
        restore_settings_done(&settings);
        r = r < 0 ? fail(&error) : 0;
        vss_error_clear(&error);
        return r;
}
