/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-types.c - backup types, schema bits, masks and file specifications.
 */
#include "documents/backup-types.h"
#include "documents/test-documents.h"
#include "documents/writer-metadata.h"

/* I-66..I-71 and the vectors of 15.2 */
static void test_effective(void) {
        static const struct {
                uint32_t requested, schema, effective;
        } rows[] = {
                { VSS_BT_INCREMENTAL, 0x0002, VSS_BT_INCREMENTAL }, /* IV-8 */
                { VSS_BT_INCREMENTAL, 0x0001, VSS_BT_FULL }, /* IV-9 */
                { VSS_BT_DIFFERENTIAL, 0x0001, VSS_BT_DIFFERENTIAL }, /* IV-10 */
                { VSS_BT_DIFFERENTIAL, 0x0002, VSS_BT_FULL }, /* IV-11 */
                { VSS_BT_LOG, 0x0002, VSS_BT_FULL }, /* IV-12 */
                { VSS_BT_COPY, 0x0000, VSS_BT_FULL }, /* IV-13, I-74 */
                { VSS_BT_FULL, 0x0000, VSS_BT_FULL }, /* IV-14 */
                { VSS_BT_FULL, 0xffff, VSS_BT_FULL }, /* I-66 */
                { VSS_BT_LOG, 0x0008, VSS_BT_LOG }, /* I-69 */
                { VSS_BT_COPY, 0x0010, VSS_BT_COPY }, /* I-70 */
                { VSS_BT_OTHER, 0x0000, VSS_BT_OTHER }, /* I-71 */
                { VSS_BT_DIFFERENTIAL, 0x0003, VSS_BT_DIFFERENTIAL }, /* IV-16 */
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                CHECK_INT(backup_type_effective(rows[i].requested, rows[i].schema),
                          rows[i].effective);
}

/* I-77..I-82, I-36: each type has its own two bits */
static void test_mask_bits(void) {
        static const struct {
                uint32_t type, backup, snapshot;
        } rows[] = {
                { VSS_BT_FULL, 0x1, 0x100 },        { VSS_BT_DIFFERENTIAL, 0x2, 0x200 },
                { VSS_BT_INCREMENTAL, 0x4, 0x400 }, { VSS_BT_LOG, 0x8, 0x800 },
                { VSS_BT_COPY, 0x1, 0x100 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                for (uint32_t bit = 1; bit; bit <<= 1) {
                        CHECK_INT(backup_type_is_required(rows[i].type, bit),
                                  bit == rows[i].backup);
                        CHECK_INT(backup_type_is_snapshot_required(rows[i].type, bit),
                                  bit == rows[i].snapshot);
                }
        CHECK(backup_type_is_required(VSS_BT_OTHER, 0)); /* I-82 */
        CHECK(backup_type_is_snapshot_required(VSS_BT_OTHER, 0));
        CHECK_INT(FILE_SET_MASK_DEFAULT, 3855); /* I-35 */
        CHECK_STR(backup_type_name(VSS_BT_DIFFERENTIAL), "differential");
}

/* I-49..I-65 */
static void test_schema(void) {
        static const uint32_t good[] = { 0x0000, 0x0010, 0x0400, 0x0003,
                                         0x0007, 0x0022, 0x0041, /* IV-1 */
                                         0x003a, 0x003f, 0x0073, 0xf37f };
        static const uint32_t bad[] = { 0x0004, 0x0005, 0x0006, /* IV-2 */
                                        0x0020, 0x0040, /* IV-3 */
                                        0x0080, 0x0800, 0x10000, 0x80000000 /* IV-4 */ };

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                WORKS(backup_schema_check(good[i], false, e));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                FAILS(E_INVALIDARG, backup_schema_check(bad[i], false, e));
        WORKS(backup_schema_check(0x0410, true, e)); /* IV-5 */
        FAILS(VSS_E_NOT_SUPPORTED, backup_schema_check(0x0002, true, e));
        FAILS(VSS_E_NOT_SUPPORTED, backup_schema_check(0x0100, true, e)); /* I-65 */
        FAILS(E_INVALIDARG, file_set_mask_check(0x20000, e)); /* I-92 */
        FAILS(E_INVALIDARG, file_set_mask_check(0x10, e));
        WORKS(file_set_mask_check(0x10f0f, e));
}

static void test_filespec(void) { /* M-48 */
        static const struct {
                const char *spec, *name;
                bool matches;
        } rows[] = {
                { "*", "a", true },
                { "*", "", true },
                { "*.*", "Makefile", true }, /* OQ-M2: means "*" */
                { "*.t", "a.t", true },
                { "*.t", ".t", true },
                { "*.t", "a.tt", false },
                { "a*.t", "b.t", false },
                { "?.t", "a.t", true },
                { "?.t", ".t", false },
                { "?.t", "\xc3\xa9.t", true }, /* one code point, two bytes */
                { "??.t", "\xc3\xa9.t", false },
                { "?.t", "\xff.t", true }, /* a byte that is no character counts as one */
                { "Perfc???.dat", "Perfc009.dat", true },
                { "f1.*", "f1.txt", true },
                { "f1.*", "f2.txt", false },
                { "[ab]", "a", false },
                { "[ab]", "[ab]", true },
                { "a\\*", "a\\b", true }, /* no escape */
                { "A", "a", false }, /* case-sensitive */
                { "*a*b*", "xxaxxbxx", true },
                { "*a*b*", "xxbxxaxx", false },
                { "*aab", "aaab", true },
                { "*", ".hidden", true },
                { "", "", true },
                { "", "a", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (vss_filespec_matches(rows[i].spec, rows[i].name) != rows[i].matches)
                        CHECK_FAIL_("'%s' and '%s'", rows[i].spec, rows[i].name);
}

static void test_filespec_overlap(void) { /* I-100 */
        static const struct {
                const char *a, *b;
                bool overlap;
        } rows[] = {
                { "*.t", "a*.t", true }, { "*.t", "*.u", false },   { "*.t", "*", true },
                { "a?c", "?b?", true },  { "a?c", "?b", false },    { "a", "a", true },
                { "a", "b", false },     { "a*", "*b", true },      { "a*b", "b*a", false },
                { "*.*", "x", true },    { "\xc3\xa9", "?", true }, { "\xc3\xa9", "??", false },
                { "**", "", true },      { "", "?", true }, /* too empty to tell */
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                if (filespec_overlap(rows[i].a, rows[i].b) != rows[i].overlap ||
                    filespec_overlap(rows[i].b, rows[i].a) != rows[i].overlap)
                        CHECK_FAIL_("'%s' and '%s'", rows[i].a, rows[i].b);
        }
}

/* whatever both patterns match, they overlap: all names of up to three letters of "ab." */
static void test_overlap_agrees_with_matching(void) {
        static const char *const specs[] = { "*",   "?",   "a",  "a*", "*a",  "?b", "a?b",
                                             "*.*", "*b*", "..", "?*", "b*.", "*a?" };
        char names[40][4] = { "" };
        size_t count = 1;

        for (size_t i = 0; count < ELEMENTSOF(names); i++)
                for (size_t k = 0; k < 3 && count < ELEMENTSOF(names); k++)
                        (void)snprintf(names[count++], 4, "%.2s%c", names[i], "ab."[k]);
        for (size_t a = 0; a < ELEMENTSOF(specs); a++)
                for (size_t b = 0; b < ELEMENTSOF(specs); b++) {
                        bool common = false;

                        for (size_t n = 0; n < count; n++)
                                common |= vss_filespec_matches(specs[a], names[n]) &&
                                          vss_filespec_matches(specs[b], names[n]);
                        if (common && !filespec_overlap(specs[a], specs[b]))
                                CHECK_FAIL_("'%s' and '%s'", specs[a], specs[b]);
                }
}

static void test_paths(void) { /* M-39, SEC-60 */
        static const char *const good[] = { "/",     "/a",    "/a/",  "/a b/c",
                                            "/a\\b", "/\xff", "/...", "/a/.b" };
        static const char *const bad[] = { NULL,    "",      "a",     "a/b",    "C:\\x", "/a*",
                                           "/a/b?", "/a/..", "/../a", "/a/./b", "/.",    "./a" };
        char deep[5000];

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                WORKS(file_path_check("path", good[i], e));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                FAILS(E_INVALIDARG, file_path_check("path", bad[i], e));
        memset(deep, 'a', sizeof(deep));
        deep[0] = '/';
        deep[4095] = '\0';
        WORKS(file_path_check("path", deep, e));
        deep[4095] = 'a';
        deep[4096] = '\0';
        FAILS(E_INVALIDARG, file_path_check("path", deep, e));
        FAILS(E_INVALIDARG, filespec_check("a/b", e)); /* M-40 */
        FAILS(E_INVALIDARG, filespec_check("", e));
        FAILS(E_INVALIDARG, filespec_check(NULL, e));
        FAILS(E_INVALIDARG, file_name_check("name", "*.t", e)); /* I-117 */
        FAILS(E_INVALIDARG, file_name_check("name", "..", e));
        WORKS(file_name_check("name", "[x]", e));
}

int main(void) {
        RUN(test_effective);
        RUN(test_mask_bits);
        RUN(test_schema);
        RUN(test_filespec);
        RUN(test_filespec_overlap);
        RUN(test_overlap_agrees_with_matching);
        RUN(test_paths);
        return 0;
}
