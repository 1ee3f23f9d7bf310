//! The one error type: what happened, what to do about it, and where in the stream it was.
//!
//! `kind` decides what the caller does (retry, stop the thread concerned, refuse to start); `at` says where in the
//! source's coordinates it happened. A source error is kept as `source`, never formatted into `what`, so that
//! nothing is printed twice. Secrets never get in here: callers put host and user, never a password.

use std::fmt;
use std::sync::Arc;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of trouble this is; decides between retry, operator and refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A flag, key or URL that cannot be used. Exit code 2.
    Config,
    /// Another process holds the relay or target directory. Exit code 2.
    Locked,
    /// The source or target cannot be reached, or the connection broke (MySQL 2003, 2013).
    Network,
    /// The server refused the login or lacks a grant (MySQL 1045, 1227).
    Access,
    /// The source ended the dump for good (MySQL 1236): purged file, impossible position.
    Dump,
    /// Another replica with our server id or uuid took our place at the source (MySQL 1236, MariaDB 4052).
    Double,
    /// The source cannot serve a replica as it is configured (binary log off, STATEMENT format, same server id).
    Preflight,
    /// The server spoke something that is not its protocol.
    Protocol,
    /// Bytes of a binlog event or relay file that cannot be what they claim (truncated, bad CRC, impossible length).
    Corrupt,
    /// An event of a kind that cannot be applied (a statement that changes data, an incident, encryption).
    Unsupported,
    /// A table's definition is not known, or does not fit the event.
    Schema,
    /// What became of a table's rows only the source knows: it is to be read afresh.
    SourceOnly,
    /// A row to change is not in the target (MySQL 1032).
    RowMissing,
    /// A row to insert is already in the target (MySQL 1062).
    DuplicateRow,
    /// The target does not take one table's change: a value, a constraint, a definition that is not as expected.
    Refused,
    /// The target failed.
    Target,
    /// The target is busy for now (lock held by a reader, connection lost); worth another try.
    TargetBusy,
    /// A file of ours cannot be read or written.
    Io,
    /// The disk is full.
    DiskFull,
    /// A transaction in the binlog that the source itself does not have: it crashed while it wrote it, so that its end
    /// never comes, or rolled it back.
    CutShort,
    /// Shutdown was asked for.
    Stopped,
    /// A promise inside relaylite was broken; always a bug.
    Internal,
}

/// What the caller may do after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same input will always fail; the thread concerned stops.
    Never,
    /// Somebody has to change something first; the thread concerned stops, or tries rarely.
    Operator,
    /// Try again by itself, after `connect_retry`.
    Backoff,
}

impl ErrorKind {
    /// What may be done about an error of this kind.
    pub fn retry(self) -> Retry {
        match self {
            Self::Network | Self::TargetBusy | Self::DiskFull | Self::Protocol => Retry::Backoff,
            Self::Access
            | Self::Dump
            | Self::Double
            | Self::Preflight
            | Self::Locked
            | Self::Config => Retry::Operator,
            _ => Retry::Never,
        }
    }

    /// MySQL's number for this kind, where a more exact one was not given.
    pub fn default_errno(self) -> u16 {
        match self {
            Self::Network => 2003,
            Self::Access => 1045,
            Self::Dump | Self::Double => 1236,
            Self::Preflight => 1593,
            Self::Protocol => 2027,
            Self::Corrupt => 1594,
            Self::Unsupported
            | Self::Schema
            | Self::SourceOnly
            | Self::Refused
            | Self::Target
            | Self::TargetBusy => 1677,
            Self::RowMissing => 1032,
            Self::DuplicateRow => 1062,
            Self::DiskFull => 1021,
            Self::Io => 1026,
            Self::Config | Self::Locked | Self::CutShort | Self::Stopped | Self::Internal => 1105,
        }
    }
}

/// Where in the source's stream an error belongs. All parts are optional; what is known is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// The source's binlog file name.
    pub file: Option<Arc<str>>,
    /// Offset in that file, in bytes.
    pub pos: Option<u64>,
    /// GTID of the transaction, as the source prints it.
    pub gtid: Option<String>,
    /// `database.table`, or `database` alone.
    pub table: Option<String>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sep = "";
        if let Some(file) = &self.file {
            write!(f, "{file}")?;
            if let Some(pos) = self.pos {
                write!(f, ":{pos}")?;
            }
            sep = ", ";
        } else if let Some(pos) = self.pos {
            write!(f, "offset {pos}")?;
            sep = ", ";
        }
        if let Some(gtid) = &self.gtid {
            write!(f, "{sep}gtid {gtid}")?;
            sep = ", ";
        }
        if let Some(table) = &self.table {
            write!(f, "{sep}table {table}")?;
        }
        Ok(())
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

struct Inner {
    kind: ErrorKind,
    errno: u16,
    what: String,
    at: Location,
    source: Option<Cause>,
}

/// An error of relaylite. Cheap to move (one pointer).
pub struct Error(Box<Inner>);

impl Error {
    /// A new error; `what` is one sentence that ends with the cure where there is one.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            errno: kind.default_errno(),
            what: what.into(),
            at: Location::default(),
            source: None,
        }))
    }

    /// Bytes that cannot be what they claim.
    pub fn corrupt(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, what)
    }

    /// The same error with MySQL's own number.
    #[must_use]
    pub fn with_errno(mut self, errno: u16) -> Self {
        self.0.errno = errno;
        self
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Cause>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error, located in a file; keeps what was located more exactly before.
    #[must_use]
    pub fn at_pos(mut self, file: Arc<str>, pos: u64) -> Self {
        self.0.at.file.get_or_insert(file);
        self.0.at.pos.get_or_insert(pos);
        self
    }

    /// The same error with the transaction's GTID.
    #[must_use]
    pub fn at_gtid(mut self, gtid: impl fmt::Display) -> Self {
        self.0.at.gtid.get_or_insert_with(|| gtid.to_string());
        self
    }

    /// The same error with the table concerned.
    #[must_use]
    pub fn at_table(mut self, database: &str, table: &str) -> Self {
        self.0
            .at
            .table
            .get_or_insert_with(|| format!("{database}.{table}"));
        self
    }

    /// What sort of trouble this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// MySQL's number for it, as `SHOW REPLICA STATUS` would show it.
    pub fn errno(&self) -> u16 {
        self.0.errno
    }

    /// Where it belongs.
    pub fn at(&self) -> &Location {
        &self.0.at
    }

    /// The sentence alone, without location and cause.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// The whole text on one line: sentence, location, causes.
    pub fn full_text(&self) -> String {
        use std::error::Error as _;
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.what)?;
        if self.0.at != Location::default() {
            write!(f, " (at {})", self.0.at)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("errno", &self.0.errno)
            .field("what", &self.0.what)
            .field("at", &self.0.at)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0
            .source
            .as_ref()
            .map(|e| e.as_ref() as &(dyn std::error::Error + 'static))
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        let (kind, what) = match error.kind() {
            std::io::ErrorKind::StorageFull => (ErrorKind::DiskFull, "no space left on the disk"),
            _ => (ErrorKind::Io, "file operation failed"),
        };
        Self::new(kind, what).with_source(error)
    }
}
