/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * end.c - scenarios in which sets and copies come to an end: deletion, abort, and the death of the
 * provider's process at any moment.
 */
#define _GNU_SOURCE
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned life_us, deletion_us; /* how long they take here, about */

static unsigned now_us(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (unsigned)(t.tv_sec * 1000000 + t.tv_nsec / 1000);
}

static void warm_up(void) {
        struct set set = set_new();
        unsigned start = now_us();

        set_run(&set, BEGIN, POST_FINAL);
        life_us = now_us() - start;
        set_delete(&set);
        deletion_us = now_us() - start - life_us;
}

/* begin() - a tree to copy, and what a provider makes once is there */
static void begin(void) {
        need_support();
        for (size_t i = 0; i < suite.volume_count; i++)
                tree_make(suite.volumes[i].mount_point);
        rule("S-20");
        warm_up();
        left_begin();
}

static void check_unknown(const struct vss_id *id, const char *what) {
        struct vss_id left;
        uint32_t deleted;
        int r = delete_object(id, VSS_OBJECT_SNAPSHOT, false, &deleted, &left);

        MUST(r == VSS_E_OBJECT_NOT_FOUND && deleted == 0,
             "deleting %s says %s and %u deleted, not OBJECT_NOT_FOUND", what, fail_of(r), deleted);
}

/* S-70, S-72: one, all of a set, unknown, twice, a type that cannot be deleted */
static void deletion(void) {
        struct set a = set_new(), b = set_new(), unknown = set_new();
        struct vss_snapshot_prop prop;
        struct vss_id left;
        uint32_t deleted;
        int r;

        begin();
        set_run(&a, BEGIN, POST_FINAL);
        set_run(&b, BEGIN, POST_FINAL); /* while the first exists */
        rule("S-70");
        check_unknown(&unknown.id, "an unknown copy");
        r = delete_object(&a.id, VSS_OBJECT_PROVIDER, false, &deleted, &left);
        MUST(r == E_INVALIDARG, "deleting an object that is neither copy nor set says %s",
             fail_of(r));
        r = delete_object(&a.copies[0], VSS_OBJECT_SNAPSHOT, false, &deleted, &left);
        MUST(r == 0 && deleted == 1 && vss_id_is_null(&left), "deleting one copy: %s, %u deleted",
             fail_of(r), deleted);
        check_unknown(&a.copies[0], "a copy twice");
        MUST(count_copies(&a.id) == (int)suite.volume_count - 1,
             "query shows %d copies of a set of %zu of which one was deleted", count_copies(&a.id),
             suite.volume_count);
        rule("S-72");
        prop = properties_of(&b.copies[0]);
        tree_compare(suite.volumes[0].mount_point, prop.device_object);
        vss_free_snapshot_properties(&prop);
        rule("S-70");
        r = delete_object(&b.id, VSS_OBJECT_SNAPSHOT_SET, false, &deleted, &left);
        MUST(r == 0 && deleted == suite.volume_count, "deleting a set of %zu: %s, %u deleted",
             suite.volume_count, fail_of(r), deleted);
        (void)delete_object(&a.id, VSS_OBJECT_SNAPSHOT_SET, true, &deleted, &left);
        left_check("when all copies are deleted");
}

/* S-71: a copy that is mounted elsewhere is busy, unless forced; S-68 */
static void busy(void) {
        char where[] = "/tmp/vss-provider-suite.XXXXXX";
        struct set set = set_new();
        struct vss_snapshot_prop prop;
        struct vss_id left;
        uint32_t deleted;
        struct stat st;
        int r;

        if (geteuid() != 0)
                skip("needs root to mount the copy elsewhere");
        begin();
        rule("S-71");
        set_run(&set, BEGIN, POST_FINAL);
        prop = properties_of(&set.copies[0]);
        MUST(mkdtemp(where) && mount(prop.device_object, where, NULL, MS_BIND, NULL) == 0,
             "cannot mount the copy: %s", strerror(errno));
        r = delete_object(&set.copies[0], VSS_OBJECT_SNAPSHOT, false, &deleted, &left);
        if (r != VSS_E_VOLUME_IN_USE) {
                (void)umount2(where, MNT_DETACH);
                (void)rmdir(where);
                broken("deleting a copy that is mounted says %s, not VOLUME_IN_USE", fail_of(r));
        }
        r = delete_object(&set.copies[0], VSS_OBJECT_SNAPSHOT, true, &deleted, &left);
        (void)umount2(where, MNT_DETACH);
        MUST(r == 0 && deleted == 1, "forced, it says %s", fail_of(r));
        MUST(rmdir(where) == 0, "'%s' is still mounted", where);
        rule("S-68");
        MUST(stat(prop.device_object, &st) < 0, "'%s' can still be reached", prop.device_object);
        vss_free_snapshot_properties(&prop);
        (void)delete_object(&set.id, VSS_OBJECT_SNAPSHOT_SET, true, &deleted, &left);
        left_check("when a busy copy is deleted by force");
}

