//! What a running pipeline publishes of itself: the stages write it, `status` reads it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::dispatch::lanes::Roster;
use crate::dispatch::quarantine::Quarantine;
use crate::dispatch::resync::ResyncQueue;
use crate::dispatch::state::ApplierState;
use crate::relay::end::RelayEnd;
use crate::relay::files::RelayFiles;
use crate::relay::io_state::IoState;

/// What a running pipeline publishes; `serve` reads it.
#[derive(Clone, Default)]
pub struct Published {
    /// The I/O side.
    pub io: Arc<IoState>,
    /// The applier side.
    pub applier: Arc<ApplierState>,
    /// The lanes.
    pub lanes: Roster,
    /// The tables that are set aside.
    pub quarantine: Arc<Quarantine>,
    /// The tables that are to be read afresh; `serve` asks for more.
    pub resyncs: Arc<ResyncQueue>,
    /// The relay log, once the source is known.
    pub relay: Arc<Mutex<Option<RelayLog>>>,
}

/// The relay log of the source that is followed.
#[derive(Debug, Clone)]
pub struct RelayLog {
    /// Its durable end.
    pub end: Arc<RelayEnd>,
    /// Its files.
    pub files: Arc<RelayFiles>,
}

impl Published {
    /// Publishes whose relay log counts.
    pub fn set_relay(&self, end: Arc<RelayEnd>, files: Arc<RelayFiles>) {
        *self.relay.lock().unwrap_or_else(PoisonError::into_inner) = Some(RelayLog { end, files });
    }

    /// The relay log that counts.
    pub fn relay(&self) -> Option<RelayLog> {
        self.relay
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
