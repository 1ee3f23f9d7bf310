//! Every limit, with a sentence each and its unit last in the name.

/// Bytes of events that a source driver hands over at once; a larger event comes in pieces of this size.
pub const SOURCE_BATCH_BYTES: usize = 1 << 20;

/// Largest event that a server can send: its own limit on `max_allowed_packet` for replicas, 1 GiB, plus headers.
pub const EVENT_BYTES_MAX: u64 = (1 << 30) + (1 << 20);

/// Time for a TCP connection and login to come about.
pub const CONNECT_TIMEOUT_MS: u64 = 10_000;

/// Time for one answer to an ordinary query on the source.
pub const QUERY_TIMEOUT_MS: u64 = 60_000;

/// Time until the first event of a dump: with GTIDs the source may have to search all its files for it.
pub const FIRST_EVENT_TIMEOUT_MS: u64 = 3_600_000;

/// Largest packet of a login or of a query's answer; definitions of the largest tables fit many times over.
pub const QUERY_PACKET_BYTES_MAX: usize = 64 << 20;

/// Largest answer to one query, all rows together.
pub const QUERY_RESULT_BYTES_MAX: usize = 256 << 20;

/// Read buffer of a connection that is not dumping.
pub const CONNECTION_BUFFER_BYTES: usize = 32 << 10;

/// Bytes that the mysql_cdc driver's thread may read ahead of the pipeline.
pub const MYSQL_CDC_AHEAD_BYTES: usize = 4 << 20;
