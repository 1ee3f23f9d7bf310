//! The greeting of the server, and our answer to it.

use mysql_common::constants::CapabilityFlags as Capability;

use crate::binlog::bytes::Bytes;
use crate::error::{Error, ErrorKind, Result};

/// `utf8mb4_general_ci`: the one utf8mb4 collation that both servers of every version know by the same number.
const COLLATION: u8 = 45;

/// What we let the server send at most: its own limit on `max_allowed_packet`.
const MAX_ALLOWED_PACKET: u32 = 1 << 30;

/// Length of the nonce that a password is scrambled with.
const NONCE_BYTES: usize = 20;

/// HandshakeV10: what the server says first.
#[derive(Debug, PartialEq)]
pub(super) struct Greeting {
    /// Version as the server words it; MariaDB puts `5.5.5-` before it for old replicas.
    pub(super) version: String,
    /// What the server can do.
    pub(super) capabilities: Capability,
    /// For scrambling the password.
    pub(super) nonce: Vec<u8>,
    /// The server's default authentication plugin.
    pub(super) plugin: String,
}

impl Greeting {
    pub(super) fn parse(packet: &[u8]) -> Result<Self> {
        Self::parse_fields(packet).map_err(|cause| {
            Error::new(
                ErrorKind::Protocol,
                "this is no greeting of a MySQL or MariaDB server",
            )
            .with_source(cause)
        })
    }

    fn parse_fields(packet: &[u8]) -> Result<Self> {
        let mut r = Bytes::new(packet);
        let protocol = r.u8()?;
        if protocol != 10 {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!("protocol version {protocol}, not 10"),
            ));
        }
        let version = String::from_utf8_lossy(r.until_nul()).into_owned();
        let _connection_id = r.u32()?;
        let mut nonce = r.take(8)?.to_vec();
        let _filler = r.u8()?;
        let low = r.u16()?;
        let (_collation, _status) = (r.u8()?, r.u16()?);
        let high = r.u16()?;
        let capabilities = Capability::from_bits_truncate(u32::from(low) | (u32::from(high) << 16));
        let nonce_len = usize::from(r.u8()?);
        // MariaDB keeps capability bits of its own in the last four; none of them is needed here.
        r.take(10)?;
        if capabilities.contains(Capability::CLIENT_SECURE_CONNECTION) {
            // At least 13 bytes, the last one a NUL that is not part of the nonce.
            let rest = nonce_len.saturating_sub(8).max(13).min(r.len());
            nonce.extend_from_slice(r.take(rest)?);
        }
        nonce.truncate(NONCE_BYTES);
        let plugin = if capabilities.contains(Capability::CLIENT_PLUGIN_AUTH) {
            String::from_utf8_lossy(r.until_nul()).into_owned()
        } else {
            super::auth::NATIVE.to_owned()
        };
        Ok(Self {
            version,
            capabilities,
            nonce,
            plugin,
        })
    }
}

/// The capabilities that we ask for, as far as the server has them.
pub(super) fn capabilities(server: Capability, tls: bool) -> Capability {
    let mut wanted = Capability::CLIENT_LONG_PASSWORD
        | Capability::CLIENT_LONG_FLAG
        | Capability::CLIENT_PROTOCOL_41
        | Capability::CLIENT_TRANSACTIONS
        | Capability::CLIENT_SECURE_CONNECTION
        | Capability::CLIENT_PLUGIN_AUTH
        | Capability::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
        | Capability::CLIENT_CONNECT_ATTRS;
    if tls {
        wanted |= Capability::CLIENT_SSL;
    }
    // MariaDB clears the first bit to say that it is MariaDB; without it in our answer, it would look for more of its
    // own capability bits.
    wanted & (server | Capability::CLIENT_LONG_PASSWORD)
}

/// The head of our answer; all of it when TLS comes next.
pub(super) fn answer_head(capabilities: Capability) -> Vec<u8> {
    let mut out = Vec::with_capacity(32);
    out.extend_from_slice(&capabilities.bits().to_le_bytes());
    out.extend_from_slice(&MAX_ALLOWED_PACKET.to_le_bytes());
    out.push(COLLATION);
    out.extend_from_slice(&[0; 23]);
    out
}

/// HandshakeResponse41.
pub(super) fn answer(capabilities: Capability, user: &str, plugin: &str, proof: &[u8]) -> Vec<u8> {
    let mut out = answer_head(capabilities);
    put_nul_string(&mut out, user);
    put_short_bytes(&mut out, proof);
    if capabilities.contains(Capability::CLIENT_PLUGIN_AUTH) {
        put_nul_string(&mut out, plugin);
    }
    if capabilities.contains(Capability::CLIENT_CONNECT_ATTRS) {
        let mut attributes = Vec::new();
        for (key, value) in [
            ("program_name", env!("CARGO_PKG_NAME")),
            ("_client_name", env!("CARGO_PKG_NAME")),
            ("_client_version", env!("CARGO_PKG_VERSION")),
            ("_os", std::env::consts::OS),
            ("_platform", std::env::consts::ARCH),
            ("_pid", &std::process::id().to_string()),
        ] {
            put_short_bytes(&mut attributes, key.as_bytes());
            put_short_bytes(&mut attributes, value.as_bytes());
        }
        put_short_bytes(&mut out, &attributes);
    }
    out
}

/// A string that ends with NUL; what follows a NUL in it is cut.
fn put_nul_string(out: &mut Vec<u8>, text: &str) {
    out.extend(text.bytes().take_while(|b| *b != 0));
    out.push(0);
}

/// A string with its length before it: one byte up to 250, which every string here is below.
fn put_short_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = bytes.get(..250).unwrap_or(bytes);
    out.push(u8::try_from(bytes.len()).unwrap_or_default());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_greeting() {
        let mut packet = vec![10];
        packet.extend_from_slice(b"9.7.4-2\0\x07\0\0\0");
        packet.extend_from_slice(b"12345678\0");
        packet.extend_from_slice(&[0xff, 0xff, 255, 2, 0, 0xff, 0xdf, 21]);
        packet.extend_from_slice(&[0; 10]);
        packet.extend_from_slice(b"abcdefghijkl\0caching_sha2_password\0");
        let greeting = Greeting::parse(&packet).unwrap();
        assert_eq!(greeting.version, "9.7.4-2");
        assert_eq!(greeting.nonce, b"12345678abcdefghijkl");
        assert_eq!(greeting.plugin, "caching_sha2_password");
        assert!(greeting.capabilities.contains(Capability::CLIENT_SSL));
        for len in 0..32 {
            assert_eq!(
                Greeting::parse(&packet[..len]).unwrap_err().kind(),
                ErrorKind::Protocol
            );
        }
    }

    #[test]
    fn the_answer_holds_what_was_agreed() {
        let all = capabilities(Capability::all(), false);
        assert!(!all.contains(Capability::CLIENT_SSL | Capability::CLIENT_DEPRECATE_EOF));
        let out = answer(all, "me", "plug", &[9; 20]);
        assert_eq!(
            out.get(32..56),
            Some([b"me\0\x14".as_slice(), &[9; 20]].concat().as_slice())
        );
        assert_eq!(out.get(56..61), Some(b"plug\0".as_slice()));
        assert_eq!(usize::from(out[61]), out.len() - 62);
        let few = capabilities(Capability::CLIENT_PROTOCOL_41, true);
        assert_eq!(
            few,
            Capability::CLIENT_PROTOCOL_41 | Capability::CLIENT_LONG_PASSWORD
        );
        assert_eq!(answer(few, "me", "plug", &[]).len(), 32 + 3 + 1);
    }
}
