//! Events of one file into blocks of text or lines of JSON.

use std::collections::HashMap;
use std::io::Write;

use super::column::{DumpTable, quote};
use super::json_lines::{self, Place};
use super::shown::Scratch;
use super::sql_text;
use crate::binlog::format::FormatDescription;
use crate::binlog::gtid::GtidSet;
use crate::binlog::header::Header;
use crate::binlog::kind;
use crate::charset::Charset;
use crate::decode::event::Event;
use crate::decode::mariadb;
use crate::decode::payload::Payload;
use crate::decode::query::Query;
use crate::decode::rows::{RowImages, RowReader, RowsEvent};
use crate::decode::short_text::ShortText;
use crate::decode::table_map::TableMap;
use crate::decode::temporal;
use crate::error::{Error, ErrorKind, Result};

/// Most table maps kept between statements; a file that names more is dumped all the same, but for its next rows.
const TABLES_MAX: usize = 10_000;
/// How statements begin that neither stand alone nor end a transaction.
const INSIDE_GROUP: [&str; 5] = [
    "SAVEPOINT",
    "RELEASE SAVEPOINT",
    "ROLLBACK TO",
    "XA START",
    "XA END",
];
/// Text is written out when this much of it has come together.
const TEXT_BYTES_KEPT: usize = 64 * 1024;

/// Prints the events of one file.
pub(super) struct Printer<'a> {
    file: &'a str,
    json: bool,
    out: &'a mut dyn Write,
    tables: HashMap<u64, DumpTable>,
    gtid: Option<String>,
    /// A block is open: its head is printed, its end is not.
    in_block: bool,
    text: String,
    scratch: Scratch,
    inflated: Vec<u8>,
}

impl<'a> Printer<'a> {
    pub(super) fn new(file: &'a str, json: bool, out: &'a mut dyn Write) -> Self {
        Self {
            file,
            json,
            out,
            tables: HashMap::new(),
            gtid: None,
            in_block: false,
            text: String::new(),
            scratch: Scratch::default(),
            inflated: Vec::new(),
        }
    }

    /// A FORMAT_DESCRIPTION: all that was known of tables is void.
    pub(super) fn format(&mut self, offset: u64, format: &FormatDescription) -> Result<()> {
        self.tables.clear();
        let in_use = if format.in_use { ", not closed" } else { "" };
        let checksum = format.checksum;
        self.comment(
            offset,
            &format!(
                "{} {}, checksums {checksum:?}{in_use}",
                format.flavor, format.server_version
            ),
        )
    }

    /// Any other event, without its checksum.
    pub(super) fn event(
        &mut self,
        offset: u64,
        header: &Header,
        body: &[u8],
        format: &FormatDescription,
    ) -> Result<()> {
        if matches!(
            header.kind,
            kind::PRE_GA_WRITE_ROWS..=kind::PRE_GA_DELETE_ROWS
        ) {
            let name = kind::name(header.kind);
            return self.comment(
                offset,
                &format!("{name}: rows of that time cannot be shown"),
            );
        }
        let mut inflated = std::mem::take(&mut self.inflated);
        let (plain_kind, plain_body) = mariadb::plain(header.kind, body, format, &mut inflated)?;
        let plain = Header {
            kind: plain_kind,
            ..*header
        };
        let event = Event::parse(&plain, plain_body, format)?;
        let outcome = self.parsed(offset, &plain, event, format);
        self.inflated = inflated;
        outcome
    }

