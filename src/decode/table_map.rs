//! TABLE_MAP: which table the next row events change, and what its columns look like on the wire.
//!
//! The same event comes again for every statement; a caller that keeps the last body per table id and compares
//! bytes need not parse it again.

use super::metadata::Metadata;
use super::wire_type as wt;
use crate::binlog::bytes::Bytes;
use crate::binlog::format::FormatDescription;
use crate::binlog::kind;
use crate::error::{Error, ErrorKind, Result};

/// Most columns a table can have (`MAX_FIELDS`).
const COLUMNS_MAX: usize = 4096;
/// Post-header length before MySQL 5.1.4: table ids had four bytes.
const SHORT_POST_HEADER_LEN: usize = 6;

/// A column as its bytes come in row images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireColumn {
    /// Type code of [`super::wire_type`]; ENUM and SET stand here as such, not as the STRING they are sent as.
    pub kind: u8,
    /// What the type needs to know, resolved: greatest length in bytes of (VAR)CHAR, width of a BLOB's length prefix,
    /// width of ENUM and SET numbers, number of bits, fractional digits, or DECIMAL's `precision << 8 | scale`.
    pub meta: u16,
    /// Whether NULL is allowed.
    pub nullable: bool,
}

/// A table as its row events need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableMap {
    /// The source's number for this version of the table, valid until its next TABLE_MAP.
    pub table_id: u64,
    /// Reserved by the server.
    pub flags: u16,
    /// Database name.
    pub database: String,
    /// Table name.
    pub table: String,
    /// Columns in order, hidden ones included.
    pub columns: Vec<WireColumn>,
    /// What `binlog_row_metadata` adds; empty for older servers.
    pub metadata: Metadata,
}

impl TableMap {
    /// Parses an event's body (no header, no checksum).
    ///
    /// # Errors
    /// `Corrupt` when it cannot be a TABLE_MAP.
    pub fn parse(body: &[u8], format: &FormatDescription) -> Result<Self> {
        let mut r = Bytes::new(body);
        let table_id = read_table_id(&mut r, format.post_header_len(kind::TABLE_MAP))?;
        let flags = r.u16()?;
        let database = read_name(&mut r)?.to_vec();
        let table = read_name(&mut r)?.to_vec();
        let (database, table) = (utf8(database, "database")?, utf8(table, "table")?);
        let located = |e: Error| e.at_table(&database, &table);
        let columns = read_columns(&mut r).map_err(located)?;
        let metadata = Metadata::parse(r.rest(), &columns, format.flavor).map_err(located)?;
        Ok(Self {
            table_id,
            flags,
            database,
            table,
            columns,
            metadata,
        })
    }

    /// Whether a column is unsigned, where the event says so.
    pub fn unsigned(&self, column: usize) -> Option<bool> {
        self.metadata.columns.get(column)?.unsigned
    }
}

/// Table id, database and table name of a TABLE_MAP body, without looking at the columns.
///
/// # Errors
/// `Corrupt` when the body ends before the names do.
pub fn table_map_names<'a>(
    body: &'a [u8],
    format: &FormatDescription,
) -> Result<(u64, &'a [u8], &'a [u8])> {
    let mut r = Bytes::new(body);
    let table_id = read_table_id(&mut r, format.post_header_len(kind::TABLE_MAP))?;
    r.u16()?;
    Ok((table_id, read_name(&mut r)?, read_name(&mut r)?))
}

/// A table id has six bytes, but four where the post-header is that of the first 5.1 releases.
pub(super) fn read_table_id(r: &mut Bytes<'_>, post_header_len: usize) -> Result<u64> {
    if post_header_len == SHORT_POST_HEADER_LEN {
        Ok(u64::from(r.u32()?))
    } else {
        r.u48()
    }
}

/// A name with its length in one byte, and a NUL.
fn read_name<'a>(r: &mut Bytes<'a>) -> Result<&'a [u8]> {
    let len = usize::from(r.u8()?);
    let name = r.take(len)?;
    r.u8()?;
    Ok(name)
}

