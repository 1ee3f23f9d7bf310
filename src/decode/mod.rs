//! 3. Relay bytes to transactions of typed rows.
//!
//! `event` looks at one event and borrows from it; `table_map` and `plan` say how the rows of a table are read, `rows`
//! reads them as `value`s; `temporal`, `decimal`, `float` and `json` turn values into text and numbers.

pub mod compressed_column;
pub mod decimal;
pub mod dump;
pub mod event;
pub mod float;
pub mod json;
pub mod json_diff;
pub mod json_patch;
pub mod mariadb;
pub mod metadata;
pub mod network_address;
pub mod payload;
pub mod plan;
pub mod query;
pub mod rows;
pub mod short_text;
pub mod table_map;
pub mod temporal;
pub mod value;
pub mod wire_type;
pub mod xa;
