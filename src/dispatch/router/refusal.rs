//! Why the applier stops at an event that it could read.

use super::Step;
use crate::error::{Error, ErrorKind};

/// What relaylite does not do.
pub(super) fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, what)
}

/// Number, length and text of the message (MySQL `Incident_event`); a reader of the error needs only the text.
pub(super) fn incident(step: Step<'_>) -> Error {
    const MESSAGE_AT: usize = 3;
    let message = step.body.get(MESSAGE_AT..).unwrap_or_default();
    unsupported(&format!(
        "the source reports an incident, changes were lost from its binlog: {}; copy the data afresh and start behind it, \
         or give the lost changes up and go on with --skip-to {}:{}",
        String::from_utf8_lossy(message),
        step.file,
        step.end
    ))
}

/// A statement in place of rows.
pub(super) fn not_row_format(what: &str, text: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "the binlog holds a statement that changes data ({what}), not its rows: {text}; set binlog_format=ROW on the \
             source for all sessions, copy the tables concerned afresh, and start behind this position"
        ),
    )
}
