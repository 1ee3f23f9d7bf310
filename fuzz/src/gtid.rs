//! GTID events, and sets of GTIDs in their binary and printed forms.

use relaylite::binlog::gtid::{Gtid, GtidSet, MariaDbGtidEvent, MySqlGtidEvent};
use relaylite::binlog::kind;

/// Largest input that is looked at: set operations on two such sets are still quick.
const INPUT_BYTES_MAX: usize = 4096;

/// The first byte chooses; the rest is an event's body or a text.
pub fn check(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else {
        return;
    };
    if body.len() > INPUT_BYTES_MAX {
        return;
    }
    match choice % 4 {
        0 => check_gtid_events(body),
        1 => {
            if let Ok(set) = GtidSet::decode(body) {
                check_set(&set);
            }
        }
        2 => {
            if let Ok(set) = GtidSet::decode_mariadb_list(body) {
                check_set(&set);
            }
        }
        _ => check_text(&String::from_utf8_lossy(body)),
    }
}

/// A text is a set or an error.
pub fn check_text(text: &str) {
    if let Ok(set) = text.parse::<GtidSet>() {
        check_set(&set);
    }
}

fn check_gtid_events(body: &[u8]) {
    for kind in [kind::GTID, kind::ANONYMOUS_GTID, kind::GTID_TAGGED] {
        if let Ok(event) = MySqlGtidEvent::parse(kind, body)
            && let Some(gtid) = event.gtid
        {
            check_member(&gtid);
        }
    }
    if let Ok(event) = MariaDbGtidEvent::parse(7, body) {
        check_member(&event.gtid);
        let xid = event
            .xid
            .map_or(0, |xid| xid.global.len() + xid.branch.len());
        assert!(xid <= body.len());
    }
}

/// A GTID is in the set of it alone, whose text is the GTID's.
fn check_member(gtid: &Gtid) {
    let mut set = GtidSet::default();
    assert!(!set.contains(gtid));
    set.add(gtid);
    assert!(set.contains(gtid));
    assert_eq!(set.to_string(), gtid.to_string());
    check_set(&set);
}

/// Printing and reading, packing and unpacking give the same set again, and it is what set algebra says.
fn check_set(set: &GtidSet) {
    let text = set.to_string();
    assert_eq!(&text.parse::<GtidSet>().unwrap(), set, "{text}");
    if !set.has_mariadb() {
        assert_eq!(&GtidSet::decode(&set.encode()).unwrap(), set, "{text}");
    }
    let mut both = set.clone();
    both.complete_from(set);
    assert_eq!(&both, set);
    assert!(set.is_subset(set) && GtidSet::default().is_subset(set));
    assert_eq!(set.is_subset(&GtidSet::default()), set.is_empty());
}
