//! The mysql_cdc driver: the crate's client for login and packets, our own commands over its packet channel.
//!
//! Its own dump is not used: it leaves MariaDB's ANNOTATE_ROWS events out, and so would not give the file's bytes. The
//! same statements and commands as the native driver's are sent instead.
//!
//! # Limits (of the crate, version 0.2.1)
//! No TLS; no packet of 16 MiB or more, so no larger event; read errors are told apart by their text only.
//!
//! # Threading
//! The crate blocks, so it has a thread of its own, which reads ahead up to `limits::MYSQL_CDC_AHEAD_BYTES` (or one
//! packet). The thread ends when the stream is dropped, with the next packet: a heartbeat, or the read timeout.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use mysql_cdc::binlog_client::BinlogClient;
use mysql_cdc::binlog_events::BinlogEvents;
use mysql_cdc::binlog_options::BinlogOptions;
use mysql_cdc::events::event_parser::EventParser;
use mysql_cdc::replica_options::ReplicaOptions;
use mysql_cdc::ssl_mode::SslMode as CrateSslMode;
use secrecy::ExposeSecret;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::dump::{self, StartAt};
use super::event_stream::{EventBatch, EventStream};
use super::info::SourceInfo;
use super::native::present;
use super::refusal::{self, Present};
use crate::binlog::position::Position;
use crate::config::limits::{FIRST_EVENT_TIMEOUT_MS, MYSQL_CDC_AHEAD_BYTES, SOURCE_BATCH_BYTES};
use crate::config::source::{SourceConfig, SslMode};
use crate::error::{Error, ErrorKind, Result};
use crate::wire::{PACKET_PAYLOAD_MAX, ServerError};

const COM_QUERY: u8 = 0x03;

/// First byte of a packet that holds an event, ends the dump, or holds an error.
const EVENT: u8 = 0x00;
const END: u8 = 0xfe;
const ERROR: u8 = 0xff;

/// What the thread sends.
enum Message {
    /// A packet of the dump.
    Packet(Packet),
    /// A command was refused before the dump.
    Refused(ServerError),
    /// It cannot go on.
    Error(Error),
}

/// A packet, and its share of what the thread may read ahead.
struct Packet {
    payload: Vec<u8>,
    _share: Option<OwnedSemaphorePermit>,
}

/// Logs in by the crate and starts the dump.
pub(super) async fn dump(
    config: SourceConfig,
    info: SourceInfo,
    start: &StartAt,
    statements: Vec<String>,
    command: Vec<u8>,
) -> Result<Box<dyn EventStream>> {
    if !matches!(config.tls.mode, SslMode::Disabled | SslMode::Preferred) {
        return Err(Error::new(
            ErrorKind::Config,
            "the driver mysql_cdc cannot do TLS; set driver = \"native\", or ssl_mode = disabled",
        ));
    }
    let mut commands: Vec<Vec<u8>> = statements
        .into_iter()
        .map(|sql| [&[COM_QUERY], sql.as_bytes()].concat())
        .collect();
    commands.push(dump::register_command(&config));
    let (packets, received) = unbounded_channel();
    let thread = Thread {
        options: options(&config, start),
        commands,
        dump: command,
        peer: format!("{}:{}", config.host, config.port),
        packets,
        ahead: Arc::new(Semaphore::new(MYSQL_CDC_AHEAD_BYTES)),
        runtime: Handle::current(),
    };
    std::thread::Builder::new()
        .name("mysql_cdc".to_owned())
        .spawn(move || thread.run())
        .map_err(|cause| Error::new(ErrorKind::Io, "no thread for mysql_cdc").with_source(cause))?;
    Ok(Box::new(MysqlCdcStream {
        received,
        pending: None,
        failed: None,
        found: false,
        config,
        info,
        start: start.clone(),
    }))
}

