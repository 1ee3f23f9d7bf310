//! What a relay directory holds after a crash: everything up to the last whole event of the newest file.
//!
//! A torn tail, or bytes that fail their checksum, are cut away and fetched again. Older files were made durable before
//! the next one was begun; their bytes are checked when they are read.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::end::{Durable, RelayEnd};
use super::file::RelayFile;
use super::index::Index;
use super::reader::{RelayReader, open_file};
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position};
use crate::error::{ErrorKind, Result};

/// Finds the durable end of a source's relay directory.
///
/// With `repair`, files at the end that hold not even a head are taken out of the index; without it nothing is written
/// (for `status` and `relay list`).
///
/// # Errors
/// `Io`; damage is no error.
pub fn recover(directory: &Path, repair: bool) -> Result<Durable> {
    let mut index = Index::load(directory)?;
    loop {
        let Some(last) = index.last().cloned() else {
            return Ok(Durable {
                end: None,
                index: Arc::new(index),
            });
        };
        if let Some(offset) = whole_end(directory, &index, &last)? {
            if repair {
                // A killed process may have left it in the page cache. The end counts as durable from here on, and
                // where the dump begins is an acknowledgement to a semi-synchronous source.
                fs::File::open(directory.join(last.as_ref()))?.sync_all()?;
            }
            let end = Some(Position { file: last, offset });
            return Ok(Durable {
                end,
                index: Arc::new(index),
            });
        }
        index.drop_last(directory, repair)?;
        if repair {
            remove(directory, &last)?;
        }
    }
}

/// End of the last whole event of a file; `None` when it has no usable head.
fn whole_end(directory: &Path, index: &Index, name: &Arc<str>) -> Result<Option<u64>> {
    let length = match open_file(directory, name) {
        Ok((file, _)) => file.metadata()?.len(),
        Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(None),
        Err(error) if !directory.join(name.as_ref()).exists() => {
            tracing::warn!(file = %name, error = %error, "a relay file in the index is not there");
            return Ok(None);
        }
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

/// Empties a source's relay directory.
pub fn reset(directory: &Path) -> Result<()> {
    let mut index = Index::load(directory)?;
    while let Some(last) = index.last().cloned() {
        index.drop_last(directory, true)?;
        remove(directory, &last)?;
    }
    Ok(())
}

/// Cuts the relay log at `position`: what stands there and behind it is fetched again.
pub fn cut(directory: &Path, position: &Position) -> Result<()> {
    let mut index = Index::load(directory)?;
    while let Some(last) = index.last().cloned() {
        if last == position.file {
            if position.offset > FIRST_EVENT_OFFSET {
                RelayFile::reopen(directory, position)?;
                return Ok(());
            }
            index.drop_last(directory, true)?;
            return remove(directory, &last);
        }
        index.drop_last(directory, true)?;
        remove(directory, &last)?;
    }
    Ok(())
}

fn remove(directory: &Path, name: &str) -> Result<()> {
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
        let index = Arc::new(Index::load(directory)?);
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
