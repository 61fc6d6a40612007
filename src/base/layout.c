/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "base/layout.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "config.h"

static char *build_folder_in(const char *file) {
        char resolved[PATH_MAX];
        char *slash;

        if (!realpath(file, resolved))
                return NULL;
        /* the object itself may lie one folder below the top of the build, as tests do */
        for (int up = 0; up < 3; up++) {
                _cleanup_free_ char *mark = NULL;

                slash = strrchr(resolved, '/');
                if (!slash || slash == resolved)
                        return NULL;
                *slash = '\0';
                mark = path_join(resolved, "vss-uninstalled");
                if (mark && access(mark, F_OK) == 0)
                        return strdup(resolved);
        }
        return NULL;
}

static char *build_folder(void) {
        Dl_info info;

        if (dladdr((void *)build_folder, &info) && info.dli_fname && strchr(info.dli_fname, '/')) {
                char *folder = build_folder_in(info.dli_fname);

                if (folder)
                        return folder;
        }
        return build_folder_in("/proc/self/exe");
}

char *layout_program(const char *name) {
        _cleanup_free_ char *folder = build_folder();

        return path_join(folder ? folder : VSS_LIBEXEC_DIR, name);
}

char *layout_plugin_dir(const char *kind) {
        _cleanup_free_ char *folder = build_folder();

        return path_join(folder ? folder : VSS_PLUGIN_DIR, kind);
}

const char *layout_config_dir(void) {
        return VSS_CONFIG_DIR;
}

static char *user_folder(const char *variable, const char *below_home) {
        const char *base = secure_getenv(variable);
        const char *home = secure_getenv("HOME");
        _cleanup_free_ char *joined = NULL;

        if (base && *base == '/')
                return path_join(base, "vss");
        if (!below_home || !home || *home != '/')
                return NULL;
        joined = path_join(home, below_home);
        return joined ? path_join(joined, "vss") : NULL;
}

char *layout_state_dir(void) {
        return geteuid() == 0 ? strdup(VSS_STATE_DIR)
                              : user_folder("XDG_STATE_HOME", ".local/state");
}

char *layout_runtime_dir(void) {
        return geteuid() == 0 ? strdup(VSS_RUNTIME_DIR) : user_folder("XDG_RUNTIME_DIR", NULL);
}
