//! What a driver gives: batches of raw events.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use crate::binlog::position::Position;
use crate::error::Result;

/// The events of a running dump, in order.
///
/// # Contract (every driver keeps it; `tests/drivers.rs` holds them to it)
/// - Bytes are the source's, unchanged: from the event's header to its checksum, without what the network protocol
///   puts around them. Artificial events (the first ROTATE, heartbeats) come too.
/// - `read` clears the batch and waits until there is at least one frame; it then adds what has arrived already, up
///   to about `limits::SOURCE_BATCH_BYTES`. It does not wait for more.
/// - An event of up to `limits::SOURCE_BATCH_BYTES` comes in one frame. A larger one comes in consecutive frames,
///   over several batches where needed: the first one has `first` and holds at least the header, the last one has
///   `last` and may be empty.
/// - `read` is cancel-safe: a dropped future loses nothing.
/// - After an error the stream is done; what had arrived before it was handed over.
/// - What stands in front of an event for semi-synchronous replication is taken off; its flag is `Frame::wants_ack`.
/// - An idle source sends heartbeats; when nothing at all arrives for `net_read_timeout`, the error is `Network`.
pub trait EventStream: Send {
    /// Fills `batch` with the next events.
    ///
    /// # Errors
    /// `Network` when the connection is lost or the source ends the dump without an error; `Dump` (1236), `Access`
    /// (1227) and others with the source's number when it refuses.
    fn read<'a>(
        &'a mut self,
        batch: &'a mut EventBatch,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

    /// Tells a semi-synchronous source that everything up to `at` is durable here. Not between two polls of `read`.
    ///
    /// # Errors
    /// `Network` when the connection is lost.
    fn acknowledge<'a>(
        &'a mut self,
        at: &'a Position,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;
}

/// Events, or pieces of large ones, one after the other.
#[derive(Debug, Default)]
pub struct EventBatch {
    /// The bytes of all frames, without gaps.
    pub bytes: Vec<u8>,
    /// Where each event, or piece of one, is in `bytes`.
    pub frames: Vec<Frame>,
    /// When the last of it arrived; for who measures.
    pub arrived: Option<Instant>,
}

/// An event, or a piece of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// First byte in the batch.
    pub start: usize,
    /// Length in bytes; only a last piece may have none.
    pub len: usize,
    /// Whether it begins an event.
    pub first: bool,
    /// Whether it ends an event.
    pub last: bool,
    /// Whether the source waits until this event, which ends here, is acknowledged.
    pub wants_ack: bool,
}

impl EventBatch {
    /// Empties it and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
    }

    /// The bytes of a frame.
    pub fn bytes_of(&self, frame: &Frame) -> &[u8] {
        self.bytes
            .get(frame.start..frame.start.saturating_add(frame.len))
            .unwrap_or_default()
    }

    /// Appends a frame.
    pub(super) fn push(&mut self, bytes: &[u8], first: bool, last: bool) {
        self.frames.push(Frame {
            start: self.bytes.len(),
            len: bytes.len(),
            first,
            last,
            wants_ack: false,
        });
        self.bytes.extend_from_slice(bytes);
    }

    /// Marks the last frame as one that the source waits for.
    pub(super) fn mark_wanted(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.wants_ack = true;
        }
    }
}
