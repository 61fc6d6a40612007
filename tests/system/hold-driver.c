/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold-driver.c - a client of vss-hold that does what its arguments say, one after the other.
 *
 * hold-driver RUNTIME-DIR STEP...; exit 0 when each step went as it says. HOLD_LIMIT_MS lowers the
 * limit. Paths hold no comma. Steps:
 *   prepare:PATH[#MOUNT-ID][@LEVEL|@sync],...  presync:N  freeze  release  (these do not wait)
 *   expect:EVENT:CODE   the next event, with words on standard output
 *   settle              take events up to RELEASED
 *   words:TEXT          the last event's words contain TEXT
 *   kill:WHO stop:WHO cont:WHO term:WHO int:WHO hup:WHO   WHO: freezer, guardian, both
 *   later:MS:KILL:WHO   the same from another process after that time, WHO may be client
 *   frozen:PATH flowing:PATH   ask the kernel, by FIFREEZE
 *   held:N              a record says that N file systems are frozen; disturbs nobody
 *   sleep:MS  sh:COMMAND  hangup  ends (both processes go within two seconds)  thaw:COUNT
 * thaw-fails:CODE die                 end by SIGKILL
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/layout.h"
#include "hold/hold-client.h"
#include "hold/leftovers.h"
#include "hold/record.h"
#include "tests/check.h"

static const char *runtime_dir;
static struct hold_client *client;
static pid_t self, freezer, guardian; /* a forked helper's parent may be dead: never getppid() */
static char words[1024];

static void start(void) {
        _cleanup_free_ char *program = layout_program("vss-hold");
        const char *limit = getenv("HOLD_LIMIT_MS"), *never = getenv("HOLD_NEVER");
        const char *forbidden[] = { never, NULL };
        struct hold_settings settings = { .program = program,
                                          .runtime_dir = runtime_dir,
                                          .limit_us = limit ? strtoull(limit, NULL, 10) * 1000 : 0,
                                          .never_freeze = forbidden };
        struct vss_error error = VSS_ERROR_INIT;

        if (hold_client_start(&settings, &client, &error) < 0)
                CHECK_FAIL_("cannot start: %s", vss_error_message(&error));
}

static void step_prepare(char *list) {
        struct hold_volume volumes[HOLD_VOLUMES_MAX + 1] = { 0 };
        struct vss_error error = VSS_ERROR_INIT;
        size_t n = 0;

        for (char *path; (path = strsep(&list, ",")); n++) {
                char *at = strrchr(path, '@');

                CHECK(n < ELEMENTSOF(volumes));
                if (at) {
                        *at = '\0';
                        volumes[n].level = strcmp(at + 1, "sync") == 0 ? HOLD_SYNC_ONLY
                                                                       : (uint32_t)atoi(at + 1);
                }
                at = strrchr(path, '#');
                if (at) {
                        *at = '\0';
                        volumes[n].mount_id = strtoull(at + 1, NULL, 10);
                }
                volumes[n].mount_point = path;
        }
        start();
        if (hold_client_prepare(client, volumes, n, &error) < 0) {
                printf("prepare: %s\n", vss_error_message(&error));
                exit(3);
        }
}

static void request(int r, const char *what) {
        if (r < 0)
                CHECK_FAIL_("%s: %s", what, vss_error_name(r));
}

static const char *event_name(enum hold_event_type type) {
        static const char *const names[] = { [HOLD_EVENT_PREPARED] = "PREPARED",
                                             [HOLD_EVENT_PRESYNCED] = "PRESYNCED",
                                             [HOLD_EVENT_FROZEN] = "FROZEN",
                                             [HOLD_EVENT_RELEASED] = "RELEASED",
                                             [HOLD_EVENT_BROKEN] = "BROKEN" };

        return type < ELEMENTSOF(names) && names[type] ? names[type] : "?";
}

static struct hold_event next_event(void) {
        struct pollfd poll_fd = { hold_client_fd(client), POLLIN, 0 };
        struct hold_event event;

        for (;;) {
                int r = hold_client_process(client, &event, NULL);

                CHECK(r >= 0);
                if (r > 0)
                        break;
                CHECK(poll(&poll_fd, 1, 30000) > 0);
        }
        printf("%s %s", event_name(event.type), vss_error_name(event.code));
        if (event.first_us)
                printf(" at=%" PRIu64, monotonic_us() - event.first_us);
        for (size_t i = 0; i < event.count && event.results; i++)
                printf(" %" PRIu64, event.results[i].took_us);
        printf("%s%s\n", event.words ? " " : "", event.words ? event.words : "");
        fflush(stdout);
        snprintf(words, sizeof(words), "%s", event.words ? event.words : "");
        if (event.type == HOLD_EVENT_PREPARED)
                hold_client_pids(client, &freezer, &guardian);
        return event;
}

static void step_expect(char *argument) {
        const char *type = strsep(&argument, ":"), *code = argument;
        struct hold_event event = next_event();

        CHECK_STR(event_name(event.type), type);
        CHECK_STR(vss_error_name(event.code), code);
}

static void settle(void) {
        while (next_event().type != HOLD_EVENT_RELEASED)
                ;
}

static void send_signal(int number, const char *who) {
        bool both = strcmp(who, "both") == 0;

        if (both || strcmp(who, "freezer") == 0)
                CHECK(freezer > 1 && (kill(freezer, number) >= 0 || errno == ESRCH));
        if (both || strcmp(who, "guardian") == 0)
                CHECK(guardian > 1 && (kill(guardian, number) >= 0 || errno == ESRCH));
        if (strcmp(who, "client") == 0)
                CHECK(kill(self, number) >= 0 || errno == ESRCH);
}

static int signal_named(const char *name) {
        static const struct {
                const char *name;
                int number;
        } table[] = { { "kill", SIGKILL }, { "stop", SIGSTOP }, { "cont", SIGCONT },
                      { "term", SIGTERM }, { "int", SIGINT },   { "hup", SIGHUP } };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (strcmp(table[i].name, name) == 0)
                        return table[i].number;
        return 0;
}

static void step_later(char *argument) {
        unsigned ms = (unsigned)atoi(strsep(&argument, ":"));
        const char *name = strsep(&argument, ":");
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (pid > 0)
                return;
        close(hold_client_fd(client)); /* or we would keep it open for a dead client */
        usleep(ms * 1000);
        send_signal(signal_named(name), argument);
        _exit(0);
}

static bool is_frozen(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

        CHECK(fd >= 0);
        if (ioctl(fd, FIFREEZE, 0) < 0) {
                CHECK_INT(errno, EBUSY);
                return true;
        }
        CHECK(ioctl(fd, FITHAW, 0) >= 0);
        return false;
}

static int held(void) {
        _cleanup_closedir_ DIR *dir = opendir(runtime_dir);
        struct dirent *entry;
        int n = 0;

        while (dir && (entry = readdir(dir))) {
                _cleanup_free_ char *text = NULL;
                const struct hold_record *record;
                size_t size;

                if (strncmp(entry->d_name, HOLD_RECORD_PREFIX, strlen(HOLD_RECORD_PREFIX)) != 0 ||
                    read_whole_file(dirfd(dir), entry->d_name, 1 << 20, &text, &size) < 0)
                        continue;
                record = (const void *)text;
                for (uint32_t i = 0; i < record->count; i++)
                        n += record->entries[i].state == HOLD_STATE_FROZEN;
        }
        return n;
}

static bool runs(pid_t pid) {
        char path[64], state = 0;
        _cleanup_fclose_ FILE *file = NULL;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        file = fopen(path, "re");
        return file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1 && state != 'Z';
}

static void hang_up(void) {
        client = hold_client_free(client);
}

static void ends(void) {
        for (int i = 0; i < 200 && (runs(freezer) || runs(guardian)); i++)
                usleep(10000);
        CHECK(!runs(freezer));
        CHECK(!runs(guardian));
}

static void step_thaw(const char *expected_code, int expected_count) {
        struct vss_error error = VSS_ERROR_INIT;
        unsigned thawed = 77;
        int r = hold_thaw_leftovers(runtime_dir, &thawed, &error);

        printf("thaw %s %u %s\n", vss_error_name(r), thawed, r < 0 ? error.message : "");
        snprintf(words, sizeof(words), "%s", r < 0 ? error.message : "");
        vss_error_clear(&error);
        CHECK_STR(vss_error_name(r), expected_code);
        if (expected_count >= 0)
                CHECK_INT(thawed, expected_count);
}

static void step(char *text) {
        const char *verb = strsep(&text, ":");

        if (strcmp(verb, "prepare") == 0)
                step_prepare(text);
        else if (strcmp(verb, "presync") == 0)
                request(hold_client_presync(client, (unsigned)atoi(text), NULL), verb);
        else if (strcmp(verb, "freeze") == 0)
                request(hold_client_freeze(client, NULL), verb);
        else if (strcmp(verb, "release") == 0)
                request(hold_client_release(client, NULL), verb);
        else if (strcmp(verb, "expect") == 0)
                step_expect(text);
        else if (strcmp(verb, "settle") == 0)
                settle();
        else if (strcmp(verb, "words") == 0)
                CHECK(strstr(words, text));
        else if (signal_named(verb))
                send_signal(signal_named(verb), text);
        else if (strcmp(verb, "later") == 0)
                step_later(text);
        else if (strcmp(verb, "frozen") == 0)
                CHECK(is_frozen(text));
        else if (strcmp(verb, "flowing") == 0)
                CHECK(!is_frozen(text));
        else if (strcmp(verb, "held") == 0)
                CHECK_INT(held(), atoi(text));
        else if (strcmp(verb, "sleep") == 0)
                usleep((unsigned)atoi(text) * 1000);
        else if (strcmp(verb, "sh") == 0)
                CHECK(system(text) == 0);
        else if (strcmp(verb, "hangup") == 0)
                hang_up();
        else if (strcmp(verb, "ends") == 0)
                ends();
        else if (strcmp(verb, "thaw") == 0)
                step_thaw("S_OK", atoi(text));
        else if (strcmp(verb, "thaw-fails") == 0)
                step_thaw(text, -1);
        else if (strcmp(verb, "die") == 0)
                kill(getpid(), SIGKILL);
        else
                CHECK_FAIL_("no such step: %s", verb);
}

int main(int argc, char *argv[]) {
        CHECK(argc > 2);
        self = getpid();
        runtime_dir = argv[1];
        for (int i = 2; i < argc; i++)
                step(argv[i]);
        hang_up();
        return 0;
}
