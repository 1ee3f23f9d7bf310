//! The MySQL-protocol target.
