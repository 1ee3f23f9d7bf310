//! The command line: exit codes, wrong usage, one process per directory, signals, and secrets.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::support::compare::assert_equal;
use crate::support::random;
use crate::support::relaylite::{Replica, relaylite};
use crate::support::server::{Flavor, REPL_PASSWORD, Server};
use crate::support::workload::{self, Load};

on_both!(sigterm_drains_in_time, the_password_is_never_shown);

#[test]
fn wrong_usage_ends_with_2_and_says_where() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("relaylite.toml");
    fs::write(
        &config,
        "server_id = 101\nsorce = \"mysql://repl@127.0.0.1:1\"\n",
    )
    .unwrap();
    let config = config.to_str().unwrap();
    let missing = directory.path().join("none.toml");
    let missing = missing.to_str().unwrap();
    let sqlite = format!("--target=sqlite:{}", directory.path().join("t").display());
    let relay = format!("--relay-dir={}", directory.path().join("r").display());
    let source = "--source=mysql://repl@127.0.0.1:1";
    let id = "--server-id=101";
    let cases: [(&[&str], &[&str]); 9] = [
        (&["run", "--sorce=x"], &["--sorce"]),
        (&["ran"], &["ran"]),
        (
            &["run", "--config", config],
            &["relaylite.toml:2:1", "sorce"],
        ),
        (&["run", "--config", missing], &["none.toml"]),
        (
            &["run", "--source=http://h", id, &relay, &sqlite],
            &["`source`", "mysql://"],
        ),
        (
            &["run", source, "--server-id=0", &relay, &sqlite],
            &["server"],
        ),
        (
            &["run", source, id, &relay, "--target=oracle:x"],
            &["`target`", "sqlite:"],
        ),
        (
            &["run", source, id, &relay, &sqlite, "--start=yesterday"],
            &["`start`", "FILE:POS"],
        ),
        (
            &["run", source, id, &relay, &sqlite, "--until=x"],
            &["`until`", "FILE:POS"],
        ),
    ];
    for (args, said) in cases {
        let output = relaylite().args(args).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {errors}");
        for word in said {
            assert!(
                errors.contains(word),
                "{args:?} should say {word}: {errors}"
            );
        }
    }
}

#[test]
fn a_second_process_is_refused() {
    let server = Server::start(Flavor::MariaDb);
    let first = Replica::of(&server);
    let running = first.follow();
    wait_for_connection(&first);
    // The same relay directory.
    assert_eq!(first.spawn(first.run_command()).wait(), 2);
    // Another relay directory, the same target.
    let second = Replica::of(&server).target(first.target_dir());
    assert_eq!(second.spawn(second.run_command()).wait(), 2);
    let log = second.log();
    assert!(log.contains("another relaylite process"), "{log}");
    assert_eq!(running.sigterm().0, 0);
    first.run_until_caught_up();
}

fn sigterm_drains_in_time(flavor: Flavor) {
    let server = Server::start(flavor);
    workload::create(&server);
    workload::run(&server, random::seed(), 300);
    let replica = Replica::of(&server);
    // At once, in the middle of a backlog, and while it waits for a server that is not there.
    for delay in [0, 50, 400] {
        let running = replica.follow();
        std::thread::sleep(Duration::from_millis(delay));
        let (code, time) = running.sigterm();
        assert_eq!(code, 0);
        assert!(time < Duration::from_secs(5), "it took {time:?} to end");
    }
    let load = Load::start(&server, random::seed(), None);
    let running = replica.follow();
    load.wait_for_more(50);
    let (code, time) = running.sigterm();
    load.finish();
    assert_eq!(code, 0);
    assert!(time < Duration::from_secs(5), "it took {time:?} to end");
    let nobody = Replica::at_port(crate::support::process::free_port());
    let running = nobody.follow();
    nobody.wait_for_status("it tries", |status| status.number("Last_IO_Errno") == 2003);
    assert_eq!(running.sigterm().0, 0);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

fn the_password_is_never_shown(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY)");
    let replica = Replica::of(&server);
    let mut command = relaylite();
    command
        .args(["run", "--server-id=101", "--start=earliest", "--source"])
        .arg(server.url()) // with the password in it, as one should not
        .arg("--relay-dir")
        .arg(replica.relay_dir())
        .arg(format!(
            "--target=sqlite:{}",
            replica.target_dir().display()
        ))
        .env("RUST_LOG", "trace")
        .env("RELAYLITE_LOG", "trace");
    let running = replica.spawn(command);
    wait_for_connection(&replica);
    assert!(!replica.log().contains(REPL_PASSWORD), "log");
    assert!(
        !replica.status().json.to_string().contains(REPL_PASSWORD),
        "status"
    );
    assert_eq!(running.sigterm().0, 0);

    let running = replica.follow(); // with the password in the environment
    wait_for_connection(&replica);
    let ps = Command::new("ps")
        .args(["-o", "args=", "-p", &running.pid().to_string()])
        .output();
    let ps = String::from_utf8(ps.unwrap().stdout).unwrap();
    assert!(
        ps.contains("--server-id") && !ps.contains(REPL_PASSWORD),
        "{ps}"
    );
    drop(running);
    for directory in [replica.relay_dir(), replica.target_dir()] {
        let listing = Command::new("grep")
            .arg("-rlF")
            .arg(REPL_PASSWORD)
            .arg(directory)
            .output();
        assert_eq!(
            String::from_utf8_lossy(&listing.unwrap().stdout),
            "",
            "files"
        );
    }
}

fn wait_for_connection(replica: &Replica) {
    replica.wait_for_status("connected", |status| {
        status.text("Replica_IO_Running") == "Yes"
    });
}
