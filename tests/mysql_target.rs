//! The MySQL target, driven lane by lane with the binary logs of real servers.

pub(crate) mod driver;
mod sessions;

use relaylite::ErrorKind;
use relaylite::apply::Target;

use self::driver::{Driver, NoSource, Stop, assert_same, connect, pairs, rows_of};
use crate::support::relaylite::{Replica, relaylite};
use crate::support::server::{Flavor, REPL_PASSWORD, REPL_USER, Server};

/// Everything that rows hold on both servers, in several charsets.
const SHOP: &str = r"
    CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
    USE shop;
    CREATE TABLE kinds (
      id BIGINT UNSIGNED PRIMARY KEY, i1 TINYINT, i3 MEDIUMINT UNSIGNED, i8 BIGINT, f FLOAT, d DOUBLE, n DECIMAL(65,30),
      b BIT(64), y YEAR, da DATE, dt DATETIME(6), ts TIMESTAMP(3) NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE
      CURRENT_TIMESTAMP(3), ti TIME(6), l VARCHAR(50) CHARACTER SET latin1, u TEXT CHARACTER SET utf8mb4, g CHAR(9)
      CHARACTER SET gbk, bn BINARY(6), vb VARBINARY(9), bl MEDIUMBLOB, e ENUM('a','ä','o''x'), s SET('x','y','z'),
      ge GEOMETRY, doubled INT AS (i1 * 2) STORED) ENGINE=InnoDB;
    SET NAMES utf8mb4; SET sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO'; SET time_zone = '+00:00';
    INSERT INTO kinds (id, i1, i3, i8, f, d, n, b, y, da, dt, ts, ti, l, u, g, bn, vb, bl, e, s, ge) VALUES
      (18446744073709551615, -128, 16777215, -9223372036854775808, 1.1, -0.0, -12345678901234567890123456789012345.5,
       18446744073709551615, 2155, '2015-00-21', '2019-02-31 01:02:03.123456', '1970-01-01 00:00:01.001',
       '-838:59:59.000000', 'café', '日本é😀', '你', x'61620000', x'ff0061', x'00ff00', 'ä', 'x,z',
       ST_GeomFromText('POINT(1.5 2.5)')),
      (0, 127, 0, 9223372036854775807, 3.4e38, 1e-300, 0.000000000000000000000000000001, 0, 0, '0000-00-00',
       '0000-00-00 00:00:00', '0000-00-00 00:00:00', '00:00:00.000001', '', '', '', '', '', '', 'o''x', '', NULL),
      (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL),
      (3, 1, 2, 3, 4.25, 5, 6, 7, 1999, '1999-12-31', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.999',
       '838:59:58.999999', 'Ä ', 'a ', '好', '', 'x', 'y', 'nowhere', 'y', ST_GeomFromText('LINESTRING(0 0,1 1)'));
    UPDATE kinds SET l = 'CAFÉ', d = 0.0, b = 5 WHERE id = 18446744073709551615;
    UPDATE kinds SET i1 = 5, ts = ts WHERE id = 3;
    UPDATE kinds SET id = 4, ge = NULL WHERE id = 0;
    CREATE TABLE keyless LIKE kinds;
    ALTER TABLE keyless DROP PRIMARY KEY;
    INSERT INTO keyless (id, i1, f, d, n, da, dt, ts, ti, l, u, g, bn, bl, e, s, b, y, ge)
      SELECT id, i1, f, d, n, da, dt, ts, ti, l, u, g, bn, bl, e, s, b, y, ge FROM kinds;
    INSERT INTO keyless (id, i1, f, d, n, da, dt, ts, ti, l, u, g, bn, bl, e, s, b, y, ge)
      SELECT id, i1, f, d, n, da, dt, ts, ti, l, u, g, bn, bl, e, s, b, y, ge FROM kinds;
    DELETE FROM keyless LIMIT 3;
    UPDATE keyless SET vb = 'new' ORDER BY id DESC LIMIT 1;
    CREATE TABLE words (w VARCHAR(40) COLLATE utf8mb4_general_ci, n DECIMAL(20,5), PRIMARY KEY (w, n));
    INSERT INTO words VALUES ('straße', 1.5), ('Strasse ', 2.5), ('x', 99999999999999.99999), ('y', 0);
    DELETE FROM words WHERE w IN ('x', 'y');
    UPDATE words SET w = 'STRASSE' WHERE n = 2.5";

