/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * images.h - a small backup program for the tests of the sqlite writer: takes what the writer says
 * out of the copy, ranges or whole files, and puts chains of it back.
 */
#ifndef TESTS_WRITERS_IMAGES_H
#define TESTS_WRITERS_IMAGES_H

#include "base/ranges.h"
#include "sqlite-tools.h"

/* One image of the component "app". */
struct image {
        uint32_t type;
        char *folder; /* what was stored, and in "truth" the database of the copy; lent */
        char *stamp, *message, *xml; /* as the writer left them; the document */
        bool partial;
        struct ranges ranges;
        uint64_t size; /* of the whole file */
        int32_t failure;
        char *words; /* of the failure */
        uint64_t post_us; /* how long PostSnapshot took */
};

/* image_begin() - a backup up to PostSnapshot, and store what is to be stored; the copy goes.
 * @base: its stamp becomes the previous one; NULL: none. @settings: as for start() */
void image_begin(struct host *host, struct image *image, uint32_t type, const struct image *base,
                 const char *const *settings);
/* image_end() - BackupComplete, BackupShutdown, and the writer's end */
void image_end(struct host *host, struct image *image, bool succeeded);
/* image_take() - both, and it succeeds */
void image_take(struct image *image, uint32_t type, const struct image *base);
void image_done(struct image *image);

uint64_t image_bytes(const struct image *image);

/* image_expect_ranges() - exactly the pages that differ from @base: found page by page */
void image_expect_ranges(const struct image *image, const struct image *base, size_t page_size);

enum chain_mode {
        CHAIN_ONE_BY_ONE, /* I-185: one restore per image, each told whether more follow */
        CHAIN_MERGED /* all files first, one restore of the last image, as vssctl does */
};

/* chain_restore() - NULL-terminated; what stands in "data" goes first. Each byte of the database
 * is compared with the copy of that time. Return: failure of the last PostRestore */
int chain_restore(const struct image *const *chain, enum chain_mode mode);

/* restore_begin(), restore_end() - PreRestore and PostRestore of one image; between them
 * image_put_back() writes its files over what is there. restore_end() returns the failure of the
 * component, and its words, which the caller frees, if @ret_words is not NULL */
/* restore_load() - the image's document, selected; restore_prepare() - with a writer of its own, up
 * to PreRestore; image_put_into() - its files anywhere */
void restore_load(struct host *host, const struct image *image, bool more_follow);
void restore_prepare(struct host *host, const struct image *image, bool more_follow,
                     const char *const *settings);
void image_put_into(const struct image *image, const char *folder);
void restore_begin(struct host *host, const struct image *image, bool more_follow);
void image_put_back(const struct image *image);
int restore_end(struct host *host, char **ret_words);

/* lists_kept() - files in the state folder whose names end so */
int lists_kept(const char *suffix);
/* list_of() - the file that the image's stamp names; NULL: none */
char *list_of(const struct image *image);
/* spoil() - flip one bit */
void spoil(const char *path, off_t offset);

#endif
