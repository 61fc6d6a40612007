/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-select.c - what is selected as system state, the trees of the specification, and writers
 * with a hundred thousand components. Paths, names and dependencies: test-plan.c.
 */
#define _GNU_SOURCE
#include "tests/check.h"

#include <time.h>

#include "backup/select.h"
#include "base/array.h"
#include "base/cleanup.h"

enum { FLAGGED = VSS_CF_NOT_SYSTEM_STATE };

/* component - one row of a tree: full path, selectable, flags */
struct row {
        const char *path;
        bool selectable;
        uint32_t flags;
};

struct text {
        char *xml;
        size_t size;
        FILE *f;
};

static void begin(struct text *t, const char *id, const char *name, const char *usage) {
        t->f = open_memstream(&t->xml, &t->size);
        CHECK(t->f);
        fprintf(t->f,
                "<WRITER_METADATA xmlns=\"x-schema:#VssWriterMetadataInfo\" version=\"1.2\" "
                "backupSchema=\"0\"><IDENTIFICATION writerId=\"%s\" instanceId=\"%s\" "
                "friendlyName=\"%s\" usage=\"%s\" dataSource=\"OTHER\" majorVersion=\"0\" "
                "minorVersion=\"0\"/><RESTORE_METHOD method=\"RESTORE_IF_CAN_BE_REPLACED\" "
                "writerRestore=\"never\" rebootRequired=\"no\"/><BACKUP_LOCATIONS>",
                id, id, name, usage);
}

static void add(struct text *t, const char *path, bool selectable, uint32_t flags,
                const char *inner) {
        const char *last = strrchr(path, '\\');

        fprintf(t->f,
                "<FILE_GROUP%s%.*s%s componentName=\"%s\" restoreMetadata=\"no\" "
                "notifyOnBackupComplete=\"no\" selectable=\"%s\" selectableForRestore=\"no\" "
                "componentFlags=\"%u\"><FILE_LIST path=\"/srv/%s\" filespec=\"*\"/>%s"
                "</FILE_GROUP>",
                last ? " logicalPath=\"" : "", last ? (int)(last - path) : 0, path,
                last ? "\"" : "", last ? last + 1 : path, selectable ? "yes" : "no", flags, path,
                inner);
}

static struct vss_examine_writer_metadata *end(struct text *t) {
        struct vss_examine_writer_metadata *m;
        struct vss_error error = VSS_ERROR_INIT;

        fputs("</BACKUP_LOCATIONS></WRITER_METADATA>", t->f);
        CHECK_INT(fclose(t->f), 0);
        if (vss_examine_writer_metadata_create(t->xml, t->size, &m, &error) < 0)
                CHECK_FAIL_("%s", vss_error_message(&error));
        free(t->xml);
        return m;
}

#define ID(digit) "1111111" digit "-2222-4333-8444-555555555555"

struct fixture {
        struct vss_examine_writer_metadata *metadata[3];
        struct selection s;
};

static void add_writer(struct fixture *f, struct vss_examine_writer_metadata *m) {
        struct vss_writer_identity identity;

        vss_examine_writer_metadata_get_identity(m, &identity);
        f->metadata[f->s.writer_count] = m;
        CHECK_INT(selection_add_writer(&f->s, &identity.instance_id, m), 0);
}

static void add_rows(struct fixture *f, const char *id, const char *name, const char *usage,
                     const struct row *rows) {
        struct text t;

        begin(&t, id, name, usage);
        for (; rows->path; rows++)
                add(&t, rows->path, rows->selectable, rows->flags, "");
        add_writer(f, end(&t));
}

static void choose(struct fixture *f, const struct selection_request *request) {
        struct vss_error error = VSS_ERROR_INIT;

        if (selection_choose(&f->s, request, &error) < 0)
                CHECK_FAIL_("%s", vss_error_message(&error));
}

static void done(struct fixture *f) {
        size_t count = f->s.writer_count;

        selection_done(&f->s);
        for (size_t i = 0; i < count; i++)
                vss_examine_writer_metadata_free(f->metadata[i]);
        memset(f, 0, sizeof(*f));
}

/* expect() - the writer's components, "E" explicit, "i" implicit, "-" left out, in their order */
static void expect(const struct fixture *f, size_t writer, const char *letters) {
        const struct chosen_writer *w = &f->s.writers[writer];
        char got[64] = "";

        CHECK(w->component_count < sizeof(got));
        for (size_t i = 0; i < w->component_count; i++)
                got[i] = w->components[i].explicit_ ? 'E' : w->components[i].included ? 'i' : '-';
        CHECK_STR(got, letters);
        CHECK_INT(w->participates, strchr(letters, 'E') != NULL); /* L-10 */
}

/* ---- the trees of the specification ---- */

