/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.c - an operation object: context, states, operations, and its writers from
 * GatherWriterMetadata on. The set is in backup.c, what carries documents in event.c, the end in
 * release.c.
 */
#include "coordinator/inside.h"

#include <string.h>

#include "base/cleanup.h"

/* ---- contexts (S-1, S-2, S-5) ---- */

#define CONTEXT_MODIFIERS                                                                          \
        (VSS_VOLSNAP_ATTR_NO_AUTORECOVERY | VSS_VOLSNAP_ATTR_TRANSPORTABLE |                       \
         VSS_VOLSNAP_ATTR_NOT_TRANSACTED | VSS_VOLSNAP_ATTR_DIFFERENTIAL | VSS_VOLSNAP_ATTR_PLEX | \
         VSS_VOLSNAP_ATTR_ROLLBACK_RECOVERY | VSS_VOLSNAP_ATTR_TXF_RECOVERY)

bool context_has_writers(uint32_t context) {
        return !(context & VSS_VOLSNAP_ATTR_NO_WRITERS);
}

static int check_context(uint32_t context, struct vss_error *reterr) {
        static const uint32_t known[] = {
                VSS_CTX_BACKUP,       VSS_CTX_FILE_SHARE_BACKUP, VSS_CTX_NAS_ROLLBACK,
                VSS_CTX_APP_ROLLBACK, VSS_CTX_CLIENT_ACCESSIBLE, VSS_CTX_CLIENT_ACCESSIBLE_WRITERS
        };
        uint32_t modifiers = context & CONTEXT_MODIFIERS, base = context & ~modifiers;
        bool is_known = context == VSS_CTX_ALL;

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                is_known = is_known || known[i] == base;
        if (!is_known)
                return vss_fail(reterr, E_INVALIDARG, "there is no context 0x%08x", context);
        if (context == VSS_CTX_ALL)
                return 0;
        if ((base & VSS_VOLSNAP_ATTR_CLIENT_ACCESSIBLE) && modifiers)
                return vss_fail(reterr, E_INVALIDARG,
                                "a client-accessible context takes no modifier (0x%08x)",
                                modifiers);
        if ((modifiers & VSS_VOLSNAP_ATTR_DIFFERENTIAL) && (modifiers & VSS_VOLSNAP_ATTR_PLEX))
                return vss_fail(reterr, E_INVALIDARG,
                                "a copy cannot be DIFFERENTIAL and PLEX at once");
        if ((modifiers & VSS_VOLSNAP_ATTR_NO_AUTORECOVERY) &&
            (modifiers & (VSS_VOLSNAP_ATTR_ROLLBACK_RECOVERY | VSS_VOLSNAP_ATTR_TXF_RECOVERY)))
                return vss_fail(reterr, E_INVALIDARG,
                                "NO_AUTORECOVERY excludes ROLLBACK_RECOVERY and TXF_RECOVERY");
        return 0;
}

/* ---- states ---- */

int session_bad_state(struct vss_error *reterr, const char *words) {
        return vss_fail(reterr, VSS_E_BAD_STATE, "%s", words);
}

int session_idle(const struct session *s, struct vss_error *reterr) {
        return walk_runs(&s->walk)
                       ? session_bad_state(reterr,
                                           "an operation of this session still runs (B-130)")
                       : 0;
}

/* a call that belongs to backups: the restore table refuses it */
int session_in_backup(const struct session *s, struct vss_error *reterr) {
        if (s->restore)
                return session_bad_state(reterr, "this session was opened for a restore");
        if (s->aborted)
                return session_bad_state(reterr,
                                         "the backup was aborted; open a new session (B-117)");
        return session_idle(s, reterr);
}

int session_with_writers(const struct session *s, struct vss_error *reterr) {
        if (!context_has_writers(s->context))
                return session_bad_state(reterr, "in this context no writer takes part (M-74)");
        return 0;
}

int session_new(struct coordinator *c, uint32_t uid, bool restore, void *userdata,
                struct session **ret, struct vss_error *reterr) {
        struct session *s;
        size_t n = 0;
        int r;

        for (s = c->sessions; s; s = s->next)
                n += s->uid == uid && !s->releasing;
        if (uid != 0 && n >= c->settings.max_sessions_per_uid)
                return vss_fail(reterr, VSS_E_WRITER_STATUS_NOT_AVAILABLE,
                                "user %u has %zu sessions, the most allowed; end one first", uid,
                                n);
        s = calloc(1, sizeof(*s));
        r = s ? vss_id_new(&s->id) : -ENOMEM;
        if (r < 0) {
                free(s);
                return vss_fail(reterr, r, "no session can be made");
        }
        s->coordinator = c;
        s->uid = uid;
        s->restore = restore;
        s->userdata = userdata;
        s->snapshot_follows = true;
        LIST_ADD(&c->sessions, s);
        *ret = s;
        return 0;
}

static struct operation *operation_free(struct session *s, struct operation *op) {
        notes_forget(s->coordinator, op);
        free(op->words);
        free(op);
        return NULL;
}

