//! The workflows, run by nektos/act: with the real xtask, a real engine and a real registry, and with
//! stand-ins for what cannot be had here (xtask/tests/actions).

mod changes;
mod gate;
mod github;
mod images;
mod prove;
mod releases;
mod rights;
mod rollback;
mod run;
mod signing;
mod update;
mod workflows;
