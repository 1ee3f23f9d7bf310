//! Charsets of one byte a character: a table each, read out of the servers.

use super::Invalid;

/// One charset.
#[derive(Debug)]
pub(super) struct SingleByte {
    pub(super) name: &'static str,
    /// What stands at ASCII's places instead; `None` is ASCII.
    low: Option<fn(u8) -> u16>,
    /// Characters from 0x80 on; [`UNDEFINED`] where there is none.
    high: &'static [u16; 128],
}

/// Marks a byte that the charset does not define.
const UNDEFINED: u16 = 0xfffd;

impl SingleByte {
    pub(super) fn by_name(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|charset| charset.name == name)
    }

    pub(super) fn is_ascii_compatible(&self) -> bool {
        self.low.is_none()
    }

    /// Whether one of the bytes stands for this character.
    pub(super) fn has(&self, character: char) -> bool {
        let mut text = String::new();
        (0..=u8::MAX).any(|byte| {
            text.clear();
            self.decode(&[byte], &mut text).is_ok() && text.chars().eq([character])
        })
    }

    /// Appends the text to `out`.
    pub(super) fn decode(&self, bytes: &[u8], out: &mut String) -> Result<(), Invalid> {
        out.reserve(bytes.len());
        for byte in bytes {
            let code = match (self.low, byte) {
                (None, 0..0x80) => u16::from(*byte),
                (Some(low), 0..0x80) => low(*byte),
                _ => self
                    .high
                    .get(usize::from(byte & 0x7f))
                    .copied()
                    .unwrap_or(UNDEFINED),
            };
            match char::from_u32(u32::from(code)) {
                Some(character) if code != UNDEFINED => out.push(character),
                _ => return Err(Invalid),
            }
        }
        Ok(())
    }
}

/// Swedish ISO 646: national letters in the places of brackets.
fn swe7_low(byte: u8) -> u16 {
    match byte {
        b'@' => 0xc9,
        b'[' => 0xc4,
        b'\\' => 0xd6,
        b']' => 0xc5,
        b'^' => 0xdc,
        b'`' => 0xe9,
        b'{' => 0xe4,
        b'|' => 0xf6,
        b'}' => 0xe5,
        b'~' => 0xfc,
        0x7f => UNDEFINED,
        _ => u16::from(byte),
    }
}

/// The 128 characters of a text as numbers, at compile time.
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "runs at compile time, where a wrong table fails the build"
)]
const fn table(text: &str) -> [u16; 128] {
    let bytes = text.as_bytes();
    let mut codes = [UNDEFINED; 128];
    let (mut at, mut i) = (0, 0);
    while at < bytes.len() {
        let first = bytes[at] as u32;
        let (len, mut code) = match bytes[at] {
            0..0x80 => (1, first),
            0x80..0xe0 => (2, first & 0x1f),
            _ => (3, first & 0x0f),
        };
        let mut n = 1;
        while n < len {
            code = code << 6 | (bytes[at + n] & 0x3f) as u32;
            n += 1;
        }
        codes[i] = code as u16;
        at += len;
        i += 1;
    }
    assert!(i == codes.len());
    codes
}

static ALL: [SingleByte; 24] = [
    SingleByte {
        name: "armscii8",
        low: None,
        high: &ARMSCII8,
    },
    SingleByte {
        name: "cp1250",
        low: None,
        high: &CP1250,
    },
    SingleByte {
        name: "cp1251",
        low: None,
        high: &CP1251,
    },
    SingleByte {
        name: "cp1256",
        low: None,
        high: &CP1256,
    },
    SingleByte {
        name: "cp1257",
        low: None,
        high: &CP1257,
    },
    SingleByte {
        name: "cp850",
        low: None,
        high: &CP850,
    },
    SingleByte {
        name: "cp852",
        low: None,
        high: &CP852,
    },
    SingleByte {
        name: "cp866",
        low: None,
        high: &CP866,
    },
    SingleByte {
        name: "dec8",
        low: None,
        high: &DEC8,
    },
    SingleByte {
        name: "geostd8",
        low: None,
        high: &GEOSTD8,
    },
    SingleByte {
        name: "greek",
        low: None,
        high: &GREEK,
    },
    SingleByte {
        name: "hebrew",
        low: None,
        high: &HEBREW,
    },
    SingleByte {
        name: "hp8",
        low: None,
        high: &HP8,
    },
    SingleByte {
        name: "keybcs2",
        low: None,
        high: &KEYBCS2,
    },
    SingleByte {
        name: "koi8r",
        low: None,
        high: &KOI8R,
    },
    SingleByte {
        name: "koi8u",
        low: None,
        high: &KOI8U,
    },
    SingleByte {
        name: "latin1",
        low: None,
        high: &LATIN1,
    },
    SingleByte {
        name: "latin2",
        low: None,
        high: &LATIN2,
    },
    SingleByte {
        name: "latin5",
        low: None,
        high: &LATIN5,
    },
    SingleByte {
        name: "latin7",
        low: None,
        high: &LATIN7,
    },
    SingleByte {
        name: "macce",
        low: None,
        high: &MACCE,
    },
    SingleByte {
        name: "macroman",
        low: None,
        high: &MACROMAN,
    },
    SingleByte {
        name: "swe7",
        low: Some(swe7_low),
        high: &NOTHING,
    },
    SingleByte {
        name: "tis620",
        low: None,
        high: &TIS620,
    },
];

