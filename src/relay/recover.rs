//! What a relay directory holds after a crash: everything up to the last whole event of the newest file.
//!
//! A torn tail, or bytes that fail their checksum, are cut away and fetched again. Older files were made durable before
//! the next one was begun; their bytes are checked when they are read.
//!
//! # Index and files
//! They may disagree in three ways, and no event is lost in any:
//! - a name without a file, at the head: purged, or removed by hand; at the tail: the file was just being made, or cut
//!   away. The name goes;
//! - the index is gone or damaged, or lacks files that hold events (a purge was interrupted, and will be done again): it is
//!   made again from the files;
//! - a name without a file, between others: an error. What stood there cannot be passed over.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::end::{Durable, RelayEnd};
use super::file::RelayFile;
use super::index::{INDEX_FILE, Index, is_safe_file_name, order};
use super::reader::{RelayReader, open_file};
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position, split_file_name};
use crate::error::{Error, ErrorKind, Result};

/// Finds the durable end of a source's relay directory.
///
/// With `repair`, index and files are brought together; without it nothing is written (for `status` and `relay list`,
/// also while a process runs).
///
/// # Errors
/// `Corrupt` when a file is missing between others, or the index cannot be made again; `Io`. Damage at the end is no
/// error.
pub fn recover(directory: &Path, repair: bool) -> Result<Durable> {
    let mut index = reconcile(directory, repair)?;
    let stored = index.clone();
    let end = loop {
        let Some(last) = index.last().cloned() else {
            break None;
        };
        if let Some(offset) = whole_end(directory, &index, &last)? {
            if repair {
                // A killed process may have left it in the page cache. The end counts as durable from here on, and
                // where the dump begins is an acknowledgement to a semi-synchronous source.
                fs::File::open(directory.join(last.as_ref()))?.sync_all()?;
            }
            break Some(Position { file: last, offset });
        }
        if repair {
            remove(directory, &last)?;
        }
        index.drop_last();
    };
    if repair && index != stored {
        index.store(directory)?;
    }
    Ok(Durable {
        end,
        index: Arc::new(index),
    })
}

/// The index, with files and names that do not belong together taken care of.
fn reconcile(directory: &Path, repair: bool) -> Result<Index> {
    let loaded = Index::load(directory);
    let files = binlog_files(directory)?;
    let index = match loaded {
        Ok(None) if files.is_empty() => return Ok(Index::default()),
        Ok(Some(index)) if !lacks_files(&index, &files) => index,
        Ok(None) => rebuild(directory, &files, "is missing", repair)?,
        Ok(Some(_)) => rebuild(directory, &files, "lacks files", repair)?,
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            rebuild(directory, &files, error.what(), repair)?
        }
        Err(error) => return Err(error),
    };
    without_lost_files(directory, index, &files, repair)
}

/// A file in a relay directory that is called like a binlog file.
struct Found {
    name: String,
    bytes: u64,
}

impl Found {
    /// The file is made, then named in the index, then written to: one with more than the magic bytes was named.
    fn holds_events(&self) -> bool {
        self.bytes > FIRST_EVENT_OFFSET
    }
}

/// Files called like binlog files, in their order.
fn binlog_files(directory: &Path) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if is_safe_file_name(&name) {
            // One that a running process has purged meanwhile is not there.
            if let Ok(metadata) = entry.metadata() {
                let bytes = metadata.len();
                found.push(Found { name, bytes });
            }
        }
    }
    found.sort_by(|a, b| split_file_name(&a.name).cmp(&split_file_name(&b.name)));
    Ok(found)
}

/// Whether files that hold events are not in the index.
fn lacks_files(index: &Index, files: &[Found]) -> bool {
    let mut files = files.iter();
    files.any(|file| file.holds_events() && !index.contains(&file.name))
}

/// Makes the index again from the files.
fn rebuild(directory: &Path, files: &[Found], why: &str, repair: bool) -> Result<Index> {
    let names = files.iter().filter(|file| file.holds_events());
    let index = Index::of(names.map(|file| file.name.as_str())).map_err(|error| {
        let what = format!(
            "{} cannot be used ({why}), and the files beside it are not of one history; remove the directory, and what \
             is missing is fetched from the source again",
            directory.join(INDEX_FILE).display()
        );
        Error::corrupt(what).with_source(error)
    })?;
    tracing::warn!(directory = %directory.display(), index = why, files = index.names().len(), "the index of the relay log is made again from its files");
    if repair {
        index.store(directory)?;
    }
    Ok(index)
}

