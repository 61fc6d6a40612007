/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * names.c - the table. SEEN and DOC names are facts; each GUESS may be corrected by one document
 * of the original, and nothing but this file changes then.
 */
#include "documents/names.h"

#include "base/array.h"
#include "vss/documents.h"

#define ATTRIBUTES(table) .attributes = (table), .attribute_count = ELEMENTSOF(table)
#define CHILDREN(table, lists)                                                                     \
        .children = (table), .child_count = ELEMENTSOF(table), .list_count = (lists)

/* ---- words ---- */

static const struct word words_usage[] = {
        { "BOOTABLE_SYSTEM_STATE", VSS_UT_BOOTABLESYSTEMSTATE, SEEN },
        { "SYSTEM_SERVICE", VSS_UT_SYSTEMSERVICE, SEEN },
        { "USER_DATA", VSS_UT_USERDATA, SEEN },
        { "OTHER", VSS_UT_OTHER, GUESS },
        { 0 },
};

static const struct word words_source[] = {
        { "TRANSACTION_DB", VSS_ST_TRANSACTEDDB, SEEN },
        { "NONTRANSACTION_DB", VSS_ST_NONTRANSACTEDDB, GUESS },
        { "OTHER", VSS_ST_OTHER, SEEN },
        { 0 },
};

static const struct word words_method[] = {
        { "RESTORE_IF_NOT_THERE", VSS_RME_RESTORE_IF_NOT_THERE, GUESS },
        { "RESTORE_IF_CAN_BE_REPLACED", VSS_RME_RESTORE_IF_CAN_REPLACE, SEEN },
        { "RESTORE_IF_CAN_REPLACE", VSS_RME_RESTORE_IF_CAN_REPLACE, GUESS },
        { "STOP_RESTORE_START", VSS_RME_STOP_RESTORE_START, GUESS },
        { "RESTORE_TO_ALTERNATE_LOCATION", VSS_RME_RESTORE_TO_ALTERNATE_LOCATION, GUESS },
        { "REPLACE_AT_REBOOT", VSS_RME_RESTORE_AT_REBOOT, SEEN },
        { "REPLACE_AT_REBOOT_IF_CANNOT_REPLACE", VSS_RME_RESTORE_AT_REBOOT_IF_CANNOT_REPLACE,
          SEEN },
        { "CUSTOM", VSS_RME_CUSTOM, GUESS },
        { "RESTORE_STOP_START", VSS_RME_RESTORE_STOP_START, GUESS },
        { 0 },
};

static const struct word words_writer_restore[] = {
        { "never", VSS_WRE_NEVER, SEEN },
        { "ifReplaceFails", VSS_WRE_IF_REPLACE_FAILS, GUESS },
        { "always", VSS_WRE_ALWAYS, SEEN },
        { 0 },
};

const struct word words_backup_type[] = {
        { "undefined", VSS_BT_UNDEFINED, GUESS },
        { "full", VSS_BT_FULL, SEEN },
        { "incremental", VSS_BT_INCREMENTAL, GUESS },
        { "differential", VSS_BT_DIFFERENTIAL, GUESS },
        { "log", VSS_BT_LOG, GUESS },
        { "copy", VSS_BT_COPY, GUESS },
        { "other", VSS_BT_OTHER, GUESS },
        { 0 },
};

static const struct word words_restore_type[] = {
        { "undefined", VSS_RTYPE_UNDEFINED, GUESS }, { "copy", VSS_RTYPE_BY_COPY, GUESS },
        { "bycopy", VSS_RTYPE_BY_COPY, GUESS },      { "import", VSS_RTYPE_IMPORT, GUESS },
        { "other", VSS_RTYPE_OTHER, GUESS },         { 0 },
};

const struct word words_component_type[] = {
        { "filegroup", VSS_CT_FILEGROUP, SEEN },
        { "database", VSS_CT_DATABASE, GUESS },
        { 0 },
};

static const struct word words_target[] = {
        { "undefined", VSS_RT_UNDEFINED, GUESS },
        { "original", VSS_RT_ORIGINAL, GUESS },
        { "alternate", VSS_RT_ALTERNATE, GUESS },
        { "directed", VSS_RT_DIRECTED, GUESS },
        { "originalLocation", VSS_RT_ORIGINAL_LOCATION, GUESS },
        { 0 },
};

static const struct word words_status[] = {
        { "undefined", VSS_RS_UNDEFINED, GUESS },
        { "none", VSS_RS_NONE, GUESS },
        { "all", VSS_RS_ALL, GUESS },
        { "failed", VSS_RS_FAILED, GUESS },
        { 0 },
};