static NOTHING: [u16; 128] = [UNDEFINED; 128];

static ARMSCII8: [u16; 128] = table(
    "\u{80}\u{81}\u{82}\u{83}\u{84}\u{85}\u{86}\u{87}\u{88}\u{89}\u{8a}\u{8b}\u{8c}\u{8d}\
     \u{8e}\u{8f}\u{90}\u{91}\u{92}\u{93}\u{94}\u{95}\u{96}\u{97}\u{98}\u{99}\u{9a}\u{9b}\
     \u{9c}\u{9d}\u{9e}\u{9f}\u{a0}❁§։\u{29}\u{28}»«—\u{2e}՝\u{2c}\u{2d}՟…՜՛՞ԱաԲբԳգԴդԵեԶզԷէԸը\
     ԹթԺժԻիԼլԽխԾծԿկՀհՁձՂղՃճՄմՅյՆնՇշՈոՉչՊպՋջՌռՍսՎվՏտՐրՑցՒւՓփՔքՕօՖֆ’\u{27}",
);

static CP1250: [u16; 128] = table(
    "€\u{fffd}‚\u{fffd}„…†‡\u{fffd}‰Š‹ŚŤŽŹ\u{fffd}‘’“”•–—\u{fffd}™š›śťžź\u{a0}\u{2c7}\u{2d8}Ł\
     ¤Ą¦§\u{a8}©Ş«¬\u{ad}®Ż°±\u{2db}ł\u{b4}µ¶·\u{b8}ąş»Ľ\u{2dd}ľżŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰ\
     ÜÝŢßŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ\u{2d9}",
);

static CP1251: [u16; 128] = table(
    "ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\u{fffd}™љ›њќћџ\u{a0}ЎўЈ¤Ґ¦§Ё©Є«¬\u{ad}®Ї°±Ііґµ¶·ё№є»јЅѕїАБВГДЕЖ\
     ЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмнопрстуфхцчшщъыьэюя",
);

static CP1256: [u16; 128] = table(
    "€\u{67e}‚ƒ„…†‡\u{2c6}‰\u{fffd}‹Œ\u{686}\u{698}\u{fffd}\u{6af}‘’“”•–—\u{fffd}™\u{fffd}›œ\
     \u{200c}\u{200d}\u{fffd}\u{a0}،¢£¤¥¦§\u{a8}©\u{fffd}«¬\u{ad}®\u{af}°±²³\u{b4}µ¶·\u{b8}¹\
     \u{61b}»¼½¾\u{61f}\u{fffd}\u{621}\u{622}\u{623}\u{624}\u{625}\u{626}\u{627}\u{628}\
     \u{629}\u{62a}\u{62b}\u{62c}\u{62d}\u{62e}\u{62f}\u{630}\u{631}\u{632}\u{633}\u{634}\
     \u{635}\u{636}×\u{637}\u{638}\u{639}\u{63a}\u{640}\u{641}\u{642}\u{643}à\u{644}â\u{645}\
     \u{646}\u{647}\u{648}çèéêë\u{649}\u{64a}îï\u{64b}\u{64c}\u{64d}\u{64e}ô\u{64f}\u{650}÷\
     \u{651}ù\u{652}ûü\u{200e}\u{200f}\u{fffd}",
);

