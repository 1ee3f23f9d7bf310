//! What a table is: the definition that the catalog keeps, for both servers and both targets.

use serde::{Deserialize, Serialize};

/// Charset and collation of a text column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Collation {
    /// Charset name as the server prints it, lower case: `utf8mb4`, `latin1`, `binary`.
    pub charset: String,
    /// Collation name, lower case: `utf8mb4_0900_ai_ci`.
    pub name: String,
}

/// A column's type, as MySQL defines it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ColumnType {
    /// TINYINT (1 byte), SMALLINT (2), MEDIUMINT (3), INT (4), BIGINT (8).
    Int {
        /// Width in bytes.
        bytes: u8,
        /// UNSIGNED, or ZEROFILL which implies it.
        unsigned: bool,
        /// Display width where one was given: TINYINT(1) is BOOL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display_width: Option<u16>,
        /// ZEROFILL.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        zerofill: bool,
    },
    /// FLOAT.
    Float {
        /// UNSIGNED.
        unsigned: bool,
        /// FLOAT(m,d).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digits: Option<(u8, u8)>,
    },
    /// DOUBLE.
    Double {
        /// UNSIGNED.
        unsigned: bool,
        /// DOUBLE(m,d).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digits: Option<(u8, u8)>,
    },
    /// DECIMAL(precision, scale).
    Decimal {
        /// Digits in all, 1 to 65.
        precision: u8,
        /// Digits after the point, 0 to 38.
        scale: u8,
        /// UNSIGNED.
        unsigned: bool,
    },
    /// BIT(n), 1 to 64.
    Bit {
        /// Number of bits.
        bits: u8,
    },
    /// YEAR.
    Year,
    /// DATE.
    Date,
    /// TIME(fsp).
    Time {
        /// Fractional digits, 0 to 6.
        fsp: u8,
    },
    /// DATETIME(fsp).
    DateTime {
        /// Fractional digits, 0 to 6.
        fsp: u8,
    },
    /// TIMESTAMP(fsp).
    Timestamp {
        /// Fractional digits, 0 to 6.
        fsp: u8,
    },
    /// CHAR(n).
    Char {
        /// Length in characters.
        length: u32,
        /// Charset and collation.
        collation: Collation,
    },
    /// VARCHAR(n).
    VarChar {
        /// Length in characters.
        length: u32,
        /// Charset and collation.
        collation: Collation,
    },
    /// TINYTEXT (1), TEXT (2), MEDIUMTEXT (3), LONGTEXT (4).
    Text {
        /// Width of the length prefix in bytes.
        length_bytes: u8,
        /// Charset and collation.
        collation: Collation,
    },
    /// BINARY(n).
    Binary {
        /// Length in bytes.
        length: u32,
    },
    /// VARBINARY(n).
    VarBinary {
        /// Length in bytes.
        length: u32,
    },
    /// TINYBLOB (1), BLOB (2), MEDIUMBLOB (3), LONGBLOB (4).
    Blob {
        /// Width of the length prefix in bytes.
        length_bytes: u8,
    },
    /// ENUM.
    Enum {
        /// Labels in order, decoded.
        labels: Vec<String>,
        /// Charset and collation.
        collation: Collation,
    },
    /// SET.
    Set {
        /// Labels in order, decoded.
        labels: Vec<String>,
        /// Charset and collation.
        collation: Collation,
    },
    /// MySQL JSON (MariaDB's is `Text`).
    Json,
    /// GEOMETRY and its kinds.
    Geometry {
        /// The word used: `point`, `geometry`, ...
        kind: String,
    },
    /// VECTOR(n).
    Vector {
        /// Dimensions.
        dimensions: u32,
    },
    /// MariaDB UUID.
    Uuid,
    /// MariaDB INET4.
    Inet4,
    /// MariaDB INET6.
    Inet6,
}

/// What a column holds when an INSERT does not name it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultValue {
    /// A constant, as the server would print it with the column's type (`0`, `abc`, `2020-01-01`).
    Literal(String),
    /// A constant of bits or bytes: `b'101'`, `x'ff'`.
    Bytes(Vec<u8>),
    /// CURRENT_TIMESTAMP(fsp).
    CurrentTimestamp(u8),
    /// Anything else: the expression's text.
    Expression(String),
}

/// A generated column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generated {
    /// The expression's text.
    pub expression: String,
    /// STORED or PERSISTENT; else VIRTUAL. Both are in the row images of MySQL and MariaDB.
    pub stored: bool,
}

impl Generated {
    /// Whether a column's name stands in the expression, not as a part of a longer one. It may stand there as something else.
    pub fn mentions(&self, name: &str) -> bool {
        let expression = self.expression.to_lowercase();
        // As it stands between backticks.
        let name = name.to_lowercase().replace('`', "``");
        let is_part =
            |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$');
        expression.match_indices(&name).any(|(at, _)| {
            let before = expression
                .get(..at)
                .and_then(|text| text.chars().next_back());
            let behind = expression
                .get(at + name.len()..)
                .and_then(|text| text.chars().next());
            !is_part(before) && !is_part(behind)
        })
    }
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Name as the source spells it.
    pub name: String,
    /// Type.
    #[serde(flatten)]
    pub ty: ColumnType,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// DEFAULT; `None` is none given (NULL where nullable).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultValue>,
    /// AUTO_INCREMENT.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto_increment: bool,
    /// Generated columns are plain columns in the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<Generated>,
    /// INVISIBLE; in the row images all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub invisible: bool,
    /// MariaDB `COMPRESSED` column: same values, other storage.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compressed: bool,
}

