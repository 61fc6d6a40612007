/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vss-host.c - runs one plug-in in a process of its own. Descriptor 3 is the socket to vssd; what
 * to do comes over it. Who starts it by hand gets words instead.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bus/names.h"
#include "config.h"
#include "vss/provider.h"
#include "vss/writer.h"

static const char usage[] = "usage: vss-host --provider PLUGIN.so\n"
                            "       vss-host --writer PLUGIN.so\n"
                            "\n"
                            "Runs a provider or writer plug-in for vssd, which starts it with a\n"
                            "connected socket as descriptor 3. Not to be started by hand.\n"
                            "\n"
                            "      --provider PLUGIN.so   run a provider\n"
                            "      --writer PLUGIN.so     run a writer\n"
                            "      --help                 show this help\n"
                            "      --version              show the version\n";

enum kind { KIND_NONE, KIND_PROVIDER, KIND_WRITER };

/* Code that runs with our rights must come from somebody who has them. The check and the loading
 * go through one descriptor, so that both see the same file. */
static int open_plugin(const char *path, struct vss_error *reterr) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat st;

        if (fd < 0)
                return vss_fail(reterr, -errno, "cannot open plug-in '%s': %s", path,
                                strerror(errno));
        if (fstat(fd, &st) < 0)
                return vss_fail(reterr, -errno, "cannot examine plug-in '%s': %s", path,
                                strerror(errno));
        if (!S_ISREG(st.st_mode))
                return vss_fail(reterr, -EINVAL, "plug-in '%s' is no regular file", path);
        if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)))
                return vss_fail(reterr, -EPERM,
                                "plug-in '%s' must be owned by root or by you and not be writable "
                                "by group or others: chown and chmod it",
                                path);
        return take_fd(&fd);
}

static int load_plugin(const char *path, const char *symbol, void **ret, struct vss_error *reterr) {
        _cleanup_close_ int fd = open_plugin(path, reterr);
        char by_fd[64];
        void *library;

        if (fd < 0)
                return fd;
        snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", fd);
        library = dlopen(by_fd, RTLD_NOW | RTLD_LOCAL);
        if (!library) /* never closed: the plug-in's code runs until the end */
                return vss_fail(reterr, -ELIBBAD, "cannot load plug-in '%s': %s", path, dlerror());
        *ret = dlsym(library, symbol);
        if (!*ret)
                return vss_fail(reterr, -ELIBBAD, "'%s' is no such plug-in: it has no '%s'", path,
                                symbol);
        return 0;
}

static int run_provider(const char *path, struct vss_error *reterr) {
        struct vss_provider_ops *(*init)(void);
        void *symbol;
        int r = load_plugin(path, "vss_provider_init", &symbol, reterr);

        if (r < 0)
                return r;
        memcpy(&init, &symbol, sizeof(init));
        return vss_provider_run(init(), VSS_HOST_FD, reterr);
}

static int run_writer(const char *path, struct vss_error *reterr) {
        struct vss_writer_ops *(*init)(void);
        void *symbol;
        int r = load_plugin(path, "vss_writer_init", &symbol, reterr);

        if (r < 0)
                return r;
        memcpy(&init, &symbol, sizeof(init));
        return vss_writer_run(init(), VSS_HOST_FD, reterr);
}

static int check_socket(struct vss_error *reterr) {
        int type;
        socklen_t size = sizeof(type);

        if (getsockopt(VSS_HOST_FD, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM)
                return vss_fail(reterr, -ENOTSOCK,
                                "descriptor %d is no connected socket: vss-host is started by "
                                "vssd, not by hand",
                                VSS_HOST_FD);
        if (fcntl(VSS_HOST_FD, F_SETFD, FD_CLOEXEC) < 0)
                return vss_fail(reterr, -errno, "cannot guard descriptor %d", VSS_HOST_FD);
        return 0;
}

/* Plug-ins see passwords and other people's data: no core file, no debugger of the same user. */
static void harden(void) {
        (void)prctl(PR_SET_DUMPABLE, 0);
}

static int run(enum kind kind, const char *path) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int r = check_socket(&error);

        harden();
        if (r >= 0)
                r = kind == KIND_PROVIDER ? run_provider(path, &error) : run_writer(path, &error);
        if (r < 0) {
                fprintf(stderr, "vss-host: %s\n", vss_error_message(&error));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}

/* raise_descriptors() - a writer of a thousand databases has three for each */
static void raise_descriptors(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char *argv[]) {
        static const struct option options[] = {
                { "provider", required_argument, NULL, 'p' },
                { "writer", required_argument, NULL, 'w' },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                { 0 },
        };
        enum kind kind = KIND_NONE;
        const char *path = NULL;
        int c;

        (void)signal(SIGXFSZ, SIG_IGN); /* a limit is an error of the write, not a death */
        while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
                switch (c) {
                case 'h':
                        return fputs(usage, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
                case 'V':
                        return puts("vss-host " VSS_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
                case 'p':
                case 'w':
                        if (path) {
                                fputs("vss-host: one plug-in at a time\n", stderr);
                                return 2;
                        }
                        kind = c == 'p' ? KIND_PROVIDER : KIND_WRITER;
                        path = optarg;
                        break;
                default:
                        return 2;
                }
        }
        if (!path || optind < argc) {
                fputs(usage, stderr);
                return 2;
        }
        raise_descriptors();
        return run(kind, path);
}
