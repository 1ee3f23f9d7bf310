//! Named places where a test may kill or hold the process: one before and one behind each arrow of the durability order.
//!
//! `RELAYLITE_FAILPOINT=NAME=ACTION` arms one of them:
//! - `crash:N` ends the process without any clean-up at the N-th time (1 is the first);
//! - `hold:PATH` keeps the thread there for as long as the file PATH exists.
//!
//! They exist in builds with debug assertions only, which is what the tests build; in a release build [`hit`] is empty
//! and the variable means nothing. (A cargo feature would have to be on in every build that tests, so that nothing is
//! built twice, and would then say the same.)

/// Before the fsync of the relay log.
pub const RELAY_BEFORE_SYNC: &str = "relay.before_sync";
/// Behind that fsync, before anybody is told.
pub const RELAY_SYNCED: &str = "relay.synced";
/// Before a semi-synchronous acknowledgement is sent.
pub const ACK_BEFORE_SEND: &str = "ack.before_send";
/// Before a range of rows of a table that is rebuilt is copied; asked by [`is_held`] only.
pub const ALTER_COPYING: &str = "alter.copying";
/// Behind a range of rows of a table that is rebuilt.
pub const ALTER_COPIED: &str = "alter.copied";
/// Before a table read afresh takes its place on a MySQL target; its rows are committed.
pub const COPY_BEFORE_SWAP: &str = "copy.before_swap";
/// The former table is dropped, and the new one has not its name yet.
pub const COPY_HALF_SWAPPED: &str = "copy.half_swapped";
/// The new table has its name, and is still marked as set aside.
pub const COPY_SWAPPED: &str = "copy.swapped";
/// A lane of a new run is open, others may not be.
pub const LANE_OPENED: &str = "lane.opened";
/// Before a lane commits rows and checkpoint.
pub const LANE_BEFORE_COMMIT: &str = "lane.before_commit";
/// Behind that commit, before anybody is told.
pub const LANE_COMMITTED: &str = "lane.committed";
/// Behind the fsync of the databases, before the watermark moves.
pub const WATERMARK_BEFORE_STORE: &str = "watermark.before_store";
/// Behind the watermark's move, before anything that only stood in for it goes.
pub const WATERMARK_STORED: &str = "watermark.stored";
/// All that came from one source is applied, and the watermark still says so.
pub const FAILOVER_DRAINED: &str = "failover.drained";
/// The watermark says that the next event comes from another source.
pub const FAILOVER_MARKED: &str = "failover.marked";

/// All of them, for the test that goes through each.
pub const ALL: [&str; 10] = [
    RELAY_BEFORE_SYNC,
    RELAY_SYNCED,
    ACK_BEFORE_SEND,
    LANE_OPENED,
    LANE_BEFORE_COMMIT,
    LANE_COMMITTED,
    WATERMARK_BEFORE_STORE,
    WATERMARK_STORED,
    FAILOVER_DRAINED,
    FAILOVER_MARKED,
];

/// The largest offset that a dump command can carry, where a test makes it smaller than it is
/// (`RELAYLITE_TEST_DUMP_OFFSET_MAX`): a file beyond 4 GiB takes long to make.
pub fn dump_offset_max() -> Option<u64> {
    if !COMPILED_IN {
        return None;
    }
    let bytes = std::env::var("RELAYLITE_TEST_DUMP_OFFSET_MAX").ok()?;
    bytes.parse().ok()
}

/// The longest row that SQLite takes, where a test makes it shorter than it is (`RELAYLITE_TEST_SQLITE_LENGTH_MAX`): a row of
/// 10^9 bytes needs some GiB of memory.
pub fn sqlite_length_max() -> Option<i32> {
    if !COMPILED_IN {
        return None;
    }
    let bytes = std::env::var("RELAYLITE_TEST_SQLITE_LENGTH_MAX").ok()?;
    bytes.parse().ok()
}

/// Whether this build has them.
pub const COMPILED_IN: bool = cfg!(debug_assertions);

/// Does what the test asked for at this place.
#[cfg(debug_assertions)]
pub fn hit(name: &str) {
    armed::hit(name);
}

/// Whether a test holds this place: for a thread that has to look about while it is held.
#[cfg(debug_assertions)]
pub fn is_held(name: &str) -> bool {
    armed::is_held(name)
}

/// No, in a build that is not for tests.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn is_held(_name: &str) -> bool {
    false
}

/// Nothing, in a build that is not for tests.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn hit(_name: &str) {}

#[cfg(debug_assertions)]
mod armed {
    use std::path::{Path, PathBuf};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    /// How often a held thread looks whether it may go on.
    const HOLD_LOOK: Duration = Duration::from_millis(2);

    #[derive(Debug, PartialEq)]
    pub(super) enum Action {
        Crash { at: u64 },
        Hold(PathBuf),
    }

    #[derive(Debug)]
    struct Armed {
        name: String,
        action: Action,
        hits: AtomicU64,
    }

    /// Reads `NAME=ACTION`.
    pub(super) fn parse(text: &str) -> Option<(String, Action)> {
        let (name, action) = text.split_once('=')?;
        let action = match action.split_once(':')? {
            ("crash", at) => Action::Crash {
                at: at.parse().ok()?,
            },
            ("hold", path) => Action::Hold(path.into()),
            _ => return None,
        };
        Some((name.to_owned(), action))
    }

    fn armed() -> Option<&'static Armed> {
        static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
        let armed = ARMED.get_or_init(|| {
            let text = std::env::var("RELAYLITE_FAILPOINT").ok()?;
            let Some((name, action)) = parse(&text) else {
                tracing::error!(%text, "RELAYLITE_FAILPOINT cannot be read");
                std::process::abort();
            };
            Some(Armed {
                name,
                action,
                hits: AtomicU64::new(0),
            })
        });
        armed.as_ref()
    }

    pub(super) fn hit(name: &str) {
        let Some(armed) = armed().filter(|armed| armed.name == name) else {
            return;
        };
        match &armed.action {
            Action::Crash { at } => {
                if armed.hits.fetch_add(1, Ordering::AcqRel) + 1 == *at {
                    tracing::warn!(name, "crashing here, as a test asked for");
                    std::process::abort();
                }
            }
            Action::Hold(path) => hold(path),
        }
    }

    pub(super) fn is_held(name: &str) -> bool {
        armed()
            .filter(|armed| armed.name == name)
            .is_some_and(|armed| matches!(&armed.action, Action::Hold(path) if path.exists()))
    }

    fn hold(path: &Path) {
        while path.exists() {
            std::thread::sleep(HOLD_LOOK);
        }
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::armed::{Action, parse};

    #[test]
    fn actions_are_read() {
        let crash = Some(("a.b".to_owned(), Action::Crash { at: 3 }));
        assert_eq!(parse("a.b=crash:3"), crash);
        let hold = Some(("a".to_owned(), Action::Hold("/x:y".into())));
        assert_eq!(parse("a=hold:/x:y"), hold);
        assert_eq!(parse("a=crash"), None);
        assert_eq!(parse("a=sleep:1"), None);
    }
}
