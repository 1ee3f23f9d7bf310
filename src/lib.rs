//! relaylite: a lightweight MySQL/MariaDB replica.
//!
//! A transaction's life: `source` → `relay` → `decode` (with `schema`) → `dispatch` → `apply` → `checkpoint`; `serve`
//! shows published state. `wire`, `binlog` and `charset` know nothing of the rest. See docs/architecture.md.

pub mod apply;
pub mod binlog;
pub mod charset;
pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod decode;
pub mod disk;
pub mod dispatch;
pub mod error;
pub mod failpoints;
pub mod pipeline;
pub mod relay;
pub mod schema;
pub mod serve;
pub mod snapshot;
pub mod source;
pub mod wire;

pub use error::{Error, ErrorKind, Result};
