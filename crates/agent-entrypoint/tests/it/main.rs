//! The real binary, against the real kernel: as PID 1 of a PID namespace, and as an ordinary process.
//!
//! - `cli`: usage, help, bad values
//! - `command`: command mode: status, environment, process state, what is left behind
//! - `inherited`: what the command inherits, and what PID 1 holds on to
//! - `signals`, `whom`, `stops`, `storms`: forwarding and reaping: each, to whom, stopping, by the thousand
//! - `keep_alive`: the mode without a command
//! - `terminal`: a pseudo-terminal, job control
//! - `workspace`: the check before start, and its texts
//! - `said`: whole lines, and valid JSON
//! - `root`: started as root: the owner put right, privileges gone
//! - `health`: the probes
//! - `file`: the file that is shipped
//! - `limits`: processes, disk, descriptors, a read-only root, large words
//! - `missing_calls`: system calls that fail, as in sandboxes
//! - `no_proc`: `/proc` not there
//! - `users`: a user whom nobody knows, the umask, what else root may bring
//! - `headless`: Claude Code set up by variables, with a stand-in for it

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

mod cli;
mod command;
mod file;
mod harness;
mod headless;
mod health;
mod inherited;
mod keep_alive;
mod limits;
mod missing_calls;
mod no_proc;
mod root;
mod said;
mod signals;
mod stops;
mod storms;
mod terminal;
mod users;
mod watch;
mod whom;
mod workspace;
