//! Where the changes go: the target URL, parsed and checked.
//!
//! `sqlite:DIR`, or `mysql://USER[:PASSWORD]@HOST[:PORT][?ssl_mode=…&ssl_ca=…&ssl_cert=…&ssl_key=…]`. User and password
//! are percent-decoded. A password given beside the URL (environment, password file) wins over the one in it, and
//! neither is ever shown: `Display` and `Debug` leave it out.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;

use crate::config::source::{SslMode, TlsConfig};
use crate::error::{Error, ErrorKind, Result};

/// The port that MySQL and MariaDB listen on unless told otherwise.
const MYSQL_PORT: u16 = 3306;

/// The target of replication.
#[derive(Debug, Clone)]
pub enum TargetConfig {
    /// One SQLite file per database in a directory.
    Sqlite {
        /// The directory.
        dir: PathBuf,
    },
    /// A server that speaks the MySQL protocol.
    Mysql(MysqlTargetConfig),
}

/// How to reach a MySQL target.
#[derive(Debug, Clone)]
pub struct MysqlTargetConfig {
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User.
    pub user: String,
    /// Password; never shown.
    pub password: SecretString,
    /// TLS.
    pub tls: TlsConfig,
}

impl TargetConfig {
    /// Parses a target URL; `password`, where given, is used instead of the URL's own.
    ///
    /// # Errors
    /// `Config` with the part that cannot be used and what to write instead. The text never holds the URL itself,
    /// because it may hold a password.
    pub fn parse(url: &str, password: Option<SecretString>) -> Result<Self> {
        if let Some(dir) = url.strip_prefix("sqlite:") {
            if dir.is_empty() {
                return Err(bad("the target URL names no directory; write sqlite:DIR"));
            }
            return Ok(Self::Sqlite { dir: PathBuf::from(dir) });
        }
        let Some(rest) = url.strip_prefix("mysql://") else {
            return Err(bad(
                "the target URL must be sqlite:DIR or mysql://USER[:PASSWORD]@HOST[:PORT]",
            ));
        };
        MysqlTargetConfig::parse(rest, password).map(Self::Mysql)
    }
}

impl MysqlTargetConfig {
    /// Parses what follows `mysql://`.
    fn parse(rest: &str, password: Option<SecretString>) -> Result<Self> {
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let Some((login, address)) = authority.rsplit_once('@') else {
            return Err(bad("the target URL names no user; write mysql://USER@HOST[:PORT]"));
        };
        if address.contains('/') {
            return Err(bad(
                "the target URL must not name a database: each source database goes into the target's \
                 database of the same name",
            ));
        }
        let (user, url_password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (login, None),
        };
        let user = percent_decode(user, "user")?;
        if user.is_empty() {
            return Err(bad("the target URL names no user; write mysql://USER@HOST[:PORT]"));
        }
        let password = match (password, url_password) {
            (Some(password), _) => password,
            (None, Some(text)) => SecretString::from(percent_decode(text, "password")?),
            (None, None) => SecretString::from(""),
        };
        let (host, port) = parse_address(address)?;
        Ok(Self { host, port, user, password, tls: parse_tls(query)? })
    }

    /// `HOST:PORT`, for messages.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for TargetConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { dir } => write!(f, "sqlite:{}", dir.display()),
            Self::Mysql(mysql) => write!(f, "mysql://{}@{}", mysql.user, mysql.address()),
        }
    }
}

/// `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`.
fn parse_address(address: &str) -> Result<(String, u16)> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, tail) = rest
                .split_once(']')
                .ok_or_else(|| bad("the target URL's address lacks the closing bracket"))?;
            match tail.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if tail.is_empty() => (host, None),
                None => return Err(bad("write an IPv6 target as [ADDRESS]:PORT")),
            }
        }
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    if host.is_empty() {
        return Err(bad("the target URL names no host; write mysql://USER@HOST[:PORT]"));
    }
    let port = match port {
        None => MYSQL_PORT,
        Some(text) => text.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
            bad(&format!("`{text}` is no port; the target URL takes a number from 1 to 65535"))
        })?,
    };
    Ok((percent_decode(host, "host")?, port))
}

