/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-xml.c - hostile and liberal reading: SEC-30 to SEC-33, xml-format section 6, D-86.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include "documents/components-document.h"
#include "documents/limits.h"
#include "documents/test-documents.h"

#define WM_NS "xmlns=\"x-schema:#VssWriterMetadataInfo\""
#define BC_NS "xmlns=\"x-schema:#VssComponentMetadata\""
#define IDENTIFICATION                                                                             \
        "<IDENTIFICATION writerId=\"" TEST_WRITER "\" instanceId=\"" TEST_INSTANCE                 \
        "\" friendlyName=\"W\" usage=\"USER_DATA\" dataSource=\"OTHER\""                           \
        " majorVersion=\"0\" minorVersion=\"0\"/>"
#define WM(inside)                                                                                 \
        "<WRITER_METADATA " WM_NS " version=\"1.2\">" IDENTIFICATION inside "</WRITER_METADATA>"
#define LOCATIONS(inside) WM("<BACKUP_LOCATIONS>" inside "</BACKUP_LOCATIONS>")
#define GROUP(inside)                                                                              \
        LOCATIONS("<FILE_GROUP componentName=\"a\" selectable=\"yes\">" inside "</FILE_GROUP>")

static int load(const char *xml, struct vss_error *reterr) {
        struct vss_examine_writer_metadata *metadata;
        int r = vss_examine_writer_metadata_create(xml, strlen(xml), &metadata, reterr);

        if (r >= 0)
                vss_examine_writer_metadata_free(metadata);
        return r;
}

/* saved() - what a document is written back as; the caller frees it */
static char *saved(const char *xml) {
        struct vss_examine_writer_metadata *metadata;
        char *text;

        WORKS(vss_examine_writer_metadata_create(xml, strlen(xml), &metadata, e));
        WORKS(vss_examine_writer_metadata_save_as_xml(metadata, &text, NULL, e));
        vss_examine_writer_metadata_free(metadata);
        return text;
}

static void check_saved(const char *xml, const char *expected) {
        char *text = saved(xml), *again;

        CHECK_STR(text, expected);
        again = saved(text);
        CHECK_STR(again, expected);
        free(text);
        free(again);
}

