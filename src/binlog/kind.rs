//! Event type codes (MySQL `libbinlogevents/include/binlog_event.h` `Log_event_type`; MariaDB `sql/log_event.h`).

/// Defines the codes and their names, as `SHOW BINLOG EVENTS` words them.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        $($(#[$doc])* pub const $name: u8 = $code;)*

        /// The name of a type code, for messages and `relay dump`.
        pub fn name(kind: u8) -> &'static str {
            match kind {
                $($code => $text,)*
                _ => "Unknown",
            }
        }
    };
}

kinds! {
    /// Version 1 to 3 files begin with it; refused.
    START_V3 = 1, "Start_v3";
    /// A statement: DDL, BEGIN, COMMIT, ROLLBACK, SAVEPOINT, or a change in STATEMENT format.
    QUERY = 2, "Query";
    /// The server was stopped cleanly.
    STOP = 3, "Stop";
    /// The stream goes on in another file.
    ROTATE = 4, "Rotate";
    /// AUTO_INCREMENT or LAST_INSERT_ID for the next statement.
    INTVAR = 5, "Intvar";
    /// Seeds of RAND() for the next statement.
    RAND = 13, "RAND";
    /// A user variable for the next statement.
    USER_VAR = 14, "User_var";
    /// Describes the file: versions, post-header lengths, checksum algorithm.
    FORMAT_DESCRIPTION = 15, "Format_desc";
    /// Commit of a transactional group.
    XID = 16, "Xid";
    /// LOAD DATA, first block, in STATEMENT format.
    BEGIN_LOAD_QUERY = 17, "Begin_load_query";
    /// LOAD DATA, the statement.
    EXECUTE_LOAD_QUERY = 18, "Execute_load_query";
    /// Names and types of the table that the next row events change.
    TABLE_MAP = 19, "Table_map";
    /// Row events of MySQL 5.1 before its release.
    PRE_GA_WRITE_ROWS = 20, "Write_rows_pre_ga";
    /// See [`PRE_GA_WRITE_ROWS`].
    PRE_GA_UPDATE_ROWS = 21, "Update_rows_pre_ga";
    /// See [`PRE_GA_WRITE_ROWS`].
    PRE_GA_DELETE_ROWS = 22, "Delete_rows_pre_ga";
    /// Inserted rows, version 1 (MySQL 5.1 to 5.5, MariaDB).
    WRITE_ROWS_V1 = 23, "Write_rows_v1";
    /// Updated rows, version 1.
    UPDATE_ROWS_V1 = 24, "Update_rows_v1";
    /// Deleted rows, version 1.
    DELETE_ROWS_V1 = 25, "Delete_rows_v1";
    /// Something happened on the source that the binlog cannot carry.
    INCIDENT = 26, "Incident";
    /// Sent when there is nothing else to send; in no file.
    HEARTBEAT = 27, "Heartbeat";
    /// A reader may skip it.
    IGNORABLE = 28, "Ignorable";
    /// The statement behind the row events that follow.
    ROWS_QUERY = 29, "Rows_query";
    /// Inserted rows, version 2.
    WRITE_ROWS_V2 = 30, "Write_rows";
    /// Updated rows, version 2.
    UPDATE_ROWS_V2 = 31, "Update_rows";
    /// Deleted rows, version 2.
    DELETE_ROWS_V2 = 32, "Delete_rows";
    /// GTID of the group that follows.
    GTID = 33, "Gtid";
    /// A group without a GTID.
    ANONYMOUS_GTID = 34, "Anonymous_Gtid";
    /// The GTIDs of all earlier files.
    PREVIOUS_GTIDS = 35, "Previous_gtids";
    /// Group replication: transaction context.
    TRANSACTION_CONTEXT = 36, "Transaction_context";
    /// Group replication: view change.
    VIEW_CHANGE = 37, "View_change";
    /// XA PREPARE ends the group.
    XA_PREPARE = 38, "XA_prepare";
    /// Updated rows with partial JSON.
    PARTIAL_UPDATE_ROWS = 39, "Update_rows_partial";
    /// A compressed transaction.
    TRANSACTION_PAYLOAD = 40, "Transaction_payload";
    /// Heartbeat with a 64-bit position.
    HEARTBEAT_V2 = 41, "Heartbeat_v2";
    /// GTID with a tag (MySQL 8.3 and later).
    GTID_TAGGED = 42, "Gtid_tagged";
    /// MariaDB: the statement behind the row events that follow.
    MARIADB_ANNOTATE_ROWS = 160, "Annotate_rows";
    /// MariaDB: the oldest file that crash recovery needs.
    MARIADB_BINLOG_CHECKPOINT = 161, "Binlog_checkpoint";
    /// MariaDB: begins every group.
    MARIADB_GTID = 162, "Gtid";
    /// MariaDB: the GTID state at the head of a file.
    MARIADB_GTID_LIST = 163, "Gtid_list";
    /// MariaDB: what follows in the file is encrypted.
    MARIADB_START_ENCRYPTION = 164, "Start_encryption";
    /// MariaDB `log_bin_compress`: a compressed [`QUERY`].
    MARIADB_QUERY_COMPRESSED = 165, "Query_compressed";
    /// MariaDB `log_bin_compress`: compressed [`WRITE_ROWS_V1`].
    MARIADB_WRITE_ROWS_COMPRESSED_V1 = 166, "Write_rows_compressed_v1";
    /// MariaDB `log_bin_compress`: compressed [`UPDATE_ROWS_V1`].
    MARIADB_UPDATE_ROWS_COMPRESSED_V1 = 167, "Update_rows_compressed_v1";
    /// MariaDB `log_bin_compress`: compressed [`DELETE_ROWS_V1`].
    MARIADB_DELETE_ROWS_COMPRESSED_V1 = 168, "Delete_rows_compressed_v1";
    /// MariaDB `log_bin_compress`: compressed [`WRITE_ROWS_V2`].
    MARIADB_WRITE_ROWS_COMPRESSED = 169, "Write_rows_compressed";
    /// MariaDB `log_bin_compress`: compressed [`UPDATE_ROWS_V2`].
    MARIADB_UPDATE_ROWS_COMPRESSED = 170, "Update_rows_compressed";
    /// MariaDB `log_bin_compress`: compressed [`DELETE_ROWS_V2`].
    MARIADB_DELETE_ROWS_COMPRESSED = 171, "Delete_rows_compressed";
}
