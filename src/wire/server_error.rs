//! ERR packets: the server's number, state and words.

use crate::binlog::bytes::Bytes;
use crate::config::limits::SERVER_ERROR_BYTES_MAX;
use crate::error::{Error, ErrorKind, Result};

/// First byte of an ERR packet.
pub(super) const ERR: u8 = 0xff;

/// What a server answers instead of doing what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// The server's error number.
    pub errno: u16,
    /// SQLSTATE, five characters; empty before the login.
    pub state: String,
    /// The server's text.
    pub text: String,
}

impl ServerError {
    /// The error in a packet that begins with 0xFF; `None` for any other packet.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let mut r = Bytes::new(packet);
        if r.u8().ok()? != ERR {
            return None;
        }
        let errno = r.u16().ok()?;
        let mut rest = r.rest();
        let mut state = String::new();
        if let Some((b"#", after)) = rest.split_at_checked(1)
            && let Some((five, text)) = after.split_at_checked(5)
        {
            state = String::from_utf8_lossy(five).into_owned();
            rest = text;
        }
        let text = rest.get(..SERVER_ERROR_BYTES_MAX).unwrap_or(rest);
        Some(Self {
            errno,
            state,
            text: String::from_utf8_lossy(text).into_owned(),
        })
    }

    /// What it means for the caller.
    pub fn kind(&self) -> ErrorKind {
        match self.errno {
            // Login, account and privilege errors of both servers.
            1044 | 1045 | 1130 | 1142 | 1143 | 1227 | 1251 | 1524 | 1698 | 1820 | 1862 | 3118
            | 3955 | 4151 => ErrorKind::Access,
            // Fatal dump error; MariaDB's duplicate server id.
            1236 | 4052 => ErrorKind::Dump,
            // Too many connections, shutting down, killed, blocked host: all pass by.
            1040 | 1053 | 1077 | 1129 | 1203 | 1226 | 1317 | 1927 | 3032 | 3168 | 3169 | 4031 => {
                ErrorKind::Network
            }
            _ => ErrorKind::Protocol,
        }
    }

    /// The error without an explanation.
    pub fn into_error(self) -> Error {
        let kind = self.kind();
        let errno = self.errno;
        let what = if self.state.is_empty() {
            format!("the server answers {errno}: {}", self.text)
        } else {
            format!("the server answers {errno} ({}): {}", self.state, self.text)
        };
        Error::new(kind, what).with_errno(errno)
    }
}

/// The packet, or the error that it holds.
pub(super) fn check(packet: Vec<u8>) -> Result<Vec<u8>> {
    match ServerError::parse(&packet) {
        Some(error) => Err(error.into_error()),
        None => Ok(packet),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_errors_with_and_without_state() {
        let error = ServerError::parse(b"\xff\x15\x04#28000Access denied").unwrap();
        assert_eq!((error.errno, error.state.as_str()), (1045, "28000"));
        assert_eq!(error.kind(), ErrorKind::Access);
        assert_eq!(
            error.into_error().to_string(),
            "the server answers 1045 (28000): Access denied"
        );
        let early = ServerError::parse(b"\xff\x10\x04Too many connections").unwrap();
        assert_eq!(
            (early.errno, early.text.as_str()),
            (1040, "Too many connections")
        );
        assert_eq!(early.kind(), ErrorKind::Network);
        assert_eq!(ServerError::parse(b"\x00\x15\x04"), None);
        assert_eq!(ServerError::parse(b"\xff\x15"), None);
    }
}
