/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vss-probe - looks at volumes for vssd, which must not hang when one of them does.
 *
 * usage: vss-probe list|path|below|name|thaw [NAME] [FOLDER...]
 *
 * "thaw" ends what a dead vss-hold left frozen by the records in the folder NAME; that can hang as
 * well. It answers one record, without a volume in it, for each file system that it thawed.
 * Answers on descriptor 3 with the records of volume/volume.h, or with text on standard output when
 * descriptor 3 is not open (for people). What is mounted below a FOLDER is none of the machine's
 * volumes but a copy. vssd kills it at its deadline.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config.h"
#include "hold/leftovers.h"
#include "volume/scan.h"

static int thaw(const char *runtime_dir, struct volume_list *list, struct vss_error *reterr) {
        const struct volume nameless = { .refusal = NULL };
        unsigned thawed = 0;
        int r = hold_thaw_leftovers(runtime_dir, &thawed, reterr);

        while (r >= 0 && thawed-- > 0)
                r = volume_list_add(list, &nameless);
        return r;
}

static int look(const char *verb, const char *name, const char *const *skip,
                struct volume_list *list, struct vss_error *reterr) {
        struct scan scan;
        int r = scan_init(&scan, skip, reterr);

        if (r == 0 && strcmp(verb, "list") == 0)
                r = scan_list(&scan, list);
        else if (r == 0 && strcmp(verb, "name") == 0)
                r = scan_name(&scan, name, list, reterr);
        else if (r == 0)
                r = scan_path(&scan, name, strcmp(verb, "below") == 0, list, reterr);
        scan_done(&scan);
        return r;
}

static void answer(const char *verb, const char *name, const char *const *skip,
                   struct volume_list *list, struct vss_error *reterr) {
        int r = strcmp(verb, "thaw") == 0 ? thaw(name, list, reterr)
                                          : look(verb, name, skip, list, reterr);

        if (r < 0 && !reterr->code)
                vss_fail(reterr, r, "%s", vss_error_text(r));
}

static bool takes_name(const char *verb) {
        static const char *const verbs[] = { "path", "below", "name", "thaw" };

        for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
                if (strcmp(verb, verbs[i]) == 0)
                        return true;
        return false;
}

static void print(const struct volume_list *list) {
        for (size_t i = 0; i < list->count; i++) {
                const struct volume *volume = &list->items[i];

                printf("%s\t%s\t%s%s%s\n", volume->v.mount_point, volume->v.fs_type, volume->v.id,
                       volume->refusal ? "\t" : "", volume->refusal ? volume->refusal : "");
        }
}

static int report(FILE *file, const struct volume_list *list, const struct vss_error *failure) {
        for (size_t i = 0; !failure->code && i < list->count; i++)
                if (volume_write(file, &list->items[i]) < 0)
                        return 1;
        return volume_write_end(file, failure) < 0 || fflush(file) != 0;
}

int main(int argc, char **argv) {
        static const char usage[] =
                "usage: vss-probe list|path|below|name|thaw [NAME] [FOLDER...]\n";
        bool has_name = argc > 1 && takes_name(argv[1]);
        _cleanup_error_ struct vss_error failure = VSS_ERROR_INIT;
        struct volume_list list = { 0 };
        FILE *file = NULL;
        int status = 0;

        if (argc == 2 && strcmp(argv[1], "--help") == 0)
                return fputs(usage, stdout) < 0;
        if (argc == 2 && strcmp(argv[1], "--version") == 0)
                return puts("vss-probe " VSS_VERSION) < 0;
        if (argc < 2 || argc < 2 + has_name || (!has_name && strcmp(argv[1], "list") != 0)) {
                fputs(usage, stderr);
                return 2;
        }
        if (fcntl(3, F_GETFL) >= 0)
                file = fdopen(3, "w");
        answer(argv[1], has_name ? argv[2] : NULL, (const char *const *)(argv + 2 + has_name),
               &list, &failure);
        if (file)
                status = report(file, &list, &failure);
        else if (failure.code) {
                fprintf(stderr, "vss-probe: %s\n", vss_error_message(&failure));
                status = 1;
        } else
                print(&list);
        volume_list_clear(&list);
        return status;
}
