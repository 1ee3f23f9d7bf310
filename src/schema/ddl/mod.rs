//! The DDL parser: text to [`Statement`].

/// What a statement does (filled in by the parser's work).
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {}