static CP1257: [u16; 128] = table(
    "€\u{fffd}‚\u{fffd}„…†‡\u{fffd}‰\u{fffd}‹\u{fffd}\u{a8}\u{2c7}\u{b8}\u{fffd}‘’“”•–—\
     \u{fffd}™\u{fffd}›\u{fffd}\u{af}\u{2db}\u{fffd}\u{a0}\u{fffd}¢£¤\u{fffd}¦§Ø©Ŗ«¬\u{ad}®Æ°\
     ±²³\u{b4}µ¶·ø¹ŗ»¼½¾æĄĮĀĆÄÅĘĒČÉŹĖĢĶĪĻŠŃŅÓŌÕÖ×ŲŁŚŪÜŻŽßąįāćäåęēčéźėģķīļšńņóōõö÷ųłśūüżž\
     \u{2d9}",
);

static CP850: [u16; 128] = table(
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎ\
     Ï┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ\u{af}\u{b4}\u{ad}±‗¾¶§÷\u{b8}°\u{a8}·¹³²■\u{a0}",
);

static CP852: [u16; 128] = table(
    "ÇüéâäůćçłëŐőîŹÄĆÉĹĺôöĽľŚśÖÜŤťŁ×čáíóúĄąŽžĘę¬źČş«»░▒▓│┤ÁÂĚŞ╣║╗╝Żż┐└┴┬├─┼Ăă╚╔╩╦╠═╬¤đĐĎËďŇÍÎ\
     ě┘┌█▄ŢŮ▀ÓßÔŃńňŠšŔÚŕŰýÝţ\u{b4}\u{ad}\u{2dd}\u{2db}\u{2c7}\u{2d8}§÷\u{b8}°\u{a8}\u{2d9}űŘř\
     ■\u{a0}",
);

static CP866: [u16; 128] = table(
    "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмноп░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫\
     ╪┘┌█▄▌▐▀рстуфхцчшщъыьэюяЁёЄєЇїЎў°∙·√\u{207f}²■\u{a0}",
);

static DEC8: [u16; 128] = table(
    "\u{80}\u{81}\u{82}\u{83}\u{84}\u{85}\u{86}\u{87}\u{88}\u{89}\u{8a}\u{8b}\u{8c}\u{8d}\
     \u{8e}\u{8f}\u{90}\u{91}\u{92}\u{93}\u{94}\u{95}\u{96}\u{97}\u{98}\u{99}\u{9a}\u{9b}\
     \u{9c}\u{9d}\u{9e}\u{9f}\u{a0}¡¢£\u{fffd}¥\u{fffd}§¤©ª«\u{fffd}\u{fffd}\u{fffd}\u{fffd}°\
     ±²³\u{fffd}µ¶·\u{fffd}¹º»¼½\u{fffd}¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏ\u{fffd}ÑÒÓÔÕÖŒØÙÚÛÜŸ\u{fffd}ßàáâãäå\
     æçèéêëìíîï\u{fffd}ñòóôõöœøùúûüÿ\u{fffd}\u{fffd}",
);

static GEOSTD8: [u16; 128] = table(
    "€\u{fffd}‚\u{fffd}„…†‡\u{fffd}‰\u{fffd}‹\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}‘’“”•–—\
     \u{fffd}\u{fffd}\u{fffd}›\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{a0}¡¢£¤¥¦§\u{a8}©ª«¬\u{ad}®\
     \u{af}°±²³\u{b4}µ¶·\u{b8}¹º»¼½¾¿აბგდევზჱთიკლმნჲოპჟრსტჳუფქღყშჩცძწჭხჴჯჰჵ\u{fffd}\u{fffd}\
     \u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\
     \u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}№\
     \u{fffd}\u{fffd}",
);

static GREEK: [u16; 128] = table(
    "\u{80}\u{81}\u{82}\u{83}\u{84}\u{85}\u{86}\u{87}\u{88}\u{89}\u{8a}\u{8b}\u{8c}\u{8d}\
     \u{8e}\u{8f}\u{90}\u{91}\u{92}\u{93}\u{94}\u{95}\u{96}\u{97}\u{98}\u{99}\u{9a}\u{9b}\
     \u{9c}\u{9d}\u{9e}\u{9f}\u{a0}\u{2bd}\u{2bc}£\u{fffd}\u{fffd}¦§\u{a8}©\u{fffd}«¬\u{ad}\
     \u{fffd}―°±²³\u{384}\u{385}Ά·ΈΉΊ»Ό½ΎΏΐΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡ\u{fffd}ΣΤΥΦΧΨΩΪΫάέήίΰαβγδεζηθικλ\
     μνξοπρςστυφχψωϊϋόύώ\u{fffd}",
);

