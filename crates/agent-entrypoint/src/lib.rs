//! agent-entrypoint: PID 1 and health check of the agent container. `--help` is the manual.
//!
//! No standard library, no C library, no allocator: the program starts in microseconds, is a few pages
//! large, and has nothing that could panic. [`main`] blocks signals, reads the settings, checks the
//! workspace, steps down from root, starts the command (or none), and supervises every process until the
//! end.
#![cfg_attr(not(test), no_std)]

pub mod child;
pub mod claude_json;
pub mod config;
pub mod credentials;
pub mod descendants;
pub mod env;
pub mod environment;
pub mod exit;
pub mod folder;
pub mod headless;
pub mod health;
pub mod help;
pub mod keep_alive;
pub mod mounts;
pub mod repository;
pub mod root;
pub mod say;
pub mod scope;
pub mod signals;
pub mod supervisor;
pub mod sys;
pub mod text;
pub mod trouble;
pub mod user;
pub mod workspace;

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use config::{Config, Run};
use env::Env;
use environment::Room;
use exit::Refusal;
use scope::Scope;
use sys::{CallerSignals, Start, Words};
use user::User;

/// Does what was asked for; returns this process's exit code.
pub fn main(start: &Start<'static>) -> u8 {
    // First of all: a SIGTERM that comes now must wait. The kernel drops a signal that PID 1 neither
    // handles nor blocks.
    let caller = sys::take_signals();
    let code = match Config::parse(start.arguments, Env(start.environment)) {
        Ok(Config::Run(run)) => live(start, &run, caller),
        Ok(Config::Headless(headless, run)) => headless
            .command()
            .map_err(Refusal::NoMemory)
            .and_then(|command| be_headless(start, command, run, caller)),
        Ok(Config::Health(probes)) => {
            // An agent could otherwise trace it, and rewrite its report.
            let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
            let mut room = environment::ROOM;
            as_agent(start, &mut room).map(|start| health::check(&probes, &start, caller))
        }
        Ok(Config::Print(text)) => Ok(say::data(text.as_bytes())),
        Err(refusal) => Err(refusal),
    };
    code.unwrap_or_else(|refusal| {
        say::error(refusal);
        refusal.code()
    })
}

/// Command mode and keep-alive mode.
fn live<'a>(start: &Start<'_>, run: &Run<'a>, caller: CallerSignals) -> Result<u8, Refusal<'a>> {
    let mut workspace = workspace::inspect(run.workspace)?;
    let mut user = start.user;
    let is_root = root::is_real(user);
    if is_root {
        root::give_workspace(&mut workspace, run);
        user = root::step_down()?;
        root::report(run.quiet);
    }
    // An agent has the same UID, and could otherwise trace PID 1, stop it, and write to its memory.
    // `execve` makes the command dumpable again.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    workspace.report(user, run.quiet);
    let me = User {
        uid: user.uid,
        is_new: is_root,
    };
    trouble::report(run.workspace, Env(start.environment), me, user);
    if let Some(umask) = run.umask {
        rustix::process::umask(Mode::from_raw_mode(umask));
    }
    let scope = Scope::take(run.quiet);
    let child = match run.command {
        Some(command) => {
            let mut room = environment::ROOM;
            let environment = environment::complete(start.environment, me, &mut room);
            let environment = environment.map_err(Refusal::NoMemory)?;
            Some(child::spawn(command, environment, caller).map_err(Refusal::NoProcess)?)
        }
        None => None,
    };
    // From here on only the end of what it supervises ends this process, and it keeps neither a folder
    // nor a file open.
    let _ = rustix::process::chdir(c"/");
    sys::close_inherited();
    Ok(supervisor::supervise(child, scope, run))
}

/// As PID 1, this is command mode; by `docker exec` there is nothing to supervise.
fn be_headless(
    start: &Start<'static>,
    command: &'static Words<'static>,
    mut run: Run<'static>,
    caller: CallerSignals,
) -> Result<u8, Refusal<'static>> {
    if rustix::process::getpid().is_init() {
        run.command = Some(command);
        return live(start, &run, caller);
    }
    let mut room = environment::ROOM;
    let start = as_agent(start, &mut room)?;
    sys::give_back(caller);
    let refusal = child::run(command, start.environment);
    // As in `child::spawn`, for the message.
    sys::take_signals();
    Err(refusal)
}

/// Steps down for `docker exec` and HEALTHCHECK: in a container that was started as root these are root,
/// too, and a file that root leaves under HOME would lock the agent out.
fn as_agent<'a>(start: &Start<'a>, room: &'a mut Room) -> Result<Start<'a>, Refusal<'static>> {
    if !root::is_real(start.user) {
        return Ok(*start);
    }
    let user = root::step_down()?;
    let me = User {
        uid: user.uid,
        is_new: true,
    };
    let environment = environment::complete(start.environment, me, room);
    Ok(Start {
        environment: environment.map_err(Refusal::NoMemory)?,
        user,
        ..*start
    })
}
