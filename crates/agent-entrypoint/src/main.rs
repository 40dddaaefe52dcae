//! agent-entrypoint: PID 1 and health check of the agent container.
//!
//! Order of the story: block signals, read the settings, check the workspace, start the command
//! (or none), then look after everything that runs until it is over. `--help` is the manual.

mod child;
mod config;
mod environment;
mod exit;
mod health;
mod help;
mod mounts;
mod reap;
mod say;
mod scope;
mod signals;
mod supervisor;
mod sys;
mod workspace;

use std::process::ExitCode;

use config::{Config, Run};
use exit::Refusal;

fn main() -> ExitCode {
    // Before anything else: a SIGTERM that comes now must wait for us, not get lost. The kernel
    // drops what PID 1 neither handles nor blocks.
    let caller = sys::take_signals();
    let code = match Config::from_process() {
        Ok(Config::Run(run)) => start(&run, caller),
        Ok(Config::Health(probes)) => {
            sys::give_back(caller);
            Ok(health::check(&probes))
        }
        Ok(Config::Print(text)) => Ok(say::data(&text)),
        Err(refusal) => Err(refusal),
    };
    ExitCode::from(code.unwrap_or_else(|refusal| {
        say::error(&refusal.text);
        refusal.code
    }))
}

/// Command mode and keep-alive mode; returns this process's exit code.
fn start(run: &Run, caller: sys::CallerSignals) -> Result<u8, Refusal> {
    workspace::prepare(&run.workspace, run.verbose)?;
    let scope = scope::Scope::take();
    let child = match &run.command {
        Some(command) => Some(child::spawn(command, &environment::missing(), caller)?),
        None => None,
    };
    // From here on nothing ends this process but the end of what it looks after.
    Ok(supervisor::supervise(child, scope))
}
