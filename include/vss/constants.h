/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * constants.h - every enumeration and flag of the architecture, with its official spelling and
 * value.
 *
 * Only names and numbers live here; what each one means for a caller stands at the call that takes
 * it. Structures that cross a library boundary hold these values as uint32_t, never as the enum.
 */
#ifndef VSS_CONSTANTS_H
#define VSS_CONSTANTS_H

#include <stdint.h>

enum vss_object_type {
        VSS_OBJECT_UNKNOWN = 0, /* Object kind not known; programming error */
        VSS_OBJECT_NONE = 1, /* No particular kind; used as a query filter */
        VSS_OBJECT_SNAPSHOT_SET = 2, /* A set of snapshots */
        VSS_OBJECT_SNAPSHOT = 3, /* A single snapshot */
        VSS_OBJECT_PROVIDER = 4, /* A snapshot provider */
        VSS_OBJECT_TYPE_COUNT = 5 /* Number of object kinds; not a real kind */
};

enum vss_snapshot_state {
        VSS_SS_UNKNOWN = 0, /* Snapshot state not known */
        VSS_SS_PREPARING = 1, /* Snapshot is being prepared */
        VSS_SS_PROCESSING_PREPARE = 2, /* End of preparation is running */
        VSS_SS_PREPARED = 3, /* Preparation is done */
        VSS_SS_PROCESSING_PRECOMMIT = 4, /* Pre-commit is running */
        VSS_SS_PRECOMMITTED = 5, /* Pre-commit is done */
        VSS_SS_PROCESSING_COMMIT = 6, /* Commit is running */
        VSS_SS_COMMITTED = 7, /* Commit is done */
        VSS_SS_PROCESSING_POSTCOMMIT = 8, /* Post-commit is running */
        VSS_SS_PROCESSING_PREFINALCOMMIT = 9, /* Pre-final-commit is running */
        VSS_SS_PREFINALCOMMITTED = 10, /* Pre-final-commit is done */
        VSS_SS_PROCESSING_POSTFINALCOMMIT = 11, /* Post-final-commit is running */
        VSS_SS_CREATED = 12, /* Snapshot exists and is usable */
        VSS_SS_ABORTED = 13, /* Creation was aborted */
        VSS_SS_DELETED = 14, /* Snapshot was deleted */
        VSS_SS_POSTCOMMITTED = 15, /* Post-commit is done */
        VSS_SS_COUNT = 16 /* Number of states; not a real state */
};

enum vss_volume_snapshot_attributes {
        VSS_VOLSNAP_ATTR_PERSISTENT = 0x00000001, /* Snapshot survives restart */
        VSS_VOLSNAP_ATTR_NO_AUTORECOVERY = 0x00000002, /* No automatic recovery of the snapshot */
        VSS_VOLSNAP_ATTR_CLIENT_ACCESSIBLE =
                0x00000004, /* Clients can reach it as a previous version */
        VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE = 0x00000008, /* Kept after the requester ends */
        VSS_VOLSNAP_ATTR_NO_WRITERS = 0x00000010, /* Created without writer involvement */
        VSS_VOLSNAP_ATTR_TRANSPORTABLE =
                0x00000020, /* To be moved to and imported by another machine */
        VSS_VOLSNAP_ATTR_NOT_SURFACED = 0x00000040, /* Not currently exposed */
        VSS_VOLSNAP_ATTR_NOT_TRANSACTED = 0x00000080, /* No transaction manager integration */
        VSS_VOLSNAP_ATTR_HARDWARE_ASSISTED = 0x00010000, /* Made by a hardware provider */
        VSS_VOLSNAP_ATTR_DIFFERENTIAL =
                0x00020000, /* Copy-on-write or other differential technique */
        VSS_VOLSNAP_ATTR_PLEX = 0x00040000, /* Split-mirror technique */
        VSS_VOLSNAP_ATTR_IMPORTED = 0x00080000, /* Imported rather than created here */
        VSS_VOLSNAP_ATTR_EXPOSED_LOCALLY = 0x00100000, /* Exposed as drive letter or mount point */
        VSS_VOLSNAP_ATTR_EXPOSED_REMOTELY = 0x00200000, /* Exposed as a share */
        VSS_VOLSNAP_ATTR_AUTORECOVER = 0x00400000, /* Writer recovers its data in the snapshot */
        VSS_VOLSNAP_ATTR_ROLLBACK_RECOVERY =
                0x00800000, /* Writer recovers data for rollback or mining use */
        VSS_VOLSNAP_ATTR_DELAYED_POSTSNAPSHOT =
                0x01000000, /* PostSnapshot is delayed; reserved for system */
        VSS_VOLSNAP_ATTR_TXF_RECOVERY =
                0x02000000, /* Transactional file system recovery is enforced */
        VSS_VOLSNAP_ATTR_FILE_SHARE = 0x04000000 /* Snapshot of a remote file share */
};

