//! The status of a replica, in the names of `SHOW REPLICA STATUS`.
//!
//! The same record comes from a running process and, when none runs, from its files. `schemas/status.schema.json`
//! documents its JSON form.

use serde::{Deserialize, Serialize};

use crate::checkpoint::parked::ParkedXa;

/// One database of the target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LaneReport {
    /// The source's database.
    #[serde(rename = "Database")]
    pub database: String,
    /// What the lane is doing.
    #[serde(rename = "State")]
    pub state: String,
    /// The source's file of the last commit.
    #[serde(rename = "Exec_Source_Log_File")]
    pub exec_source_log_file: Option<String>,
    /// Offset of the last commit.
    #[serde(rename = "Exec_Source_Log_Pos")]
    pub exec_source_log_pos: Option<u64>,
    /// Offset up to which commits survive power loss.
    #[serde(rename = "Durable_Source_Log_Pos")]
    pub durable_source_log_pos: Option<u64>,
    /// Source transactions committed since the process started.
    #[serde(rename = "Transactions")]
    pub transactions: u64,
    /// Row changes applied since the process started.
    #[serde(rename = "Rows")]
    pub rows: u64,
    /// Commits of the target since the process started.
    #[serde(rename = "Commits")]
    pub commits: u64,
    /// Text values that were not valid in their charset, and are BLOBs in the target, since the process started.
    #[serde(rename = "Invalid_Texts")]
    pub invalid_texts: u64,
    /// Bytes queued for this lane.
    #[serde(rename = "Queued_Bytes")]
    pub queued_bytes: u64,
    /// The statement on a table's rows that it has in hand; null when there is none.
    #[serde(rename = "Statement")]
    pub statement: Option<StatementReport>,
}

/// A statement that takes as long as its table is large.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StatementReport {
    /// What is being done.
    #[serde(rename = "Work")]
    pub work: String,
    /// The table, as `database.table`; the database alone when it is about all of it.
    #[serde(rename = "Table")]
    pub table: String,
    /// Rows that are done, of this work; null when not known.
    #[serde(rename = "Rows")]
    pub rows: Option<u64>,
    /// Rows that there are; null when not known.
    #[serde(rename = "Rows_Total")]
    pub rows_total: Option<u64>,
    /// When the statement began here, seconds since 1970.
    #[serde(rename = "Since_Timestamp")]
    pub since: u64,
}

/// A table that is set aside.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QuarantineReport {
    /// Its database.
    #[serde(rename = "Database")]
    pub database: String,
    /// Its name.
    #[serde(rename = "Table")]
    pub table: String,
    /// MySQL's number of the error; 0 when nothing was wrong and a fresh copy was asked for.
    #[serde(rename = "Errno")]
    pub errno: u16,
    /// The error.
    #[serde(rename = "Reason")]
    pub reason: String,
    /// The source's file of the event that failed.
    #[serde(rename = "Source_Log_File")]
    pub source_log_file: String,
    /// Offset of that event.
    #[serde(rename = "Source_Log_Pos")]
    pub source_log_pos: u64,
    /// When it was set aside, seconds since 1970.
    #[serde(rename = "Since_Timestamp")]
    pub since: u64,
    /// Row events that were passed over since the process started.
    #[serde(rename = "Passed_Over_Row_Events")]
    pub passed_over_row_events: u64,
    /// Whether it is read afresh by itself, also after a restart.
    #[serde(rename = "Resync_Wanted")]
    pub resync_wanted: bool,
}

/// A table that is to be read afresh.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ResyncReport {
    /// Its database.
    #[serde(rename = "Database")]
    pub database: String,
    /// Its name.
    #[serde(rename = "Table")]
    pub table: String,
    /// `waiting`, `copying` or `failed`.
    #[serde(rename = "State")]
    pub state: String,
    /// Rows copied so far.
    #[serde(rename = "Rows")]
    pub rows: u64,
    /// About how many there are, by the source's own estimate.
    #[serde(rename = "Rows_Estimate")]
    pub rows_estimate: u64,
    /// What went wrong at the last attempt.
    #[serde(rename = "Last_Error")]
    pub last_error: Option<String>,
}

