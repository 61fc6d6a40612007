/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * introspection.h - is the committed XML of an interface what its object says? For tests whose
 * INTROSPECTION names the folder.
 */
#ifndef TESTS_BUS_INTROSPECTION_H
#define TESTS_BUS_INTROSPECTION_H

#include <fcntl.h>

#include "base/file.h"
#include "tests/check.h"

/* check_introspection() - @take_text: the answer to Introspect. With UPDATE_INTROSPECTION in the
 * environment the file is written first */
static inline void check_introspection(char *take_text, const char *interface) {
        char file[512], *expected = NULL, *start, *end, *text = take_text;
        FILE *out;

        CHECK(asprintf(&start, " <interface name=\"%s\">", interface) > 0);
        end = strstr(text, start);
        CHECK(end);
        memmove(text, end, strlen(end) + 1);
        free(start);
        end = strstr(text, "</interface>");
        CHECK(end);
        strcpy(end, "</interface>\n");
        snprintf(file, sizeof(file), "%s/%s.xml", INTROSPECTION, interface);
        if (getenv("UPDATE_INTROSPECTION")) {
                out = fopen(file, "w");
                CHECK(out);
                fprintf(out, "<node>\n%s</node>\n", text);
                CHECK_INT(fclose(out), 0);
        }
        CHECK_INT(read_whole_file(AT_FDCWD, file, 1 << 20, &expected, NULL), 0);
        if (strncmp(expected, "<node>\n", 7) != 0 ||
            strncmp(expected + 7, text, strlen(text)) != 0 ||
            strcmp(expected + 7 + strlen(text), "</node>\n") != 0)
                CHECK_FAIL_(
                        "%s is not what the object says; UPDATE_INTROSPECTION=1 rewrites it:\n%s",
                        file, text);
        free(expected);
        free(text);
}

#endif
