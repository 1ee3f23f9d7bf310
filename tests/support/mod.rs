//! What the tests stand on: real servers to replicate from.
#![allow(dead_code, reason = "a test module uses what it needs of it")]

pub(crate) mod server;
