/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-mountinfo.c - the table of mounts from text, and volumes on their way through a pipe.
 */
#define _GNU_SOURCE
#include <errno.h>

#include "tests/check.h"
#include "volume/mountinfo.h"
#include "volume/volume.h"

static const char fixture[] =
        "21 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard\n"
        "36 21 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
        "40 21 0:50 /@home /home rw - btrfs /dev/sda2 rw,subvol=/@home\n"
        "41 21 0:51 / /mnt/a\\040b\\134c\\011d\\012e rw - xfs /dev/sdb1 ro\n"
        "42 21 0:52 / /srv/nfs ro shared:3 - nfs4 host:/x rw,vers=4.2\n"
        "43 21 0:53 / /f rw - fuse.sshfs u@h: rw\n"
        "44 21 0:54 / /merged rw - overlay overlay rw,lowerdir=/a\n"
        "45 21 0:55 / /run rw - tmpfs tmpfs rw,mode=755\n"
        "46 21 8:3 / /ntfs rw - fuseblk /dev/sda3 rw\n"
        "47 21 8:4 / /m\377\303 rw,nosuid - ext4 /dev/sd\\040x rw,root_ro\n";

static struct mount_table parsed(const char *text) {
        struct mount_table table = { 0 };

        CHECK_INT(mount_table_parse(&table, text, NULL), 0);
        return table;
}

static void test_fields(void) {
        struct mount_table table = parsed(fixture);
        const struct mount_entry *mount = mount_table_find(&table, 36);

        CHECK_INT(table.count, 10);
        CHECK(mount);
        CHECK_INT(mount->parent, 21);
        CHECK_INT(mount->dev_major, 98);
        CHECK_STR(mount->root, "/mnt1");
        CHECK_STR(mount->point, "/mnt2");
        CHECK_STR(mount->type, "ext3");
        CHECK_STR(mount->source, "/dev/root");
        CHECK(!mount->read_only);
        CHECK(!mount_table_find(&table, 99));
        mount_table_done(&table);
}

static void test_escapes_and_bytes(void) {
        struct mount_table table = parsed(fixture);

        CHECK_STR(mount_table_find(&table, 41)->point, "/mnt/a b\\c\td\ne");
        CHECK_STR(mount_table_find(&table, 47)->point, "/m\377\303");
        CHECK_STR(mount_table_find(&table, 47)->source, "/dev/sd x");
        mount_table_done(&table);
        table = parsed("1 1 8:1 / /a\\04 rw - x y rw\n2 1 8:1 / /a\\999 rw - x y rw");
        CHECK_STR(table.items[0].point, "/a\\04");
        CHECK_STR(table.items[1].point, "/a\\999");
        mount_table_done(&table);
}

static void test_read_only(void) {
        struct mount_table table = parsed(fixture);

        CHECK(mount_table_find(&table, 41)->read_only); /* by the file system */
        CHECK(mount_table_find(&table, 42)->read_only); /* by the mount */
        CHECK(!mount_table_find(&table, 47)->read_only); /* "root_ro" is another word */
        mount_table_done(&table);
}

static void test_kinds(void) {
        static const enum mount_kind kinds[] = { MOUNT_LOCAL,   MOUNT_LOCAL,   MOUNT_LOCAL,
                                                 MOUNT_LOCAL,   MOUNT_NETWORK, MOUNT_FUSE,
                                                 MOUNT_STACKED, MOUNT_PSEUDO,  MOUNT_FUSE,
                                                 MOUNT_LOCAL };
        struct mount_table table = parsed(fixture);

        /* the xfs of line 4 is local by its type's absence from the lists only with a device */
        table.items[3].dev_major = 8;
        for (size_t i = 0; i < table.count; i++)
                CHECK_INT(mount_entry_kind(&table.items[i]), kinds[i]);
        mount_table_done(&table);
}

