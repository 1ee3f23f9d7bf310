//! What gh-ost and pt-online-schema-change do to a table, by SQL, over the tables and changes of gh-ost's own tests: the
//! shadow table, chunks copied while the table changes, the cut-over. Afterwards all tables are equal.
//!
//! Each case of the corpus is a `create.sql`: a table, first rows, and an event that changes rows. The event's statements run
//! here between the steps of the tool. The statements are those that the tools send; gh-ost's own reading of the binary log is
//! stood in for by REPLACE and DELETE over both tables, which leave the same kinds of row events.

use std::fs;
use std::path::PathBuf;

use crate::support::compare::assert_equal;
use crate::support::random::budget;
use crate::support::relaylite::{Replica, wait_for};
use crate::support::server::{Flavor, Server, Session};

on_both!(gh_ost_on_every_case, pt_online_schema_change_on_every_case);

/// The table that every case changes.
const TABLE: &str = "gh_ost_test";

/// Rows of one chunk.
const CHUNK_ROWS: usize = 7;

/// The change of a case; the others only rebuild the table, as gh-ost's own tests do.
fn change(case: &str) -> &'static str {
    match case {
        "alter-charset" | "alter-charset-all-dml" => {
            "MODIFY t1 varchar(128) CHARACTER SET utf8mb4 NOT NULL DEFAULT 'é', MODIFY t2 varchar(128) CHARACTER SET latin2, \
             MODIFY tutf8 varchar(128) CHARACTER SET latin1"
        }
        "bigint-change-nullable" => "CHANGE val val bigint",
        "binary-to-varbinary" => "MODIFY data varbinary(32) NOT NULL",
        "bit-add" => "ADD is_good bit NULL DEFAULT 0",
        "bit-dml" => "MODIFY is_good bit NOT NULL DEFAULT 0",
        "convert-utf8mb4" => "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        "datetime-to-timestamp" => "CHANGE t t timestamp NULL",
        "timestamp-to-datetime" | "tz-datetime-ts" => {
            "CHANGE ts0 ts0 datetime(3) NULL, MODIFY t timestamp NULL FIRST"
        }
        "tz-datetime" => "CHANGE ts1 t1 timestamp NULL",
        "timestamp-datetime" => {
            "CHANGE ts2dt ts2dt datetime(1) NULL AFTER id, CHANGE dt2ts dt2ts timestamp(6) NULL"
        }
        "drop-null-add-not-null" => "DROP COLUMN c1, ADD COLUMN c1 int NOT NULL DEFAULT 47",
        "enum" => {
            "CHANGE e e enum('orange', 'red', 'yellow', 'green', 'blue') NULL DEFAULT NULL COLLATE 'utf8_bin'"
        }
        "enum-pk" => {
            "CHANGE e e enum('blue', 'red', 'green', 'orange', 'yellow') NOT NULL DEFAULT 'red' COLLATE 'utf8_bin'"
        }
        "enum-to-varchar" => "CHANGE e e varchar(32) NULL",
        "fail-drop-pk" => "MODIFY id int NOT NULL, DROP PRIMARY KEY, ADD KEY (id)",
        "fail-no-shared-uk" | "shared-uk" => {
            "MODIFY id int NOT NULL, DROP PRIMARY KEY, ADD UNIQUE KEY by_id (id)"
        }
        "swap-uk" => "MODIFY id int NOT NULL, DROP PRIMARY KEY, ADD PRIMARY KEY (id, i)",
        "swap-pk-uk" => {
            "DROP PRIMARY KEY, DROP KEY its_uidx, ADD PRIMARY KEY (i, ts), ADD UNIQUE KEY id_uidx (id)"
        }
        "swap-uk-uk" => {
            "DROP KEY id_uidx, DROP KEY its_uidx, ADD UNIQUE KEY its2_uidx (i, ts), ADD UNIQUE KEY id2_uidx (id)"
        }
        "gbk-charset" => {
            "ADD f varchar(32) DEFAULT '默认' COMMENT '添加', CONVERT TO CHARACTER SET utf8mb4"
        }
        "generated-columns" => "DROP COLUMN sum_ab, ADD COLUMN sum_ab int AS (a + b + 1) STORED",
        "generated-columns-add" => "ADD COLUMN sum_ab int AS (a + b) VIRTUAL",
        "generated-columns-rename" => "CHANGE sum_ab total_ab int AS (a + b) VIRTUAL",
        "keyword-column" => "ADD COLUMN `index` int unsigned, ADD INDEX `index` (`index`)",
        "modify-change-case" => "MODIFY C2 int NOT NULL DEFAULT 0",
        "modify-change-case-pk" => "MODIFY ID int NOT NULL AUTO_INCREMENT",
        "rename" | "rename-inserts-only" => "CHANGE c2 c3 int NOT NULL",
        "rename-none-column" => "ADD COLUMN exchange varchar(255)",
        "rename-none-comment" => "ADD COLUMN exchange_rate int COMMENT 'change rate'",
        "rename-reorder-column" => "CHANGE c2 c2a int NOT NULL AFTER id",
        "rename-reorder-columns" => {
            "CHANGE c2 c2a int NOT NULL, CHANGE c3 c3 int NOT NULL AFTER id"
        }
        "reorder-columns" => "CHANGE c2 c2 int NOT NULL AFTER id",
        "unsigned-modify" => {
            "MODIFY id bigint unsigned NOT NULL AUTO_INCREMENT, MODIFY column1 bigint NOT NULL"
        }
        "unsigned-rename" => {
            "CHANGE bi bi_renamed bigint NOT NULL, CHANGE biu biu_renamed bigint unsigned NOT NULL"
        }
        "unsigned-reorder" => "CHANGE i i_re int NOT NULL AFTER id",
        "varbinary" => {
            "CHANGE data data varbinary(8) NOT NULL, CHANGE id id varbinary(16) NOT NULL"
        }
        "trivial" => "ADD COLUMN trivial int NOT NULL DEFAULT 3 FIRST",
        "panic-on-warnings-duplicate-values-for-unique-index" => "ADD UNIQUE INDEX (name)",
        "panic-on-warnings-duplicate-unique-values-on-column-type-change" => {
            "MODIFY name varchar(40) NOT NULL, ADD UNIQUE KEY n (name)"
        }
        "panic-on-warnings-batch-middle"
        | "panic-on-warnings-update-pk-with-duplicate-on-new-unique-index" => {
            "ADD UNIQUE INDEX (email)"
        }
        _ => "ENGINE=InnoDB",
    }
}