static const struct word words_roll[] = {
        { "undefined", VSS_RF_UNDEFINED, GUESS },
        { "none", VSS_RF_NONE, GUESS },
        { "all", VSS_RF_ALL, GUESS },
        { "partial", VSS_RF_PARTIAL, GUESS },
        { 0 },
};

/* ---- Writer Metadata Document ---- */

static const struct attribute attributes_file_list[] = {
        [FS_PATH] = { "path", VALUE_PATH, true, SEEN },
        [FS_FILESPEC] = { "filespec", VALUE_PATH, true, SEEN },
        [FS_RECURSIVE] = { "recursive", VALUE_BOOL, false, SEEN },
        [FS_ALTERNATE] = { "alternatePath", VALUE_PATH, false, GUESS },
        [FS_MASK] = { "filespecBackupType", VALUE_MASK, false, SEEN },
};

static const struct attribute attributes_database_files[] = {
        [FS_PATH] = { "path", VALUE_PATH, true, DOC },
        [FS_FILESPEC] = { "filespec", VALUE_PATH, true, DOC },
        [FS_MASK] = { "filespecBackupType", VALUE_MASK, false, DOC },
};

static const struct attribute attributes_exclude[] = {
        [FS_PATH] = { "path", VALUE_PATH, true, SEEN },
        [FS_FILESPEC] = { "filespec", VALUE_PATH, true, SEEN },
        [FS_RECURSIVE] = { "recursive", VALUE_BOOL, false, SEEN },
};

static const struct attribute attributes_mapping[] = {
        [FS_PATH] = { "path", VALUE_PATH, true, GUESS },
        [FS_FILESPEC] = { "filespec", VALUE_PATH, true, GUESS },
        [FS_RECURSIVE] = { "recursive", VALUE_BOOL, false, GUESS },
        [FS_ALTERNATE] = { "alternatePath", VALUE_PATH, true, GUESS },
};

static const struct attribute attributes_include[] = {
        [FS_PATH] = { "path", VALUE_PATH, true, GUESS },
        [FS_FILESPEC] = { "filespec", VALUE_PATH, true, GUESS },
        [FS_RECURSIVE] = { "recursive", VALUE_BOOL, false, GUESS },
        [FS_ALTERNATE] = { "alternatePath", VALUE_PATH, false, GUESS },
};

static const struct attribute attributes_dependency[] = {
        [DE_WRITER] = { "writerId", VALUE_ID, true, GUESS },
        [DE_PATH] = { "logicalPath", VALUE_TEXT, false, GUESS },
        [DE_NAME] = { "componentName", VALUE_NAME, true, GUESS },
};

static const struct attribute attributes_component_declared[] = {
        [CO_PATH] = { "logicalPath", VALUE_TEXT, false, SEEN },
        [CO_NAME] = { "componentName", VALUE_NAME, true, SEEN },
        [CO_CAPTION] = { "caption", VALUE_TEXT, false, SEEN },
        [CO_ICON] = { "icon", VALUE_BYTES, false, GUESS },
        [CO_RESTORE_METADATA] = { "restoreMetadata", VALUE_BOOL, false, SEEN },
        [CO_NOTIFY] = { "notifyOnBackupComplete", VALUE_BOOL, false, SEEN },
        [CO_SELECTABLE] = { "selectable", VALUE_BOOL, true, SEEN },
        [CO_SELECTABLE_RESTORE] = { "selectableForRestore", VALUE_BOOL, false, SEEN },
        [CO_FLAGS] = { "componentFlags", VALUE_MASK, false, SEEN },
};

static const struct attribute attributes_identification[] = {
        [ID_WRITER] = { "writerId", VALUE_ID, true, SEEN },
        [ID_INSTANCE] = { "instanceId", VALUE_ID, true, SEEN },
        [ID_INSTANCE_NAME] = { "instanceName", VALUE_TEXT, false, SEEN },
        [ID_NAME] = { "friendlyName", VALUE_TEXT, true, SEEN },
        [ID_USAGE] = { "usage", VALUE_WORD, true, SEEN, words_usage },
        [ID_SOURCE] = { "dataSource", VALUE_WORD, true, SEEN, words_source },
        [ID_MAJOR] = { "majorVersion", VALUE_MASK, false, SEEN },
        [ID_MINOR] = { "minorVersion", VALUE_MASK, false, SEEN },
};

