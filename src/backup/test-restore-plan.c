/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-restore-plan.c - where the files of a set go: every vector TV-1 to TV-34 of the restore
 * protocol, and the rules of sections 6 to 8 that they leave out. Documents are real ones; the
 * destinations are a table.
 */
#define _GNU_SOURCE
#include "tests/check.h"

#include <stdarg.h>

#include "backup/restore-plan.h"
#include "base/array.h"
#include "base/cleanup.h"

DEFINE_CLEANUP(struct restore_plan *, restore_plan_free)

#define WRITER "11111111-2222-4333-8444-555555555555"
#define INSTANCE "99999999-2222-4333-8444-555555555555"

/* ---- documents ---- */

#define SET_DB "<FILE_LIST path=\"/data/app\" filespec=\"*.db\" recursive=\"yes\"/>"
#define SET_LOG "<FILE_LIST path=\"/data/app/\" filespec=\"*.log\" recursive=\"yes\"/>"
#define MAP_DB                                                                                     \
        "<ALTERNATE_LOCATION_MAPPING path=\"/data/app/\" filespec=\"*.db\" recursive=\"yes\" "     \
        "alternatePath=\"/alt/app\"/>"
#define MAP_LOG                                                                                    \
        "<ALTERNATE_LOCATION_MAPPING path=\"/data/app\" filespec=\"*.log\" recursive=\"yes\" "     \
        "alternatePath=\"/alt/app/\"/>"
#define GROUP(path, name, selectable, for_restore, files)                                          \
        "<FILE_GROUP logicalPath=\"" path "\" componentName=\"" name                               \
        "\" restoreMetadata=\"no\" notifyOnBackupComplete=\"no\" selectable=\"" selectable         \
        "\" selectableForRestore=\"" for_restore "\" componentFlags=\"0\">" files "</FILE_GROUP>"
#define APP GROUP("", "app", "yes", "no", SET_DB SET_LOG)

static const char *const methods[] = {
        NULL,
        "RESTORE_IF_NOT_THERE",
        "RESTORE_IF_CAN_REPLACE",
        "STOP_RESTORE_START",
        "RESTORE_TO_ALTERNATE_LOCATION",
        "REPLACE_AT_REBOOT",
        "REPLACE_AT_REBOOT_IF_CANNOT_REPLACE",
        "CUSTOM",
        "RESTORE_STOP_START",
};

struct documents {
        struct vss_examine_writer_metadata *metadata;
        struct vss_stored_backup_components *stored;
        const struct vss_component *component;
};

static const struct component_key app_key = {
        .writer_id = { { 0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x43, 0x33, 0x84, 0x44, 0x55, 0x55,
                         0x55, 0x55, 0x55, 0x55 } },
        .instance_name = "",
        .type = VSS_CT_FILEGROUP,
        .logical_path = "",
        .name = "app",
};

static struct vss_examine_writer_metadata *metadata(uint32_t method, const char *service,
                                                    uint32_t schema, const char *mappings,
                                                    const char *groups) {
        struct vss_examine_writer_metadata *m;
        struct vss_error error = VSS_ERROR_INIT;
        char *declared = NULL, *xml;

        if (method)
                CHECK(asprintf(&declared,
                               "<RESTORE_METHOD method=\"%s\" %s%s%s writerRestore=\"always\" "
                               "rebootRequired=\"no\">%s</RESTORE_METHOD>",
                               methods[method], service ? "service=\"" : "", service ? service : "",
                               service ? "\"" : "", mappings) > 0);
        CHECK(asprintf(&xml,
                       "<WRITER_METADATA xmlns=\"x-schema:#VssWriterMetadataInfo\" version=\"1.2\" "
                       "backupSchema=\"%u\"><IDENTIFICATION writerId=\"" WRITER
                       "\" instanceId=\"" INSTANCE "\" friendlyName=\"App\" usage=\"USER_DATA\" "
                       "dataSource=\"OTHER\" majorVersion=\"0\" minorVersion=\"0\"/>%s"
                       "<BACKUP_LOCATIONS>%s</BACKUP_LOCATIONS></WRITER_METADATA>",
                       schema, declared ? declared : "", groups) > 0);
        if (vss_examine_writer_metadata_create(xml, strlen(xml), &m, &error) < 0)
                CHECK_FAIL_("%s: %s", vss_error_message(&error), xml);
        free(declared);
        free(xml);
        return m;
}

static void components(struct documents *d, const char *target, const char *inner) {
        struct vss_component_key key = { .type = VSS_CT_FILEGROUP, .name = "app" };
        struct vss_error error = VSS_ERROR_INIT;
        char *xml;

        CHECK_INT(vss_id_parse(WRITER, &key.writer_id), 0);
        CHECK(asprintf(&xml,
                       "<BACKUP_COMPONENTS xmlns=\"x-schema:#VssComponentMetadata\" "
                       "version=\"1.2\" bootableSystemStateBackup=\"no\" selectComponents=\"yes\" "
                       "backupType=\"full\" partialFileSupport=\"yes\"><WRITER_COMPONENTS "
                       "instanceId=\"" INSTANCE "\" writerId=\"" WRITER
                       "\" backupSchema=\"0\"><COMPONENT componentName=\"app\" "
                       "componentType=\"filegroup\" %s%s%s>%s</COMPONENT></WRITER_COMPONENTS>"
                       "</BACKUP_COMPONENTS>",
                       target ? "restoreTarget=\"" : "", target ? target : "", target ? "\"" : "",
                       inner ? inner : "") > 0);
        if (vss_stored_backup_components_load(xml, strlen(xml), &d->stored, &error) < 0)
                CHECK_FAIL_("%s: %s", vss_error_message(&error), xml);
        free(xml);
        d->component = vss_stored_backup_components_find(d->stored, &key);
        CHECK(d->component);
}

