/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Between us and the program stands a small keeper, forked but never executed, in a session of its
 * own. It holds the deadline, and kills the program's process group when we die: a freeze program
 * that lives on would hold again what undo has just released. It holds the lock socket for exactly
 * as long. If the keeper itself is killed, the kernel kills the program.
 */
#define _GNU_SOURCE
#include "files/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "common/util.h"

enum { WORDS_MAX = 512 };
enum { GRACE_MS = 2000 }; /* for the keeper to kill, reap and answer */

enum outcome { ENDED, TIMED_OUT, NOT_STARTED };

struct result {
        enum outcome outcome;
        int value; /* ENDED: wait status; NOT_STARTED: errno */
};

/* Descriptors of the keeper, in this order from 3 on; everything else is closed there. */
enum { SLOT_RESULT, SLOT_OUTPUT, SLOT_PROGRAM, SLOT_LOCK, SLOT_COUNT };
enum { FIRST = 3 };

struct job {
        int fd[SLOT_COUNT]; /* ours, -1 when there is none */
        const char *path;
        char *argv[2];
        char *envp[PROGRAM_VARIABLES + 3];
        uint32_t timeout_ms;
        bool script; /* its interpreter opens it by descriptor: that one must stay open */
};

int program_open(const char *path, struct vss_error *reterr) {
        struct stat st;
        int fd, r;

        if (!util_path_is_clean(path))
                return util_fail(reterr, E_INVALIDARG,
                                 "'%s' is no program: write the absolute path of one file, "
                                 "without arguments",
                                 path);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return util_fail(reterr, -errno, "cannot open the program '%s': %s", path,
                                 strerror(errno));
        r = fstat(fd, &st) < 0 ? -errno : 0;
        if (r == 0 && !S_ISREG(st.st_mode))
                r = util_fail(reterr, -EACCES, "'%s' is no regular file", path);
        else if (r == 0 && ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022)))
                r = util_fail(reterr, -EACCES,
                              "'%s' is not run: it must belong to root and be writable by its "
                              "owner only (chown root, chmod go-w)",
                              path);
        else if (r == 0 && !(st.st_mode & 0111))
                r = util_fail(reterr, -EACCES, "'%s' is not executable; chmod u+x it", path);
        if (r < 0) {
                close(fd);
                return r;
        }
        return fd;
}

int program_check(const char *key, const char *path, struct vss_error *reterr) {
        int fd = program_open(path, reterr);

        if (fd < 0)
                return vss_wrap(reterr, fd, "[hooks] %s", key);
        close(fd);
        return 0;
}

int program_veto(int r) {
        return r == -ETIMEDOUT || r == -ECANCELED || r == -EAGAIN || r == -ENOMEM
                       ? VSS_E_WRITERERROR_RETRYABLE
                       : VSS_E_WRITERERROR_NONRETRYABLE;
}

/* ---- in the keeper and the program: only what is safe between fork and exec ---- */

static void tell(enum outcome outcome, int value) {
        struct result result = { outcome, value };

        (void)!write(FIRST + SLOT_RESULT, &result, sizeof(result));
}

static int place_descriptors(const struct job *job) {
        int lifted[SLOT_COUNT], null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
                return -errno;
        for (int i = 0; i < SLOT_COUNT; i++) {
                lifted[i] = job->fd[i] < 0 ? -1 : fcntl(job->fd[i], F_DUPFD_CLOEXEC, 32);
                if (job->fd[i] >= 0 && lifted[i] < 0)
                        return -errno;
        }
        for (int i = 0; i < SLOT_COUNT; i++) {
                if (lifted[i] < 0)
                        (void)close(FIRST + i);
                else if (dup3(lifted[i], FIRST + i, O_CLOEXEC) < 0)
                        return -errno;
        }
        return close_range(FIRST + SLOT_COUNT, ~0U, 0) < 0 ? -errno : 0;
}

static void reset_signals(void) {
        sigset_t none;

        for (int n = 1; n < NSIG; n++)
                (void)signal(n, SIG_DFL);
        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* vss-host has raised the limit, and programs that use select(2) break with more than 1024 */
static void lower_descriptors(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= 1024)
                return;
        limit.rlim_cur = 1024;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void __attribute__((noreturn)) be_program(const struct job *job, pid_t keeper) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != keeper)
                _exit(127);
        (void)setpgid(0, 0);
        lower_descriptors();
        (void)dup2(FIRST + SLOT_OUTPUT, 1);
        (void)dup2(FIRST + SLOT_OUTPUT, 2);
        if (job->script)
                (void)fcntl(FIRST + SLOT_PROGRAM, F_SETFD, 0);
        (void)fexecve(FIRST + SLOT_PROGRAM, job->argv, job->envp);
        tell(NOT_STARTED, errno);
        _exit(127);
}

