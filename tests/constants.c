/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * constants.c - the numbers that documents, messages and other people's programs carry are those
 * of the public headers of the original, row by row.
 */
#include "tests/check.h"

#include <stdbool.h>
#include <stdint.h>

#include "vss/constants.h"

/* I-37: names that the documentation mentions and nobody has. They would collide with ours. Nor has
 * a copy bits of its own in a file set's mask */
enum {
        VSS_BS_FULL,
        VSS_BS_TIMESTAMP,
        VSS_BS_SCHEMA,
        VSS_FSBT_COPY_BACKUP_REQUIRED,
        VSS_FSBT_COPY_SNAPSHOT_REQUIRED
};

static const struct row {
        const char *rule;
        int64_t ours, official;
} rows[] = {
        { "I-1", VSS_BT_UNDEFINED, 0 },
        { "I-2", VSS_BT_FULL, 1 },
        { "I-3", VSS_BT_INCREMENTAL, 2 },
        { "I-4", VSS_BT_DIFFERENTIAL, 3 },
        { "I-5", VSS_BT_LOG, 4 },
        { "I-6", VSS_BT_COPY, 5 },
        { "I-7", VSS_BT_OTHER, 6 },
        { "I-8", VSS_BS_UNDEFINED, 0x0000 },
        { "I-9", VSS_BS_DIFFERENTIAL, 0x0001 },
        { "I-10", VSS_BS_INCREMENTAL, 0x0002 },
        { "I-11", VSS_BS_EXCLUSIVE_INCREMENTAL_DIFFERENTIAL, 0x0004 },
        { "I-12", VSS_BS_LOG, 0x0008 },
        { "I-13", VSS_BS_COPY, 0x0010 },
        { "I-14", VSS_BS_TIMESTAMPED, 0x0020 },
        { "I-15", VSS_BS_LAST_MODIFY, 0x0040 },
        { "I-16", VSS_BS_LSN, 0x0080 },
        { "I-17", VSS_BS_WRITER_SUPPORTS_NEW_TARGET, 0x0100 },
        { "I-18", VSS_BS_WRITER_SUPPORTS_RESTORE_WITH_MOVE, 0x0200 },
        { "I-19", VSS_BS_INDEPENDENT_SYSTEM_STATE, 0x0400 },
        { "I-20", VSS_BS_ROLLFORWARD_RESTORE, 0x1000 },
        { "I-21", VSS_BS_RESTORE_RENAME, 0x2000 },
        { "I-22", VSS_BS_AUTHORITATIVE_RESTORE, 0x4000 },
        { "I-23", VSS_BS_WRITER_SUPPORTS_PARALLEL_RESTORES, 0x8000 },
        { "I-24", VSS_FSBT_FULL_BACKUP_REQUIRED, 0x00000001 },
        { "I-25", VSS_FSBT_DIFFERENTIAL_BACKUP_REQUIRED, 0x00000002 },
        { "I-26", VSS_FSBT_INCREMENTAL_BACKUP_REQUIRED, 0x00000004 },
        { "I-27", VSS_FSBT_LOG_BACKUP_REQUIRED, 0x00000008 },
        { "I-28", VSS_FSBT_FULL_SNAPSHOT_REQUIRED, 0x00000100 },
        { "I-29", VSS_FSBT_DIFFERENTIAL_SNAPSHOT_REQUIRED, 0x00000200 },
        { "I-30", VSS_FSBT_INCREMENTAL_SNAPSHOT_REQUIRED, 0x00000400 },
        { "I-31", VSS_FSBT_LOG_SNAPSHOT_REQUIRED, 0x00000800 },
        { "I-32", VSS_FSBT_CREATED_DURING_BACKUP, 0x00010000 },
        { "I-33", VSS_FSBT_ALL_BACKUP_REQUIRED, 0x0000000f },
        { "I-34", VSS_FSBT_ALL_SNAPSHOT_REQUIRED, 0x00000f00 },
        { "I-35", VSS_FSBT_ALL_BACKUP_REQUIRED | VSS_FSBT_ALL_SNAPSHOT_REQUIRED, 3855 },
        { "M-27", VSS_CT_UNDEFINED, 0 },
        { "M-27", VSS_CT_DATABASE, 1 },
        { "M-27", VSS_CT_FILEGROUP, 2 },
        { "M-37", VSS_CF_BACKUP_RECOVERY, 1 },
        { "M-37", VSS_CF_APP_ROLLBACK_RECOVERY, 2 },
        { "M-37", VSS_CF_NOT_SYSTEM_STATE, 4 },
        { "M-51", VSS_UT_UNDEFINED, 0 },
        { "M-51", VSS_UT_BOOTABLESYSTEMSTATE, 1 },
        { "M-51", VSS_UT_SYSTEMSERVICE, 2 },
        { "M-51", VSS_UT_USERDATA, 3 },
        { "M-51", VSS_UT_OTHER, 4 },
        { "M-52", VSS_ST_UNDEFINED, 0 },
        { "M-52", VSS_ST_TRANSACTEDDB, 1 },
        { "M-52", VSS_ST_NONTRANSACTEDDB, 2 },
        { "M-52", VSS_ST_OTHER, 3 },
        { "M-53", VSS_APP_AUTO, -1 },
        { "M-53", VSS_APP_UNKNOWN, 0 },
        { "M-53", VSS_APP_SYSTEM, 1 },
        { "M-53", VSS_APP_BACK_END, 2 },
        { "M-53", VSS_APP_FRONT_END, 3 },
        { "M-53", VSS_APP_SYSTEM_RM, 4 },
        { "M-54", VSS_WRE_UNDEFINED, 0 },
        { "M-54", VSS_WRE_NEVER, 1 },
        { "M-54", VSS_WRE_IF_REPLACE_FAILS, 2 },
        { "M-54", VSS_WRE_ALWAYS, 3 },
        { "M-67", VSS_CTX_BACKUP, 0x00 },
        { "M-68", VSS_CTX_FILE_SHARE_BACKUP, 0x10 },
        { "M-69", VSS_CTX_NAS_ROLLBACK, 0x19 },
        { "M-70", VSS_CTX_APP_ROLLBACK, 0x09 },
        { "M-71", VSS_CTX_CLIENT_ACCESSIBLE, 0x1d },
        { "M-72", VSS_CTX_CLIENT_ACCESSIBLE_WRITERS, 0x0d },
        { "M-73", VSS_CTX_ALL, INT64_C(0xffffffff) },
};

