//! Row events: an iterator over row images.
//!
//! An image holds only the columns that its bitmap names, and its NULL bits count only those. One [`RowImages`] is
//! reused from row to row: reading a row allocates nothing.

use super::plan::RowPlan;
use super::table_map::read_table_id;
use super::value::Value;
use crate::binlog::bytes::Bytes;
use crate::binlog::format::FormatDescription;
use crate::binlog::kind as event_kind;
use crate::error::{Error, ErrorKind, Result};

/// Flag of the last row event of a statement: its table maps are no longer needed.
pub const FLAG_STMT_END: u16 = 1;
/// Flag: the session had `foreign_key_checks` off.
pub const FLAG_NO_FOREIGN_KEY_CHECKS: u16 = 2;
/// Flag: the session had `unique_checks` off.
pub const FLAG_RELAXED_UNIQUE_CHECKS: u16 = 4;
/// Flag: every image holds every column.
pub const FLAG_COMPLETE_ROWS: u16 = 8;

/// Flag (MySQL 9.6 and later): foreign keys were enforced above the storage engine, so cascades are logged as row
/// changes of their own.
pub const FLAG_SQL_FOREIGN_KEYS: u16 = 16;

/// Whether the source did what foreign keys ask for without a row event: by the flags of the parent's. Without checks it
/// did nothing at all, and a MySQL that enforces the keys above its storage engine writes an event for each child row.
pub fn keys_act_silently(flags: u16) -> bool {
    flags & (FLAG_NO_FOREIGN_KEY_CHECKS | FLAG_SQL_FOREIGN_KEYS) == 0
}

/// Table id of the row event that only ends a statement whose tables were all filtered out at the source.
pub const DUMMY_TABLE_ID: u64 = 0x00ff_ffff;

/// Bit of a partial update's options: some JSON values are diffs.
const OPTION_PARTIAL_JSON: u64 = 1;

/// Which row event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// Only an after image.
    Insert,
    /// Before and after image.
    Update,
    /// Only a before image.
    Delete,
}

/// Which columns an image holds: one bit a column, from the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresentColumns<'a> {
    bits: &'a [u8],
    count: usize,
    all: bool,
}

impl<'a> PresentColumns<'a> {
    fn read(r: &mut Bytes<'a>, width: usize) -> Result<Self> {
        let bits = r.take(width.div_ceil(8))?;
        // The bits behind the last column are not columns, whatever they say.
        let spare = (8 - width % 8) % 8;
        let (last, head) = match bits.split_last() {
            Some((last, head)) => (last & (0xff >> spare), head),
            None => (0, bits),
        };
        let ones = |byte: &u8| byte.count_ones() as usize;
        let count = head.iter().map(ones).sum::<usize>() + ones(&last);
        Ok(Self {
            bits,
            count,
            all: count == width,
        })
    }

    /// Whether the image holds this column.
    #[inline]
    pub fn contains(&self, column: usize) -> bool {
        self.bits
            .get(column / 8)
            .is_some_and(|b| b >> (column % 8) & 1 == 1)
    }

    /// Whether the image holds all columns.
    pub fn is_all(&self) -> bool {
        self.all
    }
}

/// A row event, taken apart up to its rows.
#[derive(Debug, Clone, Copy)]
pub struct RowsEvent<'a> {
    /// What happened to the rows.
    pub kind: RowKind,
    /// The table: the id of the last TABLE_MAP with it.
    pub table_id: u64,
    /// `FLAG_*` bits.
    pub flags: u16,
    /// Number of columns.
    pub width: usize,
    /// Columns of the before image; of UPDATE and DELETE.
    pub before: Option<PresentColumns<'a>>,
    /// Columns of the after image; of INSERT and UPDATE.
    pub after: Option<PresentColumns<'a>>,
    /// Whether after images begin with value options (partial JSON).
    partial: bool,
    rows: &'a [u8],
}

impl<'a> RowsEvent<'a> {
    /// Parses an event's body (no header, no checksum; MariaDB's compressed events inflated before).
    ///
    /// # Errors
    /// `Unsupported` for row events from before MySQL 5.1 was released, `Corrupt` for what is no row event.
    pub fn parse(kind: u8, body: &'a [u8], format: &FormatDescription) -> Result<Self> {
        let (row_kind, version) = row_event(kind)?;
        let mut r = Bytes::new(body);
        let table_id = read_table_id(&mut r, format.post_header_len(kind))?;
        let flags = r.u16()?;
        if version == 2 {
            let extra = usize::from(r.u16()?).checked_sub(2);
            r.take(extra.ok_or_else(|| Error::corrupt("extra row data shorter than its length"))?)?;
        }
        let width = r.lenenc_len()?;
        if width.div_ceil(8) > r.len() {
            return Err(Error::corrupt(format!(
                "a row event of {width} columns is too short for them"
            )));
        }
        let mut image = |wanted: bool| {
            wanted
                .then(|| PresentColumns::read(&mut r, width))
                .transpose()
        };
        let before = image(row_kind != RowKind::Insert)?;
        let after = image(row_kind != RowKind::Delete)?;
        let partial = kind == event_kind::PARTIAL_UPDATE_ROWS;
        Ok(Self {
            kind: row_kind,
            table_id,
            flags,
            width,
            before,
            after,
            partial,
            rows: r.rest(),
        })
    }

