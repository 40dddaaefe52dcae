//! The crates that `Cargo.lock` has, as `cargo update` moves them: to the newest versions that the manifests allow,
//! and that the workspace's `rust-version` does. cargo is asked in a copy of the manifests, so that nothing is changed
//! before all is known.

mod lock;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use serde::Deserialize;

use self::lock::{Change, Lock};
use super::files::Files;
use super::planned::{Move, Planned};
use super::row::Row;
use crate::ctx::Ctx;
use crate::exec::{Ended, Exec};
use crate::printable;

const WHAT: &str = "crates";
pub(super) const LOCK: &str = "Cargo.lock";
const MANIFEST: &str = "Cargo.toml";

/// cargo has limits of its own for each request; this is for one that hangs all the same.
const LIMIT: Duration = Duration::from_mins(10);

/// What cargo says of the workspace, as far as it counts here.
#[derive(Deserialize)]
struct Workspace {
    workspace_root: PathBuf,
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    src_path: PathBuf,
}

/// Lets cargo make a new lock, and plans to take it; a workspace without one has nothing to move. `files` may have
/// other manifests than the tree.
///
/// `minimum-age` does not hold: cargo knows the age of a crate from 1.100 on, and then holds to the setting of its own
/// (`registry.global-min-publish-age`, rust-lang/rfcs#3923).
///
/// Fails when the lock that is there cannot be read, and when cargo makes one that must not take its place.
pub(super) fn plan(ctx: &Ctx, files: &Files) -> anyhow::Result<Planned> {
    let Some(text) = files.text(Path::new(LOCK))? else {
        return Ok(Planned::default());
    };
    let old = Lock::parse(&text).with_context(|| format!("failed to read `{LOCK}`"))?;
    let made = match update(&ctx.exec, files, &text) {
        Ok(made) => made,
        Err(error) => {
            let row = Row::unknown(WHAT, format!("{} locked", old.count()));
            return Planned::unasked(row, "the registry of crates", error);
        }
    };
    let new = Lock::parse(&made)
        .and_then(|new| old.check(&new).map(|()| new))
        .with_context(|| {
            format!("cargo made no `{LOCK}` that may take its place; nothing was changed")
        })?;
    let mut planned = planned(&old, &new);
    if !planned.moves.is_empty() {
        planned.files = vec![(LOCK.into(), made.into_bytes())];
    }
    Ok(planned)
}

/// Checks that a lock may take the place of an old one.
pub(super) fn check(old: &str, new: &str) -> anyhow::Result<()> {
    Lock::parse(old)?.check(&Lock::parse(new)?)
}

/// The lock that cargo makes.
fn update(exec: &Exec, files: &Files, lock: &str) -> anyhow::Result<String> {
    ensure!(
        exec.find("cargo").is_some(),
        "there is no `cargo` on PATH; hint: install Rust (https://rustup.rs)"
    );
    let scratch = tempfile::tempdir().context("failed to make a folder for cargo")?;
    let words = ["metadata", "--no-deps", "--format-version=1", "--offline"];
    let workspace = run(exec, &words)?;
    let workspace = serde_json::from_slice(&workspace.stdout);
    copy(
        &workspace.context("`cargo metadata` printed something else")?,
        files,
        scratch.path(),
    )?;
    let path = scratch.path().join(LOCK);
    fs::write(&path, lock).with_context(|| format!("failed to write `{}`", path.display()))?;
    let manifest = scratch.path().join(MANIFEST).display().to_string();
    crate::say::errln!("asking cargo for newer crates");
    // Whatever the user's configuration says: a lock that the pinned compiler cannot build is of no use.
    let config = "resolver.incompatible-rust-versions=\"fallback\"";
    run(
        exec,
        &["update", "--config", config, "--manifest-path", &manifest],
    )?;
    fs::read_to_string(&path).with_context(|| format!("cargo wrote no `{LOCK}`"))
}

