//! `cargo xtask update`: moves what an image is made of to newer versions, and says what is behind. Asks npm and
//! the base's registry; writes Claude Code's locks, and with `--commit` makes a commit.

mod locks;
mod npm;
mod package;
mod plan;
mod row;
mod swap;
mod versions;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, bail, ensure};
use clap::ValueEnum;
use serde::Serialize;

use self::locks::{ARCHES, Arch, LOCK, MANIFEST};
use self::plan::Plan;
use self::row::{Row, State};
use self::swap::{Change, Swap};
use self::versions::{Packages, Ripe, days};
use crate::base::Base;
use crate::ctx::Ctx;
use crate::oci::Digest;
use crate::reference::Repository;
use crate::refusal::Refusal;
use crate::registry::Puller;
use crate::stop::Stop;
use crate::version::Version;
use crate::{git, report};

const EXAMPLES: &str = "\
Examples:
  cargo xtask update --check                     what is behind, and what a rebuild would change
  cargo xtask update --dry-run                   from which version to which, and change nothing
  cargo xtask update                             move both locks of Claude Code, and print a commit message
  cargo xtask update claude --commit             the same, and commit it
  cargo xtask update claude --claude 2.1.332     move to this version, also back

A version younger than `minimum-age` days, deprecated, or lacking for an architecture is passed over.
More: docs/update.md.
Exit codes: 0 current, moved or shown; 1 something failed; 3 refused: nothing was changed; 4 `--check`: behind.";

/// Move Claude Code's pin to a newer version, or say what is behind
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to move [default: everything]
    subject: Option<Subject>,
    /// Say what is pinned, what is the newest and how old it is; change nothing
    #[arg(long, conflicts_with_all = ["subject", "claude", "dry_run", "commit"])]
    check: bool,
    /// Move Claude Code to this version, however young it is
    #[arg(long, value_name = "VERSION")]
    claude: Option<Version>,
    /// Print from which version to which, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Make a commit of it, as git is configured, hooks included
    #[arg(long, conflicts_with = "dry_run")]
    commit: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Subject {
    /// Claude Code, for both architectures
    Claude,
}

/// What `--check --json` prints.
#[derive(Serialize)]
struct Check<'a> {
    schema: u32,
    rows: &'a [Row],
}

/// What a move prints with `--json`.
#[derive(Serialize)]
struct Moved<'a> {
    schema: u32,
    #[serde(flatten)]
    plan: &'a Plan,
    /// Whether the files were changed.
    moved: bool,
    committed: bool,
    /// That of the commit, made or proposed; none when all is current.
    message: Option<String>,
}

impl Args {
    pub(crate) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if ctx.testbed {
            crate::testbed::enter(ctx, true)?;
        }
        if self.check {
            return check(ctx);
        }
        // One subject is all there is yet.
        let (None | Some(Subject::Claude)) = self.subject;
        let records = ctx.records().join("update");
        let swap = if self.dry_run {
            None
        } else {
            Some(begin(ctx, &records)?)
        };
        let pinned = locks::pinned(&ctx.root)?;
        let packages = observe(ctx, &pinned, self.claude.as_ref())?;
        let plan =
            plan::plan(&pinned, self.claude.as_ref(), &packages, &ripe(ctx)).map_err(Stop::from)?;
        let (moved, message) = match &swap {
            _ if plan.is_current() => (false, None),
            None => (false, Some(plan.message())),
            Some(swap) => {
                let changes = make(ctx, &records, swap, &plan.to, &packages)?;
                swap.replace(&changes)?;
                if self.commit {
                    commit(ctx, &plan, &changes)?;
                }
                (true, Some(plan.message()))
            }
        };
        let committed = moved && self.commit;
        if ctx.json {
            let schema = 1;
            return report::print_json(&Moved {
                schema,
                plan: &plan,
                moved,
                committed,
                message,
            });
        }
        for remark in plan.remarks() {
            crate::say::errln!("note: {}", crate::printable::line(&remark));
        }
        show(&plan, message.as_deref(), moved, committed);
        Ok(())
    }
}

/// Takes the right to change files, undoes what a killed run has left, and refuses a tree with other changes.
fn begin<'a>(ctx: &'a Ctx, records: &Path) -> anyhow::Result<Swap<'a>> {
    let swap = Swap::start(&ctx.root, records)?;
    if swap.recover()? {
        crate::say::errln!("note: an update was cut off half-way; it is undone");
    }
    let dirty = git::read_head(&ctx.root)?.dirty;
    if let Some(first) = dirty.first() {
        let why = match dirty.len() {
            1 => format!("the tree differs from the commit: `{first}`"),
            count => format!(
                "the tree differs from the commit: `{first}` and {} more",
                count - 1
            ),
        };
        let remedy = "`git commit` or `git stash -u`, then update again";
        return Err(Stop::from(Refusal::new(format!("nothing was moved: {why}"), remedy)).into());
    }
    Ok(swap)
}

fn ripe(ctx: &Ctx) -> Ripe {
    Ripe {
        now: SystemTime::now(),
        minimum_age: ctx.settings.minimum_age,
    }
}

/// What the registry has from `pinned` on; or of that and the version that is named.
fn observe(ctx: &Ctx, pinned: &Version, named: Option<&Version>) -> anyhow::Result<Packages> {
    let range = match named {
        Some(named) => format!("{pinned} || {named}"),
        None => format!(">={pinned}"),
    };
    crate::say::errln!("asking npm for Claude Code");
    let [amd64, arm64] = ARCHES
        .each_ref()
        .map(|arch| npm::view(&ctx.exec, arch, &range));
    let packages = [amd64?, arm64?];
    ensure!(
        packages.iter().any(|package| !package.builds.is_empty()),
        "npm's registry has no version {range} of Claude Code; hint: `npm view {}` shows what it has",
        ARCHES[0].package()
    );
    Ok(packages)
}