enum vss_snapshot_context {
        VSS_CTX_BACKUP = 0x00000000, /* Ordinary backup: temporary, with writers */
        VSS_CTX_FILE_SHARE_BACKUP = 0x00000010, /* Temporary, without writers */
        VSS_CTX_NAS_ROLLBACK = 0x00000019, /* Persistent, without writers */
        VSS_CTX_APP_ROLLBACK = 0x00000009, /* Persistent, with writers */
        VSS_CTX_CLIENT_ACCESSIBLE =
                0x0000001d, /* Persistent previous-versions snapshot, without writers */
        VSS_CTX_CLIENT_ACCESSIBLE_WRITERS =
                0x0000000d /* Persistent previous-versions snapshot, with writers */
};
#define VSS_CTX_ALL                                                                                \
        UINT32_C(0xffffffff) /* Every context; for queries and deletion, not creation              \
                              */

enum vss_provider_capabilities {
        VSS_PRV_CAPABILITY_LEGACY = 0x00000001, /* Provider with the old interface */
        VSS_PRV_CAPABILITY_COMPLIANT = 0x00000002, /* Provider with the current interface */
        VSS_PRV_CAPABILITY_LUN_REPOINT = 0x00000004, /* Can repoint LUNs */
        VSS_PRV_CAPABILITY_LUN_RESYNC = 0x00000008, /* Can resynchronize LUNs */
        VSS_PRV_CAPABILITY_OFFLINE_CREATION = 0x00000010, /* Can create snapshots offline */
        VSS_PRV_CAPABILITY_MULTIPLE_IMPORT = 0x00000020, /* Can import a set more than once */
        VSS_PRV_CAPABILITY_RECYCLING = 0x00000040, /* Can reuse LUNs */
        VSS_PRV_CAPABILITY_PLEX = 0x00000080, /* Can split mirrors */
        VSS_PRV_CAPABILITY_DIFFERENTIAL = 0x00000100, /* Can make differential snapshots */
        VSS_PRV_CAPABILITY_CLUSTERED = 0x00000200 /* Can work in clusters */
};

enum vss_hardware_options {
        VSS_BREAKEX_FLAG_MASK_LUNS =
                0x00000001, /* On break, hide the snapshot LUN from this host */
        VSS_BREAKEX_FLAG_MAKE_READ_WRITE =
                0x00000002, /* On break, make the snapshot LUN writable */
        VSS_BREAKEX_FLAG_REVERT_IDENTITY_ALL =
                0x00000004, /* On break, give all LUNs the original disk identifiers */
        VSS_BREAKEX_FLAG_REVERT_IDENTITY_NONE =
                0x00000008, /* On break, keep the snapshot LUNs' own disk identifiers */
        VSS_ONLUNSTATECHANGE_NOTIFY_READ_WRITE = 0x00000100, /* LUNs become writable for good */
        VSS_ONLUNSTATECHANGE_NOTIFY_LUN_PRE_RECOVERY =
                0x00000200, /* LUNs become writable for recovery about to start */
        VSS_ONLUNSTATECHANGE_NOTIFY_LUN_POST_RECOVERY =
                0x00000400, /* Recovery is over; LUNs are read-only again */
        VSS_ONLUNSTATECHANGE_DO_MASK_LUNS =
                0x00000800 /* Provider must hide the LUNs from this host */
};

enum vss_recovery_options {
        VSS_RECOVERY_REVERT_IDENTITY_ALL =
                0x00000100, /* After resync, targets carry the original LUN signatures */
        VSS_RECOVERY_NO_VOLUME_CHECK = 0x00000200 /* Skip the volume safety checks */
};

