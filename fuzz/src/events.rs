//! Events: where each ends, its checksum, and the bodies that say how to read the rest.

use relaylite::binlog::checksum::{self, Checksum};
use relaylite::binlog::flavor::Flavor;
use relaylite::binlog::format::FormatDescription;
use relaylite::binlog::frame::{Frame, filler, next_frame};
use relaylite::binlog::header::{HEADER_LEN, Header};
use relaylite::binlog::kind;
use relaylite::binlog::rotate::Rotate;
use relaylite::config::limits::EVENT_BYTES_MAX;
use relaylite::decode::event::Event;
use relaylite::decode::mariadb;

/// A stream of events, without the four bytes at a file's head.
pub fn check(stream: &[u8]) {
    let mut format = standard_format(Flavor::MySql);
    let mut rest = stream;
    loop {
        match next_frame(rest) {
            Ok(Frame::Event(header, event)) => {
                assert!(event.len() >= HEADER_LEN && event.len() == header.event_size as usize);
                assert_eq!(event, &rest[..event.len()]);
                one_event(&header, event, &mut format);
                rest = &rest[event.len()..];
            }
            Ok(Frame::Incomplete(need)) => {
                assert!(need > rest.len() && need as u64 <= EVENT_BYTES_MAX);
                break;
            }
            Err(_) => break,
        }
    }
}

fn one_event(header: &Header, event: &[u8], format: &mut FormatDescription) {
    if header.kind == kind::FORMAT_DESCRIPTION
        && let Ok(parsed) = FormatDescription::parse(event)
    {
        *format = parsed;
    }
    for sum in [Checksum::Off, Checksum::Crc32] {
        if let Ok(body) = checksum::body(event, sum) {
            assert_eq!(body.len() + HEADER_LEN + sum.len(), event.len());
            check_body(header, body, format);
        }
    }
    // A sum that fits is the one that we would make; any other bit flipped is found.
    if checksum::verify(event, Checksum::Crc32).is_ok() && event.len() >= HEADER_LEN + 4 {
        let mut again = event[..event.len() - Checksum::Crc32.len()].to_vec();
        checksum::seal(&mut again, Checksum::Crc32).unwrap();
        assert_eq!(again, event);
        again[HEADER_LEN - 3] ^= 0x10;
        assert!(checksum::verify(&again, Checksum::Crc32).is_err());
    }
    if event.len() < 1 << 20 && event.len() >= HEADER_LEN + 4 {
        let size = header.event_size;
        let made = filler(size, header.server_id, header.log_pos, Checksum::Crc32).unwrap();
        let Ok(Frame::Event(head, whole)) = next_frame(&made) else {
            panic!("a filler is no event");
        };
        assert_eq!((head.event_size, whole.len()), (size, event.len()));
        assert_eq!(
            (head.server_id, head.log_pos),
            (header.server_id, header.log_pos)
        );
    }
}

/// A body of any type, taken for that type.
pub fn check_body(header: &Header, body: &[u8], format: &FormatDescription) {
    let _ = Rotate::parse(body);
    let mut scratch = Vec::new();
    if let Ok((plain, body)) = mariadb::plain(header.kind, body, format, &mut scratch) {
        let header = Header {
            kind: plain,
            ..*header
        };
        let _ = Event::parse(&header, body, format);
    }
}

/// What a server of today says at the head of its files.
pub fn standard_format(flavor: Flavor) -> FormatDescription {
    let mut post_header_lens = vec![0; 171];
    for (kind, len) in [
        (2, 13),
        (15, 98),
        (19, 8),
        (23, 8),
        (24, 8),
        (25, 8),
        (30, 10),
        (31, 10),
        (32, 10),
        (39, 10),
    ] {
        post_header_lens[kind - 1] = len;
    }
    post_header_lens[165..168].fill(8);
    FormatDescription {
        binlog_version: 4,
        server_version: "10.11.6-MariaDB".into(),
        flavor,
        version: 101_106,
        post_header_lens,
        checksum: Checksum::Off,
        in_use: false,
    }
}
