//! East Asian charsets: encoding_rs, patched to what the servers do.
//!
//! encoding_rs reads these charsets as the web does, which adds extensions and moves a few characters. The patches are
//! the complete difference over all sequences of one to three bytes (and gb18030's four).

use std::collections::HashSet;
use std::sync::OnceLock;

use encoding_rs::Encoding;

use super::Invalid;

/// How long a character is, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Two bytes from 0x81.
    Double,
    /// Two bytes, but half-width katakana from 0xA1 to 0xDF is one.
    ShiftJis,
    /// Two bytes, three behind 0x8F.
    Euc,
    /// Two bytes, or four when the second is a digit.
    Gb18030,
}

/// A range of byte sequences, read as big-endian numbers, first and last.
type Sequences = (u32, u32);
/// Sequences that mean other characters: the first one, the first character, how many of both follow each other.
type Patch = (u32, u32, u32);

/// One charset.
#[derive(Debug)]
pub(super) struct MultiByte {
    pub(super) name: &'static str,
    encoding: &'static Encoding,
    form: Form,
    /// Second bytes below this are not valid.
    trail_min: u8,
    /// What the server does not know, in order.
    invalid: &'static [Sequences],
    /// What the server reads otherwise, in order.
    patches: &'static [Patch],
    /// What [`Self::repertoire`] has found out.
    characters: OnceLock<HashSet<char>>,
}

impl MultiByte {
    pub(super) fn by_name(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|charset| charset.name == name)
    }

    /// Whether a sequence of bytes stands for this character.
    pub(super) fn has(&self, character: char) -> bool {
        if self.form == Form::Gb18030 {
            // All of Unicode.
            return true;
        }
        let mut buffer = [0; 4];
        let (bytes, _, is_lacking) = self.encoding.encode(character.encode_utf8(&mut buffer));
        !is_lacking && self.is_of(&bytes, character) || self.repertoire().contains(&character)
    }

    /// All characters of two bytes, and of three in EUC. encoding_rs reads some that it never writes: the second set of
    /// EUC-JP, the private ones of Shift-JIS.
    fn repertoire(&self) -> &HashSet<char> {
        self.characters.get_or_init(|| {
            let pairs =
                (0x81..=0xfe).flat_map(|lead| (0x40..=0xfe).map(move |trail| [lead, trail]));
            let mut characters: HashSet<char> = pairs
                .clone()
                .filter_map(|pair| self.character(&pair))
                .collect();
            if self.form == Form::Euc {
                let triples = pairs.filter_map(|[row, cell]| self.character(&[0x8f, row, cell]));
                characters.extend(triples);
            }
            characters
        })
    }

    fn is_of(&self, bytes: &[u8], character: char) -> bool {
        self.character(bytes) == Some(character)
    }

    /// The one character that the bytes stand for.
    fn character(&self, bytes: &[u8]) -> Option<char> {
        let mut text = String::new();
        self.decode(bytes, &mut text).ok()?;
        let mut characters = text.chars();
        characters.next().filter(|_| characters.next().is_none())
    }

    /// Appends the text to `out`.
    pub(super) fn decode(&self, bytes: &[u8], out: &mut String) -> Result<(), Invalid> {
        let mut rest = bytes;
        // What has no patch in it goes to encoding_rs in one piece.
        let (mut run, mut run_len) = (bytes, 0);
        while !rest.is_empty() {
            let len = self.len(rest)?;
            let (character, tail) = rest.split_at_checked(len).ok_or(Invalid)?;
            rest = tail;
            if len == 1 {
                run_len += 1;
                continue;
            }
            let key = character
                .iter()
                .fold(0, |key, byte| key << 8 | u32::from(*byte));
            if self.is_invalid(key, character) {
                return Err(Invalid);
            }
            match self.patched(key) {
                None => run_len += len,
                Some(patched) => {
                    self.push_run(run.get(..run_len).unwrap_or_default(), out)?;
                    out.push(patched);
                    (run, run_len) = (rest, 0);
                }
            }
        }
        self.push_run(run.get(..run_len).unwrap_or_default(), out)
    }

    /// Length of the character at the start of `rest`.
    fn len(&self, rest: &[u8]) -> Result<usize, Invalid> {
        Ok(match (self.form, rest) {
            (_, [0..0x80, ..]) => 1,
            (Form::ShiftJis, [0xa1..=0xdf, ..]) => 1,
            (Form::Euc, [0x8f, ..]) => 3,
            (Form::Gb18030, [0x81..=0xfe, b'0'..=b'9', ..]) => 4,
            (Form::Euc, [0x8e, ..]) => 2,
            (Form::Euc, [0x80..0xa1, ..]) | (_, [0x80 | 0xff, ..] | []) => return Err(Invalid),
            _ => 2,
        })
    }

    fn is_invalid(&self, key: u32, character: &[u8]) -> bool {
        let in_range = self
            .invalid
            .get(..self.invalid.partition_point(|(first, _)| *first <= key))
            .and_then(<[Sequences]>::last)
            .is_some_and(|(_, last)| key <= *last);
        in_range || character.get(1).is_none_or(|trail| *trail < self.trail_min)
    }

    fn patched(&self, key: u32) -> Option<char> {
        let candidates = self.patches.partition_point(|(first, ..)| *first <= key);
        let (first, character, count) = self.patches.get(..candidates)?.last()?;
        let step = self.cell(key)?.checked_sub(self.cell(*first)?)?;
        if step < *count {
            char::from_u32(character + step)
        } else {
            None
        }
    }

    /// Number of a character when rows are counted without the second bytes that they leave out; `None` for those.
    fn cell(&self, key: u32) -> Option<u32> {
        let (row, trail) = (key >> 8, key & 0xff);
        let (width, cell) = match (self.form, trail) {
            (Form::Euc, 0xa1..=0xfe) => (94, trail - 0xa1),
            (Form::Euc, _) => return None,
            (Form::Double, 0x40..=0x7e) => (157, trail - 0x40),
            (Form::Double, 0xa1..=0xfe) => (157, trail - 0xa1 + 63),
            (Form::Double, _) => return None,
            (Form::ShiftJis | Form::Gb18030, _) => (256, trail),
        };
        row.checked_mul(width)?.checked_add(cell)
    }

    fn push_run(&self, run: &[u8], out: &mut String) -> Result<(), Invalid> {
        let text = self
            .encoding
            .decode_without_bom_handling_and_without_replacement(run);
        out.push_str(&text.ok_or(Invalid)?);
        Ok(())
    }
}

