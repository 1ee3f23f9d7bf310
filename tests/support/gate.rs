//! Work on a source that must not be cut short by its death: where a crash in the middle leaves the source itself in two
//! minds (its binary log says one thing, its tables another), there is nothing to compare with.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Steps of work enter it together; the source dies when nobody is inside.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    lives: RwLock<u64>,
}

impl Gate {
    /// For one step of work; says in which life of the source it is done.
    pub(crate) fn enter(&self) -> RwLockReadGuard<'_, u64> {
        self.lives.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the time in which the source ends and begins anew; the next life begins.
    pub(crate) fn close(&self) -> RwLockWriteGuard<'_, u64> {
        let mut life = self.lives.write().unwrap_or_else(PoisonError::into_inner);
        *life += 1;
        life
    }
}
