//! The optional metadata at the end of a TABLE_MAP (`binlog_row_metadata`): a list of type, length, value.
//!
//! MINIMAL gives signedness, charsets and geometry types; FULL adds names, labels, keys and visibility. Fields of a
//! type that is not known are passed over, as the server does.

use super::table_map::WireColumn;
use super::wire_type as wt;
use crate::binlog::bytes::Bytes;
use crate::binlog::flavor::Flavor;
use crate::error::{Error, Result};

const SIGNEDNESS: u8 = 1;
const DEFAULT_CHARSET: u8 = 2;
const COLUMN_CHARSET: u8 = 3;
const COLUMN_NAME: u8 = 4;
const SET_STR_VALUE: u8 = 5;
const ENUM_STR_VALUE: u8 = 6;
const GEOMETRY_TYPE: u8 = 7;
const SIMPLE_PRIMARY_KEY: u8 = 8;
const PRIMARY_KEY_WITH_PREFIX: u8 = 9;
const ENUM_AND_SET_DEFAULT_CHARSET: u8 = 10;
const ENUM_AND_SET_COLUMN_CHARSET: u8 = 11;
const COLUMN_VISIBILITY: u8 = 12;
const VECTOR_DIMENSIONALITY: u8 = 13;

/// What the event says of one column beyond its wire type; `None` is not said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnMetadata {
    /// Name; FULL only.
    pub name: Option<String>,
    /// Of numeric columns: whether UNSIGNED.
    pub unsigned: Option<bool>,
    /// Of text, ENUM and SET columns: collation id; 63 is `binary`.
    pub collation: Option<u16>,
    /// Of ENUM and SET columns: labels in order, in the bytes of the column's charset; FULL only.
    pub labels: Option<Vec<Vec<u8>>>,
    /// Of geometry columns: 0 GEOMETRY, 1 POINT, ... (`Field::geometry_type`).
    pub geometry: Option<u16>,
    /// Whether `SELECT *` shows it; FULL only, MySQL 8.0.23 and later.
    pub visible: Option<bool>,
    /// Of VECTOR columns: how many numbers.
    pub dimensions: Option<u32>,
}

/// One column of the primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrimaryKeyPart {
    /// Index of the column.
    pub column: usize,
    /// Length of the prefix that is the key, in bytes of the index; 0 for the whole column.
    pub prefix: u64,
}

/// All optional metadata of a TABLE_MAP.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// One for each column of the table.
    pub columns: Vec<ColumnMetadata>,
    /// The primary key; FULL only, `None` when not said or there is none.
    pub primary_key: Option<Vec<PrimaryKeyPart>>,
}

impl Metadata {
    /// Parses what follows the null bitmap.
    ///
    /// # Errors
    /// `Corrupt` when a known field does not fit the columns.
    pub fn parse(bytes: &[u8], columns: &[WireColumn], flavor: Flavor) -> Result<Self> {
        let mut parser = Parser {
            wire: columns,
            flavor,
            metadata: Self {
                columns: vec![ColumnMetadata::default(); columns.len()],
                primary_key: None,
            },
        };
        let mut r = Bytes::new(bytes);
        while !r.is_empty() {
            let field = r.u8()?;
            let value = Bytes::new(r.lenenc_bytes()?);
            parser.field(field, value)?;
        }
        Ok(parser.metadata)
    }

    /// Whether the event names its columns (`binlog_row_metadata=FULL`).
    pub fn has_names(&self) -> bool {
        self.columns.first().is_some_and(|c| c.name.is_some())
    }
}

struct Parser<'a> {
    wire: &'a [WireColumn],
    flavor: Flavor,
    metadata: Metadata,
}

