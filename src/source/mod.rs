//! 1. Talks to the source.
