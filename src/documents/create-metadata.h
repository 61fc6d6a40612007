/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * create-metadata.h - the object behind struct vss_create_writer_metadata: a Writer Metadata
 * Document while a writer builds it in identify. The public calls that fill it are in
 * vss/documents.h; this header is for the writer's runtime, which makes and finishes it.
 */
#ifndef DOCUMENTS_CREATE_METADATA_H
#define DOCUMENTS_CREATE_METADATA_H

#include <stdbool.h>
#include <stddef.h>

#include "vss/documents.h"

struct document_limits;

/*
 * create_writer_metadata_new() - begin a document
 * @identity: copied; writer id, name, usage and source are mandatory (D-8..D-14)
 * @express:  the rules of I-65, M-37 and R-76 hold
 *
 * Return: 0, E_INVALIDARG with words, -ENOMEM
 */
int create_writer_metadata_new(const struct vss_writer_identity *identity, bool express,
                               struct vss_create_writer_metadata **ret, struct vss_error *reterr);

/* create_writer_metadata_free() - accepts NULL, returns NULL */
struct vss_create_writer_metadata *
create_writer_metadata_free(struct vss_create_writer_metadata *metadata);

/*
 * create_writer_metadata_finish() - identify has returned: check, close, and give the text
 * @ret_dropped: schema bits taken out because the document does not bear them (I-64, IV-6); NULL
 *               when nobody will tell the operator
 * @ret:         NUL-terminated; the caller frees it
 *
 * From here on every public setter says VSS_E_BAD_STATE (B-56), also when this call fails.
 *
 * Return: 0, E_INVALIDARG with words (D-44: no component, no restore method; R-92: a mapping
 * that fits no file set), -ENOMEM
 */
int create_writer_metadata_finish(struct vss_create_writer_metadata *metadata,
                                  uint32_t *ret_dropped, char **ret, size_t *ret_size,
                                  struct vss_error *reterr);

/* create_writer_metadata_component_flags() - the flags of all components, or-ed: tells whether
 * one asks for a writable copy (M-37) */
uint32_t create_writer_metadata_component_flags(const struct vss_create_writer_metadata *metadata);

/*
 * examine_writer_metadata_load() - vss_examine_writer_metadata_create() with limits of one's own
 * @limits: NULL for document_limits_default()
 */
int examine_writer_metadata_load(const char *xml, size_t size, const struct document_limits *limits,
                                 struct vss_examine_writer_metadata **ret,
                                 struct vss_error *reterr);

/*
 * examine_writer_metadata_check_conflict() - may both instances of one class stand side by side?
 *
 * Return: 0, or VSS_E_OBJECT_ALREADY_EXISTS with words when both declare the same (logical path,
 * name); the later one is then refused at Identify (SV-39)
 */
int examine_writer_metadata_check_conflict(const struct vss_examine_writer_metadata *first,
                                           const struct vss_examine_writer_metadata *second,
                                           struct vss_error *reterr);

#endif
