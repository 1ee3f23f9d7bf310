//! Settings of the source's session that decide what its statements make.

use super::driver::pairs;
use crate::support::relaylite::Replica;
use crate::support::server::Server;

/// Defaults as MySQL writes them: MariaDB has quotes around texts, a word for NULL, and functions in small letters.
const COLUMNS: &str = "SELECT table_name, column_name, is_nullable,
        UPPER(LEFT(NULLIF(REPLACE(column_default, '''', ''), 'NULL'), 17))
    FROM information_schema.columns WHERE table_schema = 'shop' ORDER BY 1, 2";

#[test]
fn timestamps_get_the_defaults_that_they_have_on_the_source() {
    for (source, target) in pairs() {
        let (source, target) = (Server::start(source), Server::start(target));
        source.exec(
            "CREATE DATABASE shop CHARACTER SET latin1; USE shop; SET sql_mode = '', explicit_defaults_for_timestamp = OFF;
             CREATE TABLE implicit (id INT PRIMARY KEY, a TIMESTAMP, b TIMESTAMP, c TIMESTAMP NULL);
             SET explicit_defaults_for_timestamp = ON; CREATE TABLE explicit (id INT PRIMARY KEY, a Timestamp);
             SET explicit_defaults_for_timestamp = OFF; ALTER TABLE explicit ADD b TIMESTAMP",
        );
        Replica::of(&source).onto(&target).run_until_caught_up();
        assert_eq!(
            source.query_strings(COLUMNS),
            target.query_strings(COLUMNS),
            "left the source, right the target"
        );
    }
}
