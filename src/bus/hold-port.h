/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold-port.h - the coordinator's VERB_HOLD_* through a vss-hold process, one per set.
 */
#ifndef BUS_HOLD_PORT_H
#define BUS_HOLD_PORT_H

#include "bus/server.h"

/* hold_port_new() - tell the coordinator that writes can be held. Only root can (P-81) */
int hold_port_new(struct server *server);
void hold_port_free(struct server *server);

/* The hold's half of struct party_ops */
int hold_port_call(struct server *server, uint64_t ticket, const struct call *call);
void hold_port_forget(struct server *server, uint64_t ticket);
void hold_port_kill(struct server *server);

#endif
