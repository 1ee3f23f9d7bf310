//! XA transactions: their ids, and the event that ends a prepared group.

use std::fmt;

use crate::binlog::bytes::Bytes;
use crate::error::{Error, Result};

/// Bytes of a global transaction id, and of a branch qualifier, at most.
const PART_LEN_MAX: usize = 64;

/// An XA id, as `XA PREPARE` and `XA COMMIT` name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct XaId<'a> {
    /// Format id.
    pub format_id: u32,
    /// Global transaction id.
    pub global: &'a [u8],
    /// Branch qualifier.
    pub branch: &'a [u8],
}

impl<'a> XaId<'a> {
    /// Reads the two parts when format id and lengths are known.
    pub(super) fn read(
        r: &mut Bytes<'a>,
        format_id: u32,
        global_len: usize,
        branch_len: usize,
    ) -> Result<Self> {
        if global_len > PART_LEN_MAX || branch_len > PART_LEN_MAX {
            return Err(Error::corrupt(format!(
                "an XA id of {global_len} and {branch_len} bytes"
            )));
        }
        Ok(Self {
            format_id,
            global: r.take(global_len)?,
            branch: r.take(branch_len)?,
        })
    }
}

impl fmt::Display for XaId<'_> {
    /// As the servers write it into `XA COMMIT` statements of the binlog: `X'616263',X'64',7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [self.global, self.branch] {
            f.write_str("X'")?;
            part.iter().try_for_each(|b| write!(f, "{b:02x}"))?;
            f.write_str("',")?;
        }
        write!(f, "{}", self.format_id)
    }
}

/// XA PREPARE ends a group whose rows wait for XA COMMIT or XA ROLLBACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XaPrepare<'a> {
    /// COMMIT ONE PHASE: prepared and committed at once.
    pub one_phase: bool,
    /// Which transaction.
    pub id: XaId<'a>,
}

impl<'a> XaPrepare<'a> {
    /// Parses an event's body (no header, no checksum).
    ///
    /// # Errors
    /// `Corrupt` when it is no XA_PREPARE event.
    pub fn parse(body: &'a [u8]) -> Result<Self> {
        let mut r = Bytes::new(body);
        let one_phase = r.u8()? != 0;
        let format_id = r.u32()?;
        let (global_len, branch_len) = (r.u32()? as usize, r.u32()? as usize);
        Ok(Self {
            one_phase,
            id: XaId::read(&mut r, format_id, global_len, branch_len)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_as_the_binlog_names_them() {
        let body = [
            0, 7, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, b'a', b'b', b'c', b'd',
        ];
        let prepare = XaPrepare::parse(&body).unwrap();
        assert!(!prepare.one_phase);
        assert_eq!(prepare.id.to_string(), "X'616263',X'64',7");
        assert!(XaPrepare::parse(&body[..16]).is_err());
        let huge = [0, 7, 0, 0, 0, 255, 255, 255, 255, 1, 0, 0, 0];
        assert!(XaPrepare::parse(&huge).is_err());
    }
}