/// The whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StatusReport {
    /// Whether a process runs.
    #[serde(rename = "Running")]
    pub running: bool,
    /// Process id of the running process.
    #[serde(rename = "Process_Id")]
    pub process_id: Option<u32>,
    /// What the replica is doing, in a sentence.
    #[serde(rename = "Replica_State")]
    pub replica_state: String,
    /// Host of the source.
    #[serde(rename = "Source_Host")]
    pub source_host: Option<String>,
    /// Port of the source.
    #[serde(rename = "Source_Port")]
    pub source_port: Option<u16>,
    /// User on the source.
    #[serde(rename = "Source_User")]
    pub source_user: Option<String>,
    /// `server_uuid` or `server_id` of the source.
    #[serde(rename = "Source_UUID")]
    pub source_id: Option<String>,
    /// Version of the source.
    #[serde(rename = "Source_Version")]
    pub source_version: Option<String>,
    /// Our own server id.
    #[serde(rename = "Server_Id")]
    pub server_id: Option<u32>,
    /// Seconds between attempts.
    #[serde(rename = "Connect_Retry")]
    pub connect_retry: Option<u64>,
    /// `Yes`, `Connecting` or `No`.
    #[serde(rename = "Replica_IO_Running")]
    pub io_running: String,
    /// `Yes` or `No`.
    #[serde(rename = "Replica_SQL_Running")]
    pub sql_running: String,
    /// Databases that are followed, all others are not; by commas.
    #[serde(rename = "Replicate_Do_DB")]
    pub replicate_do_db: String,
    /// Databases that are left out.
    #[serde(rename = "Replicate_Ignore_DB")]
    pub replicate_ignore_db: String,
    /// Tables that are followed.
    #[serde(rename = "Replicate_Do_Table")]
    pub replicate_do_table: String,
    /// Tables that are left out.
    #[serde(rename = "Replicate_Ignore_Table")]
    pub replicate_ignore_table: String,
    /// Patterns of tables that are followed.
    #[serde(rename = "Replicate_Wild_Do_Table")]
    pub replicate_wild_do_table: String,
    /// Patterns of tables that are left out.
    #[serde(rename = "Replicate_Wild_Ignore_Table")]
    pub replicate_wild_ignore_table: String,
    /// Databases with another name here: `(from,to)` each.
    #[serde(rename = "Replicate_Rewrite_DB")]
    pub replicate_rewrite_db: String,
    /// File up to which was received.
    #[serde(rename = "Source_Log_File")]
    pub source_log_file: Option<String>,
    /// Offset up to which was received, durably.
    #[serde(rename = "Read_Source_Log_Pos")]
    pub read_source_log_pos: Option<u64>,
    /// File up to which everything is applied in every database.
    #[serde(rename = "Relay_Source_Log_File")]
    pub relay_source_log_file: Option<String>,
    /// Offset up to which everything is applied in every database.
    #[serde(rename = "Exec_Source_Log_Pos")]
    pub exec_source_log_pos: Option<u64>,
    /// Bytes that the relay log takes on the disk.
    #[serde(rename = "Relay_Log_Space")]
    pub relay_log_space: u64,
    /// Whose disk was full at the last write: the relay log's, the target's, or both.
    #[serde(rename = "Disk_Full")]
    pub disk_full: Option<String>,
    /// Bytes of relay log not yet applied in every database.
    #[serde(rename = "Bytes_Behind_Source")]
    pub bytes_behind_source: Option<u64>,
    /// Seconds behind: the larger of the next two; null when either side is down.
    #[serde(rename = "Seconds_Behind_Source")]
    pub seconds_behind_source: Option<u64>,
    /// How late what was received last came.
    #[serde(rename = "Receive_Lag_Seconds")]
    pub receive_lag_seconds: Option<u64>,
    /// Age of the oldest transaction that is received and not applied.
    #[serde(rename = "Oldest_Unapplied_Seconds")]
    pub oldest_unapplied_seconds: Option<u64>,
    /// Which of the classic causes of lag is seen.
    #[serde(rename = "Lag_Cause")]
    pub lag_cause: Option<String>,
    /// Our clock less the source's.
    #[serde(rename = "Clock_Difference_Seconds")]
    pub clock_difference_seconds: Option<i64>,
    /// MySQL's number of the last I/O error; 0 for none.
    #[serde(rename = "Last_IO_Errno")]
    pub last_io_errno: u16,
    /// The last I/O error.
    #[serde(rename = "Last_IO_Error")]
    pub last_io_error: String,
    /// When it happened, seconds since 1970.
    #[serde(rename = "Last_IO_Error_Timestamp")]
    pub last_io_error_timestamp: Option<u64>,
    /// MySQL's number of the last applier error; 0 for none.
    #[serde(rename = "Last_SQL_Errno")]
    pub last_sql_errno: u16,
    /// The last applier error.
    #[serde(rename = "Last_SQL_Error")]
    pub last_sql_error: String,
    /// When it happened, seconds since 1970.
    #[serde(rename = "Last_SQL_Error_Timestamp")]
    pub last_sql_error_timestamp: Option<u64>,
    /// GTIDs received.
    #[serde(rename = "Retrieved_Gtid_Set")]
    pub retrieved_gtid_set: String,
    /// GTIDs applied in every database.
    #[serde(rename = "Executed_Gtid_Set")]
    pub executed_gtid_set: String,
    /// Connections to the source since the process started.
    #[serde(rename = "Connections")]
    pub connections: u64,
    /// Bytes received since the connection was made.
    #[serde(rename = "Received_Bytes")]
    pub received_bytes: u64,
    /// Heartbeats received on this connection.
    #[serde(rename = "Count_Received_Heartbeats")]
    pub received_heartbeats: u64,
    /// `ON` when the source waits for our acknowledgements; `OFF` when it does not, or `semi_sync` is not set.
    #[serde(rename = "Rpl_semi_sync_replica_status")]
    pub semi_sync_status: String,
    /// Why it is `OFF` although `semi_sync` is set; empty otherwise.
    #[serde(rename = "Semi_Sync_Message")]
    pub semi_sync_message: String,
    /// Acknowledgements sent since the process started.
    #[serde(rename = "Semi_Sync_Acks")]
    pub semi_sync_acks: u64,
    /// Events that the source waited for and that these covered.
    #[serde(rename = "Semi_Sync_Acked_Events")]
    pub semi_sync_acked_events: u64,
    /// Microseconds from the arrival of an event to its acknowledgement, the newest one.
    #[serde(rename = "Semi_Sync_Ack_Micros_Last")]
    pub semi_sync_ack_micros_last: Option<u64>,
    /// The same, mean of the newest 128.
    #[serde(rename = "Semi_Sync_Ack_Micros_Average")]
    pub semi_sync_ack_micros_average: Option<u64>,
    /// The same, longest since the process started.
    #[serde(rename = "Semi_Sync_Ack_Micros_Max")]
    pub semi_sync_ack_micros_max: Option<u64>,
    /// Statements that changed no table and were passed over since the process started.
    #[serde(rename = "Passed_Over_Statements")]
    pub passed_over_statements: u64,
    /// Row events of sequences, which are no tables here, that were passed over since the process started.
    #[serde(rename = "Sequence_Row_Events")]
    pub sequence_row_events: u64,
    /// XA transactions that are prepared and neither committed nor rolled back: their rows wait in the relay log.
    #[serde(rename = "Prepared_XA_Transactions")]
    pub prepared_xa: u64,
    /// Xid of the oldest of them, in a form that XA COMMIT takes.
    #[serde(rename = "Oldest_Prepared_XA_Xid")]
    pub oldest_xa_xid: Option<String>,
    /// The source's file that it stands in; the relay log is needed from there on.
    #[serde(rename = "Oldest_Prepared_XA_Log_File")]
    pub oldest_xa_log_file: Option<String>,
    /// Offset where it begins.
    #[serde(rename = "Oldest_Prepared_XA_Log_Pos")]
    pub oldest_xa_log_pos: Option<u64>,
    /// When it was prepared, seconds since 1970 on the source; null when not known.
    #[serde(rename = "Oldest_Prepared_XA_Timestamp")]
    pub oldest_xa_timestamp: Option<u64>,
    /// Row events left out by the rules since the process started.
    #[serde(rename = "Left_Out_Row_Events")]
    pub left_out_row_events: u64,
    /// Statements left out by the rules, in whole or in part, since the process started.
    #[serde(rename = "Left_Out_Statements")]
    pub left_out_statements: u64,
    /// One entry a database.
    #[serde(rename = "Lanes")]
    pub lanes: Vec<LaneReport>,
    /// Tables that are set aside.
    #[serde(rename = "Quarantine")]
    pub quarantine: Vec<QuarantineReport>,
    /// Tables that are to be read afresh; the process forgets those that are done.
    #[serde(rename = "Resyncs")]
    pub resyncs: Vec<ResyncReport>,
}

