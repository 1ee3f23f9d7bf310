//! Text queries.

use std::borrow::Cow;

use super::connection::Connection;
use super::server_error::check;
use crate::binlog::bytes::Bytes;
use crate::config::limits::{
    COLUMN_DEFINITION_BYTES_MAX, QUERY_PACKET_BYTES_MAX, QUERY_RESULT_BYTES_MAX,
};
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

    /// The value of the first row in that column as it was sent.
    pub fn first_bytes(&self, column: &str) -> Option<&[u8]> {
        let mut names = self.columns.iter();
        let index = names.position(|name| name.eq_ignore_ascii_case(column))?;
        self.rows.first()?.get(index)?.as_deref()
    }

    /// The text of the first row in that column.
    pub fn first(&self, column: &str) -> Option<Cow<'_, str>> {
        self.text(self.rows.first()?, column)
    }
}

impl Connection {
    /// Runs a statement and reads all of its answer, within the read timeout as a whole: a server that sends a byte now and
    /// then must not keep us. Not cancel-safe: a cancelled connection is of no more use.
    ///
    /// # Errors
    /// The server's error with its number; `Network` when the connection is lost.
    pub async fn query(&mut self, sql: &str) -> Result<ResultSet> {
        let time = self.read_timeout();
        let answer = async {
            self.send_query(sql).await?;
            self.result_set().await
        };
        let answer = tokio::time::timeout(time, answer).await;
        answer.unwrap_or_else(|_| Err(self.timed_out("did not end its answer")))
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
        let mut rows = self.open_rows(QUERY_PACKET_BYTES_MAX).await?;
        let mut result = ResultSet {
            columns: std::mem::take(&mut rows.columns),
            rows: Vec::new(),
        };
        let mut bytes = 0;
        while let Some(packet) = rows.next().await? {
            let row = row(&packet, result.columns.len())?;
            // A NULL is one byte of the packet and many of the row; twice as many, for what the allocator adds and vectors
            // keep free.
            bytes += packet.len() + (row.len() + 2) * 2 * size_of::<Row>();
            if bytes > QUERY_RESULT_BYTES_MAX {
                return Err(Error::new(
                    ErrorKind::Protocol,
                    format!("the answer to a query takes over {QUERY_RESULT_BYTES_MAX} bytes"),
                ));
            }
            result.rows.push(row);
        }
        Ok(result)
    }

    /// Runs a statement and gives its rows one by one, each of up to `row_bytes_max` bytes. All of them have to be read before the
    /// connection is used again.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn rows(&mut self, sql: &str, row_bytes_max: usize) -> Result<Rows<'_>> {
        self.send_query(sql).await?;
        self.open_rows(row_bytes_max).await
    }

    async fn send_query(&mut self, sql: &str) -> Result<()> {
        let mut command = Vec::with_capacity(sql.len() + 1);
        command.push(COM_QUERY);
        command.extend_from_slice(sql.as_bytes());
        self.command(&command).await
    }

    async fn open_rows(&mut self, row_bytes_max: usize) -> Result<Rows<'_>> {
        let head = check(self.read_packet(QUERY_PACKET_BYTES_MAX).await?)?;
        let mut rows = Rows {
            connection: self,
            columns: Vec::new(),
            row_bytes_max,
            ended: false,
        };
        match head.first() {
            Some(0) => {
                rows.ended = true;
                return Ok(rows);
            }
            Some(&NULL) => {
                return Err(rows.connection.protocol_error("it asks for a local file"));
            }
            _ => {}
        }
        let width = Bytes::new(&head).lenenc_len()?;
        if width > COLUMNS_MAX {
            let what = format!("an answer of {width} columns");
            return Err(rows.connection.protocol_error(&what));
        }
        for _ in 0..width {
            let packet = rows.connection.read_packet(COLUMN_DEFINITION_BYTES_MAX);
            let packet = check(packet.await?)?;
            rows.columns.push(column_name(&packet)?);
        }
        if !is_eof(&check(
            rows.connection.read_packet(QUERY_PACKET_BYTES_MAX).await?,
        )?) {
            return Err(rows.connection.protocol_error("the columns do not end"));
        }
        Ok(rows)
    }
}

/// The rows of an answer that is being read.
pub struct Rows<'c> {
    connection: &'c mut Connection,
    columns: Vec<String>,
    row_bytes_max: usize,
    ended: bool,
}

impl Rows<'_> {
    /// The next row's packet, to be read with [`cells`]; `None` behind the last one. Not cancel-safe.
    ///
    /// # Errors
    /// The server's error with its number; `Network` when the connection is lost.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if self.ended {
            return Ok(None);
        }
        let packet = check(self.connection.read_packet(self.row_bytes_max).await?)?;
        self.ended = is_eof(&packet);
        Ok((!self.ended).then_some(packet))
    }
}

/// The values of a row's packet in order; `None` for NULL.
pub fn cells(packet: &[u8]) -> impl Iterator<Item = Result<Option<&[u8]>>> {
    let mut r = Bytes::new(packet);
    std::iter::from_fn(move || {
        let next = *r.rest().first()?;
        if next == NULL {
            return Some(r.u8().map(|_| None));
        }
        Some(r.lenenc_bytes().map(Some))
    })
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

/// A row of the width that was announced.
fn row(packet: &[u8], width: usize) -> Result<Row> {
    let row: Row = cells(packet)
        .take(width + 1)
        .map(|cell| cell.map(|cell| cell.map(<[u8]>::to_vec)))
        .collect::<Result<_>>()?;
    if row.len() != width {
        return Err(Error::new(
            ErrorKind::Protocol,
            format!("a row of other than the {width} values that were announced"),
        ));
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each byte is in time, the answer is not.
    #[tokio::test]
    async fn an_answer_that_comes_byte_by_byte_is_given_up() {
        use tokio::io::AsyncWriteExt as _;
        let (near, mut far) = tokio::io::duplex(1 << 16);
        let mut connection = Connection::new(Box::new(near), "a:1".into());
        connection.set_read_timeout(std::time::Duration::from_millis(200));
        let trickle = tokio::spawn(async move {
            far.write_all(&[0xff, 0xff, 0, 1]).await.unwrap();
            while far.write_all(&[0]).await.is_ok() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        let error = connection.query("SELECT 1").await.unwrap_err();
        assert_eq!((error.kind(), error.errno()), (ErrorKind::Network, 2013));
        drop(connection);
        trickle.await.unwrap();
    }

    /// Of one byte each on the wire.
    #[test]
    fn a_row_is_no_wider_than_its_columns() {
        let error = row(&[NULL; 1 << 20], 3).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert_eq!(row(&[NULL; 3], 3).unwrap().len(), 3);
    }

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
