//! 3. Relay bytes to transactions of typed rows.

pub mod query;
pub mod rows;
pub mod value;