/// Many rows in few and in many events, and a rolled back transaction.
const MANY: &str = "
    CREATE TABLE shop.many (id INT AUTO_INCREMENT PRIMARY KEY, t VARCHAR(20), k INT, KEY (k));
    INSERT INTO shop.many (t, k) SELECT 'row', 1 FROM information_schema.collations LIMIT 200;
    INSERT INTO shop.many (t, k) SELECT t, 2 FROM shop.many;
    INSERT INTO shop.many (t, k) SELECT t, 3 FROM shop.many;
    DELETE FROM shop.many WHERE id % 3 = 0;
    UPDATE shop.many SET k = k + 1 WHERE id % 5 = 0;
    START TRANSACTION; DELETE FROM shop.many WHERE k = 1; INSERT INTO shop.many (t) VALUES ('last'); COMMIT;
    START TRANSACTION; DELETE FROM shop.many; ROLLBACK";

#[test]
fn rows_and_ddl_arrive_between_all_servers() {
    for (source, target) in pairs() {
        let (source, target) = (Server::start(source), Server::start(target));
        source.exec(SHOP);
        source.exec(MANY);
        let mut driver = Driver::new(&target);
        driver.run(&source, Stop::End).unwrap();
        assert_same(
            &source,
            &target,
            "shop",
            &["kinds", "keyless", "words", "many"],
        );
        // Again, from the head: everything is skipped.
        driver.run(&source, Stop::End).unwrap();
        drop(driver);
        let mut driver = Driver::new(&target);
        driver.run(&source, Stop::End).unwrap();
        assert_same(
            &source,
            &target,
            "shop",
            &["kinds", "keyless", "words", "many"],
        );
        let checkpoints = driver.target.checkpoints().unwrap();
        assert_eq!(checkpoints.len(), 1);
        assert_eq!(checkpoints[0].0, "shop");
    }
}

#[test]
fn types_of_one_family_arrive() {
    for (flavor, sql) in [
        (
            Flavor::MySql,
            r#"CREATE TABLE shop.own (id INT PRIMARY KEY, j JSON, v VECTOR(3), k INT AS (j->'$.a') VIRTUAL, KEY f ((id + 1)));
               INSERT INTO shop.own (id, j, v) VALUES (1, '{"a": 1, "ü": [1.0, null, "x\\"y"]}', TO_VECTOR('[1,-2,3.5]')),
                 (2, NULL, NULL), (3, '[]', TO_VECTOR('[0,0,0]'));
               UPDATE shop.own SET j = JSON_SET(j, '$.a', 7) WHERE id = 1;
               CREATE TABLE shop.loose (j JSON, v VECTOR(3));
               INSERT INTO shop.loose SELECT j, v FROM shop.own; INSERT INTO shop.loose SELECT j, v FROM shop.own;
               DELETE FROM shop.loose LIMIT 2"#,
        ),
        (
            Flavor::MariaDb,
            "CREATE TABLE shop.own (id UUID PRIMARY KEY, i6 INET6, i4 INET4, c TEXT COMPRESSED, j JSON);
             INSERT INTO shop.own VALUES ('123e4567-e89b-12d3-a456-426655440000', '::1', '10.0.0.0', REPEAT('ab', 500), '{}'),
               (UUID(), '2001:db8::', '1.2.3.4', 'short', NULL), (UUID(), NULL, NULL, NULL, '[1]');
             UPDATE shop.own SET i6 = '::ffff:1.2.3.4' WHERE id = '123e4567-e89b-12d3-a456-426655440000';
             CREATE TABLE shop.loose (u UUID, i6 INET6, i4 INET4);
             INSERT INTO shop.loose SELECT id, i6, i4 FROM shop.own; INSERT INTO shop.loose SELECT id, i6, i4 FROM shop.own;
             DELETE FROM shop.loose LIMIT 2; DELETE FROM shop.own WHERE i4 = '1.2.3.4'",
        ),
    ] {
        let (source, target) = (Server::start(flavor), Server::start(flavor));
        source.exec("CREATE DATABASE shop");
        source.exec(&flavor.with_types_it_has(sql));
        Driver::new(&target).run(&source, Stop::End).unwrap();
        assert_same(&source, &target, "shop", &["own", "loose"]);
    }
}

