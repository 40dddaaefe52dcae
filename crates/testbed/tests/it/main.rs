//! The test bed's program as a whole, as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

/// A test bed with a state folder of its own.
mod bed;
/// The command line where nothing is up, and on machines that cannot have a test bed.
mod cli;
/// `up` with the network gone and the disk full, then again without the fault. Needs root, so not run by default.
mod faults;