static void documents_done(struct documents *d) {
        vss_examine_writer_metadata_free(d->metadata);
        vss_stored_backup_components_free(d->stored);
}

/* ---- the medium and the places ---- */

enum state { ABSENT, FREE, BUSY, IMMUTABLE };

struct place_state {
        const char *path;
        enum state state;
};

struct world {
        const char *const *files; /* on the medium, ends with NULL; directories end with '/' */
        const struct place_state *places; /* the others are absent */
        size_t place_count;
        const char *put_before; /* what begins with this was put by an earlier image */
        int stop_answer;
        const char *stopped; /* the service that was to be stopped */
        bool held_by_service; /* while it runs, all files are in use */
        size_t looks;
        struct byte_range ranges[4]; /* of "a.db", if any */
        size_t ranges_count;
};

static enum state state_of(const struct world *world, const char *path) {
        if (world->held_by_service && !world->stopped)
                return BUSY;
        for (size_t i = 0; i < world->place_count; i++)
                if (strcmp(world->places[i].path, path) == 0)
                        return world->places[i].state;
        return ABSENT;
}

static struct entry entry_of(const struct world *world, const char *file, char *path) {
        struct entry entry = { .type = ENTRY_FILE, .path = path };
        size_t size = strlen(file);

        strcpy(path, file);
        if (path[size - 1] == '/') {
                path[size - 1] = '\0';
                entry.type = ENTRY_DIRECTORY;
        }
        if (world->ranges_count && strstr(file, "/a.db")) {
                entry.partial = true;
                entry.ranges = world->ranges;
                entry.ranges_count = world->ranges_count;
        }
        return entry;
}

static int look(void *userdata, restore_place_fn where, void *where_userdata,
                struct restore_sight *ret, struct vss_error *reterr) {
        struct world *world = userdata;

        world->looks++;
        for (size_t i = 0; world->files[i]; i++) {
                char path[256];
                struct entry entry = entry_of(world, world->files[i], path);
                const char *place = where(where_userdata, &entry);
                enum state state = place ? state_of(world, place) : ABSENT;

                if (state == BUSY || state == IMMUTABLE) {
                        if (ret->obstacles++ == 0)
                                CHECK(asprintf(&ret->obstacle_words, "'%s' %s", place,
                                               state == BUSY ? "is in use" : "is immutable") > 0);
                }
                if (state != ABSENT && entry.type != ENTRY_DIRECTORY && ret->there++ == 0)
                        CHECK(asprintf(&ret->there_words, "'%s' is there", place) > 0);
        }
        return 0;
}

static bool was_put(void *userdata, const char *path) {
        struct world *world = userdata;

        return strncmp(path, world->put_before, strlen(world->put_before)) == 0;
}

static int stop(void *userdata, const char *service, struct vss_error *reterr) {
        struct world *world = userdata;

        CHECK_INT(world->looks, 0); /* before the test */
        world->stopped = service;
        return world->stop_answer < 0 ? vss_fail(reterr, world->stop_answer, "it refuses") : 0;
}

static int decide(const struct documents *d, struct world *world,
                  const struct restore_plan_input *more, struct restore_plan **ret) {
        struct restore_plan_input input = more ? *more : (struct restore_plan_input){ 0 };
        const struct restore_plan_ops ops = { .userdata = world,
                                              .look = look,
                                              .was_put = world->put_before ? was_put : NULL,
                                              .stop = stop };
        struct vss_error error = VSS_ERROR_INIT;
        int r;

        input.metadata = d->metadata;
        if (!input.key)
                input.key = &app_key;
        input.component = d->component;
        r = restore_plan_new(&input, ret, &error);
        if (r >= 0)
                r = restore_plan_decide(*ret, &ops, &error);
        vss_error_clear(&error);
        return r;
}

static const char *destination(struct restore_plan *plan, const char *path,
                               enum restore_fate *ret_fate, const char **ret_rule) {
        struct restore_destination to;

        CHECK_INT(restore_plan_destination(plan, path, ENTRY_FILE, &to), 0);
        if (ret_fate)
                *ret_fate = to.fate;
        if (ret_rule)
                *ret_rule = to.rule;
        return to.path;
}

static size_t mappings_recorded(struct restore_plan *plan) {
        struct vss_file_set set;
        const char *to;
        size_t count = 0;

        while (restore_plan_mapping(plan, count, &set, &to))
                count++;
        return count;
}

/* ---- the vectors ---- */

static const char *const ten[] = {
        "/data/app/",
        "/data/app/x/",
        "/data/app/x/a.db",
        "/data/app/x/b.db",
        "/data/app/x/c.db",
        "/data/app/x/d.db",
        "/data/app/x/e.db",
        "/data/app/x/f.db",
        "/data/app/x/g.db",
        "/data/app/x/h.db",
        "/data/app/x/i.db",
        "/data/app/y/j.log",
        NULL,
};

/* what is at the original or at the mapped place */
enum scene {
        ALL_ABSENT,
        ONE_FREE,
        HALF_FREE,
        ALL_FREE,
        ONE_BUSY, /* and the others free */
        ONLY_BUSY, /* and the others absent */
        ONE_IMMUTABLE,
        BUSY_BY_SERVICE
};

static enum state scene_state(enum scene scene, size_t index) {
        switch (scene) {
        case ALL_ABSENT:
                return ABSENT;
        case ONE_FREE:
                return index == 9 ? FREE : ABSENT;
        case HALF_FREE:
                return index % 2 ? FREE : ABSENT;
        case ONE_BUSY:
                return index == 3 ? BUSY : FREE;
        case ONLY_BUSY:
                return index == 3 ? BUSY : ABSENT;
        case ONE_IMMUTABLE:
                return index == 5 ? IMMUTABLE : FREE;
        case ALL_FREE:
        case BUSY_BY_SERVICE:
        default:
                return FREE;
        }
}

