//! 4. Transactions to lanes: one lane per database, barriers where a transaction spans several.

pub mod barrier;
pub mod batch;
pub mod budget;
pub mod coordinator;
pub mod copier;
pub mod described;
pub mod filter;
pub mod group;
pub mod lane;
pub mod lanes;
pub mod mapped;
pub mod progress;
pub mod quarantine;
pub mod resync;
pub mod router;
pub mod state;
pub mod statement;
pub mod stop;
