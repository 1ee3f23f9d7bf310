//! A table of the binlog matched with a table of the target: what a TABLE_MAP comes to.

use std::sync::Arc;

use super::described::described;
use crate::apply::{Lane, SourceSchema};
use crate::binlog::flavor::Flavor;
use crate::decode::plan::RowPlan;
use crate::decode::table_map::TableMap;
use crate::decode::wire_type;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::check::{self, WireTable};
use crate::schema::table::{ColumnType, Index, IndexKind, Table};

/// A mapped table, ready for its row events.
pub struct MappedTable {
    /// What the event said.
    pub map: TableMap,
    /// The definition in force.
    pub table: Arc<Table>,
    /// How to read its row images.
    pub plan: RowPlan,
    /// Whether the table has neither a primary key nor a unique one: its rows are looked for.
    pub is_without_key: bool,
    raw: Box<[u8]>,
}

impl MappedTable {
    /// Finds the table's definition (in the target, else from the source), checks it against the event and compiles
    /// the plan.
    ///
    /// # Errors
    /// `Schema` when nobody knows the table, or what is known does not fit the event.
    pub fn new(
        map: TableMap,
        raw: &[u8],
        flavor: Flavor,
        lane: &mut dyn Lane,
        source: &dyn SourceSchema,
    ) -> Result<Self> {
        let table = match lane.table(&map.table, source)? {
            Some(table) => table,
            None => adopt(&map, flavor, lane, source)?,
        };
        check::fits(&table, &map)?;
        let plan = RowPlan::compile(&map, |column| is_unsigned(&table, column))?;
        let is_unique = |index: &Index| index.kind == IndexKind::Unique;
        Ok(Self {
            is_without_key: table.primary_key.is_empty() && !table.indexes.iter().any(is_unique),
            map,
            table,
            plan,
            raw: raw.into(),
        })
    }

    /// Whether `raw` is the same TABLE_MAP again.
    pub fn is_same(&self, raw: &[u8]) -> bool {
        *self.raw == *raw
    }
}

/// Makes a table known that is met for the first time: as the source has it, where that fits the event; else as the
/// event itself describes it.
fn adopt(
    map: &TableMap,
    flavor: Flavor,
    lane: &mut dyn Lane,
    source: &dyn SourceSchema,
) -> Result<Arc<Table>> {
    let misfit = match source.table(&map.database, &map.table)? {
        Some(table) => match check::fits(&table, map) {
            Ok(()) => return lane.adopt(table),
            Err(error) => error,
        },
        None => Error::new(
            ErrorKind::Schema,
            "the binlog changes a table that neither the target nor the source knows any more",
        ),
    };
    let described = described(map, flavor).filter(|table| check::fits(table, map).is_ok());
    match described {
        Some(table) => lane.adopt(table),
        None => Err(Error::new(
            ErrorKind::Schema,
            "a table met for the first time cannot be read: start at a later position, or from before the table was \
             made; with binlog_row_metadata=FULL the binlog itself says what the source no longer knows",
        )
        .with_source(misfit)),
    }
}

impl WireTable for TableMap {
    fn names(&self) -> (&str, &str) {
        (&self.database, &self.table)
    }

    fn column_count(&self) -> usize {
        self.columns.len()
    }

    fn column(&self, at: usize) -> Option<check::WireColumn<'_>> {
        let column = self.columns.get(at)?;
        let metadata = self.metadata.columns.get(at);
        Some(check::WireColumn {
            kind: column.kind,
            kind_name: wire_type::name(column.kind),
            meta: column.meta,
            name: metadata.and_then(|metadata| metadata.name.as_deref()),
            unsigned: metadata.and_then(|metadata| metadata.unsigned),
            labels: metadata.and_then(|metadata| Some(metadata.labels.as_ref()?.len())),
        })
    }
}

fn is_unsigned(table: &Table, column: usize) -> bool {
    match table.columns.get(column).map(|column| &column.ty) {
        Some(
            ColumnType::Int { unsigned, .. }
            | ColumnType::Float { unsigned, .. }
            | ColumnType::Double { unsigned, .. }
            | ColumnType::Decimal { unsigned, .. },
        ) => *unsigned,
        _ => false,
    }
}
