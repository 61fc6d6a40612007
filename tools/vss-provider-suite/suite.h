/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * suite.h - one plug-in, loaded like vss-host does, sets of copies driven step by step, and the
 * verdict on what it did.
 *
 * Each scenario runs in a process of its own, so that a provider that dies or hangs spoils one
 * scenario only. These processes share one struct verdict with the program that tells the end.
 */
#ifndef VSS_PROVIDER_SUITE_H
#define VSS_PROVIDER_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "vss/provider.h"

enum { VOLUMES_MAX = 8, SETS_MAX = 512 };

/* what vss_provider_data() and vss_provider_aborted() ask; defined by the program */
struct vss_provider {
        void *data;
        _Atomic bool aborted;
};

enum outcome { OUTCOME_DIED, OUTCOME_HELD, OUTCOME_BROKEN, OUTCOME_SKIPPED };

/* struct verdict - in memory that all processes of a run share */
struct verdict {
        _Atomic int outcome;
        _Atomic int ready; /* of a fresh process: its plug-in is loaded, its verb begins */
        char rules[256]; /* looked at so far, the last one is being looked at */
        char rule[64]; /* that last one */
        char call[64]; /* of the provider, that runs */
        char words[4096];
        char runtime[64]; /* of vss-hold, "" when none was needed */
        size_t set_count;
        struct vss_id sets[SETS_MAX]; /* begun; removed when a scenario leaves them */
};

struct suite {
        const char *plugin;
        struct vss_volume volumes[VOLUMES_MAX]; /* of a set */
        struct vss_promise promises[VOLUMES_MAX];
        size_t volume_count;
        const char *settings[64]; /* "key=value" */
        size_t setting_count;
        const char *places[VOLUMES_MAX]; /* folders besides the volumes where copies lie */
        size_t place_count;
        const char *list_command; /* tells what copies there are beyond folders, NULL none */
        const struct vss_volume *full, *unsupported; /* prepared for one scenario each, or NULL */
        struct verdict *verdict;
        char **argv; /* to start fresh processes with the same arguments */
        int argc;
        int shared_fd, volumes_fd; /* handed to them */
        bool loud; /* what is broken is told at once, on standard error */
        bool persistent; /* all volumes are promised copies that outlive the process */
};

extern struct suite suite;
extern struct vss_provider provider;
extern struct vss_provider_ops *ops;
extern struct vss_error words;

/* ---- verdict.c: what is looked at, and how it went ---- */

/* rule() - what follows is about this rule, "S-70" */
void rule(const char *number);
/* broken() - the rule is not held; ends the process */
void broken(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* skip() - the scenario does not apply; ends the process */
void skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* note() - a remark for the line that says "held" */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define MUST(condition, ...)                                                                       \
        do {                                                                                       \
                if (!(condition))                                                                  \
                        broken(__VA_ARGS__);                                                       \
        } while (0)
/* fail_of() - what a call failed with and why, for words; lent until the next call */
const char *fail_of(int r);

/* ---- drive.c: the plug-in and its sets ---- */

enum step { BEGIN, END_PREPARE, PRE_COMMIT, COMMIT, POST_COMMIT, PRE_FINAL, POST_FINAL, STEPS };
const char *step_name(unsigned step);

struct set {
        struct vss_id id;
        struct vss_id copies[VOLUMES_MAX];
        uint32_t context;
        const char *const *paths;
};

void provider_open(void); /* load, check, configure, ask for the promises */
void provider_close(void);
void provider_restart(void);
/* need_support() - skip unless the provider says yes to all volumes */
void need_support(void);

struct set set_new(void);
int set_step(struct set *set, enum step step);
void set_run(struct set *set, enum step from, enum step to); /* each must succeed */
void set_abort(const struct set *set);
void set_delete(const struct set *set); /* must succeed, forced */
/* check_refusal() - @r is a failure that a provider may return, and says why (P-40, P-41) */
void check_refusal(int r, const char *call);
struct vss_snapshot_prop properties_of(const struct vss_id *copy);
int count_copies(const struct vss_id *set); /* of the set by query() */
int delete_object(const struct vss_id *id, uint32_t type, bool force, uint32_t *ret_deleted,
                  struct vss_id *ret_nondeleted);
const char *text_of(const struct vss_id *id); /* one of four buffers */

/* ---- fresh.c: processes without memory ---- */

/* fresh() - a new process does @verb with @argument; its exit status, 128 + signal when killed */
int fresh(const char *verb, const char *argument);
pid_t fresh_pid(const char *verb, const char *argument); /* begun; ready when it returns */
int fresh_end(pid_t pid);
/* fresh_make() - a life up to @last, then SIGKILL */
pid_t fresh_make(const struct set *set, enum step last);
int fresh_verb(const char *verb, const char *argument);
/* verdict_share(), verdict_map() - the memory that they share: make it, see it. 0 or negative errno
 */
int verdict_share(void);
int verdict_map(void);
pid_t spawn_self(const char *verb, const char *argument);

/* ---- hold.c: writes are held around a commit where the provider promised `freeze` ---- */
void hold_prepare(void);
void hold_freeze(void);
void hold_release(void);
/* hold_await_end() - a process that held writes was killed: until its vss-hold has let them go */
void hold_await_end(void);
void hold_clean(void); /* after a scenario */

/* ---- tree.c: files to copy, and what is on the volumes besides ---- */

#define TREE "vss-provider-suite" /* below each volume's root; all that the suite writes there */
void tree_make(const char *mount);
void tree_remove(const char *mount);
/* tree_compare() - the copy's tree is that of @mount; broken() with the first difference */
void tree_compare(const char *mount, const char *copy);
/* left_begin() - remember what is there now; left_check() - is there more? broken(). Gives the
 * provider five seconds */
void left_begin(void);
void left_check(const char *after);

/* ---- scenarios ---- */

struct scenario {
        const char *name;
        const char *title;
        void (*run)(void);
};
extern const struct scenario life_scenarios[], end_scenarios[]; /* end with a NULL name */

/* ---- report.c ---- */

/* report() - a line for the scenario that has ended with wait status @status */
void report(const struct scenario *scenario, int status);
/* report_end() - all in all; how many were broken */
unsigned report_end(void);

#endif
