//! Every limit, with a sentence each and its unit last in the name.

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

/// Different sets of changed columns for which a table gets UPDATE statements of its own; past it, all columns of the
/// image are set.
pub const MYSQL_TARGET_UPDATE_SHAPES_MAX: usize = 24;

/// Idle time after which a lane asks whether its connection to a MySQL target still stands.
pub const MYSQL_TARGET_PING_AFTER_MS: u64 = 10_000;

/// Time that a lane's statement waits for a table that another session of the MySQL target holds.
pub const MYSQL_TARGET_LOCK_WAIT_S: u32 = 60;