/// One case: statements that make the table, and those of its event.
struct Case {
    name: String,
    create: Vec<String>,
    event: Vec<String>,
}

/// Half of the cases for each of the tools, or all for both when a longer run is asked for.
fn some_cases(turn: usize) -> Vec<Case> {
    let all = budget("RELAYLITE_TEST_ALL_CASES", 0) > 0;
    let mut cases = cases();
    let mut number = 0;
    cases.retain(|_| {
        number += 1;
        all || number % 2 == turn
    });
    cases
}

fn cases() -> Vec<Case> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/fixtures/sql/gh-ost-localtests/localtests");
    let mut names: Vec<String> = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() > 70, "{names:?}");
    names
        .into_iter()
        .map(|name| {
            let text = fs::read_to_string(directory.join(&name).join("create.sql")).unwrap();
            let (mut create, mut event) = (Vec::new(), Vec::new());
            for statement in statements(&text) {
                if statement.starts_with("create event") {
                    event.extend(body(&statement));
                }
                create.push(statement);
            }
            Case {
                name,
                create,
                event,
            }
        })
        .collect()
}

/// Statements as the command-line client separates them: by the delimiter in force at the end of a line.
fn statements(text: &str) -> Vec<String> {
    let (mut found, mut current, mut delimiter) = (Vec::new(), String::new(), ";".to_owned());
    for line in text.lines() {
        if let Some(next) = line.trim().strip_prefix("delimiter ") {
            delimiter = next.trim().to_owned();
            continue;
        }
        let code = line.split(" -- ").next().unwrap_or_default().trim_end();
        if code.starts_with("--") {
            continue;
        }
        current.push_str(code.strip_suffix(delimiter.as_str()).unwrap_or(code));
        current.push('\n');
        if code.ends_with(delimiter.as_str()) {
            found.push(std::mem::take(&mut current));
        }
    }
    found.push(current);
    let trimmed = found
        .into_iter()
        .map(|statement| statement.trim().to_owned());
    trimmed.filter(|statement| !statement.is_empty()).collect()
}

