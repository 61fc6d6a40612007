/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * notes.c - progress and log words, kept in memory while something is held (S-30).
 *
 * The room for them is allocated before; what does not fit any more is counted, not lost silently.
 */
#include "coordinator/inside.h"

#include <stdarg.h>
#include <string.h>

bool coordinator_held(const struct coordinator *c) {
        return c->window_open || c->hold_open;
}

/* cut() - as much as fits, never half a UTF-8 character */
static void cut(char *to, size_t size, const char *from) {
        size_t n = strnlen(from, size - 1);

        while (from[n] && n > 0 && ((unsigned char)from[n] & 0xc0) == 0x80)
                n--;
        memcpy(to, from, n);
        to[n] = '\0';
}

int notes_reserve(struct coordinator *c, size_t count) {
        struct note *grown;

        if (count <= c->notes_capacity)
                return 0;
        grown = realloc(c->notes, count * sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        c->notes = grown;
        c->notes_capacity = count;
        return 0;
}

static struct note *note_new(struct coordinator *c) {
        if (c->n_notes == c->notes_capacity) {
                c->lost_notes++;
                return NULL;
        }
        c->notes[c->n_notes] = (struct note){ 0 };
        return &c->notes[c->n_notes++];
}

void note_progress(struct coordinator *c, struct operation *operation, const char *phase,
                   const char *who) {
        struct note *note;

        if (!operation)
                return;
        if (!coordinator_held(c)) {
                c->ports->notice->progress(c->ports->userdata, operation, phase, who);
                return;
        }
        note = note_new(c);
        if (!note)
                return;
        note->progress = true;
        note->operation = operation;
        note->record.phase = phase; /* of the table: static */
        cut(note->who, sizeof(note->who), who);
}

static void emit(struct coordinator *c, struct log_record *record, struct session *session) {
        struct note *note;

        if (session) {
                record->session_id = session->id;
                if (session->set)
                        record->set_id = session->set->view.set_id;
                if (record->level <= WORDS_WARNING)
                        session_absent(session, record->message);
        }
        if (!coordinator_held(c)) {
                c->ports->notice->log(c->ports->userdata, record);
                return;
        }
        note = note_new(c);
        if (!note)
                return;
        note->record = *record;
        cut(note->who, sizeof(note->who), record->who);
        cut(note->message, sizeof(note->message), record->message);
}

void note_log(struct coordinator *c, enum log_level level, struct session *session,
              const char *phase, const char *who, const char *format, ...) {
        char words[sizeof(((struct note *)NULL)->message)];
        struct log_record record = { .level = level, .phase = phase, .who = who, .message = words };
        va_list args;

        va_start(args, format);
        (void)vsnprintf(words, sizeof(words), format, args);
        va_end(args);
        emit(c, &record, session);
}

void note_rejected(const struct member *m, const struct phase *phase, int code, const char *words) {
        struct log_record record = { .level = WORDS_ERROR,
                                     .phase = phase->name,
                                     .who = m->identity.name,
                                     .message = words,
                                     .writer_id = m->identity.writer_id,
                                     .instance_id = m->identity.instance_id,
                                     .code = code };

        emit(m->session->coordinator, &record, m->session);
}

void notes_flush(struct coordinator *c) {
        size_t lost = c->lost_notes;

        for (size_t i = 0; i < c->n_notes; i++) {
                struct note *note = &c->notes[i];

                note->record.who = note->who;
                note->record.message = note->message;
                if (!note->progress)
                        c->ports->notice->log(c->ports->userdata, &note->record);
                else if (note->operation)
                        c->ports->notice->progress(c->ports->userdata, note->operation,
                                                   note->record.phase, note->who);
        }
        c->n_notes = 0;
        c->lost_notes = 0;
        if (lost > 0)
                note_log(c, WORDS_WARNING, NULL, "", "",
                         "%zu messages of the frozen time found no room", lost);
}

void notes_forget(struct coordinator *c, const struct operation *operation) {
        for (size_t i = 0; i < c->n_notes; i++)
                if (c->notes[i].operation == operation)
                        c->notes[i].operation = NULL;
}