static ALL: [MultiByte; 9] = [
    MultiByte {
        characters: OnceLock::new(),
        name: "big5",
        encoding: encoding_rs::BIG5,
        form: Form::Double,
        trail_min: 0x40,
        invalid: &[
            (0x8740, 0xa0fe),
            (0xa15a, 0xa15a),
            (0xa1c3, 0xa1c3),
            (0xa1c5, 0xa1c5),
            (0xa1fe, 0xa240),
            (0xa2cc, 0xa2cc),
            (0xa2ce, 0xa2ce),
            (0xa3c0, 0xa3e1),
            (0xc7fd, 0xc8fe),
            (0xf9dd, 0xfefe),
        ],
        patches: BIG5_PATCHES,
    },
    MultiByte {
        characters: OnceLock::new(),
        name: "gbk",
        encoding: encoding_rs::GBK,
        form: Form::Double,
        trail_min: 0x40,
        invalid: GBK_INVALID,
        patches: &[],
    },
    MultiByte {
        characters: OnceLock::new(),
        name: "gb2312",
        encoding: encoding_rs::GBK,
        form: Form::Double,
        trail_min: 0xa1,
        invalid: GB2312_INVALID,
        patches: &[(0xa1a4, 0x30fb, 1), (0xa1aa, 0x2015, 1)],
    },
    MultiByte {
        characters: OnceLock::new(),
        name: "gb18030",
        encoding: encoding_rs::GB18030,
        form: Form::Gb18030,
        trail_min: 0x30,
        invalid: &[],
        patches: &[
            (0xa3a0, 0xe5e5, 1),
            (0xa6d9, 0xe78d, 7),
            (0xa6ec, 0xe794, 2),
            (0xa6f3, 0xe796, 1),
            (0xfe59, 0xe81e, 1),
            (0xfe61, 0xe826, 1),
            (0xfe66, 0xe82b, 2),
            (0xfe6d, 0xe832, 1),
            (0xfe7e, 0xe843, 1),
            (0xfe90, 0xe854, 1),
            (0xfea0, 0xe864, 1),
        ],
    },
    MultiByte {
        characters: OnceLock::new(),
        name: "sjis",
        encoding: encoding_rs::SHIFT_JIS,
        form: Form::ShiftJis,
        trail_min: 0x40,
        invalid: &[(0x8740, 0x879c), (0xed40, 0xfc4b)],
        patches: &[
            (0x815f, 0x5c, 1),
            (0x8160, 0x301c, 1),
            (0x8161, 0x2016, 1),
            (0x817c, 0x2212, 1),
            (0x8191, 0xa2, 2),
            (0x81ca, 0xac, 1),
        ],
    },
    MultiByte {
        characters: OnceLock::new(),
        name: "cp932",
        encoding: encoding_rs::SHIFT_JIS,
        form: Form::ShiftJis,
        trail_min: 0x40,
        invalid: &[],
        patches: &[],
    },
    MultiByte {
        characters: OnceLock::new(),
        name: "ujis",
        encoding: encoding_rs::EUC_JP,
        form: Form::Euc,
        trail_min: 0xa1,
        invalid: &[(0xada1, 0xadfc)],
        patches: &[
            (0xa1c0, 0x5c, 1),
            (0xa1c1, 0x301c, 1),
            (0xa1c2, 0x2016, 1),
            (0xa1dd, 0x2212, 1),
            (0xa1f1, 0xa2, 2),
            (0xa2cc, 0xac, 1),
            (0xf5a1, 0xe000, 940),
            (0x8f_a2b7, 0x7e, 1),
            (0x8f_f5a1, 0xe3ac, 940),
        ],
    },
    MultiByte {
        characters: OnceLock::new(),
        name: "eucjpms",
        encoding: encoding_rs::EUC_JP,
        form: Form::Euc,
        trail_min: 0xa1,
        invalid: &[],
        patches: EUCJPMS_PATCHES,
    },
    MultiByte {
        characters: OnceLock::new(),
        name: "euckr",
        encoding: encoding_rs::EUC_KR,
        form: Form::Double,
        trail_min: 0x41,
        invalid: &[],
        patches: &[],
    },
];