fn options(config: &SourceConfig, start: &StartAt) -> ReplicaOptions {
    // The crate derives its only socket timeout from this, and does nothing else with it here. How long an event may
    // take is watched by the stream.
    let patience = match start {
        StartAt::Gtid(_) | StartAt::GtidAt(..) => Duration::from_millis(FIRST_EVENT_TIMEOUT_MS),
        StartAt::Position(_) => config.net_read_timeout,
    };
    ReplicaOptions {
        port: config.port,
        hostname: config.host.clone(),
        ssl_mode: CrateSslMode::Disabled,
        username: config.user.clone(),
        password: config.password.expose_secret().to_owned(),
        database: None,
        server_id: config.server_id,
        blocking: true,
        heartbeat_interval: patience,
        binlog: BinlogOptions::from_start(),
    }
}

/// What the crate's thread has and does.
struct Thread {
    options: ReplicaOptions,
    /// Each is answered by OK or an error.
    commands: Vec<Vec<u8>>,
    /// Answered by events.
    dump: Vec<u8>,
    peer: String,
    packets: UnboundedSender<Message>,
    ahead: Arc<Semaphore>,
    runtime: Handle,
}

impl Thread {
    fn run(self) {
        let packets = self.packets.clone();
        if let Err(error) = self.follow() {
            // Nobody listens any more when this fails.
            packets.send(Message::Error(error)).ok();
        }
    }

    fn follow(self) -> Result<()> {
        let client = BinlogClient::new(self.options);
        let (channel, _) = client
            .connect()
            .map_err(|error| login_failed(&self.peer, error))?;
        let mut events = BinlogEvents {
            channel,
            parser: EventParser::new(),
        };
        let lost = |cause: std::io::Error| {
            Error::new(
                ErrorKind::Network,
                format!("lost the connection to {}", self.peer),
            )
            .with_errno(2013)
            .with_source(cause)
        };
        for command in &self.commands {
            events.channel.write_packet(command, 0).map_err(lost)?;
            let answer = loop {
                // After a login by caching_sha2_password the crate leaves its last packet unread: an answer counts
                // from 1.
                let (answer, sequence) = events.channel.read_packet().map_err(lost)?;
                if sequence == 1 {
                    break answer;
                }
            };
            if let Some(error) = ServerError::parse(&answer) {
                self.packets.send(Message::Refused(error)).ok();
                return Ok(());
            }
        }
        events.channel.write_packet(&self.dump, 0).map_err(lost)?;
        loop {
            let (payload, _) = events.channel.read_packet().map_err(lost)?;
            let size = payload.len().clamp(1, MYSQL_CDC_AHEAD_BYTES);
            let share = u32::try_from(size).unwrap_or(u32::MAX);
            let share = self
                .runtime
                .block_on(Arc::clone(&self.ahead).acquire_many_owned(share))
                .ok();
            let last = payload.first() != Some(&EVENT);
            let sent = self.packets.send(Message::Packet(Packet {
                payload,
                _share: share,
            }));
            if sent.is_err() || last {
                return Ok(());
            }
        }
    }
}

/// A login that the crate did not get through, after our own one did. It words the server's error as a debug text.
fn login_failed(peer: &str, error: mysql_cdc::errors::Error) -> Error {
    use mysql_cdc::errors::Error as CrateError;
    let (kind, text) = match error {
        CrateError::IoError(cause) => {
            let what = format!("lost the connection to {peer}");
            return Error::new(ErrorKind::Network, what)
                .with_errno(2013)
                .with_source(cause);
        }
        CrateError::String(text) => (ErrorKind::Access, text),
        other => (ErrorKind::Protocol, format!("{other:?}")),
    };
    Error::new(
        kind,
        format!(
            "the driver mysql_cdc cannot log in at {peer}, where the native driver could ({text}); \
             it has no empty passwords, and only two authentication plugins; set driver = \"native\""
        ),
    )
}

/// A dump over the crate's connection.
struct MysqlCdcStream {
    received: UnboundedReceiver<Message>,
    /// A packet of which this much was handed over; 0 is its status byte.
    pending: Option<(Packet, usize)>,
    /// What ended the stream, to be returned when all before it was handed over.
    failed: Option<Failure>,
    /// Whether an event came yet.
    found: bool,
    config: SourceConfig,
    info: SourceInfo,
    start: StartAt,
}

/// What ended the stream.
enum Failure {
    Refused(ServerError),
    Ended,
    TooLarge,
    Error(Error),
    Told,
}

