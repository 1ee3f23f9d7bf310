//! The integration tests: one binary, one module per subject. Real servers come from `dev/servers`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

#[macro_use]
mod support;

mod classic_errors;
mod connection_faults;
mod crashes;
mod ddl_corpus;
mod decode_never_panics;
mod decode_values;
mod drivers;
mod failover;
mod fixtures;
mod large_values;
mod layers;
mod mysql_target;
mod oracle;
mod relay_files;
mod replication;
mod semi_sync;
mod servers;
mod snapshot;
mod start_positions;
mod usage;
