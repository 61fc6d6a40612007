/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The folder of a copy between two processes: one has just made it, the sweep of the other one
 * took it for left behind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "providers/places.h"
#include "tests/check.h"

static char place[] = "/dev/shm/vss-places.XXXXXX";
static const struct copies_kind kind; /* nothing is asked of a folder without a record */
static const struct record none;

static int make(void) {
        int at = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

        CHECK(at >= 0 && mkdirat(at, "copy", 0700) == 0);
        fd = openat(at, "copy", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(fd >= 0 && close(at) == 0);
        return fd;
}

/* The list was made before the mark stood: the mark counts */
static void test_marked_in_time(void) {
        int fd = make();

        CHECK_INT(place_live_in(fd), 0);
        CHECK_INT(places_remove(&kind, place, "copy", &none, false), -EBUSY);
        CHECK(faccessat(fd, ".", F_OK, 0) == 0);
        close(fd);
        CHECK_INT(places_remove(&kind, place, "copy", &none, false), 0);
}

/* The sweep was faster: who made the folder learns it, and does not write into what is gone */
static void test_marked_too_late(void) {
        int fd = make();

        CHECK_INT(places_remove(&kind, place, "copy", &none, false), 0);
        CHECK_INT(place_live_in(fd), -ENOENT);
        close(fd);
}

/* What is wanted gone, an abort or a deletion, does not ask who lives in it */
static void test_deleted(void) {
        int fd = make();

        CHECK_INT(place_live_in(fd), 0);
        CHECK_INT(places_remove(&kind, place, "copy", &none, true), 0);
        close(fd);
}

static void remove_place(void) {
        (void)rmdir(place);
}

int main(void) {
        CHECK(mkdtemp(place));
        CHECK_INT(atexit(remove_place), 0);
        RUN(test_marked_in_time);
        RUN(test_marked_too_late);
        RUN(test_deleted);
        return 0;
}
