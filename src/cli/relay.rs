//! `relaylite relay list|dump|verify`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::print_line;
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position};
use crate::config::DEFAULT_RELAY_DIR;
use crate::decode;
use crate::decode::dump::DumpOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::relay::dir::source_directories;
use crate::relay::end::{Durable, RelayEnd};
use crate::relay::reader::RelayReader;
use crate::relay::recover;

#[derive(Debug, Subcommand)]
pub(super) enum RelayCommand {
    /// The files of the relay log with their sizes
    List(Place),
    /// The transactions of relay log files, or of any binlog file, as SQL-like text
    Dump(DumpArgs),
    /// Check every event of the relay log: framing and CRC32
    Verify(Place),
}

#[derive(Debug, Args)]
pub(super) struct Place {
    /// Directory of the relay log [default: relay]
    #[arg(long, value_name = "DIR", env = "RELAYLITE_RELAY_DIR", default_value = DEFAULT_RELAY_DIR)]
    relay_dir: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct DumpArgs {
    #[command(flatten)]
    place: Place,
    /// Binlog or relay files; without any, the whole relay log
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// One JSON object a row change
    #[arg(long)]
    json: bool,
    /// Check the CRC32 of every event
    #[arg(long)]
    verify: bool,
}

pub(super) fn relay(command: &RelayCommand) -> Result<ExitCode> {
    match command {
        RelayCommand::List(place) => list(&place.relay_dir),
        RelayCommand::Verify(place) => verify(&place.relay_dir),
        RelayCommand::Dump(args) => dump(args),
    }
}

/// The durable end and files of each source, without repairing anything.
fn sources(relay_dir: &Path) -> Result<Vec<(String, PathBuf, Durable)>> {
    let found = source_directories(relay_dir)?;
    if found.is_empty() {
        return Err(Error::new(
            ErrorKind::Config,
            format!(
                "there is no relay log in {}; give --relay-dir DIR",
                relay_dir.display()
            ),
        ));
    }
    found
        .into_iter()
        .map(|(id, directory)| {
            let durable = recover::recover(&directory, false)?;
            Ok((id, directory, durable))
        })
        .collect()
}

fn list(relay_dir: &Path) -> Result<ExitCode> {
    for (id, directory, durable) in sources(relay_dir)? {
        for name in durable.index.names() {
            let size = match std::fs::metadata(directory.join(name.as_ref())) {
                Ok(metadata) => metadata.len(),
                // The running process has purged it since.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            print_line(&format!("{size:>14}  {id}/{name}"))?;
        }
        if let Some(first) = durable.index.names().first() {
            print_line(&format!(
                "nothing before {first}: purged, or never received"
            ))?;
        }
        if let Some(end) = durable.end {
            print_line(&format!("received up to {end}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(relay_dir: &Path) -> Result<ExitCode> {
    let mut bad = 0;
    for (id, directory, durable) in sources(relay_dir)? {
        for name in durable.index.names() {
            match verify_file(&directory, &durable, name) {
                Ok(events) => print_line(&format!("ok     {id}/{name}: {events} events"))?,
                Err(error) => {
                    bad += 1;
                    print_line(&format!("ERROR  {id}/{name}: {}", error.full_text()))?;
                }
            }
        }
    }
    Ok(if bad == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn verify_file(directory: &Path, durable: &Durable, name: &Arc<str>) -> Result<u64> {
    let length = std::fs::metadata(directory.join(name.as_ref()))?.len();
    let end = Position {
        file: name.clone(),
        offset: length,
    };
    let whole = Durable {
        end: Some(end),
        index: durable.index.clone(),
    };
    let start = Position {
        file: name.clone(),
        offset: FIRST_EVENT_OFFSET,
    };
    let mut reader = RelayReader::open(directory, Arc::new(RelayEnd::new(whole)), &start)?;
    let (mut events, mut at) = (0, FIRST_EVENT_OFFSET);
    while let Some(event) = reader.next_event()? {
        events += 1;
        at = event.end;
    }
    if at == length {
        return Ok(events);
    }
    Err(Error::corrupt("the file ends within an event").at_pos(name.clone(), at))
}

fn dump(args: &DumpArgs) -> Result<ExitCode> {
    let mut files = args.files.clone();
    if files.is_empty() {
        for (_, directory, durable) in sources(&args.place.relay_dir)? {
            files.extend(
                durable
                    .index
                    .names()
                    .iter()
                    .map(|name| directory.join(name.as_ref())),
            );
        }
    }
    let options = DumpOptions {
        json: args.json,
        verify: args.verify,
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    decode::dump::dump(&files, options, &mut out)?;
    Ok(ExitCode::SUCCESS)
}
