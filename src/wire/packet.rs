//! Packets: four bytes of header, at most 16 MiB - 1 of payload.
//!
//! A longer payload goes on in the next packet; a packet that is not full ends it, so a payload of a whole multiple of
//! the maximum ends with an empty packet.

use crate::binlog::bytes::Bytes;

/// Length of a packet's header.
pub const PACKET_HEADER_LEN: usize = 4;

/// Payload of a full packet.
pub const PACKET_PAYLOAD_MAX: usize = 0xff_ffff;

/// The header of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketHeader {
    /// Payload of this packet in bytes.
    pub len: usize,
    /// Counts the packets of one exchange, modulo 256.
    pub sequence: u8,
}

impl PacketHeader {
    /// The header at the start of `bytes`; `None` while there are fewer than four.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut r = Bytes::new(bytes);
        let len = r.u24().ok()?;
        let sequence = r.u8().ok()?;
        Some(Self {
            len: usize::try_from(len).ok()?,
            sequence,
        })
    }

    /// Whether the payload goes on in the next packet.
    pub fn is_full(&self) -> bool {
        self.len == PACKET_PAYLOAD_MAX
    }
}

/// Appends `payload` to `out` as packets, counting from `sequence`; returns the next number.
pub(super) fn encode(payload: &[u8], mut sequence: u8, out: &mut Vec<u8>) -> u8 {
    let mut rest = payload;
    loop {
        let (chunk, more) = rest.split_at(rest.len().min(PACKET_PAYLOAD_MAX));
        let [a, b, c, ..] = chunk.len().to_le_bytes();
        out.extend_from_slice(&[a, b, c, sequence]);
        out.extend_from_slice(chunk);
        sequence = sequence.wrapping_add(1);
        rest = more;
        if chunk.len() < PACKET_PAYLOAD_MAX {
            return sequence;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_split_and_ends_with_a_packet_that_is_not_full() {
        for (len, packets) in [
            (0, vec![0]),
            (5, vec![5]),
            (PACKET_PAYLOAD_MAX - 1, vec![PACKET_PAYLOAD_MAX - 1]),
            (PACKET_PAYLOAD_MAX, vec![PACKET_PAYLOAD_MAX, 0]),
            (PACKET_PAYLOAD_MAX + 1, vec![PACKET_PAYLOAD_MAX, 1]),
            (
                2 * PACKET_PAYLOAD_MAX,
                vec![PACKET_PAYLOAD_MAX, PACKET_PAYLOAD_MAX, 0],
            ),
        ] {
            let mut out = Vec::new();
            let next = encode(&vec![7; len], 255, &mut out);
            assert_eq!(usize::from(next), packets.len() - 1);
            let mut rest = out.as_slice();
            for (i, expected) in packets.iter().enumerate() {
                let header = PacketHeader::parse(rest).unwrap();
                assert_eq!(header.len, *expected);
                assert_eq!(usize::from(header.sequence), (255 + i) % 256);
                rest = &rest[PACKET_HEADER_LEN + header.len..];
            }
            assert!(rest.is_empty());
        }
        assert_eq!(PacketHeader::parse(&[1, 0, 0]), None);
    }
}
