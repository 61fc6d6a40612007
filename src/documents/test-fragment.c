/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-fragment.c - the rules of a writer's entries, and the way of its part of the document to
 * it and back, also when the writer lies.
 */
#define _GNU_SOURCE
#include "documents/test-components.h"

/* ---- rules of entries ---- */

static void test_partial_rules(void) { /* I-115..I-119, IV-70, IV-71, IV-72 */
        struct backup t = begin(0, VSS_BT_FULL, false);
        struct vss_writer_components *writer = visit(&t, COMPONENT_EVENT_POST_SNAPSHOT);
        struct vss_component *c = vss_writer_components_get_component(writer, 0);

        FAILS(VSS_E_BAD_STATE, vss_component_add_partial_file(c, "/d", "p.t", "0:5", NULL, e));
        writer_components_free(writer);
        end(&t);

        t = begin(0, VSS_BT_FULL, true); /* OQ-I21: no schema bit needed */
        writer = visit(&t, COMPONENT_EVENT_POST_SNAPSHOT);
        c = vss_writer_components_get_component(writer, 0);
        FAILS(E_INVALIDARG, vss_component_add_partial_file(c, "/d", "*.t", "0:5", NULL, e));
        FAILS(E_INVALIDARG, vss_component_add_partial_file(c, "/d*", "p.t", "0:5", NULL, e));
        FAILS(E_INVALIDARG, vss_component_add_partial_file(c, NULL, "p.t", "0:5", NULL, e));
        FAILS(E_INVALIDARG, vss_component_add_partial_file(c, "/d", NULL, "0:5", NULL, e));
        FAILS(E_INVALIDARG, vss_component_add_partial_file(c, "/d", "p.t", NULL, NULL, e));
        FAILS(E_INVALIDARG, vss_component_add_partial_file(c, "/d", "p.t", "0:5,", NULL, e));
        FAILS(E_INVALIDARG, vss_component_add_partial_file(c, "/d", "p.t", "0:5", "\x01", e));
        CHECK(!writer_components_is_changed(writer));
        WORKS(vss_component_add_partial_file(c, "/d/sub", "n.t", "0:5", NULL, e)); /* IV-72 */
        WORKS(vss_component_add_partial_file(c, "/elsewhere", "n", "0:5", NULL, e)); /* OQ-I9 */
        WORKS(leave(&t, writer, COMPONENT_EVENT_POST_SNAPSHOT, BCD_MERGE_ALL, e));
        CHECK_INT(vss_component_get_partial_file_count(entry(&t, 0)), 2);
        end(&t);
}

static int add_differenced(uint32_t schema, uint32_t type, const char *path, const char *filespec,
                           bool recursive, struct vss_error *reterr) {
        struct backup t = begin(schema, type, false);
        struct vss_writer_components *writer = visit(&t, COMPONENT_EVENT_PREPARE_BACKUP);
        int r = vss_component_add_differenced_files_by_last_modify_time(
                vss_writer_components_get_component(writer, 0), path, filespec, recursive, 100,
                reterr);

        writer_components_free(writer);
        end(&t);
        return r;
}

