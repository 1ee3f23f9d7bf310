//! Follows a source with a driver and keeps all that it gave, by file.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use relaylite::binlog::checksum::Checksum;
use relaylite::binlog::gtid::GtidSet;
use relaylite::binlog::header::{HEADER_LEN, Header};
use relaylite::binlog::kind;
use relaylite::config::source::{DriverKind, MySqlUrl, SourceConfig, TlsConfig};
use relaylite::error::{Error, Result};
use relaylite::source::{self, EventBatch, EventStream, StartAt};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::support::server::Server;

/// The longest that a test waits for an event.
const PATIENCE: Duration = Duration::from_secs(30);

/// The drivers of this build.
pub(super) fn drivers() -> Vec<DriverKind> {
    let mut drivers = vec![DriverKind::Native];
    if cfg!(feature = "mysql-cdc") {
        drivers.push(DriverKind::MysqlCdc);
    }
    drivers
}

/// How to reach a server as its replication user.
pub(crate) fn config(server: &Server, driver: DriverKind) -> SourceConfig {
    let url: MySqlUrl = server.url().parse().unwrap();
    SourceConfig {
        host: url.host,
        port: url.port,
        user: url.user,
        password: url.password.unwrap(),
        password_file: None,
        tls: TlsConfig::default(),
        server_id: 4711,
        replica_uuid: "0badcafe-0000-4000-8000-00000000cafe".to_owned(),
        heartbeat_period: Duration::from_millis(500),
        net_read_timeout: Duration::from_secs(20),
        driver,
        semi_sync: false,
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Logs in and out again.
pub(super) fn log_in(config: &SourceConfig) -> Result<()> {
    runtime().block_on(async {
        source::connect(config).await?.quit().await;
        Ok(())
    })
}

/// What the source answers to one query, as text.
pub(super) fn ask(config: &SourceConfig, sql: &str) -> String {
    let answer = runtime().block_on(async { source::connect(config).await?.query(sql).await });
    let answer = answer.unwrap();
    String::from_utf8(answer.rows[0].last().unwrap().clone().unwrap()).unwrap()
}

/// What a START word means on the source.
pub(super) fn resolve(config: &SourceConfig, word: &str) -> StartAt {
    let start = word.parse().unwrap();
    runtime()
        .block_on(async { source::connect(config).await?.resolve(&start).await })
        .unwrap()
}

/// All GTIDs of the source.
pub(super) fn current_gtids(config: &SourceConfig) -> GtidSet {
    runtime()
        .block_on(async { source::connect(config).await?.current_position().await })
        .unwrap()
        .1
}

/// Where a follower starts.
pub(super) enum Start {
    /// At the end.
    Latest,
    /// As the configuration words it.
    Word(String),
    /// Here.
    At(StartAt),
}

/// A running dump and what came of it.
pub(super) struct Follower {
    // Before the runtime: it is dropped first.
    stream: Box<dyn EventStream>,
    runtime: Runtime,
    batch: EventBatch,
    checksum: Checksum,
    cancel_after: Option<Duration>,
    /// How many reads were cancelled.
    pub(super) cancelled: usize,
    /// Largest batch in bytes.
    pub(super) largest_batch: usize,
    heartbeats: usize,
    /// Pieces of the event that is not complete yet.
    partial: Vec<u8>,
    current: String,
    /// Offset of the first event, and all bytes from there on, by file.
    files: BTreeMap<String, (usize, Vec<u8>)>,
}

impl Follower {
    /// Starts a dump.
    #[track_caller]
    pub(super) fn start(config: &SourceConfig, start: &Start) -> Self {
        Self::try_start(config, start).unwrap_or_else(|error| panic!("{}", error.full_text()))
    }

    /// Starts a dump, where the error is wanted.
    pub(super) fn try_start(config: &SourceConfig, start: &Start) -> Result<Self> {
        let runtime = runtime();
        let (stream, checksum) = runtime.block_on(async {
            let mut source = source::connect(config).await?;
            let at = match start {
                Start::Latest => source.resolve(&"latest".parse()?).await?,
                Start::Word(word) => source.resolve(&word.parse()?).await?,
                Start::At(at) => at.clone(),
            };
            let checksum = source.info().checksum;
            Ok::<_, Error>((source.dump(&at).await?, checksum))
        })?;
        Ok(Self {
            stream,
            runtime,
            batch: EventBatch::default(),
            checksum,
            cancel_after: None,
            cancelled: 0,
            largest_batch: 0,
            heartbeats: 0,
            partial: Vec::new(),
            current: String::new(),
            files: BTreeMap::new(),
        })
    }

    /// Drops each read that has not come back in time, and starts another.
    pub(super) fn cancel_reads_after(&mut self, time: Duration) {
        self.cancel_after = Some(time);
    }

    /// What came of a file: the offset of the first event, and all bytes from there on.
    #[track_caller]
    pub(super) fn file(&self, name: &str) -> (usize, &[u8]) {
        let (offset, bytes) = self
            .files
            .get(name)
            .unwrap_or_else(|| panic!("nothing of {name}"));
        (*offset, bytes)
    }

    /// Where the events of a file begin.
    pub(super) fn event_offsets(&self, name: &str) -> Vec<usize> {
        let (start, bytes) = self.file(name);
        events(bytes).map(|(at, _)| start + at).collect()
    }

    /// Follows until everything before a position has come.
    #[track_caller]
    pub(super) fn until(&mut self, (file, end): &(String, u64)) {
        while self.files.get(file).is_none_or(|(offset, bytes)| {
            // A dump by GTID skips events, and so ends by the last one's own position.
            let last = events(bytes)
                .last()
                .map_or(0, |(_, header)| u64::from(header.log_pos));
            last.max((offset + bytes.len()) as u64) < *end || bytes.is_empty()
        }) {
            self.step()
                .unwrap_or_else(|error| panic!("{}", error.full_text()));
        }
    }

    /// Follows until so many heartbeats have come.
    #[track_caller]
    pub(super) fn until_heartbeats(&mut self, count: usize) {
        while self.heartbeats < count {
            self.step()
                .unwrap_or_else(|error| panic!("{}", error.full_text()));
        }
    }

    /// Follows until the driver gives an error; it must stay with it.
    pub(super) fn until_error(&mut self) -> Error {
        loop {
            if let Err(error) = self.step() {
                assert!(self.step().is_err());
                return error;
            }
        }
    }

    fn step(&mut self) -> Result<()> {
        loop {
            let patience = self.cancel_after.unwrap_or(PATIENCE);
            let read = async { timeout(patience, self.stream.read(&mut self.batch)).await };
            match self.runtime.block_on(read) {
                Ok(result) => break result?,
                Err(_) if self.cancel_after.is_some() => self.cancelled += 1,
                Err(_) => panic!("no event in {PATIENCE:?}"),
            }
        }
        self.largest_batch = self.largest_batch.max(self.batch.bytes.len());
        assert!(!self.batch.frames.is_empty());
        let batch = std::mem::take(&mut self.batch);
        let mut end = 0;
        for frame in &batch.frames {
            assert_eq!(frame.start, end, "frames leave no gap");
            end += frame.len;
            assert_eq!(frame.first, self.partial.is_empty());
            self.partial.extend_from_slice(batch.bytes_of(frame));
            if frame.last {
                let event = std::mem::take(&mut self.partial);
                self.keep(event);
            }
        }
        assert_eq!(end, batch.bytes.len());
        self.batch = batch;
        Ok(())
    }

    fn keep(&mut self, event: Vec<u8>) {
        let header = Header::parse(&event).unwrap();
        assert_eq!(header.event_size as usize, event.len());
        match header.kind {
            kind::HEARTBEAT | kind::HEARTBEAT_V2 => self.heartbeats += 1,
            kind::ROTATE if header.timestamp == 0 || header.is_artificial() => {
                let checksum = if self.checksum == Checksum::Crc32 {
                    4
                } else {
                    0
                };
                let body = &event[HEADER_LEN..event.len() - checksum];
                let offset = u64::from_le_bytes(body[..8].try_into().unwrap());
                self.current = String::from_utf8(body[8..].to_vec()).unwrap();
                let offset = usize::try_from(offset).unwrap();
                self.files
                    .entry(self.current.clone())
                    .or_insert((offset, Vec::new()));
            }
            // Sent again when the dump starts inside of a file; and MariaDB's summary of what was skipped.
            kind::FORMAT_DESCRIPTION if header.log_pos == 0 => {}
            kind::MARIADB_GTID_LIST if header.is_artificial() => {}
            _ => self
                .files
                .get_mut(&self.current)
                .unwrap()
                .1
                .extend_from_slice(&event),
        }
    }
}

/// The events in the bytes of a file, with where they begin.
fn events(bytes: &[u8]) -> impl Iterator<Item = (usize, Header)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let header = Header::parse(bytes.get(at..)?).ok()?;
        let start = at;
        at += header.event_size as usize;
        Some((start, header))
    })
}

/// Sizes of the row events in the server's newest file.
pub(super) fn row_event_sizes(server: &Server) -> Vec<usize> {
    let (file, end) = server.position();
    let bytes = fs::read(server.binlog_path(&file)).unwrap();
    let rows = [kind::WRITE_ROWS_V1, kind::WRITE_ROWS_V2];
    events(&bytes[4..usize::try_from(end).unwrap()])
        .filter(|(_, header)| rows.contains(&header.kind))
        .map(|(_, header)| header.event_size as usize)
        .collect()
}

/// `bytes` of a file from `offset` on, without what says whether the file is open, and that event's checksum.
pub(super) fn masked(mut bytes: Vec<u8>, offset: usize) -> Vec<u8> {
    const FLAGS: std::ops::Range<usize> = 17..19;
    if offset == 4 {
        let size = Header::parse(&bytes).unwrap().event_size as usize;
        bytes[FLAGS].fill(0);
        bytes[size - 4..size].fill(0);
    }
    bytes
}
