//! Writes seeds: `seeds CORPUS FIXTURES`, with a directory of binlog files and of SQL texts below FIXTURES.
//!
//! Each target gets the parts of these files that it reads, cut out by relaylite's own framing: whole small files,
//! row events with their TABLE_MAP, JSON documents, GTID and payload bodies, statements.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use relaylite::binlog::checksum::{self, Checksum};
use relaylite::binlog::format::FormatDescription;
use relaylite::binlog::frame::{Frame, next_frame};
use relaylite::binlog::header::HEADER_LEN;
use relaylite::binlog::kind;
use relaylite::decode::plan::RowPlan;
use relaylite::decode::query::query_text;
use relaylite::decode::rows::{RowImages, RowReader, RowsEvent, rows_table_id};
use relaylite::decode::table_map::TableMap;
use relaylite::decode::value::Value;
use relaylite_fuzz::{json, rows};

/// Longest seed; long inputs make a fuzzer slow, and say nothing that short ones do not.
const SEED_BYTES_MAX: usize = 16 << 10;
/// Most seeds of one kind of row event with one table.
const EVENTS_A_TABLE_MAX: usize = 4;
/// Length of what stands before the first event of a file.
const MAGIC_LEN: usize = 4;

fn main() -> io::Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [corpus, fixtures] = &arguments[..] else {
        eprintln!("usage: seeds CORPUS FIXTURES");
        std::process::exit(2);
    };
    let mut seeds = Seeds::new(corpus);
    seeds.made_by_hand()?;
    for path in files_below(fixtures)? {
        let bytes = fs::read(&path)?;
        if bytes.starts_with(b"\xfebin") {
            seeds.binlog(&bytes[MAGIC_LEN..])?;
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            seeds.statements(&String::from_utf8_lossy(&bytes))?;
        }
    }
    println!("{} seeds", seeds.written);
    Ok(())
}

fn files_below(root: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut directories) = (Vec::new(), vec![root.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else {
                files.push(path);
            }
        }
    }
    Ok(files)
}

struct Seeds<'a> {
    corpus: &'a Path,
    written: usize,
    /// Statements differ more in their structure than in their names: one of a kind is enough.
    shapes: HashSet<String>,
}

impl<'a> Seeds<'a> {
    fn new(corpus: &'a Path) -> Self {
        Self {
            corpus,
            written: 0,
            shapes: HashSet::new(),
        }
    }

    fn write(&mut self, target: &str, seed: &[u8]) -> io::Result<()> {
        if seed.len() > SEED_BYTES_MAX {
            return Ok(());
        }
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        let directory = self.corpus.join(target);
        fs::create_dir_all(&directory)?;
        fs::write(
            directory.join(format!("seed-{:016x}", hasher.finish())),
            seed,
        )?;
        self.written += 1;
        Ok(())
    }

    /// What no fixture file has: the bytes of a server on the wire, and GTID sets as text.
    fn made_by_hand(&mut self) -> io::Result<()> {
        let mut greeting =
            b"\x0a8.0.36\0\x07\0\0\0abcdefgh\0\xff\xf7\xff\x02\0\xff\xdf\x15".to_vec();
        greeting.extend_from_slice(b"\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0caching_sha2_password\0");
        let ok = [0, 0, 0, 2, 0, 0, 0];
        let login = [packet(0, &greeting), packet(2, &[1, 3]), packet(3, &ok)].concat();
        self.write("packets", &[&[3], &login[..]].concat())?;
        let switch = b"\xfemysql_native_password\0abcdefghijklmnopqrst\0";
        let login = [packet(0, &greeting), packet(2, switch), packet(4, &ok)].concat();
        self.write("packets", &[&[3], &login[..]].concat())?;
        let column = b"\x03def\0\0\0\x01a\0\x0c\x2d\0\0\x01\0\0\xfd\x01\0\x1f\0\0";
        let answer = [
            packet(1, &[1]),
            packet(2, column),
            packet(3, &[0xfe, 0, 0, 2, 0]),
            packet(4, b"\x03abc"),
            packet(5, b"\xfb"),
            packet(6, &[0xfe, 0, 0, 2, 0]),
        ];
        self.write("packets", &[&[2], &answer.concat()[..]].concat())?;
        let refusal = packet(1, b"\xff\x15\x04#28000Access denied");
        self.write("packets", &[&[2], &refusal[..]].concat())?;
        self.write("packets", &[&[0], &packet(0, b"payload")[..]].concat())?;
        for text in [
            "5678eb41-e6a5-11f1-a27a-02fc00000001:1-4:6:tag_one:1-2",
            "0-200-5,7-200-1",
        ] {
            self.write("gtid", &[b"\x03", text.as_bytes()].concat())?;
        }
        Ok(())
    }

