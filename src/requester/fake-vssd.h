/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-vssd.h - for tests of the requester: the service's end of a socket, in a thread, that does
 * what it is told. It decides nothing by itself.
 */
#ifndef REQUESTER_FAKE_VSSD_H
#define REQUESTER_FAKE_VSSD_H

#include <pthread.h>

#include "bus/wire.h"
#include "documents/components-document.h"

struct fake_writer {
        struct wire_identity identity;
        char *metadata; /* its document */
        size_t metadata_size;
        int components; /* its part of the other, as it has it now, or -1 */
        void (*edit)(struct vss_component *component); /* what it does with it in an event */
        bool lie; /* and changes what is not its own */
        struct wire_status status;
};

struct fake {
        sd_bus *bus;
        pthread_t thread;
        char calls[8192]; /* members, in order, with a space behind each */
        struct fake_writer writers[4];
        size_t writer_count;
        const char *refuse; /* member that answers with */
        int refuse_code;
        const char *die_at; /* member at which the connection is closed without an answer */
        bool die_later; /* answer, and then close */
        int completes_with; /* code of operations, 0 finished */
        bool never_completes;
        unsigned operations;
        struct wire_records copies; /* Query */
        char filter[512]; /* of GatherWriterMetadata */
        char given[1024]; /* "PreRestore:Notes/one ", who was given a document, in order */
        char warnings[4096]; /* what came along with PreRestore and PostRestore */
};

/* fake_start() - serve the other end; @ret_fd is for the requester */
void fake_start(struct fake *fake, int *ret_fd);
void fake_stop(struct fake *fake);

struct fake_component {
        const char *name, *path; /* logical path, NULL the root */
        bool is_required; /* not selectable */
        const char *files; /* NULL: all below /srv */
        const struct vss_id *depends_on;
        const char *depends_on_name;
};

/* What is zero is as usual: RESTORE_IF_CAN_REPLACE, ALWAYS, no schema */
struct fake_declaration {
        const struct vss_id *class_id, *instance;
        const char *name, *instance_name;
        uint32_t schema, method, events;
        struct fake_component components[4];
};

struct fake_writer *fake_declare(struct fake *fake, const struct fake_declaration *declaration);

/* fake_add_writer() - with one component "data" below /srv */
struct fake_writer *fake_add_writer(struct fake *fake, const struct vss_id *class_id,
                                    const struct vss_id *instance, const char *name,
                                    const char *component);

#endif
