//! `cargo xtask update`: moves what an image is made of to newer versions, and says what is behind. Asks npm and
//! the base's registry; writes Claude Code's locks, and with `--commit` makes a commit.

mod locks;
mod npm;
mod package;
mod plan;
mod row;
mod staged;
mod versions;

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, bail, ensure};
use clap::ValueEnum;
use serde::Serialize;

use self::plan::Plan;
use self::row::Row;
use self::staged::Staged;
use self::versions::{Packages, Ripe, days};
use crate::base::Base;
use crate::claude_lock::package;
use crate::ctx::Ctx;
use crate::oci::Digest;
use crate::platform::Platform;
use crate::refusal::Refusal;
use crate::registry::Puller;
use crate::stop::Stop;
use crate::version::Version;
use crate::{git, printable, report};

/// Where the locks are, relative to the workspace.
const HOME: &str = "docker/claude";

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
struct Outcome {
    schema: u32,
    #[serde(flatten)]
    plan: Plan,
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
        let staged = if self.dry_run {
            None
        } else {
            Some(begin(ctx)?)
        };
        let (pinned, packages) = observe(ctx, self.claude.as_ref())?;
        let plan = plan::plan(&pinned, self.claude.as_ref(), &packages, &ripe(ctx));
        let plan = plan.map_err(Stop::from)?;
        let staged = staged.filter(|_| !plan.is_current());
        if let Some(staged) = &staged {
            make(ctx, staged, &plan.to, &packages)?;
            staged.replace(|file| committed(ctx, file))?;
            if self.commit {
                commit(ctx, &plan)?;
            }
        }
        let moved = staged.is_some();
        let outcome = Outcome {
            schema: 1,
            moved,
            committed: moved && self.commit,
            message: (!plan.is_current()).then(|| plan.message()),
            plan,
        };
        for remark in outcome.plan.remarks() {
            crate::say::errln!("note: {}", printable::line(&remark));
        }
        if ctx.json {
            return report::print_json(&outcome);
        }
        outcome.show();
        Ok(())
    }
}

impl Outcome {
    fn show(&self) {
        let Some(message) = &self.message else {
            crate::say::outln!("Claude Code {} is current", self.plan.from);
            return;
        };
        let done = match (self.moved, self.committed) {
            (false, _) => "nothing: a dry run",
            (true, false) => "both locks, not committed",
            (true, true) => "both locks, committed",
        };
        let rows = [
            ("from", self.plan.from.to_string()),
            ("to", self.plan.to.to_string()),
            (
                "age",
                self.plan.to_age_days.map_or("unknown".to_owned(), days),
            ),
            ("changes", self.plan.changes.clone()),
            ("moved", done.to_owned()),
        ];
        crate::say::out!("{}", report::table(&rows));
        if !self.committed {
            crate::say::out!("\n{message}");
        }
    }
}

/// Takes the right to move, undoes what a killed run has left, and refuses a tree with other changes.
fn begin(ctx: &Ctx) -> anyhow::Result<Staged> {
    let records = ctx.records().join("update");
    let staged = Staged::start(ctx.root.join(HOME), &records, locks::files())?;
    if staged.recover(|file| committed(ctx, file))? {
        crate::say::errln!("note: an update was cut off half-way; it is undone");
    }
    let dirty = git::read_head(&ctx.root)?.dirty;
    if let Some(first) = dirty.first() {
        let more = match dirty.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let why = format!("nothing was moved: the tree differs from the commit: `{first}`{more}");
        let remedy = "`git commit` or `git stash -u`, then update again";
        return Err(Stop::from(Refusal::new(why, remedy)).into());
    }
    Ok(staged)
}

/// A file of the locks as HEAD has it.
fn committed(ctx: &Ctx, file: &Path) -> anyhow::Result<Vec<u8>> {
    let path = Path::new(HOME).join(file);
    let content = git::file(&ctx.root, "HEAD", &path)?;
    content.with_context(|| format!("`{}` is not in git", path.display()))
}

fn ripe(ctx: &Ctx) -> Ripe {
    Ripe {
        now: SystemTime::now(),
        minimum_age: ctx.settings.minimum_age,
    }
}

/// What is pinned, and what the registry has from there on; or of that and the version that is named.
fn observe(ctx: &Ctx, named: Option<&Version>) -> anyhow::Result<(Version, Packages)> {
    let pinned = locks::pinned(&ctx.root)?;
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
        package(Platform::LinuxAmd64)
    );
    Ok((pinned, packages))
}

/// Lets npm make both locks, and checks them.
fn make(ctx: &Ctx, staged: &Staged, version: &Version, packages: &Packages) -> anyhow::Result<()> {
    for (platform, package) in Platform::ALL.into_iter().zip(packages) {
        let arch = locks::arch(platform);
        let integrity = package
            .builds
            .get(version)
            .and_then(|build| build.integrity.as_deref());
        let folder = staged.folder.join(arch);
        make_one(
            ctx,
            &folder,
            platform,
            version,
            integrity.unwrap_or_default(),
        )
        .with_context(|| {
            format!("npm made no lock for {arch} that may take its place; nothing was changed")
        })?;
    }
    Ok(())
}

fn make_one(
    ctx: &Ctx,
    folder: &Path,
    platform: Platform,
    version: &Version,
    integrity: &str,
) -> anyhow::Result<()> {
    let [manifest, lock] = locks::FILES;
    // Without the old lock: npm keeps what is wrong in one (npm/cli#4460).
    let old = ctx
        .root
        .join(HOME)
        .join(locks::arch(platform))
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
    locks::check(
        platform,
        version,
        integrity,
        [&read(manifest)?, &read(lock)?],
    )
}

fn commit(ctx: &Ctx, plan: &Plan) -> anyhow::Result<()> {
    let path = |file: &Path| Path::new(HOME).join(file).display().to_string();
    let paths: Vec<String> = locks::files().iter().map(|file| path(file)).collect();
    git::commit_files(&ctx.exec, &plan.message(), &paths).context(
        "the locks are moved, but not committed; hint: commit them yourself, or `git checkout -- docker/claude`",
    )
}

fn check(ctx: &Ctx) -> anyhow::Result<()> {
    let pinned = locks::pinned(&ctx.root)?;
    let plan = match observe(ctx, None) {
        // An interruption is no row.
        Err(error) if error.is::<Stop>() => return Err(error),
        Err(error) => Err(format!("{error:#}")),
        Ok((_, packages)) => {
            Ok(plan::plan(&pinned, None, &packages, &ripe(ctx)).map_err(Stop::from)?)
        }
    };
    let mut rows = vec![Row::claude(
        pinned.to_string(),
        plan.as_ref().map_err(Clone::clone),
    )];
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
    let remedies = rows
        .iter()
        .filter_map(|row| Some((row.what, row.remedy.as_ref()?)));
    let behind: Vec<String> = remedies
        .map(|(what, remedy)| format!("{what} is behind; hint: {remedy}"))
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
    let (repository, tag) = base.place()?;
    let name = base.name();
    crate::say::errln!("asking for `{name}`");
    let digest = Puller::new(&ctx.exec, &repository).digest(tag)?;
    digest.with_context(|| format!("its registry has no `{name}`"))
}
