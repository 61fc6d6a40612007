/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fresh.c - the same program again, as a process that knows nothing of the first: what a provider
 * must be able to do after the death of its process.
 */
#define _GNU_SOURCE
#include "suite.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int verdict_map(void) {
        void *memory = mmap(NULL, sizeof(*suite.verdict), PROT_READ | PROT_WRITE, MAP_SHARED,
                            suite.shared_fd, 0);

        if (memory == MAP_FAILED)
                return -errno;
        suite.verdict = memory;
        return 0;
}

int verdict_share(void) {
        suite.shared_fd = memfd_create("verdict", 0);
        if (suite.shared_fd < 0 || ftruncate(suite.shared_fd, sizeof(struct verdict)) < 0)
                return -errno;
        return verdict_map();
}

pid_t spawn_self(const char *verb, const char *argument) {
        char shared[16], volumes[16];
        char **argv = calloc((size_t)suite.argc + 6, sizeof(*argv));
        pid_t pid = -1, parent = getpid();
        int n = 0;

        if (!argv)
                return -1;
        snprintf(shared, sizeof(shared), "%d", suite.shared_fd);
        snprintf(volumes, sizeof(volumes), "%d", suite.volumes_fd);
        argv[n++] = suite.argv[0];
        argv[n++] = (char *)(uintptr_t) "--do";
        argv[n++] = shared;
        argv[n++] = volumes;
        argv[n++] = (char *)(uintptr_t)verb;
        argv[n++] = (char *)(uintptr_t)argument;
        for (int i = 1; i < suite.argc; i++)
                argv[n - 1 + i] = suite.argv[i];
        fflush(stdout);
        pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() != parent)
                        _exit(1);
                execv("/proc/self/exe", argv);
                _exit(127);
        }
        free(argv);
        return pid;
}

pid_t fresh_pid(const char *verb, const char *argument) {
        pid_t pid;

        suite.verdict->ready = 0;
        pid = spawn_self(verb, argument);
        MUST(pid > 0, "cannot start a process");
        while (!suite.verdict->ready && waitpid(pid, NULL, WNOHANG | WNOWAIT) == 0)
                usleep(500);
        return pid;
}

int fresh_end(pid_t pid) {
        int status = 0;

        MUST(waitpid(pid, &status, 0) == pid, "a process is lost");
        if (suite.verdict->outcome != OUTCOME_DIED)
                _exit(1); /* it has found something */
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int fresh(const char *verb, const char *argument) {
        return fresh_end(fresh_pid(verb, argument));
}

pid_t fresh_make(const struct set *set, enum step last) {
        char argument[(1 + VOLUMES_MAX) * VSS_ID_TEXT_SIZE + 8];
        int n = snprintf(argument, sizeof(argument), "%u:%s", last, text_of(&set->id));

        for (size_t i = 0; i < suite.volume_count; i++)
                n += snprintf(argument + n, sizeof(argument) - (size_t)n, ":%s",
                              text_of(&set->copies[i]));
        return fresh_pid("make", argument);
}

/* make() - "STEP:SETID:COPYID..." */
static int make(const char *argument) {
        enum step last = (enum step)(*argument - '0');
        struct set set = set_new();
        struct vss_id *ids[1 + VOLUMES_MAX] = { &set.id };

        for (size_t i = 0; i < VOLUMES_MAX; i++)
                ids[i + 1] = &set.copies[i];
        for (size_t i = 0; i <= suite.volume_count; i++) {
                char text[VSS_ID_TEXT_SIZE];

                snprintf(text, sizeof(text), "%s", argument + 2 + i * VSS_ID_TEXT_SIZE);
                MUST(vss_id_parse(text, ids[i]) == 0, "'%s' is no id", text);
        }
        set_run(&set, BEGIN, last);
        raise(SIGKILL);
        return 1;
}

/* clean() - whatever a scenario began and left */
static int clean(void) {
        struct verdict *v = suite.verdict;

        for (size_t i = 0; i < v->set_count; i++) {
                struct vss_id left;
                uint32_t deleted;

                ops->abort_snapshots(&provider, &v->sets[i]);
                (void)delete_object(&v->sets[i], VSS_OBJECT_SNAPSHOT_SET, true, &deleted, &left);
        }
        v->set_count = 0;
        return 0;
}

int fresh_verb(const char *verb, const char *argument) {
        struct vss_id id = { 0 }, left;
        uint32_t deleted = 0;

        if (strcmp(verb, "make") == 0)
                return make(argument);
        if (strcmp(verb, "clean") == 0)
                return clean();
        MUST(vss_id_parse(argument, &id) == 0, "'%s' is no id", argument);
        if (strcmp(verb, "query") == 0)
                return count_copies(&id);
        if (strcmp(verb, "abort") == 0) {
                ops->abort_snapshots(&provider, &id);
                return 0;
        }
        return delete_object(&id, VSS_OBJECT_SNAPSHOT_SET, false, &deleted, &left) == 0
                       ? (int)deleted
                       : 99;
}
