/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * standalone-writer.c - a program that is a writer by itself, while it runs.
 * usage: standalone-writer FOLDER [BUS-ADDRESS]
 *
 * It says on standard output what it hears. A real program would do its own work between two calls
 * of vss_writer_process(), or give it a thread.
 */
#include <signal.h>
#include <stdio.h>
#include <vss/writer.h>

static volatile sig_atomic_t stop;
static const char *folder;

static void on_signal(int n) {
        (void)n;
        stop = 1;
}

static void say(const char *event) {
        puts(event);
        fflush(stdout);
}

static int identify(struct vss_writer *w, struct vss_create_writer_metadata *md,
                    struct vss_error *e) {
        const struct vss_component_info info = { .type = VSS_CT_FILEGROUP, .name = "folder" };
        const struct vss_file_set files = { .path = folder, .filespec = "*", .recursive = true };
        const struct vss_restore_method method = { .method = VSS_RME_RESTORE_IF_CAN_REPLACE,
                                                   .writer_restore = VSS_WRE_NEVER };
        int r = vss_create_writer_metadata_add_component(md, &info, e);

        if (r == 0)
                r = vss_create_writer_metadata_add_files_to_file_group(md, NULL, "folder", &files,
                                                                       e);
        say("identify");
        return r < 0 ? r : vss_create_writer_metadata_set_restore_method(md, &method, e);
}

static int freeze(struct vss_writer *w, struct vss_error *e) {
        say("freeze"); /* here the program stops writing */
        return 0;
}

static int thaw(struct vss_writer *w, struct vss_error *e) {
        say("thaw");
        return 0;
}

static void give_up(struct vss_writer *w) {
        say("abort");
}

static struct vss_writer_ops ops = {
        .name = "Standalone example",
        .id = { "\x73tandalone wrtr" },
        .usage = VSS_UT_USERDATA,
        .source = VSS_ST_OTHER,
        .identify = identify,
        .freeze = freeze,
        .thaw = thaw,
        .abort = give_up,
};

static int serve(struct vss_writer *writer, const char *address, struct vss_error *e) {
        int r = vss_writer_initialize(writer, NULL, e);

        if (r == 0)
                r = vss_writer_subscribe(writer, address, VSS_SM_ALL_FLAGS, e);
        if (r < 0)
                return r;
        say("subscribed");
        while (!stop && r >= 0)
                r = vss_writer_process(writer, 200);
        return r < 0 ? vss_fail(e, r, "the connection to the bus is lost") : 0;
}

int main(int argc, char *argv[]) {
        struct vss_error error = VSS_ERROR_INIT;
        struct vss_writer *writer = NULL;
        int r;

        if (argc < 2) {
                fprintf(stderr, "usage: standalone-writer FOLDER [BUS-ADDRESS]\n");
                return 2;
        }
        folder = argv[1];
        signal(SIGTERM, on_signal);
        signal(SIGINT, on_signal);
        r = vss_writer_create(&ops, &writer, &error);
        if (r == 0)
                r = serve(writer, argc > 2 ? argv[2] : NULL, &error);
        if (r < 0)
                fprintf(stderr, "standalone-writer: %s\n", vss_error_message(&error));
        vss_writer_free(writer);
        vss_error_clear(&error);
        return r < 0;
}
