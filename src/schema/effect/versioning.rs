//! MariaDB's periods: the columns that system versioning adds, its part in keys, and the ends of other periods.

use crate::schema::table::{
    Collation, Column, ColumnType, Index, IndexKind, KeyPart, SystemPeriod, Table, same_name,
};

/// Names that the server gives to the columns that it makes.
const HIDDEN: [&str; 2] = ["row_start", "row_end"];

/// Makes a table versioned: hidden columns unless it has a period, and the period's end in its keys.
pub(super) fn add_versioning(table: &mut Table, explicit: Option<(String, String)>) {
    let period = match explicit {
        Some((start, end)) => SystemPeriod {
            start,
            end,
            hidden: false,
        },
        None => {
            let [start, end] = HIDDEN.map(str::to_owned);
            table
                .columns
                .extend([hidden_column(&start), hidden_column(&end)]);
            SystemPeriod {
                start,
                end,
                hidden: true,
            }
        }
    };
    table.system_period = Some(period);
}

fn hidden_column(name: &str) -> Column {
    Column {
        name: name.to_owned(),
        ty: ColumnType::Timestamp { fsp: 6 },
        nullable: false,
        default: None,
        auto_increment: false,
        generated: None,
        invisible: true,
        compressed: false,
    }
}

/// Adds the period's end to the primary key and to unique keys, where it is missing.
pub(super) fn extend_keys(table: &mut Table) {
    let Some(period) = &table.system_period else {
        return;
    };
    let end = period.end.clone();
    let extend = |parts: &mut Vec<KeyPart>| {
        let has = parts
            .iter()
            .any(|part| part.column().is_some_and(|name| same_name(name, &end)));
        if !parts.is_empty() && !has {
            parts.push(KeyPart::Column {
                name: end.clone(),
                descending: false,
            });
        }
    };
    extend(&mut table.primary_key);
    for index in table
        .indexes
        .iter_mut()
        .filter(|index| index.kind == IndexKind::Unique)
    {
        extend(&mut index.parts);
    }
}

/// The ends of a period of the application are never NULL.
pub(super) fn make_not_null(table: &mut Table, ends: [&String; 2]) {
    for column in &mut table.columns {
        if ends.iter().any(|end| same_name(end, &column.name)) {
            column.nullable = false;
        }
    }
}

/// An empty table to build on.
pub(super) fn empty_table(name: &str, collation: Collation) -> Table {
    Table {
        name: name.to_owned(),
        columns: Vec::new(),
        primary_key: Vec::new(),
        indexes: Vec::<Index>::new(),
        foreign_keys: Vec::new(),
        collation,
        system_period: None,
    }
}