/* clang-format off: one row per component */
static const struct row t1[] = {
        { "Executables", false, 0 },
        { "Executables\\ConfigFiles", false, 0 },
        { "LicenseInfo", true, 0 },
        { "Security", true, 0 },
        { "Security\\UserInfo", false, 0 },
        { "Security\\Certificates", false, 0 },
        { "writerData", true, 0 },
        { "writerData\\Set1", false, 0 },
        { "writerData\\Set1\\Jan", false, 0 },
        { "writerData\\Set1\\Dec", false, 0 },
        { "writerData\\Set2", false, 0 },
        { "writerData\\Set2\\Jan", false, 0 },
        { "writerData\\Set2\\Dec", false, 0 },
        { "writerData\\QueryLogs\\Query", false, 0 },
        { "writerData\\Usage", true, 0 },
        { "writerData\\Usage\\Jan", false, 0 },
        { "writerData\\Usage\\Dec", false, 0 },
        { NULL, false, 0 },
};
static const struct row t2[] = {
        { "A", true, 0 },           { "A\\B", false, 0 }, { "A\\B\\C", true, 0 },
        { "A\\B\\C\\D", false, 0 }, { NULL, false, 0 },
};

/* L-3: what is not selectable is never left out, what is selectable only comes when asked for */
static const struct vector {
        const char *number;
        const struct row *tree;
        const char *names[3];
        const char *letters;
} vectors[] = {
        { "SV-4", t1, { "W:LicenseInfo" }, "EEE--------------" },
        { "SV-6", t1, { "W:Security" }, "EE-Eii-----------" },
        { "SV-9", t1, { "W:writerData" }, "EE----Eiiiiiiiiii" },
        { "SV-10", t1, { "W:writerData", "W:writerData\\Usage" }, "EE----Eiiiiiiiiii" },
        { "SV-11", t1, { "W:writerData\\Usage", "W:writerData" }, "EE----Eiiiiiiiiii" },
        { "SV-12", t1, { "W:writerData\\Usage" }, "EE------------Eii" },
        { "SV-27", t2, { "W:A" }, "Eiii" },
        { "SV-28", t2, { "W:A\\B\\C" }, "--Ei" },
        { "SV-30", t2, { "W:A", "W:A\\B\\C" }, "Eiii" },
};
/* clang-format on */

static void test_vectors(void) {
        for (size_t i = 0; i < ELEMENTSOF(vectors); i++) {
                const struct vector *v = &vectors[i];
                const struct selection_request request = { .components = v->names };
                struct fixture f = { 0 };
                const struct chosen_component *c;

                add_rows(&f, ID("0"), "W", "USER_DATA", v->tree);
                choose(&f, &request);
                expect(&f, 0, v->letters);
                c = f.s.writers[0].components;
                /* L-17: what stands for an implicit component is itself explicit, never implicit */
                for (size_t k = 0; k < f.s.writers[0].component_count; k++) {
                        CHECK(!c[k].included || c[c[k].defining].explicit_);
                        CHECK_INT(c[k].rule && strcmp(c[k].rule, "L-11") == 0,
                                  c[k].included && !c[k].explicit_);
                }
                done(&f);
        }
}

/* ---- system state ---- */

static const struct row system_rows[] = {
        { "packages", false, 0 }, /*  L-6 */
        { "boot", true, 0 }, /* L-7 */
        { "boot\\loader", false, 0 }, /* L-8 */
        { "boot\\images", true, 0 }, /* L-9, stays implicit */
        { "local", true, FLAGGED },
        { "local\\cache", false, FLAGGED }, /* comes with its set only */
        { "pool", true, FLAGGED },
        { "pool\\keys", true, 0 }, /* L-9, free: "pool" is not taken */
        { "site", true, FLAGGED },
        { "site\\hosts", false, 0 }, /* L-8: brings "site" (L-16) */
        { "extra", false, FLAGGED }, /* L-6: the writer requires it all the same (L-10) */
        { NULL, false, 0 },
};
static const struct row some[] = { { "a", true, 0 }, { "b", false, 0 }, { NULL, false, 0 } };
static const char *const no_paths[] = { NULL };

static void test_system_state(void) { /* L-15, M-51, B-157, W-15 */
        const struct selection_request request = { .paths = no_paths, .system_state = true };
        const struct chosen_component *c;
        struct fixture f = { 0 };

        add_rows(&f, ID("0"), "System", "BOOTABLE_SYSTEM_STATE", system_rows);
        add_rows(&f, ID("1"), "Service", "SYSTEM_SERVICE", some);
        add_rows(&f, ID("2"), "User", "USER_DATA", some);
        choose(&f, &request);
        expect(&f, 0, "EEii---EEiE");
        expect(&f, 1, "EE");
        expect(&f, 2, "--");
        c = f.s.writers[0].components;
        CHECK_STR(c[0].rule, "L-15");
        CHECK_STR(c[3].rule, "L-11");
        CHECK_STR(c[10].rule, "L-10");
        CHECK_INT(f.s.note_count, 2);
        CHECK(strstr(f.s.notes[0], "'site' of writer 'System' is taken too: 'site\\hosts'"));
        CHECK(strstr(f.s.notes[1], "'extra' of writer 'System' is taken too"));
        done(&f);
}

