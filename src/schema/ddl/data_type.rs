//! Data types: every spelling of both servers, to one [`TypeSpec`].

use super::context::sql_mode;
use super::cursor::Cursor;
use super::default::{bit_bytes, hex_bytes};
use super::statement::{CharsetSpec, TypeSpec};
use super::table_option::{charset_name, eat_charset_words};
use super::token::Token;
use crate::error::Result;
use crate::schema::table::ColumnType;

/// A type with its attributes (UNSIGNED, CHARACTER SET, ...). `None` with nothing taken when no type stands there.
pub(super) fn data_type(cursor: &mut Cursor<'_>) -> Result<TypeSpec> {
    let Some(Token::Word(word)) = cursor.peek() else {
        return Err(cursor.error("a type"));
    };
    let word = word.to_ascii_uppercase();
    let mark = cursor.mark();
    cursor.advance();
    let found = match number_type(cursor, &word)? {
        Some(found) => Some(found),
        None => match text_type(cursor, &word)? {
            Some(found) => Some(found),
            None => other_type(cursor, &word)?,
        },
    };
    found.ok_or_else(|| {
        cursor.rewind(mark);
        cursor.error("a type")
    })
}

fn narrow(cursor: &Cursor<'_>, number: u32) -> Result<u8> {
    u8::try_from(number).map_err(|_| cursor.error("a smaller length"))
}

/// Integers, fractions, bits.
fn number_type(cursor: &mut Cursor<'_>, word: &str) -> Result<Option<TypeSpec>> {
    let bytes = match word {
        "TINYINT" | "INT1" => 1,
        "SMALLINT" | "INT2" => 2,
        "MEDIUMINT" | "MIDDLEINT" | "INT3" => 3,
        "INT" | "INTEGER" | "INT4" => 4,
        "BIGINT" | "INT8" => 8,
        "BOOL" | "BOOLEAN" => {
            return Ok(Some(int(1, false, Some(1), false)));
        }
        "BIT" => {
            let bits = cursor.eat_parenthesised_number()?.unwrap_or(1);
            return Ok(Some(TypeSpec::Fixed(ColumnType::Bit {
                bits: narrow(cursor, bits)?.max(1),
            })));
        }
        _ => return fraction_type(cursor, word),
    };
    let width = cursor.eat_parenthesised_number()?;
    let width = width
        .map(u16::try_from)
        .transpose()
        .map_err(|_| cursor.error("a smaller width"))?;
    let (unsigned, zerofill) = sign(cursor);
    Ok(Some(int(bytes, unsigned, width, zerofill)))
}

fn int(bytes: u8, unsigned: bool, display_width: Option<u16>, zerofill: bool) -> TypeSpec {
    TypeSpec::Fixed(ColumnType::Int {
        bytes,
        unsigned,
        display_width,
        zerofill,
    })
}

/// SIGNED, UNSIGNED, ZEROFILL in any order: unsigned, zerofill.
fn sign(cursor: &mut Cursor<'_>) -> (bool, bool) {
    let (mut unsigned, mut zerofill) = (false, false);
    while let Some(word) = cursor.eat_any(&["UNSIGNED", "SIGNED", "ZEROFILL"]) {
        unsigned |= word != "SIGNED";
        zerofill |= word == "ZEROFILL";
    }
    (unsigned, zerofill)
}

/// `(p)` or `(p, s)`.
fn precision(cursor: &mut Cursor<'_>) -> Result<Option<(u32, Option<u32>)>> {
    if !cursor.eat_punct('(') {
        return Ok(None);
    }
    let first = cursor.number()?;
    let second = if cursor.eat_punct(',') {
        Some(cursor.number()?)
    } else {
        None
    };
    cursor.expect_punct(')')?;
    Ok(Some((first, second)))
}

fn fraction_type(cursor: &mut Cursor<'_>, word: &str) -> Result<Option<TypeSpec>> {
    let oracle = cursor.context.has_mode(sql_mode::ORACLE);
    let double = match word {
        "DECIMAL" | "DEC" | "NUMERIC" | "FIXED" => return decimal(cursor).map(Some),
        "NUMBER" if cursor.context.is_mariadb() && (cursor.is_punct('(') || !oracle) => {
            return decimal(cursor).map(Some);
        }
        "NUMBER" if cursor.context.is_mariadb() => true,
        "FLOAT" | "FLOAT4" => false,
        "DOUBLE" => {
            cursor.eat_word("PRECISION");
            true
        }
        "FLOAT8" => true,
        "REAL" => !cursor.context.has_mode(sql_mode::REAL_AS_FLOAT),
        _ => return Ok(None),
    };
    let (digits, double) = match precision(cursor)? {
        None => (None, double),
        // FLOAT(p) is a size in bits.
        Some((bits, None)) => (None, double || bits > 24),
        Some((all, Some(scale))) => (Some((narrow(cursor, all)?, narrow(cursor, scale)?)), double),
    };
    let (unsigned, _) = sign(cursor);
    Ok(Some(TypeSpec::Fixed(match double {
        true => ColumnType::Double { unsigned, digits },
        false => ColumnType::Float { unsigned, digits },
    })))
}

