//! What the router takes at a time.

use std::sync::Arc;

use crate::binlog::header::Header;
use crate::relay::reader::RelayEvent;

/// One event on its way, or one unpacked from another; positions are those of the outer event.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) kind: u8,
    pub(super) flags: u16,
    pub(super) server_id: u32,
    pub(super) timestamp: u32,
    pub(super) body: &'a [u8],
    pub(super) file: &'a Arc<str>,
    pub(super) start: u64,
    pub(super) end: u64,
}

impl<'a> Step<'a> {
    /// An event of the relay log.
    pub(super) fn of(event: &RelayEvent<'a>) -> Self {
        Self {
            kind: event.header.kind,
            flags: event.header.flags,
            server_id: event.header.server_id,
            timestamp: event.header.timestamp,
            body: event.body,
            file: event.file,
            start: event.start,
            end: event.end,
        }
    }

    /// An event that was packed into this one.
    pub(super) fn inner<'b>(self, header: &Header, body: &'b [u8]) -> Step<'b>
    where
        'a: 'b,
    {
        Step {
            kind: header.kind,
            flags: header.flags,
            server_id: header.server_id,
            timestamp: header.timestamp,
            body,
            ..self
        }
    }
}