/// Takes names out whose files are gone, at either end.
fn without_lost_files(
    directory: &Path,
    mut index: Index,
    files: &[Found],
    repair: bool,
) -> Result<Index> {
    let named = index.clone();
    let is_there = |name: &str| {
        let key = split_file_name(name);
        let at = files.binary_search_by(|file| split_file_name(&file.name).cmp(&key));
        at.is_ok()
    };
    let purged = index.names().iter().take_while(|name| !is_there(name));
    index = index.without_oldest(purged.count());
    while index.last().is_some_and(|name| !is_there(name)) {
        index.drop_last();
    }
    if let Some(lost) = index.names().iter().find(|name| !is_there(name)) {
        return Err(Error::corrupt(format!(
            "{} is in {INDEX_FILE} and is not there, but later files are; put it back, or remove the directory, and what \
             is missing is fetched from the source again",
            directory.join(lost.as_ref()).display()
        ))
        .at_pos(lost.clone(), FIRST_EVENT_OFFSET));
    }
    if index != named {
        let (was, is) = (named.names().len(), index.names().len());
        tracing::warn!(directory = %directory.display(), was, is, "files in the index of the relay log are not there");
        if repair {
            index.store(directory)?;
        }
    }
    Ok(index)
}

/// End of the last whole event of a file; `None` when it has no usable head.
fn whole_end(directory: &Path, index: &Index, name: &Arc<str>) -> Result<Option<u64>> {
    let length = match open_file(directory, name) {
        Ok((file, _)) => file.metadata()?.len(),
        Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(None),
        Err(error) => return Err(error),
    };
    let everything = Durable {
        end: Some(Position {
            file: name.clone(),
            offset: length,
        }),
        index: Arc::new(index.clone()),
    };
    let start = Position {
        file: name.clone(),
        offset: FIRST_EVENT_OFFSET,
    };
    let mut reader = RelayReader::open(directory, Arc::new(RelayEnd::new(everything)), &start)?;
    let mut end = FIRST_EVENT_OFFSET;
    loop {
        match reader.next_event() {
            Ok(Some(event)) => end = event.end,
            Ok(None) => break,
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::warn!(error = %error.full_text(), "the relay log is cut here and fetched again");
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok((end > FIRST_EVENT_OFFSET).then_some(end))
}

/// Empties a source's relay directory; the newest file goes first, so that what a crash leaves has no hole.
pub fn reset(directory: &Path) -> Result<()> {
    let files = binlog_files(directory)?;
    files
        .iter()
        .rev()
        .try_for_each(|file| remove(directory, &file.name))?;
    Index::default().store(directory)
}

/// Cuts the relay log at `position`: what stands there and behind it is fetched again.
pub fn cut(directory: &Path, position: &Position) -> Result<()> {
    let mut index = reconcile(directory, true)?;
    let keeps_file = position.offset > FIRST_EVENT_OFFSET;
    while let Some(last) = index.last().cloned() {
        let is_later = order(&last, &position.file) == Some(std::cmp::Ordering::Greater);
        if !is_later && (keeps_file || last != position.file) {
            break;
        }
        remove(directory, &last)?;
        index.drop_last();
    }
    index.store(directory)?;
    if keeps_file && index.contains(&position.file) {
        RelayFile::reopen(directory, position)?;
    }
    Ok(())
}

/// Removes a relay file; one that is not there is no error.
pub(super) fn remove(directory: &Path, name: &str) -> Result<()> {
    match fs::remove_file(directory.join(name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Whether no whole event stands at `position` any more, although one was received there.
pub fn is_damaged(directory: &Path, position: &Position) -> bool {
    let looked = || -> Result<bool> {
        let length = fs::metadata(directory.join(position.file.as_ref()))?.len();
        let end = Position {
            file: position.file.clone(),
            offset: length,
        };
        let index = Arc::new(Index::load(directory)?.unwrap_or_default());
        let end = Arc::new(RelayEnd::new(Durable {
            end: Some(end),
            index,
        }));
        Ok(RelayReader::open(directory, end, position)?
            .next_event()?
            .is_none())
    };
    looked().unwrap_or(true)
}