enum vss_writer_state {
        VSS_WS_UNKNOWN = 0, /* Writer state not known; writer error */
        VSS_WS_STABLE = 1, /* Writer is idle or ready for the next event */
        VSS_WS_WAITING_FOR_FREEZE = 2, /* Writer waits for Freeze */
        VSS_WS_WAITING_FOR_THAW = 3, /* Writer is frozen and waits for Thaw */
        VSS_WS_WAITING_FOR_POST_SNAPSHOT = 4, /* Writer waits for PostSnapshot */
        VSS_WS_WAITING_FOR_BACKUP_COMPLETE = 5, /* Writer waits for the requester to finish */
        VSS_WS_FAILED_AT_IDENTIFY = 6, /* Writer failed while reporting metadata */
        VSS_WS_FAILED_AT_PREPARE_BACKUP = 7, /* Writer failed in PrepareForBackup */
        VSS_WS_FAILED_AT_PREPARE_SNAPSHOT = 8, /* Writer failed in PrepareForSnapshot */
        VSS_WS_FAILED_AT_FREEZE = 9, /* Writer failed in Freeze */
        VSS_WS_FAILED_AT_THAW = 10, /* Writer failed in Thaw */
        VSS_WS_FAILED_AT_POST_SNAPSHOT = 11, /* Writer failed in PostSnapshot */
        VSS_WS_FAILED_AT_BACKUP_COMPLETE = 12, /* Writer failed in BackupComplete */
        VSS_WS_FAILED_AT_PRE_RESTORE = 13, /* Writer failed in PreRestore */
        VSS_WS_FAILED_AT_POST_RESTORE = 14, /* Writer failed in PostRestore */
        VSS_WS_FAILED_AT_BACKUPSHUTDOWN = 15, /* Writer failed in BackupShutdown */
        VSS_WS_COUNT = 16 /* Number of states; not a real state */
};

enum vss_backup_type {
        VSS_BT_UNDEFINED = 0, /* Backup type not known; programming error */
        VSS_BT_FULL = 1, /* All files, history updated */
        VSS_BT_INCREMENTAL = 2, /* Files changed since last full or incremental backup */
        VSS_BT_DIFFERENTIAL = 3, /* Files changed since last full backup */
        VSS_BT_LOG = 4, /* Log files take part */
        VSS_BT_COPY = 5, /* All files, history left alone */
        VSS_BT_OTHER = 6 /* None of the other types */
};

enum vss_restore_type {
        VSS_RTYPE_UNDEFINED = 0, /* Restore type not known; programming error */
        VSS_RTYPE_BY_COPY = 1, /* Files are copied back; the default */
        VSS_RTYPE_IMPORT = 2, /* Transportable snapshot is imported */
        VSS_RTYPE_OTHER = 3 /* Some other way, as the requester knows */
};

enum vss_rollforward_type {
        VSS_RF_UNDEFINED = 0, /* Roll-forward kind not given; requester error */
        VSS_RF_NONE = 1, /* Do not replay logs */
        VSS_RF_ALL = 2, /* Replay all logs */
        VSS_RF_PARTIAL = 3 /* Replay logs up to a given point */
};

enum vss_provider_type {
        VSS_PROV_UNKNOWN = 0, /* Provider type not known */
        VSS_PROV_SYSTEM = 1, /* Built-in provider */
        VSS_PROV_SOFTWARE = 2, /* Software provider */
        VSS_PROV_HARDWARE = 3, /* Hardware provider */
        VSS_PROV_FILESHARE = 4 /* File share provider */
};

enum vss_application_level {
        VSS_APP_UNKNOWN = 0, /* Freeze level not known; programming error */
        VSS_APP_SYSTEM = 1, /* Frozen at system level */
        VSS_APP_BACK_END = 2, /* Frozen at back-end application level */
        VSS_APP_FRONT_END = 3, /* Frozen at front-end application level; the default */
        VSS_APP_SYSTEM_RM = 4, /* Frozen at system resource manager level */
        VSS_APP_AUTO = -1 /* Freeze level chosen automatically; reserved */
};

enum vss_snapshot_compatibility {
        VSS_SC_DISABLE_DEFRAG =
                0x00000001, /* Provider forbids defragmenting the snapshotted volume */
        VSS_SC_DISABLE_CONTENTINDEX =
                0x00000002 /* Provider forbids content indexing of the snapshotted volume */
};

