//! Where the changes go: the target URL, parsed and checked.
//!
//! `sqlite:DIR`, or a [`MySqlUrl`] with `[?ssl_mode=…&ssl_ca=…&ssl_cert=…&ssl_key=…]` behind it; paths stand there as they
//! are. A password given beside the URL (environment, password file) wins over the one in it, and
//! neither is ever shown: `Display` and `Debug` leave it out.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;

use crate::config::source::{MySqlUrl, SslMode, TlsConfig};
use crate::error::{Error, ErrorKind, Result};

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
            return Ok(Self::Sqlite {
                dir: PathBuf::from(dir),
            });
        }
        if !url.starts_with("mysql://") {
            return Err(bad(
                "the target URL must be sqlite:DIR or mysql://USER[:PASSWORD]@HOST[:PORT]",
            ));
        }
        MysqlTargetConfig::parse(url, password).map(Self::Mysql)
    }
}

impl MysqlTargetConfig {
    fn parse(url: &str, password: Option<SecretString>) -> Result<Self> {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let url: MySqlUrl = address.parse()?;
        Ok(Self {
            host: url.host,
            port: url.port,
            user: url.user,
            password: password.or(url.password).unwrap_or_default(),
            tls: parse_tls(query)?,
        })
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

/// The part behind `?`.
fn parse_tls(query: &str) -> Result<TlsConfig> {
    let mut tls = TlsConfig::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match key {
            "ssl_mode" => tls.mode = parse_ssl_mode(value)?,
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
        let target = mysql(
            "mysql://rep:p%40ss:w@db.example:3307?ssl_mode=verify_ca&ssl_ca=/ca.pem",
            None,
        );
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
