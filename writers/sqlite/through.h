/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * through.h - a restored database becomes the content of one that programs have open, by SQLite's
 * own locks and log: whoever reads sees the old or the new one, nobody a mixture, and the file
 * stays the same file.
 */
#ifndef WRITERS_SQLITE_THROUGH_H
#define WRITERS_SQLITE_THROUGH_H

#include "sqlite/database.h"

/*
 * through_copy() - all of the closed database @from into @to, in one transaction
 * @wait_ms:  how long transactions of others are waited for
 *
 * In WAL mode who reads goes on, and @to stays in WAL mode; else who reads waits, as for a large
 * transaction. What follows from a death in the middle is that of a transaction: SQLite rolls back.
 *
 * Return: 0; VSS_E_WRITERERROR_RETRYABLE with who holds it; VSS_E_WRITERERROR_NONRETRYABLE where it
 * can only be done with all programs stopped. Then @to is as it was
 */
int through_copy(const char *from, const char *to, uint32_t wait_ms, struct vss_error *reterr);

#endif