    /// Whether it holds no rows and only ends a statement.
    pub fn is_dummy(&self) -> bool {
        self.table_id == DUMMY_TABLE_ID && self.rows.is_empty()
    }
}

/// What a row event's type code means: which change, which version of the post-header.
fn row_event(kind: u8) -> Result<(RowKind, u8)> {
    use event_kind as k;
    Ok(match kind {
        k::WRITE_ROWS_V1 => (RowKind::Insert, 1),
        k::UPDATE_ROWS_V1 => (RowKind::Update, 1),
        k::DELETE_ROWS_V1 => (RowKind::Delete, 1),
        k::WRITE_ROWS_V2 => (RowKind::Insert, 2),
        k::UPDATE_ROWS_V2 | k::PARTIAL_UPDATE_ROWS => (RowKind::Update, 2),
        k::DELETE_ROWS_V2 => (RowKind::Delete, 2),
        k::PRE_GA_WRITE_ROWS | k::PRE_GA_UPDATE_ROWS | k::PRE_GA_DELETE_ROWS => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "row events of a MySQL 5.1 from before its release cannot be read",
            ));
        }
        _ => return Err(Error::corrupt(format!("{} is no row event", k::name(kind)))),
    })
}

/// The table id of a row event's body, without looking at the rest. `post_header_len` is that of the event's type.
///
/// # Errors
/// `Corrupt` when the body is shorter than that.
pub fn rows_table_id(body: &[u8], post_header_len: usize) -> Result<u64> {
    read_table_id(&mut Bytes::new(body), post_header_len)
}

/// The images of one row, reused between rows.
///
/// Both have one value per column, `Absent` where the image does not hold it; an image that the event does not have is
/// empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowImages<'a> {
    /// The row before: of UPDATE and DELETE.
    pub before: Vec<Value<'a>>,
    /// The row after: of INSERT and UPDATE.
    pub after: Vec<Value<'a>>,
}

impl RowImages<'_> {
    /// Empty images for another event that keep the memory of these.
    #[must_use]
    pub fn recycle<'b>(self) -> RowImages<'b> {
        // An emptied vector collected into one of the same layout keeps its allocation.
        fn again<'b>(mut values: Vec<Value<'_>>) -> Vec<Value<'b>> {
            values.clear();
            values.into_iter().map(|_| Value::Absent).collect()
        }
        RowImages {
            before: again(self.before),
            after: again(self.after),
        }
    }
}

/// Reads the rows of one row event by the plan compiled for its table map.
#[derive(Clone)]
pub struct RowReader<'a> {
    plan: &'a RowPlan,
    event: RowsEvent<'a>,
    rows: Bytes<'a>,
    /// An INSERT that names no column (`VALUES ()` with `binlog_row_image=MINIMAL`) is one row of no bytes.
    bare_row_left: bool,
}

impl<'a> RowReader<'a> {
    /// A reader at the event's first row.
    ///
    /// # Errors
    /// `Corrupt` when event and table map do not have the same number of columns.
    pub fn new(plan: &'a RowPlan, event: &RowsEvent<'a>) -> Result<Self> {
        if event.width != plan.width() {
            return Err(Error::corrupt(format!(
                "a row event of {} columns follows a table map of {}",
                event.width,
                plan.width()
            )));
        }
        let bare = event.after.is_some_and(|present| present.count == 0);
        let bare_row_left = bare && event.kind == RowKind::Insert && event.rows.is_empty();
        Ok(Self {
            plan,
            event: *event,
            rows: Bytes::new(event.rows),
            bare_row_left,
        })
    }

    /// What happened to the rows.
    pub fn kind(&self) -> RowKind {
        self.event.kind
    }

    /// The event's `FLAG_*` bits.
    pub fn flags(&self) -> u16 {
        self.event.flags
    }