impl MysqlCdcStream {
    async fn next_batch(&mut self, batch: &mut EventBatch) -> Result<()> {
        batch.clear();
        loop {
            while self.advance(batch) {}
            if !batch.frames.is_empty() {
                self.found = true;
                return Ok(());
            }
            if self.failed.is_some() {
                return Err(self.failure().await);
            }
            let patience = if self.found || matches!(self.start, StartAt::Position(_)) {
                self.config.net_read_timeout
            } else {
                Duration::from_millis(FIRST_EVENT_TIMEOUT_MS)
            };
            match timeout(patience, self.received.recv()).await {
                Ok(Some(packet)) => self.accept(packet),
                Ok(None) => self.failed = Some(Failure::Ended),
                Err(_) => {
                    let text = format!("the source sent nothing for {} s", patience.as_secs_f32());
                    let error = Error::new(ErrorKind::Network, text).with_errno(2013);
                    self.failed = Some(Failure::Error(error));
                }
            }
        }
    }

    /// Moves packets that are there into the batch; false when there is none, or the batch has enough.
    fn advance(&mut self, batch: &mut EventBatch) -> bool {
        let Some((packet, done)) = &mut self.pending else {
            if self.failed.is_some() || batch.bytes.len() >= SOURCE_BATCH_BYTES {
                return false;
            }
            let Ok(packet) = self.received.try_recv() else {
                return false;
            };
            self.accept(packet);
            return true;
        };
        let rest = packet.payload.get(*done..).unwrap_or_default();
        let room = SOURCE_BATCH_BYTES.saturating_sub(batch.bytes.len());
        let large = packet.payload.len() - 1 > SOURCE_BATCH_BYTES;
        if room == 0 || (!large && rest.len() > room) {
            return false;
        }
        let piece = rest.get(..room).unwrap_or(rest);
        let (first, last) = (*done == 1, piece.len() == rest.len());
        batch.push(piece, first, last);
        *done += piece.len();
        if last {
            self.pending = None;
        }
        true
    }

    /// Takes a packet, or what came instead of one.
    fn accept(&mut self, message: Message) {
        let packet = match message {
            Message::Packet(packet) => packet,
            Message::Refused(error) => {
                self.failed = Some(Failure::Refused(error));
                return;
            }
            Message::Error(error) => {
                self.failed = Some(Failure::Error(error));
                return;
            }
        };
        self.failed = match packet.payload.first() {
            Some(&EVENT) if packet.payload.len() >= PACKET_PAYLOAD_MAX => Some(Failure::TooLarge),
            Some(&EVENT) => {
                self.pending = Some((packet, 1));
                None
            }
            Some(&ERROR) => ServerError::parse(&packet.payload)
                .map(Failure::Refused)
                .or(Some(Failure::Ended)),
            Some(&END) => Some(Failure::Ended),
            _ => {
                let error = Error::new(ErrorKind::Protocol, "an unknown packet in the dump");
                Some(Failure::Error(error))
            }
        };
    }

    async fn failure(&mut self) -> Error {
        if let Some(Failure::Refused(error)) = &self.failed {
            let error = error.clone();
            let present = if refusal::concerns_position(&error) {
                present(&self.config).await
            } else {
                Present::default()
            };
            return refusal::dump(&self.config, &self.info, &self.start, error, &present);
        }
        match self.failed.replace(Failure::Told) {
            Some(Failure::Error(error)) => error,
            Some(Failure::TooLarge) => Error::new(
                ErrorKind::Unsupported,
                "an event of 16 MiB or more, which the driver mysql_cdc cannot read; \
                 set driver = \"native\"",
            ),
            _ => Error::new(ErrorKind::Network, "the source ended the dump").with_errno(2013),
        }
    }
}

impl EventStream for MysqlCdcStream {
    fn read<'a>(
        &'a mut self,
        batch: &'a mut EventBatch,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(self.next_batch(batch))
    }

    fn acknowledge<'a>(
        &'a mut self,
        _at: &'a Position,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        // It announces nothing, so nobody waits; the configuration refuses the two together.
        Box::pin(std::future::ready(Err(Error::new(
            ErrorKind::Internal,
            "an acknowledgement through the driver mysql_cdc",
        ))))
    }
}
