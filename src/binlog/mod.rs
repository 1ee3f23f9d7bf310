//! The binlog format: pure functions on bytes, no I/O, no state beyond what a file's own FORMAT_DESCRIPTION says.
//!
//! Input is hostile: every read is checked, nothing panics, nothing allocates more than the input is long.

pub mod bytes;
pub mod checksum;
pub mod flavor;
pub mod format;
pub mod frame;
pub mod gtid;
pub mod header;
pub mod kind;
pub mod position;
pub mod query;
pub mod rotate;
pub mod xa_id;
