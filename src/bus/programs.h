/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * programs.h - which writers and providers this installation has, by their files. What is found
 * here is started later, each in a process of its own, when it is needed.
 */
#ifndef BUS_PROGRAMS_H
#define BUS_PROGRAMS_H

#include "bus/settings.h"

/* One writer's file of writers.d, or one provider's plug-in */
struct program {
        enum party_kind kind;
        char *name; /* of the file, without its suffix; unique per kind */
        char *path; /* of the plug-in or program */
        bool plugin; /* run by vss-host; else the program speaks for itself on descriptor 3 */
        char *instance_name; /* writers: NULL when the file gives none */
        uint32_t order; /* providers: P-13 */
        struct plugin_settings settings;
};

struct program_list {
        struct program *items;
        size_t count, capacity;
};

/* programs_read() - writers from <config_dir>/writers.d, providers from the plug-in folder with
 * what @settings say of them. What is broken becomes a warning and is left out.
 * Return: 0 or -ENOMEM */
int programs_read(struct program_list *list, const char *config_dir, struct settings *settings);
void programs_done(struct program_list *list);

#endif