enum mapped { UNMAPPED, MAPPED, NINE_OF_TEN };

/* what is expected, and by which rules */
struct vector {
        int number;
        uint32_t method;
        const char *target; /* NULL: not set */
        enum mapped mapped;
        enum scene original, at_mapped;
        enum restore_course course;
        const char *rule, *file_rule, *place; /* @place: root of the files, NULL: nowhere */
        bool writer_error;
        const char *inner; /* of the component */
        int stop_answer;
        bool warned;
};

#define NEW_TARGET                                                                                 \
        "<NEW_TARGET path=\"/data/app\" filespec=\"*.db\" recursive=\"yes\" "                      \
        "alternatePath=\"/new\"/><NEW_TARGET path=\"/data/app/\" filespec=\"*.log\" "              \
        "recursive=\"yes\" alternatePath=\"/new\"/>"
#define DIRECTED(file)                                                                             \
        "<DIRECTED_TARGET sourcePath=\"/data/app/x\" sourceFilename=\"" file                       \
        "\" sourceRangeList=\"0:10\" destinationPath=\"/d\" destinationFilename=\"b\" "            \
        "destinationRangeList=\"5:10\"/>"

#define NOWHERE COURSE_NOTHING
static const struct vector vectors[] = {
        /* */
        { 1, 1, "original", UNMAPPED, ALL_ABSENT, 0, COURSE_ORIGINAL, "R-50", "R-86", "/data/app" },
        { 2, 1, "original", UNMAPPED, ONE_FREE, 0, NOWHERE, "R-50", "R-90", NULL },
        { 3, 1, NULL, MAPPED, ONE_FREE, ALL_ABSENT, COURSE_MAPPED, "R-50", "R-87", "/alt/app" },
        { 4, 1, NULL, MAPPED, ONE_FREE, ONE_FREE, NOWHERE, "R-50", "R-90", NULL },
        { 5, 1, NULL, NINE_OF_TEN, ONE_FREE, ALL_ABSENT, NOWHERE, "R-50", "R-90", NULL, true },
        /* */
        { 6, 2, NULL, UNMAPPED, ALL_FREE, 0, COURSE_ORIGINAL, "R-51", "R-86", "/data/app" },
        { 7, 2, NULL, UNMAPPED, HALF_FREE, 0, COURSE_ORIGINAL, "R-51", "R-86", "/data/app" },
        { 8, 2, NULL, MAPPED, ONE_BUSY, ALL_ABSENT, COURSE_MAPPED, "R-51", "R-87", "/alt/app" },
        { 9, 2, NULL, MAPPED, ONE_BUSY, ONE_FREE, COURSE_MAPPED, "R-51", "R-87", "/alt/app" },
        { 10, 2, NULL, MAPPED, ONE_BUSY, ONE_IMMUTABLE, NOWHERE, "R-51", "R-90", NULL },
        { 11, 2, NULL, UNMAPPED, ONE_IMMUTABLE, 0, NOWHERE, "R-51", "R-90", NULL },
        /* */
        { 12, 3, NULL, UNMAPPED, BUSY_BY_SERVICE, 0, COURSE_ORIGINAL, "R-52", "R-86", "/data/app" },
        { 13, 3, NULL, UNMAPPED, ALL_FREE, 0, NOWHERE, "R-52", "R-90", NULL, .stop_answer = -EIO },
        { 14, 3, NULL, MAPPED, ONE_BUSY, ALL_ABSENT, COURSE_MAPPED, "R-52", "R-87", "/alt/app" },
        /* */
        { 15, 4, NULL, MAPPED, ONE_IMMUTABLE, ALL_ABSENT, COURSE_MAPPED, "R-53", "R-84",
          "/alt/app" },
        { 16, 4, NULL, UNMAPPED, ALL_FREE, 0, NOWHERE, "R-53", "R-90", NULL, true },
        { 17, 4, "originalLocation", MAPPED, ALL_FREE, 0, COURSE_ORIGINAL, "R-72", "R-85",
          "/data/app" },
        { 18, 4, "originalLocation", MAPPED, ONE_BUSY, ALL_ABSENT, NOWHERE, "R-72", "R-90", NULL },
        /* */
        { 19, 2, "alternate", MAPPED, ALL_FREE, ALL_ABSENT, COURSE_MAPPED, "R-71", "R-84",
          "/alt/app" },
        { 20, 2, "alternate", UNMAPPED, ALL_FREE, 0, NOWHERE, "R-71", "R-90", NULL, true },
        /* */
        { 21, 5, NULL, MAPPED, ALL_FREE, ALL_ABSENT, COURSE_AT_BOOT, "R-54", "R-88", "/data/app" },
        { 22, 5, "alternate", MAPPED, ALL_FREE, ALL_ABSENT, COURSE_AT_BOOT, "R-54", "R-88",
          "/data/app", .warned = true },
        /* */
        { 23, 6, NULL, MAPPED, ALL_FREE, 0, COURSE_ORIGINAL, "R-55", "R-89", "/data/app" },
        { 24, 6, NULL, MAPPED, ONE_BUSY, ALL_ABSENT, COURSE_AT_BOOT, "R-55", "R-88", "/data/app" },
        /* */
        { 25, 8, NULL, UNMAPPED, ALL_FREE, 0, COURSE_ORIGINAL, "R-57", "R-86", "/data/app" },
        { 26, 0, NULL, UNMAPPED, ALL_ABSENT, 0, NOWHERE, "R-58", "R-90", NULL, true },
        { 27, 2, "undefined", UNMAPPED, ALL_FREE, 0, NOWHERE, "R-74", "R-90", NULL, true },
        /* whatever is in the way of the others */
        { 28, 2, NULL, MAPPED, ONE_BUSY, 0, COURSE_ORIGINAL, "R-51", "R-82", "/new", false,
          NEW_TARGET },
        { 29, 4, NULL, MAPPED, ONE_BUSY, ONE_IMMUTABLE, COURSE_MAPPED, "R-53", "R-82", "/new",
          false, NEW_TARGET },
        /* 30 below */
        { 31, 2, "directed", UNMAPPED, ALL_FREE, 0, COURSE_ORIGINAL, "R-51", "R-86", "/data/app",
          false, DIRECTED("other.db") },
        { 32, 2, "original", UNMAPPED, ALL_FREE, 0, COURSE_ORIGINAL, "R-51", "R-86", "/data/app",
          false, DIRECTED("a.db") },
        /* what the document should not have taken does not count */
        { 33, 2, NULL, MAPPED, ALL_FREE, 0, COURSE_ORIGINAL, "R-51", "R-86", "/data/app", false,
          NEW_TARGET },
        /* */
        { 34, 7, NULL, UNMAPPED, ALL_ABSENT, 0, NOWHERE, "R-56", "R-90", NULL },
        /* OQ-R4: immediate when some are absent */
        { 100, 6, NULL, MAPPED, HALF_FREE, 0, COURSE_ORIGINAL, "R-55", "R-89", "/data/app" },
        /* with a target of its own there is no deferral */
        { 101, 6, "directed", UNMAPPED, ONE_BUSY, 0, NOWHERE, "R-77", "R-90", NULL },
        { 102, 6, "alternate", MAPPED, ONE_BUSY, ONE_BUSY, NOWHERE, "R-71", "R-90", NULL },
        /* R-72 goes before the method's own test */
        { 103, 1, "originalLocation", MAPPED, ALL_FREE, 0, COURSE_ORIGINAL, "R-72", "R-85",
          "/data/app" },
        /* R-71, OQ-R3: overwriting there is allowed, also with method 1 */
        { 104, 1, "alternate", MAPPED, ALL_FREE, ALL_FREE, COURSE_MAPPED, "R-71", "R-84",
          "/alt/app" },
        /* absent is not enough, and one that is in use is there */
        { 105, 1, NULL, UNMAPPED, ONLY_BUSY, 0, NOWHERE, "R-50", "R-90", NULL },
        /* overwriting there is allowed (OQ-R3) */
        { 106, 4, NULL, MAPPED, ALL_ABSENT, ALL_FREE, COURSE_MAPPED, "R-53", "R-84", "/alt/app" },
        { 107, 4, NULL, MAPPED, ALL_ABSENT, ONE_BUSY, NOWHERE, "R-53", "R-90", NULL },
        /* R-57 as R-51 */
        { 108, 8, NULL, MAPPED, ONE_BUSY, ALL_FREE, COURSE_MAPPED, "R-57", "R-87", "/alt/app" },
};

