/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The text of SetRestoreOptions, and where it says something else than the typed calls.
 */
#include "documents/test-components.h"

#include <stdlib.h>

#include "documents/restore-options.h"

static struct vss_restore_options *parse(const char *text) {
        struct vss_restore_options *options;

        WORKS(vss_restore_options_parse(text, &options, e));
        return options;
}

/* what can be written, and that it is read as it was meant */
static void test_grammar(void) {
        static const char *const bad[] = {
                "",
                "x",
                "\"a\"",
                "\"a\"=",
                "\"a\"=b",
                "a=\"b\"",
                "\"a\"=\"b\",",
                "\"a\"=\"b\" \"c\"=\"d\"",
                "\"a\":\"b\"",
                "\"a\":\"b\":\"c\"=\"d\"",
                "\"a\"=\"b",
                ",\"a\"=\"b\"",
                "\"a\"=\"b\";",
                "\"a\"=\"b\"\"c\"", /* OQ-R9: a quote cannot be doubled */
                "\"Authoritative\"=\"All\",\"authoritative\"=\"all\"", /* */
                "\"c\":\"Authoritative\"=\"All\",\"C\":\"Authoritative\"=\"All\"",
        };
        struct vss_restore_options *options;
        struct vss_restore_option o;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                FAILS(E_INVALIDARG, vss_restore_options_parse(bad[i], &options, e));
        FAILS(E_INVALIDARG, vss_restore_options_parse(NULL, &options, e));

        options =
                parse(" \"a b\" = \"1,2:3=4\" ,\t\"p\\q\" : \"c\"=\"\"\n,\"Authoritative\"=\"All\","
                      "\"x\":\"Authoritative\"=\"All\"");
        CHECK_INT(vss_restore_options_get_count(options), 4);
        CHECK_INT(vss_restore_options_get(options, 0, &o), 0);
        CHECK(!o.component);
        CHECK_STR(o.name, "a b");
        CHECK_STR(o.value, "1,2:3=4");
        CHECK_INT(vss_restore_options_get(options, 1, &o), 0);
        CHECK_STR(o.component, "p\\q");
        CHECK_STR(o.name, "c");
        CHECK_STR(o.value, "");
        CHECK_INT(vss_restore_options_get(options, 4, &o), VSS_E_OBJECT_NOT_FOUND);
        CHECK(!vss_restore_options_free(options));
        CHECK(!vss_restore_options_free(NULL));
}

/* a prefix is for its own pair, and for what is below it; names without case */
static void test_covers(void) {
        struct vss_restore_options *options =
                parse("\"p\\Q\":\"Authoritative\"=\"Item:one\",\"authoritative\"=\"Item:two\","
                      "\"other\"=\"x\"");
        const char *value;
        size_t index = 0;

#define NEXT(path, name)                                                                           \
        vss_restore_options_find(options, &index, path, name, "Authoritative", &value)
        CHECK_INT(NEXT("P", "q"), 0); /* it may come several times */
        CHECK_STR(value, "Item:one");
        CHECK_INT(NEXT("P", "q"), 0);
        CHECK_STR(value, "Item:two");
        CHECK_INT(NEXT("P", "q"), S_FALSE);
        index = 0;
        CHECK_INT(NEXT("p\\q\\", "below"), 0);
        CHECK_STR(value, "Item:one");
        index = 0;
        CHECK_INT(NEXT("p", "qq"), 0);
        CHECK_STR(value, "Item:two");
        index = 0;
        CHECK_INT(NEXT(NULL, "p"), 0);
        CHECK_STR(value, "Item:two");
        vss_restore_options_free(options);
}