static const struct attribute attributes_restore_method[] = {
        [RM_METHOD] = { "method", VALUE_WORD, true, SEEN, words_method },
        [RM_SERVICE] = { "service", VALUE_TEXT, false, GUESS },
        [RM_PROCEDURE] = { "userProcedure", VALUE_TEXT, false, GUESS },
        [RM_WRITER_RESTORE] = { "writerRestore", VALUE_WORD, true, SEEN, words_writer_restore },
        [RM_REBOOT] = { "rebootRequired", VALUE_BOOL, false, SEEN },
};

static const struct attribute attributes_writer_metadata[] = {
        [WM_VERSION] = { "version", VALUE_TEXT, false, SEEN },
        [WM_SCHEMA] = { "backupSchema", VALUE_MASK, false, SEEN },
};

const struct element element_file_list = { "FILE_LIST", .evidence = SEEN,
                                           ATTRIBUTES(attributes_file_list) };
const struct element element_database_files = { "DATABASE_FILES", .evidence = DOC,
                                                ATTRIBUTES(attributes_database_files) };
const struct element element_database_logfiles = { "DATABASE_LOGFILES", .evidence = DOC,
                                                   ATTRIBUTES(attributes_database_files) };
const struct element element_dependency = { "DEPENDENCY", .evidence = GUESS,
                                            ATTRIBUTES(attributes_dependency) };
const struct element element_exclude_files = { "EXCLUDE_FILES", .evidence = SEEN,
                                               ATTRIBUTES(attributes_exclude) };
const struct element element_exclude_files_from_snapshot = { "EXCLUDE_FILES_FROM_SNAPSHOT",
                                                             .evidence = SEEN,
                                                             ATTRIBUTES(attributes_exclude) };
const struct element element_include_files = { "INCLUDE_FILES", .evidence = GUESS,
                                               ATTRIBUTES(attributes_include) };
const struct element element_alternate_location_mapping = { "ALTERNATE_LOCATION_MAPPING",
                                                            .evidence = GUESS,
                                                            ATTRIBUTES(attributes_mapping) };

static const struct child children_file_group[] = {
        { &element_file_list, CO_FILES, ANY_NUMBER },
        { &element_dependency, CO_DEPENDENCIES, ANY_NUMBER },
};
const struct element element_file_group = { "FILE_GROUP", .evidence = SEEN,
                                            ATTRIBUTES(attributes_component_declared),
                                            CHILDREN(children_file_group, CO_LISTS) };

static const struct child children_database[] = {
        { &element_database_files, CO_DATABASE_FILES, ANY_NUMBER },
        { &element_database_logfiles, CO_LOGFILES, ANY_NUMBER },
        { &element_dependency, CO_DEPENDENCIES, ANY_NUMBER },
};
const struct element element_database = { "DATABASE", .evidence = DOC,
                                          ATTRIBUTES(attributes_component_declared),
                                          CHILDREN(children_database, CO_LISTS) };

static const struct child children_backup_locations[] = {
        { &element_file_group, BL_COMPONENTS, ANY_NUMBER },
        { &element_database, BL_COMPONENTS, ANY_NUMBER },
        { &element_exclude_files, BL_EXCLUDES, ANY_NUMBER },
        { &element_exclude_files_from_snapshot, BL_SNAPSHOT_EXCLUDES, ANY_NUMBER },
        { &element_include_files, BL_INCLUDES, ANY_NUMBER },
};
const struct element element_backup_locations = { "BACKUP_LOCATIONS", .evidence = SEEN,
                                                  CHILDREN(children_backup_locations, BL_LISTS) };

static const struct child children_restore_method[] = {
        { &element_alternate_location_mapping, RM_MAPPINGS, ANY_NUMBER },
};
const struct element element_restore_method = { "RESTORE_METHOD", .evidence = SEEN,
                                                ATTRIBUTES(attributes_restore_method),
                                                CHILDREN(children_restore_method, RM_LISTS) };
const struct element element_identification = { "IDENTIFICATION", .evidence = SEEN,
                                                ATTRIBUTES(attributes_identification) };

static const struct child children_writer_metadata[] = {
        { &element_identification, WM_IDENTIFICATION, EXACTLY_ONE },
        { &element_restore_method, WM_RESTORE_METHOD, AT_MOST_ONE },
        { &element_backup_locations, WM_BACKUP_LOCATIONS, AT_MOST_ONE },
};
const struct element element_writer_metadata = {
        "WRITER_METADATA", .xmlns = "x-schema:#VssWriterMetadataInfo", .evidence = SEEN,
        ATTRIBUTES(attributes_writer_metadata), CHILDREN(children_writer_metadata, WM_LISTS)
};

/* ---- Backup Components Document ---- */

static const struct attribute attributes_metadata[] = {
        [MD_METADATA] = { "metadata", VALUE_TEXT, true, SEEN },
};

