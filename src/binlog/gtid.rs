//! GTIDs and sets of them, of both families.

/// A set of GTIDs (a MySQL set, or a MariaDB position list).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GtidSet {}
