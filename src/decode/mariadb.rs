//! MariaDB's compressed events (`log_bin_compress`): types 165 to 171 are the plain ones with their tail deflated.
//!
//! The head (post-header, session settings, bitmaps) stays readable, so who only routes need not inflate. The tail is
//! `0x80 | bytes of length`, the inflated length big-endian, then a zlib stream (MariaDB `sql/log_event.cc`,
//! `binlog_buf_uncompress`).

use super::compressed_column::inflate_zlib;
use crate::binlog::bytes::Bytes;
use crate::binlog::format::FormatDescription;
use crate::binlog::kind as k;
use crate::config::limits::EVENT_BYTES_MAX;
use crate::error::{Error, Result};

/// First byte of a compressed tail: this bit, algorithm 0 (zlib) in the next three, length's length in the last.
const COMPRESSED: u8 = 0x80;
const ALGORITHM: u8 = 0x70;
const LENGTH_BYTES: u8 = 0x07;

/// The type that a compressed event is once inflated; `None` when it is not compressed.
pub fn plain_kind(kind: u8) -> Option<u8> {
    Some(match kind {
        k::MARIADB_QUERY_COMPRESSED => k::QUERY,
        k::MARIADB_WRITE_ROWS_COMPRESSED_V1 => k::WRITE_ROWS_V1,
        k::MARIADB_UPDATE_ROWS_COMPRESSED_V1 => k::UPDATE_ROWS_V1,
        k::MARIADB_DELETE_ROWS_COMPRESSED_V1 => k::DELETE_ROWS_V1,
        k::MARIADB_WRITE_ROWS_COMPRESSED => k::WRITE_ROWS_V2,
        k::MARIADB_UPDATE_ROWS_COMPRESSED => k::UPDATE_ROWS_V2,
        k::MARIADB_DELETE_ROWS_COMPRESSED => k::DELETE_ROWS_V2,
        _ => return None,
    })
}

/// Type and body of an event as they are without compression; `scratch` holds the body when it had to be inflated.
/// Events that are not compressed pass through.
///
/// # Errors
/// `Corrupt` when the tail does not inflate to what it claims.
pub fn plain<'v>(
    kind: u8,
    body: &'v [u8],
    format: &FormatDescription,
    scratch: &'v mut Vec<u8>,
) -> Result<(u8, &'v [u8])> {
    let Some(plain) = plain_kind(kind) else {
        return Ok((kind, body));
    };
    let head_len = match plain {
        k::QUERY => query_head_len(body)?,
        _ => rows_head_len(plain, body, format.post_header_len(kind))?,
    };
    let Some((head, tail)) = body.split_at_checked(head_len) else {
        return Err(Error::corrupt(
            "compressed event ends before its compressed part",
        ));
    };
    scratch.clear();
    scratch.extend_from_slice(head);
    inflate_tail(tail, scratch)?;
    Ok((plain, scratch))
}

fn inflate_tail(tail: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let mut r = Bytes::new(tail);
    let first = r.u8()?;
    if first & COMPRESSED == 0 || first & ALGORITHM != 0 {
        return Err(Error::corrupt(format!(
            "compression header {first:#04x} is not known"
        )));
    }
    let length = r.uint_be(usize::from(first & LENGTH_BYTES))?;
    if length > EVENT_BYTES_MAX {
        return Err(Error::corrupt(format!(
            "a compressed event claims {length} bytes"
        )));
    }
    inflate_zlib(r.rest(), true, length, out)
}

/// Post-header, status variables, database name and its NUL.
fn query_head_len(body: &[u8]) -> Result<usize> {
    const POST_HEADER_LEN: usize = 13;
    let mut r = Bytes::new(body);
    r.u64()?;
    let database_len = usize::from(r.u8()?);
    r.u16()?;
    let vars_len = usize::from(r.u16()?);
    Ok(POST_HEADER_LEN + vars_len + database_len + 1)
}

/// Post-header, width, and one or two bitmaps.
fn rows_head_len(plain: u8, body: &[u8], post_header_len: usize) -> Result<usize> {
    let mut r = Bytes::new(body);
    r.take(post_header_len)?;
    if matches!(
        plain,
        k::WRITE_ROWS_V2 | k::UPDATE_ROWS_V2 | k::DELETE_ROWS_V2
    ) {
        let mut tail = Bytes::new(body);
        tail.take(post_header_len.saturating_sub(2))?;
        r.take(usize::from(tail.u16()?.saturating_sub(2)))?;
    }
    let width = r.lenenc_len()?;
    let images = if matches!(plain, k::UPDATE_ROWS_V1 | k::UPDATE_ROWS_V2) {
        2
    } else {
        1
    };
    for _ in 0..images {
        r.take(width.div_ceil(8))?;
    }
    Ok(body.len() - r.len())
}
