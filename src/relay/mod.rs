//! 2. The relay log: what the source sent, byte for byte, durable before anything reads it.
//!
//! # Threading
//! One [`writer::RelayWriter`] appends; one syncing thread makes its bytes durable and publishes the end in
//! [`end::RelayEnd`]; any number of [`reader::RelayReader`]s follow that end. One [`purge::Purger`] removes what nobody needs
//! any more. [`recover`] runs before a writer is opened, or read-only.

pub mod ack;
mod cover;
pub mod dir;
pub mod end;
pub mod file;
pub mod files;
pub mod index;
pub mod io_state;
mod partial;
pub mod purge;
pub mod reader;
pub mod received;
pub mod receiver;
pub mod recover;
mod resent;
pub mod sync;
pub mod writer;
