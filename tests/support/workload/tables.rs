//! The tables of each database: one per kind of key, and one per family of types.

/// The statements that make `database`.
pub(super) fn create(database: &str) -> String {
    format!(
        "CREATE DATABASE `{database}` DEFAULT CHARACTER SET utf8mb4; USE `{database}`;
        CREATE TABLE by_int (
            id INT AUTO_INCREMENT PRIMARY KEY, small TINYINT, medium MEDIUMINT UNSIGNED, big BIGINT,
            amount DECIMAL(12,2) NOT NULL DEFAULT 1.50, name VARCHAR(60), added TIMESTAMP(3) NULL,
            KEY (medium), KEY (name, small));
        CREATE TABLE by_unsigned (
            id BIGINT UNSIGNED PRIMARY KEY, huge BIGINT UNSIGNED, price DECIMAL(30,10), flags BIT(64),
            KEY (huge));
        CREATE TABLE by_pair (
            a INT, b VARCHAR(20) CHARACTER SET latin1, c CHAR(10), d BINARY(6), PRIMARY KEY (a, b), KEY (c));
        CREATE TABLE by_name (name VARCHAR(40) PRIMARY KEY, hits INT UNSIGNED NOT NULL DEFAULT 0, note TEXT);
        CREATE TABLE by_unique (code INT NOT NULL, note VARCHAR(30), UNIQUE KEY (code));
        CREATE TABLE no_key (a INT, b VARCHAR(20), c DOUBLE, d FLOAT);
        CREATE TABLE types (
            id INT PRIMARY KEY, f FLOAT, d DOUBLE, bits BIT(10), y YEAR, day DATE, clock TIME(2),
            at DATETIME(6), stamp TIMESTAMP NULL, kind ENUM('tea', 'coffee', 'water'),
            tags SET('hot', 'cold', 'sweet'), doc JSON, place POINT, raw VARBINARY(40));
        CREATE TABLE large (id INT PRIMARY KEY, body LONGTEXT, bytes LONGBLOB);"
    )
}
