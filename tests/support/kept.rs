//! The directories of a failed test, for whoever looks into it: with `RELAYLITE_TEST_KEEP` set they stay.

use tempfile::TempDir;

/// Keeps `directory` when the setting is there, and says where it is. For the `Drop` of what a failed test made.
pub(crate) fn keep_if_wanted(directory: &mut TempDir) {
    if std::env::var_os("RELAYLITE_TEST_KEEP").is_some() {
        directory.disable_cleanup(true);
        eprintln!("--- kept: {}", directory.path().display());
    }
}
