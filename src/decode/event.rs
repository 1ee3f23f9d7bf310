//! A typed view of one event, borrowed from its bytes.
//!
//! MariaDB's compressed events go through [`super::mariadb::plain`] first. TABLE_MAP and GTID-set bodies are handed on
//! as bytes: the former are cached by their bytes, the latter belong to `binlog::gtid`.

use super::payload::Payload;
use super::query::Query;
use super::rows::RowsEvent;
use super::xa::XaPrepare;
use crate::binlog::bytes::Bytes;
use crate::binlog::format::FormatDescription;
use crate::binlog::gtid::{MariaDbGtidEvent, MySqlGtidEvent};
use crate::binlog::header::{FLAG_IGNORABLE, Header};
use crate::binlog::kind as k;
use crate::binlog::rotate::Rotate;
use crate::error::Result;

/// What an event is.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// Another FORMAT_DESCRIPTION; parse the whole event with [`FormatDescription::parse`].
    FormatDescription,
    /// The stream goes on in another file.
    Rotate(Rotate<'a>),
    /// The server was stopped.
    Stop,
    /// A statement.
    Query(Box<Query>),
    /// Commit of a transactional group, with its number.
    Xid(u64),
    /// XA PREPARE (or COMMIT ONE PHASE) ends the group.
    XaPrepare(XaPrepare),
    /// A table's map; its body.
    TableMap(&'a [u8]),
    /// Row changes.
    Rows(RowsEvent<'a>),
    /// The statement behind the row events that follow, for readers.
    RowsQuery(&'a [u8]),
    /// A compressed transaction.
    Payload(Payload<'a>),
    /// MySQL: GTID (or its absence) of the group that follows.
    MySqlGtid(Box<MySqlGtidEvent>),
    /// MariaDB: begins every group.
    MariaDbGtid(Box<MariaDbGtidEvent>),
    /// MySQL: the GTIDs of all earlier files; the body.
    PreviousGtids(&'a [u8]),
    /// MariaDB: the GTID state at the head of a file; the body.
    GtidList(&'a [u8]),
    /// Nothing to send for now; in no file.
    Heartbeat,
    /// The binlog lacks something that happened on the source: number and message.
    Incident(u16, &'a [u8]),
    /// MariaDB: what follows in the file is encrypted.
    StartEncryption,
    /// Part of a statement that changes data (`INSERT ... RAND()`, `LOAD DATA`): not in a ROW stream.
    Statement,
    /// Known, and of no concern to a replica of rows.
    NoConcern,
    /// A type that is not known. It may be passed over only when it says so itself.
    Unknown {
        /// `LOG_EVENT_IGNORABLE_F`.
        ignorable: bool,
    },
}

impl<'a> Event<'a> {
    /// Looks at an event by its header and body (without checksum).
    ///
    /// # Errors
    /// `Corrupt` or `Unsupported` when the body is not what the header says.
    pub fn parse(header: &Header, body: &'a [u8], format: &FormatDescription) -> Result<Self> {
        Ok(match header.kind {
            k::FORMAT_DESCRIPTION => Self::FormatDescription,
            k::ROTATE => Self::Rotate(Rotate::parse(body)?),
            k::STOP => Self::Stop,
            k::QUERY => Self::Query(Box::new(Query::parse(body, header.timestamp)?)),
            k::XID => Self::Xid(Bytes::new(body).u64()?),
            k::XA_PREPARE => Self::XaPrepare(XaPrepare::parse(body)?),
            k::TABLE_MAP => Self::TableMap(body),
            k::PRE_GA_WRITE_ROWS..=k::DELETE_ROWS_V1
            | k::WRITE_ROWS_V2..=k::DELETE_ROWS_V2
            | k::PARTIAL_UPDATE_ROWS => Self::Rows(RowsEvent::parse(header.kind, body, format)?),
            // The length byte before the text is cut to 8 bits; the text ends with the event.
            k::ROWS_QUERY => Self::RowsQuery(body.get(1..).unwrap_or_default()),
            k::MARIADB_ANNOTATE_ROWS => Self::RowsQuery(body),
            k::TRANSACTION_PAYLOAD => Self::Payload(Payload::parse(body)?),
            k::GTID | k::ANONYMOUS_GTID | k::GTID_TAGGED => {
                Self::MySqlGtid(Box::new(MySqlGtidEvent::parse(header.kind, body)?))
            }
            k::MARIADB_GTID => {
                Self::MariaDbGtid(Box::new(MariaDbGtidEvent::parse(header.server_id, body)?))
            }
            k::PREVIOUS_GTIDS => Self::PreviousGtids(body),
            k::MARIADB_GTID_LIST => Self::GtidList(body),
            k::HEARTBEAT | k::HEARTBEAT_V2 => Self::Heartbeat,
            k::INCIDENT => {
                let mut r = Bytes::new(body);
                let number = r.u16()?;
                let len = usize::from(r.u8()?);
                Self::Incident(number, r.take(len)?)
            }
            k::MARIADB_START_ENCRYPTION => Self::StartEncryption,
            k::INTVAR | k::RAND | k::USER_VAR | k::BEGIN_LOAD_QUERY | k::EXECUTE_LOAD_QUERY => {
                Self::Statement
            }
            OLD_LOAD_FIRST..=OLD_LOAD_LAST => Self::Statement,
            k::IGNORABLE
            | k::MARIADB_BINLOG_CHECKPOINT
            | k::TRANSACTION_CONTEXT
            | k::VIEW_CHANGE => Self::NoConcern,
            _ => Self::Unknown {
                ignorable: header.flags & FLAG_IGNORABLE != 0,
            },
        })
    }
}

/// LOAD DATA of MySQL 4 and 5.0: LOAD (6) to NEW_LOAD (12), SLAVE (7) among them.
const OLD_LOAD_FIRST: u8 = 6;
/// See [`OLD_LOAD_FIRST`].
const OLD_LOAD_LAST: u8 = 12;