struct session *session_free(struct session *s) {
        if (!s)
                return NULL;
        timer_stop(&s->walk.kick);
        timer_stop(&s->walk.window);
        calls_forget(s->coordinator, &s->walk, NULL);
        session_set_over(s);
        for (size_t i = 0; i < s->n_members; i++)
                bracket_end(s->members[i]);
        for (size_t i = 0; i < s->n_members; i++)
                member_free(s->members[i]);
        free(s->members);
        free(s->absent);
        s->set = set_free(s->set);
        for (struct operation *op = s->operations, *next; op; op = next) {
                next = op->next;
                operation_free(s, op);
        }
        for (size_t i = 0; i < FILTER_COUNT; i++)
                free(s->filter[i]);
        vss_error_clear(&s->walk.error);
        LIST_REMOVE(&s->coordinator->sessions, s);
        free(s);
        return NULL;
}

const struct vss_id *session_id(const struct session *s) {
        return &s->id;
}

void *session_userdata(const struct session *s) {
        return s->userdata;
}

int session_set_context(struct session *s, uint32_t context, struct vss_error *reterr) {
        int r = session_in_backup(s, reterr);

        if (r < 0)
                return r;
        if (s->context_set || s->gathered || s->set)
                return session_bad_state(reterr,
                                         "the context is set once, before anything else (S-4)");
        r = check_context(context, reterr);
        if (r < 0)
                return r;
        s->context = context;
        s->context_set = true;
        return 0;
}

int session_set_backup_state(struct session *s, bool select_components, bool bootable_system_state,
                             uint32_t backup_type, bool partial_files, struct vss_error *reterr) {
        int r = session_in_backup(s, reterr);

        if (r < 0)
                return r;
        if (s->prepared)
                return session_bad_state(reterr,
                                         "SetBackupState belongs before PrepareForBackup (B-4)");
        if (backup_type == VSS_BT_UNDEFINED || backup_type > VSS_BT_OTHER)
                return vss_fail(reterr, E_INVALIDARG, "there is no backup type %u", backup_type);
        s->select_components = select_components;
        s->bootable_system_state = bootable_system_state;
        s->backup_type = backup_type;
        s->partial_files = partial_files;
        s->backup_state_set = true;
        return 0;
}

int session_set_restore_state(struct session *s, uint32_t restore_type, struct vss_error *reterr) {
        int r = session_idle(s, reterr);

        if (r < 0)
                return r;
        if (!s->restore || s->pre_restored)
                return session_bad_state(reterr,
                                         "SetRestoreState belongs to a restore, before PreRestore");
        if (restore_type > VSS_RTYPE_OTHER)
                return vss_fail(reterr, E_INVALIDARG, "there is no restore type %u", restore_type);
        s->restore_type = restore_type;
        return 0;
}

/* ---- operations ---- */

int operation_new(struct session *s, struct operation **ret, struct vss_error *reterr) {
        struct operation *op = calloc(1, sizeof(*op));

        if (!op)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        op->session = s;
        op->number = ++s->coordinator->last_operation;
        op->code = VSS_S_ASYNC_PENDING;
        LIST_ADD(&s->operations, op);
        *ret = op;
        return 0;
}

void operation_start(struct session *s, struct operation *op, const enum phase_id *rows,
                     void (*done)(struct session *), struct operation **ret) {
        s->running = op;
        walk_start(s, rows, done);
        *ret = op;
}

void session_absent(struct session *s, const char *words) {
        char *joined;

        /* only while writers are gathered; later a writer's status has its words */
        if (!s->running || s->gathered || s->doing)
                return;
        if (asprintf(&joined, "%s%s%s", s->absent ? s->absent : "", s->absent ? "; " : "", words) <
            0)
                return;
        free(s->absent);
        s->absent = joined;
}

/* finish() - tell how the running operation ended, and do what waited for that */
void operation_finish(struct session *s) {
        struct coordinator *c = s->coordinator;
        struct operation *op = s->running;
        const struct walk *w = &s->walk;

        s->running = NULL;
        op->code = w->error.code < 0 ? w->error.code
                   : w->cancelled    ? VSS_S_ASYNC_CANCELLED
                                     : VSS_S_ASYNC_FINISHED;
        op->words = op->code == VSS_S_ASYNC_FINISHED && s->absent ? take(s->absent)
                                                                  : text_or_empty(w->error.message);
        c->ports->notice->completed(c->ports->userdata, op, op->code, op->words ? op->words : "");
        if (s->releasing || s->abort_wanted)
                session_next(s);
}

int operation_status(const struct operation *op, const char **ret_words) {
        if (ret_words)
                *ret_words = op->words ? op->words : "";
        return op->code;
}

int operation_cancel(struct operation *op) {
        if (op->code != VSS_S_ASYNC_PENDING)
                return op->code; /* B-129 */
        if (op->session->walk.cancel)
                return VSS_S_ASYNC_CANCELLED; /* BV-33: it will end so */
        walk_cancel(&op->session->walk);
        return 0;
}

uint64_t operation_number(const struct operation *op) {
        return op->number;
}

