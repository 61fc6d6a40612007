/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml.c - hostile text becomes a tree. The only file that includes libxml2.
 *
 * SAX2 events over a push parser: no network, no entities, no DTD, no processing instruction
 * (SEC-30). Elements and attributes are matched by local name; what names.h does not know is put
 * back together as text and kept (D-86).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/SAX2.h>

#include "base/file.h"
#include "documents/text.h"
#include "documents/tree.h"
#include "vss/error.h"

#define CHUNK ((size_t)256 << 10)
#define KNOWN_DEPTH 8 /* the tables of names.c nest four deep */

/* struct reader - the state of one reading; once @code is set every event is ignored */
struct reader {
        struct tree *tree;
        const struct element *root;
        xmlParserCtxtPtr parser;
        struct node *stack[KNOWN_DEPTH];
        size_t depth; /* of known elements */
        size_t unknown_depth; /* inside an unknown one; 0 outside */
        bool tag_open; /* the unknown element's start tag still lacks its '>' */
        struct text unknown; /* the unknown element so far */
        struct text value; /* the attribute being decoded */
        int code;
        struct vss_error *reterr;
};

VSS_PRINTF(2, 3) static void reject(struct reader *reader, const char *format, ...) {
        char words[512];
        va_list ap;

        if (reader->code < 0)
                return;
        va_start(ap, format);
        (void)vsnprintf(words, sizeof(words), format, ap);
        va_end(ap);
        reader->code = vss_fail(reader->reterr, VSS_E_INVALID_XML_DOCUMENT, "line %d: %s",
                                xmlSAX2GetLineNumber(reader->parser), words);
        xmlStopParser(reader->parser);
}

static void fail(struct reader *reader, int code) {
        if (reader->code < 0)
                return;
        reader->code = code;
        xmlStopParser(reader->parser);
}

/* ---- values ---- */

/* struct raw_attribute - one of libxml2's fives */
struct raw_attribute {
        const char *name, *prefix;
        const char *begin, *end;
};

static struct raw_attribute raw_attribute(const xmlChar **attributes, int i) {
        const xmlChar **a = attributes + (size_t)i * 5;

        return (struct raw_attribute){ (const char *)a[0], (const char *)a[1], (const char *)a[3],
                                       (const char *)a[4] };
}

/* decode() - into reader->value. The parser does not replace entities and leaves every ampersand
 * as "&#38;", and nothing else (measured; see test-xml.c) */
static int decode(struct reader *reader, const char *name, const char *p, const char *end) {
        reader->value.size = 0;
        text_add(&reader->value, "", 0);
        while (p < end) {
                const char *amp = memchr(p, '&', (size_t)(end - p));

                text_add(&reader->value, p, (size_t)((amp ? amp : end) - p));
                if (!amp)
                        break;
                text_add(&reader->value, "&", 1);
                p = amp + (end - amp >= 5 && memcmp(amp, "&#38;", 5) == 0 ? 5 : 1);
        }
        if (reader->value.failed) {
                fail(reader, -ENOMEM);
                return -ENOMEM;
        }
        if (reader->value.size > reader->tree->limits.attribute_size) {
                reject(reader, "attribute %.64s has %zu bytes, more than the limit of %" PRIu64,
                       name, reader->value.size, reader->tree->limits.attribute_size);
                return VSS_E_INVALID_XML_DOCUMENT;
        }
        return 0;
}

static int decode_value(struct reader *reader, const struct raw_attribute *attribute) {
        return decode(reader, attribute->name, attribute->begin, attribute->end);
}

/* decode_uri() - names of namespaces are values too; NULL means none */
static int decode_uri(struct reader *reader, const char *uri) {
        return decode(reader, "xmlns", uri ? uri : "", uri ? uri + strlen(uri) : "");
}

static void add_qualified(struct text *text, const char *prefix, const char *name) {
        if (prefix) {
                text_add_string(text, prefix);
                text_add(text, ":", 1);
        }
        text_add_string(text, name);
}

/* ---- unknown elements, kept as text ---- */

/* unknown_attribute() - its value is in reader->value */
static void unknown_attribute(struct reader *reader, const char *prefix, const char *name) {
        text_add(&reader->unknown, " ", 1);
        add_qualified(&reader->unknown, prefix, name);
        text_add(&reader->unknown, "=\"", 2);
        text_add_escaped(&reader->unknown, reader->value.data, reader->value.size);
        text_add(&reader->unknown, "\"", 1);
}

static void close_tag(struct reader *reader) {
        if (reader->tag_open)
                text_add(&reader->unknown, ">", 1);
        reader->tag_open = false;
}

