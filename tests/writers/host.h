/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host.h - a packaged writer in a process of its own, driven event by event over a socket pair:
 * what vssd and a requester do, small enough to stop at any line.
 */
#ifndef TESTS_WRITERS_HOST_H
#define TESTS_WRITERS_HOST_H

#include <sys/types.h>

#include "bus/wire.h"
#include "documents/components-document.h"
#include "vss/writer.h"

struct host {
        pid_t pid;
        sd_bus *bus;
        struct vss_id session, set, instance;
        struct wire_identity identity;
        struct vss_examine_writer_metadata *metadata;
        struct bcd *bcd; /* NULL: components are not selected */
        uint32_t backup_type;
        bool partial_files;
        char *volumes[8], *devices[8]; /* lent by the test */
        struct wire_result result; /* of the last event */
        struct wire_bytes token; /* deposited last */
        struct vss_error error; /* of the last call that broke */
};

/* host_start() - @settings: section, key, value, ... NULL. Return: 0, or what configure or load
 * said, with host->error; then there is no process any more */
int host_start(struct host *host, const char *plugin, const char *const *settings);

/* host_identify() - 0, or the failure of the event */
int host_identify(struct host *host);

/* host_select() - put a component into the document; made at the first call */
void host_select(struct host *host, uint32_t type, const char *logical_path, const char *name);

/* host_event() - one event; returns its failure (host->result), checks that the call worked.
 * Documents go along where the protocol wants them, and come back into host->bcd */
int host_event(struct host *host, const char *member);

/* host_event_killed() - one event, and SIGKILL after @us; was it answered before? Then host_kill()
 */
bool host_event_killed(struct host *host, const char *member, unsigned us);

/* host_undo() - in this writer what another had deposited */
int host_undo(struct host *host, const struct wire_bytes *token);

/* host_component() - of the document; fails the test when it is not there */
struct vss_component *host_component(struct host *host, const char *name);

/* host_stop() - close the connection and wait for the end; host_kill() - SIGKILL and reap */
void host_stop(struct host *host);
void host_kill(struct host *host);

/* host_kill_later() - another process does that to @pid; it ends by itself */
void host_kill_later(pid_t pid, unsigned us);

/* scratch folder of the test: TEST_DIR if set, else below /dev/shm; removed at exit */
const char *scratch(void);
char *scratch_path(const char *format, ...) VSS_PRINTF(1, 2); /* never freed: tests are short */
void write_file(const char *path, const char *text, mode_t mode);
char *read_file(const char *path); /* NULL when it is not there */
bool exists(const char *path);

#endif
