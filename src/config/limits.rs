//! Every limit, with a sentence each and its unit last in the name.

use std::time::Duration;

/// Bytes of events that a source driver hands over at once; a larger event comes in pieces of this size.
pub const SOURCE_BATCH_BYTES: usize = 1 << 20;

/// Largest event that a server can send: its own limit on `max_allowed_packet` for replicas, 1 GiB, plus headers.
pub const EVENT_BYTES_MAX: u64 = (1 << 30) + (1 << 20);

/// Time for a TCP connection and login to come about.
pub const CONNECT_TIMEOUT_MS: u64 = 10_000;

/// Rows of one multi-row statement to a MySQL target; a power of two, so that few statement shapes are prepared.
pub const MYSQL_TARGET_BATCH_ROWS_MAX: usize = 256;

/// Bytes of values of one multi-row statement to a MySQL target; one larger row goes alone.
pub const MYSQL_TARGET_BATCH_BYTES_MAX: usize = 1 << 20;

/// Placeholders of one prepared statement; the protocol's own limit is 65535.
pub const MYSQL_TARGET_PLACEHOLDERS_MAX: usize = 16_384;

/// Prepared statements that one lane keeps open on a MySQL target; the least recently used one is closed.
pub const MYSQL_TARGET_STATEMENTS_MAX: usize = 128;

/// Work (steps of SQLite's virtual machine) that finding one row of a table without a key may take for free.
pub const SQLITE_FIND_FREE_STEPS: u64 = 1_000;

/// Work beyond that, in all, after which a row finder is made for the table.
pub const SQLITE_FIND_STEPS_MAX: u64 = 300_000;

/// Child rows of a foreign key that are read at once before they are changed.
pub const SQLITE_CASCADE_PAGE_ROWS: usize = 1_024;

/// Levels of foreign keys behind one change: InnoDB's own limit is 15 (`FK_MAX_CASCADE_DEL`), so more are no cascade that
/// a source has done.
pub const SQLITE_CASCADE_LEVELS_MAX: usize = 16;

/// Spellings of child keys that the source is asked about in one question: a megabyte, of the longest keys.
pub const SQLITE_SPELLINGS_PAGE: usize = 128;

/// Spellings of one foreign key that find no parent here, past which nobody asks the source for each change of a parent: the
/// child is read afresh instead. They cost a fraction of a second then.
pub const SQLITE_SPELLINGS_MAX: usize = 20_000;

/// Columns that a row finder looks at; more would not tell rows apart any better.
pub const SQLITE_FINDER_COLUMNS_MAX: usize = 64;

/// Rows that may be inserted while nobody uses the table's row finder, before it goes.
pub const SQLITE_FINDER_IDLE_ROWS_MAX: u64 = 100_000;

/// Different sets of changed columns for which a table gets UPDATE statements of its own; past it, all columns of the
/// image are set.
pub const MYSQL_TARGET_UPDATE_SHAPES_MAX: usize = 24;

/// Idle time after which a lane asks whether its connection to a MySQL target still stands.
pub const MYSQL_TARGET_PING_AFTER_MS: u64 = 10_000;

/// Time that a lane waits for what another session of the MySQL target holds: a table, or the lock of an old session.
pub const MYSQL_TARGET_LOCK_WAIT_S: u32 = 60;

/// Time that a copy waits at once for those who read the table that it is to replace: others queue up behind it meanwhile.
pub const MYSQL_TARGET_SWAP_WAIT_S: u32 = 1;

/// Time that it then leaves to the others.
pub const MYSQL_TARGET_SWAP_PAUSE: Duration = Duration::from_secs(3);

/// Largest ignorable event that covers a gap in a relay file; stock mysqlbinlog reads events of this size.
pub const RELAY_FILLER_BYTES_MAX: u64 = 1 << 20;

/// Bytes that the applier side reads from a relay file at once.
pub const RELAY_READ_BYTES: usize = 256 << 10;

/// Bytes that must fit again after the relay log's disk, or the target's, was full.
pub const ROOM_PROBE_BYTES: usize = 4 << 20;

/// Lag for which `status` names a cause.
pub const LAG_CAUSE_S: u64 = 2;

/// Time that a lane waits for a lock in the target before that is a cause of lag: each transaction takes one for a moment.
pub const LAG_LOCK_WAIT: Duration = Duration::from_millis(500);

/// Row changes of one transaction from which it counts as a cause of lag by itself.
pub const LARGE_TRANSACTION_ROWS: u64 = 100_000;

/// Bytes of one transaction from which it counts as a cause of lag by itself.
pub const LARGE_TRANSACTION_BYTES: u64 = 64 << 20;