/* with paths and names besides: the union */
static void test_system_state_and_more(void) {
        const char *const names[] = { "User:a", "System:boot\\images", NULL };
        const struct selection_request request = { .paths = no_paths,
                                                   .components = names,
                                                   .system_state = true };
        struct fixture f = { 0 };

        add_rows(&f, ID("0"), "System", "SYSTEM_SERVICE", system_rows);
        add_rows(&f, ID("1"), "User", "OTHER", some);
        choose(&f, &request);
        expect(&f, 0, "EEii---EEiE");
        expect(&f, 1, "EE");
        done(&f);
}

static void test_no_system_state(void) {
        const struct selection_request request = { .paths = no_paths, .system_state = true };
        struct vss_error error = VSS_ERROR_INIT;
        struct fixture f = { 0 };

        add_rows(&f, ID("0"), "User", "USER_DATA", some);
        CHECK_INT(selection_choose(&f.s, &request, &error), VSS_E_OBJECT_NOT_FOUND);
        CHECK(strstr(vss_error_message(&error), "no writer here has system state"));
        vss_error_clear(&error);
        done(&f);
}

/* ---- 100,000 components of one writer, each with a dependency ---- */

enum { MANY = 100000, TENANT = 100 };

static void path_of(size_t i, char path[64]) {
        if (i % TENANT == 0)
                (void)snprintf(path, 64, "all\\tenant%zu", i / TENANT);
        else
                (void)snprintf(path, 64, "all\\tenant%zu\\store%zu\\c%zu", i / TENANT, i / 10 % 10,
                               i);
}

static struct vss_examine_writer_metadata *many(const char *id, const char *name,
                                                const char *other) {
        struct text t;

        begin(&t, id, name, "USER_DATA");
        for (size_t i = 0; i < MANY; i++) {
                char path[64], depends[160] = "";

                path_of(i, path);
                if (other)
                        (void)snprintf(depends, sizeof(depends),
                                       "<DEPENDENCY writerId=\"%s\" logicalPath=\"all\" "
                                       "componentName=\"tenant%zu\"/>",
                                       other, i / TENANT);
                add(&t, path, i % 2 == 0, 0, depends);
        }
        return end(&t);
}

static void test_many(void) {
        const char *const paths[] = { "/srv", NULL };
        const char *const names[] = { "Big:all\\tenant7\\store1\\c712", NULL };
        struct fixture f = { 0 };
        const struct chosen_writer *w;
        clock_t began;

        add_writer(&f, many(ID("0"), "Big", ID("1")));
        add_writer(&f, many(ID("1"), "Other", NULL));
        w = &f.s.writers[0];
        CHECK_INT(w->component_count, MANY);
        began = clock();
        choose(&f, &(struct selection_request){ .components = names });
        CHECK(w->components[712].explicit_ && !w->components[700].included);
        CHECK(f.s.writers[1].components[700].explicit_); /* B-158 */
        CHECK_INT(f.s.note_count, 1);
        choose(&f, &(struct selection_request){ .paths = paths }); /* on top of it */
        for (size_t i = 0; i < MANY; i++)
                for (size_t k = 0; k < 2; k++) {
                        const struct chosen_component *c = &f.s.writers[k].components[i];

                        CHECK(c->included && c->explicit_ == (i % TENANT == 0));
                        CHECK_INT(c->defining, i - i % TENANT);
                }
        CHECK_INT(f.s.note_count, 1); /* all targets were there already */
        CHECK_INT(chosen_writer_find_key(w, "\\all\\tenant999\\store9\\", "c99999"), 99999);
        CHECK_INT(chosen_writer_find(w, "all\\tenant999\\store9"), COMPONENT_NONE);
        printf("selected %d components of two writers in %.2f s\n", 2 * MANY,
               (double)(clock() - began) / CLOCKS_PER_SEC);
        /* seconds under a sanitizer on a busy machine; two loops over all would take minutes */
        CHECK((clock() - began) / CLOCKS_PER_SEC < 20);
        done(&f);
}

int main(void) {
        RUN(test_vectors);
        RUN(test_system_state);
        RUN(test_system_state_and_more);
        RUN(test_no_system_state);
        RUN(test_many);
        return 0;
}