static void test_forbidden(void) { /* SEC-30 */
        static const char *const bad[] = {
                "<!DOCTYPE WRITER_METADATA>" WM(""),
                "<!DOCTYPE x [<!ENTITY a \"1\"><!ENTITY b \"&a;&a;&a;\">]>" WM(""),
                "<!DOCTYPE x [<!ENTITY p SYSTEM \"file:///etc/passwd\">]>" LOCATIONS("<x>&p;</x>"),
                "<!DOCTYPE x SYSTEM \"http://127.0.0.1:9/x.dtd\">" WM(""),
                "<!DOCTYPE x PUBLIC \"p\" \"file:///etc/passwd\">" WM(""),
                "<?php x?>" WM(""),
                WM("<?pi?>"),
                LOCATIONS("<x><?pi data?></x>"),
                WM("&amp"),
                LOCATIONS("<x>&unknown;</x>"),
                LOCATIONS("<x a=\"&unknown;\"/>"),
                WM("<a xmlns:xi=\"http://www.w3.org/2001/XInclude\"><xi:include href='/x'></a>"),
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                FAILS(VSS_E_INVALID_XML_DOCUMENT, load(bad[i], e));
}

/* SEC-30: nothing is fetched. An inclusion is an unknown element like any other and stays one */
static void test_nothing_is_fetched(void) {
        char name[] = "/var/tmp/test-xml.XXXXXX", *xml, *text;
        int fd = mkostemp(name, O_CLOEXEC);

        CHECK(fd >= 0);
        CHECK_INT(write(fd, "secret", 6), 6);
        close(fd);
        CHECK(asprintf(&xml,
                       LOCATIONS("<i:include xmlns:i=\"http://www.w3.org/2001/XInclude\" "
                                 "href=\"%s\" parse=\"text\"/>"),
                       name) > 0);
        text = saved(xml);
        CHECK_STR(text, xml);
        CHECK(!strstr(text, "secret"));
        unlink(name);
        free(text);
        free(xml);
}

static void test_malformed(void) { /* SEC-32, SEC-33 */
        static const char *const bad[] = {
                "",
                "   ",
                "x",
                "<WRITER_METADATA/>", /* no IDENTIFICATION */
                "<BACKUP_COMPONENTS " BC_NS "/>", /* the other document */
                WM("") WM(""),
                WM("") "x",
                WM(IDENTIFICATION), /* two */
                WM("<BACKUP_LOCATIONS/><BACKUP_LOCATIONS/>"),
                WM("text"),
                WM("<![CDATA[text]]>"),
                WM("<p:x/>"), /* no such prefix */
                WM("<x p:a=\"\"/>"),
                LOCATIONS("<FILE_GROUP selectable=\"yes\"/>"), /* no name */
                LOCATIONS("<FILE_GROUP componentName=\"a\"/>"), /* no selectable (L-2) */
                LOCATIONS("<FILE_GROUP componentName=\"\" selectable=\"yes\"/>"),
                LOCATIONS("<FILE_GROUP componentName=\"a\\b\" selectable=\"yes\"/>"), /* D-25 */
                LOCATIONS("<FILE_GROUP componentName=\"a\" selectable=\"maybe\"/>"),
                LOCATIONS(
                        "<FILE_GROUP componentName=\"a\" selectable=\"yes\" selectable=\"yes\"/>"),
                LOCATIONS("<FILE_GROUP componentName=\"a\" selectable=\"yes\" icon=\"*\"/>"),
                LOCATIONS("<FILE_GROUP componentName=\"a\" selectable=\"yes\"/>"
                          "<DATABASE componentName=\"a\" selectable=\"no\"/>"), /* D-22 */
                LOCATIONS("<FILE_GROUP componentName=\"a\" selectable=\"yes\"/>"
                          "<FILE_GROUP logicalPath=\"\\\" componentName=\"a\" selectable=\"no\"/>"),
                GROUP("<FILE_LIST path=\"/a\"/>"),
                GROUP("<FILE_LIST path=\"\" filespec=\"*\"/>"),
                GROUP("<FILE_LIST path=\"/a\" filespec=\"*\" filespecBackupType=\"4294967296\"/>"),
                GROUP("<FILE_LIST path=\"/a\" filespec=\"*\" filespecBackupType=\"-1\"/>"),
                GROUP("<FILE_LIST path=\"/a\" filespec=\"*\" filespecBackupType=\"0xg\"/>"),
                GROUP("<FILE_LIST path=\"/a\" filespec=\"*\" filespecBackupType=\"\"/>"),
                GROUP("<FILE_LIST path=\"/a\" filespec=\"*\" filespecBackupType=\" 1\"/>"),
                GROUP("<FILE_LIST path=\"/a\" filespec=\"*\" recursive=\"YES\"/>"),
                GROUP("<FILE_LIST path=\"/a&#0;\" filespec=\"*\"/>"),
                GROUP("<FILE_LIST path=\"/a&#1;\" filespec=\"*\"/>"),
                GROUP("<FILE_LIST path=\"/a&#xD800;\" filespec=\"*\"/>"),
                GROUP("<FILE_LIST path=\"/a\" filespec=\"<\"/>"),
                GROUP("<DEPENDENCY writerId=\"12\" componentName=\"a\"/>"),
                WM("<RESTORE_METHOD method=\"X\" writerRestore=\"never\"/>"),
                WM("<RESTORE_METHOD method=\"CUSTOM\"/>"),
                "<WRITER_METADATA " WM_NS " backupSchema=\"x\">" IDENTIFICATION
                "</WRITER_METADATA>",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                struct vss_error error = VSS_ERROR_INIT;
                int r = load(bad[i], &error);

                if (r != VSS_E_INVALID_XML_DOCUMENT || !error.message)
                        CHECK_FAIL_("%d for %s", r, bad[i]);
                vss_error_clear(&error);
        }
}

static void test_words(void) { /* D-6: line and words */
        struct vss_error error = VSS_ERROR_INIT;

        CHECK_INT(load("<?xml version=\"1.0\"?>\n" LOCATIONS("\n\n<FILE_GROUP componentName=\"a\" "
                                                             "selectable=\"ma\nybe\"/>"),
                       &error),
                  VSS_E_INVALID_XML_DOCUMENT);
        CHECK_STR(error.message,
                  "line 5: FILE_GROUP has selectable=\"ma ybe\", which should be yes or no");
        vss_error_clear(&error);
}

static void test_unchanged_on_failure(void) {
        struct vss_examine_writer_metadata *metadata;
        struct vss_writer_identity identity;

        WORKS(vss_examine_writer_metadata_create(WM(""), strlen(WM("")), &metadata, e));
        FAILS(VSS_E_INVALID_XML_DOCUMENT,
              vss_examine_writer_metadata_load_from_xml(metadata, "<x/>", 4, e));
        vss_examine_writer_metadata_get_identity(metadata, &identity);
        CHECK_STR(identity.name, "W");
        WORKS(vss_examine_writer_metadata_load_from_xml(metadata, GROUP(""), strlen(GROUP("")), e));
        CHECK_STR(test_info(metadata, 0).name, "a");
        vss_examine_writer_metadata_free(metadata);
        CHECK(!vss_examine_writer_metadata_free(NULL));
}

/* ---- limits, SEC-31: each at its value and one above ---- */

static int load_within(const char *xml, const struct document_limits *limits,
                       struct vss_error *reterr) {
        struct vss_examine_writer_metadata *metadata;
        int r = examine_writer_metadata_load(xml, strlen(xml), limits, &metadata, reterr);

        if (r >= 0)
                vss_examine_writer_metadata_free(metadata);
        return r;
}

#define LIMIT(member, value, xml)                                                                  \
        do {                                                                                       \
                struct document_limits limits = *document_limits_default();                        \
                limits.member = (value);                                                           \
                WORKS(load_within(xml, &limits, e));                                               \
                limits.member--;                                                                   \
                FAILS(VSS_E_INVALID_XML_DOCUMENT, load_within(xml, &limits, e));                   \
        } while (0)

static void test_limits(void) {
        LIMIT(size, strlen(WM("")), WM(""));
        LIMIT(depth, 4, GROUP("<FILE_LIST path=\"/a\" filespec=\"*\"/>"));
        LIMIT(depth, 6, GROUP("<x><y><z/></y></x>"));
        LIMIT(attributes, 7, WM(""));
        LIMIT(attributes, 9,
              LOCATIONS("<x a=\"\" b=\"\" c=\"\" d=\"\" e=\"\" f=\"\" g=\"\" h=\"\" "
                        "xmlns:p=\"u:u\"/>"));
        LIMIT(attribute_size, 36, WM("")); /* an identifier */
        LIMIT(attribute_size, 40,
              LOCATIONS("<x a=\"0123456789&amp;12345678901234567890123456789\"/>"));
        LIMIT(elements, 5, LOCATIONS("<x/><y/>"));
        LIMIT(components, 1, GROUP(""));
        LIMIT(file_sets, 2,
              GROUP("<FILE_LIST path=\"/a\" filespec=\"*\"/>"
                    "<FILE_LIST path=\"/b\" filespec=\"*\"/>"));
}

static void test_default_limits(void) {
        const struct document_limits *limits = document_limits_default();

        CHECK_INT(limits->size, geteuid() == 0 ? 1 << 30 : 16 << 20);
        CHECK_INT(limits->depth, 32);
        CHECK_INT(limits->attributes, 64);
        CHECK_INT(limits->attribute_size, 4 << 20);
        CHECK_INT(limits->elements, 4000000);
        CHECK_INT(limits->components, 200000); /* SEC-43 */
        CHECK_INT(limits->file_sets, 2000000);
}

/* a document that takes for ever is given up: 40 MB against one microsecond */
static void test_time_limit(void) {
        struct document_limits limits = *document_limits_default();
        size_t size = (size_t)4 << 20;
        char *xml = malloc(size + 1);

        CHECK(xml);
        memset(xml, ' ', size);
        memcpy(xml, "<WRITER_METADATA>", 17);
        xml[size] = '\0';
        limits.parse_us = 1;
        FAILS(VSS_E_INVALID_XML_DOCUMENT, load_within(xml, &limits, e));
        free(xml);
}

/* an attribute of 4 MiB, more than one chunk of the parser */
static void test_large_attribute(void) {
        size_t size = document_limits_default()->attribute_size;
        char *value = malloc(size + 2), *xml, *text;

        CHECK(value);
        memset(value, 'v', size);
        value[size] = '\0';
        CHECK(asprintf(&xml, LOCATIONS("<x a=\"%s\"/>"), value) > 0);
        text = saved(xml);
        CHECK_STR(text, xml);
        free(text);
        free(xml);
        value[size] = 'v';
        value[size + 1] = '\0';
        CHECK(asprintf(&xml, LOCATIONS("<x a=\"%s\"/>"), value) > 0);
        FAILS(VSS_E_INVALID_XML_DOCUMENT, load(xml, e));
        free(xml);
        free(value);
}

/* one start tag is taken whole: its attributes count together, as they are written */
static void test_large_tag(void) {
        struct document_limits limits = *document_limits_default();
        const char *tight = GROUP("<FILE_LIST path=\"/a\" filespec=\"*\" future='\"\"\"'/>");

        limits.tag_size = 210; /* that of IDENTIFICATION */
        WORKS(load_within(tight, &limits, e));
        limits.tag_size = 60;
        FAILS(VSS_E_INVALID_XML_DOCUMENT, load_within(tight, &limits, e));
        limits.tag_size = 210;
        FAILS(VSS_E_INVALID_XML_DOCUMENT,
              load_within(LOCATIONS("<x "
                                    "a='"
                                    "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\""
                                    "\"\"\"\"\"'/>"),
                          &limits, e));
}

/* ---- liberal reading ---- */

static void test_liberal(void) { /* xml-format section 6, advice 2 */
        /* braces, upper case, hex masks, missing optional attributes, any order, declaration,
         * comments, indentation */
        check_saved("\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-16\" standalone=\"yes\"?>\r\n"
                    "<!-- stored by hand -->\r\n"
                    "<WRITER_METADATA backupSchema='0x371' version='1.2'>\r\n"
                    "\t<BACKUP_LOCATIONS>\r\n\t\t<FILE_GROUP selectable='yes' componentName='a'>"
                    "<FILE_LIST filespec='*' path='/a'/></FILE_GROUP></BACKUP_LOCATIONS>"
                    "<IDENTIFICATION dataSource='OTHER' usage='USER_DATA' friendlyName='W' "
                    "writerId='{01234567-89AB-CDEF-0123-456789ABCDEF}' "
                    "instanceId='FEDCBA98-7654-3210-FEDC-BA9876543210'/>"
                    "</WRITER_METADATA>\r\n",
                    "<WRITER_METADATA " WM_NS " version=\"1.2\" backupSchema=\"881\">"
                    "<BACKUP_LOCATIONS><FILE_GROUP componentName=\"a\" selectable=\"yes\">"
                    "<FILE_LIST path=\"/a\" filespec=\"*\"/></FILE_GROUP></BACKUP_LOCATIONS>"
                    "<IDENTIFICATION writerId=\"" TEST_WRITER "\" instanceId=\"" TEST_INSTANCE
                    "\" friendlyName=\"W\" usage=\"USER_DATA\" dataSource=\"OTHER\"/>"
                    "</WRITER_METADATA>");
}

static void test_defaults_of_missing(void) {
        struct vss_examine_writer_metadata *metadata;
        const char *xml = GROUP("<FILE_LIST path=\"/a\" filespec=\"*\"/>");
        const struct vss_wm_filedesc *file;
        struct vss_restore_method method;

        WORKS(vss_examine_writer_metadata_create(xml, strlen(xml), &metadata, e));
        CHECK_INT(vss_examine_writer_metadata_get_backup_schema(metadata), 0); /* IV-7 */
        CHECK_INT(test_info(metadata, 0).flags, 0);
        file = vss_wm_component_get_file(vss_examine_writer_metadata_get_component(metadata, 0), 0);
        CHECK(!vss_wm_filedesc_get_recursive(file));
        CHECK_INT(vss_wm_filedesc_get_backup_type_mask(file), 3855);
        CHECK_INT(vss_examine_writer_metadata_get_restore_method(metadata, &method), S_FALSE);
        vss_examine_writer_metadata_free(metadata);
}

static void test_local_names(void) { /* advice 2, section 3.4: with or without the namespace */
        check_saved(
                "<w:WRITER_METADATA xmlns:w=\"x-schema:#VssWriterMetadataInfo\" version=\"1.2\">"
                "<w:"
                "IDENTIFICATION writerId=\"" TEST_WRITER "\" instanceId=\"" TEST_INSTANCE
                "\" friendlyName=\"W\" usage=\"USER_DATA\" dataSource=\"OTHER\"/>"
                "<BACKUP_LOCATIONS xmlns=\"\"/></w:WRITER_METADATA>",
                "<WRITER_METADATA " WM_NS " version=\"1.2\" "
                "xmlns:w=\"x-schema:#VssWriterMetadataInfo\">"
                "<IDENTIFICATION writerId=\"" TEST_WRITER "\" instanceId=\"" TEST_INSTANCE
                "\" friendlyName=\"W\" usage=\"USER_DATA\" dataSource=\"OTHER\"/>"
                "<BACKUP_LOCATIONS/></WRITER_METADATA>");
}

/* ---- D-86: what is unknown survives, at every level ---- */

static void check_survives(const char *xml) {
        check_saved(xml, xml);
}

static void test_unknown_elements(void) {
        check_survives(WM("<x/>"));
        check_survives(
                WM("<x a=\"&amp;&lt;&gt;&quot;'&#9;&#10;&#13;\">t&amp;&lt;&#13;<y>u</y>v</x>"));
        check_survives(LOCATIONS("<FUTURE><FILE_GROUP/></FUTURE>"));
        check_survives(GROUP("<x/><FILE_LIST path=\"/a\" filespec=\"*\"/><y/>"));
        check_survives(GROUP("<FILE_LIST path=\"/a\" filespec=\"*\"><x/></FILE_LIST>"));
        /* a known name in a place where it means nothing is unknown there */
        check_survives(WM("<FILE_GROUP/>"));
        check_survives(GROUP("<DATABASE_FILES/>"));
        check_survives("<WRITER_METADATA " WM_NS "><IDENTIFICATION writerId=\"" TEST_WRITER
                       "\" instanceId=\"" TEST_INSTANCE "\" friendlyName=\"W\" "
                       "usage=\"USER_DATA\" dataSource=\"OTHER\"><deep><er/></deep>"
                       "</IDENTIFICATION></WRITER_METADATA>");
        check_saved(LOCATIONS("<x><!-- a comment goes --><![CDATA[<t>]]></x>"),
                    LOCATIONS("<x>&lt;t&gt;</x>"));
}

static void test_unknown_attributes(void) {
        check_survives(
                GROUP("<FILE_LIST path=\"/a\" filespec=\"*\" future=\"&amp;&#10;\" a=\"\"/>"));
        check_survives("<WRITER_METADATA " WM_NS " version=\"1.2\" z=\"1\">" IDENTIFICATION
                       "</WRITER_METADATA>");
        /* recursive means nothing on DATABASE_FILES */
        check_survives(LOCATIONS("<DATABASE componentName=\"a\" selectable=\"no\">"
                                 "<DATABASE_FILES path=\"/a\" filespec=\"*\" "
                                 "filespecBackupType=\"3855\" recursive=\"perhaps\"/></DATABASE>"));
}

static void test_unknown_namespaces(void) {
        check_survives("<WRITER_METADATA " WM_NS " version=\"1.2\" xmlns:p=\"urn:p\" "
                       "p:version=\"2\">" IDENTIFICATION "<p:x p:a=\"\" b=\"\"/>"
                       "</WRITER_METADATA>");
        check_survives(WM("<x xmlns=\"urn:other\"><y/></x>"));
        check_survives(WM("<x xmlns=\"\"><y xmlns=\"urn:z\"/></x>"));
        check_survives(WM("<q:x xmlns:q=\"urn:q\"><q:y/></q:x>"));
        check_survives(LOCATIONS("<x xml:lang=\"de\"/>"));
        check_survives(WM("<x xmlns=\"urn:a&amp;b\"><q:y xmlns:q=\"urn:c&amp;d\"/></x>"));
        check_survives(WM("<BACKUP_LOCATIONS xmlns:p=\"urn:a&amp;b\"/>"));
        check_saved(WM("<BACKUP_LOCATIONS xmlns=\"urn:a&amp;b\"><x/></BACKUP_LOCATIONS>"),
                    WM("<BACKUP_LOCATIONS><x xmlns=\"urn:a&amp;b\"/></BACKUP_LOCATIONS>"));
        /* inherited from a known element that loses its own declaration */
        check_saved(WM("<BACKUP_LOCATIONS xmlns=\"urn:other\"><x/></BACKUP_LOCATIONS>"),
                    WM("<BACKUP_LOCATIONS><x xmlns=\"urn:other\"/></BACKUP_LOCATIONS>"));
        check_saved(WM("<BACKUP_LOCATIONS xmlns=\"\"><x/></BACKUP_LOCATIONS>"),
                    WM("<BACKUP_LOCATIONS><x xmlns=\"\"/></BACKUP_LOCATIONS>"));
}

static void check_path(const char *spelled, const char *path) {
        struct vss_examine_writer_metadata *metadata;
        char *xml;

        CHECK(asprintf(&xml, GROUP("<FILE_LIST path=\"%s\" filespec=\"*\"/>"), spelled) > 0);
        WORKS(vss_examine_writer_metadata_create(xml, strlen(xml), &metadata, e));
        CHECK_STR(vss_wm_filedesc_get_path(vss_wm_component_get_file(
                          vss_examine_writer_metadata_get_component(metadata, 0), 0)),
                  path);
        vss_examine_writer_metadata_free(metadata);
        free(xml);
}

/* every ampersand of a value comes through the parser in one and the same shape */
static void test_ampersands(void) {
        check_path("/a&amp;b", "/a&b");
        check_path("/a&#38;b", "/a&b");
        check_path("/a&#x26;b", "/a&b");
        check_path("/a&amp;#38;b", "/a&#38;b");
        check_path("/a&#38;#38;b", "/a&#38;b");
        check_path("/&amp;&amp;amp;&lt;&quot;&apos;&gt;", "/&&amp;<\"'>");
        check_path("/a&#10;&#13;&#9;b", "/a\n\r\tb"); /* references survive */
        check_path("/a\n\tb", "/a  b"); /* raw ones are spaces to any parser (xml-format 1) */
        check_path("/&#x10F7FF;&#x10F701;x", "/\xff\x01x");
        check_path("/&#x10F700;", "/\xf4\x8f\x9c\x80");
}

/* ---- the other document ---- */

static void test_components_document(void) {
        static const char w_bc[] = /* section 3.4: a grafted fragment */
                "<?xml version=\"1.0\"?>\n<BACKUP_COMPONENTS " BC_NS " version=\"1.2\" "
                "bootableSystemStateBackup=\"yes\" selectComponents=\"yes\" backupType=\"full\" "
                "partialFileSupport=\"no\" snapshotSetId=\"" TEST_INSTANCE "\">\n"
                "  <WRITER_COMPONENTS " BC_NS " instanceId=\"" TEST_INSTANCE
                "\" writerId=\"" TEST_WRITER "\" instanceName=\"I\" backupSchema=\"881\">\n"
                "    <COMPONENT logicalPath=\"L\" componentName=\"m\" componentType=\"filegroup\" "
                "backupStamp=\"CAAAAA==\"><BACKUP_METADATA xmlns=\"\" metadata=\"BBB=\">"
                "</BACKUP_METADATA></COMPONENT>\n  </WRITER_COMPONENTS>\n</BACKUP_COMPONENTS>";
        static const char out[] =
                "<BACKUP_COMPONENTS " BC_NS " version=\"1.2\" bootableSystemStateBackup=\"yes\" "
                "selectComponents=\"yes\" backupType=\"full\" partialFileSupport=\"no\" "
                "snapshotSetId=\"" TEST_INSTANCE "\"><WRITER_COMPONENTS instanceId=\"" TEST_INSTANCE
                "\" writerId=\"" TEST_WRITER "\" instanceName=\"I\" backupSchema=\"881\">"
                "<COMPONENT logicalPath=\"L\" componentName=\"m\" componentType=\"filegroup\" "
                "backupStamp=\"CAAAAA==\"><BACKUP_METADATA metadata=\"BBB=\"/></COMPONENT>"
                "</WRITER_COMPONENTS></BACKUP_COMPONENTS>";
        struct bcd *bcd;
        char *text;

        WORKS(bcd_load(w_bc, sizeof(w_bc) - 1, NULL, &bcd, e));
        WORKS(bcd_save(bcd, &text, NULL, e));
        CHECK_STR(text, out);
        free(text);
        bcd_free(bcd);
}

static int load_bcd(const char *inside, struct vss_error *reterr) {
        struct bcd *bcd;
        char *xml;
        int r;

        CHECK(asprintf(&xml, "<BACKUP_COMPONENTS " BC_NS ">%s</BACKUP_COMPONENTS>", inside) > 0);
        r = bcd_load(xml, strlen(xml), NULL, &bcd, reterr);
        free(xml);
        if (r >= 0)
                bcd_free(bcd);
        return r;
}

#define WRITER(inside)                                                                             \
        "<WRITER_COMPONENTS instanceId=\"" TEST_INSTANCE "\" writerId=\"" TEST_WRITER "\">" inside \
        "</WRITER_COMPONENTS>"
#define COMPONENT(attributes, inside)                                                              \
        "<COMPONENT componentName=\"a\" componentType=\"filegroup\"" attributes ">" inside         \
        "</COMPONENT>"

static void test_bad_components_documents(void) {
        static const char *const bad[] = {
                WRITER("") WRITER(""),
                WRITER(COMPONENT("", "") COMPONENT("", "")),
                WRITER(COMPONENT("", "") COMPONENT(" logicalPath=\"\"", "")),
                WRITER("<COMPONENT componentName=\"a\"/>"),
                WRITER("<COMPONENT componentName=\"a\" componentType=\"files\"/>"),
                WRITER(COMPONENT(" restoreTarget=\"elsewhere\"", "")),
                WRITER(COMPONENT(" backupSucceeded=\"1\"", "")),
                WRITER(COMPONENT("", "<BACKUP_METADATA/>")),
                WRITER(COMPONENT("", "<FAILURE hr=\"1\"/><FAILURE hr=\"2\"/>")),
                WRITER(COMPONENT("", "<PARTIAL_FILE path=\"/a\" filespec=\"b\"/>")),
                WRITER(COMPONENT("", "<DIFFERENCED_FILES path=\"/a\" filespec=\"*\" "
                                     "lastModifyTime=\"9223372036854775808\"/>")),
                "<WRITER_COMPONENTS instanceId=\"" TEST_INSTANCE "\"/>",
        };

        WORKS(load_bcd(WRITER(COMPONENT(" logicalPath=\"x\"", "") COMPONENT("", "")), e));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                FAILS(VSS_E_INVALID_XML_DOCUMENT, load_bcd(bad[i], e));
}

/* who does not say so is not selectable for restore */
static void test_default_flag(void) {
        struct vss_examine_writer_metadata *metadata;
        struct vss_component_info info;
        const char *xml = GROUP("");

        WORKS(vss_examine_writer_metadata_create(xml, strlen(xml), &metadata, e));
        vss_wm_component_get_component_info(vss_examine_writer_metadata_get_component(metadata, 0),
                                            &info);
        CHECK(info.selectable && !info.selectable_for_restore);
        vss_examine_writer_metadata_free(metadata);
}

int main(void) {
        RUN(test_default_flag);
        RUN(test_forbidden);
        RUN(test_nothing_is_fetched);
        RUN(test_malformed);
        RUN(test_words);
        RUN(test_unchanged_on_failure);
        RUN(test_limits);
        RUN(test_default_limits);
        RUN(test_time_limit);
        RUN(test_large_attribute);
        RUN(test_large_tag);
        RUN(test_liberal);
        RUN(test_defaults_of_missing);
        RUN(test_local_names);
        RUN(test_unknown_elements);
        RUN(test_unknown_attributes);
        RUN(test_unknown_namespaces);
        RUN(test_ampersands);
        RUN(test_components_document);
        RUN(test_bad_components_documents);
        return 0;
}