static bool declares_default(const xmlChar **namespaces, int count) {
        for (int i = 0; i < count; i++)
                if (!namespaces[2 * i])
                        return true;
        return false;
}

static void unknown_start(struct reader *reader, const char *name, const char *prefix,
                          const char *uri, int namespace_count, const xmlChar **namespaces,
                          int attribute_count, const xmlChar **attributes) {
        const char *around = reader->root->xmlns;
        size_t before;

        if (reader->unknown_depth++ == 0)
                reader->unknown.size = 0;
        before = reader->unknown.size;
        close_tag(reader);
        text_add(&reader->unknown, "<", 1);
        add_qualified(&reader->unknown, prefix, name);
        /* it is written below elements of the document's own namespace: say when it is not in it */
        if (reader->unknown_depth == 1 && !prefix && strcmp(uri ? uri : "", around) != 0 &&
            !declares_default(namespaces, namespace_count)) {
                if (decode_uri(reader, uri) < 0)
                        return;
                unknown_attribute(reader, NULL, "xmlns");
        }
        for (int i = 0; i < namespace_count; i++) {
                const char *declared = (const char *)namespaces[2 * i];

                if (decode_uri(reader, (const char *)namespaces[2 * i + 1]) < 0)
                        return;
                unknown_attribute(reader, declared ? "xmlns" : NULL, declared ? declared : "xmlns");
        }
        for (int i = 0; i < attribute_count; i++) {
                struct raw_attribute a = raw_attribute(attributes, i);

                if (decode_value(reader, &a) < 0)
                        return;
                unknown_attribute(reader, a.prefix, a.name);
        }
        reader->tag_open = true;
        if (reader->unknown.size - before > reader->tree->limits.tag_size)
                reject(reader, "the attributes of %.64s are too long together", name);
}

static void unknown_end(struct reader *reader, const char *name, const char *prefix) {
        struct node *node;
        int r;

        if (reader->tag_open)
                text_add(&reader->unknown, "/>", 2);
        else {
                text_add(&reader->unknown, "</", 2);
                add_qualified(&reader->unknown, prefix, name);
                text_add(&reader->unknown, ">", 1);
        }
        reader->tag_open = false;
        if (--reader->unknown_depth > 0)
                return;
        node = reader->unknown.failed
                       ? NULL
                       : node_new_unknown(reader->tree, reader->unknown.data, reader->unknown.size);
        r = node ? node_append(reader->tree, reader->stack[reader->depth - 1], node) : -ENOMEM;
        if (r < 0)
                fail(reader, r);
}

/* ---- known elements ---- */

static const struct element *find_element(const struct reader *reader, const char *name) {
        const struct element *parent;

        if (reader->depth == 0)
                return strcmp(reader->root->name, name) == 0 ? reader->root : NULL;
        parent = reader->stack[reader->depth - 1]->element;
        for (size_t i = 0; i < parent->child_count; i++)
                if (strcmp(parent->children[i].element->name, name) == 0)
                        return parent->children[i].element;
        return NULL;
}

/* find_slot() - @hint is where to look first: attributes mostly come in the order of the table */
static size_t find_slot(const struct element *element, const char *name, size_t hint) {
        for (size_t i = 0; i < element->attribute_count; i++) {
                size_t slot = (hint + i) % element->attribute_count;
                const char *known = element->attributes[slot].name;

                if (known && strcmp(known, name) == 0)
                        return slot;
        }
        return SIZE_MAX;
}

static void add_unknown_attribute(struct reader *reader, struct node *node, const char *prefix,
                                  const char *name) {
        struct text qualified = { 0 };

        add_qualified(&qualified, prefix, name);
        if (qualified.failed ||
            node_add_extra(reader->tree, node, qualified.data, reader->value.data) < 0)
                fail(reader, -ENOMEM);
        text_done(&qualified);
}

static void set_attribute(struct reader *reader, struct node *node, size_t slot) {
        const struct attribute *attribute = &node->element->attributes[slot];
        char excerpt[TEXT_EXCERPT_SIZE];
        const char *wanted = "";
        int r;

        (void)text_excerpt(reader->value.data, reader->value.size, excerpt);
        r = value_parse(reader->tree, attribute, reader->value.data, reader->value.size,
                        &node->values[slot], &wanted);
        if (r == -ENOMEM)
                fail(reader, r);
        else if (r < 0)
                reject(reader, "%s has %s=\"%s\", which should be %s", node->element->name,
                       attribute->name, excerpt, wanted);
}

