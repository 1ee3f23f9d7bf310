//! Whatever a crash, a bad disk or a hand does to a relay directory: the next start finds what was durable, or says what is
//! wrong with which file at which offset. No server is needed: the files are made here.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use relaylite::ErrorKind;
use relaylite::binlog::checksum::{self, Checksum};
use relaylite::binlog::frame::filler;
use relaylite::binlog::header::FLAG_ARTIFICIAL;
use relaylite::binlog::kind;
use relaylite::binlog::position::{MAGIC, Position};
use relaylite::relay::end::{Durable, RelayEnd};
use relaylite::relay::files::RelayFiles;
use relaylite::relay::index::{INDEX_FILE, Index};
use relaylite::relay::reader::RelayReader;
use relaylite::relay::recover::{cut, recover};
use relaylite::relay::writer::RelayWriter;
use relaylite::source::{EventBatch, Frame};

const NAMES: [&str; 3] = ["binlog.999998", "binlog.999999", "binlog.1000000"];

/// Sizes of the events behind the head of each file.
const EVENTS: [u32; 4] = [23, 24, 61, 40];

/// A FORMAT_DESCRIPTION, as MySQL's `binlog_event.h` lays it out, with CRC32.
fn format_description() -> Vec<u8> {
    let mut body = 4_u16.to_le_bytes().to_vec();
    let mut version = b"9.7.4".to_vec();
    version.resize(50, 0);
    body.extend(version);
    body.extend([0; 4]);
    body.push(19);
    body.extend([0; 41]);
    body.push(1); // CRC32
    let size = u32::try_from(19 + body.len() + 4).unwrap();
    let mut event = 1_700_000_000_u32.to_le_bytes().to_vec();
    event.push(kind::FORMAT_DESCRIPTION);
    event.extend(100_u32.to_le_bytes());
    event.extend(size.to_le_bytes());
    event.extend((size + 4).to_le_bytes());
    event.extend([0; 2]);
    event.extend(body);
    checksum::seal(&mut event, Checksum::Crc32).unwrap();
    event
}

/// A relay file, and where its events end.
fn relay_file() -> (Vec<u8>, Vec<u64>) {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(format_description());
    let mut ends = vec![bytes.len() as u64];
    for size in EVENTS {
        let end = u32::try_from(bytes.len()).unwrap() + size;
        bytes.extend(filler(size, 1, end, Checksum::Crc32).unwrap());
        ends.push(u64::from(end));
    }
    (bytes, ends)
}

fn index_text(names: &[&str]) -> String {
    names.iter().map(|name| format!("{name}\n")).collect()
}

/// A directory with three whole files.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in NAMES {
        fs::write(directory.path().join(name), relay_file().0).unwrap();
    }
    fs::write(directory.path().join(INDEX_FILE), index_text(&NAMES)).unwrap();
    directory
}

/// A fake ROTATE: the events behind it stand in `name`, from `position` on.
fn fake_rotate(name: &str, position: u64) -> Vec<u8> {
    let size = u32::try_from(19 + 8 + name.len() + 4).unwrap();
    let mut event = vec![0; 4];
    event.push(kind::ROTATE);
    event.extend(100_u32.to_le_bytes());
    event.extend(size.to_le_bytes());
    event.extend([0; 4]);
    event.extend(FLAG_ARTIFICIAL.to_le_bytes());
    event.extend(position.to_le_bytes());
    event.extend(name.as_bytes());
    checksum::seal(&mut event, Checksum::Crc32).unwrap();
    event
}

/// What a source sends at once.
fn batch(events: &[&[u8]]) -> EventBatch {
    let mut batch = EventBatch::default();
    for event in events {
        batch.frames.push(Frame {
            start: batch.bytes.len(),
            len: event.len(),
            first: true,
            last: true,
            wants_ack: false,
        });
        batch.bytes.extend(*event);
    }
    batch
}

/// A file that came together with a damaged event is not there for the next connection, which is sent it again.
#[test]
fn a_file_that_begins_with_damage_is_sent_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let files = Arc::new(RelayFiles::open(path, Arc::default(), None).unwrap());
    let end = Arc::new(RelayEnd::default());
    let (bytes, ends) = relay_file();
    let event = |from: usize| {
        &bytes[usize::try_from(ends[from]).unwrap()..usize::try_from(ends[from + 1]).unwrap()]
    };
    let (head, first, second) = (format_description(), event(0), event(1));
    let mut damaged = first.to_vec();
    *damaged.last_mut().unwrap() ^= 1;

    // Also when nothing at all was received before.
    for (file, (before, name)) in [(None, NAMES[0]), (Some(NAMES[0]), NAMES[1])]
        .into_iter()
        .enumerate()
    {
        let rotate = fake_rotate(name, 4);
        let mut writer = RelayWriter::open(&files, &end, Checksum::Crc32).unwrap();
        let error = writer
            .write(&batch(&[&rotate, &head, &damaged]))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        drop(writer);
        let known = end.get().end.map(|end| end.file);
        assert_eq!(known.as_deref(), before);

        let mut writer = RelayWriter::open(&files, &end, Checksum::Crc32).unwrap();
        assert_eq!(files.index().names().len(), file);
        let mut events: Vec<&[u8]> = Vec::new();
        let again = before.map(|before| fake_rotate(before, ends[2]));
        if let Some(again) = &again {
            events.extend([again.as_slice(), &head]);
        }
        events.extend([rotate.as_slice(), &head, first, second]);
        writer.write(&batch(&events)).unwrap();
        writer.finish().unwrap();
        assert_eq!(end.get().end, Some(Position::new(name, ends[2])));
    }
    assert_eq!(names(&recovered(path)), NAMES[..2]);
}

