/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs one plug-in on descriptor 3 with nothing but libvss in the process: a program that has the
 * library's insides as a copy of its own would lend them to the plug-in.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "vss/writer.h"

int main(int argc, char **argv) {
        struct vss_error error = VSS_ERROR_INIT;
        struct vss_writer_ops *(*init)(void);
        void *library;
        int r;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* no test leaves one behind */
        library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
        if (!library) {
                fprintf(stderr, "%s\n", dlerror());
                return 2;
        }
        *(void **)&init = dlsym(library, "vss_writer_init");
        r = vss_writer_run(init(), 3, &error);
        if (r < 0)
                fprintf(stderr, "writer ended: %s\n", vss_error_message(&error));
        vss_error_clear(&error);
        return r < 0;
}
