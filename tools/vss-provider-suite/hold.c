/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold.c - writes are held around a commit as the service does it: by vss-hold, which thaws by
 * itself whatever happens to this program. Only volumes whose provider promised `freeze`.
 */
#define _GNU_SOURCE
#include "suite.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/layout.h"
#include "hold/hold-client.h"

static struct hold_client *client;
/* make_runtime() - vss-hold keeps its record on a tmpfs; once for all processes of a scenario */
static bool make_runtime(void) {
        char *runtime = suite.verdict->runtime;
        static const char *const folders[] = { "/run", "/dev/shm" };
        struct statfs fs;

        for (size_t i = 0; !*runtime && i < ELEMENTSOF(folders); i++) {
                if (statfs(folders[i], &fs) < 0 || fs.f_type != TMPFS_MAGIC)
                        continue;
                snprintf(runtime, sizeof(suite.verdict->runtime), "%s/vss-provider-suite.XXXXXX",
                         folders[i]);
                if (!mkdtemp(runtime))
                        *runtime = '\0';
        }
        return *runtime;
}

static void await(enum hold_event_type type) {
        struct hold_event event;
        int r = 0;

        while (r == 0) {
                struct pollfd ready = { .fd = hold_client_fd(client), .events = POLLIN };

                (void)poll(&ready, 1, 15000);
                r = hold_client_process(client, &event, &words);
                if (r == 1 && event.code != 0)
                        broken("cannot hold writes on the volumes: %s", event.words);
                if (r == 1 && event.type != type)
                        r = 0;
        }
        MUST(r == 1, "cannot hold writes on the volumes: %s", vss_error_message(&words));
}

void hold_prepare(void) {
        struct hold_volume volumes[VOLUMES_MAX];
        struct hold_settings settings = { .runtime_dir = suite.verdict->runtime };
        char *program = NULL;
        size_t count = 0;
        int r;

        for (size_t i = 0; i < suite.volume_count; i++)
                if (suite.promises[i].hold == VSS_HOLD_FREEZE)
                        volumes[count++] =
                                (struct hold_volume){ .mount_point = suite.volumes[i].mount_point,
                                                      .mount_id = suite.volumes[i].mount_id };
        if (count == 0)
                return;
        if (geteuid() != 0)
                skip("the provider wants the file systems frozen: needs root");
        settings.program = program = layout_program("vss-hold");
        if (!program || !make_runtime())
                skip("cannot hold writes: neither /run nor /dev/shm is a tmpfs to write to");
        r = hold_client_start(&settings, &client, &words);
        if (r >= 0)
                r = hold_client_prepare(client, volumes, count, &words);
        free(program);
        if (r < 0)
                skip("cannot hold writes on the volumes: %s", fail_of(r));
        await(HOLD_EVENT_PREPARED);
}

void hold_freeze(void) {
        if (!client)
                return;
        MUST(hold_client_freeze(client, &words) >= 0, "cannot freeze: %s",
             vss_error_message(&words));
        await(HOLD_EVENT_FROZEN);
}

void hold_release(void) {
        if (!client)
                return;
        if (hold_client_release(client, NULL) >= 0)
                await(HOLD_EVENT_RELEASED);
        client = hold_client_free(client);
}

void hold_await_end(void) {
        for (size_t i = 0; i < suite.volume_count; i++)
                if (suite.promises[i].hold == VSS_HOLD_FREEZE)
                        while (waitpid(-1, NULL, 0) > 0)
                                ;
}

void hold_clean(void) {
        for (int tries = 0; *suite.verdict->runtime && tries < 100; tries++) {
                if (rmdir(suite.verdict->runtime) == 0 || errno != ENOTEMPTY)
                        return;
                usleep(20000); /* a vss-hold whose client was killed is about to end */
        }
}
