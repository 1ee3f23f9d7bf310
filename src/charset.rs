//! Text in every charset of MySQL and MariaDB, turned into UTF-8 exactly as the server itself converts it.
//!
//! Single-byte charsets have tables of their own; the East Asian ones go through encoding_rs with the places patched
//! where the servers differ from the web's reading; UTF-16 and its kin are plain arithmetic. All tables were read out of
//! MySQL 9.7 and MariaDB 10.11, which agree. Bytes that the server cannot convert (it would show `?`) are an error: the
//! caller keeps them as bytes.

mod collation;
mod multi_byte;
mod single_byte;
mod wide;

use multi_byte::MultiByte;
use single_byte::SingleByte;
use wide::Wide;

/// Bytes that are no text in the charset they are said to be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid;

/// A charset of the servers.
#[derive(Debug, Clone, Copy)]
pub struct Charset {
    name: &'static str,
    coding: Coding,
}

#[derive(Debug, Clone, Copy)]
enum Coding {
    /// utf8mb4, utf8mb3.
    Utf8,
    /// No text at all.
    Binary,
    Ascii,
    SingleByte(&'static SingleByte),
    MultiByte(&'static MultiByte),
    Wide(Wide),
}

impl PartialEq for Charset {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Charset {}

impl Charset {
    /// utf8mb4: what identifiers and most text are in.
    pub const UTF8MB4: Self = Self {
        name: "utf8mb4",
        coding: Coding::Utf8,
    };
    /// Not text.
    pub const BINARY: Self = Self {
        name: "binary",
        coding: Coding::Binary,
    };

    /// The charset of that name, in any case; `None` when it is not known.
    pub fn by_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        Some(match name.as_str() {
            "utf8mb4" => Self::UTF8MB4,
            "utf8mb3" | "utf8" => Self {
                name: "utf8mb3",
                coding: Coding::Utf8,
            },
            "binary" => Self::BINARY,
            "ascii" => Self {
                name: "ascii",
                coding: Coding::Ascii,
            },
            "ucs2" => Self {
                name: "ucs2",
                coding: Coding::Wide(Wide::Ucs2),
            },
            "utf16" => Self {
                name: "utf16",
                coding: Coding::Wide(Wide::Utf16),
            },
            "utf16le" => Self {
                name: "utf16le",
                coding: Coding::Wide(Wide::Utf16Le),
            },
            "utf32" => Self {
                name: "utf32",
                coding: Coding::Wide(Wide::Utf32),
            },
            name => {
                if let Some(charset) = SingleByte::by_name(name) {
                    Self {
                        name: charset.name,
                        coding: Coding::SingleByte(charset),
                    }
                } else {
                    let charset = MultiByte::by_name(name)?;
                    Self {
                        name: charset.name,
                        coding: Coding::MultiByte(charset),
                    }
                }
            }
        })
    }

    /// The charset of a collation id of either server; `None` when it is not known.
    pub fn by_collation_id(id: u16) -> Option<Self> {
        collation::charset_name(id).and_then(Self::by_name)
    }

    /// The name as both servers print it, lower case; `utf8` is `utf8mb3`.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Whether it is `binary`: bytes, not text.
    pub fn is_binary(self) -> bool {
        matches!(self.coding, Coding::Binary)
    }

    /// Whether the bytes below 0x80 are ASCII and stand for nothing else.
    pub fn is_ascii_compatible(self) -> bool {
        match self.coding {
            Coding::Wide(_) | Coding::Binary => false,
            Coding::SingleByte(charset) => charset.is_ascii_compatible(),
            Coding::Utf8 | Coding::Ascii => true,
            // The second byte of a character may be one that is ASCII by itself.
            Coding::MultiByte(_) => true,
        }
    }

    /// Whether a byte below 0x80 is that ASCII character wherever it stands.
    pub fn has_ascii_as_it_is(self) -> bool {
        !matches!(self.coding, Coding::MultiByte(_)) && self.is_ascii_compatible()
    }

    /// Text as UTF-8: borrowed from `bytes` where it is that already, else written into `scratch`.
    ///
    /// # Errors
    /// [`Invalid`] when the bytes are not text in this charset; always for `binary`.
    pub fn decode<'v>(self, bytes: &'v [u8], scratch: &'v mut String) -> Result<&'v str, Invalid> {
        if let Coding::Utf8 | Coding::Ascii = self.coding {
            let text = std::str::from_utf8(bytes).map_err(|_| Invalid)?;
            let fits = matches!(self.coding, Coding::Utf8) || text.is_ascii();
            return if fits { Ok(text) } else { Err(Invalid) };
        }
        if bytes.is_ascii() && self.is_ascii_compatible() {
            return std::str::from_utf8(bytes).map_err(|_| Invalid);
        }
        scratch.clear();
        match self.coding {
            Coding::SingleByte(charset) => charset.decode(bytes, scratch)?,
            Coding::MultiByte(charset) => charset.decode(bytes, scratch)?,
            Coding::Wide(wide) => wide.decode(bytes, scratch)?,
            Coding::Utf8 | Coding::Ascii | Coding::Binary => return Err(Invalid),
        }
        Ok(scratch)
    }

    /// Whether the charset has this character. A server that stores a text in a charset puts `?` for one that it lacks.
    pub fn has(self, character: char) -> bool {
        match self.coding {
            Coding::Ascii => character.is_ascii(),
            Coding::SingleByte(charset) => charset.has(character),
            Coding::MultiByte(charset) => charset.has(character),
            Coding::Utf8 => self.name != "utf8mb3" || character <= LAST_OF_THE_BMP,
            Coding::Wide(Wide::Ucs2) => character <= LAST_OF_THE_BMP,
            Coding::Wide(_) | Coding::Binary => true,
        }
    }
}

/// The last character of the Basic Multilingual Plane, which is all that utf8mb3 and ucs2 have.
const LAST_OF_THE_BMP: char = '\u{ffff}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charset_has_what_it_can_write() {
        let has = |charset, character| Charset::by_name(charset).unwrap().has(character);
        assert!(has("latin1", 'ü') && has("latin1", '€') && !has("latin1", 'ж'));
        assert!(has("cp1251", 'ж') && !has("cp1251", 'ü'));
        assert!(has("gbk", 'ü') && has("gbk", '中') && !has("sjis", 'ü'));
        assert!(has("sjis", '\u{301c}') && has("cp932", '\u{ff5e}') && has("sjis", '\u{ff71}'));
        assert!(has("ujis", 'ü') && has("eucjpms", 'ü') && !has("euckr", 'ü'));
        assert!(has("gb2312", '\u{30fb}') && !has("big5", '💩') && has("gb18030", '💩'));
        assert!(!has("utf8mb3", '💩') && !has("ucs2", '💩') && has("utf16", '💩'));
        assert!(has("swe7", 'Å') && !has("swe7", '[') && !has("ascii", 'é'));
        assert!(has("latin1", 'a') && has("gbk", 'a'));
    }