/* wait for the program, our parent's death, or the deadline; 1 when the program has ended */
static bool wait_program(int pidfd, uint32_t timeout_ms) {
        struct pollfd fds[] = { { .fd = pidfd, .events = POLLIN },
                                { .fd = FIRST + SLOT_RESULT, .events = 0 } };
        uint64_t end = util_now_us() + (uint64_t)timeout_ms * 1000, now;

        while ((now = util_now_us()) < end) {
                if (poll(fds, 2, (int)((end - now + 999) / 1000)) < 0 && errno != EINTR)
                        return false;
                if (fds[0].revents)
                        return true;
                if (fds[1].revents)
                        return false;
        }
        return false;
}

static void __attribute__((noreturn)) be_keeper(const struct job *job) {
        int pidfd, status = 0, r;
        pid_t pid, self = getpid();
        bool ended;

        reset_signals();
        (void)setsid();
        r = place_descriptors(job);
        if (r < 0 || chdir("/") < 0)
                _exit(1);
        (void)umask(022);
        pid = fork();
        if (pid == 0)
                be_program(job, self);
        if (pid < 0) {
                tell(NOT_STARTED, errno);
                _exit(1);
        }
        (void)setpgid(pid, pid);
        (void)close(FIRST + SLOT_OUTPUT);
        (void)close(FIRST + SLOT_PROGRAM);
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        ended = pidfd >= 0 && wait_program(pidfd, job->timeout_ms);
        if (!ended) {
                (void)kill(-pid, SIGKILL);
                (void)kill(pid, SIGKILL);
        }
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (ended && status != 0)
                (void)kill(-pid, SIGKILL);
        tell(ended ? ENDED : TIMED_OUT, status);
        _exit(0);
}

/* ---- in the writer ---- */

struct words {
        char text[WORDS_MAX + 1];
        size_t size;
};

/* keep the last WORDS_MAX bytes of what the program says; false at the end */
static bool take_words(int fd, struct words *words) {
        char piece[WORDS_MAX];
        ssize_t n = read(fd, piece, sizeof(piece));
        size_t size, over;

        if (n <= 0)
                return n < 0 && (errno == EINTR || errno == EAGAIN);
        size = (size_t)n;
        over = words->size + size > WORDS_MAX ? words->size + size - WORDS_MAX : 0;
        memmove(words->text, words->text + over, words->size - over);
        words->size -= over;
        memcpy(words->text + words->size, piece, size);
        words->size += size;
        return true;
}

/* 0 and *ret, -ECANCELED when the keeper died, -ETIMEDOUT when it does not answer */
static int await_result(int keeper, int output, uint32_t timeout_ms, struct words *words,
                        struct result *ret) {
        struct pollfd fds[] = { { .fd = keeper, .events = POLLIN },
                                { .fd = output, .events = POLLIN } };
        uint64_t end = util_now_us() + ((uint64_t)timeout_ms + GRACE_MS) * 1000, now;

        while ((now = util_now_us()) < end) {
                if (poll(fds, 2, (int)((end - now + 999) / 1000)) < 0 && errno != EINTR)
                        return -errno;
                if (fds[1].revents && !take_words(output, words))
                        fds[1].fd = -1;
                if (!fds[0].revents)
                        continue;
                return read(keeper, ret, sizeof(*ret)) == (ssize_t)sizeof(*ret) ? 0 : -ECANCELED;
        }
        return -ETIMEDOUT;
}

static int judge(const struct job *job, const struct result *result, struct words *words,
                 struct vss_error *reterr) {
        const char *said = words->size ? ": " : "";

        while (words->size > 0 && strchr("\n\r\t ", words->text[words->size - 1]))
                words->size--;
        words->text[words->size] = '\0';
        for (char *s = words->text; (s = strchr(s, '\n'));)
                *s = ' ';
        if (result->outcome == TIMED_OUT)
                return util_fail(reterr, -ETIMEDOUT,
                                 "'%s' had not ended after %u ms and was killed%s%s", job->path,
                                 job->timeout_ms, said, words->text);
        if (result->outcome == NOT_STARTED)
                return util_fail(reterr, -result->value, "cannot run '%s': %s", job->path,
                                 strerror(result->value));
        if (WIFSIGNALED(result->value))
                return util_fail(reterr, -ECANCELED, "'%s' was killed by signal %d%s%s", job->path,
                                 WTERMSIG(result->value), said, words->text);
        if (WEXITSTATUS(result->value) != 0)
                return util_fail(reterr, -ECANCELED, "'%s' ended with exit code %d%s%s", job->path,
                                 WEXITSTATUS(result->value), said, words->text);
        return 0;
}