#[test]
fn images_without_all_columns_change_only_what_they_hold() {
    for image in ["MINIMAL", "NOBLOB"] {
        for (source, target) in [
            (Flavor::MariaDb, Flavor::MySql),
            (Flavor::MySql, Flavor::MariaDb),
        ] {
            let source = Server::builder(source)
                .arg(format!("--binlog-row-image={image}"))
                .start();
            let target = Server::start(target);
            source.exec(
                "CREATE DATABASE shop CHARACTER SET latin1; USE shop; SET sql_mode = '';
                 CREATE TABLE t (id INT PRIMARY KEY, a INT NOT NULL, b BLOB, c VARCHAR(9) DEFAULT 'dflt',
                   at TIMESTAMP(6) NOT NULL DEFAULT '2001-01-01' ON UPDATE CURRENT_TIMESTAMP(6), g INT AS (a + 1) STORED);
                 INSERT INTO t (id) VALUES (1), (2); INSERT INTO t (id, a, b) VALUES (3, 3, 'blob'), (4, 4, NULL);
                 UPDATE t SET a = 9 WHERE id IN (1, 3); UPDATE t SET b = 'new', at = at WHERE id = 2;
                 UPDATE t SET at = '2002-02-02' WHERE id = 4; DELETE FROM t WHERE id = 1;
                 CREATE TABLE bare (id INT AUTO_INCREMENT PRIMARY KEY, a INT DEFAULT 5); INSERT INTO bare VALUES ();
                 CREATE TABLE keyless (a INT, b BLOB); INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (2, 'y');
                 UPDATE keyless SET b = 'z' WHERE a = 1 LIMIT 1; DELETE FROM keyless WHERE a = 2",
            );
            Driver::new(&target).run(&source, Stop::End).unwrap();
            assert_same(&source, &target, "shop", &["t", "bare", "keyless"]);
        }
    }
}

#[test]
fn cascades_are_done_by_the_target_where_the_source_does_not_log_them() {
    for (source, target) in pairs() {
        let (source, target) = (Server::start(source), Server::start(target));
        source.exec(
            "CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_bin; USE shop;
             CREATE TABLE parent (id INT PRIMARY KEY);
             CREATE TABLE child (id INT PRIMARY KEY, p INT, q INT, FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE
               ON UPDATE CASCADE, FOREIGN KEY (q) REFERENCES parent (id) ON DELETE SET NULL);
             INSERT INTO parent VALUES (1), (2), (3), (4); INSERT INTO child VALUES (1, 1, 2), (2, 2, 3), (3, 4, 3);
             DELETE FROM parent WHERE id = 3; DELETE parent, child FROM parent JOIN child ON child.p = parent.id
               WHERE parent.id = 1; UPDATE parent SET id = 22 WHERE id = 2;
             SET foreign_key_checks = 0; INSERT INTO child VALUES (9, 99, 99); DELETE FROM parent WHERE id = 4",
        );
        Driver::new(&target).run(&source, Stop::End).unwrap();
        assert_same(&source, &target, "shop", &["parent", "child"]);
        // A row that no key took is missed all the same.
        source.exec("INSERT INTO shop.parent VALUES (7); INSERT INTO shop.child VALUES (7, 7, 7)");
        Driver::new(&target).run(&source, Stop::End).unwrap();
        target.exec("DELETE FROM shop.child WHERE id = 7");
        source.exec("DELETE FROM shop.child WHERE id = 7");
        let missed = Driver::new(&target).run(&source, Stop::End).unwrap_err();
        assert_eq!(missed.kind(), ErrorKind::RowMissing);
    }
}

