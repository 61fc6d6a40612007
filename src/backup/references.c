/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * references.c - see references.h. Text and back; who asks and releases is delta.c and kept.c.
 */
#define _GNU_SOURCE
#include "backup/references.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"

#define HEADER "vss-references\t1"

void references_done(struct references *references) {
        for (size_t i = 0; i < references->count; i++) {
                free(references->items[i].volume);
                free(references->items[i].mount_point);
        }
        for (size_t i = 0; i < references->alone_count; i++)
                free(references->alone[i]);
        free(references->items);
        free(references->sources);
        free(references->alone);
        free(references->replaced);
        free(references->owner);
        *references = (struct references){ 0 };
}

/* ---- the document ---- */

int references_add(struct references *references, const char *volume, const char *mount_point,
                   const struct vss_id *provider_id, const struct vss_id *id) {
        struct reference *item;

        if (ARRAY_RESERVE(&references->items, references->count, &references->capacity) < 0)
                return -ENOMEM;
        item = &references->items[references->count++];
        *item = (struct reference){ strdup(volume), strdup(mount_point), *provider_id, *id };
        return item->volume && item->mount_point ? 0 : -ENOMEM;
}

int references_add_replaced(struct references *references, const struct vss_id *set,
                            uint32_t operation) {
        for (size_t i = 0; i < references->replaced_count; i++)
                if (vss_id_equal(&references->replaced[i].set, set) &&
                    references->replaced[i].operation == operation)
                        return 0;
        if (ARRAY_RESERVE(&references->replaced, references->replaced_count,
                          &references->replaced_capacity) < 0)
                return -ENOMEM;
        references->replaced[references->replaced_count++] = (struct replaced){ *set, operation };
        return 0;
}

int references_add_source(struct references *references, uint32_t component, const char *digest) {
        struct reference_source *source;

        if (ARRAY_RESERVE(&references->sources, references->sources_count,
                          &references->sources_capacity) < 0)
                return -ENOMEM;
        source = &references->sources[references->sources_count++];
        source->component = component;
        memcpy(source->digest, digest, sizeof(source->digest));
        return 0;
}

int references_add_alone(struct references *references, const char *path) {
        if (ARRAY_RESERVE(&references->alone, references->alone_count,
                          &references->alone_capacity) < 0)
                return -ENOMEM;
        references->alone[references->alone_count] = strdup(path);
        return references->alone[references->alone_count] ? (references->alone_count++, 0)
                                                          : -ENOMEM;
}

bool references_have_source(const struct references *references, uint32_t component,
                            const char *digest) {
        for (size_t i = 0; i < references->sources_count; i++)
                if (references->sources[i].component == component &&
                    strcmp(references->sources[i].digest, digest) == 0)
                        return true;
        return false;
}

bool references_have_alone(const struct references *references, const char *path) {
        for (size_t i = 0; i < references->alone_count; i++)
                if (strcmp(references->alone[i], path) == 0)
                        return true;
        return false;
}

static void format_taken(const struct references *references, struct text *text) {
        if (*references->fingerprint) {
                text_string(text, "fingerprint\t");
                text_string(text, references->fingerprint);
                text_char(text, '\n');
        }
        for (size_t i = 0; i < references->sources_count; i++) {
                text_string(text, "source\t");
                text_number(text, references->sources[i].component);
                text_char(text, '\t');
                text_string(text, references->sources[i].digest);
                text_char(text, '\n');
        }
        for (size_t i = 0; i < references->alone_count; i++) {
                text_string(text, "alone\t");
                text_field(text, references->alone[i]);
                text_char(text, '\n');
        }
        for (size_t i = 0; i < references->replaced_count; i++) {
                char id[VSS_ID_TEXT_SIZE];

                text_string(text, "replaced\t");
                text_string(text, vss_id_format(&references->replaced[i].set, id));
                text_char(text, '\t');
                text_number(text, references->replaced[i].operation);
                text_char(text, '\n');
        }
}

int references_format(const struct references *references, struct text *text) {
        text_string(text, HEADER "\n");
        format_taken(references, text);
        if (references->owner) {
                text_string(text, "owner\t");
                text_field(text, references->owner);
                text_char(text, '\n');
        }
        for (size_t i = 0; i < references->count; i++) {
                const struct reference *item = &references->items[i];
                char id[VSS_ID_TEXT_SIZE];

                text_string(text, "reference\t");
                text_field(text, item->volume);
                text_char(text, '\t');
                text_field(text, item->mount_point);
                text_char(text, '\t');
                text_string(text, vss_id_format(&item->provider_id, id));
                text_char(text, '\t');
                text_string(text, vss_id_format(&item->id, id));
                text_char(text, '\n');
        }
        return text_cstring(text) ? 0 : -ENOMEM;
}

