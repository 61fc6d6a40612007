/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold.c - what vss-hold adds to a bare FIFREEZE and FITHAW, in microseconds.
 *
 * usage: hold RUNS DIR...    as root; DIR are scratch file systems, never the root one.
 * Bare means: one thread per file system around the two ioctls, nothing that would ever let go.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/layout.h"
#include "hold/hold-client.h"

/* The load dirties pages for as long before each freeze, or the later of two would pay more. */
enum { RUNS_MAX = 10000, PAUSE_US = 50000 };

enum figure {
        BARE_FREEZE,
        BARE_WINDOW,
        FREEZE,
        WINDOW,
        SYNCED_FREEZE,
        SYNCED_WINDOW,
        PREPARE,
        FIGURES
};
static const char *const figure_names[FIGURES] = { "bare: freeze",         "bare: window",
                                                   "vss-hold: freeze",     "vss-hold: window",
                                                   "synced twice: freeze", "synced twice: window",
                                                   "start and prepare" };
static uint64_t figures[FIGURES][RUNS_MAX];

struct volume {
        const char *path;
        int fd;
        unsigned long request;
};

static void __attribute__((noreturn)) die(const char *what, const char *why) {
        fprintf(stderr, "%s: %s\n", what, why);
        exit(1);
}

static void *one_ioctl(void *argument) {
        struct volume *volume = argument;

        if (ioctl(volume->fd, volume->request, 0) < 0)
                die(volume->path, strerror(errno));
        return NULL;
}

static void all(struct volume *volumes, size_t count, unsigned long what) {
        pthread_t threads[HOLD_VOLUMES_MAX];

        for (size_t i = 0; i < count; i++) {
                volumes[i].request = what;
                if (pthread_create(&threads[i], NULL, one_ioctl, &volumes[i]) != 0)
                        die("pthread_create", "failed");
        }
        for (size_t i = 0; i < count; i++)
                pthread_join(threads[i], NULL);
}

static void bare(struct volume *volumes, size_t count, unsigned run) {
        uint64_t start;

        usleep(PAUSE_US);
        start = monotonic_us();
        all(volumes, count, FIFREEZE);
        figures[BARE_FREEZE][run] = monotonic_us() - start;
        all(volumes, count, FITHAW);
        figures[BARE_WINDOW][run] = monotonic_us() - start;
}

static void expect(struct hold_client *client, enum hold_event_type type) {
        struct pollfd poll_fd = { hold_client_fd(client), POLLIN, 0 };
        struct hold_event event;
        int r;

        while ((r = hold_client_process(client, &event, NULL)) == 0)
                (void)poll(&poll_fd, 1, -1);
        if (r < 0 || event.type != type || event.code != 0)
                die("vss-hold", r < 0 || !event.words ? "unexpected event" : event.words);
}

static void with_hold(const struct hold_settings *settings, const struct hold_volume *volumes,
                      size_t count, unsigned run, bool sync) {
        struct vss_error error = VSS_ERROR_INIT;
        struct hold_client *client;
        uint64_t start = monotonic_us();

        if (hold_client_start(settings, &client, &error) < 0 ||
            hold_client_prepare(client, volumes, count, &error) < 0)
                die("vss-hold", vss_error_message(&error));
        expect(client, HOLD_EVENT_PREPARED);
        figures[PREPARE][run] = monotonic_us() - start;
        usleep(PAUSE_US);
        if (sync) {
                (void)hold_client_presync(client, 2, NULL);
                expect(client, HOLD_EVENT_PRESYNCED);
        }
        start = monotonic_us();
        (void)hold_client_freeze(client, NULL);
        expect(client, HOLD_EVENT_FROZEN);
        figures[sync ? SYNCED_FREEZE : FREEZE][run] = monotonic_us() - start;
        (void)hold_client_release(client, NULL);
        expect(client, HOLD_EVENT_RELEASED);
        figures[sync ? SYNCED_WINDOW : WINDOW][run] = monotonic_us() - start;
        hold_client_free(client);
}

static int compare(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

static void print_figures(unsigned runs) {
        printf("%-22s %10s %10s %10s   (us)\n", "", "median", "95 %", "worst");
        for (unsigned i = 0; i < FIGURES; i++) {
                qsort(figures[i], runs, sizeof(figures[i][0]), compare);
                printf("%-22s %10llu %10llu %10llu\n", figure_names[i],
                       (unsigned long long)figures[i][runs / 2],
                       (unsigned long long)figures[i][runs * 95 / 100],
                       (unsigned long long)figures[i][runs - 1]);
        }
}

int main(int argc, char *argv[]) {
        struct hold_volume volumes[HOLD_VOLUMES_MAX] = { 0 };
        struct volume bare_volumes[HOLD_VOLUMES_MAX];
        _cleanup_free_ char *program = layout_program("vss-hold");
        char runtime[] = "/dev/shm/vss-bench.XXXXXX";
        struct hold_settings settings = { .program = program, .runtime_dir = runtime };
        size_t count = argc > 2 ? (size_t)argc - 2 : 0;
        unsigned runs = argc > 2 ? (unsigned)atoi(argv[1]) : 0;

        if (runs == 0 || runs > RUNS_MAX || count > HOLD_VOLUMES_MAX)
                die("usage", "hold RUNS DIR...");
        for (size_t i = 0; i < count; i++) {
                bare_volumes[i].path = volumes[i].mount_point = argv[i + 2];
                bare_volumes[i].fd = open(argv[i + 2], O_RDONLY | O_CLOEXEC);
                if (bare_volumes[i].fd < 0)
                        die(argv[i + 2], strerror(errno));
        }
        if (!mkdtemp(runtime))
                die(runtime, strerror(errno));
        for (unsigned run = 0; run < runs; run++) {
                bare(bare_volumes, count, run);
                with_hold(&settings, volumes, count, run, false);
                with_hold(&settings, volumes, count, run, true);
        }
        rmdir(runtime);
        print_figures(runs);
        return 0;
}