static void load_vector(const struct vector *v, struct documents *d) {
        const char *mappings = v->mapped == UNMAPPED ? ""
                               : v->mapped == MAPPED ? MAP_DB MAP_LOG
                                                     : MAP_DB;

        d->metadata =
                metadata(v->method, v->method == 3 || v->method == 8 ? "app.service" : NULL,
                         v->number == 33 ? 0 : VSS_BS_WRITER_SUPPORTS_NEW_TARGET, mappings, APP);
        components(d, v->target, v->inner);
}

static size_t build_places(const struct vector *v, struct place_state *places, char names[][64]) {
        size_t count = 0;

        for (size_t i = 0; ten[i]; i++) {
                enum state original = scene_state(v->original, i),
                           mapped = v->mapped == UNMAPPED ? ABSENT : scene_state(v->at_mapped, i);

                if (ten[i][strlen(ten[i]) - 1] == '/')
                        continue;
                snprintf(names[count], 64, "%s", ten[i]);
                places[count] = (struct place_state){ names[count], original };
                count++;
                snprintf(names[count], 64, "/alt%s", ten[i] + strlen("/data"));
                places[count] = (struct place_state){ names[count], mapped };
                count++;
        }
        return count;
}

/* every file lies below the place, all with one rule: a set is never split */
static void check_files(const struct vector *v, struct restore_plan *plan) {
        for (size_t i = 0; ten[i]; i++) {
                const char *rule, *to;
                char expected[256];

                if (ten[i][strlen(ten[i]) - 1] == '/')
                        continue;
                to = destination(plan, ten[i], NULL, &rule);
                snprintf(expected, sizeof(expected), "%s%s", v->place ? v->place : "",
                         ten[i] + strlen("/data/app"));
                CHECK_STR(to, v->place ? expected : NULL);
                CHECK_STR(rule, v->file_rule);
        }
}

