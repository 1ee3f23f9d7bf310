//! Authentication plugins: what proves the password to the server.
//!
//! The password itself leaves only over TLS or under the server's RSA key.

use mysql_common::auth::plugins::ChallengeResponsePlugin;
use mysql_common::auth::plugins::caching_sha2_password::scramble_sha256;
use mysql_common::auth::plugins::client_ed25519::ClientEd25519;
use mysql_common::auth::plugins::mysql_native_password::scramble_native;

use super::connection::Connection;
use super::rsa;
use super::server_error::check;
use crate::binlog::bytes::Bytes;
use crate::config::limits::QUERY_PACKET_BYTES_MAX;
use crate::error::{Error, ErrorKind, Result};

/// `mysql_native_password`, the default of MariaDB and of MySQL before 8.0.
pub(super) const NATIVE: &str = "mysql_native_password";
/// `caching_sha2_password`, the default of MySQL since 8.0.
const CACHING_SHA2: &str = "caching_sha2_password";
/// `sha256_password`, of MySQL 5.6 to 9.
const SHA256: &str = "sha256_password";
/// `ed25519` of MariaDB: a signature of the nonce, so that the server keeps nothing that a client could log in with.
const ED25519: &str = "client_ed25519";
/// `mysql_clear_password`, for PAM and LDAP.
const CLEAR: &str = "mysql_clear_password";

/// First bytes of the packets of a login.
const OK: u8 = 0x00;
const MORE_DATA: u8 = 0x01;
const SWITCH: u8 = 0xfe;

/// caching_sha2_password: the server knows the password already, or wants all of it.
const FAST_AUTH_OK: u8 = 3;
const FULL_AUTH: u8 = 4;

/// Requests for the server's RSA key.
const CACHING_SHA2_KEY_REQUEST: u8 = 2;
const SHA256_KEY_REQUEST: u8 = 1;

/// One attempt to prove the password with one plugin.
pub(super) struct Proof<'a> {
    plugin: String,
    nonce: Vec<u8>,
    password: &'a [u8],
    /// Whether nobody can listen.
    tls: bool,
}

impl<'a> Proof<'a> {
    /// The plugin that the server's greeting names; where we do not have it, the account may still use another one.
    pub(super) fn new(plugin: &str, nonce: &[u8], password: &'a [u8], tls: bool) -> Self {
        let known = [NATIVE, CACHING_SHA2, SHA256, ED25519, CLEAR].contains(&plugin);
        let plugin = if known { plugin } else { NATIVE };
        Self {
            plugin: plugin.to_owned(),
            nonce: nonce.to_owned(),
            password,
            tls,
        }
    }

    /// The plugin's name.
    pub(super) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// What goes out first.
    pub(super) fn first(&self) -> Result<Vec<u8>> {
        match self.plugin.as_str() {
            NATIVE => Ok(scramble_native(&self.nonce, self.password)
                .map(Vec::from)
                .unwrap_or_default()),
            CACHING_SHA2 => {
                let nonce = self.nonce.as_slice().try_into().map_err(|_| {
                    Error::new(
                        ErrorKind::Protocol,
                        "the server sent a nonce that has not 20 bytes",
                    )
                })?;
                Ok(scramble_sha256(nonce, self.password)
                    .map(Vec::from)
                    .unwrap_or_default())
            }
            ED25519 => ed25519(self.password, &self.nonce),
            SHA256 if self.tls || self.password.is_empty() => Ok(self.clear()),
            SHA256 => Ok(vec![SHA256_KEY_REQUEST]),
            CLEAR if self.tls => Ok(self.clear()),
            CLEAR => Err(Error::new(
                ErrorKind::Access,
                "the server asks for the password in clear text (mysql_clear_password), which is \
                 sent over TLS only; set ssl_mode = required",
            )),
            other => Err(Error::new(
                ErrorKind::Access,
                format!(
                    "the account uses the authentication plugin '{other}', which relaylite does \
                     not have; create its user with {CACHING_SHA2} (MySQL) or {NATIVE} (MariaDB)"
                ),
            )
            .with_errno(2059)),
        }
    }

    /// The answer to further data of the server; `None` when nothing is to be sent.
    fn next(&self, data: &[u8]) -> Result<Option<Vec<u8>>> {
        match (self.plugin.as_str(), data) {
            (CACHING_SHA2, [FAST_AUTH_OK]) => Ok(None),
            (CACHING_SHA2, [FULL_AUTH]) if self.tls => Ok(Some(self.clear())),
            (CACHING_SHA2, [FULL_AUTH]) => Ok(Some(vec![CACHING_SHA2_KEY_REQUEST])),
            (CACHING_SHA2 | SHA256, key) if !self.tls => {
                rsa::encrypt(self.password, &self.nonce, key).map(Some)
            }
            _ => Err(Error::new(
                ErrorKind::Protocol,
                format!("the server sent what {} does not know", self.plugin),
            )),
        }
    }

