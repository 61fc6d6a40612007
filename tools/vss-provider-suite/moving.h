/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * moving.h - a program that writes while copies are made.
 */
#ifndef VSS_PROVIDER_SUITE_MOVING_H
#define VSS_PROVIDER_SUITE_MOVING_H

void moving_writers(void);

#endif