/* bind the abstract socket: it exists exactly as long as a process holds it */
static int lock_open(const char *name) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        size_t n = strlen(name);
        int fd;

        if (n == 0 || n + 1 > sizeof(address.sun_path))
                return -EINVAL;
        memcpy(address.sun_path + 1, name, n);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (bind(fd, (struct sockaddr *)&address,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) < 0) {
                int r = -errno;

                close(fd);
                return r;
        }
        return fd;
}

static int run_job(struct job *job, struct vss_error *reterr) {
        _cleanup_close_ int keeper = -1, output = -1;
        struct words words = { .size = 0 };
        struct result result;
        int pair[2], pipe_fds[2], r;
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return util_fail(reterr, -errno, "cannot run '%s': %s", job->path, strerror(errno));
        keeper = pair[0];
        job->fd[SLOT_RESULT] = pair[1];
        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return util_fail(reterr, -errno, "cannot run '%s': %s", job->path, strerror(errno));
        output = pipe_fds[0];
        job->fd[SLOT_OUTPUT] = pipe_fds[1];

        pid = fork();
        if (pid == 0)
                be_keeper(job);
        if (pid < 0)
                return util_fail(reterr, -errno, "cannot run '%s': %s", job->path, strerror(errno));
        for (int i = 0; i < SLOT_COUNT; i++) { /* the keeper's own now: ends must end */
                if (job->fd[i] >= 0)
                        close(job->fd[i]);
                job->fd[i] = -1;
        }
        r = await_result(keeper, output, job->timeout_ms, &words, &result);
        if (r < 0)
                (void)kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        if (r < 0)
                return util_fail(reterr, r, "'%s' was lost: its keeper was killed or stuck",
                                 job->path);
        /* Only what is there: something left running may keep the pipe open. */
        (void)fcntl(output, F_SETFL, O_NONBLOCK);
        while (take_words(output, &words) && errno != EAGAIN)
                errno = 0;
        return judge(job, &result, &words, reterr);
}

int program_run(const char *path, const char *const *variables, const char *lock_name,
                uint32_t timeout_ms, struct vss_error *reterr) {
        struct job job = { .fd = { -1, -1, -1, -1 },
                           .path = path,
                           .argv = { (char *)(uintptr_t)path, NULL },
                           .envp = { (char *)(uintptr_t) "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                     (char *)(uintptr_t) "LC_ALL=C.UTF-8" },
                           .timeout_ms = timeout_ms };
        char magic[2];
        int r;

        for (size_t i = 0; i < PROGRAM_VARIABLES && variables[i]; i++)
                job.envp[i + 2] = (char *)(uintptr_t)variables[i];
        job.fd[SLOT_PROGRAM] = program_open(path, reterr);
        if (job.fd[SLOT_PROGRAM] < 0)
                return job.fd[SLOT_PROGRAM];
        job.script = pread(job.fd[SLOT_PROGRAM], magic, 2, 0) == 2 && memcmp(magic, "#!", 2) == 0;
        if (lock_name) {
                job.fd[SLOT_LOCK] = lock_open(lock_name);
                r = job.fd[SLOT_LOCK];
                if (r < 0)
                        (void)util_fail(reterr, r, "'%s' of an earlier run has not ended", path);
        } else {
                r = 0;
        }
        if (r >= 0)
                r = run_job(&job, reterr);
        for (int i = 0; i < SLOT_COUNT; i++)
                if (job.fd[i] >= 0)
                        close(job.fd[i]);
        return r;
}

int program_wait_gone(const char *lock_name, uint32_t timeout_ms) {
        uint64_t end = util_now_us() + (uint64_t)timeout_ms * 1000;

        for (;;) {
                int fd = lock_open(lock_name);

                if (fd >= 0)
                        return close(fd), 0;
                if (fd != -EADDRINUSE)
                        return fd;
                if (util_now_us() >= end)
                        return -ETIMEDOUT;
                (void)poll(NULL, 0, 5);
        }
}