static void test_broken_lines(void) {
        static const char *const lines[] = { "x", "1 2 3 / / rw - t s o",
                                             "1 2 8:1 / /x rw shared:1", "1 2 8:1 / /x rw - ext4",
                                             "1 2 8:1x / /x rw - a b c" };

        for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
                struct vss_error error = VSS_ERROR_INIT;
                struct mount_table table = { 0 };

                CHECK_INT(mount_table_parse(&table, lines[i], &error), -EBADMSG);
                CHECK(strstr(error.message, "line 1"));
                vss_error_clear(&error);
                mount_table_done(&table);
        }
}

static void test_this_machine(void) {
        struct mount_table table = { 0 };
        bool root = false;

        CHECK_INT(mount_table_read(&table, NULL), 0);
        for (size_t i = 0; i < table.count; i++)
                root |= strcmp(table.items[i].point, "/") == 0;
        CHECK(root);
        mount_table_done(&table);
}

/* ---- records ---- */

static char *written(size_t *size, const struct vss_error *failure, const char *refusal) {
        struct volume volume = { .v = { .id = "UUID=1",
                                        .mount_point = "/m\377\n",
                                        .device = "/dev/x",
                                        .fs_type = "xfs",
                                        .mount_id = UINT64_C(1) << 40,
                                        .dev_major = 8,
                                        .dev_minor = 1 << 19,
                                        .read_only = 1 } };
        char *words = refusal ? strdup(refusal) : NULL, *text = NULL;
        FILE *file = open_memstream(&text, size);

        volume.refusal = words;
        CHECK(file);
        CHECK_INT(volume_write(file, &volume), 0);
        CHECK_INT(volume_write_end(file, failure), 0);
        fclose(file);
        free(words);
        return text;
}

static void test_records(void) {
        struct vss_error none = VSS_ERROR_INIT;
        struct volume_list list = { 0 };
        size_t size;
        char *text = written(&size, &none, "no");

        CHECK_INT(volume_list_read(&list, text, size, NULL), 0);
        CHECK_INT(list.count, 1);
        CHECK_STR(list.items[0].v.mount_point, "/m\377\n");
        CHECK_STR(list.items[0].v.subvolume, ""); /* never NULL */
        CHECK_STR(list.items[0].refusal, "no");
        CHECK_INT(list.items[0].v.mount_id, INT64_C(1) << 40);
        CHECK_INT(list.items[0].v.dev_minor, 1 << 19);
        CHECK_INT(list.items[0].v.read_only, 1);
        volume_list_clear(&list);
        free(text);
}

static void test_records_of_failure(void) {
        struct vss_error failure = VSS_ERROR_INIT, error = VSS_ERROR_INIT;
        struct volume_list list = { 0 };
        size_t size;
        char *text;

        vss_fail(&failure, VSS_E_VOLUME_NOT_LOCAL, "'%s' is far", "/x");
        text = written(&size, &failure, NULL);
        CHECK_INT(volume_list_read(&list, text, size, &error), VSS_E_VOLUME_NOT_LOCAL);
        CHECK_STR(error.message, "'/x' is far");
        vss_error_clear(&error);
        vss_error_clear(&failure);
        volume_list_clear(&list);
        free(text);
}

/* A probe that was killed on its way: whatever it had written, nobody believes it to be all. */
static void test_records_cut_anywhere(void) {
        struct vss_error none = VSS_ERROR_INIT;
        size_t size;
        char *text = written(&size, &none, NULL);

        for (size_t cut = 0; cut < size; cut++) {
                struct volume_list list = { 0 };
                char *part = malloc(cut + 1);

                memcpy(part, text, cut);
                CHECK_INT(volume_list_read(&list, part, cut, NULL), -EBADMSG);
                volume_list_clear(&list);
                free(part);
        }
        free(text);
}

int main(void) {
        RUN(test_fields);
        RUN(test_escapes_and_bytes);
        RUN(test_read_only);
        RUN(test_kinds);
        RUN(test_broken_lines);
        RUN(test_this_machine);
        RUN(test_records);
        RUN(test_records_of_failure);
        RUN(test_records_cut_anywhere);
        return 0;
}
