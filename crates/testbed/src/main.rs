//! A private Docker world for a bare machine: engine, registry, arm64, and stand-in base images.

mod bases;
mod exec;
mod fetch;
mod layout;
mod sources;

fn main() {}
