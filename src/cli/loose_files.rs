//! Files of ours that others can read or write: made by an older version, copied, or given to a group on purpose.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::config::target::TargetConfig;
use crate::error::Result;

/// What anybody but the owner may do with a file.
const OTHERS: u32 = 0o077;

/// Directories of ours and below them, and files with passwords, with their modes, where others may read or write them.
pub(super) fn loose_files(config: &Config, passwords: &[PathBuf]) -> Result<Vec<(PathBuf, u32)>> {
    let mut found = Vec::new();
    for path in passwords {
        note(path, &mut found)?;
    }
    look_into(&config.relay_dir, &mut found)?;
    if let TargetConfig::Sqlite { dir } = &config.target {
        look_into(dir, &mut found)?;
    }
    Ok(found)
}

/// Notes a directory, the files in it, and those of its directories.
fn look_into(directory: &Path, found: &mut Vec<(PathBuf, u32)>) -> Result<()> {
    if !note(directory, found)? || !directory.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() {
            look_into(&path, found)?;
        } else {
            note(&path, found)?;
        }
    }
    Ok(())
}

/// Notes a file when others may use it; false when it is not there.
fn note(path: &Path, found: &mut Vec<(PathBuf, u32)>) -> Result<bool> {
    let mode = match fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode() & 0o7777,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    if mode & OTHERS != 0 {
        found.push((path.to_owned(), mode));
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_can_read_is_found() {
        let base = tempfile::tempdir().unwrap();
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let inner = base.path().join("100");
        fs::create_dir(&inner).unwrap();
        let (file, private) = (inner.join("b.000001"), inner.join("b.000002"));
        for (path, mode) in [(&file, 0o640), (&private, 0o600), (&inner, 0o700)] {
            if !path.exists() {
                fs::write(path, "x").unwrap();
            }
            set(path, mode);
        }
        set(base.path(), 0o755);
        let mut found = Vec::new();
        look_into(base.path(), &mut found).unwrap();
        assert_eq!(found, [(base.path().to_owned(), 0o755), (file, 0o640)]);
        look_into(&base.path().join("none"), &mut found).unwrap();
        assert_eq!(found.len(), 2);
    }
}