enum vss_snapshot_property_id {
        VSS_SPROPID_UNKNOWN = 0, /* Property not known; programming error */
        VSS_SPROPID_SNAPSHOT_ID = 1, /* Snapshot identifier */
        VSS_SPROPID_SNAPSHOT_SET_ID = 2, /* Snapshot set identifier */
        VSS_SPROPID_SNAPSHOTS_COUNT = 3, /* Number of volumes in the set at creation */
        VSS_SPROPID_SNAPSHOT_DEVICE = 4, /* Snapshot device name */
        VSS_SPROPID_ORIGINAL_VOLUME = 5, /* Original volume name */
        VSS_SPROPID_ORIGINATING_MACHINE = 6, /* Machine holding the original volume */
        VSS_SPROPID_SERVICE_MACHINE = 7, /* Machine whose service made the snapshot */
        VSS_SPROPID_EXPOSED_NAME = 8, /* Name under which it is exposed */
        VSS_SPROPID_EXPOSED_PATH = 9, /* Part of the volume exposed as a share */
        VSS_SPROPID_PROVIDER_ID = 10, /* Provider identifier */
        VSS_SPROPID_SNAPSHOT_ATTRIBUTES = 11, /* Attribute bits */
        VSS_SPROPID_CREATION_TIMESTAMP = 12, /* Creation time */
        VSS_SPROPID_STATUS = 13 /* Creation state */
};

enum vss_file_spec_backup_type {
        VSS_FSBT_FULL_BACKUP_REQUIRED =
                0x00000001, /* Restore needs a copy taken in a full backup */
        VSS_FSBT_DIFFERENTIAL_BACKUP_REQUIRED =
                0x00000002, /* Restore needs a copy taken in a differential backup */
        VSS_FSBT_INCREMENTAL_BACKUP_REQUIRED =
                0x00000004, /* Restore needs a copy taken in an incremental backup */
        VSS_FSBT_LOG_BACKUP_REQUIRED = 0x00000008, /* Restore needs a copy taken in a log backup */
        VSS_FSBT_FULL_SNAPSHOT_REQUIRED = 0x00000100, /* Full backup must read from the snapshot */
        VSS_FSBT_DIFFERENTIAL_SNAPSHOT_REQUIRED =
                0x00000200, /* Differential backup must read from the snapshot */
        VSS_FSBT_INCREMENTAL_SNAPSHOT_REQUIRED =
                0x00000400, /* Incremental backup must read from the snapshot */
        VSS_FSBT_LOG_SNAPSHOT_REQUIRED = 0x00000800, /* Log backup must read from the snapshot */
        VSS_FSBT_CREATED_DURING_BACKUP = 0x00010000, /* File appears during the snapshot sequence */
        VSS_FSBT_ALL_BACKUP_REQUIRED = 0x0000000f, /* Needed in every backup type; default */
        VSS_FSBT_ALL_SNAPSHOT_REQUIRED = 0x00000f00 /* Always read from the snapshot; default */
};

enum vss_backup_schema {
        VSS_BS_UNDEFINED = 0x00000000, /* Only plain full backup; the default */
        VSS_BS_DIFFERENTIAL = 0x00000001, /* Differential backup supported */
        VSS_BS_INCREMENTAL = 0x00000002, /* Incremental backup supported */
        VSS_BS_EXCLUSIVE_INCREMENTAL_DIFFERENTIAL =
                0x00000004, /* Incremental and differential may not be mixed */
        VSS_BS_LOG = 0x00000008, /* Log-only backup supported */
        VSS_BS_COPY = 0x00000010, /* Copy backup supported */
        VSS_BS_TIMESTAMPED = 0x00000020, /* Writer uses backup stamps */
        VSS_BS_LAST_MODIFY = 0x00000040, /* Writer gives last-modify times for differenced files */
        VSS_BS_LSN = 0x00000080, /* Writer gives log sequence numbers; reserved */
        VSS_BS_WRITER_SUPPORTS_NEW_TARGET =
                0x00000100, /* Requester may choose new restore locations */
        VSS_BS_WRITER_SUPPORTS_RESTORE_WITH_MOVE =
                0x00000200, /* Component may move to another writer instance */
        VSS_BS_INDEPENDENT_SYSTEM_STATE =
                0x00000400, /* System-state data may also be backed up alone */
        VSS_BS_ROLLFORWARD_RESTORE = 0x00001000, /* Roll-forward points supported */
        VSS_BS_RESTORE_RENAME = 0x00002000, /* Restore under a new name supported */
        VSS_BS_AUTHORITATIVE_RESTORE = 0x00004000, /* Authoritative restore supported */
        VSS_BS_WRITER_SUPPORTS_PARALLEL_RESTORES =
                0x00008000 /* Several unsynchronized restores supported */
};

