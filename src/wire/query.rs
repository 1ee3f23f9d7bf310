//! Text queries.

use std::borrow::Cow;

use super::connection::Connection;
use super::server_error::check;
use crate::binlog::bytes::Bytes;
use crate::config::limits::{QUERY_PACKET_BYTES_MAX, QUERY_RESULT_BYTES_MAX};
use crate::error::{Error, ErrorKind, Result};

/// Command code of a text query.
const COM_QUERY: u8 = 0x03;

/// First byte of a NULL in a row, and of a request for a local file.
const NULL: u8 = 0xfb;

/// First byte of an EOF packet, which is shorter than 9 bytes.
const EOF: u8 = 0xfe;

/// Most columns that an answer of either server has.
const COLUMNS_MAX: usize = 4096;

/// A row: the values as text in utf8mb4, `None` for NULL.
pub type Row = Vec<Option<Vec<u8>>>;

/// The answer to a query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResultSet {
    /// Column names; empty when the statement returns no rows.
    pub columns: Vec<String>,
    /// Rows, each as wide as `columns`.
    pub rows: Vec<Row>,
}

impl ResultSet {
    /// The value of a row in the column of this name, compared without case; `None` for NULL and for no such column.
    pub fn text<'a>(&self, row: &'a Row, column: &str) -> Option<Cow<'a, str>> {
        let index = self
            .columns
            .iter()
            .position(|name| name.eq_ignore_ascii_case(column))?;
        row.get(index)?.as_deref().map(String::from_utf8_lossy)
    }

    /// The same of the first row.
    pub fn first(&self, column: &str) -> Option<Cow<'_, str>> {
        self.text(self.rows.first()?, column)
    }
}

impl Connection {
    /// Runs a statement and reads all of its answer. Not cancel-safe: a cancelled connection is of no more use.
    ///
    /// # Errors
    /// The server's error with its number; `Network` when the connection is lost.
    pub async fn query(&mut self, sql: &str) -> Result<ResultSet> {
        let mut command = Vec::with_capacity(sql.len() + 1);
        command.push(COM_QUERY);
        command.extend_from_slice(sql.as_bytes());
        self.command(&command).await?;
        self.result_set().await
    }

    /// Runs a statement whose rows do not matter.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn exec(&mut self, sql: &str) -> Result<()> {
        self.query(sql).await.map(drop)
    }

    /// Reads the OK that answers a command.
    pub(crate) async fn read_ok(&mut self) -> Result<()> {
        let packet = check(self.read_packet(QUERY_PACKET_BYTES_MAX).await?)?;
        match packet.first() {
            Some(0) => Ok(()),
            _ => Err(self.protocol_error("an answer that is neither OK nor an error")),
        }
    }

    async fn result_set(&mut self) -> Result<ResultSet> {
        let head = check(self.read_packet(QUERY_PACKET_BYTES_MAX).await?)?;
        match head.first() {
            Some(0) => return Ok(ResultSet::default()),
            Some(&NULL) => return Err(self.protocol_error("it asks for a local file")),
            _ => {}
        }
        let width = Bytes::new(&head).lenenc_len()?;
        if width > COLUMNS_MAX {
            return Err(self.protocol_error(&format!("an answer of {width} columns")));
        }
        let mut result = ResultSet::default();
        for _ in 0..width {
            let packet = check(self.read_packet(QUERY_PACKET_BYTES_MAX).await?)?;
            result.columns.push(column_name(&packet)?);
        }
        if !is_eof(&check(self.read_packet(QUERY_PACKET_BYTES_MAX).await?)?) {
            return Err(self.protocol_error("the columns do not end"));
        }
        let mut bytes = 0;
        loop {
            let packet = check(self.read_packet(QUERY_PACKET_BYTES_MAX).await?)?;
            if is_eof(&packet) {
                return Ok(result);
            }
            bytes += packet.len();
            if bytes > QUERY_RESULT_BYTES_MAX {
                return Err(Error::new(
                    ErrorKind::Protocol,
                    format!("the answer to a query is over {QUERY_RESULT_BYTES_MAX} bytes"),
                ));
            }
            result.rows.push(row(&packet, width)?);
        }
    }
}

fn is_eof(packet: &[u8]) -> bool {
    packet.first() == Some(&EOF) && packet.len() < 9
}

/// The name in a column definition: after catalog, schema, table and the table's own name.
fn column_name(packet: &[u8]) -> Result<String> {
    let mut r = Bytes::new(packet);
    for _ in 0..4 {
        r.lenenc_bytes()?;
    }
    Ok(String::from_utf8_lossy(r.lenenc_bytes()?).into_owned())
}

fn row(packet: &[u8], width: usize) -> Result<Row> {
    let mut r = Bytes::new(packet);
    (0..width)
        .map(|_| {
            if r.rest().first() == Some(&NULL) {
                r.u8()?;
                return Ok(None);
            }
            Ok(Some(r.lenenc_bytes()?.to_vec()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rows_and_names() {
        let columns = vec!["File".to_owned(), "Position".to_owned()];
        let rows = vec![
            row(b"\x05bin.1\xfb", 2).unwrap(),
            row(b"\x00\x021x", 2).unwrap(),
        ];
        let set = ResultSet { columns, rows };
        assert_eq!(set.first("file").as_deref(), Some("bin.1"));
        assert_eq!(set.first("Position"), None);
        assert_eq!(set.text(&set.rows[1], "POSITION").as_deref(), Some("1x"));
        assert_eq!(set.first("other"), None);
        assert!(row(b"\x05bin", 1).is_err());
        assert_eq!(column_name(b"\x03def\x00\x00\x00\x02ab\x00").unwrap(), "ab");
    }
}
