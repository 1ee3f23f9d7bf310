//! Random numbers from a seed that a failing test prints, so that the same run can be had again.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

/// The seed of this test run: `RELAYLITE_TEST_SEED`, else a new one. It is printed, and the test runner shows what was
/// printed when the test fails.
pub(crate) fn seed() -> u64 {
    let seed = budget("RELAYLITE_TEST_SEED", 0);
    let seed = if seed == 0 {
        RandomState::new().hash_one(0) % 1_000_000 + 1
    } else {
        seed
    };
    eprintln!("RELAYLITE_TEST_SEED={seed}");
    seed
}

/// How much a test is to do: a number from the environment, for longer runs than the everyday one.
#[track_caller]
pub(crate) fn budget(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| {
        let number = value.parse();
        number.unwrap_or_else(|error| panic!("{variable}={value}: {error}"))
    })
}

/// A small generator (SplitMix64): good enough to pick test values, the same on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// Each `stream` of a seed has its own numbers.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self {
            state: seed ^ stream.wrapping_mul(0xa076_1d64_78bd_642f),
        };
        random.next_u64();
        random
    }

    /// The next 64 random bits.
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of the range.
    pub(crate) fn range(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next_u64() % (range.end - range.start)
    }

    /// A number of the range, as a size.
    pub(crate) fn size(&mut self, range: Range<usize>) -> usize {
        let range = u64::try_from(range.start).unwrap()..u64::try_from(range.end).unwrap();
        usize::try_from(self.range(range)).unwrap()
    }

    /// True in so many of a hundred cases.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.range(0..100) < percent
    }

    /// One of them.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.size(0..of.len())]
    }
}