static void test_differenced_rules(void) { /* I-96..I-101 */
        const uint32_t s = 0x0073, t = VSS_BT_INCREMENTAL;

        FAILS(VSS_E_BAD_STATE, add_differenced(0x0022, t, "/d", "*.t", false, e)); /* IV-47 */
        FAILS(VSS_E_BAD_STATE, add_differenced(0x0041, t, "/d", "*.t", false, e)); /* IV-48 */
        FAILS(VSS_E_BAD_STATE,
              add_differenced(0x0042, VSS_BT_DIFFERENTIAL, "/d", "*.t", false, e)); /* I-97 */
        WORKS(add_differenced(0x0041, VSS_BT_FULL, "/d", "*.t", false, e));
        WORKS(add_differenced(0x0041, VSS_BT_DIFFERENTIAL, "/d", "*.t", false, e));
        WORKS(add_differenced(s, t, "/d", "*.t", false, e)); /* equal */
        WORKS(add_differenced(s, t, "/d/", "*.t", false, e)); /* M-39: trailing separator */
        WORKS(add_differenced(s, t, "/s", "*", true, e)); /* of a subcomponent (D-79) */
        FAILS(E_INVALIDARG, add_differenced(s, t, "/d", "*.t", true, e)); /* IV-43 */
        FAILS(E_INVALIDARG, add_differenced(s, t, "/d", "a*.t", false, e)); /* IV-44 */
        WORKS(add_differenced(s, t, "/d/new", "*.u", false, e)); /* IV-45 */
        WORKS(add_differenced(s, t, "/other", "*.u", false,
                              e)); /* IV-46: the requester's to judge */
        WORKS(add_differenced(s, t, "/d", "*.u", false, e)); /* no common name */
        FAILS(E_INVALIDARG, add_differenced(s, t, "/b", "*.log", false, e)); /* another's set */
        FAILS(E_INVALIDARG, add_differenced(s, t, "/s/deep/er", "x", false, e)); /* inside a tree */
        FAILS(E_INVALIDARG, add_differenced(s, t, "/", "*", true, e)); /* above all of them */
        WORKS(add_differenced(s, t, "/", "*", false, e));
        WORKS(add_differenced(s, t, "/ss", "*", false, e)); /* whole elements */
        FAILS(E_INVALIDARG, add_differenced(s, t, "/d*", "*", false, e)); /* I-99 */
        FAILS(E_INVALIDARG, add_differenced(s, t, "/d", "a/b", false, e));
        FAILS(E_INVALIDARG, add_differenced(s, t, NULL, "*", false, e));
}

/* IV-111, I-144: opaque, byte for byte */
static void test_large_stamp(void) {
        static const char pattern[] =
                "<&>\"'\n\r\t\xc3\xa9\xe2\x82\xac abc \xf0\x9f\x98\x80]]>&amp;";
        size_t size = (size_t)1 << 20, at = 0;
        char *stamp = malloc(size + sizeof(pattern));
        struct backup t = begin(0, VSS_BT_FULL, false), next;
        struct vss_writer_components *writer = visit(&t, COMPONENT_EVENT_POST_SNAPSHOT);

        CHECK(stamp);
        for (; at < size; at += sizeof(pattern) - 1)
                memcpy(stamp + at, pattern, sizeof(pattern));
        CHECK_INT(vss_component_set_backup_stamp(vss_writer_components_get_component(writer, 0),
                                                 stamp),
                  0);
        WORKS(leave(&t, writer, COMPONENT_EVENT_POST_SNAPSHOT, BCD_MERGE_ALL, e));
        reload(&t);
        next = begin(0, VSS_BT_FULL, false);
        WORKS(bcd_set_previous_backup_stamp(next.bcd, &next.a,
                                            vss_component_get_backup_stamp(entry(&t, 0)), e));
        reload(&next);
        writer = visit(&next, COMPONENT_EVENT_PREPARE_BACKUP);
        CHECK_STR(vss_component_get_previous_backup_stamp(
                          vss_writer_components_get_component(writer, 0)),
                  stamp);
        writer_components_free(writer);
        free(stamp);
        end(&t);
        end(&next);
}

/* what does not fit is refused when it is set, and what was set can always be saved */
static void test_tag_limit(void) {
        size_t size = (size_t)4 << 20;
        char *large = malloc(size + 1);
        struct backup t = begin(0, VSS_BT_FULL, false);

        CHECK(large);
        memset(large, 'x', size);
        large[size] = '\0';
        WORKS(bcd_set_backup_options(t.bcd, &t.a, large, e));
        WORKS(bcd_set_previous_backup_stamp(t.bcd, &t.a, large, e));
        FAILS(E_INVALIDARG, bcd_set_restore_name(t.bcd, &t.a, large, e));
        CHECK(!vss_component_get_restore_name(entry(&t, 0)));
        memset(large, '"', size); /* six bytes each */
        FAILS(E_INVALIDARG, bcd_set_backup_options(t.bcd, &t.b, large, e));
        reload(&t);
        free(large);
        end(&t);
}

/* ---- fragments ---- */