/// The statements between BEGIN and END of an event.
fn body(event: &str) -> Vec<String> {
    let from = event.find("\nbegin").map_or(0, |at| at + "\nbegin".len());
    let to = event.rfind("\nend").unwrap_or(event.len());
    let inner = event[from..to].lines().map(str::trim);
    let inner: Vec<&str> = inner.filter(|line| !line.starts_with("--")).collect();
    statements(&inner.join("\n"))
}

/// A server that does not run the events itself, with one database for all cases.
fn start(flavor: Flavor) -> Server {
    let server = Server::builder(flavor)
        .arg("--event-scheduler=OFF")
        .arg("--sql-mode=")
        // Hundreds of definitions: their files need not survive a power cut.
        .arg("--innodb-flush-method=nosync")
        .arg("--loose-explicit-defaults-for-timestamp=OFF")
        .start();
    server.exec("CREATE DATABASE `ghost`");
    server
}

fn session(server: &Server) -> Session {
    let mut session = server.client();
    session.exec("SET NAMES utf8mb4; USE ghost");
    session
}

/// The work of a case: what the server refuses, its own tests do not have either (they run on other versions).
fn work(case: &Case, session: &mut Session) {
    for statement in &case.event {
        session.try_exec(statement).ok();
    }
}

/// Columns of a table that hold values of their own, and those of its first unique key.
struct Shape {
    columns: Vec<String>,
    key: Vec<String>,
}

