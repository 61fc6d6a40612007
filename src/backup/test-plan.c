/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-plan.c - which components a backup takes, and what the plan decides for each file set.
 */
#define _GNU_SOURCE
#include "tests/check.h"

#include <stdarg.h>

#include "backup/plan.h"
#include "base/array.h"
#include "base/cleanup.h"

#define WRITER "11111111-2222-4333-8444-555555555555"
#define INSTANCE "99999999-2222-4333-8444-555555555555"

/* ---- documents, as a writer would have made them ---- */

static struct vss_examine_writer_metadata *metadata(uint32_t schema, const char *locations) {
        struct vss_examine_writer_metadata *m;
        struct vss_error error = VSS_ERROR_INIT;
        char *xml;

        CHECK(asprintf(&xml,
                       "<WRITER_METADATA xmlns=\"x-schema:#VssWriterMetadataInfo\" version=\"1.2\" "
                       "backupSchema=\"%u\"><IDENTIFICATION writerId=\"" WRITER
                       "\" instanceId=\"" INSTANCE "\" friendlyName=\"Shop\" usage=\"USER_DATA\" "
                       "dataSource=\"OTHER\" majorVersion=\"0\" minorVersion=\"0\"/>"
                       "<RESTORE_METHOD method=\"RESTORE_IF_CAN_BE_REPLACED\" "
                       "writerRestore=\"never\" rebootRequired=\"no\"/>"
                       "<BACKUP_LOCATIONS>%s</BACKUP_LOCATIONS></WRITER_METADATA>",
                       schema, locations) > 0);
        if (vss_examine_writer_metadata_create(xml, strlen(xml), &m, &error) < 0)
                CHECK_FAIL_("%s", vss_error_message(&error));
        free(xml);
        return m;
}

/* another writer, with the component "base" that "Shop" may depend on, its part and a required
 * one */
#define OTHER "22222222-2222-4333-8444-555555555555"
static const char depot[] =
        "<WRITER_METADATA xmlns=\"x-schema:#VssWriterMetadataInfo\" version=\"1.2\" "
        "backupSchema=\"0\"><IDENTIFICATION writerId=\"" OTHER "\" instanceId=\"" OTHER
        "\" friendlyName=\"Depot\" usage=\"USER_DATA\" dataSource=\"OTHER\" majorVersion=\"0\" "
        "minorVersion=\"0\"/><RESTORE_METHOD method=\"RESTORE_IF_CAN_BE_REPLACED\" "
        "writerRestore=\"never\" rebootRequired=\"no\"/><BACKUP_LOCATIONS>%s</BACKUP_LOCATIONS>"
        "</WRITER_METADATA>";

#define GROUP(path, name, selectable, files)                                                       \
        "<FILE_GROUP" path " componentName=\"" name                                                \
        "\" restoreMetadata=\"no\" notifyOnBackupComplete=\"no\" selectable=\"" selectable         \
        "\" selectableForRestore=\"no\" componentFlags=\"0\">" files "</FILE_GROUP>"
#define FILES(path, spec, extra) "<FILE_LIST path=\"" path "\" filespec=\"" spec "\" " extra "/>"
#define MASK(decimal) "filespecBackupType=\"" decimal "\""

static struct vss_stored_backup_components *components(const char *inner) {
        struct vss_stored_backup_components *stored;
        struct vss_error error = VSS_ERROR_INIT;
        char *xml;

        CHECK(asprintf(
                      &xml,
                      "<BACKUP_COMPONENTS xmlns=\"x-schema:#VssComponentMetadata\" version=\"1.2\" "
                      "bootableSystemStateBackup=\"no\" selectComponents=\"yes\" "
                      "backupType=\"incremental\" partialFileSupport=\"yes\" "
                      "snapshotSetId=\"" WRITER "\"><WRITER_COMPONENTS instanceId=\"" INSTANCE
                      "\" writerId=\"" WRITER "\" backupSchema=\"115\">"
                      "<COMPONENT componentName=\"c\" componentType=\"filegroup\">%s</COMPONENT>"
                      "</WRITER_COMPONENTS></BACKUP_COMPONENTS>",
                      inner) > 0);
        if (vss_stored_backup_components_load(xml, strlen(xml), &stored, &error) < 0)
                CHECK_FAIL_("%s", vss_error_message(&error));
        free(xml);
        return stored;
}