/// One part of a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPart {
    /// A column, whole.
    Column {
        /// Name as in [`Table::columns`].
        name: String,
        /// DESC.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        descending: bool,
    },
    /// The first characters (bytes for binary columns) of a column.
    Prefix {
        /// Name as in [`Table::columns`].
        name: String,
        /// Length of the prefix.
        length: u32,
    },
    /// A functional key part: the expression's text.
    Expression(String),
}

/// What an index is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexKind {
    /// KEY, INDEX.
    Plain,
    /// UNIQUE.
    Unique,
    /// FULLTEXT; no counterpart in SQLite.
    Fulltext,
    /// SPATIAL; no counterpart in SQLite.
    Spatial,
    /// VECTOR; no counterpart in SQLite.
    Vector,
}

/// A secondary index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// Name as the source has it (given, or made up the way the server does).
    pub name: String,
    /// What it is for.
    pub kind: IndexKind,
    /// Key parts in order.
    pub parts: Vec<KeyPart>,
    /// Written USING HASH. MariaDB keeps a unique one in a hidden column, where the engine has no hash indexes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hash: bool,
}

/// A FOREIGN KEY.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// CONSTRAINT name where one was given.
    pub name: Option<String>,
    /// Columns of this table.
    pub columns: Vec<String>,
    /// Database of the parent; `None` is this one.
    pub parent_database: Option<String>,
    /// The parent table.
    pub parent_table: String,
    /// Columns of the parent.
    pub parent_columns: Vec<String>,
    /// ON DELETE, upper case: `CASCADE`, `SET NULL`, ...; `RESTRICT` when none was given.
    pub on_delete: String,
    /// ON UPDATE.
    pub on_update: String,
}

impl ForeignKey {
    /// Whether it changes child rows when a parent's change. SET DEFAULT is RESTRICT to the engines.
    pub fn acts(&self) -> bool {
        let acts = |action: &str| matches!(action, "CASCADE" | "SET NULL");
        acts(&self.on_delete) || acts(&self.on_update)
    }
}

/// A table at one position of the binlog. Column order is the source's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Name as the source spells it.
    pub name: String,
    /// All columns that a row image holds, in order; invisible and generated ones included.
    pub columns: Vec<Column>,
    /// PRIMARY KEY parts; empty when there is none.
    pub primary_key: Vec<KeyPart>,
    /// Secondary indexes.
    pub indexes: Vec<Index>,
    /// Foreign keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<ForeignKey>,
    /// Default charset and collation for new text columns.
    pub collation: Collation,
    /// MariaDB WITH SYSTEM VERSIONING: the columns of the period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_period: Option<SystemPeriod>,
}

/// The system-time period of a MariaDB table WITH SYSTEM VERSIONING. Past rows are rows like others in the binlog and
/// in the target; the end of the period is part of the primary key and of every unique key, as it is on the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemPeriod {
    /// When a row began to be in force.
    pub start: String,
    /// When it ceased to be; far in the future for rows in force.
    pub end: String,
    /// The columns were made by the server, not written in the definition; they are always the last ones.
    pub hidden: bool,
}

/// Whether two names of columns or indexes are the same to the server: letter by letter, in any case (its
/// `my_strcasecmp` in utf8mb3).
pub fn same_name(a: &str, b: &str) -> bool {
    // One letter stays one letter: İ is an i, and Σ is a σ also at the end of a word.
    let folded = |c: char| c.to_lowercase().next();
    a.eq_ignore_ascii_case(b)
        || (!(a.is_ascii() && b.is_ascii()) && a.chars().map(folded).eq(b.chars().map(folded)))
}

impl Table {
    /// Whether a foreign key changes rows of this table when those of another database change.
    pub fn has_key_apart(&self) -> bool {
        let mut keys = self.foreign_keys.iter();
        keys.any(|key| key.parent_database.is_some() && key.acts())
    }

    /// Where a column stands, by its name in any case. Servers fold fewer letters than Unicode does by now (not ẞ, which
    /// is younger than their tables), so the name as it is written comes first.
    pub fn column_index(&self, name: &str) -> Option<usize> {
        let exact = self.columns.iter().position(|column| column.name == name);
        exact.or_else(|| {
            let mut columns = self.columns.iter();
            columns.position(|column| same_name(&column.name, name))
        })
    }

    /// A column by its name in any case, as [`Self::column_index`] finds it.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.get(self.column_index(name)?)
    }
}

impl KeyPart {
    /// The column that the part is made of; `None` for an expression.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::Column { name, .. } | Self::Prefix { name, .. } => Some(name),
            Self::Expression(_) => None,
        }
    }
}

impl ColumnType {
    /// Charset and collation of a text type.
    pub fn collation(&self) -> Option<&Collation> {
        match self {
            Self::Char { collation, .. }
            | Self::VarChar { collation, .. }
            | Self::Text { collation, .. }
            | Self::Enum { collation, .. }
            | Self::Set { collation, .. } => Some(collation),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_mentions_whole_names() {
        let mentions = |expression: &str, name: &str| {
            let expression = expression.to_owned();
            let stored = false;
            Generated { expression, stored }.mentions(name)
        };
        assert!(mentions("A+1", "a"));
        assert!(mentions("concat(`b c`,'x')", "b c"));
        assert!(mentions("`d``e` + 1", "d`e"));
        assert!(!mentions("aa + a1 + _a", "a"));
    }
}
