//! `mysql://USER[:PASSWORD]@HOST[:PORT]` with percent-encoded parts.

use std::fmt;

use secrecy::SecretString;
use url::Url;

use crate::error::{Error, ErrorKind, Result};

/// MySQL's own port.
const DEFAULT_PORT: u16 = 3306;

/// A server's address and login.
#[derive(Clone)]
pub struct MySqlUrl {
    /// Host name or address, IPv6 without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User.
    pub user: String,
    /// Password where the URL holds one.
    pub password: Option<SecretString>,
    /// `?key=value` pairs.
    pub options: Vec<(String, String)>,
}

impl MySqlUrl {
    /// Parses a URL given as `what` (`--source`, `--target`), which errors name. The URL itself is never in an
    /// error: it may hold a password.
    ///
    /// # Errors
    /// `Config` with the form that is wanted.
    pub fn parse(text: &str, what: &str) -> Result<Self> {
        let bad = |why: &str| {
            Error::new(
                ErrorKind::Config,
                format!("{what}: {why}; write mysql://USER@HOST:PORT"),
            )
        };
        let url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
        if !matches!(url.scheme(), "mysql" | "mariadb") {
            return Err(bad(&format!("`{}:` is not mysql:", url.scheme())));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| bad("no host"))?;
        if !matches!(url.path(), "" | "/") {
            return Err(bad("a database name has no meaning here"));
        }
        let decode = |part: &str| percent_decode(part).ok_or_else(|| bad("text that is not UTF-8"));
        let user = decode(url.username())?;
        if user.is_empty() {
            return Err(bad("no user"));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Self {
            host: decode(host)?,
            port: url.port().unwrap_or(DEFAULT_PORT),
            user,
            password: url.password().map(decode).transpose()?.map(SecretString::from),
            options: url.query_pairs().map(|(k, v)| (k.into_owned(), v.into_owned())).collect(),
        })
    }
}

impl fmt::Debug for MySqlUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mysql://{}@{}:{}", self.user, self.host, self.port)
    }
}

fn percent_decode(text: &str) -> Option<String> {
    percent_encoding::percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn parts_come_out_decoded_and_the_password_stays_hidden() {
        let url = MySqlUrl::parse("mysql://a%40b:p%3Aw%2F%C3%A9@[::1]:3310?ssl_mode=required", "x").unwrap();
        assert_eq!((url.user.as_str(), url.host.as_str(), url.port), ("a@b", "::1", 3310));
        assert_eq!(url.password.as_ref().unwrap().expose_secret(), "p:w/é");
        assert_eq!(url.options, [("ssl_mode".to_owned(), "required".to_owned())]);
        assert_eq!(format!("{url:?}"), "mysql://a@b@::1:3310");
    }

    #[test]
    fn errors_say_the_form_and_never_the_password() {
        for bad in ["", "x", "http://u:secret@h", "mysql://:secret@h", "mysql://u:secret@h:99999", "mysql://u:secret@h/db"] {
            let error = MySqlUrl::parse(bad, "--source").unwrap_err();
            assert!(error.what().contains("mysql://USER@HOST:PORT"), "{error}");
            assert!(!error.what().contains("secret"), "{error}");
        }
    }
}
