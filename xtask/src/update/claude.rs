//! Claude Code: which version the two locks pin, and which they would. npm is asked, and makes the locks.

mod locks;
mod npm;
mod package;
mod plan;
mod versions;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, ensure};

use self::plan::Plan;
use self::versions::{Packages, Ripe};
use super::planned::{PassedOver, Planned};
use super::row::Row;
use crate::claude_lock;
use crate::ctx::Ctx;
use crate::platform::Platform;
use crate::stop::Stop;
use crate::version::Version;

const WHAT: &str = "Claude Code";

/// Where the locks are, relative to the workspace.
const HOME: &str = "docker/claude";

/// Asks npm, and plans the move to `named` or else to the newest version that is allowed. `scratch` is a folder for
/// npm to make the locks in; without it they are not made.
///
/// Fails when the locks disagree, when nobody should move to `named`, and when npm makes something else than it was
/// asked for.
pub(super) fn plan(
    ctx: &Ctx,
    named: Option<&Version>,
    scratch: Option<&Path>,
) -> anyhow::Result<Planned> {
    let pinned = locks::pinned(&ctx.root)?;
    let packages = match ask(ctx, &pinned, named) {
        Ok(packages) => packages,
        Err(error) => {
            let row = Row::unknown(WHAT, pinned.to_string());
            return Planned::unasked(row, "npm", error);
        }
    };
    let ripe = Ripe {
        now: SystemTime::now(),
        minimum_age: ctx.settings.minimum_age,
    };
    let plan = plan::plan(&pinned, named, &packages, &ripe).map_err(Stop::from)?;
    let mut planned = planned(&plan);
    if let Some(scratch) = scratch.filter(|_| !plan.is_current()) {
        planned.files = make(ctx, scratch, &plan.to, &packages)?;
    }
    Ok(planned)
}

/// The plan as a row and a move.
fn planned(plan: &Plan) -> Planned {
    let is_behind = !plan.is_current();
    let published = match &plan.to_published {
        Some(day) => format!("published on {day}"),
        None => "the registry does not say when it was published".to_owned(),
    };
    let passed_over = plan.passed_over.iter().map(|one| PassedOver {
        what: WHAT.to_owned(),
        version: one.version.to_string(),
        why: one.why.clone(),
    });
    let row = Row {
        newest: Some(plan.to.to_string()),
        age_days: plan.from_age_days,
        changes: plan.changes.clone(),
        notes: plan.remarks(),
        remedy: is_behind.then(|| "`cargo xtask update claude`".to_owned()),
        ..Row::unknown(WHAT, plan.from.to_string())
    };
    let mut planned = if is_behind {
        Planned::behind(row, plan.to.to_string(), Some(published))
    } else {
        Planned::of(Row {
            is_behind: Some(false),
            ..row
        })
    };
    planned.passed_over.extend(passed_over);
    planned
}

/// What the registry has from the pinned version on; or of that and the version that is named.
fn ask(ctx: &Ctx, pinned: &Version, named: Option<&Version>) -> anyhow::Result<Packages> {
    let range = match named {
        Some(named) => format!("{pinned} || {named}"),
        None => format!(">={pinned}"),
    };
    crate::say::errln!("asking npm for Claude Code");
    let [amd64, arm64] = Platform::ALL.map(|platform| npm::view(&ctx.exec, platform, &range));
    let packages = [amd64?, arm64?];
    ensure!(
        packages.iter().any(|package| !package.builds.is_empty()),
        "npm's registry has no version {range} of Claude Code; hint: `npm view {}` shows what it has",
        claude_lock::package(Platform::LinuxAmd64)
    );
    Ok(packages)
}

/// The files of an architecture, in the order of [`locks::FILES`].
pub(super) fn files(platform: Platform) -> [String; 2] {
    locks::FILES.map(|name| format!("{HOME}/{}/{name}", platform.architecture()))
}

/// Checks that manifest and lock may take the place of those with the manifest `old`: they pin another version of the
/// same package, and nothing else.
pub(super) fn check(platform: Platform, old: &str, made: [&str; 2]) -> anyhow::Result<()> {
    locks::check_moved(platform, old, made)
}

/// Lets npm make both locks in a folder, checks them, and returns them.
fn make(
    ctx: &Ctx,
    scratch: &Path,
    version: &Version,
    packages: &Packages,
) -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for (platform, package) in Platform::ALL.into_iter().zip(packages) {
        let arch = platform.architecture();
        let build = package.builds.get(version);
        let integrity = build.and_then(|build| build.integrity.as_deref());
        let folder = scratch.join(arch);
        let made = make_one(
            ctx,
            &folder,
            platform,
            version,
            integrity.unwrap_or_default(),
        );
        let made = made.with_context(|| {
            format!("npm made no lock for {arch} that may take its place; nothing was changed")
        })?;
        let home = Path::new(HOME).join(arch);
        let named = locks::FILES.iter().map(|name| home.join(name));
        files.extend(named.zip(made.map(String::into_bytes)));
    }
    Ok(files)
}

/// Manifest and lock for one architecture, in the order of [`locks::FILES`].
fn make_one(
    ctx: &Ctx,
    folder: &Path,
    platform: Platform,
    version: &Version,
    integrity: &str,
) -> anyhow::Result<[String; 2]> {
    let [manifest, lock] = locks::FILES;
    // Without the old lock: npm keeps what is wrong in one (npm/cli#4460).
    let old = ctx
        .root
        .join(HOME)
        .join(platform.architecture())
        .join(manifest);
    fs::create_dir_all(folder)
        .and_then(|()| fs::copy(&old, folder.join(manifest)))
        .with_context(|| {
            format!(
                "failed to copy `{}` to `{}`",
                old.display(),
                folder.display()
            )
        })?;
    npm::lock(&ctx.exec, folder, platform, version)?;
    let read = |name: &str| {
        fs::read_to_string(folder.join(name)).with_context(|| format!("npm wrote no `{name}`"))
    };
    let made = [read(manifest)?, read(lock)?];
    locks::check(platform, version, integrity, [&made[0], &made[1]])?;
    Ok(made)
}
