-- What relaylite keeps in every SQLite database file of a target, beside the replicated tables.

-- How far this database is: one row, written in the same transaction as the rows it speaks for.
CREATE TABLE IF NOT EXISTS _relaylite_checkpoint (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    source_id        TEXT    NOT NULL,  -- server_uuid (MySQL) or server_id (MariaDB) of the source
    file             TEXT    NOT NULL,  -- the source's binlog file
    pos              INTEGER NOT NULL,  -- offset behind the last transaction in it
    gtid             TEXT    NOT NULL,  -- all GTIDs up to here; '' when the source writes none
    source_timestamp INTEGER NOT NULL   -- source clock of that transaction, seconds since 1970
);

-- The definition in force of each table, as the source has it.
CREATE TABLE IF NOT EXISTS _relaylite_catalog (
    table_name  TEXT    PRIMARY KEY,    -- as the source spells it
    sqlite_name TEXT    NOT NULL,       -- as this file spells it: differs only where SQLite could not have the name
    rowid_alias INTEGER NOT NULL,       -- 1: the primary key is SQLite's rowid
    definition  TEXT    NOT NULL        -- JSON: columns, keys, collations
);

-- The database itself: one row.
CREATE TABLE IF NOT EXISTS _relaylite_database (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    name      TEXT    NOT NULL,         -- as the source spells it
    charset   TEXT,                     -- default charset of new tables, where known
    collation TEXT,                     -- default collation of new tables, where known
    dropped   INTEGER NOT NULL          -- 1: dropped on the source; the file goes when no restart can need it
);
