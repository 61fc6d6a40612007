/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verb-thaw.c - vssctl thaw: release what a dead service left frozen. Needs nothing but itself.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/layout.h"
#include "hold/leftovers.h"
#include "vssctl.h"

static const struct opt options[] = { { NULL, NULL, NULL, 0 } };

static int run_thaw(int argc, char *argv[]) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_free_ char *runtime = NULL;
        struct json json = { 0 };
        unsigned thawed = 0;
        int r;

        if (next_option(&verb_thaw, argc, argv) != -1)
                return EXIT_USAGE;
        if (optind != argc)
                return usage_error("'vssctl thaw' takes no arguments");
        runtime = layout_runtime_dir();
        if (!runtime)
                return usage_error("there is no runtime folder (XDG_RUNTIME_DIR); run as root");
        r = hold_thaw_leftovers(runtime, &thawed, &error);
        if (arg_json) {
                json_string(&json, "record", "thaw");
                json_number(&json, "thawed", thawed);
                (void)json_print(&json);
        } else
                printf("%u file system%s thawed\n", thawed, thawed == 1 ? "" : "s");
        return r < 0 ? report_error(&error, "not everything is thawed") : EXIT_OK;
}

const struct verb verb_thaw = {
        .name = "thaw",
        .synopsis = "[OPTIONS]",
        .summary = "Release file systems that a killed service left frozen.",
        .options = options,
        .run = run_thaw,
};