static HEBREW: [u16; 128] = table(
    "\u{80}\u{81}\u{82}\u{83}\u{84}\u{85}\u{86}\u{87}\u{88}\u{89}\u{8a}\u{8b}\u{8c}\u{8d}\
     \u{8e}\u{8f}\u{90}\u{91}\u{92}\u{93}\u{94}\u{95}\u{96}\u{97}\u{98}\u{99}\u{9a}\u{9b}\
     \u{9c}\u{9d}\u{9e}\u{9f}\u{a0}\u{fffd}¢£¤¥¦§\u{a8}©×«¬\u{ad}®‾°±²³\u{b4}µ¶·\u{b8}¹÷»¼½¾\
     \u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\
     \u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\
     \u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}‗\u{5d0}\
     \u{5d1}\u{5d2}\u{5d3}\u{5d4}\u{5d5}\u{5d6}\u{5d7}\u{5d8}\u{5d9}\u{5da}\u{5db}\u{5dc}\
     \u{5dd}\u{5de}\u{5df}\u{5e0}\u{5e1}\u{5e2}\u{5e3}\u{5e4}\u{5e5}\u{5e6}\u{5e7}\u{5e8}\
     \u{5e9}\u{5ea}\u{fffd}\u{fffd}\u{200e}\u{200f}\u{fffd}",
);

static HP8: [u16; 128] = table(
    "\u{80}\u{81}\u{82}\u{83}\u{84}\u{85}\u{86}\u{87}\u{88}\u{89}\u{8a}\u{8b}\u{8c}\u{8d}\
     \u{8e}\u{8f}\u{90}\u{91}\u{92}\u{93}\u{94}\u{95}\u{96}\u{97}\u{98}\u{99}\u{9a}\u{9b}\
     \u{9c}\u{9d}\u{9e}\u{9f}\u{a0}ÀÂÈÊËÎÏ\u{b4}\u{2cb}\u{2c6}\u{a8}\u{2dc}ÙÛ₤\u{af}Ýý°ÇçÑñ¡¿\
     ¤£¥§ƒ¢âêôûáéóúàèòùäëöüÅîØÆåíøæÄìÖÜÉïßÔÁÃãÐðÍÌÓÒÕõŠšÚŸÿÞþ·µ¶¾—¼½ªº«■»±\u{fffd}",
);

static KEYBCS2: [u16; 128] = table(
    "ČüéďäĎŤčěĚĹÍľĺÄÁÉžŽôöÓůÚýÖÜŠĽÝŘťáíóúňŇŮÔšřŕŔ¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫\
     ╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√\u{207f}²■\u{a0}",
);

static KOI8R: [u16; 128] = table(
    "─│┌┐└┘├┤┬┴┼▀▄█▌▐░▒▓⌠■∙√≈≤≥\u{a0}⌡°²·÷═║╒ё╓╔╕╖╗╘╙╚╛╜╝╞╟╠╡Ё╢╣╤╥╦╧╨╩╪╫╬©юабцдефгхийклмнопяр\
     стужвьызшэщчъЮАБЦДЕФГХИЙКЛМНОПЯРСТУЖВЬЫЗШЭЩЧЪ",
);

static KOI8U: [u16; 128] = table(
    "─│┌┐└┘├┤┬┴┼▀▄█▌▐░▒▓⌠■•√≈≤≥\u{a0}⌡°²·÷═║╒ёє╔ії╗╘╙╚╛ґ╝╞╟╠╡ЁЄ╣ІЇ╦╧╨╩╪Ґ╬©юабцдефгхийклмнопяр\
     стужвьызшэщчъЮАБЦДЕФГХИЙКЛМНОПЯРСТУЖВЬЫЗШЭЩЧЪ",
);

static LATIN1: [u16; 128] = table(
    "€\u{81}‚ƒ„…†‡\u{2c6}‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—\u{2dc}™š›œ\u{9d}žŸ\u{a0}¡¢£¤¥¦§\u{a8}\
     ©ª«¬\u{ad}®\u{af}°±²³\u{b4}µ¶·\u{b8}¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëì\
     íîïðñòóôõö÷øùúûüýþÿ",
);

