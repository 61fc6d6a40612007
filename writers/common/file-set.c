/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "common/file-set.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

void file_set_done(struct file_set *set) {
        free(set->path);
        free(set->filespec);
        free(set->alternate);
        memset(set, 0, sizeof(*set));
}

static int parse_pattern(const char *pattern, struct file_set *set, struct vss_error *reterr) {
        const char *slash = strrchr(pattern, '/');

        if (*pattern != '/')
                return util_fail(reterr, E_INVALIDARG,
                                 "'%s' is not absolute; write it from the root: /dir/pattern",
                                 pattern);
        if (slash[1] == '\0')
                return util_fail(reterr, E_INVALIDARG,
                                 "'%s' names a directory only; add a name pattern, '%s*' for all "
                                 "files in it",
                                 pattern, pattern);
        set->filespec = strdup(slash + 1);
        set->path = slash == pattern ? strdup("/") : strndup(pattern, (size_t)(slash - pattern));
        if (!set->filespec || !set->path)
                return -ENOMEM;
        if (strpbrk(set->path, "*?"))
                return util_fail(reterr, E_INVALIDARG,
                                 "'%s': wildcards may stand in the last element only; add one "
                                 "line per directory, or 'recursive'",
                                 pattern);
        if (!util_path_is_clean(set->path) || strcmp(set->filespec, ".") == 0 ||
            strcmp(set->filespec, "..") == 0 || strlen(set->filespec) > 255)
                return util_fail(reterr, E_INVALIDARG,
                                 "'%s' contains '.', '..', an empty or an overlong element; write "
                                 "the plain path",
                                 pattern);
        return 0;
}

static int parse_directory(const char *word, const char *value, char **to,
                           struct vss_error *reterr) {
        if (!util_path_is_clean(value) || strpbrk(value, "*?"))
                return util_fail(reterr, E_INVALIDARG,
                                 "%s=%s: write one absolute directory without wildcards, '.' or "
                                 "a separator at its end",
                                 word, value);
        return util_replace(to, value);
}

/* "full,incremental", "all", "none" into the low four bits */
static int parse_types(const char *word, char *value, uint32_t *ret, struct vss_error *reterr) {
        static const char *const types[] = { "full", "differential", "incremental", "log", NULL };
        char *name;

        *ret = 0;
        while ((name = strsep(&value, ","))) {
                int i = util_word_in(name, types);

                if (i >= 0)
                        *ret |= 1u << i;
                else if (strcasecmp(name, "all") == 0)
                        *ret |= 0xf;
                else if (strcasecmp(name, "none") != 0)
                        return util_fail(reterr, E_INVALIDARG,
                                         "%s=%s: known are full, differential, incremental, log, "
                                         "all and none, joined by commas",
                                         word, name);
        }
        return 0;
}

static int parse_mask(char *word, char *value, uint32_t *mask, struct vss_error *reterr) {
        const uint64_t known = VSS_FSBT_ALL_BACKUP_REQUIRED | VSS_FSBT_ALL_SNAPSHOT_REQUIRED |
                               VSS_FSBT_CREATED_DURING_BACKUP;
        uint64_t number;
        uint32_t types;
        int r;

        if (strcmp(word, "mask") == 0) {
                if (util_number(value, UINT32_MAX, &number) < 0 || (number & ~known))
                        return util_fail(reterr, E_INVALIDARG,
                                         "mask=%s is no file-set mask; bits 0x0000f, 0x00f00 and "
                                         "0x10000 exist",
                                         value);
                *mask = (uint32_t)number;
                return 0;
        }
        r = parse_types(word, value, &types, reterr);
        if (r < 0)
                return r;
        if (strcmp(word, "backup") == 0)
                *mask = (*mask & ~(uint32_t)VSS_FSBT_ALL_BACKUP_REQUIRED) | types;
        else
                *mask = (*mask & ~(uint32_t)VSS_FSBT_ALL_SNAPSHOT_REQUIRED) | types << 8;
        return 0;
}

static int parse_option(char *word, unsigned allowed, struct file_set *set,
                        struct vss_error *reterr) {
        char *value = strchr(word, '=');

        if (strcmp(word, "recursive") == 0) {
                set->recursive = true;
                return 0;
        }
        if ((allowed & FILE_SET_MASK) && strcmp(word, "created-during-backup") == 0) {
                set->mask |= VSS_FSBT_CREATED_DURING_BACKUP;
                return 0;
        }
        if (value)
                *value++ = '\0';
        if (value && (allowed & FILE_SET_ALTERNATE) && strcmp(word, "alternate") == 0)
                return parse_directory(word, value, &set->alternate, reterr);
        if (value && (allowed & FILE_SET_TO) && strcmp(word, "to") == 0)
                return parse_directory(word, value, &set->alternate, reterr);
        if (value && (allowed & FILE_SET_MASK) &&
            (strcmp(word, "backup") == 0 || strcmp(word, "snapshot") == 0 ||
             strcmp(word, "mask") == 0))
                return parse_mask(word, value, &set->mask, reterr);
        return util_fail(reterr, E_INVALIDARG,
                         "unknown word '%s' after the pattern; known are recursive%s%s%s. A path "
                         "with blanks goes \"between quotes\"",
                         word, allowed & FILE_SET_ALTERNATE ? ", alternate=DIR" : "",
                         allowed & FILE_SET_MASK ? ", backup=TYPES, snapshot=TYPES, mask=NUMBER, "
                                                   "created-during-backup"
                                                 : "",
                         allowed & FILE_SET_TO ? ", to=DIR" : "");
}

