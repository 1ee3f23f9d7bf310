//! Acknowledgements on their way: from the event that a semi-synchronous source waits for, over the fsync that makes it
//! durable, to the packet that says so.
//!
//! One acknowledgement stands for all events before it, so what waits together is answered together, and the number of
//! answers follows the disk as the number of fsyncs does.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use crate::binlog::position::Position;
use crate::config::limits::ACK_LATENCIES_KEPT;

/// Upper bounds of the latencies that are counted together, in microseconds: from a disk without a spindle to one that
/// stalls. A last group takes what is longer.
pub const ACK_MICROS_BOUNDS: [u64; 12] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 10_000_000,
];

/// Up to where the source wants to hear from us.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// End of the newest event that it waits for.
    pub at: Position,
    /// When the oldest of them arrived.
    pub since: Instant,
    /// How many it waits for.
    pub events: u64,
}

impl Wanted {
    /// Both in one: `later` came after `self`.
    #[must_use]
    pub fn joined(self, later: Self) -> Self {
        Self {
            at: later.at,
            since: self.since,
            events: self.events + later.events,
        }
    }
}

/// Both in one, where either may be none.
pub fn join(earlier: Option<Wanted>, later: Option<Wanted>) -> Option<Wanted> {
    match (earlier, later) {
        (Some(earlier), Some(later)) => Some(earlier.joined(later)),
        (earlier, later) => later.or(earlier),
    }
}

/// Where the syncing thread says what became durable. There is at most one message per fsync.
pub type DurableAcks = UnboundedSender<Wanted>;

/// What was acknowledged, and how long that took from an event's arrival to its acknowledgement.
#[derive(Debug, Clone, Default)]
pub struct AckStatistics {
    /// Acknowledgements sent.
    pub sent: u64,
    /// Events that the source waited for and that they covered.
    pub events: u64,
    /// The longest since start.
    pub longest: Duration,
    /// All latencies since start, added up.
    pub total: Duration,
    /// How many latencies were within each of [`ACK_MICROS_BOUNDS`] and not within the one before; last, how many were longer.
    pub counts: [u64; ACK_MICROS_BOUNDS.len() + 1],
    /// The newest ones, oldest first.
    latencies: VecDeque<Duration>,
}

impl AckStatistics {
    /// Counts an acknowledgement that was just sent.
    pub fn count(&mut self, wanted: &Wanted) {
        let latency = wanted.since.elapsed();
        self.sent += 1;
        self.events += wanted.events;
        self.longest = self.longest.max(latency);
        self.total += latency;
        let group =
            ACK_MICROS_BOUNDS.partition_point(|bound| Duration::from_micros(*bound) < latency);
        if let Some(count) = self.counts.get_mut(group) {
            *count += 1;
        }
        if self.latencies.len() >= ACK_LATENCIES_KEPT {
            self.latencies.pop_front();
        }
        self.latencies.push_back(latency);
    }

    /// The newest latency.
    pub fn last(&self) -> Option<Duration> {
        self.latencies.back().copied()
    }

    /// The mean of the newest [`ACK_LATENCIES_KEPT`] latencies.
    pub fn average(&self) -> Option<Duration> {
        let count = u32::try_from(self.latencies.len()).ok()?;
        let all: Duration = self.latencies.iter().sum();
        all.checked_div(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(offset: u64, since: Instant) -> Wanted {
        Wanted {
            at: Position::new("b.000001", offset),
            since,
            events: 1,
        }
    }

    #[test]
    fn what_waits_together_is_answered_by_the_newest_and_counted_from_the_oldest() {
        let first = Instant::now();
        let later = first + Duration::from_secs(1);
        let both = join(Some(wanted(10, first)), Some(wanted(20, later))).unwrap();
        assert_eq!((both.at.offset, both.since, both.events), (20, first, 2));
        assert_eq!(join(None, None), None);
        assert_eq!(join(Some(both.clone()), None), Some(both));
    }

    #[test]
    fn the_average_is_over_the_newest() {
        let mut statistics = AckStatistics::default();
        assert_eq!((statistics.last(), statistics.average()), (None, None));
        for _ in 0..=ACK_LATENCIES_KEPT {
            statistics.count(&wanted(4, Instant::now()));
        }
        assert_eq!(statistics.latencies.len(), ACK_LATENCIES_KEPT);
        assert_eq!(statistics.sent, ACK_LATENCIES_KEPT as u64 + 1);
        assert!(statistics.average().unwrap() <= statistics.longest);
        assert!(statistics.total >= statistics.longest);
        assert_eq!(statistics.counts.iter().sum::<u64>(), statistics.sent);
    }

    #[test]
    fn latencies_are_counted_by_their_bounds() {
        let mut statistics = AckStatistics::default();
        let ago = |time| Instant::now().checked_sub(time).unwrap();
        statistics.count(&wanted(4, ago(Duration::from_millis(11))));
        statistics.count(&wanted(4, ago(Duration::from_secs(60))));
        let counted = |bound| {
            let group = ACK_MICROS_BOUNDS.iter().position(|at| *at == bound);
            statistics.counts[group.unwrap()]
        };
        assert_eq!((counted(10_000), counted(25_000)), (0, 1));
        assert_eq!(statistics.counts.last(), Some(&1));
    }
}
