//! SQLite's errors as ours.

use rusqlite::Connection;
use rusqlite::ffi::ErrorCode;
use rusqlite::limits::Limit;

use crate::apply::work::interrupted;
use crate::error::{Error, ErrorKind};

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let (kind, what) = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
                ErrorKind::TargetBusy,
                "the SQLite file is locked by another writer; end that program, relaylite tries again",
            ),
            Some(ErrorCode::OperationInterrupted) => return interrupted().with_source(error),
            Some(ErrorCode::DiskFull) => (ErrorKind::DiskFull, "no space left for the SQLite file"),
            Some(ErrorCode::ConstraintViolation) if is_duplicate(&error) => {
                (ErrorKind::DuplicateRow, "the row is in the target already")
            }
            Some(ErrorCode::TooBig) => {
                return Self::new(ErrorKind::Unsupported, too_big()).with_source(error);
            }
            // `Unknown` is SQLITE_ERROR: the statement does not fit what is in the file (no such table, no such column).
            Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::Unknown) => {
                (
                    ErrorKind::Refused,
                    "SQLite does not take this change of the table",
                )
            }
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                (ErrorKind::Target, "the SQLite file cannot be written")
            }
            _ => (ErrorKind::Target, "SQLite refused"),
        };
        Self::new(kind, what).with_source(error)
    }
}

fn too_big() -> String {
    let built_with = Connection::open_in_memory()
        .and_then(|connection| connection.limit(Limit::SQLITE_LIMIT_LENGTH));
    match built_with {
        Ok(bytes) => format!("a row is larger than SQLite's limit, {bytes} bytes as it was built"),
        Err(_) => "a row is larger than SQLite's limit".to_owned(),
    }
}

/// A key that is there already, not another constraint (<https://sqlite.org/rescode.html>).
fn is_duplicate(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{
        SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_ROWID, SQLITE_CONSTRAINT_UNIQUE,
    };
    let code = error.sqlite_error().map(|error| error.extended_code);
    [
        SQLITE_CONSTRAINT_PRIMARYKEY,
        SQLITE_CONSTRAINT_ROWID,
        SQLITE_CONSTRAINT_UNIQUE,
    ]
    .into_iter()
    .any(|known| code == Some(known))
}
