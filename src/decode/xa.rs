//! XA_PREPARE: the event that ends a prepared group.

use crate::binlog::bytes::Bytes;
use crate::binlog::xa_id::XaId;
use crate::error::Result;

/// XA PREPARE ends a group whose rows wait for XA COMMIT or XA ROLLBACK (MySQL `XA_prepare_event`, MariaDB
/// `XA_prepare_log_event`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XaPrepare {
    /// COMMIT ONE PHASE: prepared and committed at once. Only MySQL writes it.
    pub one_phase: bool,
    /// Which transaction.
    pub id: XaId,
}

impl XaPrepare {
    /// Parses an event's body (no header, no checksum).
    ///
    /// # Errors
    /// `Corrupt` when it is no XA_PREPARE event.
    pub fn parse(body: &[u8]) -> Result<Self> {
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
    fn reads_the_id_and_whether_it_is_one_phase() {
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
