//! The oracle for rules: a replica server of the same source, with the same rules.

use std::collections::BTreeMap;

use crate::support::server::{Flavor, REPL_PASSWORD, REPL_USER, Server};

/// One rule: the key without `replicate_`, and what it says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) key: &'static str,
    pub(super) value: String,
}

impl Rule {
    /// All keys.
    pub(super) const KEYS: [&'static str; 7] = [
        "do_db",
        "ignore_db",
        "do_table",
        "ignore_table",
        "wild_do_table",
        "wild_ignore_table",
        "rewrite_db",
    ];
}

/// Longest time that a replica server may need, in seconds.
const TIMEOUT_SECONDS: u32 = 60;

/// Databases that rules may let through.
const DATABASES: [&str; 4] = ["shop", "shop_a", "Stock", "renamed"];

/// The replica server.
pub(super) struct ServerReplica(Server);

impl ServerReplica {
    /// A server of the same family and version.
    pub(super) fn of(source: &Server) -> Self {
        let builder = Server::builder(source.flavor()).server_id(102);
        Self(builder.start())
    }

    /// Where a server takes rules for other names only when it starts, one that has this one.
    pub(super) fn with_other_name(source: &Server, rewrite: &str) -> Option<Self> {
        if takes_other_names(source.flavor()) {
            return None;
        }
        let builder = Server::builder(source.flavor())
            .server_id(103)
            .arg(format!("--replicate-rewrite-db={rewrite}"));
        Some(Self(builder.start()))
    }

    /// Replicates everything from the start under these rules; what arrived.
    pub(super) fn replicate(
        &self,
        source: &Server,
        rules: &[Rule],
    ) -> BTreeMap<String, Vec<String>> {
        let server = &self.0;
        for database in DATABASES {
            // Made beforehand: the servers' rules for CREATE DATABASE are not those for tables.
            server.exec(&format!(
                "DROP DATABASE IF EXISTS {database}; CREATE DATABASE {database}"
            ));
        }
        let (file, pos) = source.position();
        let wait = match server.flavor() {
            Flavor::MariaDb | Flavor::MariaDb11 => {
                self.prepare_mariadb(source, rules);
                format!("SELECT MASTER_POS_WAIT('{file}', {pos}, {TIMEOUT_SECONDS})")
            }
            Flavor::MySql => {
                self.prepare_mysql(source, rules);
                format!("SELECT SOURCE_POS_WAIT('{file}', {pos}, {TIMEOUT_SECONDS})")
            }
        };
        let waited = server.query_strings(&wait);
        assert!(
            waited[0][0].as_deref().is_some_and(|events| events != "-1"),
            "the replica server did not get there with {rules:?}: {:?}",
            server.query_strings(match server.flavor() {
                Flavor::MariaDb | Flavor::MariaDb11 => "SHOW SLAVE STATUS",
                Flavor::MySql => "SHOW REPLICA STATUS",
            })
        );
        self.tables()
    }

    fn prepare_mariadb(&self, source: &Server, rules: &[Rule]) {
        let server = &self.0;
        server.exec("STOP SLAVE; RESET SLAVE ALL");
        let keys = Rule::KEYS
            .into_iter()
            .filter(|key| *key != "rewrite_db" || takes_other_names(server.flavor()));
        for key in keys {
            let values: Vec<&str> = of_key(rules, key);
            let list = values.join(",").replace('\\', "\\\\");
            server.exec(&format!("SET GLOBAL replicate_{key} = '{list}'"));
        }
        server.exec(&format!(
            "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, MASTER_USER = '{REPL_USER}',
             MASTER_PASSWORD = '{REPL_PASSWORD}', MASTER_LOG_FILE = 'binlog.000001', MASTER_LOG_POS = 4, MASTER_USE_GTID = no;
             START SLAVE",
            source.port()
        ));
    }

    fn prepare_mysql(&self, source: &Server, rules: &[Rule]) {
        let server = &self.0;
        server.exec("STOP REPLICA; RESET REPLICA ALL; RESET BINARY LOGS AND GTIDS");
        for key in Rule::KEYS {
            let values: Vec<String> = of_key(rules, key)
                .into_iter()
                .map(|value| match value.split_once("->") {
                    Some((from, to)) => format!("(`{from}`, `{to}`)"),
                    None if key.starts_with("wild") => format!("'{}'", value.replace('\\', "\\\\")),
                    None => format!("`{}`", value.replace('.', "`.`")),
                })
                .collect();
            let list = values.join(", ");
            server.exec(&format!(
                "CHANGE REPLICATION FILTER REPLICATE_{key} = ({list})"
            ));
        }
        server.exec(&format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {}, SOURCE_USER = '{REPL_USER}',
             SOURCE_PASSWORD = '{REPL_PASSWORD}', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1; START REPLICA",
            source.port()
        ));
    }

    fn tables(&self) -> BTreeMap<String, Vec<String>> {
        let list = DATABASES.map(|name| format!("'{name}'")).join(", ");
        let sql = format!(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ({list})"
        );
        let mut all = BTreeMap::new();
        for row in self.0.query_strings(&sql) {
            let [Some(database), Some(table)] = &row[..] else {
                panic!("{row:?}")
            };
            let rows = self.0.query_strings(&format!(
                "SELECT CONCAT(id, ' ', v) FROM `{database}`.`{table}` ORDER BY id"
            ));
            all.insert(
                format!("{database}.{table}"),
                rows.into_iter().flatten().flatten().collect(),
            );
        }
        all
    }
}

fn of_key<'a>(rules: &'a [Rule], key: &str) -> Vec<&'a str> {
    let rules = rules.iter().filter(|rule| rule.key == key);
    rules.map(|rule| rule.value.as_str()).collect()
}

/// Whether rules for other names are taken while the server runs.
fn takes_other_names(flavor: Flavor) -> bool {
    !flavor.is_mariadb() || flavor.is_mariadb_since(10, 11)
}
