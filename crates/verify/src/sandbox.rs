//! Containers of an image, started as AgentGate's server starts them or as a
//! check wants them, named and labelled by the run, and removed whatever happens.

mod answer;
mod candidate;
mod check_sandbox;
mod container;
mod create;
mod engine;
mod machine;
mod ran;
mod start;
mod state;
mod sweep;
#[cfg(test)]
mod tests;
mod trouble;
mod used;
mod verify_run;

pub(crate) use self::candidate::Candidate;
pub(crate) use self::check_sandbox::Sandbox;
pub(crate) use self::container::{Container, Stopped};
pub(crate) use self::ran::{Ran, Session};
pub(crate) use self::start::Start;
pub(crate) use self::state::Health;
pub(crate) use self::sweep::sweep;
pub(crate) use self::trouble::Trouble;
pub(crate) use self::used::Named;
pub(crate) use self::verify_run::VerifyRun;
