//! agent-entrypoint

fn main() {}