    fn parsed(
        &mut self,
        offset: u64,
        header: &Header,
        event: Event<'_>,
        format: &FormatDescription,
    ) -> Result<()> {
        match event {
            Event::TableMap(body) => self.table_map(body, format),
            Event::Rows(rows) => self.rows(offset, header, &rows),
            Event::Query(query) => self.query(offset, header, &query),
            Event::MySqlGtid(gtid) => {
                self.group(offset, header, gtid.gtid.map(|gtid| gtid.to_string()))
            }
            Event::MariaDbGtid(gtid) => {
                self.group(offset, header, Some(gtid.gtid.to_string()))?;
                if let (Some(xid), false) = (gtid.prepares(), self.json) {
                    self.text.push_str(&format!("XA START {xid};\n"));
                }
                Ok(())
            }
            Event::Payload(payload) => self.payload(offset, &payload, format),
            Event::Xid(xid) => self.end(&format!("COMMIT;  # xid {xid}\n")),
            Event::XaPrepare(xa) if xa.one_phase => {
                self.end(&format!("XA COMMIT {} ONE PHASE;\n", xa.id))
            }
            Event::XaPrepare(xa) => self.end(&format!("XA PREPARE {};\n", xa.id)),
            Event::RowsQuery(sql) => self.rows_query(offset, header, sql),
            Event::Rotate(to) => {
                self.comment(offset, &format!("goes on in {}:{}", to.file, to.position))
            }
            Event::PreviousGtids(body) => {
                let set = GtidSet::decode(body)?;
                self.comment(offset, &format!("GTIDs before: {set}"))
            }
            Event::GtidList(body) => {
                let set = GtidSet::decode_mariadb_list(body)?;
                self.comment(offset, &format!("GTIDs before: {set}"))
            }
            Event::Incident(number, message) => self.comment(
                offset,
                &format!("incident {number}: {}", String::from_utf8_lossy(message)),
            ),
            Event::StartEncryption => Err(Error::new(
                ErrorKind::Unsupported,
                "the file is encrypted from here on; only the server that wrote it can read it",
            )),
            Event::Unknown { ignorable: false } => self.comment(
                offset,
                &format!(
                    "event of unknown type {}, {} bytes",
                    header.kind, header.event_size
                ),
            ),
            Event::Unknown { ignorable: true }
            | Event::Statement
            | Event::Stop
            | Event::NoConcern
            | Event::FormatDescription
            | Event::Heartbeat => self.comment(offset, kind::name(header.kind)),
        }
    }

