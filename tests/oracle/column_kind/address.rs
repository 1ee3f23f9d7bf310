//! UUIDs and network addresses, which MariaDB has types for.

use super::{ColumnKind, Values, low_bits, strings};
use crate::support::random::Random;
use crate::support::server::Flavor;

#[derive(Debug)]
struct Uuid;

impl Values for Uuid {
    fn edges(&self) -> Vec<String> {
        strings(&[
            "'00000000-0000-0000-0000-000000000000'",
            "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
            "'123e4567-e89b-12d3-a456-426655440000'",
            "'6ccd780c-baba-1026-9564-5b8c656024db'",
            "'f47ac10b-58cc-4372-a567-0e02b2c3d479'",
            "'018f4f5e-7c00-7000-8000-000000000001'",
            "'00112233-4455-6677-8899-aabbccddeeff'",
            "'00112233-4455-1677-0899-aabbccddeeff'",
            "'123e4567-e89b-12d3-a456-426655440100'",
        ])
    }

    fn random(&self, random: &mut Random) -> String {
        let [a, b] = [random.next_u64(), random.next_u64()].map(|half| format!("{half:016x}"));
        let text = format!("{a}{b}");
        format!(
            "'{}-{}-{}-{}-{}'",
            &text[..8],
            &text[8..12],
            &text[12..16],
            &text[16..20],
            &text[20..]
        )
    }
}

#[derive(Debug)]
struct Inet4;

impl Values for Inet4 {
    fn edges(&self) -> Vec<String> {
        strings(&[
            "'0.0.0.0'",
            "'255.255.255.255'",
            "'127.0.0.1'",
            "'10.0.0.0'",
        ])
    }

    fn random(&self, random: &mut Random) -> String {
        let address = std::net::Ipv4Addr::from(low_bits(random));
        format!("'{address}'")
    }
}

#[derive(Debug)]
struct Inet6;

impl Values for Inet6 {
    fn edges(&self) -> Vec<String> {
        strings(&[
            "'::'",
            "'::1'",
            "'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'",
            "'::ffff:192.0.2.1'",
            "'::192.0.2.1'",
            "'2001:db8::'",
            "'2001:0:0:1::1'",
            "'1:0:2:0:3:0:4:0'",
            "'::ffff:0:0'",
            "'::1:2'",
            "'fe80::1:0:0:1'",
        ])
    }

    fn random(&self, random: &mut Random) -> String {
        let mut groups = [0u16; 8];
        for group in &mut groups {
            if random.percent(50) {
                *group = u16::try_from(random.range(0..65536)).unwrap();
            }
        }
        format!("'{}'", std::net::Ipv6Addr::from(groups))
    }
}

/// The types that a MariaDB has.
pub(super) fn kinds(flavor: Flavor) -> Vec<ColumnKind> {
    let mut kinds = Vec::new();
    if flavor.is_mariadb_since(10, 7) {
        kinds.push(ColumnKind::new("UUID", Uuid));
    }
    if flavor.is_mariadb_since(10, 10) {
        kinds.push(ColumnKind::new("INET4", Inet4));
    }
    kinds.push(ColumnKind::new("INET6", Inet6));
    kinds
}
