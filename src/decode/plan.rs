//! How to read the rows of a table: compiled once from its TABLE_MAP, then run for every row.

use super::decimal;
use super::table_map::{TableMap, WireColumn};
use super::temporal;
use super::value::Value;
use super::wire_type as wt;
use crate::binlog::bytes::Bytes;
use crate::error::{Error, ErrorKind, Result};

/// How one column's bytes become a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    I8,
    U8,
    I16,
    U16,
    I24,
    U24,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
    Decimal {
        len: u8,
        precision: u8,
        scale: u8,
    },
    Year,
    Date,
    Time,
    Time2(u8),
    DateTime,
    DateTime2(u8),
    Timestamp,
    Timestamp2(u8),
    Bit {
        len: u8,
        bits: u8,
    },
    Enum(u8),
    Set(u8),
    /// Length-prefixed bytes; the width of the prefix.
    Bytes(u8),
    Compressed(u8),
    Json(u8),
    /// The hidden column behind a multi-valued index: stored as JSON, never sent as a diff.
    Array(u8),
    Geometry(u8),
    Vector(u8),
    /// A column of type NULL has no bytes.
    Nothing,
}

/// The compiled plan of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPlan {
    steps: Vec<Step>,
    json_columns: usize,
}

impl RowPlan {
    /// Compiles the plan; `unsigned` says whether an integer column is unsigned, for servers that do not log it.
    ///
    /// # Errors
    /// `Unsupported` for a column type that cannot be read, `Corrupt` for a type with impossible parameters.
    pub fn compile(table: &TableMap, unsigned: impl Fn(usize) -> bool) -> Result<Self> {
        let columns = table.columns.iter().enumerate();
        let steps: Result<Vec<Step>> = columns
            .map(|(i, column)| {
                compile_column(*column, || unsigned(i)).map_err(|e| {
                    let text = format!("column {}: {}", i + 1, e.what());
                    Error::new(e.kind(), text).at_table(&table.database, &table.table)
                })
            })
            .collect();
        let steps = steps?;
        let json_columns = steps.iter().filter(|s| matches!(s, Step::Json(_))).count();
        Ok(Self {
            steps,
            json_columns,
        })
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.steps.len()
    }

    /// Number of JSON columns: each has a bit in a partial update, whether it is in the image or not.
    pub(super) fn json_columns(&self) -> usize {
        self.json_columns
    }

    /// The columns in order.
    pub(super) fn columns(&self) -> impl Iterator<Item = PlannedColumn> + '_ {
        self.steps.iter().map(|step| PlannedColumn(*step))
    }
}

/// One column of a plan.
#[derive(Clone, Copy)]
pub(super) struct PlannedColumn(Step);

impl PlannedColumn {
    /// Whether it is JSON, which a partial update may send as a diff.
    #[inline]
    pub(super) fn is_json(self) -> bool {
        matches!(self.0, Step::Json(_))
    }