    /// The event's parts.
    pub fn event(&self) -> &RowsEvent<'a> {
        &self.event
    }

    /// Reads the next row into `row`; false when there is none.
    ///
    /// # Errors
    /// `Corrupt` when the row does not fit its columns.
    pub fn next(&mut self, row: &mut RowImages<'a>) -> Result<bool> {
        if self.rows.is_empty() {
            row.before.clear();
            row.after.clear();
            if std::mem::take(&mut self.bare_row_left) {
                row.after.resize(self.plan.width(), Value::Absent);
                return Ok(true);
            }
            return Ok(false);
        }
        let whole = self.rows.len();
        match self.event.before {
            Some(present) => self.image(present, &mut row.before)?,
            None => row.before.clear(),
        }
        match self.event.after {
            Some(present) => match self.value_options()? {
                Some(diffs) => self.partial_image(present, diffs, &mut row.after)?,
                None => self.image(present, &mut row.after)?,
            },
            None => row.after.clear(),
        }
        if self.rows.len() == whole {
            // No column and no byte: there would be no end of such rows.
            return Err(Error::corrupt("a row of no bytes"));
        }
        Ok(true)
    }

    #[inline]
    fn image(&mut self, present: PresentColumns<'a>, out: &mut Vec<Value<'a>>) -> Result<()> {
        // A copy of the cursor stays in registers; it is written back once.
        let mut rows = self.rows;
        let mut nulls = NullBits::new(rows.take(present.count.div_ceil(8))?);
        out.resize(self.plan.width(), Value::Absent);
        let slots = self.plan.columns().zip(out);
        if present.all {
            for (column, slot) in slots {
                if nulls.next() {
                    *slot = Value::Null;
                } else {
                    column.read(&mut rows, slot)?;
                }
            }
        } else {
            for (i, (column, slot)) in slots.enumerate() {
                if !present.contains(i) {
                    *slot = Value::Absent;
                } else if nulls.next() {
                    *slot = Value::Null;
                } else {
                    column.read(&mut rows, slot)?;
                }
            }
        }
        self.rows = rows;
        Ok(())
    }

    /// The bits of a partial update that say which JSON values are diffs; `None` when none is.
    fn value_options(&mut self) -> Result<Option<&'a [u8]>> {
        if !self.event.partial {
            return Ok(None);
        }
        match self.rows.lenenc()? {
            0 => Ok(None),
            OPTION_PARTIAL_JSON => self
                .rows
                .take(self.plan.json_columns().div_ceil(8))
                .map(Some),
            options => Err(Error::new(
                ErrorKind::Unsupported,
                format!("row value options {options:#x} are not known"),
            )),
        }
    }

    /// An after image in which some JSON values are diffs. Their bits count all JSON columns of the table, the ones
    /// that the image does not hold included.
    fn partial_image(
        &mut self,
        present: PresentColumns<'a>,
        diffs: &'a [u8],
        out: &mut Vec<Value<'a>>,
    ) -> Result<()> {
        let mut diffs = NullBits::new(diffs);
        let mut nulls = NullBits::new(self.rows.take(present.count.div_ceil(8))?);
        out.resize(self.plan.width(), Value::Absent);
        for (i, (column, slot)) in self.plan.columns().zip(out).enumerate() {
            let diff = column.is_json() && diffs.next();
            if !present.contains(i) {
                *slot = Value::Absent;
            } else if nulls.next() {
                *slot = Value::Null;
            } else if diff {
                column.read_diff(&mut self.rows, slot)?;
            } else {
                column.read(&mut self.rows, slot)?;
            }
        }
        Ok(())
    }
}

/// Bits in order, from the lowest of the first byte; false behind the end.
struct NullBits<'a> {
    rest: std::slice::Iter<'a, u8>,
    current: u8,
    left: u8,
}

impl<'a> NullBits<'a> {
    fn new(bits: &'a [u8]) -> Self {
        Self {
            rest: bits.iter(),
            current: 0,
            left: 0,
        }
    }