/// How long receiving waits for room when the applier side has read everything, while what it read becomes durable.
pub const RELAY_ROOM_PATIENCE: Duration = Duration::from_secs(1);

/// How often relay files are looked at for their age, when nothing else makes the purger look.
pub const PURGE_INTERVAL: Duration = Duration::from_secs(10);

/// Rows that merged source transactions may hold before a lane commits.
pub const LANE_MERGE_ROWS_MAX: u64 = 10_000;

/// Time that merged source transactions may stay uncommitted.
pub const LANE_MERGE_TIME_MAX: Duration = Duration::from_millis(1_000);

/// How long a lane with an empty queue waits for more before it commits, while the coordinator is still behind.
pub const LANE_LINGER_MS: u64 = 10;

/// TABLE_MAPs that a lane keeps compiled.
pub const LANE_TABLE_MAPS_MAX: usize = 1_024;

/// Messages that wait in one lane's queue.
pub const LANE_QUEUE_BATCHES: usize = 16;

/// Size at which a batch goes to its lane.
pub const LANE_BATCH_BYTES: usize = 64 << 10;

/// Bytes of events that all lane queues hold together; a larger event passes alone.
pub const QUEUE_BYTES_MAX: usize = 4 << 20;

/// How often idle databases get the checkpoint moved on, and the watermark is stored.
pub const WATERMARK_INTERVAL: Duration = Duration::from_millis(2_000);

/// Time that SIGTERM leaves for applying what is queued.
pub const DRAIN_TIMEOUT: Duration = Duration::from_millis(4_000);

/// Time of [`DRAIN_TIMEOUT`] that a statement on a large table may use; past it, it is rolled back, and comes again.
pub const STATEMENT_GRACE: Duration = Duration::from_millis(2_500);

/// Databases with an open lane (a thread and a connection each).
pub const LANES_MAX: usize = 4_096;

/// How often a sender that waits for a lane looks whether the run has failed.
pub const SEND_CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// How long the coordinator waits for the relay log to grow before it looks for other duties.
pub const RELAY_WAIT: Duration = Duration::from_millis(100);

/// How long SQLite waits for another writer of the file before it gives up.
pub const SQLITE_BUSY_TIMEOUT_MS: u64 = 5_000;

/// Page cache of each lane's connection.
pub const SQLITE_CACHE_KIB: i64 = 4 << 10;

/// Prepared statements that a lane keeps.
pub const SQLITE_STATEMENT_CACHE: usize = 256;

/// Rows of a table that is rebuilt, about, that are copied at once, before it is said how many are done.
pub const SQLITE_COPY_ROWS: i64 = 10_000;

/// Steps of SQLite's virtual machine between two looks at how far a long statement is, and whether it is to end.
pub const SQLITE_PROGRESS_STEPS: u32 = 10_000;

/// Pages in the write-ahead log before they are moved into the database file (4 KiB each).
pub const SQLITE_WAL_PAGES: i64 = 4_000;

/// Different sets of changed columns for which a table keeps its UPDATE text.
pub const SQLITE_UPDATE_SHAPES_MAX: usize = 128;
/// Time for one answer to an ordinary query on the source, from the question to its last byte.
pub const QUERY_TIMEOUT_MS: u64 = 60_000;

/// Time until the first event of a dump: with GTIDs the source may have to search all its files for it.
pub const FIRST_EVENT_TIMEOUT_MS: u64 = 3_600_000;

/// Largest packet of a login: greetings, nonces and public keys have hundreds of bytes.
pub const LOGIN_PACKET_BYTES_MAX: usize = 64 << 10;

/// Largest definition of a column in front of an answer's rows: seven names of at most 256 characters.
pub const COLUMN_DEFINITION_BYTES_MAX: usize = 16 << 10;

/// Largest packet of a query's answer; definitions of the largest tables fit many times over.
pub const QUERY_PACKET_BYTES_MAX: usize = 16 << 20;

/// Memory for the answer to one query, all rows together.
pub const QUERY_RESULT_BYTES_MAX: usize = 64 << 20;

/// Text of a server's error that is kept; theirs have 512 bytes.
pub const SERVER_ERROR_BYTES_MAX: usize = 4 << 10;

/// Read buffer of a connection that is not dumping.
pub const CONNECTION_BUFFER_BYTES: usize = 32 << 10;

/// Bytes that the mysql_cdc driver's thread may read ahead of the pipeline.
pub const MYSQL_CDC_AHEAD_BYTES: usize = 4 << 20;

/// Seconds between attempts to reach the source, when `connect_retry` is not set.
pub const CONNECT_RETRY_DEFAULT: u64 = 5;

/// How many times `connect_retry` to wait before the source is asked again whether another replica with our server id
/// is still there: a minute by default. Two that come back at once would throw each other out for ever.
pub const DOUBLE_RETRY_FACTOR: u32 = 12;

