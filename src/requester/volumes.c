/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volumes.c - what can be copied, and which volume holds a path. Asked of vssd, which has a child
 * for probing; allowed at any time.
 */
#define _GNU_SOURCE
#include "requester/inside.h"

static int hand_out(sd_bus_message *reply, const char *member, vss_volume_sink_t sink,
                    void *userdata, struct vss_error *reterr) {
        struct wire_records records = { 0 };
        const struct wire_candidate *candidates;
        int r = wire_read_records(reply, &wire_candidate, &records);

        if (r < 0)
                return bc_malformed(member, r, reterr);
        candidates = records.items;
        for (size_t i = 0; r >= 0 && i < records.count; i++)
                r = sink(userdata, &candidates[i].volume, candidates[i].provider,
                         candidates[i].refusal);
        wire_clear_records(&wire_candidate, &records);
        return r < 0 ? r : 0;
}

int vss_backup_components_query_volumes(struct vss_backup_components *bc, vss_volume_sink_t sink,
                                        void *userdata, struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        int r = bc_new_call_to(bc, VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "ListVolumes", &m,
                               reterr);

        if (r < 0)
                return r;
        r = bc_send(bc, m, 0, &reply, reterr);
        return r < 0 ? r : hand_out(reply, "ListVolumes", sink, userdata, reterr);
}

int vss_backup_components_resolve_path(struct vss_backup_components *bc, const char *path,
                                       bool below, vss_volume_sink_t sink, void *userdata,
                                       struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        int r;

        if (!path || *path != '/')
                return vss_fail(reterr, E_INVALIDARG, "'%s' is no absolute path", path ? path : "");
        r = bc_new_call_to(bc, VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "ResolvePath", &m, reterr);
        if (r < 0)
                return r;
        r = wire_append_path(m, path);
        if (r >= 0)
                r = sd_bus_message_append(m, "b", (int)below);
        r = bc_send(bc, m, r, &reply, reterr);
        return r < 0 ? r : hand_out(reply, "ResolvePath", sink, userdata, reterr);
}

/* ---- many paths ---- */

enum { QUESTIONS_PER_CALL = 1024 };

struct asking {
        vss_path_sink_t sink;
        void *userdata;
        struct vss_error *failures; /* of the first question, or NULL */
};

static int take_answer(const struct asking *asking, size_t question,
                       const struct wire_resolved *answer, struct vss_error *reterr) {
        const struct wire_candidate *candidates = answer->volumes.items;
        int r = answer->error ? wire_error_code(answer->error) : 0;

        if (r < 0) {
                const char *words = answer->words ? answer->words : vss_error_text(r);

                vss_fail(asking->failures ? &asking->failures[question] : reterr, r, "%s", words);
                return asking->failures ? 0 : r;
        }
        for (size_t i = 0; r >= 0 && i < answer->volumes.count; i++)
                r = asking->sink(asking->userdata, question, &candidates[i].volume,
                                 candidates[i].provider, candidates[i].refusal);
        return r < 0 ? r : 0;
}

static int ask_some(struct vss_backup_components *bc, const struct vss_path_question *questions,
                    struct wire_records paths, sd_bus_message **ret, struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *m = NULL;
        struct wire_path_question *items = paths.items;
        int r;

        for (size_t i = 0; i < paths.count; i++) {
                if (!questions[i].path || *questions[i].path != '/')
                        return vss_fail(reterr, E_INVALIDARG, "'%s' is no absolute path",
                                        questions[i].path ? questions[i].path : "");
                items[i].path = (char *)(uintptr_t)questions[i].path;
                items[i].below = questions[i].below;
        }
        r = bc_new_call_to(bc, VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "ResolvePaths", &m, reterr);
        if (r < 0)
                return r;
        return bc_send(bc, m, wire_append_records(m, &wire_path_question, &paths), ret, reterr);
}

static int resolve_some(struct vss_backup_components *bc, const struct vss_path_question *questions,
                        size_t first, size_t count, const struct asking *asking,
                        struct vss_error *reterr) {
        struct wire_path_question paths[QUESTIONS_PER_CALL];
        _cleanup_message_ sd_bus_message *reply = NULL;
        struct wire_records answers = { 0 };
        int r = ask_some(bc, questions + first, (struct wire_records){ paths, count }, &reply,
                         reterr);

        if (r < 0)
                return r;
        r = wire_read_records(reply, &wire_resolved, &answers);
        if (r >= 0 && answers.count != count)
                r = -EBADMSG;
        if (r < 0)
                r = bc_malformed("ResolvePaths", r, reterr);
        for (size_t i = 0; r >= 0 && i < count; i++)
                r = take_answer(asking, first + i,
                                &((const struct wire_resolved *)answers.items)[i], reterr);
        wire_clear_records(&wire_resolved, &answers);
        return r;
}

int vss_backup_components_resolve_paths(struct vss_backup_components *bc,
                                        const struct vss_path_question *questions, size_t count,
                                        vss_path_sink_t sink, void *userdata,
                                        struct vss_error *failures, struct vss_error *reterr) {
        const struct asking asking = { sink, userdata, failures };
        int r = 0;

        for (size_t done = 0; r >= 0 && done < count; done += QUESTIONS_PER_CALL)
                r = resolve_some(bc, questions, done,
                                 count - done < QUESTIONS_PER_CALL ? count - done
                                                                   : QUESTIONS_PER_CALL,
                                 &asking, reterr);
        return r;
}
