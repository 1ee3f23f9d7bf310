//! A table as the dump shows it: names, charsets and labels from the optional metadata, where there is any.

use std::fmt::Write as _;

use crate::charset::Charset;
use crate::decode::plan::RowPlan;
use crate::decode::table_map::TableMap;
use crate::error::Result;

/// A table whose rows can be shown.
pub(super) struct DumpTable {
    pub(super) map: TableMap,
    pub(super) plan: RowPlan,
    pub(super) columns: Vec<DumpColumn>,
    /// `` `database`.`table` ``.
    pub(super) quoted: String,
}

/// What is known of a column.
pub(super) struct DumpColumn {
    /// Name, or `@1` and so on.
    pub(super) name: String,
    /// The name, quoted where it is one.
    pub(super) quoted: String,
    /// Charset of its text, where the event says it.
    pub(super) charset: Option<Charset>,
    /// ENUM and SET labels.
    pub(super) labels: Vec<String>,
}

impl DumpTable {
    pub(super) fn new(map: TableMap) -> Result<Self> {
        let plan = RowPlan::compile(&map, |column| map.unsigned(column).unwrap_or(false))?;
        let columns = (0..map.columns.len())
            .map(|i| DumpColumn::new(&map, i))
            .collect();
        let quoted = format!("{}.{}", quote(&map.database), quote(&map.table));
        Ok(Self {
            map,
            plan,
            columns,
            quoted,
        })
    }
}

impl DumpColumn {
    fn new(map: &TableMap, index: usize) -> Self {
        let metadata = map.metadata.columns.get(index);
        let charset = metadata
            .and_then(|m| m.collation)
            .and_then(Charset::by_collation_id);
        let labels = metadata
            .and_then(|m| m.labels.as_deref())
            .unwrap_or_default();
        let mut scratch = String::new();
        let mut label = |bytes: &Vec<u8>| match charset.map(|c| c.decode(bytes, &mut scratch)) {
            Some(Ok(text)) => text.to_owned(),
            _ => String::from_utf8_lossy(bytes).into_owned(),
        };
        let (name, quoted) = match metadata.and_then(|m| m.name.as_deref()) {
            Some(name) => (name.to_owned(), quote(name)),
            None => (format!("@{}", index + 1), format!("@{}", index + 1)),
        };
        Self {
            name,
            quoted,
            charset,
            labels: labels.iter().map(&mut label).collect(),
        }
    }
}

/// An identifier in backticks.
pub(super) fn quote(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len() + 2);
    let _ = write!(quoted, "`{}`", name.replace('`', "``"));
    quoted
}
