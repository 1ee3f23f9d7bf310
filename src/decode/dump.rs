//! `relay dump`: any binlog or relay file, as text or JSON, without a server.
//!
//! Text has one block per transaction: a comment with position, time, server and GTID, then the statements and row
//! changes as readable SQL. JSON has one object per row change, one a line. Files are read as a stream; memory is the
//! largest event. Of every version since MySQL 5.1; a file that holds two FORMAT_DESCRIPTIONs is read by each in turn.

mod column;
mod file;
mod json_lines;
mod printer;
mod shown;
mod sql_text;

use std::io::Write;
use std::path::PathBuf;

use file::EventFile;
use printer::Printer;

use crate::binlog::checksum;
use crate::binlog::format::FormatDescription;
use crate::binlog::kind;
use crate::error::{Error, Result};

/// How to dump.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DumpOptions {
    /// One JSON object per row change instead of text.
    pub json: bool,
    /// Check the checksum of every event; the first wrong one ends the dump.
    pub verify: bool,
}

/// Dumps files one after the other to `out`.
///
/// # Errors
/// Whatever is wrong with a file, with its name and offset; what comes before that place is printed.
pub fn dump(files: &[PathBuf], options: DumpOptions, out: &mut dyn Write) -> Result<()> {
    for path in files {
        let mut file = EventFile::open(path)?;
        dump_file(&mut file, options, out)?;
    }
    out.flush()?;
    Ok(())
}

fn dump_file(file: &mut EventFile, options: DumpOptions, out: &mut dyn Write) -> Result<()> {
    let name = file.name();
    let mut printer = Printer::new(&name, options.json, out);
    let mut format = None;
    loop {
        let offset = file.offset();
        let located = |e: Error| e.at_pos(name.clone(), offset);
        let Some((header, event)) = file.next().map_err(located)? else {
            break;
        };
        let is_format = matches!(header.kind, kind::FORMAT_DESCRIPTION | kind::START_V3);
        if is_format || format.is_none() {
            let parsed = FormatDescription::parse(event).map_err(located)?;
            printer.format(offset, &parsed)?;
            if options.verify {
                checksum::verify(event, parsed.checksum).map_err(located)?;
            }
            format = Some(parsed);
            continue;
        }
        let Some(format) = &format else { break };
        if options.verify {
            checksum::verify(event, format.checksum).map_err(located)?;
        }
        let body = checksum::body(event, format.checksum).map_err(located)?;
        printer
            .event(offset, &header, body, format)
            .map_err(located)?;
    }
    printer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn dump_bytes(bytes: &[u8]) -> Result<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("binlog.000001");
        std::fs::write(&path, bytes).unwrap();
        let mut out = Vec::new();
        dump(&[path], DumpOptions::default(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn files_that_are_no_binlogs_are_refused_by_name() {
        for (bytes, kind) in [
            (&b""[..], ErrorKind::Corrupt),
            (b"SQLite format 3\0", ErrorKind::Corrupt),
            (b"\xfdbin0000", ErrorKind::Unsupported),
            (b"\xfebin0000", ErrorKind::Corrupt),
        ] {
            let error = dump_bytes(bytes).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert_eq!(error.at().file.as_deref(), Some("binlog.000001"));
        }
        assert!(
            dump(
                &["/nowhere".into()],
                DumpOptions::default(),
                &mut Vec::new()
            )
            .is_err()
        );
    }
}
