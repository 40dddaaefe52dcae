//! The `xtask` binary against real git repositories and a fake `docker` on PATH.
//!
//! What the fake cannot prove, that docker takes the command line, is proven end to end (`e2e`).

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say so by panicking"
)]

mod access;
mod audit;
mod base;
mod builder;
mod cache;
#[path = "../common/mod.rs"]
mod common;
mod create_builder;
mod image;
mod imports;
mod local;
mod lock;
mod packages;
mod prune;
mod refusals;
mod registry;
mod sandbox;
mod tags;
mod test;
mod tidy;
mod tls;
mod update;