/// Copies the manifests of the workspace, and makes an empty file for each target: without one a manifest is not
/// valid.
fn copy(workspace: &Workspace, files: &Files, scratch: &Path) -> anyhow::Result<()> {
    let below = |path: &Path| {
        let below = path.strip_prefix(&workspace.workspace_root);
        below
            .map(Path::to_owned)
            .with_context(|| format!("`{}` is outside of the workspace", path.display()))
    };
    let write = |path: &Path, text: &str| {
        let path = scratch.join(path);
        fs::create_dir_all(path.parent().unwrap_or(scratch))
            .and_then(|()| fs::write(&path, text))
            .with_context(|| format!("failed to write `{}`", path.display()))
    };
    let mut manifests = vec![PathBuf::from(MANIFEST)];
    for package in &workspace.packages {
        manifests.push(below(&package.manifest_path)?);
        for target in &package.targets {
            write(&below(&target.src_path)?, "")?;
        }
    }
    for manifest in manifests {
        let text = files.text(&manifest)?;
        write(
            &manifest,
            &text.with_context(|| format!("there is no `{}`", manifest.display()))?,
        )?;
    }
    Ok(())
}

fn run(exec: &Exec, args: &[&str]) -> anyhow::Result<Ended> {
    let ended = exec.within("cargo", args, LIMIT)?;
    if ended.success() {
        return Ok(ended);
    }
    let command = args.first().unwrap_or(&"");
    if ended.status.is_none() {
        return Err(anyhow!(
            "`cargo {command}` did not end within {} minutes",
            LIMIT.as_secs() / 60
        ));
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    // What it was doing before is on the lines above.
    let error = said.find("error: ").map_or(&*said, |at| &said[at..]);
    Err(anyhow!(
        "`cargo {command}` failed: {}",
        printable::short(error)
    ))
}

/// How the locks differ, as a row and a move.
fn planned(old: &Lock, new: &Lock) -> Planned {
    let changes = old.changes(new);
    let pinned = format!("{} locked", old.count());
    let Some(newest) = summary(&changes) else {
        let mut row = Row::unknown(WHAT, pinned).current();
        row.newest = Some("the same".to_owned());
        return Planned::of(row);
    };
    let in_image = new.in_image();
    let is_in_image = |change: &&Change| in_image.contains(&*change.name);
    let (image, other): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(is_in_image);
    let ours: Vec<&str> = image.iter().map(|change| &*change.name).collect();
    let layer = match ours.as_slice() {
        [] => "nothing in the image".to_owned(),
        ours => format!("the entrypoint's layer at most: {}", ours.join(", ")),
    };
    let list: Vec<String> = changes.iter().map(Change::text).collect();
    let row = Row {
        newest: Some(newest),
        is_behind: Some(true),
        changes: layer,
        notes: vec![list.join("; ")],
        remedy: Some("`cargo xtask update crates`".to_owned()),
        ..Row::unknown(WHAT, pinned)
    };
    let image = image.into_iter().map(|change| moving(change, true));
    Planned {
        rows: vec![row],
        moves: image
            .chain(other.into_iter().map(|change| moving(change, false)))
            .collect(),
        ..Planned::default()
    }
}

/// How many crates change; none when all are current.
fn summary(changes: &[Change]) -> Option<String> {
    match changes.len() {
        0 => None,
        1 => Some("1 change".to_owned()),
        count => Some(format!("{count} changes")),
    }
}

fn moving(change: &Change, is_in_image: bool) -> Move {
    let versions = |versions: &[String]| match versions {
        [] => "none".to_owned(),
        versions => versions.join(", "),
    };
    Move {
        what: format!("crate {}", change.name),
        from: versions(&change.from),
        to: versions(&change.to),
        about: None,
        changes: if is_in_image {
            "the entrypoint's layer at most".to_owned()
        } else {
            "nothing in the image".to_owned()
        },
    }
}
