/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * changes.h - the list of changes that a provider writes, as it is read.
 */
#ifndef REQUESTER_CHANGES_H
#define REQUESTER_CHANGES_H

#include "vss/requester.h"

/* changes_read() - from @fd to its end. 0 when all was told, what @sink returned, -EINTR, or
 * VSS_E_UNEXPECTED_PROVIDER_ERROR with words */
int changes_read(int fd, vss_change_sink_t sink, void *userdata, struct vss_error *reterr);

#endif
