/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * print-grammar.c - prints the RELAX NG grammar of a document ("wmd" or "bcd") from the table of
 * names that also reads and writes it. The files in data/ are its committed output; a test
 * compares them, so that grammar and code cannot drift apart.
 *
 * What is unknown is allowed everywhere, as the reader allows it. Uniqueness of components and the
 * limits of SEC-31 are beyond a grammar; the reader checks them.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "documents/names.h"

#define ID_PATTERN                                                                                 \
        "\\{?[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}\\}?"

static void data(const char *type, const char *param, const char *value) {
        printf("        <data type=\"%s\"><param name=\"%s\">%s</param></data>\n", type, param,
               value);
}

static void value(const struct attribute *attribute) {
        switch (attribute->kind) {
        case VALUE_TEXT:
                printf("        <text/>\n");
                break;
        case VALUE_NAME:
                data("string", "pattern", "[^\\\\]+");
                break;
        case VALUE_PATH:
                if (attribute->required)
                        data("string", "minLength", "1");
                else
                        printf("        <text/>\n");
                break;
        case VALUE_ID:
                data("string", "pattern", ID_PATTERN);
                break;
        case VALUE_BOOL:
                printf("        <choice><value type=\"string\">yes</value>"
                       "<value type=\"string\">no</value></choice>\n");
                break;
        case VALUE_WORD:
                printf("        <choice>\n");
                for (const struct word *w = attribute->words; w->text; w++)
                        printf("          <value type=\"string\">%s</value>\n", w->text);
                printf("        </choice>\n");
                break;
        case VALUE_MASK:
                data("string", "pattern", "0*[0-9]{1,10}|0[xX]0*[0-9A-Fa-f]{1,8}");
                break;
        case VALUE_TIME:
                data("string", "pattern", "0*[0-9]{1,19}|0[xX]0*[0-9A-Fa-f]{1,16}");
                break;
        case VALUE_BYTES:
                data("string", "pattern", "[A-Za-z0-9+/=\\s]*");
                break;
        }
}

static void attributes(const struct element *element) {
        for (size_t i = 0; i < element->attribute_count; i++) {
                const struct attribute *a = &element->attributes[i];

                if (!a->name)
                        continue;
                if (!a->required)
                        printf("      <optional>\n");
                printf("      <attribute name=\"%s\">\n", a->name);
                value(a);
                printf("      </attribute>\n");
                if (!a->required)
                        printf("      </optional>\n");
        }
        if (element->attribute_count == 0) {
                printf("      <zeroOrMore><attribute><anyName/></attribute></zeroOrMore>\n");
                return;
        }
        printf("      <zeroOrMore><attribute><anyName><except>\n");
        for (size_t i = 0; i < element->attribute_count; i++)
                if (element->attributes[i].name)
                        printf("        <name ns=\"\">%s</name>\n", element->attributes[i].name);
        printf("      </except></anyName></attribute></zeroOrMore>\n");
}

/* anything_else() - any number of the children that may come so, and of unknown elements */
static void anything_else(const struct element *element, const char *xmlns) {
        printf("        <zeroOrMore><choice>\n");
        for (size_t i = 0; i < element->child_count; i++)
                if (element->children[i].occurrence == ANY_NUMBER)
                        printf("          <ref name=\"%s\"/>\n",
                               element->children[i].element->name);
        printf("          <element><anyName>");
        if (element->child_count > 0)
                printf("<except>\n");
        for (size_t i = 0; i < element->child_count; i++)
                printf("            <name ns=\"%s\">%s</name><name ns=\"\">%s</name>\n", xmlns,
                       element->children[i].element->name, element->children[i].element->name);
        printf("%s</anyName><ref name=\"anything\"/></element>\n        </choice></zeroOrMore>\n",
               element->child_count > 0 ? "          </except>" : "");
}

static void limited(const struct element *element, const struct child *child) {
        bool optional = child->occurrence == AT_MOST_ONE;

        printf("          %s<ref name=\"%s\"/><ref name=\"%s.rest\"/>%s\n",
               optional ? "<optional>" : "", child->element->name, element->name,
               optional ? "</optional>" : "");
}

/* permute() - children that may come once only, in every order: libxml2's interleave cannot have
 * unknown elements in it */
static void permute(const struct element *element, const struct child **left, size_t count,
                    const struct child **order, size_t done) {
        if (count == 0) {
                printf("        <group>\n");
                for (size_t i = 0; i < done; i++)
                        limited(element, order[i]);
                printf("        </group>\n");
                return;
        }
        for (size_t i = 0; i < count; i++) {
                const struct child *rest[8];
                size_t n = 0;

                for (size_t k = 0; k < count; k++)
                        if (k != i)
                                rest[n++] = left[k];
                order[done] = left[i];
                permute(element, rest, n, order, done + 1);
        }
}

static void content(const struct element *element) {
        const struct child *once[8], *order[8];
        size_t count = 0;

        for (size_t i = 0; i < element->child_count; i++)
                if (element->children[i].occurrence != ANY_NUMBER && count < 8)
                        once[count++] = &element->children[i];
        printf("      <ref name=\"%s.rest\"/>\n", element->name);
        if (count == 0)
                return;
        printf("      <choice>\n");
        permute(element, once, count, order, 0);
        printf("      </choice>\n");
}

static void define(const struct element *element, const char *xmlns) {
        printf("  <define name=\"%s\">\n    <element>\n", element->name);
        printf("      <choice><name ns=\"%s\">%s</name><name ns=\"\">%s</name></choice>\n", xmlns,
               element->name, element->name);
        attributes(element);
        content(element);
        printf("    </element>\n  </define>\n  <define name=\"%s.rest\">\n", element->name);
        anything_else(element, xmlns);
        printf("  </define>\n");
        for (size_t i = 0; i < element->child_count; i++) {
                const struct element *child = element->children[i].element;

                /* DEPENDENCY stands below FILE_GROUP too, which comes first */
                if (element != &element_database || child != &element_dependency)
                        define(child, xmlns);
        }
}

int main(int argc, char **argv) {
        const struct element *root = argc == 2 && strcmp(argv[1], "bcd") == 0
                                             ? &element_backup_components
                                             : &element_writer_metadata;

        printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->\n"
               "<!-- printed by tests/documents/print-grammar from src/documents/names.c -->\n"
               "<grammar xmlns=\"http://relaxng.org/ns/structure/1.0\"\n"
               "         datatypeLibrary=\"http://www.w3.org/2001/XMLSchema-datatypes\">\n"
               "  <start><ref name=\"%s\"/></start>\n",
               root->name);
        define(root, root->xmlns);
        printf("  <define name=\"anything\">\n"
               "    <zeroOrMore><choice>\n"
               "      <attribute><anyName/></attribute>\n"
               "      <text/>\n"
               "      <element><anyName/><ref name=\"anything\"/></element>\n"
               "    </choice></zeroOrMore>\n"
               "  </define>\n"
               "</grammar>\n");
        return 0;
}
