/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-text.c - characters, the spelling of paths, encodings (SEC-32, D-86).
 */
#include "documents/test-documents.h"
#include "documents/text.h"

static void check_spelling(const char *path, const char *spelled) {
        struct text text = { 0 };
        char back[64];
        size_t size;

        text_add_path(&text, path);
        CHECK_STR(text.data ? text.data : "", spelled);
        CHECK_INT(text_path_size(path), strlen(spelled));
        size = strlen(spelled);
        memcpy(back, spelled, size);
        size = text_path_from(back, size);
        back[size] = '\0';
        CHECK_STR(back, path);
        text_done(&text);
}

static void test_spelling(void) {
        check_spelling("/srv/data", "/srv/data");
        check_spelling("", "");
        check_spelling("/100%/$HOME/a\\b", "/100%/$HOME/a\\b");
        check_spelling("/\xc3\xa9", "/\xc3\xa9");
        check_spelling("/\xff", "/\xf4\x8f\x9f\xbf"); /* U+10F7FF */
        check_spelling("/\x01x", "/\xf4\x8f\x9c\x81x"); /* U+10F701 */
        check_spelling("\xc3", "\xf4\x8f\x9f\x83"); /* half a character */
        check_spelling("\xed\xa0\x80", "\xf4\x8f\x9f\xad\xf4\x8f\x9e\xa0\xf4\x8f\x9e\x80");
        check_spelling("\xef\xbf\xbf", "\xf4\x8f\x9f\xaf\xf4\x8f\x9e\xbf\xf4\x8f\x9e\xbf");
        /* a real name that looks like a spelling is spelled itself */
        check_spelling("\xf4\x8f\x9c\x81",
                       "\xf4\x8f\x9f\xb4\xf4\x8f\x9e\x8f\xf4\x8f\x9e\x9c\xf4\x8f\x9e\x81");
        check_spelling("\xf4\x8f\x9c\x80", "\xf4\x8f\x9c\x80"); /* U+10F700 is none */
}

/* all strings of one and two bytes, and every byte inside something else, come back */
static void test_spelling_is_reversible(void) {
        for (unsigned a = 1; a < 256; a++)
                for (unsigned b = 0; b < 256; b++) {
                        char path[8] = { 'x', (char)a, (char)b, 'y' };
                        struct text text = { 0 };
                        char back[64] = "";
                        size_t size;

                        if (!b)
                                path[2] = '\0';
                        text_add_path(&text, path);
                        CHECK(text_check(text.data, text.size));
                        if (strpbrk(path, "&<>\"\t\r\n")) { /* escaped too: see test-xml.c */
                                text_done(&text);
                                continue;
                        }
                        memcpy(back, text.data, text.size);
                        size = text_path_from(back, text.size);
                        CHECK(size == strlen(path) && memcmp(back, path, size) == 0);
                        text_done(&text);
                }
}

static void test_escapes(void) {
        struct text text = { 0 };

        text_add_escaped(&text, "a&b<c>d\"e'f\tg\rh\ni", 17);
        CHECK_STR(text.data, "a&amp;b&lt;c&gt;d&quot;e'f&#9;g&#13;h&#10;i");
        text_done(&text);
}

