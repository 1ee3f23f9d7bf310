//! What must hold for any bytes at all: one module per parser, each with a `check` that panics when it does not.
//!
//! The same functions run under cargo-fuzz (`targets`), with coverage to guide the bytes, and under proptest
//! (`tests/decode_never_panics.rs`), with structured ones, in every run of the tests.

pub mod ddl;
pub mod events;
pub mod gtid;
pub mod json;
pub mod packets;
pub mod payload;
pub mod rows;
