/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job-copy.c - from finished shadow copies to a finished operation in the set: every item of the
 * plan, then the documents that make it restorable (D-3).
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "backup/delta.h"
#include "backup/job.h"
#include "base/cleanup.h"

static int declare_components(struct job *job, struct vss_error *reterr) {
        int r = 0;

        if (job->has_own_base)
                r = op_set_base(job->operation, 0, &job->own_base, job->sets, reterr);
        for (size_t i = 0; r >= 0 && i < job->component_count; i++) {
                struct job_component *c = &job->components[i];
                struct component_key key = job_engine_key(job, c);

                r = op_add_component(job->operation, &key, &c->index, reterr);
                if (r >= 0 && c->has_base)
                        r = op_set_base(job->operation, c->index, &c->base, job->sets, reterr);
                if (r >= 0 && c->failed)
                        r = op_component_failed(job->operation, c->index,
                                                "the writer failed before the copy");
        }
        return r;
}

static struct job_component *component_of_item(struct job *job, const struct plan_item *item) {
        size_t defining = job->selection.writers[item->writer].components[item->component].defining;

        return job_component_find(job, item->writer, defining);
}

/* rule_of() - behind what fails an item as a whole */
static const char *rule_of(const struct plan_item *item, int code) {
        if (code == VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT)
                return "I-101";
        return item->decision == DECIDE_RANGES ? "I-121" : "M-43";
}

static int run_item(struct job *job, const struct plan_item *item, struct vss_error *reterr) {
        _cleanup_error_ struct vss_error words = VSS_ERROR_INIT;
        struct job_component *c;
        int r;

        if (item->decision == DECIDE_SKIP)
                return 0;
        if (item->writer == PLAN_OWN)
                return job_run_item(job, item, 0, reterr);
        c = component_of_item(job, item);
        if (!c || c->failed)
                return 0;
        r = job_run_item(job, item, c->index, &words);
        /* one bad item fails its component, a full or broken store fails the backup */
        if (r == E_INVALIDARG || r == VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT || r == -ENOENT) {
                c->failed = job->item_failed = true;
                job->item_rule = rule_of(item, r);
                if (job->watch->trouble)
                        job->watch->trouble(job->watch->userdata, c->key.name, item->path, r,
                                            vss_error_message(&words));
                return op_component_failed(job->operation, c->index, vss_error_message(&words));
        }
        if (r < 0)
                vss_error_move(reterr, &words);
        return r;
}

/* fail_items() - what was not carried out because its component had failed before (B-85, B-116),
 * and what stands or falls with another item */
static void fail_items(struct job *job) {
        for (size_t i = 0; i < job->plan.count; i++) {
                struct plan_item *item = &job->plan.items[i];
                const struct job_component *c =
                        item->writer == PLAN_OWN ? NULL : component_of_item(job, item);

                if (!c || !c->failed || item->failed || item->decision == DECIDE_SKIP)
                        continue;
                item->failed = true;
                item->rule = c->rule ? c->rule : "B-153";
        }
}

/* run_plan() - B-141: writer by writer, component by component; own paths and what the writers'
 * entries added come last */
static int run_plan(struct job *job, struct vss_error *reterr) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < job->plan.count; i++) {
                struct plan_item *item = &job->plan.items[i];

                job->item_failed = job->item_left_out = false;
                job->item_rule = "B-153";
                r = run_item(job, item, reterr);
                item->failed = job->item_failed;
                item->left_out = job->item_left_out;
                if (item->failed || item->left_out)
                        item->rule = item->failed ? job->item_rule : "I-135";
        }
        fail_items(job);
        return r;
}

/* ---- documents ---- */

static int put_writer_document(struct job *job, const struct chosen_writer *writer,
                               struct vss_error *reterr) {
        char class[VSS_ID_TEXT_SIZE], instance[VSS_ID_TEXT_SIZE];
        _cleanup_free_ char *xml = NULL, *name = NULL;
        size_t size;
        int r = vss_examine_writer_metadata_save_as_xml(writer->metadata, &xml, &size, reterr);

        if (r < 0)
                return r;
        if (asprintf(&name, "writers/%s-%s.xml", vss_id_format(&writer->identity.writer_id, class),
                     vss_id_format(&writer->instance_id, instance)) < 0) {
                name = NULL;
                return -ENOMEM;
        }
        return op_put_document(job->operation, name, xml, size, reterr);
}

static int put_documents(struct job *job, struct vss_error *reterr) {
        _cleanup_free_ char *xml = NULL, *request = request_format(job->request->what);
        size_t size;
        int r;

        if (!request)
                return -ENOMEM;
        r = vss_backup_components_save_as_xml(job->bc, &xml, &size, reterr);
        if (r >= 0)
                r = op_put_document(job->operation, "backup-components.xml", xml, size, reterr);
        if (r >= 0)
                r = op_put_document(job->operation, REQUEST_DOCUMENT, request, strlen(request),
                                    reterr);
        for (size_t i = 0; r >= 0 && i < job->selection.writer_count; i++)
                if (job->selection.writers[i].participates ||
                    job->selection.writers[i].component_count == 0)
                        r = put_writer_document(job, &job->selection.writers[i], reterr);
        return r;
}

/* B-17: told before the documents are saved, so that the results are inside */
static int report_success(struct job *job, struct vss_error *reterr) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < job->component_count; i++) {
                const struct job_component *c = &job->components[i];

                r = vss_backup_components_set_backup_succeeded(
                        job->bc, &job->selection.writers[c->writer].instance_id, &c->key,
                        !c->failed, reterr);
        }
        return r;
}

/* end_operation() - own names are asked about while the manifest is made */
static int end_operation(struct job *job, struct vss_error *reterr) {
        struct own_names own = { 0 };
        int r = job->own_paths ? job_own_names_init(&own, job) : 0;

        if (r >= 0 && own.map)
                op_tell_own(job->operation, job_is_own, &own);
        if (r >= 0)
                r = op_end(job->operation, reterr);
        job_coverage_free(own.map);
        return r;
}

int job_copy(struct job *job, struct set_writer *set, struct vss_error *reterr) {
        const struct vss_id *id = &set_writer_info(set)->id;
        int r = op_begin(set, job->type, &job->operation, reterr);

        if (r >= 0)
                r = declare_components(job, reterr);
        if (r >= 0)
                delta_settle(job, id);
        if (r >= 0)
                r = delta_ask(job);
        if (r >= 0)
                r = run_plan(job, reterr);
        if (r >= 0)
                r = volumes_check_copies(job->bc, &job->volumes, reterr);
        if (r >= 0)
                r = delta_keep(job, id, reterr);
        if (r >= 0)
                r = end_operation(job, reterr);
        if (r >= 0)
                r = report_success(job, reterr);
        if (r >= 0)
                r = put_documents(job, reterr);
        job_tell_notes(job);
        return r;
}
