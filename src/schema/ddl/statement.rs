//! What a statement says, before anything is known of the tables it names.
//!
//! Only what matters to rows, keys and later statements is kept. Types are already [`ColumnType`]s where they depend
//! on nothing else; what depends on charsets in force elsewhere stays open in [`TypeSpec`].

use std::borrow::Cow;

use crate::binlog::xa_id::XaId;
use crate::schema::table::{ColumnType, DefaultValue, Generated, IndexKind, KeyPart};

/// A table's name as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableName {
    /// Database where one is written.
    pub database: Option<String>,
    /// Table.
    pub name: String,
}

impl TableName {
    /// The table's database, written or default.
    pub fn database<'a>(&'a self, default: &'a str) -> &'a str {
        self.database.as_deref().unwrap_or(default)
    }
}

/// A statement, by what it does to tables.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// BEGIN, START TRANSACTION.
    Begin,
    /// COMMIT.
    Commit,
    /// ROLLBACK of the whole transaction.
    Rollback,
    /// ROLLBACK TO a savepoint.
    RollbackTo(String),
    /// SAVEPOINT.
    Savepoint(String),
    /// RELEASE SAVEPOINT.
    ReleaseSavepoint(String),
    /// XA.
    Xa(XaCommand),
    /// CREATE TABLE.
    CreateTable(Box<CreateTable>),
    /// ALTER TABLE, CREATE INDEX, DROP INDEX.
    AlterTable(Box<AlterTable>),
    /// DROP TABLE.
    DropTables {
        /// IF EXISTS.
        if_exists: bool,
        /// The tables.
        tables: Vec<TableName>,
    },
    /// TRUNCATE TABLE.
    Truncate(TableName),
    /// RENAME TABLE, in order.
    RenameTables(Vec<(TableName, TableName)>),
    /// CREATE DATABASE.
    CreateDatabase {
        /// Its name.
        name: String,
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// MariaDB's OR REPLACE: what was there is dropped first.
        or_replace: bool,
        /// Default charset and collation.
        charset: CharsetSpec,
    },
    /// ALTER DATABASE.
    AlterDatabase {
        /// Its name; `None` is the session's default database.
        name: Option<String>,
        /// Default charset and collation.
        charset: CharsetSpec,
    },
    /// DROP DATABASE.
    DropDatabase {
        /// Its name.
        name: String,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// Changes no table that is replicated; the keyword says what it was.
    NoTableChange(&'static str),
    /// Changes rows by statement: in a ROW stream, rows that no row event carries.
    DataChange(&'static str),
    /// Begins with nothing known here.
    Unknown,
}

/// The XA statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum XaCommand {
    /// XA START / BEGIN.
    Start(XaId),
    /// XA END.
    End(XaId),
    /// XA PREPARE.
    Prepare(XaId),
    /// XA COMMIT.
    Commit {
        /// Which transaction.
        xid: XaId,
        /// ONE PHASE.
        one_phase: bool,
    },
    /// XA ROLLBACK.
    Rollback(XaId),
}

/// Charset words as written. Both `None`: nothing said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CharsetSpec {
    /// CHARACTER SET, lower case; `default` for the keyword.
    pub charset: Option<String>,
    /// COLLATE, lower case.
    pub collation: Option<String>,
    /// The attribute BINARY: the charset's `_bin` collation.
    pub binary: bool,
}

impl CharsetSpec {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A type as written.
#[derive(Debug, Clone, PartialEq)]
pub enum TypeSpec {
    /// A type that has no charset.
    Fixed(ColumnType),
    /// CHAR(n).
    Char(u32, CharsetSpec),
    /// VARCHAR(n).
    VarChar(u32, CharsetSpec),
    /// BINARY(n), or `CHAR(n) BYTE`.
    Binary(u32),
    /// VARBINARY(n): BLOB where it is too long.
    VarBinary(u32),
    /// TINYTEXT … LONGTEXT by the bytes of its length.
    Text(u8, CharsetSpec),
    /// TEXT(n): the smallest kind that holds n characters.
    SizedText(u32, CharsetSpec),
    /// BLOB(n): the smallest kind that holds n bytes.
    SizedBlob(u32),
    /// ENUM.
    Enum(Vec<String>, CharsetSpec),
    /// SET.
    Set(Vec<String>, CharsetSpec),
    /// JSON: a type of its own on MySQL, LONGTEXT on MariaDB.
    Json,
}

/// DEFAULT as written.
#[derive(Debug, Clone, PartialEq)]
pub enum DefaultSpec {
    /// DEFAULT NULL.
    Null,
    /// Anything else that is not in quotes.
    Value(DefaultValue),
    /// A constant in quotes, which is no number to BIT and YEAR.
    Text(String),
    /// `_binary` and bytes beyond ASCII.
    Binary(Vec<u8>),
    /// A constant in parentheses: MySQL keeps it where it would forget a bare one (BLOB, TEXT).
    InParentheses(Box<DefaultSpec>),
}

/// A column as written.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDef {
    /// Name.
    pub name: String,
    /// Type.
    pub ty: TypeSpec,
    /// NULL or NOT NULL where said.
    pub nullable: Option<bool>,
    /// DEFAULT.
    pub default: Option<DefaultSpec>,
    /// ON UPDATE CURRENT_TIMESTAMP.
    pub on_update: bool,
    /// AUTO_INCREMENT, SERIAL.
    pub auto_increment: bool,
    /// NOT NULL was not said, but follows from AUTO_INCREMENT; a NULL behind that takes it back.
    pub not_null_implied: bool,
    /// AS ( … ).
    pub generated: Option<Generated>,
    /// INVISIBLE.
    pub invisible: bool,
    /// MariaDB's COMPRESSED.
    pub compressed: bool,
    /// MariaDB's `GENERATED ALWAYS AS ROW START` (false) or `END` (true).
    pub row_period: Option<bool>,
    /// WITHOUT SYSTEM VERSIONING changes nothing for rows; WITH makes the table versioned.
    pub system_versioned: bool,
}