/// Lets npm make both locks in a folder of the records, and checks them.
fn make(
    ctx: &Ctx,
    records: &Path,
    swap: &Swap,
    version: &Version,
    packages: &Packages,
) -> anyhow::Result<Vec<Change>> {
    let folder = records.join("new");
    // What a killed run has left there is of no use.
    clear(&folder)?;
    let mut changes = Vec::new();
    for (arch, package) in ARCHES.iter().zip(packages) {
        let made = folder.join(arch.docker);
        let build = package.builds.get(version);
        let integrity = build
            .and_then(|build| build.integrity.as_deref())
            .unwrap_or_default();
        changes.extend(
            make_one(ctx, &made, swap, arch, version, integrity).with_context(|| {
                format!(
                    "npm made no lock for {} that may take its place; nothing was changed",
                    arch.docker
                )
            })?,
        );
    }
    clear(&folder)?;
    Ok(changes)
}

fn clear(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result.with_context(|| format!("failed to remove `{}`", folder.display())),
    }
}

fn make_one(
    ctx: &Ctx,
    made: &Path,
    swap: &Swap,
    arch: &Arch,
    version: &Version,
    integrity: &str,
) -> anyhow::Result<[Change; 2]> {
    let failed = || format!("failed to write in `{}`", made.display());
    fs::create_dir_all(made).with_context(failed)?;
    let paths: [PathBuf; 2] = [MANIFEST, LOCK].map(|name| arch.folder().join(name));
    let [old_manifest, old_lock] = [swap.read(&paths[0])?, swap.read(&paths[1])?];
    // Without the old lock: npm keeps what is wrong in one (npm/cli#4460).
    fs::write(made.join(MANIFEST), &old_manifest).with_context(failed)?;
    npm::lock(&ctx.exec, made, arch, version)?;
    let read = |name: &str| {
        fs::read_to_string(made.join(name)).with_context(|| format!("npm wrote no `{name}`"))
    };
    let (manifest, lock) = (read(MANIFEST)?, read(LOCK)?);
    locks::check(arch, version, integrity, &manifest, &lock)?;
    let [path, lock_path] = paths;
    Ok([
        Change {
            path,
            old: old_manifest,
            new: manifest,
        },
        Change {
            path: lock_path,
            old: old_lock,
            new: lock,
        },
    ])
}

fn commit(ctx: &Ctx, plan: &Plan, changes: &[Change]) -> anyhow::Result<()> {
    let paths = changes
        .iter()
        .map(|change| change.path.display().to_string());
    let message = plan.message();
    git::commit_files(&ctx.exec, &message, &paths.collect::<Vec<_>>()).context(
        "the locks are moved, but not committed; hint: commit them yourself, or `git checkout -- docker/claude`",
    )
}

fn show(plan: &Plan, message: Option<&str>, moved: bool, committed: bool) {
    let Some(message) = message else {
        crate::say::outln!("Claude Code {} is current", plan.from);
        return;
    };
    let age = plan.to_age_days.map_or("unknown".to_owned(), days);
    let done = match (moved, committed) {
        (false, _) => "nothing: a dry run",
        (true, false) => "both locks, not committed",
        (true, true) => "both locks, committed",
    };
    crate::say::out!(
        "{}",
        report::table(&[
            ("from", plan.from.to_string()),
            ("to", plan.to.to_string()),
            ("age", age),
            ("changes", plan.changes()),
            ("moved", done.to_owned()),
        ])
    );
    if !committed {
        crate::say::out!("\n{message}");
    }
}

fn check(ctx: &Ctx) -> anyhow::Result<()> {
    let pinned = locks::pinned(&ctx.root)?;
    let plan = observe(ctx, &pinned, None).and_then(|packages| {
        plan::plan(&pinned, None, &packages, &ripe(ctx))
            .map_err(|refusal| Stop::from(refusal).into())
    });
    if let Err(error) = &plan
        && error.downcast_ref::<Stop>().is_some()
    {
        return plan.map(drop);
    }
    let known = plan.as_ref().map_err(|error| format!("{error:#}"));
    let mut rows = vec![Row::claude(pinned.to_string(), known)];
    if let Some(base) = Base::read(&ctx.root, &ctx.settings.dockerfile, None)? {
        let newest = base_digest(ctx, &base).map_err(|error| format!("{error:#}"));
        rows.push(Row::base(&base, newest));
    }
    if ctx.json {
        report::print_json(&Check {
            schema: 1,
            rows: &rows,
        })?;
    } else {
        crate::say::out!("{}", row::text(&rows));
    }
    let behind = rows.iter().filter(|row| row.state == State::Behind);
    let behind: Vec<String> = behind
        .map(|row| {
            format!(
                "{} is behind; hint: {}",
                row.what,
                row.remedy.as_deref().unwrap_or("see above")
            )
        })
        .collect();
    if !behind.is_empty() {
        return Err(Stop::Behind(behind.join("\n")).into());
    }
    // Silence is no proof that nothing is newer.
    if plan.is_err() {
        bail!("npm could not be asked, so Claude Code may be behind");
    }
    Ok(())
}

/// The digest that the base's tag leads to now.
fn base_digest(ctx: &Ctx, base: &Base) -> anyhow::Result<Digest> {
    let name = base.name();
    let (repository, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
    let repository: Repository = repository.parse().map_err(anyhow::Error::msg)?;
    crate::reference::check_tag(tag).map_err(anyhow::Error::msg)?;
    crate::say::errln!("asking for `{name}`");
    let digest = Puller::new(&ctx.exec, &repository).digest(tag)?;
    digest.with_context(|| format!("its registry has no `{name}`"))
}
