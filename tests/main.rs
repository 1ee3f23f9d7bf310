//! The integration tests: one binary, one module per subject. Real servers come from `dev/servers`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod ddl_corpus;
mod decode_never_panics;
mod decode_values;
mod fixtures;
mod servers;
mod support;
