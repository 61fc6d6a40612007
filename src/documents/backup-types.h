/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * backup-types.h - what a backup type means for a writer with a given schema, and for a file set
 * with a given mask. Pure functions. Type, schema and mask number their bits differently (I-36);
 * this is the only place that turns one into another.
 */
#ifndef DOCUMENTS_BACKUP_TYPES_H
#define DOCUMENTS_BACKUP_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "vss/documents.h"

#define FILE_SET_MASK_DEFAULT                                                                      \
        ((uint32_t)(VSS_FSBT_ALL_BACKUP_REQUIRED | VSS_FSBT_ALL_SNAPSHOT_REQUIRED)) /* I-35 */

/* backup_type_effective() - I-66..I-71: the requested type if the schema has it, else FULL.
 * OTHER stays OTHER, which is evaluated like FULL */
uint32_t backup_type_effective(uint32_t requested, uint32_t schema);

/* backup_type_is_required() - B(t): must the file set be in a backup of effective type @type?
 * backup_type_is_snapshot_required() - S(t): must it be read from the shadow copy? I-77..I-82 */
bool backup_type_is_required(uint32_t type, uint32_t mask);
bool backup_type_is_snapshot_required(uint32_t type, uint32_t mask);

/* backup_schema_check() - I-49..I-65: 0, E_INVALIDARG, or for an express writer
 * VSS_E_NOT_SUPPORTED. LOG without log files is not seen here but when identify ends (I-64) */
int backup_schema_check(uint32_t schema, bool express, struct vss_error *reterr);

/* file_set_mask_check() - I-92: E_INVALIDARG for unknown bits */
int file_set_mask_check(uint32_t mask, struct vss_error *reterr);

const char *backup_type_name(uint32_t type); /* "full", "incremental", ... as the XML has it */

#endif