/// Lanes of databases that foreign keys tie wait for nothing in each other; what a key does to another database in silence is not
/// left to chance.
#[test]
fn keys_between_databases_hold_nothing_up() {
    for flavor in Flavor::both() {
        let mut builder = Server::builder(flavor);
        if flavor == Flavor::MySql {
            builder = builder.arg("--innodb-native-foreign-keys=ON");
        }
        let (source, target) = (builder.start(), Server::start(flavor));
        let mut session = source.client();
        session.exec(
            "CREATE DATABASE b; CREATE DATABASE a; CREATE TABLE a.p (id INT PRIMARY KEY, v INT);
             CREATE TABLE b.plain (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES a.p (id));
             CREATE TABLE b.acts (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES a.p (id) ON DELETE CASCADE);
             CREATE TABLE a.c (p INT PRIMARY KEY, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE ON UPDATE CASCADE)",
        );
        let replica = Replica::of(&source).onto(&target);
        replica.run_until_caught_up();
        for n in 1..40 {
            session.exec(&format!(
                "BEGIN; INSERT INTO a.p VALUES ({n}, 1), (1{n}00, 1), (2{n}00, 1); INSERT INTO b.plain (id, p) VALUES ({n}, {n}); COMMIT;
                 INSERT INTO b.plain (id, p) VALUES (1{n}00, 1{n}00); INSERT INTO a.c VALUES ({n}), (2{n}00);
                 UPDATE b.plain SET p = 1{n}00 WHERE id = {n}; BEGIN; DELETE FROM a.p WHERE id = 2{n}00;
                 UPDATE a.p SET v = 5 WHERE id = 1{n}00; UPDATE b.plain SET id = -id WHERE id = 1{n}00; COMMIT;
                 UPDATE a.p SET id = 3{n}00 WHERE id = {n}"
            ));
            if n % 8 == 0 {
                session.exec(&format!("ALTER TABLE b.plain ADD c{n} INT; BEGIN; UPDATE a.p SET v = 3; UPDATE b.plain SET c{n} = 4; COMMIT;
                    CREATE TABLE b.like{n} (p INT, FOREIGN KEY (p) REFERENCES a.p (id)); INSERT INTO b.like{n} VALUES (3{n}00)"));
            }
        }
        replica.run_until_caught_up();
        assert_same(&source, &target, "a", &["p", "c"]);
        assert_same(&source, &target, "b", &["plain", "like8"]);
        session.exec("INSERT INTO a.p VALUES (1, 1); INSERT INTO b.acts VALUES (1, 1), (2, 1); INSERT INTO b.plain (id) VALUES (0)");
        session.exec("DELETE FROM a.p WHERE id = 1; UPDATE b.plain SET c8 = 9");
        let running = replica.follow();
        replica.wait_until_caught_up(&source);
        assert_same(&source, &target, "a", &["p", "c"]);
        assert_same(&source, &target, "b", &["plain"]);
        let status = replica.status();
        assert_eq!(status.set_aside(), ["b.acts"]);
        let why = status.aside("b.acts").to_string();
        assert!(why.contains("refers to another database"), "{why}");
        drop(running);
    }
}

#[test]
fn ddl_runs_as_it_did_on_the_source() {
    for (source, target) in pairs() {
        let (source, target) = (Server::start(source), Server::start(target));
        source.exec(
            "SET NAMES latin1 COLLATE latin1_bin; CREATE DATABASE shop CHARACTER SET latin1; CREATE DATABASE other CHARACTER SET latin1;
             USE shop; CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20));
             CREATE TABLE `in latin1: ä` (`ü` VARCHAR(9) DEFAULT 'ß'); INSERT INTO `in latin1: ä` VALUES (DEFAULT);
             SET sql_mode = 'ANSI_QUOTES'; ALTER TABLE \"t\" ADD \"we`ird\" ENUM('a', 'b') DEFAULT 'b'; SET sql_mode = '';
             INSERT INTO t (id, v) VALUES (1, 'x'); CREATE TABLE u LIKE t; INSERT INTO u VALUES (7, 'u', 'a');
             RENAME TABLE t TO tmp, u TO t, tmp TO u; ALTER TABLE u ADD INDEX (v), ADD at DATETIME DEFAULT NOW();
             RENAME TABLE u TO other.moved; INSERT INTO other.moved (id, v) VALUES (2, 'y');
             CREATE TABLE made SELECT id, v FROM t; CREATE TABLE gone (a INT); CREATE TABLE other.gone2 (a INT);
             DROP TABLE gone, other.gone2; CREATE TABLE emptied (a INT); INSERT INTO emptied VALUES (1);
             TRUNCATE TABLE emptied; INSERT INTO emptied VALUES (2)",
        );
        let mut driver = Driver::new(&target);
        driver.run(&source, Stop::End).unwrap();
        assert_same(&source, &target, "shop", &["t", "made", "emptied"]);
        assert_same(&source, &target, "other", &["moved"]);
        // The bytes of the statement, each read as a character of latin1.
        assert_same(&source, &target, "shop", &["in latin1: Ã¤"]);
        let tables = "SELECT table_schema, table_name, column_name, column_type, collation_name, column_default
                      FROM information_schema.columns WHERE table_schema IN ('shop', 'other') AND data_type <> 'int'
                      ORDER BY 1, 2, 3";
        if source.flavor() == target.flavor() {
            assert_eq!(source.query_strings(tables), target.query_strings(tables));
        }
        source.exec("DROP DATABASE other");
        driver.run(&source, Stop::End).unwrap();
        assert!(target.query("SHOW DATABASES LIKE 'other'").is_empty());
        let (_, at) = driver.target.checkpoints().unwrap().remove(0);
        driver.target.purge_dropped(&at, &|_| false).unwrap();
        assert_eq!(driver.target.checkpoints().unwrap().len(), 1);
    }
}