/* check_tag_size() - what is read must be small enough to be read again after it was written */
static void check_tag_size(struct reader *reader, const struct node *node,
                           const xmlChar **attributes, int count) {
        size_t size = 0;

        for (int i = 0; i < count; i++) {
                struct raw_attribute a = raw_attribute(attributes, i);

                size += (size_t)(a.end - a.begin) + 64;
        }
        /* no byte is written as more than six */
        if (reader->code == 0 && size > reader->tree->limits.tag_size / 6 &&
            node_tag_size(node) > reader->tree->limits.tag_size)
                reject(reader, "the attributes of %s are too long together", node->element->name);
}

static void known_attributes(struct reader *reader, struct node *node, int count,
                             const xmlChar **attributes) {
        size_t hint = 0, slot;

        for (int i = 0; i < count && reader->code == 0; i++) {
                struct raw_attribute a = raw_attribute(attributes, i);

                if (decode_value(reader, &a) < 0)
                        return;
                slot = a.prefix ? SIZE_MAX : find_slot(node->element, a.name, hint);
                if (slot == SIZE_MAX) {
                        add_unknown_attribute(reader, node, a.prefix, a.name);
                        continue;
                }
                set_attribute(reader, node, slot);
                hint = slot + 1;
        }
        check_tag_size(reader, node, attributes, count);
        for (size_t i = 0; i < node->element->attribute_count && reader->code == 0; i++)
                if (!node->values[i] && node->element->attributes[i].required)
                        reject(reader, "%s lacks the attribute %s", node->element->name,
                               node->element->attributes[i].name);
}

static void known_start(struct reader *reader, const struct element *element, int namespace_count,
                        const xmlChar **namespaces, int attribute_count,
                        const xmlChar **attributes) {
        struct node *node =
                reader->depth == 0 ? reader->tree->root : node_new(reader->tree, element);
        int r;

        if (!node) {
                fail(reader, -ENOMEM);
                return;
        }
        for (int i = 0; i < namespace_count; i++) {
                if (!namespaces[2 * i])
                        continue;
                if (decode_uri(reader, (const char *)namespaces[2 * i + 1]) < 0)
                        return;
                add_unknown_attribute(reader, node, "xmlns", (const char *)namespaces[2 * i]);
        }
        known_attributes(reader, node, attribute_count, attributes);
        if (reader->code < 0)
                return;
        if (reader->depth > 0) {
                r = node_append(reader->tree, reader->stack[reader->depth - 1], node);
                if (r == -ENOMEM)
                        fail(reader, r);
                else if (r < 0)
                        reject(reader, "%s has a second %s; only one is allowed",
                               reader->stack[reader->depth - 1]->element->name, element->name);
        }
        reader->stack[reader->depth++] = node;
}

static void known_end(struct reader *reader) {
        const struct node *node = reader->stack[--reader->depth];

        for (size_t i = 0; i < node->element->child_count; i++)
                if (node->element->children[i].occurrence == EXACTLY_ONE &&
                    node_count(node, node->element->children[i].list) != 1)
                        reject(reader, "%s lacks the element %s", node->element->name,
                               node->element->children[i].element->name);
}

/* ---- events ---- */

/* within_limits() - the root was counted when the tree was made */
static bool within_limits(struct reader *reader, const char *name, int namespace_count,
                          const xmlChar **namespaces, int attribute_count) {
        const struct document_limits *limits = &reader->tree->limits;
        uint64_t attributes = (uint64_t)attribute_count;

        for (int i = 0; i < namespace_count; i++)
                attributes += namespaces[2 * i] != NULL;
        if (attributes > limits->attributes)
                reject(reader, "element %.64s has more than %" PRIu32 " attributes", name,
                       limits->attributes);
        else if (reader->depth + reader->unknown_depth >= limits->depth)
                reject(reader, "elements are nested deeper than %" PRIu32, limits->depth);
        else if (reader->depth > 0 && reader->tree->elements >= limits->elements)
                reject(reader, "there are more than %" PRIu64 " elements", limits->elements);
        return reader->code == 0;
}

static void on_start(void *userdata, const xmlChar *local, const xmlChar *prefix,
                     const xmlChar *uri, int namespace_count, const xmlChar **namespaces,
                     int attribute_count, int defaulted, const xmlChar **attributes) {
        struct reader *reader = userdata;
        const char *name = (const char *)local;
        const struct element *element;

        (void)defaulted; /* only a DTD has defaults */
        if (reader->code < 0)
                return;
        if (!within_limits(reader, name, namespace_count, namespaces, attribute_count))
                return;
        element = reader->unknown_depth > 0 ? NULL : find_element(reader, name);
        if (element)
                known_start(reader, element, namespace_count, namespaces, attribute_count,
                            attributes);
        else if (reader->depth == 0)
                reject(reader, "the document is a %.64s, not a %s", name, reader->root->name);
        else {
                reader->tree->elements++;
                unknown_start(reader, name, (const char *)prefix, (const char *)uri,
                              namespace_count, namespaces, attribute_count, attributes);
        }
}