static const struct attribute attributes_partial_file[] = {
        [PF_PATH] = { "path", VALUE_PATH, true, GUESS },
        [PF_NAME] = { "filespec", VALUE_PATH, true, GUESS },
        [PF_RANGES] = { "ranges", VALUE_PATH, true, GUESS },
        [PF_METADATA] = { "metadata", VALUE_TEXT, false, GUESS },
};

static const struct attribute attributes_differenced_files[] = {
        [DF_PATH] = { "path", VALUE_PATH, true, GUESS },
        [DF_FILESPEC] = { "filespec", VALUE_PATH, true, GUESS },
        [DF_RECURSIVE] = { "recursive", VALUE_BOOL, false, GUESS },
        [DF_TIME] = { "lastModifyTime", VALUE_TIME, false, GUESS },
};

static const struct attribute attributes_directed_target[] = {
        [DT_SOURCE_PATH] = { "sourcePath", VALUE_PATH, true, GUESS },
        [DT_SOURCE_NAME] = { "sourceFilename", VALUE_PATH, true, GUESS },
        [DT_SOURCE_RANGES] = { "sourceRangeList", VALUE_PATH, true, GUESS },
        [DT_DESTINATION_PATH] = { "destinationPath", VALUE_PATH, true, GUESS },
        [DT_DESTINATION_NAME] = { "destinationFilename", VALUE_PATH, true, GUESS },
        [DT_DESTINATION_RANGES] = { "destinationRangeList", VALUE_PATH, true, GUESS },
};

static const struct attribute attributes_restore_subcomponent[] = {
        [RS_PATH] = { "logicalPath", VALUE_TEXT, false, GUESS },
        [RS_NAME] = { "componentName", VALUE_NAME, true, GUESS },
        [RS_REPAIR] = { "repair", VALUE_BOOL, false, GUESS },
};

static const struct attribute attributes_failure[] = {
        [FA_CODE] = { "hr", VALUE_MASK, true, GUESS },
        [FA_APPLICATION] = { "hrApplication", VALUE_MASK, false, GUESS },
        [FA_MESSAGE] = { "applicationMessage", VALUE_TEXT, false, GUESS },
};

static const struct attribute attributes_component[] = {
        [CP_PATH] = { "logicalPath", VALUE_TEXT, false, SEEN },
        [CP_NAME] = { "componentName", VALUE_NAME, true, SEEN },
        [CP_TYPE] = { "componentType", VALUE_WORD, true, SEEN, words_component_type },
        [CP_BACKUP_OPTIONS] = { "backupOptions", VALUE_TEXT, false, GUESS },
        [CP_PREVIOUS_STAMP] = { "previousBackupStamp", VALUE_TEXT, false, GUESS },
        [CP_SUCCEEDED] = { "backupSucceeded", VALUE_BOOL, false, GUESS },
        [CP_SELECTED] = { "selectedForRestore", VALUE_BOOL, false, GUESS },
        [CP_SELECTED_INSTANCE] = { "selectedForRestoreInstanceId", VALUE_ID, false, GUESS },
        [CP_RESTORE_OPTIONS] = { "restoreOptions", VALUE_TEXT, false, GUESS },
        [CP_ADDITIONAL] = { "additionalRestores", VALUE_BOOL, false, GUESS },
        [CP_TARGET] = { "restoreTarget", VALUE_WORD, false, GUESS, words_target },
        [CP_STATUS] = { "fileRestoreStatus", VALUE_WORD, false, GUESS, words_status },
        [CP_AUTHORITATIVE] = { "authoritativeRestore", VALUE_BOOL, false, GUESS },
        [CP_RESTORE_NAME] = { "restoreName", VALUE_TEXT, false, GUESS },
        [CP_ROLL_TYPE] = { "rollForwardType", VALUE_WORD, false, GUESS, words_roll },
        [CP_ROLL_POINT] = { "rollForwardPoint", VALUE_TEXT, false, GUESS },
        [CP_PREPARE_MESSAGE] = { "prepareForBackupFailureMsg", VALUE_TEXT, false, GUESS },
        [CP_POST_SNAPSHOT_MESSAGE] = { "postSnapshotFailureMsg", VALUE_TEXT, false, GUESS },
        [CP_PRE_RESTORE_MESSAGE] = { "preRestoreFailureMsg", VALUE_TEXT, false, GUESS },
        [CP_POST_RESTORE_MESSAGE] = { "postRestoreFailureMsg", VALUE_TEXT, false, GUESS },
        [CP_STAMP] = { "backupStamp", VALUE_TEXT, false, SEEN },
};