#[test]
fn ddl_begun_before_a_crash_is_neither_lost_nor_done_twice() {
    for flavor in Flavor::both() {
        let (source, target) = (Server::start(flavor), Server::start(flavor));
        source.exec(
            "CREATE DATABASE shop; USE shop; CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b LIKE a;
             ALTER TABLE a ADD COLUMN v INT, ADD INDEX (v); RENAME TABLE a TO c, b TO a, c TO b; TRUNCATE TABLE b;
             ALTER TABLE b RENAME COLUMN id TO nr; INSERT INTO b VALUES (1, 2); DROP TABLE a; CREATE TABLE a (x INT);
             INSERT INTO a VALUES (5); ALTER TABLE a ADD CHECK (x > 0); CREATE DATABASE extra; DROP DATABASE extra",
        );
        // Every statement in turn is cut off between its own commit and that of its checkpoint.
        for commit in 1..30 {
            let mut driver = Driver::new(&target);
            driver.run(&source, Stop::BeforeCommit(1)).unwrap();
            drop(driver);
            let notes = target.query("SELECT statement FROM relaylite.ddl").len();
            let mut driver = Driver::new(&target);
            let before = driver.target.checkpoints().unwrap();
            driver.run(&source, Stop::BeforeCommit(2)).unwrap();
            let after = driver.target.checkpoints().unwrap();
            assert!(notes <= 1, "after {commit} commits");
            if before == after {
                break;
            }
        }
        let mut driver = Driver::new(&target);
        driver.run(&source, Stop::End).unwrap();
        assert_same(&source, &target, "shop", &["a", "b"]);
        assert!(
            target
                .query("SELECT statement FROM relaylite.ddl")
                .is_empty()
        );
        for table in ["a", "b"] {
            let show = format!("SHOW CREATE TABLE shop.{table}");
            assert_eq!(source.query_strings(&show), target.query_strings(&show));
        }
    }
}

#[test]
fn a_target_that_differs_stops_with_table_and_key() {
    for flavor in Flavor::both() {
        let source = Server::start(Flavor::MariaDb);
        source.exec(
            "CREATE DATABASE shop CHARACTER SET latin1; USE shop;
             CREATE TABLE t (id INT, k VARCHAR(9), PRIMARY KEY (id, k));
             INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')",
        );
        let target = Server::start(flavor);
        let mut driver = Driver::new(&target);
        driver.run(&source, Stop::End).unwrap();
        drop(driver);
        target.exec("DELETE FROM shop.t WHERE id = 3");
        let end = source.position();
        let mut session = source.client();
        session.exec("START TRANSACTION; INSERT INTO shop.t VALUES (9, 'i'); DELETE FROM shop.t WHERE id > 1; COMMIT");
        let mut driver = Driver::new(&target);
        let error = driver.run(&source, Stop::End).unwrap_err();
        assert_eq!(
            (error.kind(), error.errno()),
            (ErrorKind::RowMissing, 1032),
            "{}",
            error.full_text()
        );
        assert!(
            error.full_text().contains("`id` = 3 and `k` = 'c'"),
            "{}",
            error.full_text()
        );
        assert_eq!(error.at().table.as_deref(), Some("shop.t"));
        // Nothing of the transaction is there, and nothing goes on before a rollback.
        let lane = driver.lane("shop").unwrap();
        let at = lane.checkpoint().unwrap();
        assert_eq!(at.position.offset, end.1);
        assert_eq!(lane.commit(&at).unwrap_err().kind(), ErrorKind::Internal);
        driver.rollback().unwrap();
        assert_eq!(rows_of(&target, "shop", "t").len(), 3);
        target.exec("INSERT INTO shop.t VALUES (3, 'c')");
        driver.run(&source, Stop::End).unwrap();
        assert_same(&source, &target, "shop", &["t"]);
        target.exec("INSERT INTO shop.t VALUES (5, 'e')");
        session.exec("INSERT INTO shop.t VALUES (5, 'e')");
        let error = driver.run(&source, Stop::End).unwrap_err();
        assert_eq!(
            (error.kind(), error.errno()),
            (ErrorKind::DuplicateRow, 1062)
        );
    }
}

