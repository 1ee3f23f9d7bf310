//! Labels of ENUM and SET in charsets that lack their characters, and under ALTER TABLE: equal to what the server makes of them.

use crate::support::compare::assert_equal;
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

on_all!(
    labels_that_their_charset_lacks,
    labels_that_are_other_labels_afterwards,
    labels_that_end_in_spaces,
);

/// Runs statement by statement, and compares after each, when tables that are read afresh by themselves are.
fn follows(flavor: Flavor, sql: &str) {
    let server = Server::start(flavor);
    let replica = Replica::of(&server);
    let running = replica.follow();
    server.exec("CREATE DATABASE d CHARACTER SET gbk");
    for statement in sql.split(";\n") {
        server.exec(&format!("USE d; SET sql_mode = ''; {statement}"));
        replica.wait_until_caught_up(&server);
        replica.wait_until_sound();
        assert_eq!(replica.status().set_aside(), [""; 0], "{statement}");
        assert_equal(&server, &replica.target_dir());
    }
    running.sigterm();
}

/// The server stores `?` for what the charset of the column lacks; the statement in the binlog has the character.
fn labels_that_their_charset_lacks(flavor: Flavor) {
    follows(
        flavor,
        "CREATE TABLE a (id INT PRIMARY KEY, e ENUM('a', 'ü', '中', 'ж') CHARACTER SET cp1251, s SET('ü', 'x') CHARACTER SET sjis,
           g ENUM('ü', 'é', '中'), w ENUM('Å', '[') CHARACTER SET swe7, b ENUM('😀', 'ü') CHARACTER SET utf8mb3);
         INSERT INTO a VALUES (1, 2, 1, 1, 1, 1), (2, 3, 3, 2, 2, 2), (3, 4, 2, 3, 1, 1), (4, 1, 0, 1, 2, 2);
UPDATE a SET id = id + 10;
ALTER TABLE a MODIFY e ENUM('a', 'é', 'ü', '中', 'ж') CHARACTER SET latin1, ADD n ENUM('ж', 'é') CHARACTER SET latin1 NOT NULL;
INSERT INTO a VALUES (5, 2, 1, 1, 1, 1, 1), (6, 4, 3, 2, 2, 2, 2);
ALTER TABLE a MODIFY e VARCHAR(9) CHARACTER SET utf8mb4, MODIFY g VARCHAR(9) CHARACTER SET latin1, MODIFY s TEXT CHARACTER SET ascii;
DELETE FROM a WHERE id IN (5, 12)",
    );
}

/// CONVERT TO CHARACTER SET keeps the bytes of labels and reads them in the new charset; MODIFY finds labels by collation.
fn labels_that_are_other_labels_afterwards(flavor: Flavor) {
    follows(
        flavor,
        "CREATE TABLE a (id INT PRIMARY KEY, e ENUM('a', 'ü', '中'), s SET('x', 'ü'));
         INSERT INTO a VALUES (1, 'ü', 'ü'), (2, '中', 'x,ü'), (3, 'a', 'x'), (4, NULL, '');
         CREATE TABLE wide (id INT PRIMARY KEY, e ENUM('a', 'b') CHARACTER SET ucs2); INSERT INTO wide VALUES (1, 'a'), (2, 'b');
         CREATE TABLE same (id INT, e ENUM('a', 'B')); INSERT INTO same VALUES (1, 'a'), (2, 'B');
         CREATE TABLE wider (id INT PRIMARY KEY, e ENUM('ü', '中') CHARACTER SET utf8mb3); INSERT INTO wider VALUES (1, 'ü'), (2, '中');
         CREATE TABLE by_case (id INT PRIMARY KEY, e ENUM('a', 'b', 'u'), x ENUM('a', 'b') COLLATE gbk_bin,
           y ENUM('ü', 'u') CHARACTER SET utf8mb4); INSERT INTO by_case VALUES (1, 'a', 'a', 'ü'), (2, 'b', 'b', 'u'), (3, 'u', NULL, NULL);
ALTER TABLE same CONVERT TO CHARACTER SET latin1;
ALTER TABLE wider CONVERT TO CHARACTER SET utf8mb4;
ALTER TABLE a ADD c INT, CONVERT TO CHARACTER SET latin1;
INSERT INTO a VALUES (5, 2, 2, 0), (6, 3, 3, 1);
ALTER TABLE a CONVERT TO CHARACTER SET cp1250;
ALTER TABLE wide CONVERT TO CHARACTER SET latin1;
ALTER TABLE a MODIFY e ENUM('n', 'ö'), DROP s, CONVERT TO CHARACTER SET latin1;
INSERT INTO a VALUES (7, 2, 0);
UPDATE a SET e = 'ö';
ALTER TABLE by_case MODIFY e ENUM('B', 'A'), MODIFY x ENUM('A', 'b') COLLATE gbk_bin, MODIFY y ENUM('Ü', 'U') CHARACTER SET utf8mb4;
UPDATE by_case SET id = id + 10",
    );
}

/// Spaces at the end of a label go, but not in the charset `binary`.
fn labels_that_end_in_spaces(flavor: Flavor) {
    follows(
        flavor,
        "CREATE TABLE a (a ENUM('a ', 'b  ') CHARACTER SET binary, b ENUM('a ', 'b  '), c SET('x ', 'y ') CHARACTER SET binary, d SET('x ', 'y '));
         INSERT INTO a VALUES (1, 1, 3, 3);
ALTER TABLE a ADD f ENUM('q ') CHARACTER SET binary NOT NULL, ADD g ENUM('q ') NOT NULL;
CREATE TABLE b (a ENUM('a ', 'b') DEFAULT 'a ', b SET('a ', 'b') DEFAULT 'a ') CHARACTER SET binary; INSERT INTO b VALUES (); SET binlog_row_image = MINIMAL; INSERT INTO b VALUES ();
         INSERT INTO b VALUES ('b', 'b');
ALTER TABLE b MODIFY a ENUM('a ', 'b', 'c ') CHARACTER SET latin1",
    );
}
