//! Where the servers' binaries are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The cache directory, as `dev/servers` chooses it.
pub(super) fn cache() -> PathBuf {
    let set = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("RELAYLITE_CACHE").unwrap_or_else(|| {
        let caches = set("XDG_CACHE_HOME")
            .or_else(|| Some(set("HOME")?.join(".cache")))
            .expect("HOME is not set");
        caches.join("relaylite")
    })
}

/// The program that `variable` names, in the environment or in the file that `dev/servers` wrote.
#[track_caller]
pub(super) fn find(variable: &str) -> PathBuf {
    let named = env::var(variable).ok().filter(|value| !value.is_empty());
    let path = named.or_else(|| from_cache(variable)).map(PathBuf::from);
    let Some(path) = path else {
        panic!("no {variable}: run dev/servers, which gets the real servers that the tests need");
    };
    assert!(
        path.is_file(),
        "{variable} names {}, which is not there: run dev/servers",
        path.display()
    );
    path
}

/// Reads `export NAME=VALUE`, where the shell's `printf %q` quoted the value.
fn from_cache(variable: &str) -> Option<String> {
    let text = fs::read_to_string(cache().join("servers.env")).ok()?;
    let prefix = format!("export {variable}=");
    let quoted = text.lines().find_map(|line| line.strip_prefix(&prefix))?;
    let mut value = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        value.push(if character == '\\' {
            characters.next()?
        } else {
            character
        });
    }
    Some(value)
}

/// Major, minor, patch, from `--version`.
#[track_caller]
pub(super) fn version(program: &Path) -> (u32, u32, u32) {
    let output = Command::new(program)
        .args(["--no-defaults", "--version"])
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()));
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers = text.split("Ver ").nth(1).map_or_else(Vec::new, |rest| {
        rest.split(|c: char| !c.is_ascii_digit())
            .map_while(|part| part.parse().ok())
            .collect()
    });
    let [major, minor, patch, ..] = numbers[..] else {
        panic!("{} has no version: {text}", program.display());
    };
    (major, minor, patch)
}
