//! A column as written to a column as the server makes it.

use super::default::{implicit_default, in_utc, normalised};
use super::resolve::column_type;
use crate::error::Result;
use crate::schema::ddl::context::SqlContext;
use crate::schema::ddl::statement::{ColumnDef, DefaultSpec};
use crate::schema::table::{Collation, Column, ColumnType, DefaultValue};

/// The column in a table whose default collation is `inherited`. Keys make columns NOT NULL later.
pub(super) fn column(
    def: &ColumnDef,
    inherited: &Collation,
    context: &SqlContext,
) -> Result<Column> {
    let ty = match def.row_period {
        // AS ROW START may leave its type out of the question: it is always this one but for transaction ids.
        Some(_) if matches!(def.ty, crate::schema::ddl::statement::TypeSpec::Json) => {
            ColumnType::Timestamp { fsp: 6 }
        }
        _ => column_type(&def.ty, inherited, context)?,
    };
    let is_timestamp = matches!(ty, ColumnType::Timestamp { .. });
    let implicit_not_null =
        is_timestamp && !context.timestamps_are_explicit() && def.generated.is_none();
    let nullable = match def.nullable {
        Some(nullable) => nullable,
        None => !implicit_not_null,
    };
    let default =
        match is_timestamp && !nullable && !context.timestamps_are_explicit() && is_plain(def) {
            true => Some(implicit_default(&ty)),
            false => def
                .default
                .as_ref()
                .and_then(|default| default_value(default, &ty, context)),
        };
    Ok(Column {
        name: def.name.clone(),
        ty,
        nullable: nullable && def.row_period.is_none(),
        default,
        auto_increment: def.auto_increment,
        generated: def.generated.clone(),
        invisible: def.invisible,
        compressed: def.compressed,
    })
}

/// The default that the server keeps for a column of type `ty`.
pub(super) fn default_value(
    spec: &DefaultSpec,
    ty: &ColumnType,
    context: &SqlContext,
) -> Option<DefaultValue> {
    // MySQL takes a bare default of these types with a warning, if it is not strict, and forgets it.
    let forgets = !context.is_mariadb()
        && matches!(
            ty,
            ColumnType::Blob { .. }
                | ColumnType::Text { .. }
                | ColumnType::Json
                | ColumnType::Geometry { .. }
        );
    match spec {
        DefaultSpec::Value(DefaultValue::Literal(_) | DefaultValue::Bytes(_))
        | DefaultSpec::Text(_)
        | DefaultSpec::Binary(_)
            if forgets =>
        {
            None
        }
        _ => constant(spec, ty, context),
    }
}

fn constant(spec: &DefaultSpec, ty: &ColumnType, context: &SqlContext) -> Option<DefaultValue> {
    match spec {
        DefaultSpec::Null => None,
        DefaultSpec::Value(DefaultValue::Literal(text)) if !is_plain_number(text, ty) => {
            Some(DefaultValue::Expression(text.clone()))
        }
        DefaultSpec::Value(value) => Some(kept(value, ty, context)),
        // An expression, whose value is converted in other ways than a constant.
        DefaultSpec::InParentheses(inner) if is_of_codes(ty) => match inner.as_ref() {
            DefaultSpec::Text(text) | DefaultSpec::Value(DefaultValue::Literal(text)) => {
                Some(DefaultValue::Expression(format!("'{text}'")))
            }
            _ => constant(inner, ty, context),
        },
        DefaultSpec::InParentheses(inner) => constant(inner, ty, context),
        DefaultSpec::Text(text) => Some(quoted(text, ty, context)),
        // MariaDB 10.11 escapes such a string for its own records, and reads something else out of them.
        DefaultSpec::Binary(_)
            if context.is_mariadb()
                && matches!(ty, ColumnType::Blob { .. } | ColumnType::Text { .. }) =>
        {
            Some(DefaultValue::Expression("_binary".to_owned()))
        }
        DefaultSpec::Binary(bytes) => Some(normalised(&DefaultValue::Bytes(bytes.clone()), ty)),
    }
}

fn is_of_codes(ty: &ColumnType) -> bool {
    matches!(
        ty,
        ColumnType::Bit { .. }
            | ColumnType::Year
            | ColumnType::Enum { .. }
            | ColumnType::Set { .. }
    )
}

/// Whether what is written without quotes comes to the same in a column of this type when it is read as text. `1e2` is 100, `-0.0` is
/// 0.0, and to ENUM and SET a number is the place of a label, or a label.
fn is_plain_number(text: &str, ty: &ColumnType) -> bool {
    match ty {
        ColumnType::Enum { .. } | ColumnType::Set { .. } => false,
        ColumnType::Char { .. }
        | ColumnType::VarChar { .. }
        | ColumnType::Text { .. }
        | ColumnType::Binary { .. }
        | ColumnType::VarBinary { .. }
        | ColumnType::Blob { .. } => {
            let is_zero = text.starts_with('-') && text.trim_matches(['-', '0', '.']).is_empty();
            !is_zero
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
        }
        _ => true,
    }
}

/// A constant in quotes.
fn quoted(text: &str, ty: &ColumnType, context: &SqlContext) -> DefaultValue {
    let is_bytes = matches!(
        ty,
        ColumnType::Binary { .. } | ColumnType::VarBinary { .. } | ColumnType::Blob { .. }
    );
    match ty {
        // Its bytes are the bits.
        ColumnType::Bit { .. } => normalised(&DefaultValue::Bytes(text.as_bytes().to_vec()), ty),
        // As a number it is no year.
        ColumnType::Year if matches!(text.trim(), "0" | "00") => {
            DefaultValue::Literal("2000".to_owned())
        }
        _ if is_bytes && !text.is_ascii() => match context.connection_is_utf8() {
            true => normalised(&DefaultValue::Bytes(text.as_bytes().to_vec()), ty),
            false => DefaultValue::Expression(format!("'{text}'")),
        },
        _ => kept(&DefaultValue::Literal(text.to_owned()), ty, context),
    }
}

fn kept(value: &DefaultValue, ty: &ColumnType, context: &SqlContext) -> DefaultValue {
    match (normalised(value, ty), ty) {
        (DefaultValue::Literal(text), ColumnType::Timestamp { .. }) => {
            in_utc(text, context.utc_offset())
        }
        (value, _) => value,
    }
}

/// Without `explicit_defaults_for_timestamp`, the first TIMESTAMP of those written takes the time of the statement as
/// its default, unless something else was said of it.
pub(super) fn promote_first_timestamp<'a>(
    columns: impl Iterator<Item = (&'a ColumnDef, &'a mut Column)>,
    context: &SqlContext,
) {
    if context.timestamps_are_explicit() {
        return;
    }
    for (def, column) in columns {
        let ColumnType::Timestamp { fsp } = column.ty else {
            continue;
        };
        if is_plain(def) && !def.on_update && !column.nullable {
            column.default = Some(DefaultValue::CurrentTimestamp(fsp));
        }
        return;
    }
}

/// Whether nothing was said of a column's default: a bare DEFAULT NULL of a column that cannot be NULL says nothing.
fn is_plain(def: &ColumnDef) -> bool {
    let no_default = matches!(&def.default, None | Some(DefaultSpec::Null));
    no_default && def.generated.is_none() && def.row_period.is_none()
}