/* S-62: what the service stores with a copy stays with it; an exposed copy is busy (S-71) */
static void property(void) {
        struct set set = set_new();
        struct vss_snapshot_prop prop;
        struct vss_id left;
        uint32_t deleted;
        int r;

        if (!ops->set_snapshot_property)
                skip("the provider stores no properties");
        begin();
        rule("S-62");
        set_run(&set, BEGIN, POST_FINAL);
        r = ops->set_snapshot_property(&provider, &set.copies[0], VSS_SPROPID_EXPOSED_NAME,
                                       "/mnt/some where", &words);
        MUST(r == 0, "set_snapshot_property: %s", fail_of(r));
        if (suite.persistent)
                provider_restart();
        prop = properties_of(&set.copies[0]);
        MUST(prop.exposed_name && strcmp(prop.exposed_name, "/mnt/some where") == 0,
             "the exposed name is '%s'", prop.exposed_name ?: "");
        vss_free_snapshot_properties(&prop);
        rule("S-71");
        r = delete_object(&set.copies[0], VSS_OBJECT_SNAPSHOT, false, &deleted, &left);
        MUST(r == VSS_E_VOLUME_IN_USE, "deleting a copy that is exposed says %s", fail_of(r));
        set_delete(&set);
        left_check("when an exposed copy is deleted by force");
}

/* IsVolumeSnapshotted */
static void snapshotted(void) {
        const struct vss_volume *volume = &suite.volumes[0];
        struct set set = set_new();
        uint32_t bits = 0;
        int r;

        if (!ops->is_volume_snapshotted)
                skip("the provider leaves the answer to its list");
        begin();
        rule("S-65");
        r = ops->is_volume_snapshotted(&provider, volume, &bits, &words);
        MUST(r == 0, "'%s' has no copy and is_volume_snapshotted says %s", volume->mount_point,
             r > 0 ? "yes" : fail_of(r));
        set_run(&set, BEGIN, POST_FINAL);
        r = ops->is_volume_snapshotted(&provider, volume, &bits, &words);
        MUST(r == 1, "'%s' has a copy and is_volume_snapshotted says %s", volume->mount_point,
             r < 0 ? fail_of(r) : "no");
        set_delete(&set);
}

static const char *after_step(const char *what, unsigned step) {
        static char text[128];

        snprintf(text, sizeof(text), "%s after %s", what, step_name(step));
        return text;
}

/* S-40..S-43: after each step, twice; what is CREATED ignores it; what is unknown too */
static void aborted(void) {
        static const char *const rules[] = { "S-40", "S-40", "S-41", "S-42", "S-43", "S-43" };
        struct set unknown = set_new(), created = set_new();

        begin();
        for (unsigned last = BEGIN; last < POST_FINAL; last++) {
                struct set set = set_new();

                rule(rules[last]);
                set_run(&set, BEGIN, (enum step)last);
                set_abort(&set);
                set_abort(&set);
                MUST(count_copies(&set.id) == 0, "query shows a copy of a set aborted after %s",
                     step_name(last));
                left_check(after_step("when a set is aborted", last));
        }
        set_abort(&unknown);
        unknown.id = (struct vss_id){ 0 };
        set_abort(&unknown);
        set_run(&created, BEGIN, POST_FINAL);
        set_abort(&created);
        MUST(count_copies(&created.id) == (int)suite.volume_count,
             "abort has removed copies that are CREATED");
        set_delete(&created);
}

/* P-30: another set silently drops the unfinished one, in each state */
static void another_set(void) {
        begin();
        for (unsigned last = BEGIN; last < POST_FINAL; last++) {
                struct set old = set_new(), new = set_new();

                rule("P-30");
                set_run(&old, BEGIN, (enum step)last);
                set_abort(&old); /* by the runtime, when it sees another set */
                set_run(&new, BEGIN, POST_FINAL);
                MUST(count_copies(&old.id) == 0, "query shows the set that was dropped");
                set_delete(&new);
                left_check(after_step("when another set begins", last));
        }
}

/* P-12: unloading is an abort of what is being made */
static void unloaded(void) {
        begin();
        rule("P-12");
        for (unsigned last = BEGIN; last < POST_FINAL; last++) {
                struct set set = set_new();

                set_run(&set, BEGIN, (enum step)last);
                set_abort(&set); /* by the runtime, before it unloads */
                provider_restart();
                left_check(after_step("when it is unloaded", last));
        }
}

/* P-32: the service gives a set up while end_prepare runs */
static void given_up(void) {
        struct set set = set_new();
        int r;

        begin();
        rule("P-32");
        set_run(&set, BEGIN, BEGIN);
        provider.aborted = true;
        r = set_step(&set, END_PREPARE);
        MUST(r <= 0, "end_prepare_snapshots returns %d when the set is given up", r);
        set_abort(&set);
        left_check("when a set is given up during end_prepare");
        note("end_prepare_snapshots %s",
             r < 0 ? "ends early" : "goes on to its end, which is short");
}

