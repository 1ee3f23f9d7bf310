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

-- Tables that are set aside: changes of the source do not reach them until they are read afresh. Written in the same
-- transaction as the checkpoint that passes the event that failed.
CREATE TABLE IF NOT EXISTS _relaylite_quarantine (
    table_name TEXT    PRIMARY KEY,     -- as the source spells it
    errno      INTEGER NOT NULL,        -- MySQL's number of the error, 0 for none
    reason     TEXT    NOT NULL,
    file       TEXT    NOT NULL,        -- the source's binlog file of the event
    pos        INTEGER NOT NULL,        -- offset of the event in it
    since      INTEGER NOT NULL,        -- seconds since 1970
    resync     INTEGER NOT NULL         -- 1: it is to be read afresh, and a restart begins with that again
);

-- Values of foreign keys that find no parent row here, as `é` where the parent says `e` and the source's collation holds the
-- two for equal: the source is asked about them when a parent changes. Complete for every key that has a row with texts = ''.
CREATE TABLE IF NOT EXISTS _relaylite_spelling (
    child   TEXT NOT NULL,              -- both tables as the source spells them
    parent  TEXT NOT NULL,
    columns TEXT NOT NULL,              -- the key: "column of the child"="column of the parent", …
    texts   TEXT NOT NULL,              -- one for each column that is text: t (b for invalid bytes) and hexadecimal digits
    PRIMARY KEY (child, parent, columns, texts)
) WITHOUT ROWID;
