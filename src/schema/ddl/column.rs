//! A column with its options, in CREATE TABLE and ALTER TABLE.

use super::cursor::Cursor;
use super::data_type::data_type;
use super::default::{default_value, now};
use super::foreign_key::references;
use super::generated_text::without_mode;
use super::key::check;
use super::statement::{CharsetSpec, ColumnDef, ForeignKeyDef, KeyDef, TableElement, TypeSpec};
use super::table_option::{charset_name, eat_charset_words};
use crate::error::Result;
use crate::schema::table::{ColumnType, Generated, IndexKind, KeyPart};

/// A column's name and definition. Keys and references written behind it go to `extras`, in order.
pub(super) fn column(cursor: &mut Cursor<'_>, extras: &mut Vec<TableElement>) -> Result<ColumnDef> {
    let name = cursor.column_name()?;
    column_body(cursor, name, extras)
}

/// The definition of a column whose name has been taken.
pub(super) fn column_body(
    cursor: &mut Cursor<'_>,
    name: String,
    extras: &mut Vec<TableElement>,
) -> Result<ColumnDef> {
    let is_serial = cursor.eat_word("SERIAL");
    let ty = if is_serial {
        serial_type()
    } else {
        data_type(cursor)?
    };
    let mut column = ColumnDef {
        name,
        ty,
        nullable: None,
        default: None,
        on_update: false,
        auto_increment: false,
        not_null_implied: false,
        generated: None,
        invisible: false,
        compressed: false,
        row_period: None,
        system_versioned: false,
    };
    if is_serial {
        make_serial(&mut column, extras);
    }
    while !ends(cursor) {
        let known = value_option(cursor, &mut column)?
            || key_option(cursor, &mut column, extras)?
            || ignored_option(cursor, &mut column)?;
        if !known {
            return Err(cursor.error("a column option"));
        }
    }
    if cursor.context.is_mariadb() {
        keep_primary(extras);
    }
    Ok(column)
}

/// A column that MariaDB makes the primary key gets no unique key as well.
fn keep_primary(extras: &mut Vec<TableElement>) {
    let kind = |element: &TableElement| match element {
        TableElement::Key(key) => Some(key.kind),
        _ => None,
    };
    if extras.iter().any(|element| kind(element) == Some(None)) {
        extras.retain(|element| kind(element) != Some(Some(IndexKind::Unique)));
    }
}

fn serial_type() -> TypeSpec {
    TypeSpec::Fixed(ColumnType::Int {
        bytes: 8,
        unsigned: true,
        display_width: None,
        zerofill: false,
    })
}

/// SERIAL: NOT NULL AUTO_INCREMENT UNIQUE.
fn make_serial(column: &mut ColumnDef, extras: &mut Vec<TableElement>) {
    column.nullable = Some(false);
    column.auto_increment = true;
    extras.push(inline_key(column, Some(IndexKind::Unique)));
}

fn inline_key(column: &ColumnDef, kind: Option<IndexKind>) -> TableElement {
    let part = KeyPart::Column {
        name: column.name.clone(),
        descending: false,
    };
    TableElement::Key(KeyDef {
        kind,
        name: None,
        parts: vec![part],
        if_not_exists: false,
        hash: false,
    })
}

/// Whether the column's options end here: another element, a place in ALTER TABLE, partitions.
fn ends(cursor: &Cursor<'_>) -> bool {
    cursor.is_end()
        || cursor.is_punct(',')
        || cursor.is_punct(')')
        || cursor.is_word("FIRST")
        || cursor.is_word("AFTER")
        || cursor.is_word("PARTITION")
        || cursor.is_word("REMOVE")
}