#[test]
fn a_lost_connection_costs_nothing() {
    let source = Server::start(Flavor::MariaDb);
    source.exec(
        "CREATE DATABASE shop CHARACTER SET latin1; USE shop; CREATE TABLE t (id INT PRIMARY KEY, v INT);
         START TRANSACTION; INSERT INTO t VALUES (1, 1), (2, 2); UPDATE t SET v = 3; DELETE FROM t WHERE id = 1; COMMIT",
    );
    for flavor in Flavor::both() {
        let mut target = Server::start(flavor);
        let mut driver = Driver::new(&target);
        driver.run(&source, Stop::BeforeCommit(3)).unwrap();
        let mut session = target.client();
        let others = format!(
            "SELECT id FROM information_schema.processlist WHERE user = 'root' AND id <> {}",
            session.id()
        );
        for row in session.query_strings(&others) {
            session.exec(&format!("KILL {}", row[0].as_deref().unwrap()));
        }
        let error = driver.run(&source, Stop::End).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TargetBusy, "{}", error.full_text());
        driver.rollback().unwrap();
        driver.run(&source, Stop::End).unwrap();
        assert_same(&source, &target, "shop", &["t"]);
        target.restart();
        driver.rollback().unwrap();
        driver.run(&source, Stop::End).unwrap();
        assert_same(&source, &target, "shop", &["t"]);
    }
}

#[test]
fn large_rows_go_whole_or_name_the_setting() {
    for flavor in Flavor::both() {
        let packet = "--max-allowed-packet=64M";
        let source = Server::builder(flavor).arg(packet).start();
        let target = Server::builder(flavor).arg(packet).start();
        let small = Server::builder(flavor)
            .arg("--max-allowed-packet=4M")
            .start();
        source.exec(
            "CREATE DATABASE shop; USE shop; CREATE TABLE t (id INT PRIMARY KEY, a LONGBLOB, n INT, b LONGTEXT, c BLOB);
             INSERT INTO t VALUES (1, REPEAT(x'00ff61', 7000000), NULL, '', NULL), (2, 'x', 5, REPEAT('y', 3000000), '');
             UPDATE t SET c = 'z' WHERE id = 1; UPDATE t SET a = CONCAT(a, 'end') WHERE id = 1",
        );
        Driver::new(&target).run(&source, Stop::End).unwrap();
        let sums = "SELECT id, LENGTH(a), SHA2(a, 256), n, LENGTH(b), SHA2(b, 256), c FROM shop.t ORDER BY id";
        assert_eq!(source.query(sums), target.query(sums));
        let error = Driver::new(&small).run(&source, Stop::End).unwrap_err();
        assert_eq!(error.errno(), 1153, "{}", error.full_text());
        assert!(
            error.full_text().contains("max_allowed_packet"),
            "{}",
            error.full_text()
        );
    }
}

#[test]
fn a_target_serves_one_relaylite_and_keeps_its_own_database() {
    for flavor in Flavor::both() {
        let target = Server::start(flavor);
        let first = connect(&target).unwrap();
        let error = connect(&target).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Locked, "{}", error.full_text());
        let error = first.open_lane("relaylite").err().unwrap();
        assert!(error.what().contains("relaylite"), "{}", error.full_text());
        assert!(first.watermark().unwrap().is_none());
        drop(first);
        connect(&target).unwrap();
    }
}

