//! What can happen to the relay files while nobody runs: all of it is in them twice, here and at the source.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::random::Random;

const INDEX: &str = "relay.index";

/// Damages the relay files in `directory` in one way, and says in which.
pub(super) fn damage(directory: &Path, random: &mut Random) -> String {
    let files = files(directory);
    let Some(newest) = files.last() else {
        return "no relay files yet".to_owned();
    };
    match random.range(0..9) {
        0 | 1 => torn_tail(newest, random),
        2 => {
            let mut bytes = fs::read(newest).unwrap();
            bytes.extend((0..random.range(1..300)).map(|_| random.next_u64().to_le_bytes()[0]));
            fs::write(newest, bytes).unwrap();
            "garbage behind the newest file".to_owned()
        }
        3 | 4 => {
            let file = &files[random.size(0..files.len())];
            flipped_byte(file, random)
        }
        5 => {
            fs::remove_file(directory.join(INDEX)).ok();
            "no index".to_owned()
        }
        6 => {
            let mut lines = index_lines(directory);
            for at in (1..lines.len()).rev() {
                lines.swap(at, random.size(0..at + 1));
            }
            fs::write(directory.join(INDEX), lines.concat()).unwrap();
            format!("index out of order: {lines:?}")
        }
        7 => {
            let text = index_lines(directory).concat();
            let end = random.size(0..text.len() + 1);
            fs::write(directory.join(INDEX), &text[..end]).unwrap();
            format!("index of {} bytes cut to {end}", text.len())
        }
        _ => {
            fs::remove_file(newest).unwrap();
            format!("{} is gone", newest.display())
        }
    }
}

fn index_lines(directory: &Path) -> Vec<String> {
    let text = fs::read_to_string(directory.join(INDEX)).unwrap_or_default();
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// The binlog files, oldest first.
fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_binlog = |path: &PathBuf| {
        let end = path.extension().unwrap_or_default().as_encoded_bytes();
        end.len() >= 6 && end.iter().all(u8::is_ascii_digit)
    };
    let mut files: Vec<_> = paths.filter(is_binlog).collect();
    files.sort();
    files
}

fn torn_tail(file: &Path, random: &mut Random) -> String {
    let length = fs::metadata(file).unwrap().len();
    // Mostly near the end, as a power loss leaves it.
    let lost = if random.percent(70) {
        random.range(1..400)
    } else {
        random.range(1..length + 2)
    };
    let left = length.saturating_sub(lost);
    let opened = fs::File::options().write(true).open(file).unwrap();
    opened.set_len(left).unwrap();
    format!("{}: {length} bytes cut to {left}", file.display())
}

fn flipped_byte(file: &Path, random: &mut Random) -> String {
    let mut bytes = fs::read(file).unwrap();
    if bytes.is_empty() {
        return "an empty file".to_owned();
    }
    let at = random.size(0..bytes.len());
    bytes[at] ^= 1 << random.range(0..8);
    fs::write(file, bytes).unwrap();
    format!("{}: the byte at {at} is another one", file.display())
}
