/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * names.h - every name of the two documents, in one table: elements, attributes in the order in
 * which they are written, the words of enumerations, what is mandatory, and how sure we are.
 *
 * Reading, writing and the RELAX NG grammars in data/ all come from it: one real document corrects
 * a guess here and nowhere else.
 */
#ifndef DOCUMENTS_NAMES_H
#define DOCUMENTS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* enum evidence - xml-format section 0 */
enum evidence {
        SEEN, /* in a captured document */
        DOC, /* printed in official documentation of this very document */
        GUESS /* derived from names of the interface */
};

enum value_kind {
        VALUE_TEXT,
        VALUE_NAME, /* text, not empty, without a backslash */
        VALUE_PATH, /* bytes in memory, spelled in XML (text.h) */
        VALUE_ID,
        VALUE_BOOL, /* yes, no */
        VALUE_WORD, /* one of @words */
        VALUE_MASK, /* unsigned 32 bits, written in decimal */
        VALUE_TIME, /* signed 64 bits, not negative, decimal */
        VALUE_BYTES /* a struct blob in memory, base64 in XML */
};

/* struct word - one spelling of an enumeration; of several with one value the first is written */
struct word {
        const char *text; /* NULL ends the list */
        uint32_t value;
        enum evidence evidence;
};

/* struct attribute - @name NULL: this slot does not exist in this element */
struct attribute {
        const char *name;
        enum value_kind kind;
        bool required;
        enum evidence evidence;
        const struct word *words;
};

enum occurrence { ANY_NUMBER, AT_MOST_ONE, EXACTLY_ONE };

/* struct child - children with the same @list are counted and indexed together */
struct child {
        const struct element *element;
        unsigned list;
        enum occurrence occurrence;
};

struct element {
        const char *name;
        const char *xmlns; /* roots only */
        const struct attribute *attributes;
        size_t attribute_count;
        const struct child *children;
        size_t child_count;
        size_t list_count;
        enum evidence evidence;
};

/* ---- Writer Metadata Document ---- */
extern const struct element element_writer_metadata;
extern const struct element element_identification;
extern const struct element element_restore_method;
extern const struct element element_alternate_location_mapping;
extern const struct element element_backup_locations;
extern const struct element element_file_group;
extern const struct element element_database;
extern const struct element element_file_list;
extern const struct element element_database_files;
extern const struct element element_database_logfiles;
extern const struct element element_dependency;
extern const struct element element_exclude_files;
extern const struct element element_exclude_files_from_snapshot;
extern const struct element element_include_files;

/* Slots of attributes and lists of children, per element. */
enum { WM_VERSION, WM_SCHEMA, WM_SLOTS };
enum { WM_IDENTIFICATION, WM_RESTORE_METHOD, WM_BACKUP_LOCATIONS, WM_LISTS };
enum {
        ID_WRITER,
        ID_INSTANCE,
        ID_INSTANCE_NAME,
        ID_NAME,
        ID_USAGE,
        ID_SOURCE,
        ID_MAJOR,
        ID_MINOR,
        ID_SLOTS
};
enum { RM_METHOD, RM_SERVICE, RM_PROCEDURE, RM_WRITER_RESTORE, RM_REBOOT, RM_SLOTS };
enum { RM_MAPPINGS, RM_LISTS };
enum { BL_COMPONENTS, BL_EXCLUDES, BL_SNAPSHOT_EXCLUDES, BL_INCLUDES, BL_LISTS };
enum {
        CO_PATH,
        CO_NAME,
        CO_CAPTION,
        CO_ICON,
        CO_RESTORE_METADATA,
        CO_NOTIFY,
        CO_SELECTABLE,
        CO_SELECTABLE_RESTORE,
        CO_FLAGS,
        CO_SLOTS
};
enum { CO_FILES, CO_DATABASE_FILES, CO_LOGFILES, CO_DEPENDENCIES, CO_LISTS };
enum { FS_PATH, FS_FILESPEC, FS_RECURSIVE, FS_ALTERNATE, FS_MASK, FS_SLOTS };
enum { DE_WRITER, DE_PATH, DE_NAME, DE_SLOTS };

/* ---- Backup Components Document ---- */
extern const struct element element_backup_components;
extern const struct element element_writer_components;
extern const struct element element_component;
extern const struct element element_backup_metadata;
extern const struct element element_restore_metadata;
extern const struct element element_partial_file;
extern const struct element element_differenced_files;
extern const struct element element_new_target;
extern const struct element element_mapping_used;
extern const struct element element_directed_target;
extern const struct element element_restore_subcomponent;
extern const struct element element_failure;

enum {
        BC_VERSION,
        BC_BOOTABLE,
        BC_SELECT,
        BC_BACKUP_TYPE,
        BC_PARTIAL,
        BC_SNAPSHOT_SET,
        BC_RESTORE_TYPE,
        BC_SLOTS
};
enum { BC_WRITERS, BC_LISTS };
enum { WC_INSTANCE, WC_WRITER, WC_INSTANCE_NAME, WC_SCHEMA, WC_SLOTS };
enum { WC_COMPONENTS, WC_LISTS };
enum {
        CP_PATH,
        CP_NAME,
        CP_TYPE,
        CP_BACKUP_OPTIONS,
        CP_PREVIOUS_STAMP,
        CP_SUCCEEDED,
        CP_SELECTED,
        CP_SELECTED_INSTANCE,
        CP_RESTORE_OPTIONS,
        CP_ADDITIONAL,
        CP_TARGET,
        CP_STATUS,
        CP_AUTHORITATIVE,
        CP_RESTORE_NAME,
        CP_ROLL_TYPE,
        CP_ROLL_POINT,
        CP_PREPARE_MESSAGE,
        CP_POST_SNAPSHOT_MESSAGE,
        CP_PRE_RESTORE_MESSAGE,
        CP_POST_RESTORE_MESSAGE,
        CP_STAMP,
        CP_SLOTS
};
enum {
        CP_BACKUP_METADATA,
        CP_RESTORE_METADATA,
        CP_FAILURE,
        CP_PARTIAL_FILES,
        CP_DIFFERENCED_FILES,
        CP_NEW_TARGETS,
        CP_MAPPINGS,
        CP_DIRECTED_TARGETS,
        CP_SUBCOMPONENTS,
        CP_LISTS
};
enum { MD_METADATA, MD_SLOTS };
enum { PF_PATH, PF_NAME, PF_RANGES, PF_METADATA, PF_SLOTS };
enum { DF_PATH, DF_FILESPEC, DF_RECURSIVE, DF_TIME, DF_SLOTS }; /* begins like FS_ */
enum {
        DT_SOURCE_PATH,
        DT_SOURCE_NAME,
        DT_SOURCE_RANGES,
        DT_DESTINATION_PATH,
        DT_DESTINATION_NAME,
        DT_DESTINATION_RANGES,
        DT_SLOTS
};
enum { RS_PATH, RS_NAME, RS_REPAIR, RS_SLOTS };
enum { FA_CODE, FA_APPLICATION, FA_MESSAGE, FA_SLOTS };

#define DOCUMENT_VERSION "1.2"

extern const struct word words_backup_type[];
extern const struct word words_component_type[];

/* words_text() - the spelling that is written, NULL when the value is unknown */
const char *words_text(const struct word *words, uint32_t value);

#endif
