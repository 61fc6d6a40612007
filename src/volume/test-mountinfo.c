/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-mountinfo.c - the table of mounts from text, and volumes on their way through a pipe.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

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

/* libmount reads @text as it would read the kernel's file. */
static int parse(struct mount_table *table, const char *text, struct vss_error *reterr) {
        char path[] = "/tmp/test-mountinfo.XXXXXX";
        int fd = mkstemp(path), r;

        CHECK(fd >= 0);
        CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
        close(fd);
        *table = (struct mount_table){ 0 };
        r = mount_table_read(table, path, reterr);
        unlink(path);
        return r;
}

static struct mount_table parsed(const char *text) {
        struct mount_table table;

        CHECK_INT(parse(&table, text, NULL), 0);
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
        /* a source that would be a comment in fstab, an empty one, and names that only look like
         * the words of the kernel */
        table = parsed("1 1 8:1 / /n\\012\\012l\\011\\377 rw - ext4 \\043x rw\n"
                       "2 1 8:1 /d / rw - ext4  rw\n"
                       "3 1 8:1 / /y\\040(deleted) rw - ext4 none rw\n");
        CHECK_STR(table.items[0].point, "/n\n\nl\t\377");
        CHECK_STR(table.items[0].source, "#x");
        CHECK_STR(table.items[1].source, "");
        CHECK_STR(table.items[2].point, "/y (deleted)");
        mount_table_done(&table);
}

/* A bind mount outlives the folder that it shows; a btrfs subvolume likewise. */
static void test_deleted(void) {
        struct mount_table table = parsed("1 1 8:1 / / rw - ext4 /dev/a rw\n"
                                          "2 1 8:1 /x//deleted /m rw - ext4 /dev/a rw\n"
                                          "3 1 8:1 /deleted /n rw - ext4 /dev/a rw\n"
                                          "4 1 8:1 /x /o//deleted rw - ext4 /dev/a rw\n");

        CHECK(!table.items[0].deleted);
        CHECK(table.items[1].deleted);
        CHECK(!table.items[2].deleted);
        CHECK(!table.items[3].deleted);
        mount_table_done(&table);
}

static uint64_t id_at(const struct mount_table *table, const char *path, uint64_t *foreign_id) {
        const struct mount_entry *foreign, *at = mount_table_at(table, path, &foreign);

        *foreign_id = foreign ? foreign->id : 0;
        return at ? at->id : 0;
}

/* Of mounts on one point the topmost counts, and what lies below a point that was covered is out
 * of reach. A bind mount and a subvolume are entries like others. */
static void test_overmounts(void) {
        struct mount_table table = parsed("20 1 8:1 / / rw - ext4 /dev/a rw\n"
                                          "21 20 8:2 / /m rw - ext4 /dev/b rw\n"
                                          "22 21 8:3 / /m/in rw - xfs /dev/c rw\n"
                                          "23 21 8:4 / /m rw - xfs /dev/d rw\n"
                                          "24 20 0:30 /@home /home rw - btrfs /dev/e rw\n"
                                          "25 20 8:1 /home/u /mnt rw - ext4 /dev/a rw\n"
                                          "26 20 0:40 / /f rw - fuse.sshfs u@h: rw\n"
                                          "27 26 8:5 / /f/disk rw - ext4 /dev/f rw\n"
                                          "28 20 8:6 / /mn rw - ext4 /dev/g rw\n");
        uint64_t foreign;

        CHECK_INT(id_at(&table, "/etc", &foreign), 20);
        CHECK_INT(id_at(&table, "/m", &foreign), 23);
        CHECK_INT(id_at(&table, "/m/in", &foreign), 23); /* 22 is covered */
        CHECK_INT(id_at(&table, "/mn/x", &foreign), 28);
        CHECK_INT(id_at(&table, "/mnt/x", &foreign), 25);
        CHECK_INT(id_at(&table, "/home/x", &foreign), 24);
        CHECK_INT(foreign, 0);
        CHECK_INT(id_at(&table, "/f/disk/x", &foreign), 27);
        CHECK_INT(foreign, 26);
        CHECK_INT(id_at(&table, "/f", &foreign), 26);
        CHECK_INT(foreign, 26);
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
                                             "/dev/a /a ext4 rw 0 0" };

        for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
                struct vss_error error = VSS_ERROR_INIT;
                struct mount_table table;

                CHECK_INT(parse(&table, lines[i], &error), -EBADMSG);
                CHECK(strstr(error.message, "test-mountinfo"));
                CHECK_INT(table.count, 0);
                vss_error_clear(&error);
                mount_table_done(&table);
        }
}

static void test_this_machine(void) {
        struct mount_table table = { 0 };
        bool root = false;

        CHECK_INT(mount_table_read(&table, NULL, NULL), 0);
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
        size_t size, used;
        char *text = written(&size, &none, "no");

        CHECK_INT(volume_list_read(&list, text, size, &used, NULL), 0);
        CHECK_INT(used, size);
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
        size_t size, used;
        char *text;

        vss_fail(&failure, VSS_E_VOLUME_NOT_LOCAL, "'%s' is far", "/x");
        text = written(&size, &failure, NULL);
        CHECK_INT(volume_list_read(&list, text, size, &used, &error), VSS_E_VOLUME_NOT_LOCAL);
        CHECK_STR(error.message, "'/x' is far");
        CHECK_INT(used, size);
        vss_error_clear(&error);
        vss_error_clear(&failure);
        volume_list_clear(&list);
        free(text);
}

/* A probe that was killed on its way: whatever it had written, nobody believes it to be all. */
static void test_records_cut_anywhere(void) {
        struct vss_error none = VSS_ERROR_INIT;
        size_t size, used;
        char *text = written(&size, &none, NULL);

        for (size_t cut = 0; cut < size; cut++) {
                struct volume_list list = { 0 };
                char *part = malloc(cut + 1);

                memcpy(part, text, cut);
                CHECK_INT(volume_list_read(&list, part, cut, &used, NULL), -EBADMSG);
                CHECK_INT(used, 0);
                volume_list_clear(&list);
                free(part);
        }
        free(text);
}

int main(void) {
        RUN(test_fields);
        RUN(test_escapes_and_bytes);
        RUN(test_deleted);
        RUN(test_overmounts);
        RUN(test_read_only);
        RUN(test_kinds);
        RUN(test_broken_lines);
        RUN(test_this_machine);
        RUN(test_records);
        RUN(test_records_of_failure);
        RUN(test_records_cut_anywhere);
        return 0;
}
