/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vss-probe - looks at volumes for vssd, which must not hang when one of them does.
 *
 * usage: vss-probe [--skip FOLDER]... {list | {path|below|name|thaw} NAME}...
 *
 * One look at all mounts serves any number of questions; each is answered as soon as it can be, so
 * that who kills a probe that hangs knows which question it hung on. "thaw" ends what a dead
 * vss-hold left frozen by the records in a folder; that can hang as well. It answers one record,
 * without a volume in it, for each file system that it thawed.
 * Answers on descriptor 3 with the records of volume/volume.h, or with text on standard output when
 * descriptor 3 is not open (for people). What is mounted below a FOLDER is none of the machine's
 * volumes but a copy.
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

static const char usage[] = "usage: vss-probe [--skip FOLDER]... QUESTION...\n"
                            "questions: list, path PATH, below PATH, name VOLUME, thaw FOLDER\n";

struct probe {
        const char **skip; /* ends with NULL */
        struct scan scan;
        bool scanned;
        FILE *file; /* to vssd, or NULL */
};

static int thaw(const char *runtime_dir, struct volume_list *list, struct vss_error *reterr) {
        const struct volume nameless = { .refusal = NULL };
        unsigned thawed = 0;
        int r = hold_thaw_leftovers(runtime_dir, &thawed, reterr);

        while (r >= 0 && thawed-- > 0)
                r = volume_list_add(list, &nameless);
        return r;
}

static int look(struct probe *probe, const char *verb, const char *name, struct volume_list *list,
                struct vss_error *reterr) {
        int r = 0;

        if (!probe->scanned) {
                r = scan_init(&probe->scan, probe->skip, reterr);
                probe->scanned = r == 0;
        }
        if (r == 0 && strcmp(verb, "list") == 0)
                r = scan_list(&probe->scan, list);
        else if (r == 0 && strcmp(verb, "name") == 0)
                r = scan_name(&probe->scan, name, list, reterr);
        else if (r == 0)
                r = scan_path(&probe->scan, name, strcmp(verb, "below") == 0, list, reterr);
        if (!probe->scanned)
                scan_done(&probe->scan);
        return r;
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

/* answer() - one question; the exit status so far */
static int answer(struct probe *probe, const char *verb, const char *name) {
        _cleanup_error_ struct vss_error failure = VSS_ERROR_INIT;
        struct volume_list list = { 0 };
        int r = strcmp(verb, "thaw") == 0 ? thaw(name, &list, &failure)
                                          : look(probe, verb, name, &list, &failure);
        int status = 0;

        if (r < 0 && !failure.code)
                vss_fail(&failure, r, "%s", vss_error_text(r));
        if (probe->file)
                status = report(probe->file, &list, &failure);
        else if (failure.code) {
                fprintf(stderr, "vss-probe: %s\n", vss_error_message(&failure));
                status = 1;
        } else
                print(&list);
        volume_list_clear(&list);
        return status;
}

/* How many arguments the question that begins with @verb has, itself included; 0: it is none */
static int length_of(const char *verb) {
        static const char *const verbs[] = { "path", "below", "name", "thaw" };

        for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
                if (strcmp(verb, verbs[i]) == 0)
                        return 2;
        return strcmp(verb, "list") == 0;
}

static bool are_questions(int count, char **words) {
        int i = 0, length = 1;

        while (i < count && length > 0) {
                length = length_of(words[i]);
                i += length;
        }
        return count > 0 && length > 0 && i == count;
}

int main(int argc, char **argv) {
        _cleanup_free_ const char **skip = calloc((size_t)argc + 1, sizeof(*skip));
        struct probe probe = { .skip = skip };
        int i = 1, n = 0, status = 0;

        if (!skip)
                return 1;

        if (argc == 2 && strcmp(argv[1], "--help") == 0)
                return fputs(usage, stdout) < 0;
        if (argc == 2 && strcmp(argv[1], "--version") == 0)
                return puts("vss-probe " VSS_VERSION) < 0;
        for (; i + 1 < argc && strcmp(argv[i], "--skip") == 0; i += 2)
                skip[n++] = argv[i + 1];
        skip[n] = NULL;
        if (!are_questions(argc - i, argv + i)) {
                fputs(usage, stderr);
                return 2;
        }
        if (fcntl(3, F_GETFL) >= 0)
                probe.file = fdopen(3, "w");
        for (; i < argc; i += length_of(argv[i]))
                status |= answer(&probe, argv[i], argv[i + 1]);
        if (probe.scanned)
                scan_done(&probe.scan);
        return status;
}