static void need_persistent(void) {
        if (!suite.persistent)
                skip("the provider does not promise copies that outlive its process");
}

/* S-62, S-63: copies that are CREATED outlive the process and can be ended by another */
static void survival(void) {
        struct set set = set_new();
        struct vss_snapshot_prop before, after;
        int shown;

        need_persistent();
        begin();
        rule("S-62");
        MUST(fresh_end(fresh_make(&set, POST_FINAL)) == 128 + SIGKILL, "a process ended early");
        shown = fresh("query", text_of(&set.id));
        MUST(shown == (int)suite.volume_count,
             "after the death of the process another shows %d copies, not %zu", shown,
             suite.volume_count);
        before = properties_of(&set.copies[0]);
        tree_compare(suite.volumes[0].mount_point, before.device_object);
        provider_restart();
        after = properties_of(&set.copies[0]);
        MUST(strcmp(before.device_object, after.device_object) == 0 &&
                     before.creation_timestamp == after.creation_timestamp,
             "a property changes when the provider is loaded again");
        vss_free_snapshot_properties(&before);
        vss_free_snapshot_properties(&after);
        rule("S-63");
        (void)fresh("abort", text_of(&set.id));
        MUST(fresh("query", text_of(&set.id)) == (int)suite.volume_count,
             "abort by a fresh process removes copies that are CREATED");
        MUST(fresh("delete-set", text_of(&set.id)) == (int)suite.volume_count,
             "a fresh process cannot delete the copies");
        left_check("when a fresh process deletes a set");
}

static void killed_after(enum step last, bool next_comes) {
        struct set set = set_new(), next = set_new();

        rule("P-33");
        MUST(fresh_end(fresh_make(&set, last)) == 128 + SIGKILL, "a process ended early");
        hold_await_end();
        MUST(fresh("query", text_of(&set.id)) == 0,
             "after a death after %s a fresh process shows the half-made copy", step_name(last));
        if (next_comes) { /* and is not hindered; often nobody aborts */
                rule("S-39");
                set_run(&next, BEGIN, POST_FINAL);
                set_delete(&next);
        }
        rule("S-47");
        (void)fresh("abort", text_of(&set.id));
        left_check(after_step("when a fresh process aborts a set whose process died", last));
}

/* PT-1, P-33, S-47: SIGKILL after each step; a fresh process shows nothing and cleans up */
static void killed_after_steps(void) {
        begin();
        for (unsigned last = BEGIN; last < POST_FINAL; last++) {
                killed_after((enum step)last, false);
                killed_after((enum step)last, true);
        }
}

static void kill_soon(pid_t pid, unsigned after_us) {
        int status;

        usleep(after_us);
        kill(pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
        hold_await_end();
        if (suite.verdict->outcome != OUTCOME_DIED)
                _exit(1);
}

/* The same in the middle of a step: whatever moment it is, nothing half-made is shown */
static void killed_anywhere(void) {
        unsigned finished = 0, first_us;

        begin();
        first_us = life_us;
        warm_up();
        life_us = (life_us + first_us) / 2; /* the first one of a process takes longer */
        for (unsigned i = 0; i < 30; i++) {
                struct set set = set_new();
                int shown;

                rule("P-33");
                kill_soon(fresh_make(&set, POST_FINAL), life_us / 16 * i);
                shown = fresh("query", text_of(&set.id));
                MUST(shown == 0 || shown == (int)suite.volume_count,
                     "after a death during its making %d of %zu copies of a set are shown", shown,
                     suite.volume_count);
                if (shown > 0) { /* and a death while deleting */
                        finished++;
                        rule("S-70");
                        kill_soon(fresh_pid("delete-set", text_of(&set.id)),
                                  deletion_us / 8 * (finished % 8));
                        (void)fresh("delete-set", text_of(&set.id));
                }
                rule("S-47");
                (void)fresh("abort", text_of(&set.id));
                MUST(fresh("query", text_of(&set.id)) == 0, "a set is still shown after abort");
                left_check("when a fresh process aborts what a death left");
        }
        note("30 deaths, %u of them when the set was finished", finished);
}

const struct scenario end_scenarios[] = {
        { "deletion", "one copy, a set, what is not there", deletion },
        { "busy", "a copy that is mounted elsewhere", busy },
        { "property", "what the service stores with a copy", property },
        { "snapshotted", "has a volume copies?", snapshotted },
        { "aborted", "abort after each step, twice", aborted },
        { "another-set", "another set drops the unfinished one", another_set },
        { "unloaded", "unloading in the middle of a set", unloaded },
        { "given-up", "the set is given up while end_prepare runs", given_up },
        { "survival", "copies outlive the process", survival },
        { "killed-after-steps", "SIGKILL after each step", killed_after_steps },
        { "killed-anywhere", "SIGKILL at any moment", killed_anywhere },
        { 0 },
};
