//! What is secret stays so: passwords come from where they are kept, and appear nowhere; what we write is for its owner alone; who
//! the source is was checked.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::drivers::Certificates;
use crate::support::relaylite::{Replica, relaylite};
use crate::support::server::{Flavor, REPL_PASSWORD, REPL_USER, Server};

on_both!(
    a_password_comes_from_a_file_or_a_credential,
    files_are_private_whatever_the_umask,
    a_dead_process_leaves_no_password,
);

const TABLE: &str =
    "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); INSERT INTO d.t VALUES (1)";

/// `run` without any password.
fn command(server: &Server, replica: &Replica) -> Command {
    let mut command = relaylite();
    command
        .args([
            "run",
            "--server-id=101",
            "--start=earliest",
            "--until-caught-up",
            "--exit-on-error",
        ])
        .arg(format!(
            "--source=mysql://{REPL_USER}@127.0.0.1:{}",
            server.port()
        ))
        .arg("--relay-dir")
        .arg(replica.relay_dir())
        .arg(format!(
            "--target=sqlite:{}",
            replica.target_dir().display()
        ));
    command
}

fn a_password_comes_from_a_file_or_a_credential(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(TABLE);
    let secrets = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = secrets.path().join(name);
        fs::write(&path, format!("{text}\n")).unwrap();
        path
    };
    write("source_password", REPL_PASSWORD);
    let wrong = write("wrong", "a-wrong-one");
    let right = write("right", REPL_PASSWORD);
    let replica = Replica::of(&server);
    let run = |edit: &dyn Fn(&mut Command)| {
        let mut command = command(&server, &replica);
        edit(&mut command);
        replica.spawn(command).wait()
    };
    let credentials = |command: &mut Command| {
        command.env("CREDENTIALS_DIRECTORY", secrets.path());
    };
    assert_eq!(run(&credentials), 0, "{}", replica.log());
    assert_eq!(
        run(&|command| {
            command.arg("--password-file").arg(&right);
        }),
        0
    );
    assert_eq!(
        run(&|command| {
            command.env("RELAYLITE_PASSWORD_FILE", &right);
        }),
        0
    );
    // What is said for relaylite alone counts more than the service's credential.
    assert_eq!(
        run(&|command| {
            credentials(command);
            command.arg("--password-file").arg(&wrong);
        }),
        1
    );
    assert_eq!(
        run(&|command| {
            credentials(command);
            command.env("RELAYLITE_SOURCE_PASSWORD", "no");
        }),
        1
    );
    assert_eq!(run(&|_| {}), 1, "without any");
    for password in [REPL_PASSWORD, "a-wrong-one"] {
        assert!(!replica.log().contains(password));
    }
}

/// All files below a directory, and itself.
fn all_below(directory: &Path, found: &mut Vec<PathBuf>) {
    found.push(directory.to_owned());
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn files_are_private_whatever_the_umask(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(TABLE);
    for umask in ["000", "022", "077"] {
        let replica = Replica::of(&server);
        let inner = replica.run_command();
        let mut outer = Command::new("sh");
        outer
            .arg("-c")
            .arg(format!("umask {umask}; exec \"$0\" \"$@\""))
            .arg(inner.get_program())
            .args(inner.get_args());
        for (name, value) in inner.get_envs() {
            outer.env(name, value.unwrap_or_default());
        }
        let running = replica.spawn(outer);
        replica.wait_until_caught_up(&server);
        let mut found = Vec::new();
        all_below(&replica.relay_dir(), &mut found);
        all_below(&replica.target_dir(), &mut found);
        let names: Vec<_> = found
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap())
            .collect();
        for wanted in [
            "relaylite.sock",
            "relaylite.lock",
            "replica.uuid",
            "relay.index",
            "binlog.000001",
            "d.db",
            "d.db-wal",
            "d.db-shm",
            "_relaylite_watermark.json",
        ] {
            assert!(names.contains(&wanted), "{wanted} in {names:?}");
        }
        for path in &found {
            let expected = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(
                mode(path),
                expected,
                "{} under umask {umask}",
                path.display()
            );
        }
        let socket = fs::metadata(replica.relay_dir().join("relaylite.sock")).unwrap();
        assert!(socket.file_type().is_socket());
        drop(running);
        // What somebody has opened up is told.
        let check = |expected: &str| {
            let run = replica.run_command();
            let mut check = Command::new(run.get_program());
            for (name, value) in run.get_envs() {
                check.env(name, value.unwrap_or_default());
            }
            let output = check
                .arg("check")
                .args(run.get_args().skip(1))
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(text.contains(expected), "{expected}: {text}");
            assert!(output.status.success(), "{text}");
        };
        check("only their owner can read them");
        let database = replica.target_dir().join("d.db");
        fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).unwrap();
        check(&format!(
            "others can read or write {} (mode 0644)",
            database.display()
        ));
    }
}