static int parse_index(const char *text, uint32_t *ret) {
        uint64_t number;

        if (field_number(text, &number) < 0 || number > UINT32_MAX)
                return -EBADMSG;
        *ret = (uint32_t)number;
        return 0;
}

static int parse_source(struct references *references, const char *component, const char *digest) {
        uint32_t number;

        if (parse_index(component, &number) < 0 || strlen(digest) != 2 * DIGEST_SIZE)
                return -EBADMSG;
        return references_add_source(references, number, digest);
}

static int parse_replaced(struct references *references, const char *id, const char *operation) {
        struct vss_id set;
        uint32_t number;

        if (vss_id_parse(id, &set) < 0 || parse_index(operation, &number) < 0)
                return -EBADMSG;
        return references_add_replaced(references, &set, number);
}

static int parse_line(struct references *references, char *line) {
        struct vss_id provider, id;
        char *fields[6];
        size_t n = field_split(line, fields, 5);

        if (n == 3 && strcmp(fields[0], "source") == 0)
                return parse_source(references, fields[1], fields[2]);
        if (n == 3 && strcmp(fields[0], "replaced") == 0)
                return parse_replaced(references, fields[1], fields[2]);
        if (n == 2 && strcmp(fields[0], "alone") == 0)
                return field_unescape(fields[1]) < 0 ? -EBADMSG
                                                     : references_add_alone(references, fields[1]);
        if (n == 2 && strcmp(fields[0], "fingerprint") == 0) {
                if (strlen(fields[1]) != 2 * DIGEST_SIZE)
                        return -EBADMSG;
                memcpy(references->fingerprint, fields[1], sizeof(references->fingerprint));
                return 0;
        }
        if (n == 2 && strcmp(fields[0], "owner") == 0 && !references->owner) {
                if (field_unescape(fields[1]) < 0)
                        return -EBADMSG;
                references->owner = strdup(fields[1]);
                return references->owner ? 0 : -ENOMEM;
        }
        if (n != 5 || strcmp(fields[0], "reference") != 0 || field_unescape(fields[1]) < 0 ||
            field_unescape(fields[2]) < 0 || vss_id_parse(fields[3], &provider) < 0 ||
            vss_id_parse(fields[4], &id) < 0)
                return -EBADMSG;
        return references_add(references, fields[1], fields[2], &provider, &id);
}

int references_parse(char *text, struct references *ret) {
        char *line = strsep(&text, "\n");
        int r = line && strcmp(line, HEADER) == 0 ? 0 : -EBADMSG;

        while (r >= 0 && (line = strsep(&text, "\n")))
                if (*line)
                        r = parse_line(ret, line);
        return r;
}

int references_of(struct store *store, const struct set_info *set, uint32_t operation,
                  struct references *ret) {
        _cleanup_free_ char *text = NULL;
        int r = store_read_document(store, set, operation, REFERENCES_DOCUMENT, &text, NULL, NULL);

        if (r >= 0)
                r = references_parse(text, ret);
        if (r < 0)
                references_done(ret);
        return r;
}

/* The marker is made once and never touched: inode and change time tell the store from its copy */
char *references_owner(struct store *store) {
        char host[256] = "", *owner;
        struct stat st;

        (void)gethostname(host, sizeof(host) - 1);
        if (fstat(store->marker_fd, &st) < 0 ||
            asprintf(&owner, "%s %ju %jd.%09ld", host, (uintmax_t)st.st_ino,
                     (intmax_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec) < 0)
                return NULL;
        return owner;
}

bool references_are_of(const struct references *references, const char *owner) {
        return references->owner && owner && strcmp(references->owner, owner) == 0;
}

/* ---- who needs them ---- */

/* is_base() - will a later image of the component be built on it? */
static bool is_base(const struct set_list *sets, const struct set_place *place) {
        static const uint32_t types[] = { VSS_BT_INCREMENTAL, VSS_BT_DIFFERENTIAL };
        const struct set_component *component = set_place_component(place);
        struct set_place base;

        for (size_t i = 0; component && i < ELEMENTSOF(types); i++)
                if (catalogue_base(sets, &component->key, types[i], &base) >= 0 &&
                    vss_id_equal(&base.set->id, &place->set->id) &&
                    base.operation == place->operation)
                        return true;
        return false;
}

bool references_are_needed(const struct references *references, const struct set_list *sets,
                           const struct set_place *operation) {
        struct set_place place = *operation;

        place.component = 0;
        if (*references->fingerprint && is_base(sets, &place))
                return true;
        for (size_t i = 0; i < references->sources_count; i++) {
                bool again = i > 0 && references->sources[i].component == place.component;

                place.component = references->sources[i].component;
                if (!again && is_base(sets, &place))
                        return true;
        }
        return false;
}