static void check_vector(const struct vector *v) {
        struct place_state places[32];
        char names[32][64];
        struct world world = { .files = ten,
                               .places = places,
                               .stop_answer = v->stop_answer,
                               .held_by_service = v->original == BUSY_BY_SERVICE };
        _cleanup_(restore_plan_freep) struct restore_plan *plan = NULL;
        const struct restore_verdict *verdict;
        struct documents d = { 0 };

        printf("TV-%d\n", v->number);
        world.place_count = build_places(v, places, names);
        load_vector(v, &d);
        CHECK_INT(decide(&d, &world, NULL, &plan), 0);
        verdict = restore_plan_verdict(plan);
        CHECK_INT(verdict->course, v->course);
        CHECK_STR(verdict->rule, v->rule);
        CHECK_INT(verdict->writer_error, v->writer_error);
        CHECK_INT(verdict->warning != NULL, v->warned);
        CHECK_STR(world.stopped, v->method == 3 ? "app.service" : NULL);
        CHECK_INT(verdict->stops, v->method == 3 && v->stop_answer == 0);
        CHECK_INT(verdict->restarts, v->method == 8);
        if (v->course == NOWHERE) /* words for the operator, with the rule */
                CHECK(verdict->words && strstr(verdict->words, v->rule));
        check_files(v, plan);
        /* both file sets, only when they went there, not with new targets */
        CHECK_INT(mappings_recorded(plan),
                  v->course == COURSE_MAPPED && strcmp(v->file_rule, "R-82") != 0 ? 2 : 0);
        documents_done(&d);
}

static void test_vectors(void) {
        for (size_t i = 0; i < ELEMENTSOF(vectors); i++)
                check_vector(&vectors[i]);
}

/* ---- what the vectors leave out ---- */

/* one question after another over documents made by hand */
struct question {
        struct documents d;
        struct world world;
        struct restore_plan_input input;
        struct restore_plan *plan;
};

static void ask(struct question *q, uint32_t method, const char *mappings, const char *groups,
                const char *target, const char *inner) {
        q->d.metadata = metadata(method, NULL, VSS_BS_WRITER_SUPPORTS_NEW_TARGET, mappings, groups);
        components(&q->d, target, inner);
        if (!q->world.files)
                q->world.files = ten;
        CHECK_INT(decide(&q->d, &q->world, &q->input, &q->plan), 0);
}

static enum restore_course course(const struct question *q) {
        return restore_plan_verdict(q->plan)->course;
}

static void answered(struct question *q) {
        restore_plan_free(q->plan);
        documents_done(&q->d);
        *q = (struct question){ 0 };
}

static void test_directed(void) {
        struct question q = { 0 };
        struct vss_directed_target target;
        enum restore_fate fate;
        const char *rule;

        ask(&q, 2, "", APP, "directed", DIRECTED("a.db")); /* TV-30, R-73, R-81 */
        CHECK_STR(destination(q.plan, "/data/app/x/a.db", &fate, &rule), NULL);
        CHECK_INT(fate, FATE_DIRECTED);
        CHECK_STR(rule, "R-81");
        CHECK(restore_plan_directed(q.plan, 0, &target));
        CHECK_STR(target.destination_ranges, "5:10");
        CHECK(!restore_plan_directed(q.plan, 1, &target));
        CHECK_STR(destination(q.plan, "/data/app/x/b.db", &fate, &rule), "/data/app/x/b.db");
        answered(&q);

        ask(&q, 2, "", APP, "directed", DIRECTED("a.db") NEW_TARGET); /* OQ-R8 */
        (void)destination(q.plan, "/data/app/x/a.db", &fate, NULL);
        CHECK_INT(fate, FATE_DIRECTED);
        CHECK_STR(destination(q.plan, "/data/app/x/b.db", &fate, NULL), "/new/x/b.db");
        answered(&q);

        ask(&q, 5, "", APP, "directed", DIRECTED("a.db")); /* */
        CHECK_STR(destination(q.plan, "/data/app/x/a.db", &fate, NULL), "/data/app/x/a.db");
        CHECK_INT(fate, FATE_AT_BOOT);
        CHECK(!restore_plan_directed(q.plan, 0, &target));
        answered(&q);

        ask(&q, 4, MAP_DB MAP_LOG, APP, "directed", DIRECTED("a.db")); /* not all of it */
        CHECK_INT(course(&q), COURSE_MAPPED);
        CHECK_INT(mappings_recorded(q.plan), 1);
        answered(&q);
}

static void test_directed_ranges(void) {
        struct question q = { .world = { .ranges = { { 0, 4 }, { 4, 6 } }, .ranges_count = 2 } };

        ask(&q, 2, "", APP, "directed", DIRECTED("a.db"));
        CHECK_INT(course(&q), COURSE_ORIGINAL); /* the same bytes */
        answered(&q);
        q.world = (struct world){ .ranges = { { 0, 9 } }, .ranges_count = 1 };
        ask(&q, 2, "", APP, "directed", DIRECTED("a.db"));
        CHECK_INT(course(&q), COURSE_NOTHING);
        CHECK_STR(restore_plan_verdict(q.plan)->rule, "R-129");
        CHECK(restore_plan_verdict(q.plan)->writer_error);
        answered(&q);
}

/* the others go by the method, and nobody asks what is at the new place */
static void test_some_new_targets(void) {
        static const char new_log[] =
                "<NEW_TARGET path=\"/data/app\" filespec=\"*.log\" recursive=\"yes\" "
                "alternatePath=\"/new/\"/>";
        static const struct place_state there[] = { { "/new/y/j.log", BUSY } };
        static const struct place_state busy[] = { { "/data/app/x/c.db", BUSY } };
        struct question q = { .world = { .places = there, .place_count = 1 } };

        ask(&q, 1, MAP_DB MAP_LOG, APP, NULL, new_log);
        CHECK_INT(course(&q), COURSE_ORIGINAL);
        CHECK(!restore_plan_verdict(q.plan)->must_be_absent);
        CHECK_STR(destination(q.plan, "/data/app/x/a.db", NULL, NULL), "/data/app/x/a.db");
        CHECK_STR(destination(q.plan, "/data/app/y/j.log", NULL, NULL), "/new/y/j.log");
        answered(&q);
        q.world = (struct world){ .places = busy, .place_count = 1 };
        ask(&q, 2, MAP_DB, APP, NULL, new_log);
        CHECK_INT(course(&q), COURSE_MAPPED);
        CHECK_INT(mappings_recorded(q.plan), 1);
        answered(&q);
        q.world = (struct world){ .places = busy, .place_count = 1 };
        ask(&q, 2, "", APP, NULL, new_log); /* then nothing of the set */
        CHECK_STR(destination(q.plan, "/data/app/y/j.log", NULL, NULL), NULL);
        answered(&q);
}

