//! Configuration: file, environment and flags, validated.

pub mod limits;
pub mod source;
pub mod target;