static int parse_words(char *text, unsigned allowed, struct file_set *set,
                       struct vss_error *reterr) {
        char *rest = text, *word;
        int r = util_next_word(&rest, &word);

        if (r == 0)
                return util_fail(reterr, E_INVALIDARG, "the value is empty; write /dir/pattern");
        if (r > 0)
                r = parse_pattern(word, set, reterr);
        else
                return util_fail(reterr, r,
                                 "a quote is not closed, or a backslash in it is not "
                                 "followed by a quote, a backslash or xHH");
        while (r >= 0 && (r = util_next_word(&rest, &word)) > 0)
                r = parse_option(word, allowed, set, reterr);
        if (r == E_INVALIDARG && reterr && !reterr->message)
                return util_fail(reterr, r, "a quote is not closed");
        if (r >= 0 && (allowed & FILE_SET_TO) && !set->alternate)
                return util_fail(reterr, E_INVALIDARG,
                                 "where to restore is missing; add to=/some/directory");
        if (r >= 0 && !(allowed & FILE_SET_NEVER) && !(set->mask & VSS_FSBT_ALL_BACKUP_REQUIRED))
                return util_fail(reterr, E_INVALIDARG,
                                 "no backup would ever hold these files; name a type in backup= "
                                 "or use exclude");
        return r;
}

int file_set_parse(char *text, unsigned allowed, struct file_set *ret, struct vss_error *reterr) {
        struct file_set set = { .mask = VSS_FSBT_ALL_BACKUP_REQUIRED |
                                        VSS_FSBT_ALL_SNAPSHOT_REQUIRED };
        int r;

        memset(ret, 0, sizeof(*ret));
        r = parse_words(text, allowed, &set, reterr);
        if (r < 0) {
                file_set_done(&set);
                return r;
        }
        *ret = set;
        return 0;
}

struct vss_file_set file_set_public(const struct file_set *set) {
        return (struct vss_file_set){ .path = set->path,
                                      .filespec = set->filespec,
                                      .recursive = set->recursive,
                                      .alternate_path = set->alternate,
                                      .backup_type_mask = set->mask };
}

bool file_set_same(const struct file_set *a, const struct file_set *b) {
        return strcmp(a->path, b->path) == 0 && strcmp(a->filespec, b->filespec) == 0 &&
               a->recursive == b->recursive;
}

/* bytes of the character at @s: '?' stands for one character, not for one byte (M-48) */
static size_t character(const char *s) {
        size_t n = 1;

        if ((unsigned char)*s >= 0xc0)
                while (((unsigned char)s[n] & 0xc0) == 0x80)
                        n++;
        return n;
}

/* meet_here() - do the rests at @a and @b have a name in common, when the table of all shorter
 * rests is known? */
static bool meet_here(const bool table[256][256], const char *a, const char *b, size_t i,
                      size_t j) {
        size_t n = character(a + i), m = character(b + j);

        if (!a[i] && !b[j])
                return true;
        if (a[i] == '*')
                return table[i + 1][j] || (b[j] && table[i][j + m]);
        if (b[j] == '*')
                return table[i][j + 1] || (a[i] && table[i + n][j]);
        if (!a[i] || !b[j])
                return false;
        if (a[i] != '?' && b[j] != '?' && (n != m || memcmp(a + i, b + j, n) != 0))
                return false;
        return table[i + n][j + m];
}

/* patterns_meet() - is there a name that fits both? Names have at most 255 bytes */
static bool patterns_meet(const char *a, const char *b) {
        bool table[256][256] = { { false } };

        for (size_t i = strlen(a) + 1; i-- > 0;)
                for (size_t j = strlen(b) + 1; j-- > 0;)
                        table[i][j] = meet_here(table, a, b, i, j);
        return table[0][0];
}

static const char *pattern_of(const struct file_set *set) {
        return strcmp(set->filespec, "*.*") == 0 ? "*" : set->filespec;
}

bool file_sets_overlap(const struct file_set *a, const struct file_set *b) {
        bool meet = strcmp(a->path, b->path) == 0 ||
                    (a->recursive && util_path_is_below(b->path, a->path)) ||
                    (b->recursive && util_path_is_below(a->path, b->path));

        return meet && patterns_meet(pattern_of(a), pattern_of(b));
}

bool file_set_needs_snapshot(const struct file_set *set) {
        return set->mask == 0 || (set->mask & VSS_FSBT_ALL_SNAPSHOT_REQUIRED);
}