impl StatusReport {
    /// Fills in how many XA transactions wait, and what is known of the oldest.
    pub fn fill_prepared_xa(&mut self, count: usize, oldest: Option<&ParkedXa>) {
        self.prepared_xa = count as u64;
        if let Some(xa) = oldest {
            self.oldest_xa_xid = Some(xa.id.readable());
            self.oldest_xa_log_file = Some(xa.start.file.to_string());
            self.oldest_xa_log_pos = Some(xa.start.offset);
            self.oldest_xa_timestamp = (xa.timestamp != 0).then_some(u64::from(xa.timestamp));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn keys(value: &serde_json::Value) -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn the_documented_schema_names_every_field_and_no_other() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../schemas/status.schema.json")).unwrap();
        let report = serde_json::to_value(StatusReport::default()).unwrap();
        assert_eq!(keys(&schema["properties"]), keys(&report));
        let lane = serde_json::to_value(LaneReport::default()).unwrap();
        assert_eq!(keys(&schema["$defs"]["lane"]["properties"]), keys(&lane));
        let statement = serde_json::to_value(StatementReport::default()).unwrap();
        let documented = &schema["$defs"]["statement"]["properties"];
        assert_eq!(keys(documented), keys(&statement));
        let set_aside = serde_json::to_value(QuarantineReport::default()).unwrap();
        let documented = &schema["$defs"]["quarantine"]["properties"];
        assert_eq!(keys(documented), keys(&set_aside));
        let resync = serde_json::to_value(ResyncReport::default()).unwrap();
        assert_eq!(
            keys(&schema["$defs"]["resync"]["properties"]),
            keys(&resync)
        );
    }
}
