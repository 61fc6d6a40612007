/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * backup-types.c - tables of section 3 to 5 of the incremental rules.
 */
#include "documents/backup-types.h"

#include <inttypes.h>

#include "base/array.h"
#include "documents/names.h"

/* one row per type; COPY has no mask bits of its own and is read like FULL (I-81) */
static const struct type_row {
        uint32_t schema_bit; /* 0: every writer has it */
        uint32_t backup_bit, snapshot_bit; /* 0: always required */
} type_rows[] = {
        [VSS_BT_FULL] = { 0, VSS_FSBT_FULL_BACKUP_REQUIRED, VSS_FSBT_FULL_SNAPSHOT_REQUIRED },
        [VSS_BT_INCREMENTAL] = { VSS_BS_INCREMENTAL, VSS_FSBT_INCREMENTAL_BACKUP_REQUIRED,
                                 VSS_FSBT_INCREMENTAL_SNAPSHOT_REQUIRED },
        [VSS_BT_DIFFERENTIAL] = { VSS_BS_DIFFERENTIAL, VSS_FSBT_DIFFERENTIAL_BACKUP_REQUIRED,
                                  VSS_FSBT_DIFFERENTIAL_SNAPSHOT_REQUIRED },
        [VSS_BT_LOG] = { VSS_BS_LOG, VSS_FSBT_LOG_BACKUP_REQUIRED, VSS_FSBT_LOG_SNAPSHOT_REQUIRED },
        [VSS_BT_COPY] = { VSS_BS_COPY, VSS_FSBT_FULL_BACKUP_REQUIRED,
                          VSS_FSBT_FULL_SNAPSHOT_REQUIRED },
        [VSS_BT_OTHER] = { 0, 0, 0 },
};

static const struct type_row *type_row(uint32_t type) {
        return &type_rows[type < ELEMENTSOF(type_rows) ? type : VSS_BT_OTHER];
}

uint32_t backup_type_effective(uint32_t requested, uint32_t schema) {
        uint32_t bit = type_row(requested)->schema_bit;

        if (requested == VSS_BT_UNDEFINED || requested >= ELEMENTSOF(type_rows))
                return VSS_BT_FULL;
        return (schema & bit) == bit ? requested : (uint32_t)VSS_BT_FULL;
}

bool backup_type_is_required(uint32_t type, uint32_t mask) {
        uint32_t bit = type_row(type)->backup_bit;

        return !bit || (mask & bit);
}

bool backup_type_is_snapshot_required(uint32_t type, uint32_t mask) {
        uint32_t bit = type_row(type)->snapshot_bit;

        return !bit || (mask & bit);
}

int backup_schema_check(uint32_t schema, bool express, struct vss_error *reterr) {
        const uint32_t both = VSS_BS_DIFFERENTIAL | VSS_BS_INCREMENTAL;
        const uint32_t known =
                both | VSS_BS_EXCLUSIVE_INCREMENTAL_DIFFERENTIAL | VSS_BS_LOG | VSS_BS_COPY |
                VSS_BS_TIMESTAMPED | VSS_BS_LAST_MODIFY | VSS_BS_WRITER_SUPPORTS_NEW_TARGET |
                VSS_BS_WRITER_SUPPORTS_RESTORE_WITH_MOVE | VSS_BS_INDEPENDENT_SYSTEM_STATE |
                VSS_BS_ROLLFORWARD_RESTORE | VSS_BS_RESTORE_RENAME | VSS_BS_AUTHORITATIVE_RESTORE |
                VSS_BS_WRITER_SUPPORTS_PARALLEL_RESTORES;
        const uint32_t of_express = VSS_BS_COPY | VSS_BS_INDEPENDENT_SYSTEM_STATE;

        if (schema & ~known)
                return vss_fail(reterr, E_INVALIDARG,
                                "backup schema 0x%" PRIx32 " has bits that are reserved or "
                                "unassigned: 0x%" PRIx32,
                                schema, schema & ~known);
        if (express && (schema & ~of_express))
                return vss_fail(reterr, VSS_E_NOT_SUPPORTED,
                                "an express writer may only declare COPY and "
                                "INDEPENDENT_SYSTEM_STATE, not backup schema 0x%" PRIx32,
                                schema);
        if ((schema & VSS_BS_EXCLUSIVE_INCREMENTAL_DIFFERENTIAL) && (schema & both) != both)
                return vss_fail(reterr, E_INVALIDARG,
                                "backup schema 0x%" PRIx32 ": EXCLUSIVE_INCREMENTAL_DIFFERENTIAL "
                                "needs INCREMENTAL and DIFFERENTIAL",
                                schema);
        if ((schema & (VSS_BS_TIMESTAMPED | VSS_BS_LAST_MODIFY)) && !(schema & both))
                return vss_fail(reterr, E_INVALIDARG,
                                "backup schema 0x%" PRIx32 ": TIMESTAMPED and LAST_MODIFY need "
                                "INCREMENTAL or DIFFERENTIAL",
                                schema);
        return 0;
}

int file_set_mask_check(uint32_t mask, struct vss_error *reterr) {
        const uint32_t known = FILE_SET_MASK_DEFAULT | VSS_FSBT_CREATED_DURING_BACKUP;

        if (mask & ~known)
                return vss_fail(reterr, E_INVALIDARG,
                                "the backup type mask 0x%" PRIx32 " has unknown bits 0x%" PRIx32,
                                mask, mask & ~known);
        return 0;
}

const char *backup_type_name(uint32_t type) {
        const char *name = words_text(words_backup_type, type);

        return name ? name : "unknown";
}
