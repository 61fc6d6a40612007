/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * suite.h - one plug-in, loaded like vss-host does, and a set of copies driven step by step.
 */
#ifndef PROVIDER_SUITE_H
#define PROVIDER_SUITE_H

#include <stdbool.h>
#include <sys/types.h>

#include "tests/check.h"
#include "vss/provider.h"

struct vss_provider {
        void *data;
        _Atomic bool aborted;
};

struct suite {
        const char *plugin;
        const char *mounts[4]; /* volumes of a set */
        const char *subvolumes[4];
        size_t mount_count;
        const char *settings[16]; /* "key=value" */
        size_t setting_count;
        const char *area; /* where copies lie when not on the volume, else NULL */
        char **argv; /* to start fresh processes with the same arguments */
        int argc;
};

extern struct suite suite;
extern struct vss_provider provider;
extern struct vss_provider_ops *ops;
extern struct vss_error words;

enum step { BEGIN, END_PREPARE, PRE_COMMIT, COMMIT, POST_COMMIT, PRE_FINAL, POST_FINAL, STEPS };

struct set {
        struct vss_id id;
        struct vss_id copies[4];
        uint32_t context;
        const char *const *paths;
};

void provider_open(void);
void provider_close(void);
void provider_restart(void);
bool is_memory(void);
bool is_mirror(void);

void volume_of(const char *mount, const char *subvolume, struct vss_volume *ret);
struct set set_new(void);
int set_step(struct set *set, enum step step);
void set_run(struct set *set, enum step from, enum step to); /* each must succeed */
struct vss_snapshot_prop properties_of(const struct vss_id *copy);
int count_copies(const struct vss_id *set); /* of the set by query(); NULL: of the volumes */
bool is_mine(const struct vss_snapshot_prop *prop); /* of one of the volumes */
int delete_object(const struct vss_id *id, uint32_t type, bool force, uint32_t *ret_deleted,
                  struct vss_id *ret_nondeleted);

/* fresh() - a new process of the same program does @verb with @argument; its exit status */
int fresh(const char *verb, const char *argument);
/* fresh_pid() - the same, not waited for */
pid_t fresh_pid(const char *verb, const char *argument);
int fresh_verb(const char *verb, const char *argument);

/* shell() - a command that must succeed; @a is its $1, @b its $2 */
void shell(const char *command, const char *a, const char *b);
void make_tree(const char *at);
void check_equal(const char *original, const char *copy); /* names, kinds, metadata, contents */
int folders_of_set(const struct vss_id *set); /* on disk, in all places */
char *text_of(const struct vss_id *id);

/* the cases; main() chooses by name */
void common_cases(void);
void case_full(void);
void case_read_only(void);
void mirror_cases(void);
void mirror_room(void);
void mirror_slow(void);
void mirror_inside(void);
void mirror_user(void);
void mirror_fills(void);
void btrfs_cases(void);
void btrfs_nested(void);
void btrfs_user(void);
void memory_faults(void);
void moving_cases(void);
void measure(void);

#endif
