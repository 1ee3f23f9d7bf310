//! The socket in the relay directory: one request a connection, a line of JSON, and an answer in JSON.
//!
//! | request | answer |
//! |---|---|
//! | `{"request":"status"}`, or nothing | the status report |
//! | `{"request":"resync","tables":[{"database":"d","table":"t"}]}` | `{"error":null}`, or why not |
//!
//! Only the owner of the directory can connect (mode 0700). A socket's path may have no more than 108 bytes, a directory's
//! path may: both sides go through `/proc/self/fd` then.

use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;

use super::status::StatusReport;
use crate::config::limits::{
    CONTROL_REQUEST_BYTES_MAX, CONTROL_REQUEST_MS, STATUS_BYTES_MAX, STATUS_TIMEOUT_MS,
};
use crate::dispatch::quarantine::TableId;
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
        let listener = UnixListener::bind(&path)?;
        // Whatever the umask, and also in a directory that somebody has opened up.
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Self {
            listener,
            path,
            _directory: open,
        })
    }

    /// Answers until dropped. One slow client holds up nobody for longer than the time-outs.
    pub async fn serve(
        &self,
        report: impl Fn() -> StatusReport,
        resync: impl Fn(&TableId) -> Result<()>,
    ) {
        loop {
            let Ok((mut stream, _)) = self.listener.accept().await else {
                // Out of file descriptors: they come back.
                tokio::time::sleep(Duration::from_millis(STATUS_TIMEOUT_MS)).await;
                continue;
            };
            let text = match read_request(&mut stream).await {
                Ok(Request::Status) => serde_json::to_vec(&report()),
                Ok(Request::Resync { tables }) => {
                    let outcome = tables.iter().try_for_each(&resync);
                    serde_json::to_vec(&Answer::of(outcome))
                }
                Err(error) => serde_json::to_vec(&Answer::of(Err(error))),
            };
            let Ok(text) = text else { continue };
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

/// What a client wants.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    /// The status report.
    Status,
    /// Read these tables afresh.
    Resync { tables: Vec<TableId> },
}

/// The answer to what is no question.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    error: Option<String>,
}

impl Answer {
    fn of(outcome: Result<()>) -> Self {
        Self {
            error: outcome.err().map(|error| error.full_text()),
        }
    }
}

/// Reads the request. Who says nothing for a while wants the status.
async fn read_request(stream: &mut tokio::net::UnixStream) -> Result<Request> {
    let mut line = Vec::new();
    let mut reader = BufReader::new(stream.take(CONTROL_REQUEST_BYTES_MAX));
    let wait = Duration::from_millis(CONTROL_REQUEST_MS);
    // Too late, cut off, or nothing at all: what has come by then counts.
    let _ = tokio::time::timeout(wait, reader.read_until(b'\n', &mut line)).await;
    if line.trim_ascii().is_empty() {
        return Ok(Request::Status);
    }
    serde_json::from_slice(&line).map_err(|error| {
        Error::new(ErrorKind::Protocol, "a request that is not understood").with_source(error)
    })
}

/// Asks the process that holds `directory`; `None` when none answers.
fn call<T: DeserializeOwned>(directory: &Path, request: &Request) -> Result<Option<T>> {
    let Ok((path, _open)) = socket_path(directory) else {
        return Ok(None);
    };
    let Ok(mut stream) = UnixStream::connect(&path) else {
        return Ok(None);
    };
    let timeout = Some(Duration::from_millis(STATUS_TIMEOUT_MS));
    stream.set_read_timeout(timeout)?;
    stream.set_write_timeout(timeout)?;
    let mut line = serde_json::to_vec(request)
        .map_err(|error| Error::new(ErrorKind::Internal, "a request").with_source(error))?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut text = Vec::new();
    stream.take(STATUS_BYTES_MAX).read_to_end(&mut text)?;
    let answer = serde_json::from_slice(&text).map_err(|error| {
        let what = "the running process answers something else than was asked";
        Error::new(ErrorKind::Protocol, what).with_source(error)
    })?;
    Ok(Some(answer))
}

/// The status of the process that holds `directory`; `None` when none answers.
///
/// # Errors
/// `Protocol` when what answers is no relaylite.
pub fn ask(directory: &Path) -> Result<Option<StatusReport>> {
    call(directory, &Request::Status)
}

/// Asks the process that holds `directory` to read tables afresh; `None` when none answers.
///
/// # Errors
/// `Config` when it refuses; `Protocol`.
pub fn resync(directory: &Path, tables: Vec<TableId>) -> Result<Option<()>> {
    let answer: Option<Answer> = call(directory, &Request::Resync { tables })?;
    match answer {
        Some(Answer { error: Some(error) }) => Err(Error::new(ErrorKind::Config, error)),
        Some(Answer { error: None }) => Ok(Some(())),
        None => Ok(None),
    }
}