struct fixture {
        struct vss_examine_writer_metadata *metadata;
        struct selection selection;
        struct plan plan;
};

static struct fixture choose(struct vss_examine_writer_metadata *m,
                             const struct selection_request *request) {
        struct fixture f = { .metadata = m };
        struct vss_error error = VSS_ERROR_INIT;
        struct vss_id instance;

        CHECK_INT(vss_id_parse(INSTANCE, &instance), 0);
        CHECK_INT(selection_add_writer(&f.selection, &instance, m), 0);
        if (selection_choose(&f.selection, request, &error) < 0)
                CHECK_FAIL_("%s", vss_error_message(&error));
        return f;
}

static void done(struct fixture *f) {
        plan_done(&f->plan);
        selection_done(&f->selection);
        vss_examine_writer_metadata_free(f->metadata);
}

static const struct chosen_component *named(const struct fixture *f, const char *path) {
        const struct chosen_writer *w = &f->selection.writers[0];

        for (size_t i = 0; i < w->component_count; i++)
                if (strcmp(w->components[i].full_path, path) == 0)
                        return &w->components[i];
        CHECK_FAIL_("no component %s", path);
}

/* ---- selection ---- */

static const char shop[] = GROUP("", "config", "no", FILES("/etc/shop", "*", MASK("3855")))
        GROUP("", "data", "yes", FILES("/srv/shop", "*", MASK("3855"))) GROUP(
                " logicalPath=\"data\"", "jan", "no", FILES("/srv/shop/jan", "*", MASK("3855")))
                GROUP(" logicalPath=\"data\"", "feb", "yes", FILES("/var/feb", "*", MASK("3855")))
                        GROUP("", "other", "yes", FILES("/srv/other", "*", MASK("3855")));

static void test_by_paths(void) {
        const char *const paths[] = { "/srv", "/var/feb", NULL };
        const struct selection_request request = { .paths = paths };
        struct fixture f = choose(metadata(0, shop), &request);

        CHECK(named(&f, "data")->explicit_); /* all of its set lies below */
        CHECK(named(&f, "other")->explicit_);
        CHECK(!named(&f, "data\\jan")->explicit_ && named(&f, "data\\jan")->included); /* L-8 */
        CHECK(!named(&f, "data\\feb")->explicit_ && named(&f, "data\\feb")->included); /* L-31 */
        CHECK_INT(named(&f, "data\\jan")->defining, 1);
        CHECK(named(&f, "config")->explicit_); /* L-10: required, though outside of the paths */
        CHECK_INT(f.selection.note_count, 1);
        CHECK(strstr(f.selection.notes[0], "config"));
        done(&f);
}

/* a set that is only partly below the paths is not taken; what is whole below it is (L-9) */
static void test_partly_below(void) {
        const char *const paths[] = { "/var/feb", NULL };
        const struct selection_request request = { .paths = paths };
        struct fixture f = choose(metadata(0, shop), &request);

        CHECK(!named(&f, "data")->included);
        CHECK(named(&f, "data\\feb")->explicit_);
        CHECK(!named(&f, "data\\jan")->included); /* L-12 */
        done(&f);
        /* its own files lie below, those of a member of its set do not */
        f = choose(metadata(0, shop),
                   &(struct selection_request){ .paths = (const char *const[]){ "/srv", NULL } });
        CHECK(!named(&f, "data")->included && named(&f, "other")->explicit_);
        done(&f);
}

static void test_nothing_below(void) {
        const char *const paths[] = { "/srvx", "/", NULL };
        const char *const similar[] = { "/srvx", NULL };
        const struct selection_request request = { .paths = similar };
        struct fixture f = choose(metadata(0, shop), &request);

        CHECK(!f.selection.writers[0].participates); /* SV-1 */
        CHECK(!named(&f, "config")->included);
        done(&f);
        f = choose(metadata(0, shop), &(struct selection_request){ .paths = paths });
        CHECK(named(&f, "data")->explicit_ && named(&f, "config")->explicit_);
        done(&f);
}

