//! Names of databases and tables on a source that keeps them in lower case (`lower_case_table_names` 1).
//!
//! Such a server writes lower-case names into TABLE_MAP events, while a statement's text has them as they were typed. Names
//! of columns and keys are left alone: they ignore case everywhere and keep the one they were given.

use super::statement::{AlterAction, Statement, TableElement, TableName};

impl Statement {
    /// The statement as the server understands it: its databases and tables in lower case.
    #[must_use]
    pub fn in_lower_case(&self) -> Self {
        let mut lower = self.clone();
        match &mut lower {
            Self::CreateTable(create) => {
                table(&mut create.table);
                create.like.iter_mut().for_each(table);
                for element in &mut create.elements {
                    if let TableElement::ForeignKey(key) = element {
                        table(&mut key.parent);
                    }
                }
            }
            Self::AlterTable(alter) => {
                table(&mut alter.table);
                alter.actions.iter_mut().for_each(action);
            }
            Self::DropTables { tables, .. } => tables.iter_mut().for_each(table),
            Self::Truncate(name) => table(name),
            Self::RenameTables(pairs) => {
                for (from, to) in pairs {
                    table(from);
                    table(to);
                }
            }
            Self::CreateDatabase { name, .. } | Self::DropDatabase { name, .. } => word(name),
            Self::AlterDatabase { name, .. } => name.iter_mut().for_each(word),
            _ => {}
        }
        lower
    }
}

fn word(name: &mut String) {
    *name = lower(name);
}

/// Letters that have a small form in Unicode and none on the servers, whose tables are older (`utf8mb3_general_ci`; measured for
/// every character on MariaDB 10.11 and MySQL 9.7).
const WITHOUT_SMALL_FORM: [(char, char); 17] = [
    ('\u{0220}', '\u{0220}'),
    ('\u{023a}', '\u{037f}'),
    ('\u{03cf}', '\u{03d8}'),
    ('\u{03f4}', '\u{03ff}'),
    ('\u{048a}', '\u{048a}'),
    ('\u{04c0}', '\u{04c0}'),
    ('\u{04c5}', '\u{04c5}'),
    ('\u{04c9}', '\u{04c9}'),
    ('\u{04cd}', '\u{04cd}'),
    ('\u{04f6}', '\u{04f6}'),
    ('\u{04fa}', '\u{052e}'),
    ('\u{10a0}', '\u{1cbf}'),
    ('\u{1e9e}', '\u{1e9e}'),
    ('\u{1efa}', '\u{1efe}'),
    ('\u{2132}', '\u{2132}'),
    ('\u{2183}', '\u{2183}'),
    ('\u{2c00}', '\u{ffff}'),
];

/// A name in lower case as the servers have it: character by character, wherever it stands.
fn lower(name: &str) -> String {
    let one = |c: char| {
        let is_kept = |(first, last): &(char, char)| (*first..=*last).contains(&c);
        match c {
            'İ' => 'i',
            // Full-width Latin letters are beyond, and have one.
            'Ａ'..='Ｚ' => c.to_lowercase().next().unwrap_or(c),
            c if WITHOUT_SMALL_FORM.iter().any(is_kept) => c,
            c => c.to_lowercase().next().unwrap_or(c),
        }
    };
    name.chars().map(one).collect()
}

fn table(name: &mut TableName) {
    name.database.iter_mut().for_each(word);
    word(&mut name.name);
}

fn action(action: &mut AlterAction) {
    match action {
        AlterAction::RenameTable(to) => table(to),
        AlterAction::PartitionRows { with, .. } => with.iter_mut().for_each(table),
        AlterAction::AddForeignKey(key) => table(&mut key.parent),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_small_as_on_the_servers() {
        assert_eq!(lower("ÄΑΣ ẞ İstanbul ＡＺ Ꭰ"), "äασ ẞ istanbul ａｚ Ꭰ");
    }
}