/// Seconds between heartbeats, when `heartbeat_period` is not set.
pub const HEARTBEAT_PERIOD_DEFAULT: u64 = 10;

/// Seconds without a packet after which a connection is dead, when `replica_net_timeout` is not set (MySQL's default).
pub const NET_TIMEOUT_DEFAULT: u64 = 60;

/// Most lanes that may run at once.
pub const WORKERS_MAX: usize = 256;

/// Tables whose place under the replication rules is remembered; with more, they are judged anew.
pub const FILTER_NAMES_MAX: usize = 16_384;

/// How long the applier waits before it tries again after a busy target or a full disk.
pub const APPLY_RETRY: Duration = Duration::from_millis(1_000);

/// Time for handing a status report over the control socket.
pub const STATUS_TIMEOUT_MS: u64 = 2_000;

/// Largest status report that is read.
pub const STATUS_BYTES_MAX: u64 = 64 << 20;

/// Latencies of acknowledgements that their average is made of.
pub const ACK_LATENCIES_KEPT: usize = 128;

/// Longest time that a setting in seconds may say: a day.
pub const SECONDS_MAX: u64 = 86_400;

/// A piece of a table that is read afresh, on its way into the lane.
pub const SNAPSHOT_PIECE_BYTES: usize = 1 << 20;

/// Pieces that are read ahead.
pub const SNAPSHOT_PIECES_AHEAD: usize = 4;

/// Rows of the first chunk of a table that is read afresh; the next ones go by the size of its rows.
pub const SNAPSHOT_FIRST_CHUNK_ROWS: usize = 1_000;

/// Time that the source may stay silent within a chunk, and that it may wait for us.
pub const SNAPSHOT_READ_TIMEOUT_S: u64 = 3_600;

/// Rows of a chunk of a table that is read afresh: the database's lane stands still while a chunk is read.
pub const SNAPSHOT_CHUNK_ROWS: usize = 20_000;

/// Bytes of a chunk of a table that is read afresh, about: with large rows it ends before [`SNAPSHOT_CHUNK_ROWS`].
pub const SNAPSHOT_CHUNK_BYTES: usize = 16 << 20;

/// Time for the short read lock on a table of the source: others that want to write it queue up behind us meanwhile.
pub const SNAPSHOT_LOCK_WAIT_S: u64 = 2;

/// Time between two attempts at that lock.
pub const SNAPSHOT_LOCK_RETRY: Duration = Duration::from_secs(3);

/// Tables that wait to be read afresh.
pub const RESYNC_QUEUE_MAX: usize = 4_096;

/// Failures to read a table afresh that `status` remembers.
pub const RESYNC_FAILURES_MAX: usize = 64;

/// Time between two attempts to read a table afresh.
pub const RESYNC_RETRY: Duration = Duration::from_millis(5_000);

/// How many times as long as a copy took its table rests before it is read once more: the source spends half its time, at most,
/// on a table that is wanted again and again.
pub const RESYNC_REST_FACTOR: u32 = 1;

/// The shortest such rest.
pub const RESYNC_REST_MIN: Duration = Duration::from_millis(500);

/// The longest.
pub const RESYNC_REST_MAX: Duration = Duration::from_secs(60);

/// How long `--until` and `--until-caught-up` wait for tables that are being read afresh: one that is changed all the time may never be
/// current.
pub const UNTIL_RESYNC_MAX: Duration = Duration::from_secs(600);

/// Time between two looks whether they are, where the stream stands still.
pub const UNTIL_POLL: Duration = Duration::from_millis(5);

/// How far the applier may be behind what is received when a chunk is begun: the source keeps a view open for it meanwhile.
pub const RESYNC_BEHIND_BYTES_MAX: u64 = 1 << 20;

/// Time for a request over the control socket to come.
pub const CONTROL_REQUEST_MS: u64 = 500;

/// Longest request over the control socket.
pub const CONTROL_REQUEST_BYTES_MAX: u64 = 1 << 20;

/// Connections to the metrics at a time; further ones wait.
pub const METRICS_CONNECTIONS_MAX: usize = 16;

/// Time that a client of the metrics has for each request, and a kept connection between two.
pub const METRICS_REQUEST_MS: u64 = 30_000;

/// Bytes of the head of a request for the metrics.
pub const METRICS_REQUEST_BYTES_MAX: usize = 16 << 10;

/// How often `resync --wait` asks how far it is.
pub const RESYNC_POLL: Duration = Duration::from_millis(200);

/// How often `status` looks again when files that it reads by itself change under its eyes.
pub const STATUS_TRIES_MAX: u32 = 10;
