/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * life.h - one running vssd is a life: a file that it keeps locked. The kernel releases the lock
 * however the process dies, so a lock that can be taken belongs to a life that is over.
 */
#ifndef STORE_LIFE_H
#define STORE_LIFE_H

#include <stdbool.h>

#include "vss/types.h"

struct life {
        struct vss_id id;
        int fd;
};

/* life_begin() - @folder is the descriptor of the folder of lock files */
int life_begin(int folder, struct life *ret);
void life_end(int folder, struct life *life);

/* life_is_over() - also removes the lock file of a life that is over */
bool life_is_over(int folder, const struct vss_id *id);

#endif
