//! The password under the server's RSA key, for a login without TLS.
//!
//! mysql_common does the arithmetic, but indexes into the key as it parses it: a key that is not what it says would
//! end the process. So its shape and size are checked first.

use mysql_common::crypto::der::{self, PubKeyFileType};
use mysql_common::crypto::rsa::{GetRandom, Pkcs1OaepPadding, PublicKey};

use crate::binlog::bytes::Bytes;
use crate::error::{Error, ErrorKind, Result};

/// Smallest modulus taken: 1024 bits, far below what servers make by themselves.
const MODULUS_BYTES_MIN: usize = 128;

/// Largest modulus taken: 16384 bits, or the arithmetic takes seconds.
const MODULUS_BYTES_MAX: usize = 2048;

/// What OAEP padding with SHA-1 takes from a block.
const PADDING_BYTES: usize = 42;

/// Encrypts the NUL-terminated `password`, XORed with `nonce`, for the holder of the key in `pem`.
pub(super) fn encrypt(password: &[u8], nonce: &[u8], pem: &[u8]) -> Result<Vec<u8>> {
    let (key, form) = der::pem_to_der(pem).map_err(|cause| bad_key().with_source(cause))?;
    check_shape(&key, form).map_err(|cause| bad_key().with_source(cause))?;
    let (modulus, exponent) =
        der::parse_pub_key(&key, form).map_err(|cause| bad_key().with_source(cause))?;
    let key = PublicKey::new(modulus, exponent);
    let mut secret: Vec<u8> = password.iter().copied().chain([0]).collect();
    for (byte, mask) in secret.iter_mut().zip(nonce.iter().cycle()) {
        *byte ^= mask;
    }
    if secret.len() + PADDING_BYTES > key.num_octets() {
        return Err(Error::new(
            ErrorKind::Access,
            "the password is too long for the server's RSA key; use TLS (ssl_mode = required)",
        ));
    }
    key.encrypt_block(&secret, Pkcs1OaepPadding::new(GetRandom))
        .map_err(|cause| Error::new(ErrorKind::Internal, "no random numbers").with_source(cause))
}

fn bad_key() -> Error {
    Error::new(
        ErrorKind::Protocol,
        "the server's public key is no RSA key in PEM; use TLS instead",
    )
}

/// Checks that `key` is a key of a usable size in the form that it claims.
fn check_shape(key: &[u8], form: PubKeyFileType) -> Result<()> {
    const INTEGER: u8 = 0x02;
    const BIT_STRING: u8 = 0x03;
    const SEQUENCE: u8 = 0x30;
    let mut r = Bytes::new(key);
    let mut numbers = element(&mut r, SEQUENCE)?;
    if form == PubKeyFileType::Pkcs8 {
        element(&mut numbers, SEQUENCE)?;
        let mut bits = element(&mut numbers, BIT_STRING)?;
        if bits.u8()? != 0 {
            return Err(Error::corrupt("a key of odd bits"));
        }
        numbers = element(&mut bits, SEQUENCE)?;
    }
    let significant = |number: Bytes<'_>| number.rest().iter().skip_while(|b| **b == 0).count();
    let modulus = significant(element(&mut numbers, INTEGER)?);
    let exponent = significant(element(&mut numbers, INTEGER)?);
    if !(MODULUS_BYTES_MIN..=MODULUS_BYTES_MAX).contains(&modulus) || !(1..=8).contains(&exponent) {
        return Err(Error::corrupt(format!(
            "a key of {modulus} and {exponent} bytes"
        )));
    }
    Ok(())
}

/// The content of the next DER element, which must have this tag.
fn element<'a>(r: &mut Bytes<'a>, tag: u8) -> Result<Bytes<'a>> {
    if r.u8()? != tag {
        return Err(Error::corrupt("another kind of DER element was due"));
    }
    let len = match r.u8()? {
        short @ 0..=0x7f => usize::from(short),
        long @ 0x81..=0x84 => {
            let len = r.uint_be(usize::from(long & 0x7f))?;
            usize::try_from(len).map_err(|_| Error::corrupt("a DER element without end"))?
        }
        _ => return Err(Error::corrupt("a DER element of unknown length")),
    };
    Ok(Bytes::new(r.take(len)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC7lLoh+dSGU8RSzbGDwXruGKNn\n\
        VPuhdSplALv0Vva7SL5uogW8GRo/nuFvY8wSIs1aVQIm4IgTJma9yD0jrbOd+Wpd\n\
        gIjv+2KzWVgbfmvfs7JWAo7qkRa6Lcg0kYsbIMtuUk9taV5/RECOfGZVdojnaOfn\n\
        yrpFG6naCc3u7tJzPwIDAQAB\n\
        -----END PUBLIC KEY-----\n";

    #[test]
    fn encrypts_for_a_good_key() {
        let secret = encrypt(b"secret", b"01234567890123456789", KEY.as_bytes()).unwrap();
        assert_eq!(secret.len(), 128);
        assert_ne!(
            secret,
            encrypt(b"secret", b"01234567890123456789", KEY.as_bytes()).unwrap()
        );
        let long = encrypt(&[b'x'; 86], b"0", KEY.as_bytes()).unwrap_err();
        assert_eq!(long.kind(), ErrorKind::Access);
        encrypt(&[b'x'; 85], b"0", KEY.as_bytes()).unwrap();
    }

    #[test]
    fn no_key_is_trusted() {
        assert!(encrypt(b"x", b"0", b"").is_err());
        assert!(
            encrypt(
                b"x",
                b"0",
                b"-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----"
            )
            .is_err()
        );
        let lines: Vec<&str> = KEY.lines().collect();
        let body = lines[1..5].concat();
        for len in (0..body.len()).step_by(4) {
            let cut = format!("{}\n{}\n{}", lines[0], &body[..len], lines[5]);
            let error = encrypt(b"x", b"0", cut.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol);
        }
    }
}