/* what a mapping has to be; R-53 says what follows */
static void test_bad_mappings(void) {
        static const char twice[] = MAP_DB MAP_LOG MAP_DB;
        static const char other_set[] = "<ALTERNATE_LOCATION_MAPPING path=\"/data/app\" "
                                        "filespec=\"*.db\" recursive=\"no\" "
                                        "alternatePath=\"/alt/app\"/>" MAP_LOG;
        static const char shared[] =
                APP GROUP("", "other", "yes", "no", SET_DB); /* whose is the mapping? */
        static const struct {
                const char *mappings, *groups, *words;
        } bad[] = {
                { twice, APP, "more than one alternate" },
                { other_set, APP, "has no alternate location" },
                { MAP_DB MAP_LOG, shared, "more than one of the writer's" },
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                struct question q = { 0 };

                ask(&q, 4, bad[i].mappings, bad[i].groups, NULL, NULL);
                CHECK_INT(course(&q), COURSE_NOTHING);
                CHECK(restore_plan_verdict(q.plan)->writer_error);
                CHECK(strstr(restore_plan_verdict(q.plan)->words, bad[i].words));
                answered(&q);
                ask(&q, 2, bad[i].mappings, bad[i].groups, NULL, NULL);
                CHECK_INT(course(&q), COURSE_ORIGINAL); /* not needed, no harm */
                answered(&q);
        }
}

/* */
static void test_matching(void) {
        static const char *const files[] = { "/a/one", "/a/b/one", "/a/b/two", "/A/one", NULL };
        static const char map_one[] = "<ALTERNATE_LOCATION_MAPPING path=\"/a\" filespec=\"o?e\" "
                                      "recursive=\"no\" alternatePath=\"/m\"/>";
        static const char map_deep[] =
                "<ALTERNATE_LOCATION_MAPPING path=\"/a/b\" filespec=\"*\" recursive=\"no\" "
                "alternatePath=\"%s\"/><ALTERNATE_LOCATION_MAPPING path=\"/a\" filespec=\"two\" "
                "recursive=\"yes\" alternatePath=\"/m\"/>";
        static const char one[] =
                GROUP("", "app", "yes", "no",
                      "<FILE_LIST path=\"/a/\" filespec=\"o?e\" recursive=\"no\" "
                      "alternatePath=\"/elsewhere\"/>"); /* read from there, never restored */
        static const char both[] =
                GROUP("", "app", "yes", "no",
                      "<FILE_LIST path=\"/a/b\" filespec=\"*\" recursive=\"no\"/>"
                      "<FILE_LIST path=\"/a\" filespec=\"two\" recursive=\"yes\"/>");
        struct question q = { .world.files = files };
        const char *mappings[] = { "/m/b", "/n" };

        ask(&q, 2, map_one, one, "alternate", NULL);
        CHECK_INT(course(&q), COURSE_NOTHING); /* "/a/b/one" is no file of the set */
        CHECK(strstr(restore_plan_verdict(q.plan)->words, "'/a/b/one'"));
        answered(&q);
        q.world.files = (const char *const[]){ "/a/one", NULL };
        ask(&q, 2, map_one, one, "alternate", NULL);
        CHECK_STR(destination(q.plan, "/a/one", NULL, NULL), "/m/one"); /* */
        CHECK_STR(destination(q.plan, "/A/one", NULL, NULL), NULL); /* case */
        CHECK_STR(destination(q.plan, "/a/ones", NULL, NULL), NULL);
        answered(&q);

        /* of two sets that have one file */
        for (size_t i = 0; i < 2; i++) {
                _cleanup_free_ char *map = NULL;

                CHECK(asprintf(&map, map_deep, mappings[i]) > 0);
                q.world.files = (const char *const[]){ "/a/b/two", "/a/b/three", NULL };
                ask(&q, 2, map, both, "alternate", NULL);
                CHECK_INT(course(&q), i == 0 ? COURSE_MAPPED : COURSE_NOTHING);
                CHECK_STR(restore_plan_verdict(q.plan)->rule, i == 0 ? "R-71" : "R-97");
                CHECK_INT(restore_plan_verdict(q.plan)->writer_error, i == 1);
                CHECK(i == 0 || strstr(restore_plan_verdict(q.plan)->words, "(R-97)"));
                answered(&q);
        }
}

static void test_directories(void) {
        struct restore_destination to;
        struct question q = { 0 };

        ask(&q, 4, MAP_DB MAP_LOG, APP, NULL, NULL);
        CHECK_INT(restore_plan_destination(q.plan, "/data/app/x", ENTRY_DIRECTORY, &to), 0);
        CHECK_STR(to.path, "/alt/app/x"); /* R-91, M-42 */
        CHECK_INT(restore_plan_destination(q.plan, "/data/app", ENTRY_DIRECTORY, &to), 0);
        CHECK_STR(to.path, "/alt/app");
        CHECK_INT(restore_plan_destination(q.plan, "/data", ENTRY_DIRECTORY, &to), 0);
        CHECK_STR(to.path, NULL);
        answered(&q);

        q.world.files = (const char *const[]){ "/top", NULL };
        ask(&q, 4,
            "<ALTERNATE_LOCATION_MAPPING path=\"/\" filespec=\"top\" recursive=\"no\" "
            "alternatePath=\"/\"/>",
            GROUP("", "app", "yes", "no",
                  "<FILE_LIST path=\"/\" filespec=\"top\" recursive=\"no\"/>"),
            NULL, NULL);
        CHECK_STR(destination(q.plan, "/top", NULL, NULL), "/top");
        answered(&q);
}

