/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * limits.h - how much a document may ask of whoever reads it (SEC-31, SEC-43).
 */
#ifndef DOCUMENTS_LIMITS_H
#define DOCUMENTS_LIMITS_H

#include <stdint.h>

/*
 * struct document_limits - checked while reading and again before writing, so that what we write
 * can be read. @size: bytes of the text; @depth: of elements; @attributes: of one element,
 * declarations of prefixes included; @attribute_size: bytes of one value; @tag_size: bytes of one
 * start tag as it is written (libxml2 refuses ten million); @elements: of the
 * document; @components, @file_sets: of one Writer Metadata Document; @parse_us: 0 means no limit
 */
struct document_limits {
        uint64_t size;
        uint32_t depth;
        uint32_t attributes;
        uint64_t attribute_size;
        uint64_t tag_size;
        uint64_t elements;
        uint64_t components;
        uint64_t file_sets;
        uint64_t parse_us;
};

/* document_limits_default() - the numbers of SEC-31: more for root than for others */
const struct document_limits *document_limits_default(void);

#endif
