//! Tables in SQLite: declared types, keys, indexes, and the statements that follow a changed definition.
//!
//! Pure: text only, nothing is run here. The rules of design "Values" are kept by the declared types, because SQLite's
//! type affinity may change what is stored: text that looks like a number becomes one in a numeric column. Nothing that
//! the source has checked is checked again (NOT NULL, CHECK, foreign keys); unique keys are kept, as they serve
//! queries. Generated columns are plain columns.

mod alter;
mod alter_session;
mod convert;
mod convert_fraction;
mod create;
mod declared;
mod default;
mod expression;
mod index;
mod name;
mod nocase;
mod rename;
mod step;

pub use alter::{AlterPlan, alter_plan};
pub use alter_session::AlterSession;
pub use create::{
    create_table_sql, has_rowid_alias, is_unsigned_bigint, rebuild_without_rowid_alias,
    rowid_column,
};
pub use declared::{Affinity, affinity, column_definition, declared_type};
pub use default::{DefaultForAbsent, default_for_absent, default_literal};
pub use expression::{generated_sql, stored_value};
pub use index::{create_indexes, index_name, lookup_keys};
pub use name::{quote_identifier, quote_text, sqlite_name};
pub use nocase::is_nocase;
pub use rename::rename_table_sql;
pub use step::{Effort, Step, rowid_name};

#[cfg(test)]
mod tests;