#define PARTIAL(folder, file, ranges)                                                              \
        "<PARTIAL_FILE path=\"" folder "\" filespec=\"" file "\" ranges=\"" ranges "\"/>"

/* R-96, I-109, I-131: files that are in none of the component's file sets */
static void test_added_files(void) {
        static const char *const files[] = { "/data/app/x/a.db", "/spare/new", NULL };
        static const char spare[] =
                APP GROUP("", "spare", "yes", "no",
                          "<FILE_LIST path=\"/spare\" filespec=\"*\" recursive=\"no\"/>");
        static const char mappings[] =
                MAP_DB MAP_LOG "<ALTERNATE_LOCATION_MAPPING path=\"/spare\" filespec=\"*\" "
                               "recursive=\"no\" alternatePath=\"/alt/spare\"/>";
        struct question q = { .world.files = files };

        ask(&q, 4, mappings, spare, NULL, NULL);
        CHECK_STR(destination(q.plan, "/spare/new", NULL, NULL), "/alt/spare/new"); /* I-109 */
        CHECK_INT(mappings_recorded(q.plan), 1);
        answered(&q);
        q.world.files = files;
        ask(&q, 4, mappings, spare, NULL, PARTIAL("/spare", "new", "0:5")); /* R-96, I-131 */
        CHECK_INT(course(&q), COURSE_NOTHING);
        CHECK(strstr(restore_plan_verdict(q.plan)->words, "'/spare/new'"));
        answered(&q);
        q.world.files = (const char *const[]){ "/data/app/x/a.db", NULL };
        ask(&q, 4, mappings, spare, NULL, PARTIAL("/data/app/x", "a.db", "0:5")); /* */
        CHECK_INT(course(&q), COURSE_MAPPED);
        answered(&q);
}

/* no file of the set; it goes home, and is in nobody's way */
static void test_ranges_file(void) {
        static const char *const files[] = { "/data/app/x/a.db", "/var/ranges", NULL };
        static const struct place_state there[] = { { "/var/ranges", BUSY } };
        struct question q = { .world = { .files = files, .places = there, .place_count = 1 } };

        ask(&q, 1, MAP_DB MAP_LOG, APP, NULL, PARTIAL("/data/app/x", "a.db", "/var/ranges"));
        CHECK_INT(course(&q), COURSE_ORIGINAL);
        CHECK_STR(destination(q.plan, "/var/ranges", NULL, NULL), "/var/ranges");
        answered(&q);
        q.world = (struct world){ .files = files, .places = there, .place_count = 1 };
        ask(&q, 4, MAP_DB MAP_LOG, APP, NULL, PARTIAL("/data/app/x", "a.db", "/var/ranges"));
        CHECK_INT(course(&q), COURSE_MAPPED);
        CHECK_STR(destination(q.plan, "/var/ranges", NULL, NULL), "/var/ranges");
        answered(&q);
}

/* R-65, and that the images of one chain go to one place */
static void test_chains(void) {
        static const struct place_state there[] = { { "/data/app/x/a.db", FREE },
                                                    { "/data/app/y/j.log", FREE } };
        static const struct place_state busy[] = { { "/data/app/x/a.db", BUSY } };
        struct question q = { .world = { .places = there, .place_count = 2 } };

        q.world.put_before = "/data/app/";
        q.input.before = COURSE_ORIGINAL;
        ask(&q, 1, "", APP, NULL, NULL); /* */
        CHECK_INT(course(&q), COURSE_ORIGINAL);
        CHECK(!restore_plan_verdict(q.plan)->must_be_absent);
        answered(&q);
        q.world = (struct world){ .places = there, .place_count = 2, .put_before = "/data/app/x" };
        q.input.before = COURSE_ORIGINAL;
        ask(&q, 1, MAP_DB MAP_LOG, APP, NULL, NULL); /* not by us, and the base is not there */
        CHECK_INT(course(&q), COURSE_NOTHING);
        answered(&q);
        q.world = (struct world){ .places = busy, .place_count = 1 };
        q.input.before = COURSE_MAPPED;
        ask(&q, 2, MAP_DB MAP_LOG, APP, NULL, NULL);
        CHECK_INT(course(&q), COURSE_MAPPED);
        answered(&q);
        /* though the original place is free; and R-93: what went there before is there */
        q.world = (struct world){ .files = (const char *const[]){ "/data/app/x/a.db", NULL } };
        q.input.before = COURSE_MAPPED;
        ask(&q, 2, MAP_DB MAP_LOG, APP, NULL, NULL);
        CHECK_STR(destination(q.plan, "/data/app/x/a.db", NULL, NULL), "/alt/app/x/a.db");
        CHECK_INT(mappings_recorded(q.plan), 2);
        answered(&q);
        q.input.before = COURSE_AT_BOOT;
        ask(&q, 6, "", APP, NULL, NULL);
        CHECK_INT(course(&q), COURSE_AT_BOOT);
        answered(&q);
        q.world = (struct world){ .places = there, .place_count = 2 };
        ask(&q, 1, "", APP, NULL, NULL);
        CHECK_INT(course(&q), COURSE_NOTHING);
        answered(&q);
        ask(&q, 1, "", APP, NULL, NULL);
        CHECK(restore_plan_verdict(q.plan)->must_be_absent); /* also when it is written */
        answered(&q);
}