/// Big5 without the web's Hong Kong extensions, with ETen's kana and Cyrillic.
const BIG5_PATCHES: &[Patch] = &[
    (0xa145, 0x2022, 1),
    (0xa14e, 0xff64, 1),
    (0xa1c2, 0x203e, 1),
    (0xa1e3, 0x223c, 1),
    (0xa1f2, 0x2641, 1),
    (0xa1f3, 0x2609, 1),
    (0xa241, 0xff0f, 1),
    (0xa242, 0xff3c, 1),
    (0xa244, 0xa5, 1),
    (0xa246, 0xa2, 2),
    (0xc6a1, 0x30fe, 1),
    (0xc6a2, 0x309d, 2),
    (0xc6a4, 0x3005, 1),
    (0xc6a5, 0x3041, 83),
    (0xc6f8, 0x30a1, 86),
    (0xc7b1, 0x414, 2),
    (0xc7b3, 0x401, 1),
    (0xc7b4, 0x416, 7),
    (0xc7bb, 0x423, 19),
    (0xc7ce, 0x451, 1),
    (0xc7cf, 0x436, 26),
    (0xc7e9, 0x2460, 10),
    (0xc7f3, 0x2474, 10),
];

/// IBM's extensions in the third plane, user-defined characters behind them.
const EUCJPMS_PATCHES: &[Patch] = &[
    (0xf5a1, 0xe000, 940),
    (0x8f_a2c3, 0xffe4, 1),
    (0x8f_f3f3, 0x2170, 10),
    (0x8f_f3fd, 0x2160, 10),
    (0x8f_f4a9, 0xff07, 1),
    (0x8f_f4aa, 0xff02, 1),
    (0x8f_f4ab, 0x3231, 1),
    (0x8f_f4ac, 0x2116, 1),
    (0x8f_f4ad, 0x2121, 1),
    (0x8f_f4ae, 0x70bb, 1),
    (0x8f_f4af, 0x4efc, 1),
    (0x8f_f4b0, 0x50f4, 1),
    (0x8f_f4b1, 0x51ec, 1),
    (0x8f_f4b2, 0x5307, 1),
    (0x8f_f4b3, 0x5324, 1),
    (0x8f_f4b4, 0xfa0e, 1),
    (0x8f_f4b5, 0x548a, 1),
    (0x8f_f4b6, 0x5759, 1),
    (0x8f_f4b7, 0xfa0f, 2),
    (0x8f_f4b9, 0x589e, 1),
    (0x8f_f4ba, 0x5bec, 1),
    (0x8f_f4bb, 0x5cf5, 1),
    (0x8f_f4bc, 0x5d53, 1),
    (0x8f_f4bd, 0xfa11, 1),
    (0x8f_f4be, 0x5fb7, 1),
    (0x8f_f4bf, 0x6085, 1),
    (0x8f_f4c0, 0x6120, 1),
    (0x8f_f4c1, 0x654e, 1),
    (0x8f_f4c2, 0x663b, 1),
    (0x8f_f4c3, 0x6665, 1),
    (0x8f_f4c4, 0xfa12, 1),
    (0x8f_f4c5, 0xf929, 1),
    (0x8f_f4c6, 0x6801, 1),
    (0x8f_f4c7, 0xfa13, 2),
    (0x8f_f4c9, 0x6a6b, 1),
    (0x8f_f4ca, 0x6ae2, 1),
    (0x8f_f4cb, 0x6df8, 1),
    (0x8f_f4cc, 0x6df2, 1),
    (0x8f_f4cd, 0x7028, 1),
    (0x8f_f4ce, 0xfa15, 2),
    (0x8f_f4d0, 0x7501, 1),
    (0x8f_f4d1, 0x7682, 1),
    (0x8f_f4d2, 0x769e, 1),
    (0x8f_f4d3, 0xfa17, 1),
    (0x8f_f4d4, 0x7930, 1),
    (0x8f_f4d5, 0xfa18, 4),
    (0x8f_f4d9, 0x7ae7, 1),
    (0x8f_f4da, 0xfa1c, 2),
    (0x8f_f4dc, 0x7da0, 1),
    (0x8f_f4dd, 0x7dd6, 1),
    (0x8f_f4de, 0xfa1e, 1),
    (0x8f_f4df, 0x8362, 1),
    (0x8f_f4e0, 0xfa1f, 1),
    (0x8f_f4e1, 0x85b0, 1),
    (0x8f_f4e2, 0xfa20, 2),
    (0x8f_f4e4, 0x8807, 1),
    (0x8f_f4e5, 0xfa22, 1),
    (0x8f_f4e6, 0x8b7f, 1),
    (0x8f_f4e7, 0x8cf4, 1),
    (0x8f_f4e8, 0x8d76, 1),
    (0x8f_f4e9, 0xfa23, 3),
    (0x8f_f4ec, 0x90de, 1),
    (0x8f_f4ed, 0xfa26, 1),
    (0x8f_f4ee, 0x9115, 1),
    (0x8f_f4ef, 0xfa27, 2),
    (0x8f_f4f1, 0x9592, 1),
    (0x8f_f4f2, 0xf9dc, 1),
    (0x8f_f4f3, 0xfa29, 1),
    (0x8f_f4f4, 0x973b, 1),
    (0x8f_f4f5, 0x974d, 1),
    (0x8f_f4f6, 0x9751, 1),
    (0x8f_f4f7, 0xfa2a, 3),
    (0x8f_f4fa, 0x999e, 1),
    (0x8f_f4fb, 0x9ad9, 1),
    (0x8f_f4fc, 0x9b72, 1),
    (0x8f_f4fd, 0xfa2d, 1),
    (0x8f_f4fe, 0x9ed1, 1),
    (0x8f_f5a1, 0xe3ac, 940),
];