fn names(durable: &Durable) -> Vec<&str> {
    durable.index.names().iter().map(|name| &**name).collect()
}

/// Recovers, first without and then with repair, then once more: always the same. What is found can be read to its end.
#[track_caller]
fn recovered(directory: &Path) -> Durable {
    let looked = recover(directory, false).unwrap();
    let durable = recover(directory, true).unwrap();
    let again = recover(directory, true).unwrap();
    for other in [&looked, &again] {
        assert_eq!((names(other), &other.end), (names(&durable), &durable.end));
    }
    let stored = Index::load(directory).unwrap().unwrap_or_default();
    assert_eq!(stored, *durable.index);
    durable
}

/// Where each event that can be read ends, from the head of the first file, and the error that ended it.
fn read(directory: &Path, durable: &Durable) -> (Vec<Position>, Option<relaylite::Error>) {
    match durable.index.names().first() {
        Some(first) => read_from(directory, durable, first),
        None => (Vec::new(), None),
    }
}

/// The same, from the head of this file.
fn read_from(
    directory: &Path,
    durable: &Durable,
    first: &str,
) -> (Vec<Position>, Option<relaylite::Error>) {
    let end = Arc::new(RelayEnd::new(durable.clone()));
    let start = Position::new(first, 4);
    let mut reader = match RelayReader::open(directory, end, &start) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut ends = Vec::new();
    loop {
        match reader.next_event() {
            Ok(Some(event)) => {
                ends.push(Position::new(event.file.clone(), event.end));
            }
            Ok(None) => return (ends, None),
            Err(error) => return (ends, Some(error)),
        }
    }
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_to_the_last_whole_event() {
    let (bytes, ends) = relay_file();
    for length in 0..=bytes.len() {
        let directory = directory();
        let path = directory.path();
        fs::write(path.join(NAMES[2]), &bytes[..length]).unwrap();
        let durable = recovered(path);
        let whole = ends.iter().rfind(|end| **end <= length as u64);
        let (count, end) = match whole {
            Some(end) => (3, Position::new(NAMES[2], *end)),
            None => (2, Position::new(NAMES[1], bytes.len() as u64)),
        };
        assert_eq!(names(&durable), NAMES[..count], "cut at {length}");
        assert_eq!(durable.end, Some(end.clone()), "cut at {length}");
        let (read, error) = read(path, &durable);
        assert!(error.is_none(), "cut at {length}: {error:?}");
        assert_eq!(read.last(), Some(&end));
    }
}

#[test]
fn a_byte_changed_anywhere_is_found() {
    let (bytes, ends) = relay_file();
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 0x41;
        let before = ends.iter().rfind(|end| **end <= at as u64).copied();
        // In the newest file: nothing before it is lost, nothing of it is taken.
        let newest = directory();
        fs::write(newest.path().join(NAMES[2]), &bad).unwrap();
        let durable = recovered(newest.path());
        if let Some(before) = before {
            assert_eq!(
                durable.end,
                Some(Position::new(NAMES[2], before)),
                "byte {at}"
            );
        }
        // In an older file: everything before it is read, then the error says where.
        let older = directory();
        fs::write(older.path().join(NAMES[1]), &bad).unwrap();
        let durable = recovered(older.path());
        let (read, error) = read(older.path(), &durable);
        let error = error.unwrap_or_else(|| panic!("byte {at} passes"));
        assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {at}: {error}");
        assert_eq!(error.at().file.as_deref(), Some(NAMES[1]), "byte {at}");
        let place = Position::new(NAMES[1], error.at().pos.unwrap());
        assert_eq!(place.offset, before.unwrap_or(4), "byte {at}");
        let last = before.map_or(Position::new(NAMES[0], bytes.len() as u64), |end| {
            Position::new(NAMES[1], end)
        });
        assert_eq!(read.last(), Some(&last), "byte {at}");
        // Cut there, it is as if it had never been received.
        cut(older.path(), &place).unwrap();
        assert_eq!(recovered(older.path()).end, Some(last), "byte {at}");
    }
}

