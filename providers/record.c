/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "record.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "kit.h"

void record_done(struct record *record) {
        vss_free_snapshot_properties(&record->prop);
        free(record->identity);
        free(record->boot);
        *record = (struct record){ 0 };
}

void record_folder_name(const char *provider, const struct vss_id *set,
                        const struct vss_id *snapshot, char *ret) {
        char a[VSS_ID_TEXT_SIZE], b[VSS_ID_TEXT_SIZE];

        snprintf(ret, RECORD_NAME_SIZE, "%.60s-%s-%s", provider, vss_id_format(set, a),
                 vss_id_format(snapshot, b));
}

bool record_parse_name(const char *provider, const char *name, struct vss_id *ret_set,
                       struct vss_id *ret_snapshot) {
        char expected[RECORD_NAME_SIZE], set[VSS_ID_TEXT_SIZE] = "";
        size_t n = strlen(provider);

        if (strncmp(name, provider, n) != 0 || name[n] != '-' ||
            strlen(name) != n + 2 * VSS_ID_TEXT_SIZE)
                return false;
        memcpy(set, name + n + 1, VSS_ID_TEXT_SIZE - 1);
        if (vss_id_parse(set, ret_set) < 0 ||
            vss_id_parse(name + n + 1 + VSS_ID_TEXT_SIZE, ret_snapshot) < 0)
                return false;
        record_folder_name(provider, ret_set, ret_snapshot, expected);
        return strcmp(name, expected) == 0; /* one spelling only */
}

/* put() - a line "key=value" with the value escaped */
static void put(FILE *to, const char *key, const char *value) {
        _cleanup_free_ char *escaped = value ? kit_escape(value) : NULL;

        if (escaped)
                fprintf(to, "%s=%s\n", key, escaped);
}

static void put_id(FILE *to, const char *key, const struct vss_id *id) {
        char text[VSS_ID_TEXT_SIZE];

        fprintf(to, "%s=%s\n", key, vss_id_format(id, text));
}

int record_write(int folder, const struct record *record) {
        const struct vss_snapshot_prop *p = &record->prop;
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);

        if (!to)
                return -ENOMEM;
        put_id(to, "snapshot", &p->snapshot_id);
        put_id(to, "set", &p->snapshot_set_id);
        put_id(to, "provider", &p->provider_id);
        fprintf(to, "status=%" PRIu32 "\ncount=%" PRId32 "\nattributes=%" PRIu32 "\n", p->status,
                p->snapshots_count, p->attributes);
        fprintf(to, "context=%" PRIu32 "\ninstant=%" PRIu32 "\ncreated=%" PRId64 "\n",
                record->context, p->instant, p->creation_timestamp);
        fprintf(to, "spread-ms=%" PRIu32 "\n", record->spread_ms);
        put(to, "volume", p->original_volume);
        put(to, "mount", p->original_mount);
        put(to, "originating-machine", p->originating_machine);
        put(to, "service-machine", p->service_machine);
        put(to, "exposed-name", p->exposed_name);
        put(to, "exposed-path", p->exposed_path);
        put(to, "identity", record->identity);
        put(to, "boot", record->boot);
        fputs("end=1\n", to);
        if (fclose(to) != 0)
                return -ENOMEM;
        return kit_write(folder, "record", text);
}

static int get_text(char **to, const char *value) {
        free(*to);
        *to = strdup(value);
        if (!*to)
                return -ENOMEM;
        kit_unescape(*to);
        return 0;
}

static int get_number(const char *key, const char *value, struct record *r, bool *end) {
        const struct {
                const char *key;
                uint32_t *to;
        } numbers[] = { { "status", &r->prop.status },
                        { "attributes", &r->prop.attributes },
                        { "context", &r->context },
                        { "instant", &r->prop.instant },
                        { "spread-ms", &r->spread_ms } };

        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                if (strcmp(key, numbers[i].key) == 0)
                        *numbers[i].to = (uint32_t)strtoul(value, NULL, 10);
        if (strcmp(key, "count") == 0)
                r->prop.snapshots_count = (int32_t)strtol(value, NULL, 10);
        else if (strcmp(key, "created") == 0)
                r->prop.creation_timestamp = strtoll(value, NULL, 10);
        else if (strcmp(key, "end") == 0)
                *end = true;
        return 0; /* an unknown key is of a later version */
}