    /// Reads a value that is present and not NULL into its slot.
    ///
    /// Into a slot, not as a result: a value is made of pieces of several widths, and copying it right after they were
    /// written stalls the processor for longer than all the rest takes (measured: four times slower).
    #[inline]
    pub(super) fn read<'a>(self, r: &mut Bytes<'a>, slot: &mut Value<'a>) -> Result<()> {
        match self.0 {
            Step::I8 => *slot = Value::Int(i64::from(r.u8()?.cast_signed())),
            Step::U8 => *slot = Value::UInt(u64::from(r.u8()?)),
            Step::I16 => *slot = Value::Int(i64::from(r.i16()?)),
            Step::U16 => *slot = Value::UInt(u64::from(r.u16()?)),
            Step::I24 => *slot = Value::Int(i64::from((r.u24()? << 8).cast_signed() >> 8)),
            Step::U24 => *slot = Value::UInt(u64::from(r.u24()?)),
            Step::I32 => *slot = Value::Int(i64::from(r.i32()?)),
            Step::U32 => *slot = Value::UInt(u64::from(r.u32()?)),
            Step::I64 => *slot = Value::Int(r.i64()?),
            Step::U64 => *slot = Value::UInt(r.u64()?),
            Step::F32 => *slot = Value::Float(f32::from_le_bytes(r.array()?)),
            Step::F64 => *slot = Value::Double(f64::from_le_bytes(r.array()?)),
            Step::Decimal {
                len,
                precision,
                scale,
            } => {
                *slot = Value::Decimal {
                    packed: r.take(usize::from(len))?,
                    precision,
                    scale,
                };
            }
            Step::Bytes(prefix) => *slot = Value::Bytes(prefixed(r, prefix)?),
            Step::Enum(1) => *slot = Value::Enum(u16::from(r.u8()?)),
            Step::Enum(_) => *slot = Value::Enum(r.u16()?),
            Step::Set(len) => *slot = Value::Set(r.uint(usize::from(len))?),
            Step::Bit { len, bits } => *slot = Value::Bit(r.uint_be(usize::from(len))?, bits),
            Step::Json(prefix) | Step::Array(prefix) => *slot = Value::Json(prefixed(r, prefix)?),
            Step::Geometry(prefix) => *slot = Value::Geometry(prefixed(r, prefix)?),
            Step::Vector(prefix) => *slot = Value::Vector(prefixed(r, prefix)?),
            Step::Compressed(prefix) => *slot = Value::Compressed(prefixed(r, prefix)?),
            Step::Nothing => *slot = Value::Null,
            temporal => return read_temporal(temporal, r, slot),
        }
        Ok(())
    }

    /// Reads the diffs that a partial update has in place of a JSON value.
    pub(super) fn read_diff<'a>(self, r: &mut Bytes<'a>, slot: &mut Value<'a>) -> Result<()> {
        match self.0 {
            Step::Json(prefix) => *slot = Value::JsonDiff(prefixed(r, prefix)?),
            _ => {
                return Err(Error::corrupt(
                    "a partial update of a column that is not JSON",
                ));
            }
        }
        Ok(())
    }
}

/// Bytes behind a length of `prefix` bytes.
#[inline]
fn prefixed<'a>(r: &mut Bytes<'a>, prefix: u8) -> Result<&'a [u8]> {
    let len = match prefix {
        1 => usize::from(r.u8()?),
        2 => usize::from(r.u16()?),
        3 => r.u24()? as usize,
        _ => r.u32()? as usize,
    };
    r.take(len)
}

#[inline]
fn read_temporal<'a>(step: Step, r: &mut Bytes<'a>, slot: &mut Value<'a>) -> Result<()> {
    match step {
        Step::DateTime2(fsp) => {
            let (date, time) = temporal::read_datetime2(r, fsp)?;
            *slot = Value::DateTime(date, time, fsp);
        }
        Step::Timestamp2(fsp) => {
            let (seconds, micros) = temporal::read_timestamp2(r, fsp)?;
            *slot = Value::Timestamp {
                seconds,
                micros,
                fsp,
            };
        }
        Step::Date => *slot = Value::Date(temporal::read_date(r)?),
        Step::Time2(fsp) => *slot = Value::Time(temporal::read_time2(r, fsp)?, fsp),
        Step::Year => {
            *slot = Value::Year(match r.u8()? {
                0 => 0,
                n => 1900 + u16::from(n),
            });
        }
        Step::Time => *slot = Value::Time(temporal::read_time(r)?, 0),
        Step::DateTime => {
            let (date, time) = temporal::read_datetime(r)?;
            *slot = Value::DateTime(date, time, 0);
        }
        Step::Timestamp => {
            *slot = Value::Timestamp {
                seconds: u64::from(r.u32()?),
                micros: 0,
                fsp: 0,
            };
        }
        _ => {
            return Err(Error::new(
                ErrorKind::Internal,
                "a column's step has no reader",
            ));
        }
    }
    Ok(())
}

