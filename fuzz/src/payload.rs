//! TRANSACTION_PAYLOAD: events out of a compressed stream.

use relaylite::binlog::flavor::Flavor;
use relaylite::binlog::header::HEADER_LEN;
use relaylite::decode::payload::Payload;

use super::events::{check_body, standard_format};

/// How much of a payload is looked at: a few bytes may stand for gigabytes.
const INFLATED_BYTES_MAX: u64 = 4 << 20;

/// The body of the event.
pub fn check(body: &[u8]) {
    let Ok(payload) = Payload::parse(body) else {
        return;
    };
    let format = standard_format(Flavor::MySql);
    let mut reader = payload.reader().unwrap();
    let mut read = 0;
    while read < INFLATED_BYTES_MAX {
        let (header, body) = match reader.next_event() {
            Ok(Some(event)) => event,
            Ok(None) => {
                assert!(
                    payload
                        .uncompressed_size
                        .is_none_or(|claimed| claimed == read)
                );
                return;
            }
            Err(_) => return,
        };
        assert_eq!(header.event_size as usize, HEADER_LEN + body.len());
        read += u64::from(header.event_size);
        assert!(
            payload
                .uncompressed_size
                .is_none_or(|claimed| read <= claimed)
        );
        check_body(&header, body, &format);
    }
}
