//! What an account may do, from SHOW GRANTS.

use std::collections::BTreeSet;

/// Privileges of an account, roles included as far as the source shows them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Grants {
    /// Upper-case names of what is granted on `*.*`.
    global: BTreeSet<String>,
    /// Whether SELECT is granted on some database or table.
    selects_some: bool,
}

impl Grants {
    /// Reads the lines of SHOW GRANTS. Lines that grant roles, proxies or passwords are passed over.
    pub(super) fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut grants = Self::default();
        for line in lines {
            let Some((privileges, rest)) = line
                .strip_prefix("GRANT ")
                .and_then(|line| line.split_once(" ON "))
            else {
                continue;
            };
            let names = privilege_names(privileges);
            if rest.starts_with("*.* ") {
                grants.global.extend(names);
            } else if names
                .iter()
                .any(|name| name == "SELECT" || name == "ALL PRIVILEGES")
            {
                grants.selects_some = true;
            }
        }
        grants
    }

    /// Whether one of these is granted on `*.*`.
    fn has(&self, names: &[&str]) -> bool {
        names
            .iter()
            .chain(&["ALL PRIVILEGES", "ALL"])
            .any(|name| self.global.contains(*name))
    }

    /// May ask for a dump.
    pub(super) fn replication_slave(&self) -> bool {
        self.has(&["REPLICATION SLAVE", "REPLICATION REPLICA"])
    }

    /// May ask for binlog files and positions. MariaDB since 10.5 calls it BINLOG MONITOR.
    pub(super) fn replication_client(&self) -> bool {
        self.has(&["REPLICATION CLIENT", "BINLOG MONITOR", "SUPER"])
    }

    /// May read every table.
    pub(super) fn select_all(&self) -> bool {
        self.has(&["SELECT"])
    }

    /// May read some tables.
    pub(super) fn select_some(&self) -> bool {
        self.select_all() || self.selects_some
    }
}

/// The names in a list of privileges; column lists in parentheses are left out.
fn privilege_names(list: &str) -> Vec<String> {
    let mut depth = 0u32;
    let flat: String = list
        .chars()
        .filter(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => return depth == 0,
            }
            false
        })
        .collect();
    flat.split(',')
        .map(|name| name.trim().to_ascii_uppercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_servers_show() {
        let mysql = Grants::parse([
            "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `slave`@`%`",
            "GRANT SELECT (`a`, `b`), INSERT ON `shop`.`t` TO `slave`@`%`",
            "GRANT `reader`@`%` TO `slave`@`%`",
        ]);
        assert!(mysql.replication_slave() && mysql.replication_client());
        assert!(mysql.select_some() && !mysql.select_all());
        let mariadb = Grants::parse([
            "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO `s`@`%` IDENTIFIED BY PASSWORD \
             '*AB'",
        ]);
        assert!(mariadb.replication_slave() && mariadb.replication_client());
        assert!(!mariadb.select_some());
        let root = Grants::parse(["GRANT ALL PRIVILEGES ON *.* TO `root`@`%` WITH GRANT OPTION"]);
        assert!(root.replication_slave() && root.replication_client() && root.select_all());
        let nobody = Grants::parse(["GRANT USAGE ON *.* TO ``@`%`", "nonsense", ""]);
        assert!(!nobody.replication_slave() && !nobody.replication_client());
        let one = Grants::parse(["GRANT ALL PRIVILEGES ON `a`.* TO `x`@`%`"]);
        assert!(!one.replication_slave() && one.select_some());
    }
}