impl Parser<'_> {
    fn field(&mut self, field: u8, value: Bytes<'_>) -> Result<()> {
        let flavor = self.flavor;
        let character = |kind| wt::is_character(kind, flavor);
        match field {
            SIGNEDNESS => self.bits(wt::is_numeric, value, |column, set| {
                column.unsigned = Some(set)
            }),
            DEFAULT_CHARSET => self.default_charset(character, value),
            COLUMN_CHARSET => self.each(character, value, read_collation),
            ENUM_AND_SET_DEFAULT_CHARSET => self.default_charset(is_labelled, value),
            ENUM_AND_SET_COLUMN_CHARSET => self.each(is_labelled, value, read_collation),
            COLUMN_NAME => self.each(
                |_| true,
                value,
                |column, r| {
                    column.name = Some(String::from_utf8_lossy(r.lenenc_bytes()?).into_owned());
                    Ok(())
                },
            ),
            SET_STR_VALUE => self.each(|kind| kind == wt::SET, value, read_labels),
            ENUM_STR_VALUE => self.each(|kind| kind == wt::ENUM, value, read_labels),
            GEOMETRY_TYPE => self.each(
                |kind| kind == wt::GEOMETRY,
                value,
                |column, r| {
                    column.geometry = Some(narrow(r.lenenc()?)?);
                    Ok(())
                },
            ),
            VECTOR_DIMENSIONALITY => self.each(
                |kind| kind == wt::VECTOR,
                value,
                |column, r| {
                    column.dimensions = Some(narrow(r.lenenc()?)?);
                    Ok(())
                },
            ),
            SIMPLE_PRIMARY_KEY => self.primary_key(value, false),
            PRIMARY_KEY_WITH_PREFIX => self.primary_key(value, true),
            COLUMN_VISIBILITY => {
                self.bits(|_| true, value, |column, set| column.visible = Some(set))
            }
            _ => Ok(()),
        }
    }

    /// The columns that a field speaks of, in order.
    fn those(&mut self, which: impl Fn(u8) -> bool) -> impl Iterator<Item = &mut ColumnMetadata> {
        self.wire
            .iter()
            .zip(&mut self.metadata.columns)
            .filter_map(move |(wire, column)| which(wire.kind).then_some(column))
    }

    /// One bit a column, from the highest bit of the first byte.
    fn bits(
        &mut self,
        which: impl Fn(u8) -> bool,
        value: Bytes<'_>,
        mut set: impl FnMut(&mut ColumnMetadata, bool),
    ) -> Result<()> {
        for (i, column) in self.those(which).enumerate() {
            let byte = value
                .rest()
                .get(i / 8)
                .ok_or_else(|| misfit("too few bits"))?;
            set(column, byte & (0x80 >> (i % 8)) != 0);
        }
        Ok(())
    }

    /// One entry a column.
    fn each(
        &mut self,
        which: impl Fn(u8) -> bool,
        mut value: Bytes<'_>,
        mut read: impl FnMut(&mut ColumnMetadata, &mut Bytes<'_>) -> Result<()>,
    ) -> Result<()> {
        for column in self.those(which) {
            read(column, &mut value)?;
        }
        if value.is_empty() {
            Ok(())
        } else {
            Err(misfit("more entries than columns"))
        }
    }

    /// The collation that most columns have, then pairs of index (among those) and collation for the others.
    fn default_charset(&mut self, which: impl Fn(u8) -> bool, mut value: Bytes<'_>) -> Result<()> {
        let default: u16 = narrow(value.lenenc()?)?;
        let mut those: Vec<_> = self.those(which).collect();
        for column in &mut those {
            column.collation = Some(default);
        }
        while !value.is_empty() {
            let index = value.lenenc_len()?;
            let collation = narrow(value.lenenc()?)?;
            let column = those
                .get_mut(index)
                .ok_or_else(|| misfit("no such text column"))?;
            column.collation = Some(collation);
        }
        Ok(())
    }

    fn primary_key(&mut self, mut value: Bytes<'_>, prefixed: bool) -> Result<()> {
        let mut parts = Vec::new();
        while !value.is_empty() {
            let column = value.lenenc_len()?;
            let prefix = if prefixed { value.lenenc()? } else { 0 };
            if column >= self.wire.len() {
                return Err(misfit("the primary key names a column that is not there"));
            }
            parts.push(PrimaryKeyPart { column, prefix });
        }
        self.metadata.primary_key = Some(parts);
        Ok(())
    }
}

fn is_labelled(kind: u8) -> bool {
    matches!(kind, wt::ENUM | wt::SET)
}

fn read_collation(column: &mut ColumnMetadata, r: &mut Bytes<'_>) -> Result<()> {
    column.collation = Some(narrow(r.lenenc()?)?);
    Ok(())
}

fn read_labels(column: &mut ColumnMetadata, r: &mut Bytes<'_>) -> Result<()> {
    let count = r.lenenc_len()?;
    // Each label takes at least its length byte, so a hostile count allocates no more than the event is long.
    let mut labels = Vec::with_capacity(count.min(r.len()));
    for _ in 0..count {
        labels.push(r.lenenc_bytes()?.to_vec());
    }
    column.labels = Some(labels);
    Ok(())
}

fn narrow<T: TryFrom<u64>>(n: u64) -> Result<T> {
    T::try_from(n).map_err(|_| misfit("a number is out of range"))
}

fn misfit(what: &str) -> Error {
    Error::corrupt(format!(
        "optional metadata of a table map does not fit its columns: {what}"
    ))
}
