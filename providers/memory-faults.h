/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-faults.h - faults that settings ask for, for tests of everybody else (CFG-37).
 *
 * fail_at = METHOD[:CODE] (an official name or a number, default VSS_E_PROVIDER_VETO), delay_at =
 * METHOD:MS, die_at = METHOD (SIGKILL), hang_at = METHOD (for ever). METHOD is a field of struct
 * vss_provider_ops. Each may come again; they act in the order in which they came.
 */
#ifndef PROVIDERS_MEMORY_FAULTS_H
#define PROVIDERS_MEMORY_FAULTS_H

#include "vss/provider.h"

struct faults {
        struct fault *items;
        size_t count, capacity;
};

bool faults_is_setting(const char *key);
int faults_setting(struct faults *faults, const char *key, const char *value,
                   struct vss_error *reterr);
/* faults_act() - at the beginning of @method: 0 to go on, else what it shall return */
int faults_act(const struct faults *faults, const char *method, struct vss_error *reterr);
void faults_done(struct faults *faults);

#endif