enum vss_usage_type {
        VSS_UT_UNDEFINED = 0, /* Usage not known; writer error */
        VSS_UT_BOOTABLESYSTEMSTATE = 1, /* Data is bootable system state */
        VSS_UT_SYSTEMSERVICE = 2, /* Data belongs to a system service */
        VSS_UT_USERDATA = 3, /* User data */
        VSS_UT_OTHER = 4 /* Unclassified data */
};

enum vss_source_type {
        VSS_ST_UNDEFINED = 0, /* Source not known; writer error */
        VSS_ST_TRANSACTEDDB = 1, /* Transactional database */
        VSS_ST_NONTRANSACTEDDB = 2, /* Database without transactions */
        VSS_ST_OTHER = 3 /* Anything else; the default */
};

enum vss_restoremethod_enum {
        VSS_RME_UNDEFINED = 0, /* No restore method; writer error */
        VSS_RME_RESTORE_IF_NOT_THERE = 1, /* Restore only files that are absent */
        VSS_RME_RESTORE_IF_CAN_REPLACE = 2, /* Restore if existing files can be overwritten */
        VSS_RME_STOP_RESTORE_START = 3, /* Stop service, restore, start service */
        VSS_RME_RESTORE_TO_ALTERNATE_LOCATION = 4, /* Restore to the mapped alternate location */
        VSS_RME_RESTORE_AT_REBOOT = 5, /* Put files in place at restart */
        VSS_RME_RESTORE_AT_REBOOT_IF_CANNOT_REPLACE =
                6, /* Restore now if possible, otherwise at restart */
        VSS_RME_CUSTOM = 7, /* Application-specific restore */
        VSS_RME_RESTORE_STOP_START = 8 /* Restore, then stop and start service */
};

enum vss_writerrestore_enum {
        VSS_WRE_UNDEFINED = 0, /* Not known whether events are wanted; writer error */
        VSS_WRE_NEVER = 1, /* Writer wants no restore events */
        VSS_WRE_IF_REPLACE_FAILS = 2, /* PreRestore always; PostRestore only if replacing failed */
        VSS_WRE_ALWAYS = 3 /* Writer always wants restore events */
};

enum vss_component_type {
        VSS_CT_UNDEFINED = 0, /* Component type not known; error */
        VSS_CT_DATABASE = 1, /* Database component */
        VSS_CT_FILEGROUP = 2 /* File-group component */
};

enum vss_alternate_writer_state {
        VSS_AWS_UNDEFINED = 0, /* Not known whether an alternate writer exists */
        VSS_AWS_NO_ALTERNATE_WRITER = 1, /* No alternate writer; the default */
        VSS_AWS_ALTERNATE_WRITER_EXISTS = 2, /* An alternate writer runs when this one is absent */
        VSS_AWS_THIS_IS_ALTERNATE_WRITER = 3 /* This writer is the alternate */
};

enum vss_subscribe_mask {
        VSS_SM_POST_SNAPSHOT_FLAG = 0x00000001, /* Writer wants post-snapshot events */
        VSS_SM_BACKUP_EVENTS_FLAG = 0x00000002, /* Writer wants backup events */
        VSS_SM_RESTORE_EVENTS_FLAG = 0x00000004, /* Writer wants restore events */
        VSS_SM_IO_THROTTLING_FLAG = 0x00000008 /* Writer wants I/O throttling events */
};
#define VSS_SM_ALL_FLAGS UINT32_C(0xffffffff) /* Writer wants every event */

enum vss_restore_target {
        VSS_RT_UNDEFINED = 0, /* No target; writer error */
        VSS_RT_ORIGINAL = 1, /* Follow the declared restore method; the default */
        VSS_RT_ALTERNATE = 2, /* Use an alternate location mapping */
        VSS_RT_DIRECTED = 3, /* Use the writer's directed targets */
        VSS_RT_ORIGINAL_LOCATION = 4 /* Use the backup-time location, whatever the method */
};

