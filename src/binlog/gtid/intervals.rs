//! Sorted, disjoint, never adjacent intervals of transaction numbers.

use std::fmt;
use std::str::FromStr;

use super::unreadable;
use crate::error::{Error, Result};

/// The highest number MySQL gives (`GNO_END` - 1); keeps `last + 1` in range.
pub(super) const NUMBER_MAX: u64 = i64::MAX as u64 - 1;

/// Numbers from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// First number, at least 1.
    pub first: u64,
    /// Last number, not below `first`.
    pub last: u64,
}

impl FromStr for Interval {
    type Err = Error;

    /// `N` or `N-M`.
    fn from_str(text: &str) -> Result<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |n: &str| n.trim().parse::<u64>().ok();
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first >= 1 && first <= last && last <= NUMBER_MAX => {
                Ok(Self { first, last })
            }
            _ => Err(unreadable(
                text,
                "an interval is FIRST-LAST, counted from 1",
            )),
        }
    }
}

/// A set of numbers as intervals.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Intervals {
    sorted: Vec<Interval>,
}

impl Intervals {
    /// The intervals in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Interval> {
        self.sorted.iter()
    }

    /// Whether a number is in one of them.
    pub fn contains(&self, number: u64) -> bool {
        let after = self.sorted.partition_point(|i| i.last < number);
        self.sorted.get(after).is_some_and(|i| i.first <= number)
    }

    /// Adds an interval; in constant time when it follows the last one.
    pub fn add(&mut self, new: Interval) {
        match self.sorted.last_mut() {
            Some(end) if new.first == end.last.saturating_add(1) => {
                end.last = new.last.max(end.last);
                return;
            }
            Some(end) if new.first <= end.last => {}
            _ => return self.sorted.push(new),
        }
        // Everything that overlaps or touches the new one melts into it.
        let from = self
            .sorted
            .partition_point(|i| i.last.saturating_add(1) < new.first);
        let until = self
            .sorted
            .partition_point(|i| i.first <= new.last.saturating_add(1));
        let touched = self.sorted.get(from..until).unwrap_or_default();
        let first = touched
            .first()
            .map_or(new.first, |i| i.first.min(new.first));
        let last = touched.last().map_or(new.last, |i| i.last.max(new.last));
        self.sorted.splice(from..until, [Interval { first, last }]);
    }

    /// Whether all numbers are in `other` too.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.sorted.iter().all(|mine| {
            let after = other.sorted.partition_point(|i| i.last < mine.last);
            other
                .sorted
                .get(after)
                .is_some_and(|i| i.first <= mine.first)
        })
    }
}

impl fmt::Display for Intervals {
    /// `:1-4:7`, as they follow the uuid or the tag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Interval { first, last } in &self.sorted {
            if first == last {
                write!(f, ":{first}")?;
            } else {
                write!(f, ":{first}-{last}")?;
            }
        }
        Ok(())
    }
}
