//! What ALTER TABLE needs to know of the session that it ran in.

use crate::schema::ddl::SqlContext;
use crate::schema::ddl::context::utc_offset;
use crate::schema::table::ColumnType;

/// What the statement's session says about values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlterSession {
    /// Values that do not fit would have been an error.
    pub strict: bool,
    /// Fractions of a second are rounded, not cut.
    pub rounds_fractions: bool,
    /// The statement's time: seconds since 1970.
    pub seconds: u32,
    /// The statement's time: microseconds.
    pub micros: u32,
    /// The session's time zone as seconds east of UTC, where it is known.
    pub utc_offset: Option<i32>,
}

impl AlterSession {
    /// From the statement's context, its time, and the session's `time_zone` where the event says it.
    pub fn new(context: &SqlContext, seconds: u32, micros: u32, time_zone: Option<&str>) -> Self {
        Self {
            strict: context.is_strict(),
            rounds_fractions: context.rounds_fractions(),
            seconds,
            micros,
            utc_offset: time_zone.and_then(utc_offset),
        }
    }

    /// The statement's time as a column of type `ty` stores it.
    pub(super) fn time(&self, ty: &ColumnType, fsp: u8) -> Option<String> {
        let offset = match ty {
            ColumnType::Timestamp { .. } => 0,
            ColumnType::DateTime { .. } => self.utc_offset?,
            _ => return None,
        };
        let seconds = i64::from(self.seconds) + i64::from(offset);
        let time = jiff::Timestamp::from_second(seconds).ok()?;
        let mut text = time.strftime("%Y-%m-%d %H:%M:%S").to_string();
        if fsp > 0 {
            let micros = format!("{:06}", self.micros);
            text.push('.');
            text.push_str(micros.get(..usize::from(fsp).min(6))?);
        }
        Some(text)
    }
}