enum vss_file_restore_status {
        VSS_RS_UNDEFINED = 0, /* Status not set; restore not started or error */
        VSS_RS_NONE = 1, /* No files restored, none left on disk */
        VSS_RS_ALL = 2, /* All files restored */
        VSS_RS_FAILED = 3 /* Failed leaving partial files on disk */
};

enum vss_component_flags {
        VSS_CF_BACKUP_RECOVERY = 0x00000001, /* Writer needs to write to the backup snapshot */
        VSS_CF_APP_ROLLBACK_RECOVERY =
                0x00000002, /* Writer needs to write to a rollback snapshot */
        VSS_CF_NOT_SYSTEM_STATE = 0x00000004 /* Component is not system state */
};

#define VSS_SW_BOOTABLE_STATE INT64_C(0x1) /* Flag bit for bootable state; use not documented */
#define VSS_ASSOC_NO_MAX_SPACE INT64_C(-1) /* Diff area size limit meaning no limit */
#define VSS_ASSOC_REMOVE INT64_C(0) /* Diff area size limit meaning drop the association */
#define VSS_VER_VDS_LUN_INFORMATION                                                                \
        INT64_C(1) /* Version number to store in VDS_LUN_INFORMATION                               \
                    */
enum vss_mgmt_object_type {
        VSS_MGMT_OBJECT_UNKNOWN = 0, /* Object kind not known */
        VSS_MGMT_OBJECT_VOLUME = 1, /* A volume to snapshot */
        VSS_MGMT_OBJECT_DIFF_VOLUME = 2, /* A volume able to hold a diff area */
        VSS_MGMT_OBJECT_DIFF_AREA = 3 /* A volume to diff area volume association */
};

enum vss_protection_level {
        VSS_PROTECTION_LEVEL_ORIGINAL_VOLUME =
                0, /* Keep volume I/O going, lose snapshots if needed */
        VSS_PROTECTION_LEVEL_SNAPSHOT = 1 /* Keep snapshots, stop volume I/O if needed */
};

enum vss_protection_fault {
        VSS_PROTECTION_FAULT_NONE = 0, /* No fault */
        VSS_PROTECTION_FAULT_DIFF_AREA_MISSING = 1, /* Diff area volume not found */
        VSS_PROTECTION_FAULT_IO_FAILURE_DURING_ONLINE =
                2, /* I/O failed bringing the diff area volume online */
        VSS_PROTECTION_FAULT_META_DATA_CORRUPTION = 3, /* Diff area metadata is damaged */
        VSS_PROTECTION_FAULT_MEMORY_ALLOCATION_FAILURE = 4, /* Out of memory */
        VSS_PROTECTION_FAULT_MAPPED_MEMORY_FAILURE = 5, /* Memory mapping failed */
        VSS_PROTECTION_FAULT_COW_READ_FAILURE = 6, /* Read failed during copy-on-write */
        VSS_PROTECTION_FAULT_COW_WRITE_FAILURE = 7, /* Write failed during copy-on-write */
        VSS_PROTECTION_FAULT_DIFF_AREA_FULL = 8, /* Diff area or its volume is full */
        VSS_PROTECTION_FAULT_GROW_TOO_SLOW = 9, /* Diff area could not grow fast enough */
        VSS_PROTECTION_FAULT_GROW_FAILED = 10, /* Diff area could not grow */
        VSS_PROTECTION_FAULT_DESTROY_ALL_SNAPSHOTS =
                11, /* Unexpected error would destroy all snapshots */
        VSS_PROTECTION_FAULT_FILE_SYSTEM_FAILURE =
                12, /* Diff area files or volume could not be opened */
        VSS_PROTECTION_FAULT_IO_FAILURE = 13, /* I/O failed on the diff area volume */
        VSS_PROTECTION_FAULT_DIFF_AREA_REMOVED =
                14, /* Diff area volume was removed or unreachable */
        VSS_PROTECTION_FAULT_EXTERNAL_WRITER_TO_DIFF_AREA =
                15, /* Another program wrote to the diff area */
        VSS_PROTECTION_FAULT_MOUNT_DURING_CLUSTER_OFFLINE =
                16 /* Volume was mounted while its cluster resource was offline */
};

#endif
