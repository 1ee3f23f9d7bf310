//! The parts of a QUERY event's body.

use super::bytes::Bytes;
use crate::error::{Error, Result};

/// The parts of a QUERY body (MySQL `Query_event`), unread.
#[derive(Debug, Clone, Copy)]
pub struct QueryParts<'a> {
    /// Connection id on the source.
    pub thread_id: u32,
    /// Error the statement ended with on the source, 0 for none.
    pub error_code: u16,
    /// Status variables.
    pub vars: &'a [u8],
    /// Default database of the session.
    pub database: &'a [u8],
    /// The statement.
    pub sql: &'a [u8],
}

impl<'a> QueryParts<'a> {
    /// Splits a body (after the header, without checksum).
    ///
    /// # Errors
    /// `Corrupt` when it ends before the text begins.
    pub fn split(body: &'a [u8]) -> Result<Self> {
        let mut r = Bytes::new(body);
        let thread_id = r.u32()?;
        r.u32()?; // seconds the statement took
        let database_len = usize::from(r.u8()?);
        let error_code = r.u16()?;
        let vars_len = usize::from(r.u16()?);
        let vars = r.take(vars_len)?;
        let database = r.take(database_len)?;
        if r.u8()? != 0 {
            return Err(Error::corrupt(
                "database name of a Query event does not end with NUL",
            ));
        }
        Ok(Self {
            thread_id,
            error_code,
            vars,
            database,
            sql: r.rest(),
        })
    }
}
