//! The real binary, against the real kernel: as PID 1 of a PID namespace, and as an ordinary process.
//!
//! - `cli`: usage, help, bad values
//! - `command`: command mode: status, environment, process state, what is left behind
//! - `inherited`: signal state, descriptors and streams of the caller
//! - `signals`: forwarding and reaping
//! - `whom`: the command or its group, daemons, and the stubborn
//! - `stops`: stop and continue
//! - `reaping`: ten thousand orphans
//! - `storms`: thousands of signals at once
//! - `keep_alive`: the mode without a command
//! - `idle`: no wake-ups
//! - `terminal`: a pseudo-terminal, job control
//! - `workspace`: the check before start, and its texts
//! - `root`: started as root: the owner put right, privileges gone
//! - `users`: a user without an account, the umask, groups and capabilities of root
//! - `health`: the probes
//! - `trouble`: folders and credentials that cannot be used, at the start and in `health`
//! - `repository`: git's repository in the workspace: elsewhere, broken, hostile
//! - `headless`: Claude Code set up by variables, with a stand-in for it
//! - `said`: whole lines, and valid JSON
//! - `unread`: a stderr that cannot be written to
//! - `limits`: processes, disk, descriptors, a read-only root, large words
//! - `missing_calls`: system calls that fail, as in sandboxes
//! - `no_proc`: without `/proc`
//! - `panics`: what is in the shipped file, and what is not

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

mod claude_files;
mod cli;
mod command;
mod credentials;
mod harness;
mod headless;
mod health;
mod idle;
mod inherited;
mod keep_alive;
mod limits;
mod missing_calls;
mod no_proc;
mod panics;
mod reaping;
mod repository;
mod root;
mod running;
mod said;
mod signals;
mod stops;
mod storms;
mod terminal;
mod trouble;
mod unread;
mod users;
mod via;
mod watch;
mod whom;
mod workspace;
