//! The thin binary: everything callable from a test is in the library.
fn main() {}