fn compile_column(column: WireColumn, unsigned: impl Fn() -> bool) -> Result<Step> {
    let sign = |signed: Step, without: Step| if unsigned() { without } else { signed };
    let meta = column.meta;
    Ok(match column.kind {
        wt::TINY => sign(Step::I8, Step::U8),
        wt::SHORT => sign(Step::I16, Step::U16),
        wt::INT24 => sign(Step::I24, Step::U24),
        wt::LONG => sign(Step::I32, Step::U32),
        wt::LONGLONG => sign(Step::I64, Step::U64),
        wt::FLOAT => within(meta, 4..=4, "a FLOAT's width").map(|_| Step::F32)?,
        wt::DOUBLE => within(meta, 8..=8, "a DOUBLE's width").map(|_| Step::F64)?,
        wt::NEWDECIMAL => compile_decimal(meta)?,
        wt::YEAR => Step::Year,
        wt::DATE | wt::NEWDATE => Step::Date,
        wt::TIME => Step::Time,
        wt::DATETIME => Step::DateTime,
        wt::TIMESTAMP => Step::Timestamp,
        wt::TIME2 => Step::Time2(fsp(meta)?),
        wt::DATETIME2 => Step::DateTime2(fsp(meta)?),
        wt::TIMESTAMP2 => Step::Timestamp2(fsp(meta)?),
        wt::BIT => {
            let bits = within(meta, 1..=64, "the number of bits")?;
            Step::Bit {
                len: bits.div_ceil(8),
                bits,
            }
        }
        wt::ENUM => Step::Enum(within(meta, 1..=2, "the width of an ENUM")?),
        wt::SET => Step::Set(within(meta, 1..=8, "the width of a SET")?),
        wt::STRING | wt::VAR_STRING | wt::VARCHAR => Step::Bytes(varchar_prefix(meta)),
        wt::VARCHAR_COMPRESSED => Step::Compressed(varchar_prefix(meta)),
        wt::TINY_BLOB | wt::BLOB | wt::MEDIUM_BLOB | wt::LONG_BLOB => Step::Bytes(prefix(meta)?),
        wt::BLOB_COMPRESSED => Step::Compressed(prefix(meta)?),
        wt::JSON => Step::Json(prefix(meta)?),
        wt::TYPED_ARRAY => Step::Array(prefix(meta)?),
        wt::GEOMETRY => Step::Geometry(prefix(meta)?),
        wt::VECTOR => Step::Vector(prefix(meta)?),
        wt::NULL => Step::Nothing,
        kind => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("{} (type {kind}) cannot be read", wt::name(kind)),
            ));
        }
    })
}

/// Lengths up to 255 bytes are sent in one byte.
fn varchar_prefix(length_max: u16) -> u8 {
    if length_max > 255 { 2 } else { 1 }
}

fn prefix(meta: u16) -> Result<u8> {
    within(meta, 1..=4, "the width of a length")
}

fn fsp(meta: u16) -> Result<u8> {
    within(meta, 0..=6, "the number of fractional digits")
}

fn within(meta: u16, range: std::ops::RangeInclusive<u8>, what: &str) -> Result<u8> {
    u8::try_from(meta)
        .ok()
        .filter(|n| range.contains(n))
        .ok_or_else(|| Error::corrupt(format!("{what} cannot be {meta}")))
}

fn compile_decimal(meta: u16) -> Result<Step> {
    let [precision, scale] = meta.to_be_bytes();
    let len = decimal::packed_len(precision, scale).and_then(|n| u8::try_from(n).ok());
    len.map(|len| Step::Decimal {
        len,
        precision,
        scale,
    })
    .ok_or_else(|| Error::corrupt(format!("DECIMAL({precision},{scale}) cannot be")))
}
