/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filespec.c - patterns of file names and the checks of paths (M-39, M-40, M-48). Strings only.
 */
#include <string.h>

#include "documents/text.h"
#include "documents/writer-metadata.h"

#define PATTERN_MAX 1024 /* no name is that long */
#define ANY_RUN UINT32_MAX
#define ANY_ONE (UINT32_MAX - 1)

/* plain() - "*.*" is another word for "*" (M-48) */
static const char *plain(const char *filespec) {
        return strcmp(filespec, "*.*") == 0 ? "*" : filespec;
}

bool vss_filespec_matches(const char *filespec, const char *name) {
        const char *p = plain(filespec), *n = name, *end = name + strlen(name);
        const char *after_star = NULL, *retry = NULL;

        while (n < end) {
                size_t step = text_step(n, (size_t)(end - n));

                if (*p == '*') {
                        after_star = ++p;
                        retry = n;
                } else if (*p == '?') {
                        p++;
                        n += step;
                } else if (*p && strncmp(p, n, step) == 0) {
                        p += step;
                        n += step;
                } else if (after_star) {
                        retry += text_step(retry, (size_t)(end - retry));
                        p = after_star;
                        n = retry;
                } else
                        return false;
        }
        while (*p == '*')
                p++;
        return *p == '\0';
}

/* decode() - one unit per character; 0 when the pattern is longer than any name */
static size_t decode(const char *filespec, uint32_t units[PATTERN_MAX]) {
        const char *p = plain(filespec), *end = p + strlen(p);
        size_t count = 0;

        while (p < end) {
                size_t step = text_step(p, (size_t)(end - p));
                uint32_t unit = 0;

                if (count == PATTERN_MAX)
                        return 0;
                for (size_t i = 0; i < step; i++)
                        unit = unit << 8 | (unsigned char)p[i];
                units[count++] = *p == '*' ? ANY_RUN : *p == '?' ? ANY_ONE : unit;
                p += step;
        }
        return count;
}

static bool units_meet(uint32_t a, uint32_t b) {
        return a == b || a == ANY_ONE || b == ANY_ONE;
}

/* row[j]: can the first i units of a and the first j of b be spelled by one and the same name? */
bool filespec_overlap(const char *a, const char *b) {
        uint32_t ua[PATTERN_MAX], ub[PATTERN_MAX];
        bool row[PATTERN_MAX + 1];
        size_t na = decode(a, ua), nb = decode(b, ub);

        if (na == 0 || nb == 0)
                return true; /* cannot tell: say so to be safe */
        row[0] = true;
        for (size_t j = 1; j <= nb; j++)
                row[j] = row[j - 1] && ub[j - 1] == ANY_RUN;
        for (size_t i = 1; i <= na; i++) {
                bool diagonal = row[0];

                row[0] = row[0] && ua[i - 1] == ANY_RUN;
                for (size_t j = 1; j <= nb; j++) {
                        bool above = row[j];

                        if (ua[i - 1] == ANY_RUN || ub[j - 1] == ANY_RUN)
                                row[j] = above || row[j - 1];
                        else
                                row[j] = diagonal && units_meet(ua[i - 1], ub[j - 1]);
                        diagonal = above;
                }
        }
        return row[nb];
}

static bool has_dots(const char *path) {
        for (const char *p = path; *p;) {
                size_t n;

                p += strspn(p, "/");
                n = strcspn(p, "/");
                if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
                        return true;
                p += n;
        }
        return false;
}

int file_path_check(const char *what, const char *path, struct vss_error *reterr) {
        char excerpt[TEXT_EXCERPT_SIZE];
        const char *wrong = NULL;

        if (!path)
                return vss_fail(reterr, E_INVALIDARG, "%s is missing", what);
        if (path[0] != '/')
                wrong = "is not absolute";
        else if (strpbrk(path, "*?"))
                wrong = "contains a wildcard; wildcards belong into the file specification";
        else if (strlen(path) > 4095)
                wrong = "is longer than 4095 bytes";
        else if (has_dots(path))
                wrong = "contains '.' or '..'; write the plain path";
        if (!wrong)
                return 0;
        return vss_fail(reterr, E_INVALIDARG, "%s '%s' %s", what,
                        text_excerpt(path, strlen(path), excerpt), wrong);
}

int filespec_check(const char *filespec, struct vss_error *reterr) {
        char excerpt[TEXT_EXCERPT_SIZE];

        if (!filespec || !*filespec)
                return vss_fail(reterr, E_INVALIDARG, "the file specification is missing");
        if (strchr(filespec, '/'))
                return vss_fail(reterr, E_INVALIDARG,
                                "file specification '%s' contains a separator; directories "
                                "belong into the path",
                                text_excerpt(filespec, strlen(filespec), excerpt));
        return 0;
}

int file_name_check(const char *what, const char *name, struct vss_error *reterr) {
        char excerpt[TEXT_EXCERPT_SIZE];

        if (!name || !*name)
                return vss_fail(reterr, E_INVALIDARG, "%s is missing", what);
        if (strpbrk(name, "/*?") || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return vss_fail(reterr, E_INVALIDARG,
                                "%s '%s' must be one plain file name, without separator and "
                                "wildcard",
                                what, text_excerpt(name, strlen(name), excerpt));
        return 0;
}
