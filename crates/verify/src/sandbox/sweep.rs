//! Removes what a run leaves behind.

use std::io::{self, Read as _};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use xtask::exec::Exec;

use super::ran::Ran;
use super::trouble;
use super::verify_run::VerifyRun;
use crate::limits::{Pace, SWEEP, Sweep};

/// The result of an attempt, if the engine answers.
enum Attempt {
    Clean,
    /// Some are left, and why.
    Left(anyhow::Error),
}

/// Waits until the run has ended (our stdin ends with it), and removes its containers, their
/// volumes and its folder. `image` lends its `rm` for files of users that we are not.
///
/// A run that ends in good order says so by a line, and then nothing more can come.
pub(crate) fn sweep(exec: &Exec, run: &VerifyRun, image: &str) -> anyhow::Result<()> {
    let mut said = Vec::new();
    let _ = io::stdin().read_to_end(&mut said);
    let start = Instant::now();
    // An engine that lists slowly also starts and removes slowly.
    let _ = docker(exec, &["ps", "--quiet"]);
    let sweep = Sweep {
        pace: Pace::of(start.elapsed()),
    };
    let aftermath = if said.is_empty() {
        sweep.aftermath()
    } else {
        Duration::ZERO
    };
    let start = Instant::now();
    let containers = loop {
        match remove_containers(exec, run) {
            Err(error) => break Err(error),
            Ok(Attempt::Clean) if start.elapsed() >= aftermath => break Ok(()),
            Ok(Attempt::Left(error)) if start.elapsed() >= sweep.patience() => break Err(error),
            Ok(_) => thread::sleep(Duration::from_millis(200)),
        }
    };
    let folder = remove_folder(exec, run, image);
    containers.and(folder)
}

/// Fails when the engine does not say what there is.
fn remove_containers(exec: &Exec, run: &VerifyRun) -> anyhow::Result<Attempt> {
    let filter = format!("label={}", run.label());
    let remedy = format!("docker rm -fv $(docker ps -aq --filter {filter})");
    let listing = ["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter];
    let listed = docker(exec, &listing)
        .with_context(|| format!("containers of this run may be left; hint: `{remedy}`"))?;
    let ids: Vec<&str> = listed.lines().collect();
    if ids.is_empty() {
        return Ok(Attempt::Clean);
    }
    let removal = ["rm", "--force", "--volumes"];
    let removal: Vec<&str> = removal.into_iter().chain(ids).collect();
    // Somebody else may have been faster: what counts is what is left.
    let removed = docker(exec, &removal);
    if docker(exec, &listing)?.is_empty() {
        return Ok(Attempt::Clean);
    }
    let left = || format!("containers of this run are left; hint: `{remedy}`");
    Ok(Attempt::Left(match removed {
        Err(error) => error.context(left()),
        Ok(_) => anyhow::anyhow!(left()),
    }))
}

fn remove_folder(exec: &Exec, run: &VerifyRun, image: &str) -> anyhow::Result<()> {
    let folder = &run.folder;
    let is_gone = || xtask::files::remove_folder(folder);
    let Err(error) = is_gone() else {
        return Ok(());
    };
    // Files of another user, in folders of that user.
    let volume = format!("{}:/run-of-verify", folder.display());
    let mut args = vec!["run", "--rm", "--pull", "never", "--user", "0"];
    args.extend(["--network", "none", "--volume", &volume]);
    args.extend(["--entrypoint", "/bin/sh", image, "-c"]);
    args.push("rm -rf /run-of-verify/*");
    let _ = docker(exec, &args);
    if is_gone().is_err() {
        let path = folder.display();
        bail!("failed to remove `{path}`: {error}; hint: `sudo rm -rf '{path}'`");
    }
    Ok(())
}

fn docker(exec: &Exec, args: &[&str]) -> anyhow::Result<String> {
    let ended = xtask::docker::within(exec, args, SWEEP)?;
    let Some(ran) = Ran::of(&ended) else {
        bail!(
            "`docker {}` did not end within {} s",
            args[0],
            SWEEP.as_secs()
        );
    };
    trouble::of_docker(args[0], &ran)?;
    Ok(ran.stdout)
}
