/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * life.c - scenarios in which all goes well: what a provider promises, a set from its beginning to
 * its end, the copy held against its original.
 */
#define _GNU_SOURCE
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "moving.h"

/* The work is done by provider_open() */
static void operations(void) {
        note("'%s' %s: %s", ops->name, ops->version, ops->title ?: "");
}

/* P-2: it never agrees to a copy that it cannot make; no effect, any time */
static void supported(void) {
        struct vss_promise promise, again;
        int r;

        rule("P-2");
        for (size_t i = 0; i < suite.volume_count; i++) {
                const struct vss_volume *volume = &suite.volumes[i];

                promise = again = (struct vss_promise){ 0 };
                r = ops->is_volume_supported(&provider, volume, VSS_CTX_BACKUP, &promise, &words);
                MUST(r == 1, "it says no to '%s': %s", volume->mount_point, fail_of(r));
                MUST(promise.hold <= VSS_HOLD_FREEZE && promise.instant <= VSS_INSTANT_ONE,
                     "hold %u or instant %u of its promise has no meaning", promise.hold,
                     promise.instant);
                r = ops->is_volume_supported(&provider, volume, VSS_CTX_BACKUP, &again, &words);
                MUST(r == 1 && memcmp(&promise, &again, sizeof(promise)) == 0,
                     "asked twice it answers differently");
                if (strcmp(volume->fs_type, "btrfs") == 0)
                        rule("P-60");
                MUST(strcmp(volume->fs_type, "btrfs") != 0 || promise.hold != VSS_HOLD_FREEZE,
                     "it wants a btrfs frozen, on which a snapshot would block");
        }
        rule("P-2");
        promise = (struct vss_promise){ 0 };
        vss_error_clear(&words);
        r = ops->is_volume_supported(&provider, &suite.volumes[0], VSS_VOLSNAP_ATTR_TRANSPORTABLE,
                                     &promise, &words);
        MUST(r <= 0 || (promise.attributes & VSS_VOLSNAP_ATTR_TRANSPORTABLE),
             "it says yes to a transportable copy without the promise");
        MUST(r != 0 || words.message, "it says no without a word why");
}

static void settings(void) {
        int r;

        if (!ops->configure)
                skip("the provider has no settings");
        rule("P-40");
        r = ops->configure(&provider, "no_such_setting_at_all", "1", &words);
        MUST(r < 0, "a setting that it does not know is taken without a word");
        check_refusal(r, "configure");
}

static void make_trees(void) {
        for (size_t i = 0; i < suite.volume_count; i++)
                tree_make(suite.volumes[i].mount_point);
}

/* warm_up() - folders that a provider makes once are there before anything is counted */
static void warm_up(void) {
        struct set set = set_new();

        rule("S-20");
        set_run(&set, BEGIN, POST_FINAL);
        set_delete(&set);
        left_begin();
}

static void check_properties(const struct set *set, size_t i) {
        struct vss_snapshot_prop prop = properties_of(&set->copies[i]);

        rule("S-65");
        MUST(vss_id_equal(&prop.snapshot_id, &set->copies[i]) &&
                     vss_id_equal(&prop.snapshot_set_id, &set->id),
             "the properties name another copy or set");
        MUST(vss_id_equal(&prop.provider_id, &ops->id), "the properties name another provider");
        MUST(prop.original_mount && strcmp(prop.original_mount, suite.volumes[i].mount_point) == 0,
             "original_mount is '%s', not '%s'", prop.original_mount ?: "",
             suite.volumes[i].mount_point);
        MUST(prop.original_volume && strcmp(prop.original_volume, suite.volumes[i].id) == 0,
             "original_volume is '%s', not '%s'", prop.original_volume ?: "", suite.volumes[i].id);
        MUST(prop.snapshots_count == (int)suite.volume_count, "snapshots_count is %d, not %zu",
             prop.snapshots_count, suite.volume_count);
        MUST((prop.attributes & set->context) == set->context,
             "attributes 0x%x lack bits of the context 0x%x", prop.attributes, set->context);
        MUST(prop.status == VSS_SS_CREATED, "status is %u, not CREATED", prop.status);
        MUST(prop.originating_machine && prop.service_machine, "a machine is missing");
        MUST(prop.device_object[strlen(prop.device_object) - 1] != '/',
             "the device object ends with a separator");
        rule("S-33");
        MUST(prop.creation_timestamp > vss_timestamp_now() - INT64_C(6000000000) &&
                     prop.creation_timestamp <= vss_timestamp_now(),
             "the creation time is not that of the commit");
        vss_free_snapshot_properties(&prop);
}

