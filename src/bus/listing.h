/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listing.h - the members of org.vss1.Manager that find volumes.
 */
#ifndef BUS_LISTING_H
#define BUS_LISTING_H

#include <systemd/sd-bus.h>

int method_list_volumes(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_resolve_path(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_resolve_paths(sd_bus_message *m, void *userdata, sd_bus_error *reterr);

#endif
