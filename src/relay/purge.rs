//! Removes relay files that nobody needs any more.
//!
//! # Invariants
//! A file goes only when
//! - everything in it is durable in every database of the target, and no restart needs it ([`RelayEnd::release`]);
//! - no reader has it open;
//! - it is not the newest.
//!
//! What else is kept, and for how long, is the operator's choice ([`Retention`]).
//!
//! # Threading
//! One thread of its own: removing a large file takes the file system a while. It sleeps until the watermark moves.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::end::RelayEnd;
use super::files::RelayFiles;
use crate::binlog::position::Position;
use crate::config::limits::PURGE_INTERVAL;
use crate::config::relay_log::Retention;
use crate::error::Result;

/// Purges the relay log of one source.
#[derive(Debug)]
pub struct Purger {
    /// What there is.
    pub files: Arc<RelayFiles>,
    /// Who still needs what.
    pub end: Arc<RelayEnd>,
    /// What is kept beyond that.
    pub retention: Retention,
}

impl Purger {
    /// Purges until the files are closed ([`RelayFiles::close`], then [`RelayEnd::wake`]).
    pub fn run(&self) {
        while !self.files.is_closing() {
            let released = self.end.released();
            if let Some(position) = &released
                && let Err(error) = self.purge(position)
            {
                // Nothing depends on it but room, and whoever lacks that says so.
                tracing::warn!(errno = error.errno(), error = %error.full_text(), "relay files cannot be purged");
            }
            self.end.wait_released(released.as_ref(), PURGE_INTERVAL);
        }
    }

    fn purge(&self, released: &Position) -> Result<()> {
        let index = self.files.index();
        let needless = index.count_before(&released.file);
        let names = index.names().iter().take(needless);
        let mut bytes = self.files.room().bytes;
        let due = names
            .take_while(|name| {
                let due = self.files.is_over_limit_at(bytes)
                    || self.retention.is_over(bytes, || age(&self.files, name));
                bytes = bytes.saturating_sub(self.files.bytes_of(name));
                due
            })
            .count();
        let count = self.end.hide_oldest(&index, due);
        if count == 0 {
            return Ok(());
        }
        let gone = self.files.purge_oldest(count)?;
        tracing::info!(files = gone.len(), before = %self.files.index().names().first().map_or("-", |name| name), "relay files purged");
        Ok(())
    }
}

/// Time since a file was last written to. A clock that was set back makes it young: it is kept for longer.
fn age(files: &RelayFiles, name: &str) -> Duration {
    let written = fs::metadata(files.directory().join(name)).and_then(|file| file.modified());
    let now = SystemTime::now();
    written
        .ok()
        .and_then(|written| now.duration_since(written).ok())
        .unwrap_or_default()
}