/* plain copies of a part of a component are no backup of it: each writer's first is named (B-152)
 */
static void test_part_is_told(void) {
        static const char database[] =
                GROUP("", "app", "yes",
                      FILES("/srv", "a.db", MASK("3855")) FILES("/srv", "a.db-wal*", MASK("3855")));
        static const char tree[] =
                GROUP("", "web", "yes", FILES("/srv/tree", "*", "recursive=\"yes\""));
        const struct {
                const char *has, *path, *words;
        } rows[] = {
                { database, "/srv/a.db", "--component 'Shop:app'" },
                { database, "/srv/b.db", NULL },
                { database, "/srv/a.db/x", NULL },
                { database, "/srv", NULL },
                { shop, "/srv/shop/feb", NULL }, /* perhaps a folder */
                { tree, "/srv/tree/a/b", "'/srv/tree/a/b' has of it" },
                { tree, "/srv/trees", NULL },
                { shop, "/srv/other", NULL },
                { shop, "/srv/shop", "component 'data' of writer 'Shop'" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const char *const paths[] = { rows[i].path, NULL };
                struct fixture f = choose(metadata(0, rows[i].has),
                                          &(struct selection_request){ .paths = paths });
                const char *note = NULL;

                for (size_t k = 0; k < f.selection.note_count; k++)
                        if (strstr(f.selection.notes[k], "only a part"))
                                note = f.selection.notes[k];
                CHECK(!note == !rows[i].words);
                CHECK(!note || strstr(note, rows[i].words));
                done(&f);
        }
}

static void test_by_name(void) {
        const char *const names[] = { "Shop:data\\feb", WRITER ":other", NULL };
        const struct selection_request request = { .components = names };
        struct fixture f = choose(metadata(0, shop), &request);

        CHECK(named(&f, "data\\feb")->explicit_ && named(&f, "other")->explicit_);
        CHECK(named(&f, "config")->explicit_); /* L-10 */
        CHECK(!named(&f, "data")->included);
        done(&f);
}

/* L-32: naming the part first and the whole later leaves only the whole explicit */
static void test_whole_after_part(void) {
        const char *const names[] = { "Shop:data\\feb", "Shop:data", NULL };
        struct fixture f =
                choose(metadata(0, shop), &(struct selection_request){ .components = names });

        CHECK(named(&f, "data")->explicit_);
        CHECK(!named(&f, "data\\feb")->explicit_ && named(&f, "data\\feb")->included);
        done(&f);
}

static int choose_fails(const char *name) {
        struct vss_examine_writer_metadata *m = metadata(0, shop);
        const char *const names[] = { name, NULL };
        const struct selection_request request = { .components = names };
        struct selection s = { 0 };
        struct vss_error error = VSS_ERROR_INIT;
        struct vss_id instance = { { 1 } };
        int r;

        CHECK_INT(selection_add_writer(&s, &instance, m), 0);
        r = selection_choose(&s, &request, &error);
        CHECK(r < 0 && strstr(vss_error_message(&error), name));
        vss_error_clear(&error);
        selection_done(&s);
        vss_examine_writer_metadata_free(m);
        return r;
}

static void test_bad_names(void) {
        CHECK_INT(choose_fails("Shop:nope"), VSS_E_OBJECT_NOT_FOUND); /* L-28 */
        CHECK_INT(choose_fails("Nobody"), VSS_E_OBJECT_NOT_FOUND);
        CHECK_INT(choose_fails("Shop:data\\jan"), E_INVALIDARG); /* L-30 */
}

/* ---- dependencies on another writer's components ---- */

#define DEPENDS(path, name)                                                                        \
        "<DEPENDENCY writerId=\"" OTHER "\" logicalPath=\"" path "\" componentName=\"" name "\"/>"

struct two {
        struct vss_examine_writer_metadata *shop, *depot;
        struct selection s;
};

static struct two choose_two(const char *shop_has, const char *depot_has, const char *const *names,
                             const char *const *paths) {
        struct two t = { .shop = metadata(0, shop_has) };
        struct vss_error error = VSS_ERROR_INIT;
        struct vss_id id = { { 1 } };
        char *xml;

        CHECK(asprintf(&xml, depot, depot_has) > 0);
        CHECK_INT(vss_examine_writer_metadata_create(xml, strlen(xml), &t.depot, &error), 0);
        free(xml);
        CHECK_INT(selection_add_writer(&t.s, &id, t.shop), 0);
        CHECK_INT(selection_add_writer(&t.s, &id, t.depot), 0);
        CHECK_INT(selection_choose(
                          &t.s, &(struct selection_request){ .components = names, .paths = paths },
                          &error),
                  0);
        return t;
}

static void done_two(struct two *t) {
        selection_done(&t->s);
        vss_examine_writer_metadata_free(t->shop);
        vss_examine_writer_metadata_free(t->depot);
}

static const char u_depends[] =
        GROUP("", "U", "yes", FILES("/srv/u", "*", MASK("3855")) DEPENDS("top", "part"))
                GROUP("", "alone", "yes", FILES("/srv/alone", "*", MASK("3855")));
static const char v_part[] = GROUP("", "top", "yes", FILES("/var/top", "*", MASK("3855")))
        GROUP(" logicalPath=\"top\"", "part", "no", FILES("/var/part", "*", MASK("3855")))
                GROUP("", "must", "no", FILES("/etc/depot", "*", MASK("3855")))
                        GROUP("", "free", "yes", FILES("/var/free", "*", MASK("3855")));

/* SV-42, B-158: the target comes along, explicit where it may be, with what its writer requires */
static void test_dependency_pulls(void) {
        const char *const names[] = { "Shop:U", NULL };
        const char *const paths[] = { "/srv", NULL };

        for (int by_paths = 0; by_paths < 2; by_paths++) {
                struct two t = choose_two(u_depends, v_part, by_paths ? NULL : names,
                                          by_paths ? paths : NULL);
                const struct chosen_component *v = t.s.writers[1].components;

                CHECK(t.s.writers[1].participates);
                CHECK(v[0].explicit_); /* "part" cannot be explicit itself (L-8) */
                CHECK(!v[1].explicit_ && v[1].included);
                CHECK(v[2].explicit_); /* L-10 */
                CHECK(!v[3].included);
                CHECK(strstr(t.s.notes[0], "'top\\part' of writer 'Depot' is taken too: 'U'"));
                done_two(&t);
        }
}

static void test_dependency_not_chosen(void) {
        const char *const names[] = { "Shop:alone", NULL };
        struct two t = choose_two(u_depends, v_part, names, NULL);

        CHECK(!t.s.writers[1].participates); /* the dependent is not in the backup */
        CHECK_INT(t.s.note_count, 0);
        done_two(&t);
}

/* the target is not here, or on another machine (B-160): kept, and said once */
static void test_dependency_missing(void) {
        static const char far[] =
                GROUP("", "U", "yes",
                      FILES("/srv/u", "*", MASK("3855")) DEPENDS("\\\\host\\top", "part"));
        const char *const names[] = { "Shop:U", NULL };
        struct two t = choose_two(u_depends, GROUP("", "x", "yes", FILES("/x", "*", MASK("3855"))),
                                  names, NULL);

        CHECK(t.s.writers[0].components[0].explicit_ && !t.s.writers[1].participates);
        CHECK_INT(t.s.note_count, 1);
        CHECK(strstr(t.s.notes[0], "depends on 'top\\part'"));
        CHECK(strstr(t.s.notes[0], "nobody here has"));
        done_two(&t);
        t = choose_two(far, v_part, names, NULL);
        CHECK(!t.s.writers[1].participates);
        CHECK(strstr(t.s.notes[0], "another machine"));
        done_two(&t);
}

/* each depends on the other's: no endless round; the pulled one's own dependency counts too */
static void test_dependency_ring(void) {
        static const char back[] =
                GROUP("", "top", "yes",
                      FILES("/var/top", "*", MASK("3855")) "<DEPENDENCY writerId=\"" WRITER
                                                           "\" componentName=\"alone\"/>")
                        GROUP(" logicalPath=\"top\"", "part", "yes",
                              FILES("/var/part", "*", MASK("3855")) "<DEPENDENCY writerId=\"" WRITER
                                                                    "\" componentName=\"alone\"/>");
        const char *const names[] = { "Shop:U", NULL };
        struct two t = choose_two(u_depends, back, names, NULL);

        CHECK(!t.s.writers[1].components[0].explicit_); /* L-7: "part" alone is enough */
        CHECK(t.s.writers[1].components[1].explicit_);
        CHECK(t.s.writers[0].components[1].explicit_);
        CHECK_INT(t.s.note_count, 2);
        done_two(&t);
}

/* ---- masks: IV-18..IV-30, IV-34 ---- */

static const struct mask_row {
        const char *vector;
        uint32_t type, schema;
        const char *mask;
        enum decision decision;
        bool snapshot;
} mask_rows[] = {
        { "IV-18", VSS_BT_FULL, 0, "3855", DECIDE_WHOLE, true },
        { "IV-19", VSS_BT_INCREMENTAL, VSS_BS_INCREMENTAL, "3855", DECIDE_WHOLE, true },
        { "IV-20", VSS_BT_INCREMENTAL, VSS_BS_INCREMENTAL, "257", DECIDE_SKIP, false },
        { "IV-21", VSS_BT_DIFFERENTIAL, VSS_BS_DIFFERENTIAL, "514", DECIDE_WHOLE, true },
        { "IV-22", VSS_BT_INCREMENTAL, VSS_BS_INCREMENTAL, "514", DECIDE_SKIP, false },
        { "IV-23", VSS_BT_INCREMENTAL, VSS_BS_INCREMENTAL, "4", DECIDE_WHOLE, false },
        { "IV-24", VSS_BT_FULL, 0, "1024", DECIDE_SKIP, false },
        { "IV-27", VSS_BT_COPY, VSS_BS_COPY, "257", DECIDE_WHOLE, true },
        { "IV-28", VSS_BT_COPY, VSS_BS_COPY, "3598", DECIDE_SKIP, false },
        { "IV-29", VSS_BT_INCREMENTAL, 0, "257", DECIDE_WHOLE, true },
        { "IV-30", VSS_BT_FULL, 0, "0", DECIDE_SKIP, false },
        { "IV-34", VSS_BT_FULL, 0, "15", DECIDE_WHOLE, false },
        { "I-91", VSS_BT_LOG, VSS_BS_LOG, "8", DECIDE_WHOLE, false },
        { "I-91", VSS_BT_LOG, VSS_BS_LOG, "2056", DECIDE_WHOLE, true },
        { "I-91", VSS_BT_LOG, VSS_BS_LOG, "3847", DECIDE_SKIP, false },
};

static void test_masks(void) {
        const char *const names[] = { "Shop", NULL };
        const struct selection_request request = { .components = names };

        for (size_t i = 0; i < ELEMENTSOF(mask_rows); i++) {
                const struct mask_row *row = &mask_rows[i];
                struct fixture f;
                char *group;

                CHECK(asprintf(&group,
                               GROUP("", "c", "yes",
                                     "<FILE_LIST path=\"/d\" filespec=\"*.t\" "
                                     "filespecBackupType=\"%s\"/>"),
                               row->mask) > 0);
                f = choose(metadata(row->schema, group), &request);
                free(group);
                CHECK_INT(plan_make(&f.selection, NULL, row->type, &f.plan), 0);
                CHECK_INT(f.plan.count, 1);
                if (f.plan.items[0].decision != row->decision ||
                    (row->decision == DECIDE_WHOLE &&
                     f.plan.items[0].from_snapshot != row->snapshot))
                        CHECK_FAIL_("%s: %s by %s", row->vector, plan_item_word(&f.plan.items[0]),
                                    f.plan.items[0].rule);
                /* IV-107, IV-108: without LAST_MODIFY nothing may turn up later */
                CHECK_INT(plan_needs_snapshot(&f.plan, &f.plan.items[0]),
                          row->decision == DECIDE_WHOLE && row->snapshot);
                done(&f);
        }
}

static void test_own_paths(void) {
        const char *const paths[] = { "/home", NULL };
        struct fixture f = choose(metadata(0, shop), &(struct selection_request){ .paths = paths });

        CHECK_INT(plan_make(&f.selection, paths, VSS_BT_FULL, &f.plan), 0);
        CHECK_INT(f.plan.count, 1);
        CHECK_INT(f.plan.items[0].decision, DECIDE_WHOLE);
        CHECK_STR(f.plan.items[0].rule, "B-149");
        plan_done(&f.plan);
        CHECK_INT(plan_make(&f.selection, paths, VSS_BT_DIFFERENTIAL, &f.plan), 0);
        CHECK_INT(f.plan.items[0].decision, DECIDE_COMPARE);
        CHECK_STR(f.plan.items[0].rule, "I-114");
        done(&f);
}

/* ---- entries: IV-35..IV-45, IV-67..IV-73 ---- */

static struct fixture with_entries(uint32_t type, const char *mask, const char *entries) {
        const char *const names[] = { "Shop", NULL };
        struct vss_stored_backup_components *stored = components(entries);
        struct vss_error error = VSS_ERROR_INIT;
        struct fixture f;
        char *group;

        CHECK(asprintf(&group,
                       GROUP("", "c", "yes",
                             "<FILE_LIST path=\"/d\" filespec=\"*.t\" alternatePath=\"/alt\" "
                             "filespecBackupType=\"%s\"/>"),
                       mask) > 0);
        /* 0x73: DIFF, INC, COPY, TIMESTAMPED, LAST_MODIFY */
        f = choose(metadata(0x73, group), &(struct selection_request){ .components = names });
        free(group);
        CHECK_INT(plan_make(&f.selection, NULL, type, &f.plan), 0);
        if (plan_add_entries(&f.plan, 0, vss_stored_backup_components_get_writer(stored, 0),
                             &f.selection, &error) < 0)
                CHECK_FAIL_("%s", vss_error_message(&error));
        vss_stored_backup_components_free(stored);
        return f;
}

#define DIFFERENCED(path, spec, time)                                                              \
        "<DIFFERENCED_FILES path=\"" path "\" filespec=\"" spec                                    \
        "\" recursive=\"no\" lastModifyTime=\"" time "\"/>"
#define PARTIAL(path, name, ranges)                                                                \
        "<PARTIAL_FILE path=\"" path "\" filespec=\"" name "\" ranges=\"" ranges "\"/>"

static void test_differenced(void) {
        struct fixture f =
                with_entries(VSS_BT_INCREMENTAL, "3855", DIFFERENCED("/d", "*.t", "200"));

        CHECK_INT(f.plan.count, 1); /* IV-36: the entry replaces the mask, I-105 */
        CHECK_INT(f.plan.items[0].decision, DECIDE_SINCE);
        CHECK_INT(f.plan.items[0].since, 200);
        CHECK_STR(f.plan.items[0].rule, "I-102");
        CHECK_STR(plan_reads(&f.plan.items[0]), "/alt"); /* IV-50 */
        done(&f);
        f = with_entries(VSS_BT_INCREMENTAL, "257", DIFFERENCED("/d", "*.t", "200"));
        CHECK_INT(f.plan.items[0].decision, DECIDE_SINCE); /* IV-41: entry beats missing bit */
        done(&f);
        f = with_entries(VSS_BT_FULL, "257", DIFFERENCED("/d", "*.t", "200"));
        CHECK_INT(f.plan.items[0].decision, DECIDE_WHOLE); /* IV-42, I-108 */
        done(&f);
        f = with_entries(VSS_BT_DIFFERENTIAL, "3855", DIFFERENCED("/d", "*.t", "0"));
        CHECK_INT(f.plan.items[0].decision, DECIDE_COMPARE); /* IV-38, I-103 */
        done(&f);
        f = with_entries(VSS_BT_INCREMENTAL, "3855", DIFFERENCED("/d/new", "*.u", "100"));
        CHECK_INT(f.plan.count, 2); /* IV-45: new files, from the shadow copy (I-106, I-112) */
        CHECK_INT(f.plan.items[1].decision, DECIDE_SINCE);
        CHECK(f.plan.items[1].from_snapshot);
        CHECK_INT(f.plan.items[0].decision, DECIDE_WHOLE);
        done(&f);
}

static void test_partial(void) {
        struct fixture f = with_entries(VSS_BT_INCREMENTAL, "257", PARTIAL("/d", "p.t", "0:5"));

        CHECK_INT(f.plan.count, 2); /* IV-68: the rest stays under its mask (I-127) */
        CHECK_INT(f.plan.items[0].decision, DECIDE_SKIP);
        CHECK_INT(f.plan.items[1].decision, DECIDE_RANGES);
        CHECK_STR(f.plan.items[1].rule, "I-124");
        CHECK_STR(plan_reads(&f.plan.items[1]), "/alt"); /* I-126 */
        CHECK(f.plan.items[1].must_exist);
        done(&f);
        f = with_entries(VSS_BT_INCREMENTAL, "15", PARTIAL("/d", "p.t", "0:5"));
        CHECK(!f.plan.items[1].from_snapshot); /* IV-77, I-125 */
        done(&f);
        f = with_entries(VSS_BT_INCREMENTAL, "15",
                         PARTIAL("/d", "p.t", "0:5") PARTIAL("/d", "p.t", "9:1")
                                 PARTIAL("/d/sub", "n.t", "0:1"));
        CHECK_INT(f.plan.count, 3);
        CHECK_INT(f.plan.items[1].ranges_count, 2); /* I-130 */
        CHECK(f.plan.items[2].from_snapshot); /* IV-72: a new file */
        done(&f);
}

/* I-128: a ranges file is an item of its own, once, and no file set that entries could mean */
static void test_ranges_file(void) {
        struct fixture f =
                with_entries(VSS_BT_INCREMENTAL, "3855",
                             PARTIAL("/d", "p.t", "/var/r.t") PARTIAL("/d", "q.t", "File= /var/r.t")
                                     PARTIAL("/d", "p.t", "/r2") PARTIAL("/d", "s.t", "/var/../r3")
                                             PARTIAL("/var", "r.t", "0:1"));

        CHECK_INT(f.plan.count, 7);
        CHECK_INT(f.plan.single_count, 6);
        CHECK_INT(f.plan.items[1].decision, DECIDE_RANGES);
        CHECK_STR(f.plan.items[2].path, "/var");
        CHECK_STR(f.plan.items[2].filespec, "r.t");
        CHECK_STR(f.plan.items[2].rule, "I-128");
        CHECK_INT(f.plan.items[2].decision, DECIDE_WHOLE);
        CHECK(f.plan.items[2].live && !f.plan.items[2].from_snapshot &&
              f.plan.items[2].must_exist && !f.plan.items[2].alternate);
        CHECK_INT(f.plan.items[3].decision, DECIDE_RANGES); /* q.t */
        CHECK_STR(f.plan.items[4].path, "/");
        CHECK_STR(f.plan.items[4].filespec, "r2");
        CHECK_STR(f.plan.items[6].filespec, "r.t"); /* a file may be both; not its own file set */
        CHECK_INT(f.plan.items[6].decision, DECIDE_RANGES);
        CHECK_INT(f.selection.note_count, 1);
        CHECK(strstr(f.selection.notes[0], "/var/../r3"));
        done(&f);
}

/* I-145: entries stand on the explicit component and reach the file sets of all its set */
static void test_members(void) {
        const char *const names[] = { "Shop:c", NULL };
        struct vss_stored_backup_components *stored =
                components(DIFFERENCED("/sub", "*.u", "200") PARTIAL("/far", "p.v", "0:5"));
        struct fixture f = choose(
                metadata(0x73, GROUP("", "c", "yes", FILES("/d", "*.t", MASK("3855")))
                                       GROUP(" logicalPath=\"c\"", "part", "no",
                                             FILES("/sub", "*.u", MASK("3855")))
                                               GROUP(" logicalPath=\"c\\deep\"", "more", "yes",
                                                     FILES("/far", "*.v", MASK("15")))
                                                       GROUP("", "other", "yes",
                                                             FILES("/o", "*", MASK("3855")))),
                &(struct selection_request){ .components = names });
        struct vss_error error = VSS_ERROR_INIT;

        CHECK_INT(plan_make(&f.selection, NULL, VSS_BT_INCREMENTAL, &f.plan), 0);
        CHECK_INT(f.plan.count, 3); /* "other" was not chosen */
        CHECK_INT(plan_add_entries(&f.plan, 0, vss_stored_backup_components_get_writer(stored, 0),
                                   &f.selection, &error),
                  0);
        CHECK_INT(f.plan.count, 4);
        CHECK_INT(f.plan.items[0].decision, DECIDE_WHOLE);
        CHECK_INT(f.plan.items[1].decision, DECIDE_SINCE); /* the set of "part" */
        CHECK_INT(f.plan.items[3].decision, DECIDE_RANGES);
        CHECK(!f.plan.items[3].from_snapshot); /* by the mask of "more": I-125 */
        for (size_t i = 0; i < f.plan.count; i++) /* I-113: all stand or fall with "c" */
                CHECK_INT(f.selection.writers[0].components[f.plan.items[i].component].defining, 0);
        vss_stored_backup_components_free(stored);
        done(&f);
}

/* I-138: also where the type makes the differenced entry take all; and of two file sets that hold
 * the file the one that an entry decides about */
static void test_both_in_full(void) {
        struct fixture f = with_entries(
                VSS_BT_FULL, "257", PARTIAL("/d", "p.t", "0:5") DIFFERENCED("/d", "*.t", "200"));

        CHECK_INT(f.plan.count, 1);
        CHECK_INT(f.plan.items[0].decision, DECIDE_WHOLE);
        CHECK_STR(f.plan.items[0].rule, "I-108");
        CHECK(strstr(f.selection.notes[0], "I-138"));
        done(&f);
        f = with_entries(VSS_BT_INCREMENTAL, "257",
                         PARTIAL("/d", "new.t", "0:5") DIFFERENCED("/d", "new.*", "200"));
        CHECK_INT(f.plan.count, 2);
        CHECK_INT(f.plan.items[0].decision, DECIDE_SKIP);
        CHECK_INT(f.plan.items[1].decision, DECIDE_SINCE);
        CHECK_INT(f.selection.note_count, 1);
        done(&f);
}

/* IV-73, I-138: whichever entry comes first in the document */
static void test_both(void) {
        struct fixture f =
                with_entries(VSS_BT_INCREMENTAL, "3855",
                             PARTIAL("/d", "p.t", "0:5") DIFFERENCED("/d", "*.t", "200"));

        CHECK_INT(f.plan.count, 1);
        CHECK_INT(f.plan.items[0].decision, DECIDE_SINCE);
        CHECK_INT(f.selection.note_count, 1);
        CHECK(strstr(f.selection.notes[0], "I-138"));
        done(&f);
}

int main(void) {
        RUN(test_by_paths);
        RUN(test_partly_below);
        RUN(test_nothing_below);
        RUN(test_part_is_told);
        RUN(test_by_name);
        RUN(test_whole_after_part);
        RUN(test_bad_names);
        RUN(test_dependency_pulls);
        RUN(test_dependency_not_chosen);
        RUN(test_dependency_missing);
        RUN(test_dependency_ring);
        RUN(test_masks);
        RUN(test_own_paths);
        RUN(test_differenced);
        RUN(test_partial);
        RUN(test_ranges_file);
        RUN(test_members);
        RUN(test_both);
        RUN(test_both_in_full);
        return 0;
}
