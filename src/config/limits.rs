//! Every limit, with a sentence each and its unit last in the name.

/// Bytes of events that a source driver hands over at once; a larger event comes in pieces of this size.
pub const SOURCE_BATCH_BYTES: usize = 1 << 20;

/// Largest event that a server can send: its own limit on `max_allowed_packet` for replicas, 1 GiB, plus headers.
pub const EVENT_BYTES_MAX: u64 = (1 << 30) + (1 << 20);

/// Time for a TCP connection and login to come about.
pub const CONNECT_TIMEOUT_MS: u64 = 10_000;
