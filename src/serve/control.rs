//! The socket in the relay directory: whoever connects gets the status report as JSON.
//!
//! Only the owner of the directory can connect (mode 0700). A socket's path may have no more than 108 bytes, a directory's
//! path may: both sides go through `/proc/self/fd` then.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;

use super::status::StatusReport;
use crate::config::limits::{STATUS_BYTES_MAX, STATUS_TIMEOUT_MS};
use crate::error::{Error, ErrorKind, Result};

const SOCKET: &str = "relaylite.sock";

/// A path to the socket that is short enough, and the open directory that keeps it valid.
fn socket_path(directory: &Path) -> Result<(PathBuf, File)> {
    let open = File::open(directory)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", open.as_raw_fd()));
    Ok((path, open))
}

/// The listening socket; taken away when dropped.
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
    _directory: File,
}

impl Control {
    /// Listens in `directory`, which the caller holds: a socket left there is nobody's.
    pub fn listen(directory: &Path) -> Result<Self> {
        let (path, open) = socket_path(directory)?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        Ok(Self {
            listener: UnixListener::bind(&path)?,
            path,
            _directory: open,
        })
    }

    /// Answers until dropped. One slow reader holds up nobody for longer than the time-out.
    pub async fn serve(&self, report: impl Fn() -> StatusReport) {
        loop {
            let Ok((mut stream, _)) = self.listener.accept().await else {
                // Out of file descriptors: they come back.
                tokio::time::sleep(Duration::from_millis(STATUS_TIMEOUT_MS)).await;
                continue;
            };
            let Ok(text) = serde_json::to_vec(&report()) else {
                continue;
            };
            let answer = async {
                stream.write_all(&text).await?;
                stream.shutdown().await
            };
            // Whoever asked may have gone.
            let _ = tokio::time::timeout(Duration::from_millis(STATUS_TIMEOUT_MS), answer).await;
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // The next start removes it, if this could not.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Asks the process that holds `directory`; `None` when none answers.
///
/// # Errors
/// `Protocol` when what answers is no relaylite.
pub fn ask(directory: &Path) -> Result<Option<StatusReport>> {
    let Ok((path, _open)) = socket_path(directory) else {
        return Ok(None);
    };
    let Ok(stream) = UnixStream::connect(&path) else {
        return Ok(None);
    };
    stream.set_read_timeout(Some(Duration::from_millis(STATUS_TIMEOUT_MS)))?;
    let mut text = Vec::new();
    stream.take(STATUS_BYTES_MAX).read_to_end(&mut text)?;
    let report = serde_json::from_slice(&text).map_err(|error| {
        Error::new(ErrorKind::Protocol, "the running process gives no status").with_source(error)
    })?;
    Ok(Some(report))
}