fn decimal(cursor: &mut Cursor<'_>) -> Result<TypeSpec> {
    let (precision, scale) = precision(cursor)?.unwrap_or((10, None));
    let precision = match narrow(cursor, precision)? {
        0 => 10,
        given => given,
    };
    let scale = narrow(cursor, scale.unwrap_or(0))?;
    let (unsigned, _) = sign(cursor);
    Ok(TypeSpec::Fixed(ColumnType::Decimal {
        precision,
        scale,
        unsigned,
    }))
}

/// Texts, bytes, enumerations.
fn text_type(cursor: &mut Cursor<'_>, word: &str) -> Result<Option<TypeSpec>> {
    let spec = match word {
        "CHAR" | "CHARACTER" => {
            let varying = cursor.eat_word("VARYING");
            sized_text(cursor, varying, false)?
        }
        "VARCHAR" | "VARCHARACTER" => sized_text(cursor, true, false)?,
        "VARCHAR2" if cursor.context.is_mariadb() => sized_text(cursor, true, false)?,
        "NVARCHAR" => sized_text(cursor, true, true)?,
        "NCHAR" => {
            let varying = cursor
                .eat_any(&["VARYING", "VARCHAR", "VARCHARACTER"])
                .is_some();
            sized_text(cursor, varying, true)?
        }
        "NATIONAL" => {
            let varying = match cursor.eat_any(&["CHAR", "CHARACTER", "VARCHAR", "VARCHARACTER"]) {
                Some("CHAR" | "CHARACTER") => cursor.eat_word("VARYING"),
                Some(_) => true,
                None => return Ok(None),
            };
            sized_text(cursor, varying, true)?
        }
        "BINARY" => TypeSpec::Binary(cursor.eat_parenthesised_number()?.unwrap_or(1)),
        "VARBINARY" | "RAW" => match cursor.eat_parenthesised_number()? {
            Some(length) => TypeSpec::VarBinary(length),
            None => return Ok(None),
        },
        "TINYTEXT" => text(cursor, 1)?,
        "MEDIUMTEXT" => text(cursor, 3)?,
        "LONGTEXT" => text(cursor, 4)?,
        "CLOB" if cursor.context.is_mariadb() => text(cursor, 4)?,
        "TEXT" => match cursor.eat_parenthesised_number()? {
            Some(length) if length > 0 || !cursor.context.is_mariadb() => {
                TypeSpec::SizedText(length, charset(cursor, false)?)
            }
            _ => text(cursor, 2)?,
        },
        "TINYBLOB" => blob(1),
        "BLOB" => match cursor.eat_parenthesised_number()? {
            Some(length) if length > 0 || !cursor.context.is_mariadb() => {
                TypeSpec::SizedBlob(length)
            }
            _ if cursor.context.has_mode(sql_mode::ORACLE) => blob(4),
            _ => blob(2),
        },
        "MEDIUMBLOB" => blob(3),
        "LONGBLOB" => blob(4),
        "LONG" => long(cursor)?,
        "ENUM" => TypeSpec::Enum(labels(cursor)?, charset(cursor, false)?),
        "SET" => TypeSpec::Set(labels(cursor)?, charset(cursor, false)?),
        _ => return Ok(None),
    };
    Ok(Some(spec))
}

fn text(cursor: &mut Cursor<'_>, length_bytes: u8) -> Result<TypeSpec> {
    Ok(TypeSpec::Text(length_bytes, charset(cursor, false)?))
}

fn blob(length_bytes: u8) -> TypeSpec {
    TypeSpec::Fixed(ColumnType::Blob { length_bytes })
}

fn sized_text(cursor: &mut Cursor<'_>, varying: bool, national: bool) -> Result<TypeSpec> {
    let length = cursor.eat_parenthesised_number()?.unwrap_or(1);
    let charset = charset(cursor, national)?;
    Ok(match varying {
        true => TypeSpec::VarChar(length, charset),
        false => TypeSpec::Char(length, charset),
    })
}

