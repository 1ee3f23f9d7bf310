//! What a table is, at each position of the binlog: definitions, DDL, type mapping.

pub mod bootstrap;
pub mod check;
pub mod collation;
pub mod ddl;
pub mod effect;
pub mod sqlite;
pub mod table;