/* what the service tells writers and requesters before the set is finished holds after it */
static void check_early(const struct set *set, char where[4096]) {
        struct vss_snapshot_prop prop = properties_of(&set->copies[0]);
        struct stat st;

        MUST(stat(prop.device_object, &st) == 0 && S_ISDIR(st.st_mode),
             "after post_commit '%s' is no folder", prop.device_object);
        snprintf(where, 4096, "%s", prop.device_object);
        vss_free_snapshot_properties(&prop);
}

/* M-4: what a provider is there for */
static void life(void) {
        struct set set = set_new();
        char early[4096];

        need_support();
        make_trees();
        warm_up();
        if (suite.persistent)
                set.context = VSS_CTX_APP_ROLLBACK;
        rule("S-20");
        set_run(&set, BEGIN, POST_COMMIT);
        rule("S-66");
        check_early(&set, early);
        rule("P-33");
        MUST(count_copies(&set.id) == 0, "query shows copies that are not CREATED yet");
        set_run(&set, PRE_FINAL, POST_FINAL);
        rule("S-65");
        MUST(count_copies(&set.id) == (int)suite.volume_count, "query shows %d copies, not %zu",
             count_copies(&set.id), suite.volume_count);
        for (size_t i = 0; i < suite.volume_count; i++) {
                struct vss_snapshot_prop prop = properties_of(&set.copies[i]);

                check_properties(&set, i);
                rule("S-66");
                MUST(i > 0 || strcmp(early, prop.device_object) == 0,
                     "the device object was '%s' and is now '%s'", early, prop.device_object);
                rule("P-4");
                tree_compare(suite.volumes[i].mount_point, prop.device_object);
                vss_free_snapshot_properties(&prop);
        }
        rule("S-70");
        set_delete(&set);
        MUST(count_copies(&set.id) == 0, "query shows deleted copies");
        left_check("when a set is deleted");
}

/* S-33: the copies of a set bear one time */
static void several(void) {
        struct set set = set_new();
        struct vss_snapshot_prop one, other;

        if (suite.volume_count < 2)
                skip("there is one volume: name two or more");
        need_support();
        make_trees();
        rule("S-33");
        set_run(&set, BEGIN, POST_FINAL);
        one = properties_of(&set.copies[0]);
        for (size_t i = 1; i < suite.volume_count; i++) {
                other = properties_of(&set.copies[i]);
                MUST(one.creation_timestamp == other.creation_timestamp,
                     "copies of one set have different creation times");
                MUST(strcmp(one.device_object, other.device_object) != 0,
                     "two copies have one device object");
                vss_free_snapshot_properties(&other);
        }
        vss_free_snapshot_properties(&one);
        rule("S-70");
        set_delete(&set);
}

static bool is_in(const char *copy, const char *name) {
        char path[8192];
        struct stat st;

        snprintf(path, sizeof(path), "%s/%s/%s", copy, TREE, name);
        return lstat(path, &st) == 0;
}

/* only some paths are wanted, and one that is not there is no trouble */
static void paths(void) {
        char one[4096], folder[4096], none[4096];
        const char *wanted[] = { folder, one, none, NULL };
        struct vss_snapshot_prop prop;
        struct set set = set_new();

        need_support();
        make_trees();
        if (suite.volume_count > 1)
                suite.volume_count = 1;
        snprintf(one, sizeof(one), "%s/%s/one", suite.volumes[0].mount_point, TREE);
        snprintf(folder, sizeof(folder), "%s/%s/a", suite.volumes[0].mount_point, TREE);
        snprintf(none, sizeof(none), "%s/%s/not/there", suite.volumes[0].mount_point, TREE);
        set.paths = wanted;
        rule("S-66");
        set_run(&set, BEGIN, POST_FINAL);
        prop = properties_of(&set.copies[0]);
        MUST(is_in(prop.device_object, "one") && is_in(prop.device_object, "a/many") &&
                     is_in(prop.device_object, "a/new\nline"),
             "what was asked for by path is not at its place in '%s'", prop.device_object);
        vss_free_snapshot_properties(&prop);
        set_delete(&set);
}

