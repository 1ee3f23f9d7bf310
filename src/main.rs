//! The thin binary: everything callable from a test is in the library.

use std::process::ExitCode;

use clap::Parser;
use relaylite::cli;

fn main() -> anyhow::Result<ExitCode> {
    cli::forbid_core_dumps()?;
    cli::hide_passwords()?;
    Ok(cli::execute(cli::Cli::parse()))
}
