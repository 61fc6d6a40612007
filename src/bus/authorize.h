/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * authorize.h - who may do what (SEC-1, SEC-4). Decided by the credentials that the kernel or the
 * message bus vouches for, never by what a caller says.
 */
#ifndef BUS_AUTHORIZE_H
#define BUS_AUTHORIZE_H

#include "bus/server.h"

struct caller {
        uid_t uid;
        const uint32_t *groups; /* all of them, the primary one included */
        size_t n_groups;
        uint32_t pid; /* 0: not known */
};

enum role {
        ROLE_LOOK, /* names of providers: everybody (SEC-12) */
        ROLE_WRITER,
        ROLE_REQUESTER,
        ROLE_ADMINISTRATOR /* root, or whose own the service is */
};

/* authorize() - @service is the uid under which the service runs.
 * Return: 0, or E_ACCESSDENIED with words */
int authorize(const struct settings *settings, uid_t service, const struct caller *caller,
              enum role role, struct vss_error *reterr);

/* admit_t - the rest of a method, once its caller was let in. Answers @m itself when it returns 0
 * or more; a negative return is answered with @reterr */
typedef int (*admit_t)(struct server *server, sd_bus_message *m, const struct caller *caller,
                       struct vss_error *reterr);

/* admit() - find out who sent @m, and go on with @then if that one may. On a bus the answer takes a
 * while; it is not waited for. For method handlers: return what this returns */
int admit(struct server *server, sd_bus_message *m, enum role role, admit_t then,
          sd_bus_error *reterr);

#endif
