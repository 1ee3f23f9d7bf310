//! The watermark of a SQLite target: a small JSON file beside the databases, replaced atomically.
//!
//! It cannot stand in one of the databases: a database that was made after it, and whose first commit a crash took, would
//! have no trace of what it still needs.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::binlog::position::Position;
use crate::checkpoint::parked::ParkedXa;
use crate::checkpoint::{Checkpoint, Watermark};
use crate::disk::write_atomically;
use crate::error::{Error, ErrorKind, Result};

/// Its name in the target directory.
const FILE: &str = "_relaylite_watermark.json";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    source_id: String,
    file: String,
    pos: u64,
    gtid: String,
    source_timestamp: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parked: Vec<ParkedXa>,
}

/// Reads it; `None` on a fresh target.
pub fn load(directory: &Path) -> Result<Option<Watermark>> {
    let path = directory.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let record: Record = serde_json::from_str(&text).map_err(|error| {
        Error::new(
            ErrorKind::Target,
            format!("{} cannot be read", path.display()),
        )
        .with_source(error)
    })?;
    let at = Checkpoint {
        source_id: record.source_id.into(),
        position: Position::new(record.file, record.pos),
        executed: Arc::new(record.gtid.parse()?),
        timestamp: record.source_timestamp,
    };
    Ok(Some(Watermark {
        at,
        parked: record.parked,
    }))
}

/// Stores it durably.
pub(super) fn store(directory: &Path, watermark: &Watermark) -> Result<()> {
    let at = &watermark.at;
    let record = Record {
        source_id: at.source_id.to_string(),
        file: at.position.file.to_string(),
        pos: at.position.offset,
        gtid: at.executed.to_string(),
        source_timestamp: at.timestamp,
        parked: watermark.parked.clone(),
    };
    let text = serde_json::to_string_pretty(&record)
        .map_err(|error| Error::new(ErrorKind::Internal, "watermark").with_source(error))?;
    write_atomically(&directory.join(FILE), text.as_bytes())
}
