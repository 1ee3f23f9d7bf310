//! The native driver: events framed straight from the connection's read buffer.
//!
//! One read of the socket brings up to a megabyte of packets; their payloads are copied once, into the caller's batch,
//! which keeps its memory. Nothing is allocated per event.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::connection::connect;
use super::dump::StartAt;
use super::event_stream::{EventBatch, EventStream};
use super::info::SourceInfo;
use super::refusal::{self, Present};
use super::semi_sync::{self, Headers, NoHeader, SemiSync};
use crate::binlog::kind;
use crate::binlog::position::Position;
use crate::config::limits::{EVENT_BYTES_MAX, FIRST_EVENT_TIMEOUT_MS, SOURCE_BATCH_BYTES};
use crate::config::source::SourceConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::wire::{Connection, PacketHeader, ServerError};

/// Room of the read buffer: a whole event that may not be cut, and what comes behind it.
const BUFFER_BYTES: usize = SOURCE_BATCH_BYTES + (64 << 10);

/// Smallest piece of a large event worth handing over before the rest has arrived.
const PIECE_BYTES_MIN: usize = 64 << 10;

/// First byte of a packet that holds an event, ends the dump, or holds an error.
const EVENT: u8 = 0x00;
const END: u8 = 0xfe;
const ERROR: u8 = 0xff;

/// Where the next unread byte stands.
#[derive(Debug, Clone, Copy)]
enum State {
    /// Before the header of a packet that begins an event.
    Between,
    /// Before the byte that says what a packet holds.
    Status(PacketHeader),
    /// In the payload of a packet.
    Payload {
        /// Bytes of the payload that are still to come.
        left: usize,
        /// Whether the event goes on in the next packet.
        full: bool,
        /// Whether nothing of the event was handed over yet.
        first: bool,
        /// Whether it is handed over in pieces.
        large: bool,
    },
    /// Before the header of a packet that goes on with an event.
    Continued,
}

/// A dump over our own connection.
pub(super) struct NativeStream {
    connection: Connection,
    config: SourceConfig,
    info: SourceInfo,
    start: StartAt,
    state: State,
    /// Bytes of the current event so far, to refuse one without end.
    event_bytes: u64,
    /// What is in front of each event.
    headers: Headers,
    /// Whether the source waits for the event under way.
    wants_ack: bool,
    /// Whether the source may still be looking for the start.
    seeking: bool,
    /// The source's refusal, until it is explained and returned.
    refused: Option<ServerError>,
}

impl NativeStream {
    /// A stream over a connection that was just sent the dump command.
    pub(super) fn new(
        mut connection: Connection,
        config: SourceConfig,
        info: SourceInfo,
        start: StartAt,
    ) -> Self {
        connection.grow_buffer(BUFFER_BYTES);
        // With a GTID set the source may search many files first, in silence; a position it has at once.
        let seeking = !matches!(start, StartAt::Position(_));
        let patience = Duration::from_millis(FIRST_EVENT_TIMEOUT_MS);
        connection.set_read_timeout(if seeking {
            patience
        } else {
            config.net_read_timeout
        });
        let headers = if config.semi_sync && info.semi_sync() != SemiSync::Missing {
            Headers::Announced
        } else {
            Headers::None
        };
        Self {
            connection,
            config,
            info,
            start,
            state: State::Between,
            event_bytes: 0,
            headers,
            wants_ack: false,
            seeking,
            refused: None,
        }
    }

    async fn next_batch(&mut self, batch: &mut EventBatch) -> Result<()> {
        batch.clear();
        loop {
            while self.advance(batch)? {}
            if !batch.frames.is_empty() {
                self.watch_for_the_start(batch);
                return Ok(());
            }
            if let Some(error) = self.refused.clone() {
                // Kept until here, so that a cancelled explanation is not lost.
                return Err(self.explain(error).await);
            }
            self.connection.fill().await?;
        }
    }

    /// Takes one step on what has arrived; false when it needs more bytes, or the batch has enough.
    fn advance(&mut self, batch: &mut EventBatch) -> Result<bool> {
        match self.state {
            State::Between | State::Continued => {
                let Some(header) = self.connection.next_header()? else {
                    return Ok(false);
                };
                self.state = match self.state {
                    State::Between => State::Status(header),
                    _ => State::Payload {
                        left: header.len,
                        full: header.is_full(),
                        first: false,
                        large: true,
                    },
                };
                Ok(true)
            }
            State::Status(header) => self.begin_packet(header, batch),
            State::Payload {
                left,
                full,
                first,
                large,
            } => self.take_payload(left, full, first, large, batch),
        }
    }