    fn clear(&self) -> Vec<u8> {
        self.password.iter().copied().chain([0]).collect()
    }

    /// Goes through the exchange until the server lets us in.
    pub(super) async fn run(mut self, connection: &mut Connection) -> Result<()> {
        // Every plugin is done after a few packets; a server that never ends is none.
        for _ in 0..16 {
            let packet = check(connection.read_packet(QUERY_PACKET_BYTES_MAX).await?)?;
            let mut r = Bytes::new(&packet);
            let answer = match r.u8()? {
                OK => return Ok(()),
                MORE_DATA => self.next(r.rest())?,
                SWITCH if r.is_empty() => {
                    return Err(Error::new(
                        ErrorKind::Access,
                        "the account has a password of before MySQL 4.1 (mysql_old_password); \
                         set it anew",
                    ));
                }
                SWITCH => {
                    self.plugin = String::from_utf8_lossy(r.until_nul()).into_owned();
                    self.nonce = r.rest().strip_suffix(&[0]).unwrap_or(r.rest()).to_vec();
                    Some(self.first()?)
                }
                other => {
                    return Err(
                        connection.protocol_error(&format!("packet {other:#x} in the login"))
                    );
                }
            };
            if let Some(answer) = answer {
                connection.write_packet(&answer).await?;
            }
        }
        Err(connection.protocol_error("the login does not end"))
    }
}

/// What mysql_common asks for besides the nonce.
struct Secret<'a> {
    password: &'a [u8],
    nonce: &'a [u8],
}

impl mysql_common::auth::plugins::Context for Secret<'_> {
    fn pass(&self) -> &[u8] {
        self.password
    }

    fn is_ipc_transport(&self) -> bool {
        false
    }

    fn is_tls_transport(&self) -> bool {
        false
    }

    fn scramble(&self) -> &[u8] {
        self.nonce
    }

    fn server_key_pem(&self) -> Option<&[u8]> {
        None
    }
}

/// The signature of a nonce, by the key that the password is.
fn ed25519(password: &[u8], nonce: &[u8]) -> Result<Vec<u8>> {
    let answer = ClientEd25519::default().run(Secret { password, nonce }, nonce);
    answer
        .map(|answer| answer.data().unwrap_or_default().to_vec())
        .map_err(|cause| {
            let what = "the server sent a nonce that ed25519 cannot sign";
            Error::new(ErrorKind::Protocol, what).with_source(cause)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(plugin: &str, tls: bool) -> Proof<'static> {
        let mut proof = Proof::new(NATIVE, b"01234567890123456789", b"secret", tls);
        plugin.clone_into(&mut proof.plugin);
        proof
    }

    #[test]
    fn the_password_leaves_in_clear_only_over_tls() {
        for plugin in [NATIVE, CACHING_SHA2, SHA256] {
            let first = proof(plugin, false).first().unwrap();
            assert!(!first.windows(6).any(|w| w == b"secret"), "{plugin}");
        }
        assert_eq!(
            proof(CLEAR, false).first().unwrap_err().kind(),
            ErrorKind::Access
        );
        assert_eq!(proof(CLEAR, true).first().unwrap(), b"secret\0");
        assert_eq!(proof(SHA256, true).first().unwrap(), b"secret\0");
        assert_eq!(
            proof(CACHING_SHA2, true)
                .next(&[FULL_AUTH])
                .unwrap()
                .unwrap(),
            b"secret\0"
        );
        assert_eq!(
            proof(CACHING_SHA2, false)
                .next(&[FULL_AUTH])
                .unwrap()
                .unwrap(),
            [2]
        );
        assert_eq!(
            proof(CACHING_SHA2, false).next(&[FAST_AUTH_OK]).unwrap(),
            None
        );
        assert!(proof(CACHING_SHA2, false).next(b"no key").is_err());
        assert!(proof(NATIVE, false).next(&[FULL_AUTH]).is_err());
    }

    #[test]
    fn an_unknown_plugin_is_named() {
        let error = proof("auth_gssapi_client", true).first().unwrap_err();
        assert_eq!((error.kind(), error.errno()), (ErrorKind::Access, 2059));
        assert!(error.what().contains("auth_gssapi_client"));
        assert_eq!(
            Proof::new("auth_gssapi_client", &[], b"", true).plugin(),
            NATIVE
        );
    }
}