/// A key as written.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyDef {
    /// `None` is the PRIMARY KEY.
    pub kind: Option<IndexKind>,
    /// Name of the index, else of the constraint.
    pub name: Option<String>,
    /// Parts.
    pub parts: Vec<KeyPart>,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// USING HASH.
    pub hash: bool,
}

/// A foreign key as written.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignKeyDef {
    /// CONSTRAINT name.
    pub constraint: Option<String>,
    /// Name behind FOREIGN KEY.
    pub index: Option<String>,
    /// Columns.
    pub columns: Vec<String>,
    /// Parent.
    pub parent: TableName,
    /// Columns of the parent; empty stands for its primary key (MariaDB).
    pub parent_columns: Vec<String>,
    /// ON DELETE, upper case.
    pub on_delete: String,
    /// ON UPDATE, upper case.
    pub on_update: String,
    /// Written behind a column, where some servers forget it.
    pub inline: bool,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
}

/// What CREATE TABLE lists between its parentheses, in order: names that the server makes up depend on it.
#[derive(Debug, Clone, PartialEq)]
pub enum TableElement {
    /// A column.
    Column(ColumnDef),
    /// A key.
    Key(KeyDef),
    /// A foreign key.
    ForeignKey(ForeignKeyDef),
    /// PERIOD FOR SYSTEM_TIME: from and to column.
    SystemPeriod(String, String),
    /// PERIOD FOR another name: from and to column, which it makes NOT NULL.
    ApplicationPeriod(String, String),
}

/// Table options that matter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableOptions {
    /// Default charset and collation.
    pub charset: CharsetSpec,
    /// ENGINE, lower case.
    pub engine: Option<String>,
    /// WITH SYSTEM VERSIONING.
    pub system_versioning: bool,
    /// MariaDB's SEQUENCE: whether the table is a sequence from now on.
    pub sequence: Option<bool>,
    /// START TRANSACTION: MySQL's CREATE … SELECT, whose rows follow in the same transaction.
    pub start_transaction: bool,
}

/// CREATE TABLE.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTable {
    /// Its name.
    pub table: TableName,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// OR REPLACE.
    pub or_replace: bool,
    /// What it is made of.
    pub elements: Vec<TableElement>,
    /// LIKE this table.
    pub like: Option<TableName>,
    /// Options.
    pub options: TableOptions,
    /// … SELECT: columns come from a query as well.
    pub select: bool,
}

/// Where a column goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnPlace {
    /// FIRST.
    First,
    /// AFTER a column.
    After(String),
}

