//! The MySQL target, driven lane by lane with the binary logs of real servers.

mod driver;

use relaylite::ErrorKind;
use relaylite::apply::Target;

use self::driver::{Driver, Stop, assert_same, connect, pairs, rows_of};
use crate::support::server::{Flavor, Server};

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
        assert_same(&source, &target, "shop", &["kinds", "keyless", "words", "many"]);
        // Again, from the head: everything is skipped.
        driver.run(&source, Stop::End).unwrap();
        drop(driver);
        let mut driver = Driver::new(&target);
        driver.run(&source, Stop::End).unwrap();
        assert_same(&source, &target, "shop", &["kinds", "keyless", "words", "many"]);
        let checkpoints = driver.target.checkpoints().unwrap();
        assert_eq!(checkpoints.len(), 1);
        assert_eq!(checkpoints[0].0, "shop");
    }
}
