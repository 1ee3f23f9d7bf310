//! The default target: one SQLite file per source database.
