//! 7. What others see of a running process. Reads published state; never calls into a stage.

pub mod control;
pub mod http;
mod lag;
mod metrics;
pub mod offline;
pub mod published;
pub mod report;
pub mod status;