static const struct attribute attributes_writer_components[] = {
        [WC_INSTANCE] = { "instanceId", VALUE_ID, true, SEEN },
        [WC_WRITER] = { "writerId", VALUE_ID, true, SEEN },
        [WC_INSTANCE_NAME] = { "instanceName", VALUE_TEXT, false, SEEN },
        [WC_SCHEMA] = { "backupSchema", VALUE_MASK, false, SEEN },
};

static const struct attribute attributes_backup_components[] = {
        [BC_VERSION] = { "version", VALUE_TEXT, false, SEEN },
        [BC_BOOTABLE] = { "bootableSystemStateBackup", VALUE_BOOL, false, SEEN },
        [BC_SELECT] = { "selectComponents", VALUE_BOOL, false, SEEN },
        [BC_BACKUP_TYPE] = { "backupType", VALUE_WORD, false, SEEN, words_backup_type },
        [BC_PARTIAL] = { "partialFileSupport", VALUE_BOOL, false, SEEN },
        [BC_SNAPSHOT_SET] = { "snapshotSetId", VALUE_ID, false, SEEN },
        [BC_RESTORE_TYPE] = { "restoreType", VALUE_WORD, false, GUESS, words_restore_type },
};

const struct element element_backup_metadata = { "BACKUP_METADATA", .evidence = SEEN,
                                                 ATTRIBUTES(attributes_metadata) };
const struct element element_restore_metadata = { "RESTORE_METADATA", .evidence = GUESS,
                                                  ATTRIBUTES(attributes_metadata) };
const struct element element_failure = { "FAILURE", .evidence = GUESS,
                                         ATTRIBUTES(attributes_failure) };
const struct element element_partial_file = { "PARTIAL_FILE", .evidence = GUESS,
                                              ATTRIBUTES(attributes_partial_file) };
const struct element element_differenced_files = { "DIFFERENCED_FILES", .evidence = GUESS,
                                                   ATTRIBUTES(attributes_differenced_files) };
const struct element element_new_target = { "NEW_TARGET", .evidence = GUESS,
                                            ATTRIBUTES(attributes_mapping) };
const struct element element_mapping_used = { "ALTERNATE_LOCATION_MAPPING", .evidence = GUESS,
                                              ATTRIBUTES(attributes_mapping) };
const struct element element_directed_target = { "DIRECTED_TARGET", .evidence = GUESS,
                                                 ATTRIBUTES(attributes_directed_target) };
const struct element element_restore_subcomponent = { "RESTORE_SUBCOMPONENT", .evidence = GUESS,
                                                      ATTRIBUTES(attributes_restore_subcomponent) };

static const struct child children_component[] = {
        { &element_backup_metadata, CP_BACKUP_METADATA, AT_MOST_ONE },
        { &element_restore_metadata, CP_RESTORE_METADATA, AT_MOST_ONE },
        { &element_failure, CP_FAILURE, AT_MOST_ONE },
        { &element_partial_file, CP_PARTIAL_FILES, ANY_NUMBER },
        { &element_differenced_files, CP_DIFFERENCED_FILES, ANY_NUMBER },
        { &element_new_target, CP_NEW_TARGETS, ANY_NUMBER },
        { &element_mapping_used, CP_MAPPINGS, ANY_NUMBER },
        { &element_directed_target, CP_DIRECTED_TARGETS, ANY_NUMBER },
        { &element_restore_subcomponent, CP_SUBCOMPONENTS, ANY_NUMBER },
};
const struct element element_component = { "COMPONENT", .evidence = SEEN,
                                           ATTRIBUTES(attributes_component),
                                           CHILDREN(children_component, CP_LISTS) };

static const struct child children_writer_components[] = {
        { &element_component, WC_COMPONENTS, ANY_NUMBER },
};
const struct element element_writer_components = { "WRITER_COMPONENTS", .evidence = SEEN,
                                                   ATTRIBUTES(attributes_writer_components),
                                                   CHILDREN(children_writer_components, WC_LISTS) };

static const struct child children_backup_components[] = {
        { &element_writer_components, BC_WRITERS, ANY_NUMBER },
};
const struct element element_backup_components = {
        "BACKUP_COMPONENTS", .xmlns = "x-schema:#VssComponentMetadata", .evidence = SEEN,
        ATTRIBUTES(attributes_backup_components), CHILDREN(children_backup_components, BC_LISTS)
};

const char *words_text(const struct word *words, uint32_t value) {
        for (; words->text; words++)
                if (words->value == value)
                        return words->text;
        return NULL;
}