static LATIN2: [u16; 128] = table(
    "\u{80}\u{81}\u{82}\u{83}\u{84}\u{85}\u{86}\u{87}\u{88}\u{89}\u{8a}\u{8b}\u{8c}\u{8d}\
     \u{8e}\u{8f}\u{90}\u{91}\u{92}\u{93}\u{94}\u{95}\u{96}\u{97}\u{98}\u{99}\u{9a}\u{9b}\
     \u{9c}\u{9d}\u{9e}\u{9f}\u{a0}Ą\u{2d8}Ł¤ĽŚ§\u{a8}ŠŞŤŹ\u{ad}ŽŻ°ą\u{2db}ł\u{b4}ľś\u{2c7}\
     \u{b8}šşťź\u{2dd}žżŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ\
     \u{2d9}",
);

static LATIN5: [u16; 128] = table(
    "\u{80}\u{81}\u{82}\u{83}\u{84}\u{85}\u{86}\u{87}\u{88}\u{89}\u{8a}\u{8b}\u{8c}\u{8d}\
     \u{8e}\u{8f}\u{90}\u{91}\u{92}\u{93}\u{94}\u{95}\u{96}\u{97}\u{98}\u{99}\u{9a}\u{9b}\
     \u{9c}\u{9d}\u{9e}\u{9f}\u{a0}¡¢£¤¥¦§\u{a8}©ª«¬\u{ad}®\u{af}°±²³\u{b4}µ¶·\u{b8}¹º»¼½¾¿ÀÁ\
     ÂÃÄÅÆÇÈÉÊËÌÍÎÏĞÑÒÓÔÕÖ×ØÙÚÛÜİŞßàáâãäåæçèéêëìíîïğñòóôõö÷øùúûüışÿ",
);

static LATIN7: [u16; 128] = table(
    "\u{80}\u{81}\u{82}\u{83}\u{84}\u{85}\u{86}\u{87}\u{88}\u{89}\u{8a}\u{8b}\u{8c}\u{8d}\
     \u{8e}\u{8f}\u{90}\u{91}\u{92}\u{93}\u{94}\u{95}\u{96}\u{97}\u{98}\u{99}\u{9a}\u{9b}\
     \u{9c}\u{9d}\u{9e}\u{9f}\u{a0}”¢£¤„¦§Ø©Ŗ«¬\u{ad}®Æ°±²³“µ¶·ø¹ŗ»¼½¾æĄĮĀĆÄÅĘĒČÉŹĖĢĶĪĻŠŃŅÓŌÕ\
     Ö×ŲŁŚŪÜŻŽßąįāćäåęēčéźėģķīļšńņóōõö÷ųłśūüżž’",
);

static MACCE: [u16; 128] = table(
    "ÄĀāÉĄÖÜáąČäčĆćéŹźĎíďĒēĖóėôöõúĚěü†°Ę£§•¶ß®©™ę\u{a8}≠ģĮįĪ≤≥īĶ∂∑łĻļĽľĹĺŅņŃ¬√ńŇ∆«»…\u{a0}ňŐÕ\
     őŌ–—“”‘’÷◊ōŔŕŘ‹›řŖŗŠ‚„šŚśÁŤťÍŽžŪÓÔūŮÚůŰűŲųÝýķŻŁżĢ\u{2c7}",
);

static MACROMAN: [u16; 128] = table(
    "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™\u{b4}\u{a8}≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø¿¡¬√ƒ≈∆«»…\
     \u{a0}ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\u{f8ff}ÒÚÛÙı\u{2c6}\u{2dc}\u{af}\u{2d8}\
     \u{2d9}\u{2da}\u{b8}\u{2dd}\u{2db}\u{2c7}",
);

static TIS620: [u16; 128] = table(
    "\u{80}\u{81}\u{82}\u{83}\u{84}\u{85}\u{86}\u{87}\u{88}\u{89}\u{8a}\u{8b}\u{8c}\u{8d}\
     \u{8e}\u{8f}\u{90}\u{91}\u{92}\u{93}\u{94}\u{95}\u{96}\u{97}\u{98}\u{99}\u{9a}\u{9b}\
     \u{9c}\u{9d}\u{9e}\u{9f}\u{fffd}กขฃคฅฆงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรฤลฦวศษสหฬอฮฯะ\u{e31}า\
     ำ\u{e34}\u{e35}\u{e36}\u{e37}\u{e38}\u{e39}\u{e3a}\u{fffd}\u{fffd}\u{fffd}\u{fffd}฿เแโใไ\
     ๅ\u{e46}\u{e47}\u{e48}\u{e49}\u{e4a}\u{e4b}\u{e4c}\u{e4d}\u{e4e}๏๐๑๒๓๔๕๖๗๘๙๚๛\u{fffd}\
     \u{fffd}\u{fffd}\u{fffd}",
);