/* D-53: a writer sees nothing of others */
static void test_fragment(void) {
        struct backup t = begin(0, VSS_BT_COPY, true);
        struct vss_writer_identity identity = test_identity();
        struct vss_create_writer_metadata *m;
        struct vss_examine_writer_metadata *second;
        struct vss_component_key key = { test_id("11111111-2222-3333-4444-555555555555"),
                                         VSS_CT_FILEGROUP, NULL, "foreign" };
        struct vss_writer_components *writer;
        struct bcd_state state;
        struct vss_id none = { { 0 } };
        char *xml;
        size_t size;

        identity.writer_id = key.writer_id;
        identity.instance_id = key.writer_id;
        WORKS(create_writer_metadata_new(&identity, false, &m, e));
        WORKS(test_add(m, "foreign", VSS_CT_FILEGROUP, true, false, e));
        test_set_method(m);
        second = test_finish(m);
        WORKS(bcd_add_component(t.bcd, &key.writer_id, &key, second, e));
        CHECK_INT(bcd_get_writer_count(t.bcd), 2);
        reload(&t);
        WORKS(bcd_fragment(t.bcd, &t.instance, &xml, &size, e));
        CHECK(!strstr(xml, "foreign"));
        CHECK(strstr(xml, "backupType=\"copy\""));
        WORKS(writer_components_load(xml, size, NULL, NULL, &writer, e));
        writer_components_get_state(writer, &state);
        CHECK(state.backup_type == VSS_BT_COPY && state.partial_file_support);
        writer_components_free(writer);
        free(xml);
        FAILS(VSS_E_OBJECT_NOT_FOUND, bcd_fragment(t.bcd, &none, &xml, &size, e));
        /* the whole is no part */
        WORKS(bcd_save(t.bcd, &xml, &size, e));
        FAILS(VSS_E_INVALID_XML_DOCUMENT,
              writer_components_load(xml, size, NULL, NULL, &writer, e));
        FAILS(VSS_E_INVALID_XML_DOCUMENT,
              bcd_merge(t.bcd, &t.instance, COMPONENT_EVENT_POST_SNAPSHOT, BCD_MERGE_ALL, xml, size,
                        NULL, e));
        free(xml);
        CHECK(!writer_components_free(NULL));
        CHECK(!bcd_free(NULL));
        vss_examine_writer_metadata_free(second);
        end(&t);
}

/* replaced() - @xml with the first @from made @to; @xml is released */
static char *replaced(char *xml, const char *from, const char *to) {
        char *at = strstr(xml, from), *result;

        if (!at)
                CHECK_FAIL_("no '%s' in %s", from, xml);
        CHECK(asprintf(&result, "%.*s%s%s", (int)(at - xml), xml, to, at + strlen(from)) > 0);
        free(xml);
        return result;
}

/* a writer that lies: nothing of what it sends is taken */
static void check_lie(const char *from, const char *to, enum component_event event, int expected) {
        struct backup t = begin(0x0073, VSS_BT_INCREMENTAL, true);
        struct vss_writer_components *writer = visit(&t, COMPONENT_EVENT_PREPARE_BACKUP);
        struct vss_error error = VSS_ERROR_INIT;
        char *before, *after, *xml;
        size_t size;
        int r;

        WORKS(vss_component_add_partial_file(vss_writer_components_get_component(writer, 1), "/b",
                                             "x.log", "0:5", NULL, e));
        CHECK_INT(vss_component_set_backup_metadata(vss_writer_components_get_component(writer, 1),
                                                    "data"),
                  0);
        WORKS(leave(&t, writer, COMPONENT_EVENT_PREPARE_BACKUP, BCD_MERGE_ALL, e));
        WORKS(bcd_set_backup_options(t.bcd, &t.a, "options", e));
        WORKS(bcd_save(t.bcd, &before, NULL, e));
        WORKS(bcd_fragment(t.bcd, &t.instance, &xml, &size, e));
        xml = replaced(xml, from, to);
        r = bcd_merge(t.bcd, &t.instance, event, BCD_MERGE_ALL, xml, strlen(xml), t.metadata,
                      &error);
        if (r != expected)
                CHECK_FAIL_("'%s' for '%s': %s: %s", to, from, vss_error_name(r),
                            vss_error_message(&error));
        if (expected < 0)
                CHECK(error.message);
        WORKS(bcd_save(t.bcd, &after, NULL, e));
        CHECK_INT(strcmp(before, after) == 0, expected < 0);
        vss_error_clear(&error);
        free(before);
        free(after);
        free(xml);
        end(&t);
}