static double now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* S-20: nothing slow is between PreCommit and PostCommit; the window of S-24 is ten seconds */
static void quick(void) {
        struct set set = set_new();
        double times[STEPS + 1];

        need_support();
        make_trees();
        rule("S-20");
        for (unsigned step = BEGIN; step < STEPS; step++) {
                times[step] = now();
                set_run(&set, (enum step)step, (enum step)step);
        }
        times[STEPS] = now();
        MUST(times[PRE_FINAL] - times[PRE_COMMIT] < 10,
             "from pre_commit to post_commit it took %.1f s", times[PRE_FINAL] - times[PRE_COMMIT]);
        note("prepare %.1f ms, pre_commit %.1f ms, commit %.1f ms, post_commit %.1f ms",
             (times[PRE_COMMIT] - times[BEGIN]) * 1000, (times[COMMIT] - times[PRE_COMMIT]) * 1000,
             (times[POST_COMMIT] - times[COMMIT]) * 1000,
             (times[PRE_FINAL] - times[POST_COMMIT]) * 1000);
        set_delete(&set);
}

/* write_into() - as a writer's recovery does; 0 or negative errno */
static int write_into(const struct set *set, const char *name) {
        struct vss_snapshot_prop prop = properties_of(&set->copies[0]);
        char path[8192];
        int fd;

        snprintf(path, sizeof(path), "%s/%s/%s", prop.device_object, TREE, name);
        vss_free_snapshot_properties(&prop);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        close(fd);
        return 0;
}

/* S-51, S-54, S-55 */
static void recovery(void) {
        struct set set = set_new();
        struct vss_snapshot_prop prop;
        int during, after;

        need_support();
        make_trees();
        rule("S-51");
        set_run(&set, BEGIN, PRE_FINAL);
        during = write_into(&set, "recovered");
        MUST(during == 0 || during == -EROFS,
             "between pre_final and post_final a copy can be written, or says EROFS; this says %s",
             strerror(-during));
        set_run(&set, POST_FINAL, POST_FINAL);
        prop = properties_of(&set.copies[0]);
        MUST(during != 0 || is_in(prop.device_object, "recovered"),
             "what was written before post_final is lost");
        vss_free_snapshot_properties(&prop);
        rule("S-54");
        after = write_into(&set, "late");
        note("%s; afterwards %s",
             during == 0 ? "the copy can be written for recovery"
                         : "the copy cannot be written: files that writers exclude stay in it",
             after < 0 ? "it is read-only"
                       : "the folder stays writable: read-only is what the service exposes");
        set_delete(&set);
}

static void only_volume(const struct vss_volume *volume) {
        suite.volumes[0] = *volume;
        suite.volume_count = 1;
}

static void unsupported(void) {
        struct vss_promise promise = { 0 };
        struct set set = set_new();
        int r;

        if (!suite.unsupported)
                skip("no --unsupported volume is given");
        only_volume(suite.unsupported);
        rule("P-2");
        r = ops->is_volume_supported(&provider, &suite.volumes[0], VSS_CTX_BACKUP, &promise,
                                     &words);
        MUST(r == 0, "it does not say no to '%s' but %s", suite.volumes[0].mount_point,
             r > 0 ? "yes" : fail_of(r));
        MUST(words.message, "it says no without a word why");
        r = set_step(&set, BEGIN);
        MUST(r < 0, "begin_prepare_snapshot takes a volume to which it said no");
        check_refusal(r, "begin_prepare_snapshot");
        set_abort(&set);
}

/* S-40: no room is told before anything is held, and leaves nothing behind */
static void full(void) {
        struct set set = set_new();
        int r;

        if (!suite.full)
                skip("no --full volume is given");
        only_volume(suite.full);
        need_support();
        left_begin();
        rule("S-40");
        r = set_step(&set, BEGIN);
        if (r == 0)
                r = set_step(&set, END_PREPARE);
        MUST(r == VSS_E_INSUFFICIENT_STORAGE,
             "the volume is full and end_prepare_snapshots says %s", fail_of(r));
        check_refusal(r, "end_prepare_snapshots");
        set_abort(&set);
        rule("P-33");
        left_check("when a set is aborted for want of room");
}

const struct scenario life_scenarios[] = {
        { "operations", "the plug-in is complete", operations },
        { "settings", "unknown settings are refused", settings },
        { "supported", "what it promises for the volumes", supported },
        { "unsupported", "a volume that it cannot copy", unsupported },
        { "life", "a set from begin_prepare to deletion, the copy like its original", life },
        { "several", "several volumes in a set", several },
        { "paths", "only some paths are wanted", paths },
        { "writers", "a program writes until it is frozen", moving_writers },
        { "quick", "how long writers and writes stand still", quick },
        { "recovery", "writing into the copy before it is finished", recovery },
        { "full", "no room for a copy", full },
        { 0 },
};
