//! How far behind the source the replica is, on either side, and which of the classic causes it sees.
//!
//! # What is measured
//! - Receive lag: the age that the last event had when it came, on the source's clock. It does not grow while the source
//!   is idle; a heartbeat says that there is nothing more, and it is 0. When even heartbeats stay away, or receiving waits
//!   for room, the time since the last word counts on top.
//! - Oldest unapplied: the age of the oldest transaction that is received and not committed in every database it belongs
//!   to; also of one that is still being received.
//!
//! Both know the difference of the clocks, measured when the connection was made. Row events carry the time at which
//! their statement began, so a statement that ran for an hour is an hour old when it comes; so it is on any replica.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::binlog::position::Position;
use crate::config::limits::{
    LAG_CAUSE_S, LAG_LOCK_WAIT, LARGE_TRANSACTION_BYTES, LARGE_TRANSACTION_ROWS,
    MYSQL_TARGET_BATCH_ROWS_MAX,
};
use crate::dispatch::progress::LaneProgress;
use crate::dispatch::state::ApplierStatus;
use crate::relay::files::RelayRoom;
use crate::relay::io_state::{IoPhase, IoStatus};

/// What the stages publish, as far as it matters here.
pub(super) struct Observed<'a> {
    /// The I/O side.
    pub(super) io: &'a IoStatus,
    /// The applier side.
    pub(super) applier: &'a ApplierStatus,
    /// The lanes.
    pub(super) lanes: &'a [Arc<LaneProgress>],
    /// The relay log's room.
    pub(super) room: RelayRoom,
    /// Whether the target's disk is full.
    pub(super) target_full: bool,
    /// Whether all that is received is applied.
    pub(super) caught_up: bool,
    /// Up to where was received.
    pub(super) received: Option<&'a Position>,
    /// Whether the transaction that is being read was received whole.
    pub(super) is_whole: bool,
    /// `heartbeat_period`.
    pub(super) heartbeat: Duration,
    /// Our clock, in seconds since 1970.
    pub(super) now: u64,
}

impl Observed<'_> {
    /// How late what was received last came; `None` while nobody receives.
    pub(super) fn receive_lag(&self) -> Option<u64> {
        let (at, late) = self.io.heard_at.filter(|_| self.io.phase == IoPhase::Yes)?;
        let silent = at.elapsed();
        // One heartbeat may be late.
        let is_unknown = self.room.waiting || silent > self.heartbeat.saturating_mul(2);
        Some(if is_unknown {
            late + silent.as_secs()
        } else {
            late
        })
    }

    /// Age of the oldest transaction that is received and not applied; 0 when there is none.
    pub(super) fn oldest_unapplied(&self) -> Option<u64> {
        if self.caught_up {
            return Some(0);
        }
        let open = self.applier.open.as_ref().map(|(_, at)| u64::from(*at));
        let begun = self.lanes.iter().filter_map(|lane| lane.oldest());
        let begun = begun.chain(self.applier.interrupted);
        let read = self.applier.read.as_ref().map(|at| u64::from(at.timestamp));
        let oldest = begun.chain(open).min().or(read).filter(|at| *at > 0)?;
        let age = self.io.source_now(self.now) - i64::try_from(oldest).ok()?;
        Some(u64::try_from(age).unwrap_or_default())
    }

    /// `Seconds_Behind_Source`: the larger of both; `None` while either side is down, because nobody knows then how far the
    /// source has gone on, or when it will be applied.
    pub(super) fn behind(&self) -> Option<u64> {
        if self.io.phase != IoPhase::Yes || !self.applier.running {
            return None;
        }
        Some(self.oldest_unapplied()?.max(self.receive_lag()?))
    }

    /// Which of the classic causes is seen; `None` when nothing is in the way and the lag is not worth one.
    pub(super) fn cause(&self) -> Option<&'static str> {
        self.obstacle().or_else(|| self.slowness())
    }

    /// What keeps one side from going on at all, however large the lag is.
    fn obstacle(&self) -> Option<&'static str> {
        if self.room.disk_full {
            Some("relay log disk full")
        } else if self.target_full {
            Some("target disk full")
        } else if self.applier.target_busy && !self.has_lock() {
            Some("lock in the target")
        } else if self.room.waiting {
            Some("relay log space limit")
        } else {
            None
        }
    }

    /// Whether a lane of this run has got the lock that the last one waited for in vain.
    fn has_lock(&self) -> bool {
        // A server's locks are met by the first rows that are sent, which are a batch at most.
        let sent = 2 * MYSQL_TARGET_BATCH_ROWS_MAX as u64;
        self.lanes.iter().any(|lane| {
            lane.open_rows.load(Ordering::Relaxed) > sent
                || lane.commits.load(Ordering::Relaxed) > 0
        })
    }

    /// What both sides are busy with, when that is late.
    fn slowness(&self) -> Option<&'static str> {
        let behind = self.behind().filter(|behind| *behind >= LAG_CAUSE_S)?;
        let received = self.receive_lag().unwrap_or_default();
        Some(if self.any(waits_for_target) {
            "lock in the target"
        } else if self.any(|lane| self.is_long(lane)) {
            "long statement"
        } else if self.any(|lane| lane.searches.load(Ordering::Relaxed)) {
            "table without a key"
        } else if self.is_large_transaction() {
            "large transaction"
        } else if self.caught_up || received > behind - received {
            "network"
        } else {
            "apply speed"
        })
    }

    fn any(&self, seen: impl Fn(&LaneProgress) -> bool) -> bool {
        !self.caught_up && self.lanes.iter().any(|lane| seen(lane))
    }

    /// Whether a lane has had one statement in hand for so long that it explains the lag.
    fn is_long(&self, lane: &LaneProgress) -> bool {
        let done = lane.work.done();
        done.is_some_and(|done| self.now.saturating_sub(done.since) >= LAG_CAUSE_S)
    }

    /// Whether one transaction is being applied, or received, that alone takes long.
    fn is_large_transaction(&self) -> bool {
        let bytes = match (&self.applier.open, self.received) {
            // What stands behind a transaction that was received whole is not of it.
            (Some((start, _)), Some(end)) => match start.file == end.file && !self.is_whole {
                true => end.offset.saturating_sub(start.offset),
                false => self.applier.open_read.saturating_sub(start.offset),
            },
            _ => 0,
        };
        bytes >= LARGE_TRANSACTION_BYTES
            || self.any(|lane| lane.open_rows.load(Ordering::Relaxed) >= LARGE_TRANSACTION_ROWS)
    }
}

