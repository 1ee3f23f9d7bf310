//! Foreign keys follow the names of their parents, whatever `foreign_key_checks` says: a rename of a table or of a column
//! changes the definitions of its children, and a table that moves to another database keeps its parents (measured on
//! MariaDB 10.11 and MySQL 9.7).

use crate::schema::table::{ForeignKey, Table, same_name};

/// Database and name of a table.
pub(super) type FullName = (String, String);

/// The definition of a table that is renamed: its own keys keep their parents, those that refer to itself follow, and
/// the names that the server made up follow the table's.
pub(super) fn renamed(table: &Table, from: &FullName, to: &FullName) -> Table {
    let made_up = format!("{}_ibfk_", from.1);
    let mut renamed = Table {
        name: to.1.clone(),
        ..table.clone()
    };
    for key in &mut renamed.foreign_keys {
        let parent = match full_parent(key, &from.0) {
            (database, name) if (database, name) == (&from.0, &from.1) => to.clone(),
            (database, name) => (database.to_owned(), name.to_owned()),
        };
        set_parent(key, parent, &to.0);
        let number = key
            .name
            .as_deref()
            .and_then(|name| name.strip_prefix(&made_up));
        if let Some(number) = number {
            key.name = Some(format!("{}_ibfk_{number}", to.1));
        }
    }
    renamed
}

/// The definition of a table of `database` after another one was renamed; `None` when it does not refer to that.
pub(super) fn after_rename(
    table: &Table,
    database: &str,
    from: &FullName,
    to: &FullName,
) -> Option<Table> {
    let refers = |key: &ForeignKey| full_parent(key, database) == (&from.0, &from.1);
    if !table.foreign_keys.iter().any(refers) {
        return None;
    }
    let mut followed = table.clone();
    for key in followed.foreign_keys.iter_mut().filter(|key| refers(key)) {
        set_parent(key, to.clone(), database);
    }
    Some(followed)
}

/// The definition of a table of `database` after columns of a parent got other names; `None` when that does not concern
/// it.
pub(super) fn after_column_rename(
    table: &Table,
    database: &str,
    parent: &FullName,
    names: &[(String, String)],
) -> Option<Table> {
    let mut followed = table.clone();
    for key in &mut followed.foreign_keys {
        if full_parent(key, database) != (&parent.0, &parent.1) {
            continue;
        }
        for column in &mut key.parent_columns {
            if let Some((_, now)) = names.iter().find(|(old, _)| same_name(old, column)) {
                column.clone_from(now);
            }
        }
    }
    (followed != *table).then_some(followed)
}

fn full_parent<'k>(key: &'k ForeignKey, database: &'k str) -> (&'k str, &'k str) {
    let parent = key.parent_database.as_deref().unwrap_or(database);
    (parent, &key.parent_table)
}

fn set_parent(key: &mut ForeignKey, (database, name): FullName, own: &str) {
    key.parent_database = (database != own).then_some(database);
    key.parent_table = name;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::collation;

    fn child(keys: &[(Option<&str>, &str)]) -> Table {
        let keys = keys.iter().enumerate();
        let key = |(n, (database, parent)): (usize, &(Option<&str>, &str))| ForeignKey {
            name: Some(format!("c_ibfk_{}", n + 1)),
            columns: vec!["pid".to_owned()],
            parent_database: database.map(str::to_owned),
            parent_table: (*parent).to_owned(),
            parent_columns: vec!["id".to_owned()],
            on_delete: "CASCADE".to_owned(),
            on_update: "RESTRICT".to_owned(),
        };
        Table {
            name: "c".to_owned(),
            columns: Vec::new(),
            primary_key: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: keys.map(key).collect(),
            collation: collation::binary(),
            system_period: None,
        }
    }

    fn full(database: &str, name: &str) -> FullName {
        (database.to_owned(), name.to_owned())
    }

    fn parents(table: &Table) -> Vec<(Option<&str>, &str)> {
        let keys = table.foreign_keys.iter();
        keys.map(|key| (key.parent_database.as_deref(), key.parent_table.as_str()))
            .collect()
    }

    #[test]
    fn a_table_that_moves_keeps_its_parents() {
        let table = child(&[(None, "p"), (Some("y"), "q"), (None, "c")]);
        let moved = renamed(&table, &full("x", "c"), &full("y", "d"));
        assert_eq!(
            parents(&moved),
            [(Some("x"), "p"), (None, "q"), (None, "d")]
        );
        assert_eq!(moved.foreign_keys[1].name.as_deref(), Some("d_ibfk_2"));
    }

    #[test]
    fn children_follow_their_parents() {
        let table = child(&[(None, "p"), (Some("y"), "p")]);
        let follow = |from, to| after_rename(&table, "x", &from, &to);
        let now = follow(full("y", "p"), full("x", "r")).unwrap();
        assert_eq!(parents(&now), [(None, "p"), (None, "r")]);
        let now = follow(full("x", "p"), full("z", "p")).unwrap();
        assert_eq!(parents(&now), [(Some("z"), "p"), (Some("y"), "p")]);
        assert_eq!(follow(full("z", "p"), full("x", "r")), None);
    }

    #[test]
    fn columns_follow_too_and_may_swap_names() {
        let table = child(&[(None, "p")]);
        let names = [full("id", "k"), full("k", "id")];
        let now = after_column_rename(&table, "x", &full("x", "p"), &names).unwrap();
        assert_eq!(now.foreign_keys[0].parent_columns, ["k"]);
        assert_eq!(
            after_column_rename(&table, "x", &full("y", "p"), &names),
            None
        );
    }
}
