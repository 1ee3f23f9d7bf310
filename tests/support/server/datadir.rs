//! Fresh data directories: each version is initialised once, into the cache, and copied for each server.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::process;

use super::{Flavor, REPL_PASSWORD, REPL_USER, STOP_TIMEOUT, Session, launch, log_tail, programs};

/// Part of the name in the cache. Raise it whenever this file makes another data directory than before.
const RECIPE: u32 = 2;

/// The option of a server that keeps names in lower case.
pub(super) const LOWER_CASE: &str = "--lower-case-table-names=1";

/// MariaDB's system tables, in the order of `mariadb-install-db`; `mysql_` in older versions.
const SYSTEM_SQL: [&str; 5] = [
    "mariadb_system_tables.sql",
    "mariadb_performance_tables.sql",
    "mariadb_system_tables_data.sql",
    "fill_help_tables.sql",
    "maria_add_gis_sp_bootstrap.sql",
];
/// The schema `sys`, which comes after them from 10.6 on.
const SYS_SCHEMA_SQL: &str = "mariadb_sys_schema.sql";

/// Options of every server, also of the one that initialises: small and fast, as the data need not survive a power cut.
pub(super) fn base_options() -> Vec<String> {
    let mut options: Vec<String> = [
        "--skip-name-resolve",
        "--max-connections=60",
        "--character-set-server=utf8mb4",
        "--performance-schema=OFF",
        "--innodb-buffer-pool-size=32M",
        "--innodb-flush-log-at-trx-commit=0",
        "--loose-innodb-doublewrite=OFF",
        "--loose-innodb-log-file-size=32M",
        "--loose-innodb-redo-log-capacity=32M",
        "--loose-mysqlx=OFF",
    ]
    .map(str::to_owned)
    .into();
    if runs_as_root() {
        options.push("--user=root".to_owned());
    }
    options
}

/// Makes `datadir`, which must not exist.
#[track_caller]
pub(super) fn create(
    flavor: Flavor,
    program: &Path,
    version: (u32, u32, u32),
    datadir: &Path,
    lower_case: bool,
) {
    // Any data directory of MariaDB will do for it.
    let lower_case = lower_case && flavor == Flavor::MySql;
    let template = template(flavor, program, version, lower_case);
    copy_directory(&template, datadir);
    // The server makes itself a new one, with a uuid of its own.
    fs::remove_file(datadir.join("auto.cnf")).ok();
}

/// The initialised data directory in the cache. Test processes that come at once wait for the first.
#[track_caller]
fn template(flavor: Flavor, program: &Path, version: (u32, u32, u32), lower_case: bool) -> PathBuf {
    let (major, minor, patch) = version;
    let templates = programs::cache().join("data");
    let template = templates.join(format!(
        "{}-{major}.{minor}.{patch}-{RECIPE}{}",
        flavor.name(),
        if lower_case { "-lower" } else { "" }
    ));
    if template.is_dir() {
        return template;
    }
    fs::create_dir_all(&templates).unwrap();
    let lock = File::create(templates.join("lock")).unwrap();
    lock.lock().unwrap();
    if !template.is_dir() {
        let directory = tempfile::Builder::new().prefix("rl-").tempdir().unwrap();
        initialise(flavor, program, version, directory.path(), lower_case);
        // The rename makes it appear whole, and the temporary directory may be on another file system.
        let copy = tempfile::Builder::new()
            .prefix("new-")
            .tempdir_in(&templates)
            .unwrap();
        copy_directory(&directory.path().join("data"), &copy.path().join("data"));
        fs::rename(copy.path().join("data"), &template).unwrap();
    }
    template
}

/// `directory/data` with the system tables and the users.
#[track_caller]
fn initialise(
    flavor: Flavor,
    program: &Path,
    version: (u32, u32, u32),
    directory: &Path,
    lower_case: bool,
) {
    let data = directory.join("data");
    fs::create_dir(&data).unwrap();
    let mut command = Command::new(program);
    command
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        .arg(format!(
            "--log-error={}",
            directory.join("error.log").display()
        ))
        .args(base_options())
        .current_dir(directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if lower_case {
        command.arg(LOWER_CASE);
    }
    let sql = match flavor {
        Flavor::MySql => {
            command.arg("--initialize-insecure").stdin(Stdio::null());
            Vec::new()
        }
        Flavor::MariaDb | Flavor::MariaDb11 => {
            command
                .args(["--bootstrap", "--max-allowed-packet=8M"])
                .stdin(Stdio::piped());
            system_tables_sql(program, version)
        }
    };
    let mut child = command.spawn().unwrap();
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(&sql).ok(); // A server that died says why below.
    }
    let status = child.wait().unwrap();
    assert!(
        status.success(),
        "initialising {} failed:\n{}",
        flavor.name(),
        log_tail(directory)
    );
    add_users(flavor, program, directory, lower_case);
}

/// Runs the server once with the users in an init file.
#[track_caller]
fn add_users(flavor: Flavor, program: &Path, directory: &Path, lower_case: bool) {
    // One statement per line, as init files want it.
    let users = format!(
        "CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';\n\
         GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n\
         CREATE USER '{REPL_USER}'@'%' IDENTIFIED BY '{REPL_PASSWORD}';\n\
         GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.* TO '{REPL_USER}'@'%';\n"
    );
    let file = directory.join("users.sql");
    fs::write(&file, users).unwrap();
    let mut options = base_options();
    if lower_case {
        options.push(LOWER_CASE.to_owned());
    }
    options.push("--skip-log-bin".to_owned());
    options.push(format!("--init-file={}", file.display()));
    let port = process::free_port();
    let server = launch(program, directory, port, &options)
        .unwrap_or_else(|error| panic!("{} did not start: {error}", flavor.name()));
    let url = format!("mysql://{REPL_USER}:{REPL_PASSWORD}@127.0.0.1:{port}");
    if let Err(error) = Session::connect(&url) {
        panic!(
            "{} did not take its users: {error}\n{}",
            flavor.name(),
            log_tail(directory)
        );
    }
    server.stop(STOP_TIMEOUT);
}

#[track_caller]
fn system_tables_sql(program: &Path, version: (u32, u32, u32)) -> Vec<u8> {
    let share = share_directory(program);
    let mut sql = b"CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\n\
        SET @auth_root_socket=NULL, @skip_auth_anonymous=1;\n"
        .to_vec();
    let sys_schema = (version >= (10, 6, 0)).then_some(SYS_SCHEMA_SQL);
    for name in SYSTEM_SQL.into_iter().chain(sys_schema) {
        let path = [
            share.join(name),
            share.join(name.replace("mariadb_", "mysql_")),
        ]
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{} has no {name}", share.display()));
        sql.extend(fs::read(path).unwrap());
        sql.push(b'\n');
    }
    sql
}

/// Where the server keeps its character sets, and next to them the SQL of its system tables.
#[track_caller]
fn share_directory(program: &Path) -> PathBuf {
    let output = Command::new(program)
        .args(["--no-defaults", "--verbose", "--help"])
        .output();
    let help = output.unwrap().stdout;
    let help = String::from_utf8_lossy(&help);
    let line = help
        .lines()
        .find_map(|line| line.strip_prefix("character-sets-dir "));
    let charsets = Path::new(
        line.expect("the server says where its character sets are")
            .trim(),
    );
    charsets.parent().unwrap().to_owned()
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy_directory(&entry.path(), &target);
        } else if kind.is_file() {
            // Shares the blocks where the file system can.
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn runs_as_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
