//! What a running pipeline publishes of itself: the stages write it, `status` reads it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::binlog::position::Position;
use crate::dispatch::lanes::Roster;
use crate::dispatch::quarantine::Quarantine;
use crate::dispatch::resync::ResyncQueue;
use crate::dispatch::state::ApplierState;
use crate::relay::end::RelayEnd;
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
    /// The durable end of the relay log, once the source is known.
    pub relay_end: Arc<Mutex<Option<Arc<RelayEnd>>>>,
}

impl Published {
    /// Publishes whose durable end counts.
    pub fn set_relay_end(&self, end: Arc<RelayEnd>) {
        *self
            .relay_end
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(end);
    }

    fn relay_end(&self) -> Option<Arc<RelayEnd>> {
        self.relay_end
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// End of what is received and durable.
    pub fn received(&self) -> Option<Position> {
        self.relay_end()?.get().end
    }

    /// GTIDs of the whole transactions up to there.
    pub fn received_gtids(&self) -> String {
        let end = self.relay_end();
        end.map_or_else(String::new, |end| end.received().set().to_string())
    }
}
