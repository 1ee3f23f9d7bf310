//! What is in memory stays there: passwords and rows are in no core dump, and no other process of the same user reads them.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::error::{Error, ErrorKind, Result};

/// Forbids core dumps of this process. A program that the kernel pipes core dumps to is not asked either, and
/// `/proc/PID/environ`, which may hold a password, and `/proc/PID/mem` are for root alone from here on.
///
/// # Errors
/// `Io` when the system does not allow it.
pub fn forbid_core_dumps() -> Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .map_err(|error| {
            Error::new(ErrorKind::Io, "core dumps cannot be forbidden")
                .with_source(std::io::Error::from(error))
        })
}