    #[inline]
    fn next(&mut self) -> bool {
        if self.left == 0 {
            self.current = self.rest.next().copied().unwrap_or(0);
            self.left = 8;
        }
        let bit = self.current & 1 == 1;
        self.current >>= 1;
        self.left -= 1;
        bit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::checksum::Checksum;
    use crate::binlog::flavor::Flavor;
    use crate::decode::table_map::{TableMap, WireColumn};
    use crate::decode::wire_type as wt;

    fn format() -> FormatDescription {
        let mut post_header_lens = vec![0u8; 42];
        for kind in 19..=41 {
            post_header_lens[kind - 1] = if kind < 30 { 8 } else { 10 };
        }
        FormatDescription {
            binlog_version: 4,
            server_version: "8.0.36".into(),
            flavor: Flavor::MySql,
            version: 80_036,
            post_header_lens,
            checksum: Checksum::Off,
            in_use: false,
        }
    }

    /// Two columns: INT, JSON; the latter only where asked for.
    fn plan(columns: &[(u8, u16)]) -> RowPlan {
        let column = |(kind, meta): &(u8, u16)| WireColumn {
            kind: *kind,
            meta: *meta,
            nullable: true,
        };
        let table = TableMap {
            table_id: 108,
            flags: 1,
            database: "lab".into(),
            table: "z".into(),
            columns: columns.iter().map(column).collect(),
            metadata: Default::default(),
        };
        RowPlan::compile(&table, |_| false).unwrap()
    }

    fn body(rest: &[u8]) -> Vec<u8> {
        [&[0x6c, 0, 0, 0, 0, 0, 0x11, 0, 2, 0][..], rest].concat()
    }

    fn all<'a>(plan: &'a RowPlan, event: &RowsEvent<'a>) -> Result<Vec<RowImages<'a>>> {
        let mut reader = RowReader::new(plan, event)?;
        let (mut row, mut rows) = (RowImages::default(), Vec::new());
        while reader.next(&mut row)? {
            rows.push(row.clone());
        }
        Ok(rows)
    }

    const TWO_INTS: [(u8, u16); 2] = [(wt::LONG, 0), (wt::LONG, 0)];

    #[test]
    fn absent_is_not_null_and_null_bits_count_only_present_columns() {
        // UPDATE, MINIMAL: before holds both (7, NULL), after only the second.
        let body = body(&[2, 0xff, 0x02, 2, 7, 0, 0, 0, 0, 8, 0, 0, 0]);
        let event = RowsEvent::parse(event_kind::UPDATE_ROWS_V2, &body, &format()).unwrap();
        assert!(event.flags & FLAG_STMT_END != 0 && event.flags & FLAG_SQL_FOREIGN_KEYS != 0);
        assert_eq!(event.table_id, 108);
        let plan = plan(&TWO_INTS);
        let rows = all(&plan, &event).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].before, [Value::Int(7), Value::Null]);
        assert_eq!(rows[0].after, [Value::Absent, Value::Int(8)]);
    }

    #[test]
    fn an_insert_of_no_columns_is_one_row() {
        let body = body(&[2, 0x00]);
        let event = RowsEvent::parse(event_kind::WRITE_ROWS_V2, &body, &format()).unwrap();
        let plan = plan(&TWO_INTS);
        let rows = all(&plan, &event).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].after, [Value::Absent, Value::Absent]);
    }

    #[test]
    fn partial_updates_have_a_bit_for_json_columns_that_are_absent_too() {
        let plan = plan(&[(wt::JSON, 4), (wt::LONG, 0), (wt::JSON, 4)]);
        // before: only the INT; after: INT and the second JSON; bit 1 of the diffs is that one.
        let body = body(&[
            3, 0x02, 0x06, 0, 1, 0, 0, 0, 1, 0x02, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0xaa,
        ]);
        let event = RowsEvent::parse(event_kind::PARTIAL_UPDATE_ROWS, &body, &format()).unwrap();
        let rows = all(&plan, &event).unwrap();
        assert_eq!(
            rows[0].before,
            [Value::Absent, Value::Int(1), Value::Absent]
        );
        assert_eq!(
            rows[0].after,
            [Value::Absent, Value::Int(2), Value::JsonDiff(&[0xaa])]
        );
    }

    #[test]
    fn torn_rows_and_wrong_widths_are_errors() {
        let plan = plan(&TWO_INTS);
        let whole = body(&[2, 0x03, 0, 1, 0, 0, 0, 2, 0, 0, 0]);
        for end in 0..whole.len() {
            let event = RowsEvent::parse(event_kind::WRITE_ROWS_V2, &whole[..end], &format());
            let outcome = event.and_then(|event| all(&plan, &event).map(|rows| rows.len()));
            assert!(matches!(outcome, Err(_) | Ok(0)), "{end}");
        }
        let narrow = body(&[1, 0x01]);
        let event = RowsEvent::parse(event_kind::WRITE_ROWS_V2, &narrow, &format()).unwrap();
        assert!(RowReader::new(&plan, &event).is_err());
        let gone = RowsEvent::parse(event_kind::PRE_GA_WRITE_ROWS, &whole, &format()).unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn recycled_images_keep_their_memory() {
        let mut images = RowImages::default();
        images.after.resize(100, Value::Int(1));
        let capacity = images.after.capacity();
        let images: RowImages<'_> = images.recycle();
        assert!(images.after.is_empty());
        assert_eq!(images.after.capacity(), capacity);
    }
}
