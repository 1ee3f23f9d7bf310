-- What relaylite keeps on a MySQL or MariaDB target. Made by `relaylite run` when it is not there.
-- Every write to `checkpoint` is part of the transaction that holds the rows it speaks of.

CREATE DATABASE IF NOT EXISTS relaylite DEFAULT CHARACTER SET utf8mb4;

-- How far each source database is: everything up to file:pos is in, nothing after it.
CREATE TABLE IF NOT EXISTS relaylite.checkpoint (
  source_database VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  source_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'server_uuid (MySQL) or server_id (MariaDB) of the source',
  file VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'binlog file of the source',
  pos BIGINT UNSIGNED NOT NULL COMMENT 'offset in that file',
  executed LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'GTIDs up to here, as the source prints them',
  source_timestamp INT UNSIGNED NOT NULL COMMENT 'seconds since 1970 on the source, 0 when not known',
  written_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)
) ENGINE=InnoDB;

-- Up to here every database has everything, durably. One row.
CREATE TABLE IF NOT EXISTS relaylite.watermark (
  id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  source_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  file VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  pos BIGINT UNSIGNED NOT NULL,
  executed LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  source_timestamp INT UNSIGNED NOT NULL,
  parked LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'XA transactions prepared before here and not decided: JSON',
  written_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)
) ENGINE=InnoDB;

-- A DDL statement that was begun and whose checkpoint is not written yet. DDL commits by itself on these servers: after
-- a crash this row says which statement may have been done already.
CREATE TABLE IF NOT EXISTS relaylite.ddl (
  source_database VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  file VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'binlog file of the source',
  pos BIGINT UNSIGNED NOT NULL COMMENT 'offset behind the statement',
  event_timestamp INT UNSIGNED NOT NULL COMMENT 'when the source ran it, seconds since 1970',
  statement LONGBLOB NOT NULL COMMENT 'in the charset of the session that ran it',
  tables_before CHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'digest of the definitions of its tables before it',
  begun_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE=InnoDB;

-- Tables that are set aside: changes of the source do not reach them. Written in the same transaction as the checkpoint
-- that passes the event that failed.
CREATE TABLE IF NOT EXISTS relaylite.quarantine (
  source_database VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  table_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  errno SMALLINT UNSIGNED NOT NULL COMMENT 'number of the error, 0 for none',
  reason LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  file VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'binlog file of the event',
  pos BIGINT UNSIGNED NOT NULL COMMENT 'offset of the event in it',
  since BIGINT UNSIGNED NOT NULL COMMENT 'seconds since 1970',
  resync TINYINT UNSIGNED NOT NULL COMMENT '1: it is to be read afresh',
  PRIMARY KEY (source_database, table_name)
) ENGINE=InnoDB;

-- Tables that are being read afresh: the rows are in relaylite.copy_N, where N is `id`, until they are complete. What is here at a
-- start was left by a killed process.
CREATE TABLE IF NOT EXISTS relaylite.copy (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  source_database VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  table_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  is_complete TINYINT UNSIGNED NOT NULL COMMENT '1: it takes the place of the table, which may be gone',
  KEY (source_database)
) ENGINE=InnoDB;
