/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.c - what is remembered of each operation that this writer takes part in (B-104, B-140).
 */
#include "writer/writer.h"

#include <stdlib.h>

struct writer_session *writer_find_session(struct vss_writer *writer, const struct vss_id *id) {
        struct writer_session *session = writer->sessions;

        while (session && !vss_id_equal(&session->id, id))
                session = session->next;
        return session;
}

int writer_get_session(struct vss_writer *writer, const struct vss_id *id,
                       struct writer_session **ret) {
        struct writer_session *session = writer_find_session(writer, id);

        if (!session) {
                session = calloc(1, sizeof(*session));
                if (!session)
                        return -ENOMEM;
                session->id = *id;
                session->state = SESSION_NEW;
                session->next = writer->sessions;
                writer->sessions = session;
        }
        *ret = session;
        return 0;
}

void writer_end_session(struct vss_writer *writer, struct writer_session *session) {
        struct writer_session **link = &writer->sessions;

        while (*link && *link != session)
                link = &(*link)->next;
        if (*link)
                *link = session->next;
        wire_clear(&wire_info, &session->info);
        writer_components_free(session->restoring);
        free(session);
}

struct writer_session *writer_frozen_session(struct vss_writer *writer) {
        struct writer_session *session = writer->sessions;

        while (session && session->window_end == 0)
                session = session->next;
        return session;
}