/// The part behind `?`.
fn parse_tls(query: &str) -> Result<TlsConfig> {
    let mut tls = TlsConfig::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decode(value, key)?;
        match key {
            "ssl_mode" => tls.mode = parse_ssl_mode(&value)?,
            "ssl_ca" => tls.ca = Some(PathBuf::from(value)),
            "ssl_cert" => tls.cert = Some(PathBuf::from(value)),
            "ssl_key" => tls.key = Some(PathBuf::from(value)),
            _ => {
                return Err(bad(&format!(
                    "the target URL has an unknown parameter `{key}`; it takes ssl_mode, ssl_ca, ssl_cert and ssl_key"
                )));
            }
        }
    }
    Ok(tls)
}

fn parse_ssl_mode(text: &str) -> Result<SslMode> {
    match text.to_ascii_lowercase().as_str() {
        "disabled" => Ok(SslMode::Disabled),
        "preferred" => Ok(SslMode::Preferred),
        "required" => Ok(SslMode::Required),
        "verify_ca" => Ok(SslMode::VerifyCa),
        "verify_identity" => Ok(SslMode::VerifyIdentity),
        _ => Err(bad(&format!(
            "`{text}` is no ssl_mode; it is disabled, preferred, required, verify_ca or verify_identity"
        ))),
    }
}

/// Undoes `%41`; the result must be UTF-8. `what` names the part, the text itself is kept out of the message.
fn percent_decode(text: &str, what: &str) -> Result<String> {
    let broken = || bad(&format!("the {what} in the target URL is not percent-encoded UTF-8"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let (digits, tail) = tail.split_first_chunk::<2>().ok_or_else(broken)?;
            let digits = std::str::from_utf8(digits).map_err(|_| broken())?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| broken())?);
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::Config, what)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn mysql(url: &str, password: Option<&str>) -> MysqlTargetConfig {
        match TargetConfig::parse(url, password.map(SecretString::from)).unwrap() {
            TargetConfig::Mysql(mysql) => mysql,
            TargetConfig::Sqlite { .. } => panic!("not mysql"),
        }
    }

    #[test]
    fn urls_of_both_kinds_parse() {
        let sqlite = TargetConfig::parse("sqlite:/var/lib/x y", None).unwrap();
        assert_eq!(sqlite.to_string(), "sqlite:/var/lib/x y");
        let target = mysql("mysql://rep:p%40ss:w@db.example:3307?ssl_mode=verify_ca&ssl_ca=/ca.pem", None);
        assert_eq!((target.host.as_str(), target.port), ("db.example", 3307));
        assert_eq!(target.user, "rep");
        assert_eq!(target.password.expose_secret(), "p@ss:w");
        assert_eq!(target.tls.mode, SslMode::VerifyCa);
        assert_eq!(target.tls.ca, Some(PathBuf::from("/ca.pem")));
        let target = mysql("mysql://root@[::1]/", Some("given"));
        assert_eq!((target.host.as_str(), target.port), ("::1", 3306));
        assert_eq!(target.password.expose_secret(), "given");
        assert_eq!(target.address(), "[::1]:3306");
    }

    #[test]
    fn a_password_beside_the_url_wins() {
        let target = mysql("mysql://u:in-url@h", Some("beside"));
        assert_eq!(target.password.expose_secret(), "beside");
    }

    #[test]
    fn the_password_is_never_shown() {
        let target = TargetConfig::parse("mysql://u:s3cret@h:1", None).unwrap();
        assert_eq!(target.to_string(), "mysql://u@h:1");
        assert!(!format!("{target:?}").contains("s3cret"));
    }

    #[test]
    fn wrong_urls_are_refused_without_repeating_the_password() {
        for url in [
            "",
            "sqlite:",
            "postgres://s3cret@h",
            "mysql://h:3306",
            "mysql://:s3cret@h",
            "mysql://u:s3cret@",
            "mysql://u:s3cret@h:0",
            "mysql://u:s3cret@h:70000",
            "mysql://u:s3cret@[::1",
            "mysql://u:s3cret@[::1]x",
            "mysql://u:s3cret%4@h",
            "mysql://u:s3cret@h/database",
            "mysql://u:s3cret@h?ssl_mode=maybe",
            "mysql://u:s3cret@h?ssl=1",
        ] {
            let error = TargetConfig::parse(url, None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            assert!(!error.full_text().contains("s3cret"), "{url}: {error}");
        }
    }
}