static void on_end(void *userdata, const xmlChar *local, const xmlChar *prefix,
                   const xmlChar *uri) {
        struct reader *reader = userdata;

        (void)uri;
        if (reader->code < 0)
                return;
        if (reader->unknown_depth > 0)
                unknown_end(reader, (const char *)local, (const char *)prefix);
        else
                known_end(reader);
}

static void on_characters(void *userdata, const xmlChar *data, int size) {
        struct reader *reader = userdata;
        const char *text = (const char *)data;

        if (reader->code < 0)
                return;
        if (reader->unknown_depth > 0) {
                close_tag(reader);
                text_add_escaped(&reader->unknown, text, (size_t)size);
                return;
        }
        for (int i = 0; i < size; i++)
                if (!strchr(" \t\r\n", text[i])) {
                        reject(reader, "there is text between elements; a document of this kind "
                                       "has none");
                        return;
                }
}

static void on_doctype(void *userdata, const xmlChar *name, const xmlChar *external,
                       const xmlChar *system) {
        (void)name, (void)external, (void)system;
        reject(userdata, "the document has a DOCTYPE; documents with one are refused");
}

static void on_instruction(void *userdata, const xmlChar *target, const xmlChar *data) {
        (void)target, (void)data;
        reject(userdata, "the document has a processing instruction; documents with one are "
                         "refused");
}

static void on_reference(void *userdata, const xmlChar *name) {
        reject(userdata, "the document uses the entity '%.64s'; entities are refused",
               (const char *)name);
}

static void on_error(void *userdata, xmlErrorPtr error) {
        struct reader *reader = userdata;
        char excerpt[TEXT_EXCERPT_SIZE];
        size_t size = error->message ? strlen(error->message) : 0;

        if (error->level == XML_ERR_WARNING)
                return;
        while (size > 0 && error->message[size - 1] == '\n')
                size--;
        if (error->code == XML_ERR_NO_MEMORY)
                fail(reader, -ENOMEM);
        else
                reject(reader, "%s", text_excerpt(error->message, size, excerpt));
}

static void parse(struct reader *reader, const char *text, size_t size) {
        uint64_t until = reader->tree->limits.parse_us;

        if (until > 0)
                until += monotonic_us();
        for (size_t at = 0; reader->code == 0; at += CHUNK) {
                size_t n = size - at < CHUNK ? size - at : CHUNK;
                bool last = at + n == size;

                /* errors arrive through on_error() */
                (void)xmlParseChunk(reader->parser, text + at, (int)n, last);
                if (last)
                        break;
                if (until > 0 && monotonic_us() > until)
                        reject(reader, "reading took longer than %" PRIu64 " ms",
                               reader->tree->limits.parse_us / 1000);
        }
        if (reader->code == 0 && (!reader->parser->wellFormed || !reader->parser->nsWellFormed))
                reject(reader, "the document is not well-formed XML");
}

static int read_utf8(struct reader *reader, const char *text, size_t size) {
        static const xmlSAXHandler handler = { .initialized = XML_SAX2_MAGIC,
                                               .internalSubset = on_doctype,
                                               .startElementNs = on_start,
                                               .endElementNs = on_end,
                                               .characters = on_characters,
                                               .cdataBlock = on_characters,
                                               .ignorableWhitespace = on_characters,
                                               .processingInstruction = on_instruction,
                                               .reference = on_reference,
                                               .serror = on_error };
        xmlSAXHandler copy = handler;

        xmlInitParser();
        reader->parser = xmlCreatePushParserCtxt(&copy, reader, NULL, 0, NULL);
        if (!reader->parser)
                return -ENOMEM;
        (void)xmlCtxtUseOptions(reader->parser, XML_PARSE_NONET | XML_PARSE_IGNORE_ENC);
        parse(reader, text, size);
        xmlFreeParserCtxt(reader->parser);
        text_done(&reader->unknown);
        text_done(&reader->value);
        return reader->code;
}

int tree_read(struct tree *tree, const struct element *root, const char *xml, size_t size,
              const struct document_limits *limits, struct vss_error *reterr) {
        struct reader reader = { .tree = tree, .root = root, .reterr = reterr };
        const char *text;
        char *owned;
        size_t text_size;
        int r;

        r = tree_init(tree, root, limits);
        if (r < 0)
                return r;
        r = text_decode(xml, size, tree->limits.size, &text, &text_size, &owned, reterr);
        if (r >= 0) {
                r = read_utf8(&reader, text, text_size);
                free(owned);
        }
        if (r < 0)
                tree_done(tree);
        return r;
}
