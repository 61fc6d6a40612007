/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "memory-faults.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "kit.h"

static const char *const keys[] = { "fail_at", "delay_at", "die_at", "hang_at" };
enum kind { FAIL, DELAY, DIE, HANG, KINDS };

struct fault {
        enum kind kind;
        char method[40];
        int argument; /* code or milliseconds */
};

static enum kind kind_of(const char *key) {
        for (unsigned i = FAIL; i < KINDS; i++)
                if (strcmp(key, keys[i]) == 0)
                        return (enum kind)i;
        return KINDS;
}

bool faults_is_setting(const char *key) {
        return kind_of(key) != KINDS;
}

/* parse_argument() - what stands behind the colon; false when it is nonsense */
static bool parse_argument(struct fault *f, const char *text) {
        char *end = NULL;

        if (f->kind != FAIL && f->kind != DELAY)
                return *text == '\0';
        f->argument = f->kind == FAIL ? vss_error_from_name(text) : 0;
        if (f->argument != 0)
                return true;
        f->argument = (int)strtoll(text, &end, 0);
        if (f->kind == FAIL && *text == '\0')
                f->argument = VSS_E_PROVIDER_VETO;
        return *end == '\0' && f->argument != 0;
}

int faults_setting(struct faults *faults, const char *key, const char *value,
                   struct vss_error *reterr) {
        struct fault f = { .kind = kind_of(key) };
        char argument[64] = "";

        if (!KIT_GROW(&faults->items, faults->count, &faults->capacity))
                return fail_memory(reterr);
        if (sscanf(value, "%39[a-z_]:%63s", f.method, argument) < 1 ||
            !parse_argument(&f, argument))
                return vss_fail(reterr, E_INVALIDARG, "'%s' is no value of the setting '%s'", value,
                                key);
        faults->items[faults->count++] = f;
        return 0;
}

int faults_act(const struct faults *faults, const char *method, struct vss_error *reterr) {
        for (size_t i = 0; i < faults->count; i++) {
                const struct fault *f = &faults->items[i];

                if (strcmp(method, f->method) != 0)
                        continue;
                if (f->kind == FAIL)
                        return vss_fail(reterr, f->argument, "the setting fail_at makes %s fail",
                                        method);
                if (f->kind == DELAY)
                        usleep((useconds_t)f->argument * 1000);
                if (f->kind == DIE)
                        raise(SIGKILL);
                while (f->kind == HANG)
                        pause();
        }
        return 0;
}

void faults_done(struct faults *faults) {
        free(faults->items);
        *faults = (struct faults){ 0 };
}
