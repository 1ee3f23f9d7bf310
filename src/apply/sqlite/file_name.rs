//! Which file holds a database: its name, percent-encoded where a file name could not hold it.
//!
//! Letters, digits, `-`, `_`, `.` and `~` (RFC 3986 "unreserved") stand for themselves, except a dot at the beginning
//! and names of our own. A name too long for a file name is cut and told apart by its CRC32; the real name always stands
//! in `_relaylite_database`.

/// Ending of database files.
pub const EXTENSION: &str = ".db";

/// Longest encoded name: Linux allows 255 bytes, and SQLite adds `-journal`.
const ENCODED_BYTES_MAX: usize = 230;

/// Prefix of everything that is ours.
pub const OWN_PREFIX: &str = "_relaylite_";

/// The file name of a database.
pub fn file_name(database: &str) -> String {
    let mut name = String::with_capacity(database.len() + EXTENSION.len());
    for (at, byte) in database.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'~')
            || (byte == b'.' && at > 0);
        let ours = at == 0 && database.to_ascii_lowercase().starts_with(OWN_PREFIX);
        if plain && !ours {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    if name.len() > ENCODED_BYTES_MAX {
        name.truncate(ENCODED_BYTES_MAX - 9);
        name.push_str(&format!("%{:08X}", crc32fast::hash(database.as_bytes())));
    }
    name + EXTENSION
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_cannot_leave_the_directory_or_collide() {
        assert_eq!(file_name("shop"), "shop.db");
        assert_eq!(file_name("my-db.v2"), "my-db.v2.db");
        assert_eq!(file_name("../x y"), "%2E.%2Fx%20y.db");
        assert_eq!(file_name("é%"), "%C3%A9%25.db");
        assert_eq!(file_name("_relaylite_x"), "%5Frelaylite_x.db");
        let long = "\u{1F600}".repeat(64);
        let other = "\u{1F600}".repeat(63) + "\u{1F601}";
        assert!(file_name(&long).len() <= 233);
        assert_ne!(file_name(&long), file_name(&other));
    }
}
