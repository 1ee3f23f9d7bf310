//! XA transactions that are prepared: where their rows stand in the relay log until the source decides.
//!
//! # Invariants
//! What was decided is remembered until the watermark has passed the decision: a restart begins at the watermark, and
//! must know what was parked *there* ([`Parked::at`]).

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::binlog::position::Position;
use crate::binlog::xa_id::XaId;
use crate::error::Error;

/// One prepared XA transaction. Targets keep it as JSON beside the watermark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Record", into = "Record")]
pub struct ParkedXa {
    /// Which one.
    pub id: XaId,
    /// Where its group begins; the group ends in the same file.
    pub start: Position,
    /// Offset behind its group, which ends with XA PREPARE.
    pub end: u64,
    /// The source's clock when it was prepared, in seconds since 1970; 0 when not known.
    pub timestamp: u32,
}

impl ParkedXa {
    /// The position behind its group.
    pub fn end_position(&self) -> Position {
        Position {
            file: self.start.file.clone(),
            offset: self.end,
        }
    }
}

/// How it is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    xid: String,
    file: String,
    pos: u64,
    end_pos: u64,
    source_timestamp: u32,
}

impl From<ParkedXa> for Record {
    fn from(xa: ParkedXa) -> Self {
        Self {
            xid: xa.id.to_string(),
            file: xa.start.file.to_string(),
            pos: xa.start.offset,
            end_pos: xa.end,
            source_timestamp: xa.timestamp,
        }
    }
}

impl TryFrom<Record> for ParkedXa {
    type Error = Error;

    fn try_from(record: Record) -> Result<Self, Error> {
        Ok(Self {
            id: record.xid.parse()?,
            start: Position::new(record.file, record.pos),
            end: record.end_pos,
            timestamp: record.source_timestamp,
        })
    }
}

/// All that are parked, and those that no longer are but were at a point where a restart may begin.
#[derive(Debug, Default)]
pub struct Parked {
    /// By the order in which they were prepared.
    open: BTreeMap<u64, ParkedXa>,
    by_id: HashMap<XaId, u64>,
    next: u64,
    /// Where each was decided, in that order.
    decided: VecDeque<(Position, ParkedXa)>,
}

impl Parked {
    /// What a watermark says.
    pub fn new(parked: Vec<ParkedXa>) -> Self {
        let mut this = Self::default();
        for xa in parked {
            this.park(xa);
        }
        this
    }

    /// Remembers a prepared transaction. Gives back an older one of the same id: the source lost it in a crash, or its
    /// id could not be used again.
    pub fn park(&mut self, xa: ParkedXa) -> Option<ParkedXa> {
        let replaced = self.by_id.insert(xa.id.clone(), self.next);
        self.open.insert(self.next, xa);
        self.next += 1;
        replaced.and_then(|number| self.open.remove(&number))
    }

    /// The transaction was committed or rolled back by the group that ends at `at`. `None` when nothing of it is known.
    pub fn decide(&mut self, id: &XaId, at: Position) -> Option<ParkedXa> {
        let number = self.by_id.remove(id)?;
        let xa = self.open.remove(&number)?;
        self.decided.push_back((at, xa.clone()));
        Some(xa)
    }

    /// What was parked at `position`, which is not behind what was read: prepared before it, and not decided before it.
    pub fn at(&self, position: &Position) -> Vec<ParkedXa> {
        let is_before = |end: &Position| end.order(position).is_some_and(Ordering::is_le);
        let decided = self.decided.iter().filter(|(at, _)| !is_before(at));
        let decided = decided.map(|(_, xa)| xa);
        let mut parked: Vec<_> = decided
            .chain(self.open.values())
            .filter(|xa| is_before(&xa.end_position()))
            .cloned()
            .collect();
        parked.sort_by(|a, b| a.start.order(&b.start).unwrap_or(Ordering::Equal));
        parked
    }

    /// No restart begins before `watermark` any more: what was decided before it is forgotten.
    pub fn forget(&mut self, watermark: &Position) {
        let is_past =
            |(at, _): &mut (Position, ParkedXa)| at.order(watermark).is_some_and(Ordering::is_le);
        while self.decided.pop_front_if(is_past).is_some() {}
    }

    /// How many are prepared and not decided, and the oldest of them.
    pub fn summary(&self) -> (usize, Option<&ParkedXa>) {
        (self.open.len(), self.open.values().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> Position {
        Position::new("binlog.000001", offset)
    }

    fn xa(name: &str, start: u64, end: u64) -> ParkedXa {
        ParkedXa {
            id: XaId::new(1, name.into(), Vec::new()).unwrap(),
            start: at(start),
            end,
            timestamp: 7,
        }
    }

    #[test]
    fn what_was_parked_at_each_point_is_known_until_the_watermark_has_passed() {
        let (a, b) = (xa("a", 100, 200), xa("b", 300, 400));
        let mut parked = Parked::new(vec![a.clone()]);
        assert_eq!(parked.park(b.clone()), None);
        assert_eq!(parked.decide(&a.id, at(500)), Some(a.clone()));
        assert_eq!(parked.decide(&a.id, at(600)), None);
        assert_eq!(parked.at(&at(199)), []);
        assert_eq!(parked.at(&at(200)), std::slice::from_ref(&a));
        assert_eq!(parked.at(&at(499)), [a.clone(), b.clone()]);
        assert_eq!(parked.at(&at(500)), std::slice::from_ref(&b));
        assert_eq!(parked.summary(), (1, Some(&b)));
        parked.forget(&at(499));
        assert_eq!(parked.at(&at(499)), [a, b.clone()]);
        parked.forget(&at(500));
        assert_eq!(parked.at(&at(499)), [b]);
    }

    #[test]
    fn it_is_kept_as_json() {
        let xa = xa("a", 100, 1 << 40);
        let text = serde_json::to_string(&xa).unwrap();
        assert_eq!(
            text,
            r#"{"xid":"X'61',X'',1","file":"binlog.000001","pos":100,"end_pos":1099511627776,"source_timestamp":7}"#
        );
        assert_eq!(serde_json::from_str::<ParkedXa>(&text).unwrap(), xa);
        assert!(serde_json::from_str::<ParkedXa>(&text.replace("X'61'", "61")).is_err());
    }

    #[test]
    fn an_id_prepared_again_replaces_what_was_lost() {
        let (lost, new) = (xa("a", 100, 200), xa("a", 300, 400));
        let mut parked = Parked::new(vec![lost.clone()]);
        assert_eq!(parked.park(new.clone()), Some(lost));
        assert_eq!(parked.summary(), (1, Some(&new)));
        assert_eq!(parked.decide(&new.id, at(500)), Some(new));
        assert_eq!(parked.summary(), (0, None));
    }
}
