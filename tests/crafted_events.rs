//! Events that a server writes only in distress or in another version, put into a closed file of a real source's binary
//! log.

use std::fs;
use std::path::Path;

use crate::support::compare::assert_equal;
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

on_both!(
    an_incident_stops_and_can_be_skipped,
    an_unknown_event_stops_unless_it_may_be_ignored,
    a_second_format_description,
);

const HEADER_BYTES: usize = 19;
const CRC_BYTES: usize = 4;
const FIRST_EVENT_AT: usize = 4;
const INCIDENT: u8 = 26;
const FORMAT_DESCRIPTION: u8 = 15;
const UNKNOWN: u8 = 120;
const IGNORABLE: u16 = 0x80;

/// A source whose first file is closed, with rows in it and behind it; and that file's name.
fn source(flavor: Flavor) -> (Server, String) {
    let server = Server::start(flavor);
    server.exec("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, a INT); INSERT INTO d.t VALUES (1, 1), (2, 2)");
    let (file, _) = server.position();
    server.exec("FLUSH BINARY LOGS; INSERT INTO d.t VALUES (3, 3)");
    (server, file)
}

fn event_len(bytes: &[u8], at: usize) -> usize {
    let len = bytes[at + 9..at + 13].try_into().unwrap();
    usize::try_from(u32::from_le_bytes(len)).unwrap()
}

/// Sets where an event ends, and its checksum.
fn seal(event: &mut [u8], end: usize) {
    event[13..17].copy_from_slice(&u32::try_from(end).unwrap().to_le_bytes());
    let (checked, crc) = event.split_at_mut(event.len() - CRC_BYTES);
    crc.copy_from_slice(&crc32fast::hash(checked).to_le_bytes());
}

/// Puts an event before the file's last one, which is the ROTATE; returns where it begins and ends.
fn insert(path: &Path, kind: u8, flags: u16, body: &[u8]) -> (usize, usize) {
    let mut bytes = fs::read(path).unwrap();
    let mut last = FIRST_EVENT_AT;
    while last + event_len(&bytes, last) < bytes.len() {
        last += event_len(&bytes, last);
    }
    let mut event = bytes[last..last + HEADER_BYTES].to_vec();
    event[4] = kind;
    let len = HEADER_BYTES + body.len() + CRC_BYTES;
    event[9..13].copy_from_slice(&u32::try_from(len).unwrap().to_le_bytes());
    event[17..19].copy_from_slice(&flags.to_le_bytes());
    event.extend_from_slice(body);
    event.extend_from_slice(&[0; CRC_BYTES]);
    seal(&mut event, last + len);
    let mut rotate = bytes.split_off(last);
    let end = last + len + rotate.len();
    seal(&mut rotate, end);
    bytes.extend(event);
    bytes.extend(rotate);
    fs::write(path, bytes).unwrap();
    (last, last + len)
}

fn an_incident_stops_and_can_be_skipped(flavor: Flavor) {
    let (server, file) = source(flavor);
    let message = b"\x01\x00\x0bdisk failed";
    let (start, end) = insert(&server.binlog_path(&file), INCIDENT, 0, message);
    let replica = Replica::of(&server);
    assert_eq!(replica.try_until_caught_up(), 1);
    let log = replica.log();
    let cure = format!("--skip-to {file}:{end}");
    for part in ["disk failed", &cure, &format!("{file}:{start}")] {
        assert!(log.contains(part), "no {part} in {log}");
    }
    let replica = replica.arg(format!("--skip-to={file}:{end}"));
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

fn an_unknown_event_stops_unless_it_may_be_ignored(flavor: Flavor) {
    let (server, file) = source(flavor);
    let path = server.binlog_path(&file);
    insert(&path, UNKNOWN, IGNORABLE, b"passed over");
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());

    let (start, _) = insert(&path, UNKNOWN, 0, b"stops");
    let replica = Replica::of(&server);
    assert_eq!(replica.try_until_caught_up(), 1);
    let log = replica.log();
    for part in ["event type 120", &format!("{file}:{start}")] {
        assert!(log.contains(part), "no {part} in {log}");
    }
}

/// As a relay log of a server has it: its own, and the source's.
fn a_second_format_description(flavor: Flavor) {
    let (server, file) = source(flavor);
    let path = server.binlog_path(&file);
    let bytes = fs::read(&path).unwrap();
    let end = FIRST_EVENT_AT + event_len(&bytes, FIRST_EVENT_AT) - CRC_BYTES;
    let body = bytes[FIRST_EVENT_AT + HEADER_BYTES..end].to_vec();
    insert(&path, FORMAT_DESCRIPTION, 0, &body);
    let replica = Replica::of(&server).arg("--relay-log-purge=false");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert_eq!(
        fs::read(replica.source_dir().join(&file)).unwrap().len(),
        fs::read(&path).unwrap().len()
    );
    server.exec("DELETE FROM d.t WHERE id = 2");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}
