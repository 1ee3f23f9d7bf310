//! Which charset a collation id belongs to. The ids of both servers do not contradict each other.

/// MariaDB: NO PAD variants have this added to the id of the plain collation.
const NOPAD_OFFSET: u16 = 1024;

/// The charset of a collation id.
pub(super) fn charset_name(id: u16) -> Option<&'static str> {
    Some(match id {
        1 | 84 => "big5",
        2 | 9 | 21 | 27 | 77 => "latin2",
        3 | 69 => "dec8",
        4 | 80 => "cp850",
        5 | 8 | 15 | 31 | 47..=49 | 94 => "latin1",
        6 | 72 => "hp8",
        7 | 74 => "koi8r",
        10 | 82 => "swe7",
        11 | 65 => "ascii",
        12 | 91 => "ujis",
        13 | 88 => "sjis",
        14 | 23 | 50..=52 => "cp1251",
        16 | 71 => "hebrew",
        18 | 89 => "tis620",
        19 | 85 => "euckr",
        20 | 41 | 42 | 79 => "latin7",
        22 | 75 => "koi8u",
        24 | 86 => "gb2312",
        25 | 70 => "greek",
        26 | 34 | 44 | 66 | 99 => "cp1250",
        28 | 87 => "gbk",
        29 | 58 | 59 => "cp1257",
        30 | 78 => "latin5",
        32 | 64 => "armscii8",
        33 | 76 | 83 | 192..=223 => "utf8mb3",
        35 | 90 | 128..=159 => "ucs2",
        36 | 68 => "cp866",
        37 | 73 => "keybcs2",
        38 | 43 => "macce",
        39 | 53 => "macroman",
        40 | 81 => "cp852",
        45 | 46 | 224..=247 => "utf8mb4",
        54 | 55 | 101..=127 => "utf16",
        56 | 62 => "utf16le",
        57 | 67 => "cp1256",
        60 | 61 | 160..=191 => "utf32",
        63 => "binary",
        92 | 93 => "geostd8",
        95 | 96 => "cp932",
        97 | 98 => "eucjpms",
        248..=250 => "gb18030",
        // MySQL 8's collations by Unicode 9.
        255..=511 => "utf8mb4",
        // MariaDB's further Unicode collations, in blocks.
        576..=607 | 2048..=2303 => "utf8mb3",
        608..=639 | 2304..=2559 => "utf8mb4",
        640..=671 | 2560..=2815 => "ucs2",
        672..=703 | 2816..=3071 => "utf16",
        736..=767 | 3072..=3327 => "utf32",
        NOPAD_OFFSET..=1279 => return charset_name(id - NOPAD_OFFSET),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_both_servers() {
        for (id, name) in [
            (8, "latin1"),
            (45, "utf8mb4"),
            (63, "binary"),
            (255, "utf8mb4"),
            (1057, "utf8mb3"),
            (1069, "utf8mb4"),
            (2304, "utf8mb4"),
        ] {
            assert_eq!(charset_name(id), Some(name), "{id}");
        }
        assert_eq!(charset_name(0), None);
        assert_eq!(charset_name(u16::MAX), None);
    }
}
