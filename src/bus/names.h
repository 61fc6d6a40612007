/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * names.h - the words of docs/protocol.md that both ends must spell alike: bus name, objects,
 * interfaces, limits. Members are spelled at their vtables and calls, where one greps for them.
 */
#ifndef BUS_NAMES_H
#define BUS_NAMES_H

#include <stdint.h>

#define VSS_BUS_NAME "org.vss1"

#define VSS_MANAGER_PATH "/org/vss1"
#define VSS_MANAGER_INTERFACE "org.vss1.Manager"

#define VSS_SESSION_PREFIX "/org/vss1/session/"
#define VSS_SESSION_INTERFACE "org.vss1.Session"

#define VSS_OPERATION_PREFIX "/org/vss1/operation/"
#define VSS_OPERATION_INTERFACE "org.vss1.Operation"

/* on a private socket; a program on a bus says its own path to RegisterWriter */
#define VSS_WRITER_PATH "/org/vss1/writer"
#define VSS_WRITER_INTERFACE "org.vss1.Writer"

#define VSS_PROVIDER_PATH "/org/vss1/provider"
#define VSS_PROVIDER_INTERFACE "org.vss1.Provider"

#define VSS_BUS_ERROR_PREFIX "org.vss1.Error."
#define VSS_BUS_ERROR_ERRNO_PREFIX "org.vss1.Error.Errno."

/* sd-bus gives up after 25 s unless told otherwise; who waits without a deadline of its own says so
 */
#define VSS_BUS_FOREVER UINT64_MAX

enum {
        VSS_DOCUMENT_SIZE_MAX = 256 * 1024 * 1024, /* a sealed document, in bytes */
        VSS_DOCUMENTS_MAX = 16, /* in one message: a system bus lets no more descriptors pass */
        VSS_UNDO_SIZE_MAX = 64 * 1024, /* an undo token */
        VSS_HOST_FD = 3 /* where a started program finds its socket */
};

#endif