static void test_chars(void) {
        static const char *const bad[] = { "\x01",
                                           "\x1f",
                                           "\x7f\x08",
                                           "\xc0\x80",
                                           "\xe0\x80\x80",
                                           "\xf0\x80\x80\x80",
                                           "\xed\xa0\x80",
                                           "\xed\xbf\xbf",
                                           "\xef\xbf\xbe",
                                           "\xf4\x90\x80\x80",
                                           "\xf8\x88",
                                           "\x80",
                                           "\xc3",
                                           "\xe2\x82",
                                           "\xf5\x80\x80\x80" };
        static const char *const good[] = { "",
                                            "a",
                                            "\t\r\n ",
                                            "\x7f",
                                            "\xc2\x80",
                                            "\xed\x9f\xbf",
                                            "\xee\x80\x80",
                                            "\xef\xbf\xbd",
                                            "\xf4\x8f\xbf\xbf" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (text_check(bad[i], strlen(bad[i])))
                        CHECK_FAIL_("bad character %zu was accepted", i);
        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                if (!text_check(good[i], strlen(good[i])))
                        CHECK_FAIL_("good character %zu was refused", i);
}

static void check_decodes(const char *data, size_t size, const char *expected) {
        const char *text;
        char *owned;
        size_t text_size;

        WORKS(text_decode(data, size, 1000, &text, &text_size, &owned, e));
        CHECK_INT(text_size, strlen(expected));
        CHECK(memcmp(text, expected, text_size) == 0);
        free(owned);
}

static int decode(const char *data, size_t size, struct vss_error *reterr) {
        const char *text;
        char *owned;
        size_t text_size;

        return text_decode(data, size, 1000, &text, &text_size, &owned, reterr);
}

#define BYTES(s) s, sizeof(s) - 1

static void test_encodings(void) { /* SEC-32, xml-format section 1 */
        check_decodes(BYTES("<a/>"), "<a/>");
        check_decodes(BYTES("\xef\xbb\xbf<a/>\0\0"), "<a/>");
        check_decodes(BYTES("<\0a\0/\0>\0"), "<a/>");
        check_decodes(BYTES("<\0a\0/\0>\0\0\0"), "<a/>"); /* with its terminating NUL */
        check_decodes(BYTES("\xff\xfe<\0a\0/\0>\0\0"), "<a/>"); /* half a NUL too */
        check_decodes(BYTES("\0<\0a\0/\0>"), "<a/>");
        check_decodes(BYTES("\xfe\xff\0<\0a\0/\0>\0\0"), "<a/>");
        check_decodes(BYTES("\xff\xfe\xe9\0\xac\x20\x3d\xd8\x00\xde"),
                      "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"); /* two, three, four bytes */
        check_decodes(BYTES("<?xml version='1.0' encoding='utf-8'?><a/>"),
                      "<?xml version='1.0' encoding='utf-8'?><a/>");
        check_decodes(BYTES(""), "");

        FAILS(VSS_E_INVALID_XML_DOCUMENT, decode(BYTES("\xff\xfe<\0\x3d\xd8>\0"), e));
        FAILS(VSS_E_INVALID_XML_DOCUMENT, decode(BYTES("\xff\xfe<\0\x3d\xd8"), e));
        FAILS(VSS_E_INVALID_XML_DOCUMENT, decode(BYTES("\xff\xfe<\0\x00\xdc>\0"), e));
        FAILS(VSS_E_INVALID_XML_DOCUMENT, decode(BYTES("<\0a\0/"), e));
        FAILS(VSS_E_INVALID_XML_DOCUMENT, decode(BYTES("<a\0b/>"), e));
        FAILS(VSS_E_INVALID_XML_DOCUMENT, decode(BYTES("<a\xe9/>"), e));
        FAILS(VSS_E_INVALID_XML_DOCUMENT, decode(BYTES("<a>\x01</a>"), e));
        FAILS(VSS_E_INVALID_XML_DOCUMENT, decode(BYTES("<\0a\0\x01\0"), e));
        FAILS(VSS_E_INVALID_XML_DOCUMENT,
              decode(BYTES("<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><a/>"), e));
        FAILS(VSS_E_INVALID_XML_DOCUMENT, decode(BYTES("<?xml encoding=?><a/>"), e));
}

static void test_line_of_bad_byte(void) {
        struct vss_error error = VSS_ERROR_INIT;

        CHECK_INT(decode(BYTES("<a>\n\n\x02</a>"), &error), VSS_E_INVALID_XML_DOCUMENT);
        CHECK(strstr(error.message, "line 3"));
        CHECK(strstr(error.message, "0x02"));
        vss_error_clear(&error);
}

static void test_size_limit(void) { /* SEC-31 */
        char data[1001];

        memset(data, ' ', sizeof(data));
        CHECK_INT(decode(data, 1000, NULL), 0);
        FAILS(VSS_E_INVALID_XML_DOCUMENT, decode(data, 1001, e));
        for (size_t i = 0; i < 1000; i += 2) { /* 500 units, 1500 bytes as UTF-8 */
                data[i] = (char)0xac;
                data[i + 1] = 0x20;
        }
        memcpy(data, "\xff\xfe", 2);
        FAILS(VSS_E_INVALID_XML_DOCUMENT, decode(data, 1000, e));
}

static void test_base64(void) {
        static const struct {
                const char *plain, *coded;
        } rows[] = { { "", "" },        { "f", "Zg==" },        { "fo", "Zm8=" },
                     { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "\xff\xfe\xfd", "//79" } };
        static const char *const bad[] = { "Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "Z*==", "=" };
        char buffer[32];

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct text text = { 0 };

                text_add_base64(&text, rows[i].plain, strlen(rows[i].plain));
                CHECK_STR(text.data ? text.data : "", rows[i].coded);
                text_done(&text);
                CHECK_INT(text_from_base64(rows[i].coded, strlen(rows[i].coded), buffer),
                          strlen(rows[i].plain));
                CHECK(memcmp(buffer, rows[i].plain, strlen(rows[i].plain)) == 0);
        }
        CHECK_INT(text_from_base64("Zm9 v\n Yg==", 11, buffer), 4);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                CHECK_INT(text_from_base64(bad[i], strlen(bad[i]), buffer), -1);
}

static void test_excerpt(void) {
        char buffer[TEXT_EXCERPT_SIZE], longer[200];

        CHECK_STR(text_excerpt("a\nb\xff\xc3\xa9", 6, buffer), "a?b?\xc3\xa9");
        memset(longer, 'x', sizeof(longer));
        CHECK_INT(strlen(text_excerpt(longer, sizeof(longer), buffer)), TEXT_EXCERPT_SIZE - 5);
        for (size_t i = 0; i + 1 < sizeof(longer); i += 2)
                memcpy(longer + i, "\xc3\xa9", 2);
        (void)text_excerpt(longer + 1, sizeof(longer) - 1, buffer);
        CHECK(text_check(buffer, strlen(buffer))); /* never cut inside a character */
}

int main(void) {
        RUN(test_spelling);
        RUN(test_spelling_is_reversible);
        RUN(test_escapes);
        RUN(test_chars);
        RUN(test_encodings);
        RUN(test_line_of_bad_byte);
        RUN(test_size_limit);
        RUN(test_base64);
        RUN(test_excerpt);
        return 0;
}
