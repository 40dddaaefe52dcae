//! End to end: the real image, built and run by a real engine. `cargo xtask test` finds or
//! starts the engine; by hand: `eval "$(cargo xtask testbed env)"`, then
//! `cargo test --package xtask --features e2e --test e2e`.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say so by panicking"
)]

mod actions;
mod agent_work;
mod agents_hands;
mod attested;
mod base;
mod build;
mod claude_api;
#[path = "../common/mod.rs"]
mod common;
mod compose;
mod contract;
mod emulation;
mod habits;
mod health;
mod hostile;
mod node;
mod packages;
mod pid1;
mod proof;
mod prune;
mod push;
mod quirks;
mod referrers;
mod release;
mod specification;
mod tags;
mod testbed;
mod update;
mod verify;
mod world;