    /// Looks at the first byte of a packet that begins an event.
    fn begin_packet(&mut self, header: PacketHeader, batch: &EventBatch) -> Result<bool> {
        let unread = self.connection.unread();
        let Some(status) = unread.first() else {
            return if header.len == 0 {
                Err(self
                    .connection
                    .protocol_error("an empty packet in the dump"))
            } else {
                Ok(false)
            };
        };
        match *status {
            EVENT if header.len > 0 => {
                let event = unread.get(1..header.len).or(unread.get(1..));
                let seen = self.headers.read(event.unwrap_or_default());
                let seen = seen.map_err(|NoHeader| {
                    self.connection.protocol_error(
                        "an event without the header of semi-synchronous replication",
                    )
                })?;
                let Some(seen) = seen else {
                    return if header.len <= semi_sync::HEADER_LEN {
                        Err(self.connection.protocol_error("an event of two bytes"))
                    } else {
                        Ok(false)
                    };
                };
                self.wants_ack = seen.wants_ack;
                self.connection.consume(1 + seen.header_len);
                let left = header.len - 1 - seen.header_len;
                let large = left > SOURCE_BATCH_BYTES;
                self.event_bytes = 0;
                self.state = State::Payload {
                    left,
                    full: header.is_full(),
                    first: true,
                    large,
                };
                Ok(true)
            }
            // What came before is handed over first; the next call comes back here.
            END | ERROR if !batch.frames.is_empty() => Ok(false),
            END if header.len < 9 => Err(Error::new(
                ErrorKind::Network,
                "the source ended the dump; it is shutting down, or this connection was killed \
                 there",
            )
            .with_errno(2013)),
            ERROR => {
                let packet = unread.get(..header.len);
                if packet.is_none() && unread.len() < PIECE_BYTES_MIN {
                    return Ok(false);
                }
                let error = ServerError::parse(packet.unwrap_or(unread));
                let error = error
                    .ok_or_else(|| self.connection.protocol_error("an error without a number"))?;
                self.refused = Some(error);
                Ok(false)
            }
            other => Err(self
                .connection
                .protocol_error(&format!("packet {other:#x} in the dump"))),
        }
    }

    /// Copies what has arrived of the event into the batch, as far as both allow.
    fn take_payload(
        &mut self,
        left: usize,
        full: bool,
        first: bool,
        large: bool,
        batch: &mut EventBatch,
    ) -> Result<bool> {
        let unread = self.connection.unread();
        let arrived = unread.len().min(left);
        if arrived < left && (!large || arrived < PIECE_BYTES_MIN) {
            return Ok(false);
        }
        let room = SOURCE_BATCH_BYTES.saturating_sub(batch.bytes.len());
        let taken = if large { arrived.min(room) } else { arrived };
        if taken > room || (taken == 0 && left > 0) {
            return Ok(false);
        }
        let left = left - taken;
        let last = left == 0 && !full;
        batch.push(unread.get(..taken).unwrap_or_default(), first, last);
        self.connection.consume(taken);
        if last && self.wants_ack {
            batch.mark_wanted();
            self.connection.count_anew();
        }
        self.event_bytes += taken as u64;
        if self.event_bytes > EVENT_BYTES_MAX {
            return Err(self.connection.protocol_error("an event without end"));
        }
        self.state = match (left, full) {
            (0, false) => State::Between,
            (0, true) => State::Continued,
            _ => State::Payload {
                left,
                full,
                first: false,
                large,
            },
        };
        Ok(true)
    }

    /// Ends the patience that the search for the start needs, once an event shows that it is over.
    fn watch_for_the_start(&mut self, batch: &EventBatch) {
        const TYPE_OFFSET: usize = 4;
        let found = |event: &[u8]| {
            let head_of_file = [
                kind::ROTATE,
                kind::FORMAT_DESCRIPTION,
                kind::PREVIOUS_GTIDS,
                kind::MARIADB_GTID_LIST,
                kind::MARIADB_START_ENCRYPTION,
            ];
            event
                .get(TYPE_OFFSET)
                .is_some_and(|kind| !head_of_file.contains(kind))
        };
        if self.seeking
            && batch
                .frames
                .iter()
                .any(|f| f.first && found(batch.bytes_of(f)))
        {
            self.seeking = false;
            self.connection
                .set_read_timeout(self.config.net_read_timeout);
        }
    }

    /// The error for a refusal, with what the source has now where that helps.
    async fn explain(&mut self, error: ServerError) -> Error {
        let present = if refusal::concerns_position(&error) {
            present(&self.config).await
        } else {
            Present::default()
        };
        refusal::dump(&self.config, &self.info, &self.start, error, &present)
    }
}

/// What the source has now, over a connection of its own; nothing when that fails, because the refusal matters more.
pub(super) async fn present(config: &SourceConfig) -> Present {
    let Ok(mut connection) = connect(config).await else {
        return Present::default();
    };
    let end = connection
        .current_position()
        .await
        .ok()
        .map(|(position, _)| position);
    let logs = connection.binary_logs().await.unwrap_or_default();
    connection.quit().await;
    Present {
        end,
        oldest: logs.into_iter().next().map(|(file, _)| file),
    }
}

impl EventStream for NativeStream {
    fn read<'a>(
        &'a mut self,
        batch: &'a mut EventBatch,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(self.next_batch(batch))
    }

    fn acknowledge<'a>(
        &'a mut self,
        at: &'a Position,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        let packet = semi_sync::acknowledgement(at);
        Box::pin(async move { self.connection.write_aside(&packet).await })
    }
}