struct session *operation_session(const struct operation *op) {
        return op->session;
}

/* ---- GatherWriterMetadata ---- */

static bool has_id(const struct session *s, enum filter which, const struct vss_id *id) {
        for (size_t i = 0; i < s->n_filter[which]; i++)
                if (vss_id_equal(&s->filter[which][i], id))
                        return true;
        return false;
}

/* B-31; a writer that lets three deadlines pass in a row is skipped until it starts anew (SEC-43)
 */
bool session_wants(const struct session *s, const struct writer_identity *writer) {
        if (s->n_filter[ENABLED_CLASSES] > 0 && !has_id(s, ENABLED_CLASSES, &writer->writer_id))
                return false;
        return !has_id(s, DISABLED_CLASSES, &writer->writer_id) &&
               !has_id(s, DISABLED_INSTANCES, &writer->instance_id);
}

/* leave_out() - SEC-43: skipped until it starts anew; our own programs are made to */
static void leave_out(struct session *s, struct party *party) {
        note_log(s->coordinator, WORDS_WARNING, s, "identify", party->name,
                 "writer '%s' let %u deadlines pass and is left out; restart it", party->name,
                 party->timeouts);
        if (party->program)
                party_kill(party, "it let too many deadlines pass and was ended");
}

int session_add_member(struct session *s, struct party *party) {
        struct member *m;

        if (party->timeouts >= TIMEOUTS_IN_A_ROW) {
                leave_out(s, party);
                return 0;
        }
        if (ARRAY_RESERVE(&s->members, s->n_members, &s->members_capacity) < 0)
                return -ENOMEM;
        m = calloc(1, sizeof(*m));
        if (!m)
                return -ENOMEM;
        m->session = s;
        m->party = party;
        m->metadata = -1;
        m->components = -1;
        if (writer_identity_copy(&m->identity, &party->writer) < 0) {
                free(m);
                return -ENOMEM;
        }
        s->members[s->n_members++] = m;
        return 0;
}

struct member *session_member(struct session *s, const struct vss_id *instance_id) {
        for (size_t i = 0; i < s->n_members; i++)
                if (vss_id_equal(&s->members[i]->identity.instance_id, instance_id))
                        return s->members[i];
        return NULL;
}

static void gathered(struct session *s) {
        size_t kept = 0;

        for (size_t i = 0; i < s->n_members; i++) /* B-6, B-29: the others were never there */
                if (s->members[i]->identified)
                        s->members[kept++] = s->members[i];
                else
                        member_free(s->members[i]);
        s->n_members = kept;
        s->gathered = !s->walk.cancelled;
        operation_finish(s);
}

static int copy_filter(struct session *s, enum filter which, const struct vss_id *ids, size_t n) {
        free(s->filter[which]);
        s->filter[which] = calloc(n + 1, sizeof(*ids));
        if (!s->filter[which])
                return -ENOMEM;
        if (n > 0)
                memcpy(s->filter[which], ids, n * sizeof(*ids));
        s->n_filter[which] = n;
        return 0;
}

int session_gather_writer_metadata(struct session *s, const struct writer_filter *filter,
                                   struct operation **ret, struct vss_error *reterr) {
        static const struct writer_filter all = { 0 };
        struct operation *op;
        int r = s->restore ? session_idle(s, reterr) : session_in_backup(s, reterr);

        if (r < 0)
                return r;
        if (s->gathered || s->n_members > 0)
                return session_bad_state(reterr,
                                         "GatherWriterMetadata is called once per session (B-6)");
        if (!filter)
                filter = &all;
        r = copy_filter(s, ENABLED_CLASSES, filter->enabled_classes, filter->n_enabled_classes);
        if (r >= 0)
                r = copy_filter(s, DISABLED_CLASSES, filter->disabled_classes,
                                filter->n_disabled_classes);
        if (r >= 0)
                r = copy_filter(s, DISABLED_INSTANCES, filter->disabled_instances,
                                filter->n_disabled_instances);
        if (r < 0)
                return vss_fail(reterr, r, "out of memory");
        r = operation_new(s, &op, reterr);
        if (r < 0)
                return r;
        operation_start(s, op, walk_gather, gathered, ret);
        return 0;
}

int session_count_writers(const struct session *s, size_t *ret, struct vss_error *reterr) {
        int r = session_idle(s, reterr);

        if (r < 0)
                return r;
        if (!s->gathered)
                return session_bad_state(reterr,
                                         "no writer is known before GatherWriterMetadata (B-7)");
        *ret = s->n_members;
        return 0;
}

int session_get_writer(const struct session *s, size_t index, struct session_writer *ret) {
        const struct member *m;

        if (index >= s->n_members)
                return VSS_E_OBJECT_NOT_FOUND;
        m = s->members[index];
        *ret = (struct session_writer){
                .identity = m->identity,
                .state = m->state,
                .failure = m->failure,
                .application_failure = m->application_failure,
                .message = m->message ? m->message : "",
                .metadata = m->metadata,
                .components = m->components,
        };
        return 0;
}