static void test_lies(void) { /* D-2, D-82, M-20, M-57, M-58, M-62 */
        const enum component_event ps = COMPONENT_EVENT_POST_SNAPSHOT;
        const int lie = VSS_E_UNEXPECTED_WRITER_ERROR;

        check_lie("backupOptions=\"options\"", "backupOptions=\"other\"", ps, lie);
        check_lie(" backupOptions=\"options\"", "", ps, lie);
        check_lie("componentName=\"a\"", "componentName=\"c\"", ps, lie);
        check_lie("componentName=\"a\"", "componentName=\"a\" backupSucceeded=\"yes\"", ps, lie);
        check_lie("backupType=\"incremental\"", "backupType=\"full\"", ps, lie);
        check_lie("backupSchema=\"115\"", "backupSchema=\"0\"", ps, lie);
        check_lie("writerId=\"0", "writerId=\"9", ps, lie);
        check_lie("ranges=\"0:5\"", "ranges=\"0:6\"", ps, lie);
        check_lie("metadata=\"data\"", "metadata=\"others\"", ps, lie); /* D-59 */
        check_lie("<BACKUP_METADATA metadata=\"data\"/>", "", ps, lie);
        check_lie("<BACKUP_METADATA",
                  "<NEW_TARGET path=\"/b\" filespec=\"*.log\" "
                  "alternatePath=\"/etc\"/><BACKUP_METADATA",
                  ps, lie);
        check_lie("<BACKUP_METADATA",
                  "<DIRECTED_TARGET sourcePath=\"/b\" sourceFilename=\"x\" "
                  "sourceRangeList=\"0:1\" destinationPath=\"/etc\" destinationFilename=\"shadow\" "
                  "destinationRangeList=\"0:1\"/><BACKUP_METADATA",
                  ps, lie);
        /* a new place is the requester's to name; a writer directs, in PreRestore */
        check_lie("<BACKUP_METADATA",
                  "<NEW_TARGET path=\"/b\" filespec=\"*.log\" "
                  "alternatePath=\"/etc\"/><BACKUP_METADATA",
                  COMPONENT_EVENT_PRE_RESTORE, lie);
        check_lie("<BACKUP_METADATA",
                  "<ALTERNATE_LOCATION_MAPPING path=\"/b\" filespec=\"*.log\" "
                  "alternatePath=\"/etc\"/><BACKUP_METADATA",
                  COMPONENT_EVENT_PRE_RESTORE, lie);
        check_lie("componentName=\"a\"", "componentName=\"a\" restoreTarget=\"alternate\"",
                  COMPONENT_EVENT_PRE_RESTORE, 0);
        check_lie("componentName=\"a\"", "componentName=\"a\" preRestoreFailureMsg=\"x\"", ps, lie);
        check_lie("componentName=\"a\"", "componentName=\"a\" backupStamp=\"x\"",
                  COMPONENT_EVENT_BACKUP_COMPLETE, lie);
        /* the rules of entries hold for who does not use our library too */
        check_lie("</COMPONENT>",
                  "<PARTIAL_FILE path=\"b\" filespec=\"x\" ranges=\"0:1\"/></COMPONENT>", ps, lie);
        check_lie("</COMPONENT>",
                  "<PARTIAL_FILE path=\"/b\" filespec=\"x\" ranges=\"0:\"/></COMPONENT>", ps, lie);
        check_lie("</COMPONENT>", "<DIFFERENCED_FILES path=\"/d\" filespec=\"a*.t\"/></COMPONENT>",
                  ps, lie);
        check_lie("</WRITER_COMPONENTS>",
                  "<COMPONENT componentName=\"z\" "
                  "componentType=\"filegroup\"/></WRITER_COMPONENTS>",
                  ps, lie);
        check_lie("instanceId=\"f", "instanceId=\"{", ps, VSS_E_INVALID_XML_DOCUMENT);
        /* and what is its own is taken */
        check_lie("componentName=\"a\"", "componentName=\"a\" backupStamp=\"x\"", ps, 0);
        check_lie("</COMPONENT>",
                  "<PARTIAL_FILE path=\"/b\" filespec=\"x\" ranges=\"0:1\"/>"
                  "<FAILURE hr=\"0x800423f3\"/></COMPONENT>",
                  ps, 0);
}

