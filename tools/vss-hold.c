/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vss-hold - holds writes on file systems for vssd, and lets go of them whatever happens.
 *
 * Only vssd starts it, with a socket as descriptor 3. Here is the command line and the way out of
 * the parent's process family; the life is in src/hold/serve.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ini.h"
#include "config.h"
#include "hold/hold.h"

enum { CLIENT_FD = 3 };

static struct hold hold;

static int usage(FILE *to, int status) {
        fprintf(to, "usage: vss-hold RUNTIME-DIR LIMIT-US\n"
                    "\n"
                    "Freezes and thaws file systems for vssd, which starts it with a socket as\n"
                    "descriptor 3. Not to be started by hand; to thaw what was left frozen, use\n"
                    "'vssctl thaw'.\n");
        return status;
}

int main(int argc, char *argv[]) {
        int type = 0;
        socklen_t size = sizeof(type);
        pid_t pid;

        if (argc == 2 && strcmp(argv[1], "--help") == 0)
                return usage(stdout, 0);
        if (argc == 2 && strcmp(argv[1], "--version") == 0)
                return printf("vss-hold " VSS_VERSION "\n") < 0;
        if (argc != 3 || ini_uint(argv[2], 1, HOLD_LIMIT_US, &hold.limit_us) < 0 ||
            getsockopt(CLIENT_FD, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_SEQPACKET)
                return usage(stderr, 2);

        /* Nobody's child: vssd needs not to reap us, however long we outlive it. */
        pid = fork();
        if (pid != 0)
                _exit(pid < 0);
        (void)setsid();
        hold.client_fd = CLIENT_FD;
        _exit(hold_serve(&hold, argv[1]));
}
