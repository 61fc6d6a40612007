/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-object.h - one requester object against a service that does what it is told. One thing per
 * program: the object, the service and the last error are global.
 */
#ifndef REQUESTER_TEST_OBJECT_H
#define REQUESTER_TEST_OBJECT_H

#include "requester/fake-vssd.h"
#include "requester/inside.h"
#include "tests/check.h"

#define ID(n)                                                                                      \
        {                                                                                          \
                { n, 2, 3 }                                                                        \
        }
static const struct vss_id class_a = ID(0xa1), class_b = ID(0xb1), one = ID(0x11), two = ID(0x22);

static struct fake fake;
static struct vss_backup_components *bc;
static struct vss_error error;

static inline void begin(void) {
        int fd;

        fake_start(&fake, &fd);
        bc = calloc(1, sizeof(*bc));
        bc->state = STATE_CREATED;
        bc->service = PROCESS_NONE;
        CHECK_INT(wire_connect(fd, false, &bc->bus), 0);
        CHECK_INT(bc_open_session(bc, NULL), 0);
}

static inline void end(void) {
        CHECK(!vss_backup_components_free(bc));
        fake_stop(&fake);
        vss_error_clear(&error);
}

static inline struct vss_component_key key_of(const struct vss_id *class_id, const char *name) {
        return (struct vss_component_key){ .writer_id = *class_id,
                                           .type = VSS_CT_FILEGROUP,
                                           .name = name };
}

typedef int (*long_call_t)(struct vss_backup_components *, struct vss_async **, struct vss_error *);

/* start a long call and wait for it */
static inline int finish(long_call_t call) {
        struct vss_async *async;
        int r = call(bc, &async, &error);

        return r < 0 ? r : vss_async_finish(async, &error);
}

static inline void backup_begun(bool select) {
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, NULL, NULL), 0);
        CHECK_INT(
                vss_backup_components_set_backup_state(bc, select, false, VSS_BT_FULL, true, NULL),
                0);
        CHECK_INT(finish(vss_backup_components_gather_writer_metadata), 0);
}

static inline struct vss_component *component(void) {
        struct vss_writer_components *part;

        CHECK_INT(vss_backup_components_get_writer_components(bc, 0, &part, NULL), 0);
        return vss_writer_components_get_component(part, 0);
}

static inline void edit_stamp(struct vss_component *c) {
        int r = vss_component_set_backup_stamp(c, "stamp");

        if (r < 0) /* in a restore */
                (void)vss_component_set_restore_target(c, VSS_RT_ALTERNATE);
}

#define BAD(call) CHECK_INT(call, VSS_E_BAD_STATE)

#endif
