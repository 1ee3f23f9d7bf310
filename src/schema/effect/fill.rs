//! What existing rows hold in the columns of a changed table.

use super::default::{implicit_default, may_be_printed_otherwise};
use crate::schema::table::{Column, ColumnType, DefaultValue};

/// Where a column of a changed table comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnOrigin {
    /// It was there before.
    Kept {
        /// Where it stood.
        from: usize,
        /// Whether its type changed, or NULL is no longer allowed, so that values may change.
        converted: bool,
    },
    /// It is new.
    New {
        /// What existing rows get.
        fill: Fill,
    },
}

/// What existing rows get in a new column.
#[derive(Debug, Clone, PartialEq)]
pub enum Fill {
    /// NULL.
    Null,
    /// A constant: the default, or the type's implicit one.
    Value(DefaultValue),
    /// The time of the statement, with so many digits.
    StatementTime {
        /// Fractional digits.
        fsp: u8,
    },
    /// Numbers from 1 in the source's order of rows.
    AutoIncrement,
    /// Only the source can tell; the reason.
    NeedsSource(String),
}

/// What existing rows get in `column` when it is added.
pub(super) fn fill(column: &Column) -> Fill {
    if column.generated.is_some() {
        return Fill::NeedsSource(format!("{} is a generated column", column.name));
    }
    if column.auto_increment {
        return Fill::AutoIncrement;
    }
    match &column.default {
        Some(DefaultValue::CurrentTimestamp(fsp)) => match column.ty {
            // MariaDB lets the two differ.
            ColumnType::DateTime { fsp: own } | ColumnType::Timestamp { fsp: own }
                if own != *fsp =>
            {
                Fill::NeedsSource(format!("the default of {} is the time", column.name))
            }
            _ => Fill::StatementTime { fsp: *fsp },
        },
        Some(DefaultValue::Expression(expression)) => {
            Fill::NeedsSource(format!("the default of {} is {expression}", column.name))
        }
        Some(DefaultValue::Literal(text)) if may_be_printed_otherwise(text, &column.ty) => {
            Fill::NeedsSource(format!("the default of {} is {text}", column.name))
        }
        Some(constant) => Fill::Value(constant.clone()),
        None if column.nullable => Fill::Null,
        None if matches!(column.ty, ColumnType::Vector { .. }) => {
            Fill::NeedsSource(format!("{} is a vector that is not NULL", column.name))
        }
        None => Fill::Value(implicit_default(&column.ty)),
    }
}

/// Whether stored values may change when a column goes from one definition to the other.
pub(super) fn is_converted(before: &Column, after: &Column) -> bool {
    before.ty != after.ty
        || before.nullable && !after.nullable
        || before.generated.as_ref().map(|g| &g.expression)
            != after.generated.as_ref().map(|g| &g.expression)
}