/// Passwords are in memory and perhaps in the environment: neither can be had from a process that dies, or from another
/// user's.
fn a_dead_process_leaves_no_password(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(TABLE);
    let replica = Replica::of(&server);
    let directory = replica.relay_dir().parent().unwrap().to_owned();
    let inner = replica.run_command();
    let mut outer = Command::new("sh");
    outer
        .args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\""])
        .arg(inner.get_program())
        .args(inner.get_args())
        .current_dir(&directory);
    for (name, value) in inner.get_envs() {
        outer.env(name, value.unwrap_or_default());
    }
    let mut running = replica.spawn(outer);
    replica.wait_until_caught_up(&server);
    let proc = PathBuf::from(format!("/proc/{}", running.pid()));
    let limits = fs::read_to_string(proc.join("limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    assert_eq!(core.split_whitespace().nth(5), Some("0"), "{core}");
    let command_line = fs::read(proc.join("cmdline")).unwrap();
    let command_line = String::from_utf8_lossy(&command_line).into_owned();
    assert!(command_line.contains("--server-id") && !command_line.contains(REPL_PASSWORD));
    // The kernel gives what is not dumpable to root, whoever runs it.
    use std::os::unix::fs::MetadataExt;
    assert_eq!(fs::metadata(proc.join("environ")).unwrap().uid(), 0);
    assert_eq!(mode(&proc.join("environ")), 0o400);
    crate::support::process::signal(running.pid(), "ABRT");
    crate::support::relaylite::wait_for("it dies", || running.has_exited());
    let mut found = Vec::new();
    all_below(&directory, &mut found);
    let cores: Vec<_> = found
        .iter()
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("core")
        })
        .collect();
    assert!(cores.is_empty(), "{cores:?}");
    for path in found.iter().filter(|path| path.is_file()) {
        let bytes = fs::read(path).unwrap();
        let holds = bytes
            .windows(REPL_PASSWORD.len())
            .any(|part| part == REPL_PASSWORD.as_bytes());
        assert!(!holds, "{}", path.display());
    }
}

/// The certificate is checked by `run` as it is by a login: nothing is received from a server that is not who it says.
#[test]
fn run_refuses_a_source_that_is_not_the_one() {
    let certificates = Certificates::new();
    for (name, mode, ca, text) in [
        ("server", "verify_ca", "other-ca.pem", Some("ssl_ca")),
        ("server", "verify_identity", "other-ca.pem", Some("ssl_ca")),
        ("elsewhere", "verify_identity", "ca.pem", Some("127.0.0.1")),
        ("elsewhere", "verify_ca", "ca.pem", None),
        ("server", "verify_identity", "ca.pem", None),
    ] {
        let server = certificates.server(name);
        server.exec(TABLE);
        let replica = Replica::of(&server)
            .arg("--connect-retry=1")
            .arg(format!("--ssl-mode={mode}"))
            .arg(format!("--ssl-ca={}", certificates.path(ca).display()));
        let running = replica.follow();
        let Some(text) = text else {
            replica.wait_until_caught_up(&server);
            continue;
        };
        let refused =
            replica.wait_for_status("refused", |status| status.number("Last_IO_Errno") != 0);
        assert_eq!(refused.number("Last_IO_Errno"), 2026, "{:#}", refused.json);
        assert!(
            refused.text("Last_IO_Error").contains(text),
            "{:#}",
            refused.json
        );
        assert!(refused.text("Source_Log_File").is_empty());
        assert!(!replica.log().contains(REPL_PASSWORD));
        drop(running);
    }
}

/// MariaDB's own replacement for its old plugin.
#[test]
fn run_logs_in_by_ed25519() {
    let server = Server::start(Flavor::MariaDb);
    server.exec(TABLE);
    server.exec(&format!(
        "INSTALL SONAME 'auth_ed25519'; ALTER USER '{REPL_USER}'@'%' IDENTIFIED VIA ed25519 USING PASSWORD('{REPL_PASSWORD}')"
    ));
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    crate::support::compare::assert_equal(&server, &replica.target_dir());
    let wrong = Replica::of(&server).password("another");
    assert_eq!(wrong.try_until_caught_up(), 1);
    assert!(wrong.log().contains("1045"), "{}", wrong.log());
}