/// One action of ALTER TABLE. What has no effect on rows, keys or later statements is not kept.
#[derive(Debug, Clone, PartialEq)]
pub enum AlterAction {
    /// ADD COLUMN.
    AddColumn {
        /// The column.
        column: ColumnDef,
        /// Where; `None` is the end.
        place: Option<ColumnPlace>,
        /// IF NOT EXISTS.
        if_not_exists: bool,
    },
    /// CHANGE COLUMN, and MODIFY COLUMN, whose name stays.
    ChangeColumn {
        /// Its name so far.
        old: String,
        /// The column from now on.
        column: ColumnDef,
        /// Where; `None` stays.
        place: Option<ColumnPlace>,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// RENAME COLUMN.
    RenameColumn {
        /// Its name so far.
        from: String,
        /// Its name from now on.
        to: String,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// DROP COLUMN.
    DropColumn {
        /// Its name.
        name: String,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// ALTER COLUMN … SET DEFAULT, or DROP DEFAULT (`None`).
    SetDefault {
        /// Its name.
        column: String,
        /// The default.
        default: Option<DefaultSpec>,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// ALTER COLUMN … SET VISIBLE or INVISIBLE.
    SetInvisible {
        /// Its name.
        column: String,
        /// INVISIBLE.
        invisible: bool,
    },
    /// ADD KEY and its kin.
    AddKey(KeyDef),
    /// ADD FOREIGN KEY.
    AddForeignKey(ForeignKeyDef),
    /// DROP PRIMARY KEY.
    DropPrimaryKey,
    /// DROP KEY.
    DropKey(String),
    /// DROP FOREIGN KEY.
    DropForeignKey(String),
    /// DROP CONSTRAINT: a foreign key, a unique key, the primary key or a CHECK of that name.
    DropConstraint(String),
    /// RENAME KEY.
    RenameKey(String, String),
    /// RENAME TO.
    RenameTable(TableName),
    /// CONVERT TO CHARACTER SET.
    ConvertCharset(CharsetSpec),
    /// Table options that matter.
    Options(TableOptions),
    /// Rows come or go with no row event: TRUNCATE, DROP, EXCHANGE, IMPORT PARTITION, IMPORT TABLESPACE, ...
    PartitionRows {
        /// The words of the action.
        what: &'static str,
        /// The other table, where rows go between two.
        with: Option<TableName>,
    },
    /// MariaDB: ADD SYSTEM VERSIONING.
    AddSystemVersioning,
    /// MariaDB: DROP SYSTEM VERSIONING; past rows are gone.
    DropSystemVersioning,
    /// MariaDB: ADD PERIOD FOR SYSTEM_TIME.
    AddSystemPeriod(String, String),
    /// ADD PERIOD FOR another name: from and to column.
    AddApplicationPeriod(String, String),
}

/// ALTER TABLE.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterTable {
    /// The table.
    pub table: TableName,
    /// MariaDB's IGNORE: rows that the new definition does not let in are dropped, values that do not fit are changed.
    pub ignore: bool,
    /// IF EXISTS.
    pub if_exists: bool,
    /// Actions, in order.
    pub actions: Vec<AlterAction>,
}

impl Statement {
    /// The tables that the statement makes, changes or drops, each with its database.
    pub fn tables<'a>(&'a self, default_database: &'a str) -> Vec<(&'a str, &'a str)> {
        fn add<'a>(all: &mut Vec<(&'a str, &'a str)>, table: &'a TableName, default: &'a str) {
            let table = (table.database(default), table.name.as_str());
            if !all.contains(&table) {
                all.push(table);
            }
        }
        let mut all = Vec::new();
        match self {
            Self::CreateTable(create) => add(&mut all, &create.table, default_database),
            Self::AlterTable(alter) => {
                add(&mut all, &alter.table, default_database);
                for action in &alter.actions {
                    match action {
                        // A new name without a database is one of the default database, not of the table's own.
                        AlterAction::RenameTable(other)
                        | AlterAction::PartitionRows {
                            with: Some(other), ..
                        } => {
                            add(&mut all, other, default_database);
                        }
                        _ => {}
                    }
                }
            }
            Self::DropTables { tables, .. } => {
                tables
                    .iter()
                    .for_each(|table| add(&mut all, table, default_database));
            }
            Self::Truncate(table) => add(&mut all, table, default_database),
            Self::RenameTables(pairs) => {
                for (from, to) in pairs {
                    add(&mut all, from, default_database);
                    add(&mut all, to, default_database);
                }
            }
            _ => {}
        }
        all
    }

    /// The databases that the statement touches, each once; for statements that change no table, none.
    pub fn databases<'a>(&'a self, default_database: &'a str) -> Vec<Cow<'a, str>> {
        match self {
            Self::CreateDatabase { name, .. } | Self::DropDatabase { name, .. } => {
                vec![Cow::Borrowed(name)]
            }
            Self::AlterDatabase { name, .. } => {
                vec![Cow::Borrowed(name.as_deref().unwrap_or(default_database))]
            }
            _ => {
                let mut all: Vec<Cow<'a, str>> = Vec::new();
                for (database, _) in self.tables(default_database) {
                    if !all.iter().any(|known| known == database) {
                        all.push(Cow::Borrowed(database));
                    }
                }
                all
            }
        }
    }

    /// Whether the statement changes tables or databases.
    pub fn is_ddl(&self) -> bool {
        matches!(
            self,
            Self::CreateTable(_)
                | Self::AlterTable(_)
                | Self::DropTables { .. }
                | Self::Truncate(_)
                | Self::RenameTables(_)
                | Self::CreateDatabase { .. }
                | Self::AlterDatabase { .. }
                | Self::DropDatabase { .. }
        )
    }
}
