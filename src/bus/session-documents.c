/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session-documents.c - the a(sh) that a requester sends: checked here, and never read (SEC-35).
 *
 * One message carries few descriptors (a bus lets 16 pass, the kernel 253). Of more documents than
 * that the first ones come with GiveDocuments and wait here for the call that needs them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/memfd.h"
#include "bus/names.h"
#include "bus/session-object.h"
#include "bus/wire.h"

static int read_document(sd_bus_message *m, struct documents *list, struct vss_error *reterr) {
        struct component_document document = { .document = -1 };
        uint64_t size;
        int fd, r = ARRAY_RESERVE(&list->items, list->count, &list->capacity);

        if (r >= 0)
                r = wire_read_id(m, &document.instance_id);
        if (r >= 0)
                r = sd_bus_message_read_basic(m, 'h', &fd);
        if (r < 0)
                return r;
        r = memfd_check(fd, VSS_DOCUMENT_SIZE_MAX, &size);
        if (r < 0)
                return vss_fail(reterr, r == -EFBIG ? VSS_E_INVALID_XML_DOCUMENT : E_INVALIDARG,
                                r == -EFBIG ? "a document is larger than 256 MiB"
                                            : "a document must be a sealed memory file");
        document.document = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (document.document < 0)
                return -errno;
        list->items[list->count++] = document;
        return 0;
}

static int read_documents(sd_bus_message *m, struct documents *list, struct vss_error *reterr) {
        int r = sd_bus_message_enter_container(m, 'a', "(sh)");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "sh")) > 0) {
                r = read_document(m, list, reterr);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int documents_take(struct session_object *o, sd_bus_message *m, struct documents *ret,
                   struct vss_error *reterr) {
        *ret = o->given;
        o->given = (struct documents){ 0 };
        return read_documents(m, ret, reterr);
}

static void close_from(struct documents *list, size_t first) {
        while (list->count > first)
                close(list->items[--list->count].document);
}

void documents_close(struct documents *list) {
        close_from(list, 0);
}

/* what would be more than one for each writer is nobody's, and is not kept */
static int check_room(const struct session_object *o, struct vss_error *reterr) {
        size_t n;
        int r = session_count_writers(o->session, &n, reterr);

        if (r < 0 || o->given.count < n)
                return r;
        return vss_fail(reterr, E_INVALIDARG, "more documents than the session has writers (%zu)",
                        n);
}

int method_give_documents(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct session_object *o = userdata;
        size_t before = o->given.count;
        int r = check_room(o, &error);

        if (r >= 0)
                r = read_documents(m, &o->given, &error);
        if (r >= 0)
                return sd_bus_reply_method_return(m, NULL);
        close_from(&o->given, before);
        return wire_set_error(reterr, r, &error);
}
