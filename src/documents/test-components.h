/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-components.h - one backup with two components, and the way to its writer and back.
 */
#ifndef DOCUMENTS_TEST_COMPONENTS_H
#define DOCUMENTS_TEST_COMPONENTS_H

#include "documents/components-document.h"
#include "documents/test-documents.h"

/* struct backup - a document with components "a" and "p\b" of one writer */
struct backup {
        struct vss_examine_writer_metadata *metadata;
        struct bcd *bcd;
        struct vss_id instance;
        struct vss_component_key a, b, unknown;
};

/* begin() - file sets: a has ("/d","*.t"), its subcomponent a\s has ("/s","*",recursive) and b
 * has ("/b","*.log") */
static inline struct backup begin(uint32_t schema, uint32_t type, bool partial) {
        struct backup t = { .instance = test_id(TEST_INSTANCE) };
        struct vss_create_writer_metadata *m = test_create(false);
        struct vss_id id = test_id(TEST_WRITER);

        WORKS(test_add(m, "a", VSS_CT_FILEGROUP, true, false, e));
        WORKS(test_add(m, "a\\s", VSS_CT_FILEGROUP, false, true, e));
        WORKS(test_add(m, "p\\b", VSS_CT_FILEGROUP, true, false, e));
        CHECK_INT(test_add_files(m, NULL, "a", "/d", "*.t", false), 0);
        CHECK_INT(test_add_files(m, "a", "s", "/s", "*", true), 0);
        CHECK_INT(test_add_files(m, "p", "b", "/b", "*.log", false), 0);
        WORKS(vss_create_writer_metadata_set_backup_schema(m, schema, e));
        test_set_method(m);
        t.metadata = test_finish(m);
        CHECK_INT(bcd_new(&t.bcd), 0);
        WORKS(bcd_set_backup_state(t.bcd, true, false, type, partial, e));
        t.a = (struct vss_component_key){ id, VSS_CT_FILEGROUP, NULL, "a" };
        t.b = (struct vss_component_key){ id, VSS_CT_FILEGROUP, "p", "b" };
        t.unknown = (struct vss_component_key){ id, VSS_CT_FILEGROUP, "a", "s" };
        WORKS(bcd_add_component(t.bcd, &t.instance, &t.a, t.metadata, e));
        WORKS(bcd_add_component(t.bcd, &t.instance, &t.b, t.metadata, e));
        return t;
}

static inline void end(struct backup *t) {
        bcd_free(t->bcd);
        vss_examine_writer_metadata_free(t->metadata);
}

static inline struct vss_component *entry(const struct backup *t, size_t index) {
        struct vss_component *component =
                vss_writer_components_get_component(bcd_get_writer(t->bcd, 0), index);

        CHECK(component);
        return component;
}

/* reload() - save, load, and check that it saves the same */
static inline void reload(struct backup *t) {
        struct bcd *loaded;
        char *xml, *again;
        size_t size;

        WORKS(bcd_save(t->bcd, &xml, &size, e));
        WORKS(bcd_load(xml, size, NULL, &loaded, e));
        WORKS(bcd_save(loaded, &again, NULL, e));
        CHECK_STR(again, xml);
        free(xml);
        free(again);
        bcd_free(t->bcd);
        t->bcd = loaded;
}

/* visit() - the writer's view of the backup in one event */
static inline struct vss_writer_components *visit(const struct backup *t,
                                                  enum component_event event) {
        struct vss_writer_components *writer;
        char *xml;
        size_t size;

        WORKS(bcd_fragment(t->bcd, &t->instance, &xml, &size, e));
        WORKS(writer_components_load(xml, size, NULL, t->metadata, &writer, e));
        free(xml);
        writer_components_set_event(writer, event);
        return writer;
}

/* leave() - it goes back and is merged; the writer's view is released */
static inline int leave(struct backup *t, struct vss_writer_components *writer,
                        enum component_event event, enum bcd_merge what, struct vss_error *reterr) {
        char *xml;
        size_t size;
        int r;

        WORKS(writer_components_save(writer, &xml, &size, e));
        writer_components_free(writer);
        r = bcd_merge(t->bcd, &t->instance, event, what, xml, size, t->metadata, reterr);
        free(xml);
        return r;
}

#endif
