//! testbed

fn main() {}