#[test]
fn tables_met_for_the_first_time_are_made() {
    for flavor in Flavor::both() {
        let (source, target, other) = (
            Server::start(flavor),
            Server::start(flavor),
            Server::start(flavor),
        );
        source.exec(
            "CREATE DATABASE shop; USE shop; CREATE TABLE parent (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY);
             CREATE TABLE t (id INT PRIMARY KEY, p INT UNSIGNED, e ENUM('it''s', 'b\\\\') NOT NULL DEFAULT 'it''s', n
               DECIMAL(9,3) DEFAULT 1.5, at DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3), g INT AS (id * 2) STORED, d DATE
               DEFAULT '2001-01-01', b BIT(5) DEFAULT b'101', k CHAR(9) CHARACTER SET latin1 DEFAULT 'x',
               UNIQUE KEY named (n, k(3)), FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE)",
        );
        let mut known = Driver::new(&other);
        known.run(&source, Stop::End).unwrap();
        let lane = known.lane("shop").unwrap();
        let tables = ["t", "parent"]
            .map(|name| {
                lane.table(name, &NoSource::default())
                    .unwrap()
                    .unwrap()
                    .as_ref()
                    .clone()
            })
            .to_vec();
        // The CREATE statements are not in the file that the target begins with.
        source.exec(
            "FLUSH BINARY LOGS; START TRANSACTION; INSERT INTO shop.parent VALUES (1), (2);
             INSERT INTO shop.t (id, p, n) VALUES (1, 1, 1), (2, 2, 2); DELETE FROM shop.parent WHERE id = 1; COMMIT",
        );
        let mut driver = Driver::new(&target).with_source(tables);
        if let Err(error) = driver.run(&source, Stop::End) {
            // The foreign key needs a table of the open transaction: made, and the transaction is applied anew.
            assert_eq!(error.kind(), ErrorKind::TargetBusy, "{}", error.full_text());
            driver.rollback().unwrap();
            driver.run(&source, Stop::End).unwrap();
        }
        assert_same(&source, &target, "shop", &["t", "parent"]);
        let columns = "SELECT column_name, column_type, is_nullable, column_default, collation_name, generation_expression
                       FROM information_schema.columns WHERE table_schema = 'shop' ORDER BY table_name, ordinal_position";
        assert_eq!(source.query_strings(columns), target.query_strings(columns));
    }
}

/// Through the real binary: what the source took back of a transaction, whole or to a savepoint.
#[test]
fn what_the_source_took_back() {
    let (source, target) = (Server::start(Flavor::MariaDb), Server::start(Flavor::MySql));
    source.exec(
        "CREATE DATABASE shop; USE shop; CREATE TABLE t (id INT PRIMARY KEY, a INT); INSERT INTO t VALUES (1, 1), (2, 2);
         BEGIN; SAVEPOINT s; UPDATE t SET a = 9; CREATE TEMPORARY TABLE x (a INT); SAVEPOINT u; DELETE FROM t WHERE id = 1;
         ROLLBACK TO u; INSERT INTO t VALUES (3, 3); DROP TEMPORARY TABLE x; COMMIT;
         BEGIN; INSERT INTO t VALUES (4, 4); CREATE TEMPORARY TABLE y (a INT); DROP TEMPORARY TABLE y; ROLLBACK;
         INSERT INTO t VALUES (5, 5)",
    );
    let directory = tempfile::tempdir().unwrap();
    let status = relaylite()
        .env("RELAYLITE_SOURCE_PASSWORD", REPL_PASSWORD)
        .args([
            "run",
            "--server-id=101",
            "--start=earliest",
            "--until-caught-up",
            "--exit-on-error",
        ])
        .arg(format!(
            "--source=mysql://{REPL_USER}@127.0.0.1:{}",
            source.port()
        ))
        .arg(format!("--target={}", target.root_url()))
        .arg("--relay-dir")
        .arg(directory.path())
        .status()
        .unwrap();
    assert!(status.success());
    assert_same(&source, &target, "shop", &["t"]);
}