fn waits_for_target(lane: &LaneProgress) -> bool {
    let waits = || lane.work.done().is_some_and(|done| done.work.waits);
    lane.waited_for_target() >= Some(LAG_LOCK_WAIT) || waits()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::work::Work;
    use crate::checkpoint::Checkpoint;
    use crate::dispatch::progress::LaneState;
    use std::time::Instant;

    const NOW: u64 = 1_800_000_000;
    const AGO_100: u32 = 1_799_999_900;

    struct Scene {
        io: IoStatus,
        applier: ApplierStatus,
        lane: Arc<LaneProgress>,
        room: RelayRoom,
        caught_up: bool,
        end: Position,
        is_whole: bool,
    }

    impl Scene {
        /// Received at once, 100 seconds ago, and not applied yet.
        fn new() -> Self {
            let lane = Arc::new(LaneProgress::new("d", None, Arc::default()));
            lane.set_oldest(AGO_100);
            lane.set_oldest(AGO_100 + 50);
            Self {
                io: IoStatus {
                    phase: IoPhase::Yes,
                    heard_at: Some((Instant::now(), 0)),
                    ..IoStatus::default()
                },
                applier: ApplierStatus {
                    running: true,
                    ..ApplierStatus::default()
                },
                lane,
                room: RelayRoom::default(),
                caught_up: false,
                end: Position::new("b.000001", 1_000),
                is_whole: false,
            }
        }

        fn observed(&self) -> Observed<'_> {
            Observed {
                io: &self.io,
                applier: &self.applier,
                lanes: std::slice::from_ref(&self.lane),
                room: self.room,
                target_full: false,
                caught_up: self.caught_up,
                received: Some(&self.end),
                is_whole: self.is_whole,
                heartbeat: Duration::from_secs(10),
                now: NOW,
            }
        }

        fn with(edit: impl Fn(&mut Self)) -> Self {
            let mut scene = Self::new();
            edit(&mut scene);
            scene
        }
    }

    #[test]
    fn each_side_has_its_own_lag() {
        let behind = |scene: &Scene| scene.observed().behind();
        let receiving = |scene: &Scene| scene.observed().receive_lag();
        let oldest = |scene: &Scene| scene.observed().oldest_unapplied();
        let scene = Scene::new();
        assert_eq!((receiving(&scene), oldest(&scene)), (Some(0), Some(100)));
        assert_eq!(behind(&scene), Some(100));
        let skewed = Scene::with(|s| s.io.clock_difference = 90);
        assert_eq!(oldest(&skewed), Some(10));
        // Once the source was asked, our own clock may say what it likes.
        let set_back = Scene::with(|s| s.io.clock = Some((NOW + 7, Instant::now())));
        assert_eq!(oldest(&set_back), Some(107));
        let late = Scene::with(|s| s.io.heard_at = Some((Instant::now(), 500)));
        assert_eq!((receiving(&late), behind(&late)), (Some(500), Some(500)));
        let idle = Scene::with(|s| s.caught_up = true);
        assert_eq!((oldest(&idle), behind(&idle)), (Some(0), Some(0)));
        let long_ago = Instant::now().checked_sub(Duration::from_secs(30)).unwrap();
        let silent = Scene::with(|s| {
            s.caught_up = true;
            s.io.heard_at = Some((long_ago, 0));
        });
        assert_eq!(
            behind(&silent),
            Some(30),
            "no heartbeat: nobody knows better"
        );
        let down = Scene::with(|s| s.io.phase = IoPhase::Connecting);
        assert_eq!(
            (receiving(&down), oldest(&down), behind(&down)),
            (None, Some(100), None)
        );
        let stopped = Scene::with(|s| s.applier.running = false);
        assert_eq!((receiving(&stopped), behind(&stopped)), (Some(0), None));
        let open = Scene::with(|s| {
            s.lane.clear_oldest();
            s.applier.open = Some((s.end.clone(), AGO_100 + 40));
        });
        assert_eq!(oldest(&open), Some(60), "a transaction that is being read");
        let read = Scene::with(|s| {
            s.lane.clear_oldest();
            s.applier.read = Some(Checkpoint {
                source_id: "1".into(),
                position: s.end.clone(),
                executed: Arc::default(),
                timestamp: AGO_100 + 70,
            });
        });
        assert_eq!(
            oldest(&read),
            Some(30),
            "a transaction that waits in a queue"
        );
    }

    #[test]
    fn a_statement_explains_the_lag_once_it_has_taken_long() {
        let scene = Scene::with(|s| s.lane.searches.store(true, Ordering::Relaxed));
        scene.lane.work.begin(Work::new("rebuilding", "t"));
        let since = scene.lane.work.done().unwrap().since;
        scene.lane.clear_oldest();
        scene
            .lane
            .set_oldest(u32::try_from(since).unwrap_or(u32::MAX) - 100);
        let cause_at = |now| {
            let mut observed = scene.observed();
            observed.now = now;
            observed.cause()
        };
        assert_eq!(cause_at(since), Some("table without a key"));
        assert_eq!(cause_at(since + LAG_CAUSE_S), Some("long statement"));
        scene.lane.work.begin(Work::waiting("waiting", "t"));
        assert_eq!(cause_at(since), Some("lock in the target"));
        scene.lane.work.end();
        assert_eq!(cause_at(since + LAG_CAUSE_S), Some("table without a key"));
    }

    #[test]
    fn each_cause_is_named() {
        type Edit = fn(&mut Scene);
        let cases: [(&str, Edit); 8] = [
            ("apply speed", |_| {}),
            ("network", |s| s.io.heard_at = Some((Instant::now(), 80))),
            ("relay log space limit", |s| s.room.waiting = true),
            ("relay log disk full", |s| s.room.disk_full = true),
            ("lock in the target", |s| s.applier.target_busy = true),
            ("lock in the target", |s| {
                s.lane
                    .set_waiting_since(Instant::now().checked_sub(LAG_LOCK_WAIT))
            }),
            ("table without a key", |s| {
                s.lane.searches.store(true, Ordering::Relaxed)
            }),
            ("large transaction", |s| {
                s.lane.open_rows.store(100_000, Ordering::Relaxed)
            }),
        ];
        for (cause, edit) in cases {
            let scene = Scene::with(edit);
            assert_eq!(scene.observed().cause(), Some(cause));
        }
        let received = Scene::with(|s| {
            s.applier.open = Some((Position::new("b.000001", 4), AGO_100));
            s.end.offset = 100 << 20;
        });
        assert_eq!(received.observed().cause(), Some("large transaction"));
        // Each transaction takes a lock, and mostly gets it at once.
        let begins = Scene::with(|s| s.lane.set_state(LaneState::WaitingForTarget));
        assert_eq!(begins.observed().cause(), Some("apply speed"));
        let goes_on = Scene::with(|s| {
            s.applier.target_busy = true;
            s.lane.open_rows.store(10_000, Ordering::Relaxed);
        });
        assert_eq!(goes_on.observed().cause(), Some("apply speed"));
        // A small one with much behind it.
        let whole = Scene::with(|s| {
            s.applier.open = Some((Position::new("b.000001", 4), AGO_100));
            s.applier.open_read = 1_000;
            s.end.offset = 100 << 20;
            s.is_whole = true;
        });
        assert_eq!(whole.observed().cause(), Some("apply speed"));
        let current = Scene::with(|s| s.io.clock_difference = 99);
        assert_eq!(current.observed().cause(), None);
        let unknown = Scene::with(|s| {
            s.lane.clear_oldest();
            s.applier.target_busy = true;
        });
        assert_eq!(unknown.observed().behind(), None);
        assert_eq!(unknown.observed().cause(), Some("lock in the target"));
    }
}
