//! Everything at once, by chance: faults of the replica, of the source, of the network, of the disk and of the relay files,
//! one over the other, under a load of every kind. When the faults end, replication must catch up by itself, and be equal.
//!
//! A round has a source and a replica of its own, with settings from its seed, and some faults. `RELAYLITE_TEST_CHAOS_FAULTS`
//! (8 by default) says how many faults in all; each round prints its seed, and `RELAYLITE_TEST_SEED` repeats it.

mod damage;
mod round;

use round::Round;

use crate::support::random::{self, budget};
use crate::support::server::Flavor;

on_both!(random_faults_end_in_equal_data);

/// Faults between two looks at both sides.
const FAULTS_OF_A_ROUND: u64 = 8;

fn random_faults_end_in_equal_data(flavor: Flavor) {
    let mut left = budget("RELAYLITE_TEST_CHAOS_FAULTS", FAULTS_OF_A_ROUND);
    let mut seed = random::seed();
    while left > 0 {
        let faults = left.min(FAULTS_OF_A_ROUND);
        let started = std::time::Instant::now();
        let mut round = Round::start(flavor, seed);
        for _ in 0..faults {
            round.fault();
        }
        round.end();
        eprintln!(
            "{}: seed {seed}: {faults} faults, equal after {:?}",
            flavor.name(),
            started.elapsed()
        );
        left -= faults;
        seed += 1;
    }
}