static void test_values(void) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                if (rows[i].ours != rows[i].official)
                        CHECK_FAIL_("%s: %jd instead of %jd", rows[i].rule, (intmax_t)rows[i].ours,
                                    (intmax_t)rows[i].official);
}

/* M-67..M-72, S-8: what a context means is in its bits, and nowhere else */
static void test_contexts(void) {
        static const struct {
                int64_t context;
                bool writers, persistent;
        } contexts[] = {
                { VSS_CTX_BACKUP, true, false },
                { VSS_CTX_FILE_SHARE_BACKUP, false, false },
                { VSS_CTX_NAS_ROLLBACK, false, true },
                { VSS_CTX_APP_ROLLBACK, true, true },
                { VSS_CTX_CLIENT_ACCESSIBLE, false, true },
                { VSS_CTX_CLIENT_ACCESSIBLE_WRITERS, true, true },
        };

        for (size_t i = 0; i < sizeof(contexts) / sizeof(contexts[0]); i++) {
                CHECK(!!(contexts[i].context & VSS_VOLSNAP_ATTR_NO_WRITERS) != contexts[i].writers);
                CHECK(!!(contexts[i].context & VSS_VOLSNAP_ATTR_PERSISTENT) ==
                      contexts[i].persistent);
                CHECK(!!(contexts[i].context & VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE) ==
                      contexts[i].persistent);
        }
}

int main(void) {
        RUN(test_values);
        RUN(test_contexts);
        return 0;
}
