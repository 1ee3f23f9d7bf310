//! How to reach the source, and where to start in its history.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

use crate::binlog::gtid::GtidSet;
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position};
use crate::error::{Error, ErrorKind, Result};

/// `ssl_mode`, with MySQL's meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SslMode {
    /// Never TLS.
    Disabled,
    /// TLS when the server offers it, without checking the certificate.
    #[default]
    Preferred,
    /// TLS or no connection, without checking the certificate.
    Required,
    /// TLS, and the certificate must come from the CA.
    VerifyCa,
    /// TLS, and the certificate must come from the CA and name the host.
    VerifyIdentity,
}

/// TLS settings of a connection.
#[derive(Debug, Clone, Default)]
pub struct TlsConfig {
    /// `ssl_mode`.
    pub mode: SslMode,
    /// CA certificates in PEM; the web's roots when not given.
    pub ca: Option<PathBuf>,
    /// Client certificate in PEM.
    pub cert: Option<PathBuf>,
    /// Key of the client certificate in PEM.
    pub key: Option<PathBuf>,
}

/// Which driver talks to the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriverKind {
    /// Our own connection.
    #[default]
    Native,
    /// The mysql_cdc crate's client (cargo feature `mysql-cdc`).
    MysqlCdc,
}

/// Everything that a connection to the source needs.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User.
    pub user: String,
    /// Password; never shown.
    pub password: SecretString,
    /// Where it came from, when that was a file: read again for each connection, so that a new password needs no restart.
    pub password_file: Option<PathBuf>,
    /// TLS.
    pub tls: TlsConfig,
    /// Our own server id, 1 to 2^32-1.
    pub server_id: u32,
    /// Our own uuid, stable over restarts (kept in the relay directory).
    pub replica_uuid: String,
    /// Time between heartbeats when the source is idle; 0 asks for none.
    pub heartbeat_period: Duration,
    /// Time without any packet after which the connection is taken for dead.
    pub net_read_timeout: Duration,
    /// Driver.
    pub driver: DriverKind,
    /// Whether the source is told that we acknowledge what is durable here (semi-synchronous replication).
    pub semi_sync: bool,
}

impl SourceConfig {
    /// The password as it is now.
    ///
    /// # Errors
    /// `Access` when its file cannot be read, which may pass by as other refused logins do.
    pub fn current_password(&self) -> Result<SecretString> {
        match &self.password_file {
            None => Ok(self.password.clone()),
            Some(path) => password_in(path)
                .map_err(|error| Error::new(ErrorKind::Access, error.what()).with_source(error)),
        }
    }
}

/// The password that a file holds: all of it but the end of its line.
pub(super) fn password_in(path: &Path) -> Result<SecretString> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::new(
            ErrorKind::Config,
            format!("cannot read the password file {}", path.display()),
        )
        .with_source(error)
    })?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
}

/// The parts of `mysql://USER[:PASSWORD]@HOST[:PORT]`, as `--source` and `--target` take it.
///
/// The text itself is never kept and never part of an error, because it may hold a password.
#[derive(Debug, Clone)]
pub struct MySqlUrl {
    /// User.
    pub user: String,
    /// Password, where the URL holds one.
    pub password: Option<SecretString>,
    /// Host name or address; an IPv6 address without its brackets.
    pub host: String,
    /// TCP port; 3306 when not given.
    pub port: u16,
}

/// MySQL's port.
pub const DEFAULT_PORT: u16 = 3306;

impl FromStr for MySqlUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some(rest) = text.strip_prefix("mysql://") else {
            return Err(bad_url("it does not begin with mysql://"));
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let Some((login, address)) = rest.rsplit_once('@') else {
            return Err(bad_url("it names no user"));
        };
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (login, None),
        };
        let (host, port) = split_address(address)?;
        let user = percent_decode(user)?;
        if user.is_empty() {
            return Err(bad_url("it names no user"));
        }
        let password = password
            .map(percent_decode)
            .transpose()?
            .map(SecretString::from);
        Ok(Self {
            user,
            password,
            host,
            port,
        })
    }
}

/// Host and port of `HOST[:PORT]` or `[IPV6][:PORT]`.
fn split_address(address: &str) -> Result<(String, u16)> {
    let (host, port) = match address.strip_prefix('[').and_then(|a| a.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or_default())),
        None => match address.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let port = match port {
        Some(text) => text.parse().ok().filter(|port| *port != 0),
        None => Some(DEFAULT_PORT),
    };
    match port {
        Some(port) if !host.is_empty() && !host.contains(['/', '?', '#', ' ', '[', ']']) => {
            Ok((host.to_owned(), port))
        }
        Some(_) => Err(bad_url(
            "its host is empty or no host name, or something follows the port",
        )),
        None => Err(bad_url("its port is no number from 1 to 65535")),
    }
}