/// LONG, LONG VARCHAR, LONG VARBINARY: old words for MEDIUMTEXT and MEDIUMBLOB.
fn long(cursor: &mut Cursor<'_>) -> Result<TypeSpec> {
    if cursor.eat_word("VARBINARY") {
        return Ok(blob(3));
    }
    if cursor.eat_any(&["CHAR", "CHARACTER"]).is_some() {
        cursor.eat_word("VARYING");
    } else {
        let _ = cursor.eat_any(&["VARCHAR", "VARCHARACTER"]);
    }
    text(cursor, 3)
}

/// BINARY, ASCII, UNICODE, BYTE, CHARACTER SET x, COLLATE y, in any order.
fn charset(cursor: &mut Cursor<'_>, national: bool) -> Result<CharsetSpec> {
    let mut spec = CharsetSpec::default();
    if national {
        spec.charset = Some("utf8mb3".to_owned());
    }
    loop {
        if eat_charset_words(cursor) {
            cursor.eat_punct('=');
            spec.charset = Some(charset_name(cursor)?);
        } else if cursor.eat_word("COLLATE") {
            spec.collation = Some(charset_name(cursor)?);
        } else if cursor.eat_word("BINARY") {
            spec.binary = true;
        } else if cursor.eat_word("ASCII") {
            spec.charset = Some("latin1".to_owned());
        } else if cursor.eat_word("UNICODE") {
            spec.charset = Some("ucs2".to_owned());
        } else if cursor.eat_word("BYTE") {
            spec.charset = Some("binary".to_owned());
        } else {
            return Ok(spec);
        }
    }
}

/// Labels of ENUM and SET as they are written.
fn labels(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    cursor.expect_punct('(')?;
    let mut labels = Vec::new();
    loop {
        let label = match cursor.peek() {
            Some(Token::Hex(_) | Token::Bits(_)) => {
                let bytes = match cursor.peek() {
                    Some(Token::Hex(digits)) => hex_bytes(digits),
                    Some(Token::Bits(digits)) => bit_bytes(digits),
                    _ => None,
                };
                cursor.advance();
                let bytes = bytes.ok_or_else(|| cursor.error("whole bytes"))?;
                String::from_utf8(bytes).map_err(|_| cursor.error("a label in UTF-8"))?
            }
            _ => cursor.eat_text().ok_or_else(|| cursor.error("a label"))?,
        };
        labels.push(label);
        if !cursor.eat_punct(',') {
            break;
        }
    }
    cursor.expect_punct(')')?;
    Ok(labels)
}

/// Dates, JSON, spatial types and MariaDB's own.
fn other_type(cursor: &mut Cursor<'_>, word: &str) -> Result<Option<TypeSpec>> {
    let oracle = cursor.context.has_mode(sql_mode::ORACLE);
    let ty = match word {
        "DATE" if !oracle => ColumnType::Date,
        "YEAR" | "SQL_TSI_YEAR" => {
            cursor.eat_parenthesised_number()?;
            sign(cursor);
            ColumnType::Year
        }
        "TIME" => ColumnType::Time { fsp: fsp(cursor)? },
        "DATETIME" | "DATE" => ColumnType::DateTime { fsp: fsp(cursor)? },
        "TIMESTAMP" => ColumnType::Timestamp { fsp: fsp(cursor)? },
        "JSON" => return Ok(Some(TypeSpec::Json)),
        "VECTOR" => {
            let dimensions = cursor.eat_parenthesised_number()?.unwrap_or(2048);
            ColumnType::Vector { dimensions }
        }
        "UUID" => ColumnType::Uuid,
        "INET4" => ColumnType::Inet4,
        "INET6" => ColumnType::Inet6,
        "XMLTYPE" => return Ok(Some(text(cursor, 4)?)),
        "GEOMETRYCOLLECTION" | "GEOMCOLLECTION" => geometry("geometrycollection"),
        "GEOMETRY" | "POINT" | "LINESTRING" | "POLYGON" | "MULTIPOINT" | "MULTILINESTRING"
        | "MULTIPOLYGON" => {
            cursor.eat_parenthesised_number()?;
            geometry(&word.to_ascii_lowercase())
        }
        _ => return Ok(None),
    };
    Ok(Some(TypeSpec::Fixed(ty)))
}

fn geometry(kind: &str) -> ColumnType {
    ColumnType::Geometry {
        kind: kind.to_owned(),
    }
}

fn fsp(cursor: &mut Cursor<'_>) -> Result<u8> {
    match cursor.eat_parenthesised_number()? {
        None => Ok(0),
        Some(digits @ 0..=6) => narrow(cursor, digits),
        // TIMESTAMP(14) of old dumps is a display width.
        Some(_) => Ok(0),
    }
}
