//! 1. Talk to the source: log in, read who it is, ask for its binlog, hand on raw events.
//!
//! [`connect`] gives a [`SourceConnection`], which answers questions and then turns into an [`EventStream`] by
//! [`SourceConnection::dump`]. Events are raw bytes here, exactly as in the source's file: nothing in this stage looks
//! deeper than their type code. Reconnecting is the caller's: every error says by its kind whether another try makes
//! sense.
//!
//! For ordinary queries there is [`SourceConnection::query`] (async) and [`BlockingClient`] (threads).
//!
//! # Threading
//! A connection or stream belongs to one task. [`EventStream::read`] is cancel-safe.

mod blocking_client;
mod connection;
mod dump;
mod event_stream;
mod grants;
mod history;
mod info;
#[cfg(feature = "mysql-cdc")]
mod mysql_cdc;
mod native;
mod preflight;
mod refusal;
mod semi_sync;

pub use blocking_client::BlockingClient;
pub use connection::{SourceConnection, connect};
pub use dump::{StartAt, fits_dump_command};
pub use event_stream::{EventBatch, EventStream, Frame};
pub use info::{SourceInfo, Version};

pub use preflight::{Finding, Level, check_rules, preflight};
pub use semi_sync::SemiSync;