    /// The end of the file.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.write_out()
    }

    fn table_map(&mut self, body: &[u8], format: &FormatDescription) -> Result<()> {
        let map = TableMap::parse(body, format)?;
        if self
            .tables
            .get(&map.table_id)
            .is_some_and(|known| known.map == map)
        {
            return Ok(());
        }
        if self.tables.len() >= TABLES_MAX {
            self.tables.clear();
        }
        self.tables.insert(map.table_id, DumpTable::new(map)?);
        Ok(())
    }

    fn rows(&mut self, offset: u64, header: &Header, event: &RowsEvent<'_>) -> Result<()> {
        if event.is_dummy() {
            return Ok(());
        }
        self.open_block(offset, header)?;
        let Some(table) = self.tables.get(&event.table_id) else {
            return Err(Error::corrupt(format!(
                "rows of table number {}, which no Table_map event names",
                event.table_id
            )));
        };
        let at_table = |e: Error| e.at_table(&table.map.database, &table.map.table);
        let time = time_text(header.timestamp);
        let place = Place {
            file: self.file,
            position: offset,
            time: time.as_str(),
            gtid: self.gtid.as_deref(),
        };
        let mut reader = RowReader::new(&table.plan, event).map_err(at_table)?;
        let mut row = RowImages::default();
        while reader.next(&mut row).map_err(at_table)? {
            let (text, scratch) = (&mut self.text, &mut self.scratch);
            if self.json {
                json_lines::push_change(text, &place, event.kind, table, &row, scratch)
            } else {
                sql_text::push_change(text, event.kind, table, &row, scratch)
            }
            .map_err(at_table)?;
            if self.text.len() >= TEXT_BYTES_KEPT {
                write_text(self.out, &mut self.text)?;
            }
        }
        Ok(())
    }

    fn query(&mut self, offset: u64, header: &Header, query: &Query) -> Result<()> {
        if self.json {
            return Ok(());
        }
        let charset = query
            .charsets
            .and_then(|(client, ..)| Charset::by_collation_id(client));
        let mut scratch = String::new();
        let sql = match charset
            .unwrap_or(Charset::UTF8MB4)
            .decode(&query.sql, &mut scratch)
        {
            Ok(text) => text.to_owned(),
            Err(_) => query.sql.escape_ascii().to_string(),
        };
        let word = sql.trim();
        self.open_block(offset, header)?;
        if word == "BEGIN" {
            self.text.push_str("BEGIN;\n");
            return Ok(());
        }
        let is_xa = word.starts_with("XA ");
        if !query.database.is_empty() && !is_xa && !matches!(word, "COMMIT" | "ROLLBACK") {
            self.text
                .push_str(&format!("USE {};\n", quote(&query.database)));
        }
        let inside = INSIDE_GROUP.iter().any(|begin| {
            word.get(..begin.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(begin))
        });
        self.text.push_str(&sql);
        self.text.push_str(";\n");
        if inside {
            self.write_if_large()
        } else {
            self.end("")
        }
    }

    fn rows_query(&mut self, offset: u64, header: &Header, sql: &[u8]) -> Result<()> {
        if self.json {
            return Ok(());
        }
        self.open_block(offset, header)?;
        for line in String::from_utf8_lossy(sql).lines() {
            self.text.push_str("# ");
            self.text.push_str(line);
            self.text.push('\n');
        }
        self.write_if_large()
    }

    fn payload(
        &mut self,
        offset: u64,
        payload: &Payload<'_>,
        format: &FormatDescription,
    ) -> Result<()> {
        let mut reader = payload.reader()?;
        while let Some((header, body)) = reader.next_event()? {
            if header.kind == kind::TRANSACTION_PAYLOAD {
                return Err(Error::corrupt("a transaction payload within another"));
            }
            self.event(offset, &header, body, format)?;
        }
        Ok(())
    }

    /// A GTID event begins a group.
    fn group(&mut self, offset: u64, header: &Header, gtid: Option<String>) -> Result<()> {
        self.end("")?;
        self.gtid = gtid;
        self.open_block(offset, header)
    }

    fn open_block(&mut self, offset: u64, header: &Header) -> Result<()> {
        if std::mem::replace(&mut self.in_block, true) || self.json {
            return Ok(());
        }
        let gtid = self
            .gtid
            .as_deref()
            .map(|gtid| format!(", GTID {gtid}"))
            .unwrap_or_default();
        let time = time_text(header.timestamp);
        let line = format!("at {time} UTC, server {}{gtid}", header.server_id);
        self.text
            .push_str(&format!("# {}:{offset} {line}\n", self.file));
        Ok(())
    }

    /// The end of a block, with its last line.
    fn end(&mut self, line: &str) -> Result<()> {
        if std::mem::take(&mut self.in_block) && !self.json {
            self.text.push_str(line);
            self.text.push('\n');
        }
        self.gtid = None;
        self.write_out()
    }

    /// A line about something that is no change.
    fn comment(&mut self, offset: u64, text: &str) -> Result<()> {
        if !self.json {
            self.text
                .push_str(&format!("# {}:{offset} {text}\n", self.file));
        }
        self.write_if_large()
    }

    fn write_if_large(&mut self) -> Result<()> {
        if self.text.len() >= TEXT_BYTES_KEPT {
            self.write_out()
        } else {
            Ok(())
        }
    }

    fn write_out(&mut self) -> Result<()> {
        write_text(self.out, &mut self.text)
    }
}

/// Writes the text out and empties it.
fn write_text(out: &mut dyn Write, text: &mut String) -> Result<()> {
    out.write_all(text.as_bytes())
        .map_err(|e| Error::new(ErrorKind::Io, "cannot write the dump").with_source(e))?;
    text.clear();
    Ok(())
}

fn time_text(timestamp: u32) -> ShortText {
    let mut text = ShortText::new();
    let (date, time) = temporal::utc(u64::from(timestamp), 0);
    temporal::push_datetime(&mut text, date, time, 0);
    text
}