/// Options that change what the column holds.
fn value_option(cursor: &mut Cursor<'_>, column: &mut ColumnDef) -> Result<bool> {
    if cursor.eat_words(&["NOT", "NULL"]) {
        column.nullable = Some(false);
        column.not_null_implied = false;
    } else if cursor.eat_word("NULL") {
        column.nullable = Some(true);
        column.not_null_implied = false;
    } else if cursor.eat_word("DEFAULT") {
        column.default = Some(default_value(cursor)?);
    } else if cursor.eat_words(&["ON", "UPDATE"]) {
        if now(cursor)?.is_none() {
            return Err(cursor.error("CURRENT_TIMESTAMP"));
        }
        column.on_update = true;
    } else if cursor.eat_word("AUTO_INCREMENT") {
        column.auto_increment = true;
        column.not_null_implied = column.nullable != Some(false);
        column.nullable = Some(false);
    } else if cursor.eat_word("COLLATE") {
        let name = charset_name(cursor)?;
        if let Some(charset) = charset_of(&mut column.ty) {
            charset.collation = Some(name);
        }
    } else if eat_charset_words(cursor) {
        let name = charset_name(cursor)?;
        if let Some(charset) = charset_of(&mut column.ty) {
            charset.charset = Some(name);
        }
    } else if cursor.eat_word("INVISIBLE") {
        column.invisible = true;
    } else if cursor.eat_word("VISIBLE") {
        column.invisible = false;
    } else if cursor.is_word("GENERATED") || cursor.is_word("AS") {
        generated(cursor, column)?;
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// GENERATED ALWAYS AS ( … ), and MariaDB's AS ROW START and END.
fn generated(cursor: &mut Cursor<'_>, column: &mut ColumnDef) -> Result<()> {
    if cursor.eat_word("GENERATED") {
        cursor.expect_word("ALWAYS")?;
    }
    cursor.expect_word("AS")?;
    if cursor.eat_word("ROW") {
        column.row_period = match cursor.eat_any(&["START", "END"]) {
            Some(word) => Some(word == "END"),
            None => return Err(cursor.error("START or END")),
        };
        return Ok(());
    }
    let expression = without_mode(cursor.parenthesised()?, cursor.context)?;
    let stored = matches!(cursor.eat_any(&["VIRTUAL", "STORED", "PERSISTENT"]), Some(word) if word != "VIRTUAL");
    column.generated = Some(Generated { expression, stored });
    Ok(())
}

/// Keys and references behind a column.
fn key_option(
    cursor: &mut Cursor<'_>,
    column: &mut ColumnDef,
    extras: &mut Vec<TableElement>,
) -> Result<bool> {
    if cursor.eat_word("UNIQUE") {
        let _ = cursor.eat_any(&["KEY", "INDEX"]);
        extras.push(inline_key(column, Some(IndexKind::Unique)));
    } else if cursor.eat_words(&["PRIMARY", "KEY"]) || cursor.eat_word("KEY") {
        extras.push(inline_key(column, None));
    } else if cursor.eat_words(&["SERIAL", "DEFAULT", "VALUE"]) {
        make_serial(column, extras);
    } else if cursor.is_word("REFERENCES") {
        extras.push(inline_reference(cursor, column, None)?);
    } else if cursor.eat_word("CONSTRAINT") {
        let unnamed = cursor.is_word("CHECK") || cursor.is_word("REFERENCES");
        let name = if unnamed { None } else { Some(cursor.name()?) };
        if cursor.is_word("REFERENCES") {
            extras.push(inline_reference(cursor, column, name)?);
        } else {
            cursor.expect_word("CHECK")?;
            check(cursor)?;
        }
    } else if cursor.eat_word("CHECK") {
        check(cursor)?;
    } else {
        return Ok(false);
    }
    Ok(true)
}

fn inline_reference(
    cursor: &mut Cursor<'_>,
    column: &ColumnDef,
    constraint: Option<String>,
) -> Result<TableElement> {
    let key = references(cursor)?;
    let columns = vec![column.name.clone()];
    Ok(TableElement::ForeignKey(ForeignKeyDef {
        columns,
        constraint,
        inline: true,
        ..key
    }))
}

/// Options without effect on values.
fn ignored_option(cursor: &mut Cursor<'_>, column: &mut ColumnDef) -> Result<bool> {
    if cursor.eat_words(&["WITH", "SYSTEM", "VERSIONING"]) {
        column.system_versioned = true;
        return Ok(true);
    }
    if cursor.eat_words(&["WITHOUT", "SYSTEM", "VERSIONING"])
        || cursor.eat_words(&["NOT", "SECONDARY"])
        || cursor
            .eat_any(&["VIRTUAL", "STORED", "PERSISTENT"])
            .is_some()
    {
        return Ok(true);
    }
    const WITH_VALUE: [&str; 7] = [
        "COMMENT",
        "COLUMN_FORMAT",
        "STORAGE",
        "ENGINE_ATTRIBUTE",
        "SECONDARY_ENGINE_ATTRIBUTE",
        "SRID",
        "REF_SYSTEM_ID",
    ];
    if cursor.eat_word("COMPRESSED") {
        column.compressed = true;
        if cursor.eat_punct('=') {
            cursor.skip_value()?;
        }
        return Ok(true);
    }
    if cursor.eat_any(&WITH_VALUE).is_some() {
        cursor.skip_value()?;
        return Ok(true);
    }
    // MariaDB: options of storage engines, `name = value`.
    if cursor.is_punct_at(1, '=') {
        cursor.advance();
        cursor.skip_value()?;
        return Ok(true);
    }
    Ok(false)
}

fn charset_of(ty: &mut TypeSpec) -> Option<&mut CharsetSpec> {
    match ty {
        TypeSpec::Char(_, charset)
        | TypeSpec::VarChar(_, charset)
        | TypeSpec::Text(_, charset)
        | TypeSpec::SizedText(_, charset)
        | TypeSpec::Enum(_, charset)
        | TypeSpec::Set(_, charset) => Some(charset),
        _ => None,
    }
}
