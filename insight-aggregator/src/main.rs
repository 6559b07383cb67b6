//! The program `insight-aggregator`; everything is in the library.

fn main() {}