#[test]
fn a_damaged_index_is_made_again() {
    let whole = index_text(&NAMES);
    let mut variants: Vec<Vec<u8>> = (0..whole.len())
        .map(|length| whole.as_bytes()[..length].to_vec())
        .collect();
    for order in [
        [0, 2, 1],
        [2, 1, 0],
        [0, 0, 1],
        [0, 1, 1],
        [1, 2, 2],
        [0, 2, 2],
    ] {
        variants.push(index_text(&order.map(|at| NAMES[at])).into_bytes());
    }
    for left in [&NAMES[1..], &NAMES[..2], &NAMES[2..]] {
        variants.push(index_text(left).into_bytes());
    }
    variants.push(vec![0; whole.len()]);
    variants.push(whole.replace("binlog", "other").into_bytes());
    variants.push(
        whole
            .replace("binlog.999999", "../../etc/passwd.1")
            .into_bytes(),
    );
    variants.push(vec![0xff, 0xfe, b'\n']);
    for variant in variants {
        let directory = directory();
        fs::write(directory.path().join(INDEX_FILE), &variant).unwrap();
        assert_all_there(directory.path(), &String::from_utf8_lossy(&variant));
    }
    let directory = directory();
    fs::remove_file(directory.path().join(INDEX_FILE)).unwrap();
    assert_all_there(directory.path(), "no index");
}

#[track_caller]
fn assert_all_there(directory: &Path, case: &str) {
    let durable = recovered(directory);
    assert_eq!(names(&durable), NAMES, "{case:?}");
    let (read, error) = read(directory, &durable);
    assert!(error.is_none(), "{case:?}: {error:?}");
    assert_eq!(read.len(), 3 * (EVENTS.len() + 1), "{case:?}");
}

#[test]
fn files_that_are_gone() {
    let gone = |which: &[usize]| {
        let directory = directory();
        for at in which {
            fs::remove_file(directory.path().join(NAMES[*at])).unwrap();
        }
        directory
    };
    for (which, left) in [
        (&[0][..], &NAMES[1..]),
        (&[0, 1], &NAMES[2..]),
        (&[2], &NAMES[..2]),
        (&[1, 2], &NAMES[..1]),
        (&[0, 2], &NAMES[1..2]),
        (&[0, 1, 2], &[]),
    ] {
        let directory = gone(which);
        let durable = recovered(directory.path());
        assert_eq!(names(&durable), left, "without {which:?}");
    }
    let hole = gone(&[1]);
    let error = recover(hole.path(), true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(error.at().file.as_deref(), Some(NAMES[1]));
    assert!(error.what().contains("is not there"), "{error}");
    assert_eq!(
        fs::read_dir(hole.path()).unwrap().count(),
        3,
        "nothing is removed"
    );
}

/// The index goes, and the files are not of one history: nobody can say which to follow.
#[test]
fn files_of_two_histories_without_an_index_are_refused() {
    let directory = directory();
    fs::write(directory.path().join("other.000007"), relay_file().0).unwrap();
    let error = recover(directory.path(), true).unwrap_err();
    assert!(error.what().contains("not of one history"), "{error}");
}

#[test]
fn ten_thousand_files_are_found_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let (bytes, _) = relay_file();
    let names: Vec<_> = (995_000..1_005_000)
        .map(|number| format!("binlog.{number:06}"))
        .collect();
    for name in &names {
        fs::write(directory.path().join(name), &bytes).unwrap();
    }
    let text: String = names.iter().map(|name| format!("{name}\n")).collect();
    fs::write(directory.path().join(INDEX_FILE), text).unwrap();
    let started = std::time::Instant::now();
    let durable = recovered(directory.path());
    assert_eq!(
        durable.end,
        Some(Position::new("binlog.1004999", bytes.len() as u64))
    );
    let (read, error) = read_from(directory.path(), &durable, "binlog.999500");
    assert!(error.is_none());
    assert_eq!(read.len(), 5_500 * (EVENTS.len() + 1));
    let mut index = (*durable.index).clone();
    for number in 1_005_000..1_005_100 {
        let name = format!("binlog.{number}");
        index.append(directory.path(), &name).unwrap();
    }
    let took = started.elapsed();
    assert!(took.as_secs() < 30, "{took:?}");
}

proptest! {
    /// Any bytes in any file, the index too: an answer, never a panic, and never more than there is.
    #[test]
    fn random_damage_has_an_answer(
        which in 0_usize..4,
        at in 0_usize..400,
        bytes in proptest::collection::vec(any::<u8>(), 0..40),
        truncates in any::<bool>(),
    ) {
        let directory = directory();
        let path = directory.path().join(NAMES.get(which).copied().unwrap_or(INDEX_FILE));
        let mut content = fs::read(&path).unwrap();
        let at = at % content.len();
        let end = if truncates { content.len() } else { (at + bytes.len()).min(content.len()) };
        content.splice(at..end, bytes);
        fs::write(&path, &content).unwrap();
        match recover(directory.path(), true) {
            Ok(durable) => {
                let (ends, error) = read(directory.path(), &durable);
                prop_assert!(ends.len() <= 3 * (EVENTS.len() + 1));
                if let Some(error) = error {
                    prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
                    prop_assert!(error.at().file.is_some() && error.at().pos.is_some(), "{}", error);
                }
            }
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Corrupt),
        }
    }
}
