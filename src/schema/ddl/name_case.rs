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
    *name = name.to_lowercase();
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
