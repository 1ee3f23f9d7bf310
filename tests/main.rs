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

mod alter_in_two_phases;
mod altered_values;
mod another_history;
mod binary_defaults;
mod cascades;
mod chaos;
mod classic_errors;
mod connection_faults;
mod crafted_events;
mod crashes;
mod ddl_corpus;
mod decode_never_panics;
mod decode_values;
mod disk_full;
mod drivers;
mod engines;
mod event_kinds;
mod failover;
mod filters;
mod fixtures;
mod generated_columns;
mod hostile_source;
mod labels;
mod lag;
mod large_positions;
mod large_transactions;
mod large_values;
mod layers;
mod long_statements;
mod many_files;
mod metrics;
mod mysql_target;
mod names;
mod online_schema_change;
mod oracle;
mod passed_over;
mod power_loss;
mod quarantine;
mod random_ddl;
mod relay_files;
mod relay_purge;
mod relay_recovery;
mod replication;
mod resync;
mod secrets;
mod semi_sync;
mod sequences;
mod servers;
mod snapshot;
mod start_positions;
mod usage;
mod xa;