static int get(const char *key, const char *value, struct record *r, bool *end) {
        const struct {
                const char *key;
                char **to;
        } texts[] = { { "volume", &r->prop.original_volume },
                      { "mount", &r->prop.original_mount },
                      { "originating-machine", &r->prop.originating_machine },
                      { "service-machine", &r->prop.service_machine },
                      { "exposed-name", &r->prop.exposed_name },
                      { "exposed-path", &r->prop.exposed_path },
                      { "identity", &r->identity },
                      { "boot", &r->boot } };

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                if (strcmp(key, texts[i].key) == 0)
                        return get_text(texts[i].to, value);
        if (strcmp(key, "snapshot") == 0)
                return vss_id_parse(value, &r->prop.snapshot_id) < 0 ? -EINVAL : 0;
        if (strcmp(key, "set") == 0)
                return vss_id_parse(value, &r->prop.snapshot_set_id) < 0 ? -EINVAL : 0;
        if (strcmp(key, "provider") == 0)
                return vss_id_parse(value, &r->prop.provider_id) < 0 ? -EINVAL : 0;
        return get_number(key, value, r, end);
}

int record_read(int folder, struct record *ret) {
        _cleanup_free_ char *text = kit_read(folder, "record", 65536);
        _cleanup_(record_done) struct record record = { 0 };
        bool end = false, deleted = false;
        char *rest = NULL;
        int r = 0;

        if (!text && errno == ENOENT) {
                text = kit_read(folder, "deleted", 65536);
                deleted = true;
        }
        if (!text)
                return -errno;
        for (char *l = strtok_r(text, "\n", &rest); l && r == 0; l = strtok_r(NULL, "\n", &rest)) {
                char *value = strchr(l, '=');

                if (!value)
                        return -EINVAL;
                *value++ = '\0';
                r = get(l, value, &record, &end);
        }
        if (r < 0)
                return r;
        if (!end || !record.prop.original_volume || !record.prop.original_mount ||
            !record.identity || vss_id_is_null(&record.prop.snapshot_id))
                return -EINVAL;
        if (deleted)
                record.prop.status = VSS_SS_DELETED;
        *ret = record;
        record = (struct record){ 0 };
        return 0;
}

int record_copy_properties(const struct record *record, struct vss_snapshot_prop *ret) {
        const struct vss_snapshot_prop *p = &record->prop;
        struct vss_snapshot_prop copy = *p;
        char *const *from[] = { &p->device_object,   &p->original_volume,     &p->original_mount,
                                &p->service_machine, &p->originating_machine, &p->exposed_name,
                                &p->exposed_path };
        char **to[] = { &copy.device_object,   &copy.original_volume,     &copy.original_mount,
                        &copy.service_machine, &copy.originating_machine, &copy.exposed_name,
                        &copy.exposed_path };
        bool whole = true;

        for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
                *to[i] = *from[i] ? strdup(*from[i]) : NULL;
                whole = whole && !*from[i] == !*to[i];
        }
        if (!whole) {
                vss_free_snapshot_properties(&copy);
                return -ENOMEM;
        }
        *ret = copy;
        return 0;
}

char *record_identity(int folder) {
        /* "in which subvolume am I?"; what tells the uuid too fails for folders inside of one */
        struct btrfs_ioctl_ino_lookup_args lookup = { .objectid = BTRFS_FIRST_FREE_OBJECTID };
        struct statfs fs;
        struct stat st;
        char *identity;

        if (fstat(folder, &st) < 0 || fstatfs(folder, &fs) < 0)
                return NULL;
        if (fs.f_type == BTRFS_SUPER_MAGIC && ioctl(folder, BTRFS_IOC_INO_LOOKUP, &lookup) < 0)
                return NULL;
        return asprintf(&identity, "%ju:%ju", (uintmax_t)st.st_ino, (uintmax_t)lookup.treeid) < 0
                       ? NULL
                       : identity;
}

char *record_boot(void) {
        _cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        char id[40];
        ssize_t n = fd < 0 ? -1 : read(fd, id, sizeof(id) - 1);

        if (n <= 0)
                return NULL;
        id[n] = '\0';
        id[strcspn(id, "\n")] = '\0';
        return strdup(id);
}

bool record_is_outlived(const struct record *record) {
        _cleanup_free_ char *boot = record->boot ? record_boot() : NULL;
        const char *machine = record->prop.service_machine;
        char host[256] = "localhost";

        (void)gethostname(host, sizeof(host) - 1);
        /* on a disk that several machines share, another one's boot says nothing */
        return record->prop.status == VSS_SS_CREATED &&
               !(record->prop.attributes & VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE) && boot &&
               strcmp(record->boot, boot) != 0 && machine && strcmp(machine, host) == 0;
}