    fn statements(&mut self, text: &str) -> io::Result<()> {
        for statement in text.split([';', '\n']).filter(|text| text.len() > 8) {
            self.statement(statement.trim())?;
        }
        Ok(())
    }

    fn statement(&mut self, text: &str) -> io::Result<()> {
        let mut shape: Vec<_> = text
            .split(|c: char| !c.is_alphabetic())
            .map(str::to_uppercase)
            .collect();
        shape.retain(|word| word.len() > 2);
        if !self.shapes.insert(shape.join(" ")) {
            return Ok(());
        }
        let choice = u8::try_from(self.shapes.len() % 3).unwrap_or_default();
        self.write("ddl", &[&[choice], text.as_bytes()].concat())
    }

    fn binlog(&mut self, stream: &[u8]) -> io::Result<()> {
        self.write("events", stream)?;
        let mut format: Option<FormatDescription> = None;
        let mut maps: HashMap<u64, &[u8]> = HashMap::new();
        let mut taken: HashMap<(&[u8], u8), usize> = HashMap::new();
        let mut rest = stream;
        while let Ok(Frame::Event(header, event)) = next_frame(rest) {
            rest = &rest[event.len()..];
            if header.kind == kind::FORMAT_DESCRIPTION {
                format = FormatDescription::parse(event).ok();
            }
            let Some(format) = &format else { break };
            let Ok(body) = checksum::body(event, format.checksum) else {
                break;
            };
            self.one_event(header.kind, event, body)?;
            if header.kind == kind::TABLE_MAP {
                if let Ok(map) = TableMap::parse(body, format) {
                    maps.insert(map.table_id, body);
                }
            } else if let Ok(id) = rows_table_id(body, format.post_header_len(header.kind))
                && let Some(map) = maps.get(&id)
            {
                let taken = taken.entry((*map, header.kind)).or_default();
                *taken += 1;
                if *taken <= EVENTS_A_TABLE_MAX
                    && let Some(seed) = rows::input(header.kind, 0, map, body)
                {
                    self.write("rows", &seed)?;
                    self.documents(header.kind, map, body, format)?;
                }
            }
        }
        Ok(())
    }

    fn one_event(&mut self, kind: u8, event: &[u8], body: &[u8]) -> io::Result<()> {
        match kind {
            kind::GTID | kind::ANONYMOUS_GTID | kind::GTID_TAGGED | kind::MARIADB_GTID => {
                self.write("gtid", &[&[0], body].concat())
            }
            kind::PREVIOUS_GTIDS => self.write("gtid", &[&[1], body].concat()),
            kind::MARIADB_GTID_LIST => self.write("gtid", &[&[2], body].concat()),
            kind::TRANSACTION_PAYLOAD => self.write("payload", body),
            kind::QUERY => match query_text(body) {
                Ok((_, sql)) => self.statement(&String::from_utf8_lossy(sql)),
                Err(_) => Ok(()),
            },
            kind::FORMAT_DESCRIPTION => {
                let mut sealed = event[..event.len() - Checksum::Crc32.len()].to_vec();
                match checksum::seal(&mut sealed, Checksum::Crc32) {
                    Ok(()) if sealed.len() > HEADER_LEN => self.write("events", &sealed),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// The JSON documents and diffs of a row event.
    fn documents(
        &mut self,
        kind: u8,
        map: &[u8],
        body: &[u8],
        format: &FormatDescription,
    ) -> io::Result<()> {
        let Ok(map) = TableMap::parse(map, format) else {
            return Ok(());
        };
        let (Ok(plan), Ok(event)) = (
            RowPlan::compile(&map, |_| false),
            RowsEvent::parse(kind, body, format),
        ) else {
            return Ok(());
        };
        let Ok(mut reader) = RowReader::new(&plan, &event) else {
            return Ok(());
        };
        let mut row = RowImages::default();
        while let Ok(true) = reader.next(&mut row) {
            for (before, after) in row.before.iter().zip(&row.after) {
                if let (Value::Json(document), Value::JsonDiff(diffs)) = (before, after)
                    && let Some(seed) = json::input(document, diffs)
                {
                    self.write("json", &seed)?;
                }
            }
            for value in row.before.iter().chain(&row.after) {
                if let Value::Json(document) = value
                    && let Some(seed) = json::input(document, &[])
                {
                    self.write("json", &seed)?;
                }
            }
        }
        Ok(())
    }
}

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let [low, high, ..] = payload.len().to_le_bytes();
    [&[low, high, 0, sequence], payload].concat()
}
