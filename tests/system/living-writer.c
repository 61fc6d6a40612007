/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * living-writer.c - an application that is its own writer, for restore-services.sh: it runs as a
 * service, and asks for that very service to be stopped for a restore.
 * usage: living-writer FOLDER SERVICE
 */
#include <signal.h>
#include <stdio.h>
#include <vss/writer.h>

static volatile sig_atomic_t stop;
static const char *folder, *service;

static void on_signal(int n) {
        (void)n;
        stop = 1;
}

static int identify(struct vss_writer *w, struct vss_create_writer_metadata *md,
                    struct vss_error *e) {
        const struct vss_component_info info = { .type = VSS_CT_FILEGROUP, .name = "folder" };
        const struct vss_file_set files = { .path = folder, .filespec = "*" };
        const struct vss_restore_method method = { .method = VSS_RME_STOP_RESTORE_START,
                                                   .service = service,
                                                   .writer_restore = VSS_WRE_ALWAYS };
        int r = vss_create_writer_metadata_add_component(md, &info, e);

        if (r == 0)
                r = vss_create_writer_metadata_add_files_to_file_group(md, NULL, "folder", &files,
                                                                       e);
        return r < 0 ? r : vss_create_writer_metadata_set_restore_method(md, &method, e);
}

static int nothing(struct vss_writer *w, struct vss_error *e) {
        return 0;
}

static void give_up(struct vss_writer *w) {
}

static struct vss_writer_ops ops = {
        .name = "Living writer",
        .id = { "living in servic" },
        .usage = VSS_UT_USERDATA,
        .source = VSS_ST_OTHER,
        .identify = identify,
        .freeze = nothing,
        .thaw = nothing,
        .abort = give_up,
};

int main(int argc, char *argv[]) {
        struct vss_error error = VSS_ERROR_INIT;
        struct vss_writer *writer = NULL;
        int r;

        if (argc < 3)
                return 2;
        folder = argv[1];
        service = argv[2];
        signal(SIGTERM, on_signal);
        r = vss_writer_create(&ops, &writer, &error);
        if (r == 0)
                r = vss_writer_initialize(writer, NULL, &error);
        if (r == 0)
                r = vss_writer_subscribe(writer, NULL, VSS_SM_ALL_FLAGS, &error);
        while (!stop && r >= 0)
                r = vss_writer_process(writer, 200);
        if (r < 0)
                fprintf(stderr, "living-writer: %s\n", vss_error_message(&error));
        vss_writer_free(writer);
        vss_error_clear(&error);
        return r < 0;
}