static void test_format(void) {
        const struct vss_restore_option good[] = { { NULL, "Roll Forward", "Partial:x" },
                                                   { "a\\b", "New Component Name", "c\\d" } };
        const struct vss_restore_option quote[] = { { NULL, "a", "\"" } },
                                        quoted[] = { { "\"", "a", "b" } },
                                        nothing[] = { { NULL, "a", NULL } },
                                        twice[] = { { NULL, "Authoritative", "All" },
                                                    { NULL, "Authoritative", "All" } };
        struct vss_restore_options *options;
        struct vss_restore_option o;
        char *text;

        WORKS(vss_restore_options_format(good, 2, &text, e));
        CHECK_STR(text,
                  "\"Roll Forward\"=\"Partial:x\", \"a\\b\": \"New Component Name\"=\"c\\d\"");
        options = parse(text);
        CHECK_INT(vss_restore_options_get(options, 1, &o), 0);
        CHECK_STR(o.component, "a\\b");
        vss_restore_options_free(options);
        free(text);
        FAILS(E_INVALIDARG, vss_restore_options_format(quote, 1, &text, e)); /* OQ-R9 */
        FAILS(E_INVALIDARG, vss_restore_options_format(quoted, 1, &text, e));
        FAILS(E_INVALIDARG, vss_restore_options_format(nothing, 1, &text, e));
        FAILS(E_INVALIDARG, vss_restore_options_format(twice, 2, &text, e));
        FAILS(E_INVALIDARG, vss_restore_options_format(good, 0, &text, e));
}

static void tell(void *userdata, const struct vss_component *component, const char *call,
                 const char *option, const char *value) {
        char *told = userdata;
        size_t n = strlen(told);

        CHECK_STR(vss_component_get_component_name(component), "a");
        (void)snprintf(told + n, 200 - n, "%s %s=%s;", call, option, value);
}

static const char *contradictions(const struct backup *t) {
        static char told[200];

        told[0] = '\0';
        CHECK_INT(bcd_each_contradiction(bcd_get_component(t->bcd, &t->a), tell, told), 0);
        return told;
}

static void set(struct backup *t, const char *options) {
        WORKS(bcd_set_restore_options(t->bcd, &t->a, options, e));
        CHECK_STR(vss_component_get_restore_options(entry(t, 0)), options); /* verbatim */
}

/* what is said in both ways must be the same */
static void test_contradictions(void) {
        struct backup t = begin(VSS_BS_COPY, VSS_BT_FULL, false);

        CHECK_STR(contradictions(&t), "");
        set(&t, "\"Authoritative\" = \"All\",\"roll forward\"=\"None\",\"New Component "
                "Name\"=\"p\\n\"");
        CHECK_STR(contradictions(&t), ""); /* nothing was said by calls */
        WORKS(bcd_set_authoritative_restore(t.bcd, &t.a, true, e));
        WORKS(bcd_set_roll_forward(t.bcd, &t.a, VSS_RF_NONE, NULL, e));
        WORKS(bcd_set_restore_name(t.bcd, &t.a, "n", e));
        CHECK_STR(contradictions(&t), "");
        WORKS(bcd_set_authoritative_restore(t.bcd, &t.a, false, e));
        WORKS(bcd_set_roll_forward(t.bcd, &t.a, VSS_RF_ALL, NULL, e));
        WORKS(bcd_set_restore_name(t.bcd, &t.a, "m", e));
        CHECK_STR(contradictions(&t), "SetAuthoritativeRestore Authoritative=All;"
                                      "SetRollForward Roll Forward=None;"
                                      "SetRestoreName New Component Name=p\\n;");
        set(&t, "\"Roll Forward\"=\"Partial:12\",\"Authoritative\"=\"Item:x\"");
        WORKS(bcd_set_roll_forward(t.bcd, &t.a, VSS_RF_PARTIAL, "12", e));
        WORKS(bcd_set_authoritative_restore(t.bcd, &t.a, true, e));
        CHECK_STR(contradictions(&t), "SetAuthoritativeRestore Authoritative=Item:x;");
        set(&t, "\"q\":\"Roll Forward\"=\"None\""); /* of another component */
        CHECK_STR(contradictions(&t), "");
        end(&t);
}

int main(void) {
        RUN(test_grammar);
        RUN(test_covers);
        RUN(test_format);
        RUN(test_contradictions);
        return 0;
}