fn shape(session: &mut Session, table: &str) -> Shape {
    let mut list = |sql: String| -> Vec<String> {
        let rows = session.query_strings(&sql).into_iter();
        rows.map(|mut row| row.remove(0).unwrap()).collect()
    };
    let columns = list(format!(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'ghost' AND table_name = '{table}'
         AND extra NOT LIKE '%GENERATED%' ORDER BY ordinal_position"
    ));
    let key = list(format!(
        "SELECT column_name FROM information_schema.statistics WHERE table_schema = 'ghost' AND table_name = '{table}'
         AND index_name = (SELECT index_name FROM information_schema.statistics WHERE table_schema = 'ghost' AND non_unique = 0
         AND table_name = '{table}' ORDER BY index_name = 'PRIMARY' DESC, index_name LIMIT 1) ORDER BY seq_in_index"
    ));
    Shape { columns, key }
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Columns that both tables have, as (old, new): by name in any case, or by the change that renames them.
fn shared(case: &Case, old: &Shape, new: &Shape) -> (Vec<String>, Vec<String>) {
    let renamed = |name: &str| {
        let words: Vec<&str> = change(&case.name).split([' ', ',']).collect();
        let to = words
            .windows(3)
            .find(|window| window[0] == "CHANGE" && window[1].eq_ignore_ascii_case(name));
        to.map_or(name, |window| window[2]).to_lowercase()
    };
    let pair = |name: &String| {
        let to = renamed(name);
        let found = new
            .columns
            .iter()
            .find(|column| column.to_lowercase() == to)?;
        Some((name.clone(), found.clone()))
    };
    old.columns.iter().filter_map(pair).unzip()
}

/// Copies a table in chunks, with work between them.
fn copy(
    case: &Case,
    session: &mut Session,
    insert: &str,
    select: &str,
    key: &[String],
    lock: &str,
) {
    let count = format!("SELECT COUNT(*) FROM {TABLE}");
    let mut done = 0;
    loop {
        session.exec(&format!(
            "{insert} {select} ORDER BY {} LIMIT {CHUNK_ROWS} OFFSET {done} {lock}",
            quoted(key)
        ));
        done += CHUNK_ROWS;
        if done == CHUNK_ROWS {
            work(case, session);
        }
        let rows = session.query_strings(&count)[0][0].clone().unwrap();
        // The large tables of the corpus are there for their size; the rest of them comes in one chunk.
        if done >= 10 * CHUNK_ROWS {
            session.exec(&format!("{insert} {select} {lock}"));
            return;
        }
        if done >= rows.parse().unwrap() {
            return;
        }
    }
}

/// Makes the tables of a case; false where the server cannot.
fn create(case: &Case, session: &mut Session) -> bool {
    session.exec(
        "SET foreign_key_checks = 0; DROP TABLE IF EXISTS gh_ost_test_child, gh_ost_test, gh_ost_test_fk_parent;
         SET foreign_key_checks = 1",
    );
    for statement in &case.create {
        session.try_exec(statement).ok();
    }
    session.try_exec(&format!("SELECT 1 FROM {TABLE}")).is_ok()
}

fn gh_ost_on_every_case(flavor: Flavor) {
    let server = start(flavor);
    let mut session = session(&server);
    let mut renamer = self::session(&server);
    let mut migrated = Vec::new();
    let cases = some_cases(0);
    for case in &cases {
        if !create(case, &mut session) {
            continue;
        }
        if gh_ost(case, &mut session, &mut renamer) {
            migrated.push(case.name.as_str());
        }
        work(case, &mut session);
        put_away(case, &mut session);
    }
    finish(&server, &migrated, cases.len());
}

/// Gives the table a name of its own, so that it is there when all are compared.
fn put_away(case: &Case, session: &mut Session) {
    let name: String = case.name.chars().take(64).collect();
    session.exec(&format!(
        "SET foreign_key_checks = 0; RENAME TABLE {TABLE} TO `{name}`; SET foreign_key_checks = 1"
    ));
}

/// One migration; false where the change or the copy is refused, as gh-ost would.
fn gh_ost(case: &Case, session: &mut Session, renamer: &mut Session) -> bool {
    let (ghost, log, gone) = ("_gh_ost_test_gho", "_gh_ost_test_ghc", "_gh_ost_test_del");
    session.exec(&format!(
        "drop /* gh-ost */ table if exists `ghost`.`{ghost}`; drop /* gh-ost */ table if exists `ghost`.`{log}`;
         drop /* gh-ost */ table if exists `ghost`.`{gone}`;
         create /* gh-ost */ table `ghost`.`{log}` (
            id bigint unsigned auto_increment,
            last_update timestamp not null DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
            hint varchar(64) charset ascii not null,
            value varchar(4096) charset ascii not null,
            primary key(id),
            unique key hint_uidx(hint)
         ) auto_increment=256 comment='';
         create /* gh-ost */ table `ghost`.`{ghost}` like `ghost`.`{TABLE}`"
    ));
    if session
        .try_exec(&format!(
            "alter /* gh-ost */ table `ghost`.`{ghost}` {}",
            change(&case.name)
        ))
        .is_err()
    {
        return false;
    }
    let (old, new) = (shape(session, TABLE), shape(session, ghost));
    if old.key.is_empty() || new.key.is_empty() {
        return false;
    }
    let mark = |session: &mut Session, hint: &str| {
        session.exec(&format!(
            "insert /* gh-ost */ into `ghost`.`{log}` (id, hint, value) values (NULLIF(1, 0), '{hint}', 'x')
             on duplicate key update last_update=NOW(), value=VALUES(value)"
        ));
    };
    mark(session, "heartbeat");
    let (from, to) = shared(case, &old, &new);
    let insert = format!(
        "insert /* gh-ost `ghost`.`{TABLE}` */ ignore into `ghost`.`{ghost}` ({})",
        quoted(&to)
    );
    let select = format!("select {} from `ghost`.`{TABLE}`", quoted(&from));
    copy(
        case,
        session,
        &insert,
        &select,
        &old.key,
        "lock in share mode",
    );
    work(case, session);
    mark(session, "heartbeat");
    // Atomic cut-over: the rename waits behind the lock until the placeholder is gone.
    session.exec(&format!(
        "create /* gh-ost */ table `ghost`.`{gone}` (id int auto_increment primary key) engine=InnoDB comment='ghost-cut-over-sentry';
         insert /* gh-ost */ into `ghost`.`{log}` (id, hint, value) values (2, 'state', 'AllEventsUpToLockProcessed')"
    ));
    catch_up(session, ghost, &old, &from, &to);
    session.exec(&format!(
        "lock /* gh-ost */ tables `ghost`.`{TABLE}` write, `ghost`.`{gone}` write"
    ));
    let rename = format!(
        "rename /* gh-ost */ table `ghost`.`{TABLE}` to `ghost`.`{gone}`, `ghost`.`{ghost}` to `ghost`.`{TABLE}`"
    );
    let id = renamer.id();
    std::thread::scope(|scope| {
        let renaming = scope.spawn(|| renamer.try_exec(&rename));
        wait_for("the rename waits for the lock", || {
            let sql = format!("SELECT state FROM information_schema.processlist WHERE id = {id}");
            let rows = session.query_strings(&sql);
            renaming.is_finished()
                || rows[0][0]
                    .as_deref()
                    .is_some_and(|state| state.starts_with("Waiting for table"))
        });
        session.exec(&format!(
            "drop /* gh-ost */ table if exists `ghost`.`{gone}`; unlock tables"
        ));
        renaming.join().unwrap().unwrap();
    });
    session.exec(&format!(
        "drop /* gh-ost */ table if exists `ghost`.`{log}`"
    ));
    session.exec(&format!(
        "SET foreign_key_checks = 0; drop /* gh-ost */ table if exists `ghost`.`{gone}`; SET foreign_key_checks = 1"
    ));
    true
}

/// What gh-ost would have read from the binary log by now.
fn catch_up(session: &mut Session, ghost: &str, old: &Shape, from: &[String], to: &[String]) {
    let place = |name: &String| from.iter().position(|column| column == name);
    let pairs: Option<Vec<(&String, &String)>> = old
        .key
        .iter()
        .map(|name| Some((name, &to[place(name)?])))
        .collect();
    let Some(pairs) = pairs else { return };
    let same: Vec<String> = pairs
        .iter()
        .map(|(old, new)| format!("t.`{old}` <=> g.`{new}`"))
        .collect();
    let (columns, values) = (quoted(to), quoted(from));
    session.exec(&format!(
        "DELETE g FROM {ghost} g LEFT JOIN {TABLE} t ON {} WHERE t.`{}` IS NULL;
         replace /* gh-ost */ into `ghost`.`{ghost}` ({columns}) select {values} from {TABLE} order by {} limit 30",
        same.join(" AND "),
        old.key[0],
        quoted(&old.key),
    ));
}

fn pt_online_schema_change_on_every_case(flavor: Flavor) {
    let server = start(flavor);
    let mut session = session(&server);
    let mut migrated = Vec::new();
    let cases = some_cases(1);
    for case in &cases {
        if !create(case, &mut session) {
            continue;
        }
        if pt_online_schema_change(case, &mut session) {
            migrated.push(case.name.as_str());
        }
        work(case, &mut session);
        put_away(case, &mut session);
    }
    finish(&server, &migrated, cases.len());
}

/// One change; false where it is refused, as the tool would.
fn pt_online_schema_change(case: &Case, session: &mut Session) -> bool {
    let (new_table, old_table) = ("_gh_ost_test_new", "_gh_ost_test_old");
    session.exec(&format!("DROP TABLE IF EXISTS `ghost`.`{new_table}`"));
    let show = session.query_strings(&format!("SHOW CREATE TABLE {TABLE}"))[0][1]
        .clone()
        .unwrap();
    // Names of constraints are unique in a database: the tool puts an underscore in front, or takes one away.
    let create = show
        .replacen(TABLE, &format!("ghost`.`{new_table}"), 1)
        .replace("CONSTRAINT `", &format!("CONSTRAINT `_{}", case.name.len()));
    session.exec(&create);
    if session
        .try_exec(&format!(
            "ALTER TABLE `ghost`.`{new_table}` {}",
            change(&case.name)
        ))
        .is_err()
    {
        return false;
    }
    let (old, new) = (shape(session, TABLE), shape(session, new_table));
    let (from, to) = shared(case, &old, &new);
    let key: Option<Vec<(&String, &String)>> = old
        .key
        .iter()
        .map(|name| Some((name, &to[from.iter().position(|column| column == name)?])))
        .collect();
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        return false;
    };
    let is = |row: &str| -> String {
        let parts: Vec<String> = key
            .iter()
            .map(|(old, new)| format!("`{new_table}`.`{new}` <=> {row}.`{old}`"))
            .collect();
        parts.join(" AND ")
    };
    let unchanged: Vec<String> = key
        .iter()
        .map(|(old, _)| format!("OLD.`{old}` <=> NEW.`{old}`"))
        .collect();
    let values: Vec<String> = from.iter().map(|name| format!("NEW.`{name}`")).collect();
    let replace = format!(
        "REPLACE INTO `ghost`.`{new_table}` ({}) VALUES ({})",
        quoted(&to),
        values.join(", ")
    );
    let handler = "DECLARE CONTINUE HANDLER FOR 1146 begin end;";
    let trigger = |name: &str, event: &str, body: &str| {
        format!(
            "CREATE TRIGGER `pt_osc_ghost_{TABLE}_{name}` AFTER {event} ON `ghost`.`{TABLE}` FOR EACH ROW BEGIN {handler} {body} END "
        )
    };
    let delete = |also: &str, row: &str| {
        format!(
            "DELETE IGNORE FROM `ghost`.`{new_table}` WHERE {also}{};",
            is(row)
        )
    };
    session.exec(&trigger("del", "DELETE", &delete("", "OLD")));
    session.exec(&trigger(
        "upd",
        "UPDATE",
        &format!(
            "{} {replace};",
            delete(&format!("!({}) AND ", unchanged.join(" AND ")), "OLD")
        ),
    ));
    session.exec(&trigger("ins", "INSERT", &format!("{replace};")));
    let insert = format!(
        "INSERT LOW_PRIORITY IGNORE INTO `ghost`.`{new_table}` ({})",
        quoted(&to)
    );
    let select = format!("SELECT {} FROM `ghost`.`{TABLE}`", quoted(&from));
    copy(
        case,
        session,
        &insert,
        &select,
        &old.key,
        "LOCK IN SHARE MODE /*pt-online-schema-change 42 copy nibble*/",
    );
    work(case, session);
    session.exec(&format!(
        "ANALYZE TABLE `ghost`.`{new_table}` /* pt-online-schema-change */; SET foreign_key_checks = 0;
         RENAME TABLE `ghost`.`{TABLE}` TO `ghost`.`{old_table}`, `ghost`.`{new_table}` TO `ghost`.`{TABLE}`;
         DROP TABLE IF EXISTS `ghost`.`{old_table}`; SET foreign_key_checks = 1;
         DROP TRIGGER IF EXISTS `ghost`.`pt_osc_ghost_{TABLE}_del`; DROP TRIGGER IF EXISTS `ghost`.`pt_osc_ghost_{TABLE}_upd`;
         DROP TRIGGER IF EXISTS `ghost`.`pt_osc_ghost_{TABLE}_ins`"
    ));
    true
}

#[track_caller]
fn finish(server: &Server, migrated: &[&str], cases: usize) {
    eprintln!(
        "{}: {} of {cases} migrated",
        server.flavor().name(),
        migrated.len()
    );
    assert!(migrated.len() * 10 > cases * 8, "only these: {migrated:?}");
    let replica = Replica::of(server);
    replica.run_until_caught_up();
    assert_equal(server, &replica.target_dir());
}