    fn text(charset: &str, bytes: &[u8]) -> Option<String> {
        let mut scratch = String::new();
        let charset = Charset::by_name(charset).unwrap();
        charset.decode(bytes, &mut scratch).ok().map(str::to_owned)
    }

    /// `SHOW CHARACTER SET` of MySQL 9.7 and MariaDB 10.11.
    const ALL: &str = "armscii8 ascii big5 binary cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 \
        cp932 dec8 eucjpms euckr gb18030 gb2312 gbk geostd8 greek hebrew hp8 keybcs2 koi8r koi8u \
        latin1 latin2 latin5 latin7 macce macroman sjis swe7 tis620 ucs2 ujis utf16 utf16le utf32 \
        utf8mb3 utf8mb4";

    #[test]
    fn every_charset_of_the_servers_is_known() {
        for name in ALL.split_whitespace() {
            let charset = Charset::by_name(&name.to_uppercase()).unwrap();
            assert_eq!(charset.name(), name);
            let mut scratch = String::new();
            let letter: &[u8] = match name {
                "binary" => continue,
                "ucs2" | "utf16" => &[0, b'a'],
                "utf16le" => &[b'a', 0],
                "utf32" => &[0, 0, 0, b'a'],
                _ => b"a",
            };
            assert_eq!(charset.decode(letter, &mut scratch), Ok("a"), "{name}");
        }
        assert!(Charset::by_name("klingon").is_none());
    }

    #[test]
    fn latin1_is_the_servers_own() {
        assert_eq!(text("latin1", b"\x80\x81\xe9").unwrap(), "€\u{81}é");
        assert_eq!(text("swe7", b"@[}a").unwrap(), "ÉÄåa");
        assert_eq!(text("swe7", b"\x7f"), None);
        assert_eq!(text("cp1250", b"\x81"), None);
        assert_eq!(text("ascii", b"\x80"), None);
    }

    #[test]
    fn east_asian_charsets_follow_the_server_where_the_web_differs() {
        assert_eq!(text("gbk", b"\xc4\xe3\xba\xc3!").unwrap(), "你好!");
        assert_eq!(text("gbk", b"\x80"), None);
        assert_eq!(text("gb2312", b"\xa1\xa4").unwrap(), "\u{30fb}");
        assert_eq!(
            text("big5", b"\xc6\xa5\xa1\x45").unwrap(),
            "\u{3041}\u{2022}"
        );
        assert_eq!(text("sjis", b"\x81\x60\xb1").unwrap(), "\u{301c}\u{ff71}");
        assert_eq!(text("cp932", b"\x81\x60").unwrap(), "\u{ff5e}");
        assert_eq!(text("ujis", b"\xa4\xa2\x8f\xf5\xa2").unwrap(), "あ\u{e3ad}");
        assert_eq!(
            text("gb18030", b"\x94\x39\xda\x33\xa6\xd9").unwrap(),
            "💩\u{e78d}"
        );
        assert_eq!(text("gb18030", b"\x94\x39\xda"), None);
    }

    #[test]
    fn wide_charsets() {
        assert_eq!(text("utf16", b"\xd8\x3d\xdc\xa9").unwrap(), "💩");
        assert_eq!(text("utf16le", b"\x3d\xd8\xa9\xdc").unwrap(), "💩");
        assert_eq!(text("ucs2", b"\xd8\x3d\xdc\xa9"), None);
        assert_eq!(text("utf32", b"\0\x01\xf4\xa9").unwrap(), "💩");
        for odd in [&b"\0"[..], b"\0a\0"] {
            assert_eq!(text("utf16", odd), None);
            assert_eq!(text("utf32", odd), None);
        }
    }

    #[test]
    fn text_that_is_utf8_already_is_borrowed() {
        let mut scratch = String::new();
        for charset in ["utf8mb4", "utf8", "latin1", "gbk"] {
            let charset = Charset::by_name(charset).unwrap();
            assert_eq!(charset.decode(b"plain", &mut scratch), Ok("plain"));
        }
        assert_eq!(scratch.capacity(), 0);
    }
}
