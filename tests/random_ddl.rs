//! Random DDL between random DML on a real server, followed while it happens: equal after each step.
//!
//! Where only the source knows what a statement made of the rows, the table is read afresh first.
//! A step is one statement. Which the server refuses, as it will, is passed over. `RELAYLITE_TEST_SEED` repeats a run,
//! `RELAYLITE_TEST_DDL_STEPS` (60 by default) makes it longer.

pub(crate) mod model;

use model::Model;

use crate::support::compare::assert_equal;
use crate::support::random::{self, Random, budget};
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

on_both!(equal_after_each_statement, equal_from_the_binlog_alone);

/// How many statements between two looks at both sides.
const STEPS_BETWEEN: u64 = 4;

fn steps() -> u64 {
    budget("RELAYLITE_TEST_DDL_STEPS", 60)
}

fn equal_after_each_statement(flavor: Flavor) {
    let server = Server::start(flavor);
    let replica = Replica::of(&server);
    let running = replica.follow();
    let mut model = Model::new(&server, Random::new(random::seed(), 0));
    for _ in 0..steps() / STEPS_BETWEEN {
        for _ in 0..STEPS_BETWEEN {
            model.step();
        }
        replica.wait_until_caught_up(&server);
        replica.wait_until_sound();
        assert_equal(&server, &replica.target_dir());
    }
    drop(running);
}

fn equal_from_the_binlog_alone(flavor: Flavor) {
    let server = Server::start(flavor);
    let mut model = Model::new(&server, Random::new(random::seed(), 1));
    for _ in 0..steps() * 2 {
        model.step();
    }
    let replica = Replica::of(&server);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    replica.wait_until_sound();
    assert_equal(&server, &replica.target_dir());
    drop(running);
}