/// Rows that GBK leaves to the user.
const GBK_INVALID: &[Sequences] = &[
    (0xa140, 0xa1a0),
    (0xa240, 0xa2a0),
    (0xa2ab, 0xa2b0),
    (0xa2e3, 0xa2e4),
    (0xa2ef, 0xa2f0),
    (0xa2fd, 0xa3a0),
    (0xa440, 0xa4a0),
    (0xa4f4, 0xa5a0),
    (0xa5f7, 0xa6a0),
    (0xa6b9, 0xa6c0),
    (0xa6d9, 0xa6df),
    (0xa6ec, 0xa6ed),
    (0xa6f3, 0xa6f3),
    (0xa6f6, 0xa7a0),
    (0xa7c2, 0xa7d0),
    (0xa7f2, 0xa7fe),
    (0xa896, 0xa8a0),
    (0xa8bc, 0xa8bc),
    (0xa8bf, 0xa8bf),
    (0xa8c1, 0xa8c4),
    (0xa8ea, 0xa8fe),
    (0xa958, 0xa958),
    (0xa95b, 0xa95b),
    (0xa95d, 0xa95f),
    (0xa989, 0xa995),
    (0xa997, 0xa9a3),
    (0xa9f0, 0xa9fe),
    (0xaaa1, 0xaafe),
    (0xaba1, 0xabfe),
    (0xaca1, 0xacfe),
    (0xada1, 0xadfe),
    (0xaea1, 0xaefe),
    (0xafa1, 0xaffe),
    (0xd7fa, 0xd7fe),
    (0xf8a1, 0xf8fe),
    (0xf9a1, 0xf9fe),
    (0xfaa1, 0xfafe),
    (0xfba1, 0xfbfe),
    (0xfca1, 0xfcfe),
    (0xfda1, 0xfdfe),
    (0xfe50, 0xfefe),
];

/// What GBK has beyond GB 2312 in its rows.
const GB2312_INVALID: &[Sequences] = &[
    (0x80a1, 0xa0fe),
    (0xa2a1, 0xa2b0),
    (0xa2e3, 0xa2e4),
    (0xa2ef, 0xa2f0),
    (0xa2fd, 0xa2fe),
    (0xa4f4, 0xa4fe),
    (0xa5f7, 0xa5fe),
    (0xa6b9, 0xa6c0),
    (0xa6d9, 0xa6fe),
    (0xa7c2, 0xa7d0),
    (0xa7f2, 0xa7fe),
    (0xa8bb, 0xa8c4),
    (0xa8ea, 0xa9a3),
    (0xa9f0, 0xaffe),
    (0xd7fa, 0xd7fe),
    (0xf8a1, 0xfffe),
];