/* B-84: with PARTIAL_FAILURE only the failures of a rejected event are kept */
static void test_failures_only(void) {
        struct backup t = begin(0, VSS_BT_FULL, true);
        struct vss_writer_components *writer = visit(&t, COMPONENT_EVENT_POST_SNAPSHOT);
        struct vss_component *c = vss_writer_components_get_component(writer, 1);
        int32_t failure;

        CHECK_INT(vss_component_set_backup_stamp(c, "s"), 0);
        CHECK_INT(vss_component_set_failure(c, VSS_E_WRITERERROR_NONRETRYABLE, 0, NULL), 0);
        WORKS(vss_component_add_partial_file(c, "/b", "x", "0:1", NULL, e));
        WORKS(leave(&t, writer, COMPONENT_EVENT_POST_SNAPSHOT, BCD_MERGE_FAILURES, e));
        c = entry(&t, 1);
        CHECK(!vss_component_get_backup_stamp(c));
        CHECK_INT(vss_component_get_partial_file_count(c), 0);
        CHECK_INT(vss_component_get_failure(c, &failure, NULL, NULL), 0);
        CHECK_INT(failure, VSS_E_WRITERERROR_NONRETRYABLE);
        end(&t);
}

/* D-86: what a newer library put into a component survives the way to a writer and back */
static void test_unknown_survives(void) {
        struct backup t = begin(0, VSS_BT_FULL, false);
        struct vss_writer_components *writer;
        struct bcd *loaded;
        char *xml;
        size_t size;

        WORKS(bcd_save(t.bcd, &xml, &size, e));
        xml = replaced(xml, "version=\"1.2\"", "version=\"1.2\" xmlns:n=\"urn:n\"");
        xml = replaced(xml, "<COMPONENT componentName=\"a\" componentType=\"filegroup\"/>",
                       "<COMPONENT componentName=\"a\" componentType=\"filegroup\" n:x=\"1\">"
                       "<n:NEW/></COMPONENT><ALSO/>");
        xml = replaced(xml, "</BACKUP_COMPONENTS>",
                       "<SNAPSHOT_SET_DESCRIPTION/></BACKUP_COMPONENTS>");
        WORKS(bcd_load(xml, strlen(xml), NULL, &loaded, e));
        bcd_free(t.bcd);
        t.bcd = loaded;
        writer = visit(&t, COMPONENT_EVENT_POST_SNAPSHOT);
        CHECK_INT(
                vss_component_set_backup_stamp(vss_writer_components_get_component(writer, 0), "s"),
                0);
        WORKS(leave(&t, writer, COMPONENT_EVENT_POST_SNAPSHOT, BCD_MERGE_ALL, e));
        free(xml);
        WORKS(bcd_save(t.bcd, &xml, &size, e));
        CHECK(strstr(xml, "componentType=\"filegroup\" backupStamp=\"s\" n:x=\"1\"><n:NEW/>"
                          "</COMPONENT><ALSO/>"));
        CHECK(strstr(xml, "<SNAPSHOT_SET_DESCRIPTION/></BACKUP_COMPONENTS>"));
        free(xml);
        end(&t);
}

int main(void) {
        RUN(test_partial_rules);
        RUN(test_differenced_rules);
        RUN(test_large_stamp);
        RUN(test_tag_limit);
        RUN(test_fragment);
        RUN(test_lies);
        RUN(test_failures_only);
        RUN(test_unknown_survives);
        return 0;
}