fn bad_url(why: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("a MySQL URL is mysql://USER[:PASSWORD]@HOST[:PORT]; in the one given, {why}"),
    )
}

fn percent_decode(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(bad_url(
                "a % is not followed by two hexadecimal digits (write %25 for %)",
            ));
        };
        bytes.push(u8::try_from(high << 4 | low).unwrap_or_default());
    }
    String::from_utf8(bytes).map_err(|_| bad_url("user or password is not UTF-8"))
}

/// Where to start when there is no checkpoint yet: `FILE:POS`, `gtid:SET`, `earliest` or `latest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// At a position, as in `MASTER_LOG_FILE` and `MASTER_LOG_POS`.
    Position(Position),
    /// After all transactions of a set.
    Gtid(GtidSet),
    /// At the head of the oldest binlog file.
    Earliest,
    /// At the end of the newest binlog file.
    Latest,
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Position(position) => write!(f, "{position}"),
            Self::Gtid(set) => write!(f, "gtid:{set}"),
            Self::Earliest => f.write_str("earliest"),
            Self::Latest => f.write_str("latest"),
        }
    }
}

impl FromStr for Start {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        if let Some(set) = text.strip_prefix("gtid:") {
            return Ok(Self::Gtid(set.parse()?));
        }
        match text {
            "earliest" => return Ok(Self::Earliest),
            "latest" => return Ok(Self::Latest),
            _ => {}
        }
        let Some((file, offset)) = text.rsplit_once(':') else {
            return Err(bad_start(text, "it has no colon"));
        };
        if file.is_empty() || file.contains(['/', '\\', '\0']) {
            return Err(bad_start(
                text,
                "FILE is the bare name of a binlog file of the source",
            ));
        }
        match offset.parse() {
            Ok(offset) if offset >= FIRST_EVENT_OFFSET => {
                Ok(Self::Position(Position::new(file, offset)))
            }
            Ok(_) => Err(bad_start(text, "the first position in a file is 4")),
            Err(_) => Err(bad_start(text, "POS is no number")),
        }
    }
}

fn bad_start(text: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!(
            "cannot start at '{text}': {why}; give FILE:POS (binlog.000012:4), gtid:SET, \
             earliest or latest"
        ),
    )
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn reads_urls() {
        let url: MySqlUrl = "mysql://slave:p%40ss:w@db.example:3307".parse().unwrap();
        assert_eq!(
            (url.user.as_str(), url.host.as_str(), url.port),
            ("slave", "db.example", 3307)
        );
        assert_eq!(url.password.as_ref().unwrap().expose_secret(), "p@ss:w");
        assert!(!format!("{url:?}").contains("p@ss"));
        let url: MySqlUrl = "mysql://root@[::1]:23306/".parse().unwrap();
        assert_eq!((url.host.as_str(), url.port), ("::1", 23306));
        assert!(url.password.is_none());
        assert_eq!("mysql://a:b@c@h".parse::<MySqlUrl>().unwrap().host, "h");
        assert_eq!("mysql://root@h".parse::<MySqlUrl>().unwrap().port, 3306);
    }

    #[test]
    fn a_bad_url_is_not_repeated() {
        for text in [
            "postgres://a:secret@h",
            "mysql://h:3306",
            "mysql://:secret@h",
            "mysql://u:secret@h:0",
            "mysql://u:secret@h:99999",
            "mysql://u:secret@:3306",
            "mysql://u:secret@h:3306/db",
            "mysql://u:secret%zz@h",
            "mysql://u:secret@[::1]3306",
        ] {
            let error = text.parse::<MySqlUrl>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
            assert!(
                !error.full_text().contains("secret"),
                "{}",
                error.full_text()
            );
        }
    }

    #[test]
    fn reads_starts() {
        for text in [
            "binlog.000012:154",
            "my:bin.1:4",
            "gtid:0-1-7",
            "earliest",
            "latest",
        ] {
            assert_eq!(text.parse::<Start>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "binlog.000001",
            "binlog.000001:",
            "b:3",
            ":4",
            "/var/b.1:4",
            "gtid:x",
            "Latest",
        ] {
            let error = text.parse::<Start>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
        }
    }
}