/* */
static void test_parts(void) {
        static const char groups[] =
                GROUP("", "app", "yes", "no", SET_LOG) GROUP("app", "one", "no", "yes", SET_DB)
                        GROUP("app", "two", "no", "no",
                              "<FILE_LIST path=\"/two\" filespec=\"*\" recursive=\"no\"/>")
                                GROUP("app\\one", "below", "no", "no",
                                      "<FILE_LIST path=\"/below\" filespec=\"*\" "
                                      "recursive=\"no\"/>");
        static const char *const files[] = { "/data/app/x/a.db", "/data/app/y/j.log", "/two/a",
                                             "/below/a",         "/data/more",        NULL };
        struct restore_part part = { "app", "one" };
        struct question q = { .world.files = files };
        enum restore_fate fate;
        const char *rule;

        ask(&q, 2, "", groups, NULL, NULL); /* the whole set */
        for (size_t i = 0; files[i]; i++)
                CHECK_STR(destination(q.plan, files[i], NULL, NULL), files[i]);
        answered(&q);
        q.world.files = files;
        q.input.parts = &part;
        q.input.part_count = 1;
        ask(&q, 2, MAP_DB, groups, "originalLocation", NULL);
        CHECK_STR(destination(q.plan, "/data/app/x/a.db", NULL, NULL), "/data/app/x/a.db");
        CHECK_STR(destination(q.plan, "/below/a", NULL, NULL), "/below/a");
        for (size_t i = 1; files[i]; i++) {
                if (strcmp(files[i], "/below/a") == 0)
                        continue;
                CHECK_STR(destination(q.plan, files[i], &fate, &rule), NULL);
                CHECK_INT(fate, FATE_NOT_SELECTED);
                CHECK_STR(rule, "R-80");
        }
        answered(&q);
        q.world.files = (const char *const[]){ "/data/app/x/a.db", "/two/a", NULL };
        q.input.parts = &part;
        q.input.part_count = 1;
        ask(&q, 2, MAP_DB, groups, "alternate", NULL); /* as its ancestor's target says */
        CHECK_STR(destination(q.plan, "/data/app/x/a.db", NULL, NULL), "/alt/app/x/a.db");
        answered(&q);

        q.d.metadata = metadata(2, NULL, 0, "", groups);
        q.input.parts = &part;
        q.input.part_count = 1;
        part = (struct restore_part){ "app", "two" };
        CHECK_INT(decide(&q.d, &q.world, &q.input, &q.plan), VSS_E_OBJECT_NOT_FOUND); /* */
        part = (struct restore_part){ "app", "none" };
        CHECK_INT(decide(&q.d, &q.world, &q.input, &q.plan), VSS_E_OBJECT_NOT_FOUND);
        answered(&q);
}

/* without its writer, but as its document says */
static void test_without_writer(void) {
        static const struct place_state busy[] = { { "/data/app/x/a.db", BUSY } };
        struct question q = { .world = { .files = ten, .places = busy, .place_count = 1 } };

        q.d.metadata = metadata(2, NULL, 0, MAP_DB MAP_LOG, APP);
        CHECK_INT(decide(&q.d, &q.world, NULL, &q.plan), 0);
        CHECK_STR(destination(q.plan, "/data/app/x/b.db", NULL, NULL), "/alt/app/x/b.db");
        answered(&q);
}

static void test_unnamed_service(void) {
        struct question q = { 0 };

        for (uint32_t method = 3; method <= 8; method += 5) {
                ask(&q, method, "", APP, NULL, NULL);
                CHECK_INT(course(&q), COURSE_NOTHING); /* */
                CHECK_STR(restore_plan_verdict(q.plan)->rule, "R-63");
                CHECK(restore_plan_verdict(q.plan)->writer_error);
                answered(&q);
        }
        q.d.metadata = metadata(2, "ignored.service", 0, "", APP);
        q.world.files = ten;
        CHECK_INT(decide(&q.d, &q.world, NULL, &q.plan), 0);
        CHECK(!restore_plan_verdict(q.plan)->service); /* given with another method */
        CHECK(!q.world.stopped);
        answered(&q);
}

/* no need to stop what nobody has to give up */
static void test_no_stop(void) {
        struct question q = { 0 };

        q.d.metadata = metadata(3, "app.service", 0, MAP_DB MAP_LOG, APP);
        components(&q.d, "alternate", NULL);
        q.world.files = ten;
        CHECK_INT(decide(&q.d, &q.world, NULL, &q.plan), 0);
        CHECK(!q.world.stopped && !restore_plan_verdict(q.plan)->stops); /* */
        answered(&q);
        q.d.metadata = metadata(3, "app.service", VSS_BS_WRITER_SUPPORTS_NEW_TARGET, "", APP);
        components(&q.d, NULL, NEW_TARGET);
        q.world.files = ten;
        CHECK_INT(decide(&q.d, &q.world, NULL, &q.plan), 0);
        CHECK(!q.world.stopped); /* */
        answered(&q);
        q.d.metadata = metadata(8, "app.service", VSS_BS_WRITER_SUPPORTS_NEW_TARGET, "", APP);
        components(&q.d, NULL, NEW_TARGET);
        q.world.files = ten;
        CHECK_INT(decide(&q.d, &q.world, NULL, &q.plan), 0);
        CHECK(!restore_plan_verdict(q.plan)->restarts && !restore_plan_verdict(q.plan)->service);
        answered(&q);
}

int main(void) {
        RUN(test_vectors);
        RUN(test_directed);
        RUN(test_directed_ranges);
        RUN(test_some_new_targets);
        RUN(test_bad_mappings);
        RUN(test_matching);
        RUN(test_directories);
        RUN(test_added_files);
        RUN(test_ranges_file);
        RUN(test_chains);
        RUN(test_parts);
        RUN(test_without_writer);
        RUN(test_unnamed_service);
        RUN(test_no_stop);
        return 0;
}
