//! One column value of a row image, typed but not yet converted: what the binlog says, without loss.
//!
//! Values borrow from the event. Text is still in the column's charset, ENUM and SET are still numbers, TIMESTAMP is
//! still seconds: the mapper of the target has the table definition that gives them meaning.

/// A calendar date as MySQL stores it; any part may be zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Date {
    /// 0 to 9999.
    pub year: u16,
    /// 0 to 12; 0 in partial dates.
    pub month: u8,
    /// 0 to 31; 0 in partial dates.
    pub day: u8,
}

/// A time of day or a span, as MySQL stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Time {
    /// Whether the span is negative.
    pub negative: bool,
    /// 0 to 838.
    pub hour: u16,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999999.
    pub micros: u32,
}

/// One value. `fsp` is the number of fractional digits that the column shows, 0 to 6.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// The image does not hold this column (`binlog_row_image` MINIMAL or NOBLOB). Not NULL.
    Absent,
    /// SQL NULL.
    Null,
    /// Signed integers of all widths.
    Int(i64),
    /// Unsigned integers of all widths.
    UInt(u64),
    /// FLOAT: the stored 32 bits.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// DECIMAL: MySQL's packed form (`strings/decimal.c`, `decimal2bin`).
    Decimal {
        /// The packed digits.
        packed: &'a [u8],
        /// Digits in all, 1 to 65.
        precision: u8,
        /// Digits after the point, 0 to 38.
        scale: u8,
    },
    /// DATE.
    Date(Date),
    /// TIME(fsp).
    Time(Time, u8),
    /// DATETIME(fsp); the time part is never negative.
    DateTime(Date, Time, u8),
    /// TIMESTAMP(fsp): seconds since 1970 in UTC (0 is the zero timestamp), microseconds.
    Timestamp {
        /// Seconds since 1970-01-01 00:00:00 UTC.
        seconds: u64,
        /// 0 to 999999.
        micros: u32,
        /// Fractional digits shown.
        fsp: u8,
    },
    /// YEAR: 0, or 1901 to 2155.
    Year(u16),
    /// BIT(n): the bits as a number, and n, 1 to 64.
    Bit(u64, u8),
    /// ENUM: label number from 1; 0 is the invalid value.
    Enum(u16),
    /// SET: one bit a label, from the lowest.
    Set(u64),
    /// CHAR, VARCHAR, TEXT, BINARY, VARBINARY, BLOB and MariaDB's UUID and INET types: the stored bytes, in the
    /// column's charset where it has one.
    Bytes(&'a [u8]),
    /// The same, of a MariaDB COMPRESSED column, still compressed: [`super::compressed_column::inflate`] gives the
    /// bytes. Not done while reading a row, so that only values that are used cost memory.
    Compressed(&'a [u8]),
    /// JSON in MySQL's binary form (`sql-common/json_binary.h`).
    Json(&'a [u8]),
    /// A partial JSON update: the diffs to apply to the stored document.
    JsonDiff(&'a [u8]),
    /// GEOMETRY: SRID and WKB, the server's own bytes.
    Geometry(&'a [u8]),
    /// A value as the server prints it in a query, in UTF-8: a temporal, JSON, UUID or INET value of a table that was read, not
    /// of a row event. TIMESTAMP in UTC.
    Printed(&'a [u8]),
    /// VECTOR: little-endian 32-bit floats, the server's own bytes.
    Vector(&'a [u8]),
}