fn utf8(bytes: Vec<u8>, what: &str) -> Result<String> {
    String::from_utf8(bytes).map_err(|e| {
        let shown = e.as_bytes().escape_ascii().to_string();
        Error::corrupt(format!("{what} name `{shown}` is not UTF-8")).with_source(e)
    })
}

fn read_columns(r: &mut Bytes<'_>) -> Result<Vec<WireColumn>> {
    let count = r.lenenc_len()?;
    if count > COLUMNS_MAX {
        return Err(Error::corrupt(format!(
            "a table of {count} columns; {COLUMNS_MAX} can be"
        )));
    }
    let kinds = r.take(count)?;
    if r.is_empty() {
        // Written before MySQL 5.1 was released: the row events of that time are refused, the table's name is not.
        let bare = |kind: &u8| WireColumn {
            kind: *kind,
            meta: 0,
            nullable: true,
        };
        return Ok(kinds.iter().map(bare).collect());
    }
    let mut meta = Bytes::new(r.lenenc_bytes()?);
    let nullable = r.take(count.div_ceil(8))?;
    let mut columns = Vec::with_capacity(count);
    for (i, kind) in kinds.iter().enumerate() {
        let (kind, meta) = resolve(*kind, &mut meta)?;
        let nullable = nullable.get(i / 8).is_some_and(|b| b >> (i % 8) & 1 == 1);
        columns.push(WireColumn {
            kind,
            meta,
            nullable,
        });
    }
    if !meta.is_empty() {
        return Err(Error::corrupt(format!(
            "{} bytes of column types are left over",
            meta.len()
        )));
    }
    Ok(columns)
}

/// Reads a column's type bytes and resolves what they are packed into.
fn resolve(kind: u8, meta: &mut Bytes<'_>) -> Result<(u8, u16)> {
    Ok(match kind {
        wt::FLOAT
        | wt::DOUBLE
        | wt::TINY_BLOB
        | wt::BLOB
        | wt::MEDIUM_BLOB
        | wt::LONG_BLOB
        | wt::BLOB_COMPRESSED
        | wt::GEOMETRY
        | wt::JSON
        | wt::VECTOR
        | wt::TIMESTAMP2
        | wt::DATETIME2
        | wt::TIME2 => (kind, u16::from(meta.u8()?)),
        wt::VARCHAR | wt::VARCHAR_COMPRESSED | wt::VAR_STRING => (kind, meta.u16()?),
        wt::NEWDECIMAL => (kind, meta.u16_be()?),
        wt::BIT => {
            let (bits, bytes) = (u16::from(meta.u8()?), u16::from(meta.u8()?));
            (kind, bytes * 8 + bits)
        }
        wt::STRING | wt::ENUM | wt::SET => resolve_string(meta.u8()?, meta.u8()?),
        wt::TYPED_ARRAY => {
            // The array itself is stored as JSON; what its elements are does not matter here.
            match meta.u8()? {
                wt::VARCHAR => meta.u24().map(drop)?,
                element => resolve(element, meta).map(drop)?,
            }
            (kind, 4)
        }
        wt::DECIMAL
        | wt::TINY
        | wt::SHORT
        | wt::LONG
        | wt::LONGLONG
        | wt::INT24
        | wt::NULL
        | wt::TIMESTAMP
        | wt::DATE
        | wt::NEWDATE
        | wt::TIME
        | wt::DATETIME
        | wt::YEAR => (kind, 0),
        // How many type bytes it has cannot be known, so nothing after it can be read.
        _ => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("column type {kind} is not known to this version of relaylite"),
            ));
        }
    })
}

/// CHAR, ENUM and SET: the first byte is the real type; for a CHAR of more than 255 bytes, two bits of its length
/// are kept, inverted, in bits 4 and 5 of that byte (MySQL bug #37426).
fn resolve_string(real: u8, len: u8) -> (u8, u16) {
    match real {
        wt::ENUM | wt::SET => (real, u16::from(len)),
        _ => (
            wt::STRING,
            u16::from(len) | (u16::from(real & 0x30 ^ 0x30) << 4),
        ),
    }
}
