//! `cargo xtask update`: moves what an image is made of to newer versions, and says what is behind. Asks npm, the
//! registries of the base images, and apk in a container; writes files of the workspace, and with `--commit` makes a
//! commit.
//!
//! Each subject asks, and plans: rows of the table, moves with the lines of the message, whole new files. All files
//! of a run take their places together, or none.

mod actions;
mod bases;
mod claude;
mod crates;
mod dockerfile;
mod files;
mod image;
mod node;
mod packages;
mod planned;
mod propose;
mod row;
mod rust;
mod setting;
mod staged;
mod summary;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::ValueEnum as _;
use serde::Serialize;

use self::files::Files;
use self::planned::{Move, PassedOver, Planned, Subject};
use self::row::Row;
use self::staged::Staged;
use crate::base::NodeVersion;
use crate::ctx::Ctx;
use crate::refusal::Refusal;
use crate::stop::Stop;
use crate::version::Version;
use crate::{exec, git, github, printable, report};

const EXAMPLES: &str = "\
Examples:
  cargo xtask update --check                     list what is behind, and what a rebuild would change
  cargo xtask update --dry-run                   show what would move, and change nothing
  cargo xtask update                             move everything but Node.js, and print a commit message
  cargo xtask update --commit                    the same, and commit it
  cargo xtask update bases packages              move these alone
  cargo xtask update --except actions            move everything else
  cargo xtask update --claude 2.1.332            move Claude Code to this version, also back
  cargo xtask update --node 24                   move to another Node.js
  cargo xtask update --propose                   offer HEAD's commit as a pull request

A version of Claude Code that is younger than `minimum-age` days, deprecated, or lacking for an architecture is passed
over. When something cannot be asked, nothing is moved, and the error names it. More: docs/update.md.
Exit codes: 0 current, moved or shown; 1 something failed or could not be asked; 3 refused: nothing was changed;
4 `--check`: behind.";

/// Move what the image is made of to newer versions, or say what is behind
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to move [default: everything, or what --claude and --node name]
    #[arg(value_name = "SUBJECT")]
    subjects: Vec<Subject>,
    /// Move everything but this; may be given several times
    #[arg(long, value_name = "SUBJECT", conflicts_with_all = ["subjects", "claude", "node"])]
    except: Vec<Subject>,
    /// List what is pinned, the newest version and how old the pinned one is; change nothing
    #[arg(long, conflicts_with_all = ["claude", "node", "dry_run", "commit"])]
    check: bool,
    /// Move Claude Code to this version, however young it is
    #[arg(long, value_name = "VERSION")]
    claude: Option<Version>,
    /// Move to this version of Node.js, such as 24
    #[arg(long, value_name = "MAJOR")]
    node: Option<NodeVersion>,
    /// Show what would move, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Commit the move, as git is configured, hooks included
    #[arg(long, conflicts_with = "dry_run")]
    commit: bool,
    /// Also write the table to a file, in Markdown
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    #[command(flatten)]
    propose: propose::Options,
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
    /// As `--check` has them.
    rows: Vec<Row>,
    moves: Vec<Move>,
    passed_over: Vec<PassedOver>,
    /// The files that were changed, or would be, relative to the workspace.
    files: Vec<PathBuf>,
    /// Whether they were.
    moved: bool,
    committed: bool,
    /// The commit's message; none when nothing moves.
    message: Option<String>,
}

impl Args {
    pub(crate) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if ctx.testbed {
            crate::testbed::enter(ctx, true)?;
        }
        if self.propose.is_asked() {
            return self.propose.run(ctx, self.dry_run);
        }
        let subjects = self.chosen()?;
        if self.check {
            let planned = self.plan(ctx, &subjects, None)?;
            summary::write(&ctx.exec, &planned.rows, self.summary.as_deref())?;
            return check(ctx, &planned);
        }
        let staged = if self.dry_run {
            None
        } else {
            Some(begin(ctx)?)
        };
        let scratch = staged.as_ref().map(|staged| &*staged.scratch);
        let planned = self.plan(ctx, &subjects, scratch)?;
        if !planned.unasked.is_empty() {
            bail!(
                "nothing was moved:\n{}\nhint: name the other subjects to move those alone, as in `cargo xtask update \
                 claude`",
                planned.unasked.join("\n")
            );
        }
        // Who asked for the end gets it while the tree is whole.
        exec::check()?;
        let message = planned.message();
        let staged = staged.filter(|_| message.is_some());
        if let Some(staged) = &staged {
            staged.replace(&planned.files, |file| committed(ctx, file))?;
        }
        let to_commit = message.as_ref().filter(|_| self.commit);
        if let Some(message) = to_commit {
            commit(ctx, message, &planned)?;
        }
        let committed = to_commit.is_some();
        summary::write(&ctx.exec, &planned.rows, self.summary.as_deref())?;
        github::write_outputs(&ctx.exec, &[("moved", staged.is_some().to_string())])?;
        show(ctx, planned, message, staged.is_some(), committed)
    }

    /// What is to be moved or checked, each once, in the order of [`Subject`].
    fn chosen(&self) -> Result<Vec<Subject>, Stop> {
        let named = [
            (Subject::Claude, "--claude", self.claude.is_some()),
            (Subject::Node, "--node", self.node.is_some()),
        ];
        for (subject, option, is_given) in named {
            if is_given && !self.subjects.is_empty() && !self.subjects.contains(&subject) {
                let text = format!("`{option}` is given, and its subject is not among those named");
                return Err(Stop::Usage(text));
            }
        }
        if self.subjects.contains(&Subject::Node) && self.node.is_none() && !self.check {
            let text = "`node` moves to a version that is named alone; hint: `--node 24`";
            return Err(Stop::Usage(text.to_owned()));
        }
        let all = Subject::value_variants().iter().copied();
        let is_all = self.subjects.is_empty() && named.iter().all(|(.., is_given)| !is_given);
        let is_chosen = |subject: &Subject| {
            let is_named = |(one, _, is_given): &(Subject, &str, bool)| one == subject && *is_given;
            is_all || self.subjects.contains(subject) || named.iter().any(is_named)
        };
        let is_left = |subject: &Subject| is_chosen(subject) && !self.except.contains(subject);
        Ok(all.filter(is_left).collect())
    }

    /// Asks and plans for each subject, which sees what those before have planned. `scratch` is a folder for what is
    /// made on the way to new files; without it some are left out.
    fn plan(
        &self,
        ctx: &Ctx,
        subjects: &[Subject],
        scratch: Option<&Path>,
    ) -> anyhow::Result<Planned> {
        let mut files = Files::of(&ctx.root);
        let mut all = Planned::default();
        for subject in subjects {
            exec::check()?;
            let planned = match (subject, &self.node) {
                (Subject::Claude, _) => claude::plan(ctx, self.claude.as_ref(), scratch)?,
                (Subject::Node, Some(named)) => node::plan(ctx, &files, named)?,
                (Subject::Node, None) => node::show(ctx, &files, self.check)?,
                (Subject::Rust, _) => rust::plan(ctx, &files)?,
                (Subject::Bases, _) => bases::plan(ctx, &files)?,
                (Subject::Packages, _) => {
                    let is_named = !self.check && self.subjects.contains(subject);
                    packages::plan(ctx, &files, is_named)?
                }
                (Subject::Crates, _) => crates::plan(ctx, &files)?,
                (Subject::Actions, _) => actions::plan(ctx, &files)?,
            };
            // The table says what is pinned, and not what would be.
            if !self.check {
                files.put(&planned.files);
            }
            all.extend(planned);
        }
        Ok(all)
    }
}

/// Prints what was or would be done, and the commit's message.
fn show(
    ctx: &Ctx,
    planned: Planned,
    message: Option<String>,
    moved: bool,
    committed: bool,
) -> anyhow::Result<()> {
    for line in planned.rows.iter().flat_map(Row::note_lines) {
        crate::say::errln!("{line}");
    }
    let outcome = Outcome {
        schema: 2,
        rows: planned.rows,
        moves: planned.moves,
        passed_over: planned.passed_over,
        files: planned.files.into_iter().map(|(path, _)| path).collect(),
        moved,
        committed,
        message,
    };
    if ctx.json {
        return report::print_json(&outcome);
    }
    let current = outcome
        .rows
        .iter()
        .filter(|row| row.is_behind == Some(false));
    for row in current {
        let line = format!("{}: current ({})", row.what, row.pinned);
        crate::say::outln!("{}", printable::line(&line));
    }
    let Some(message) = &outcome.message else {
        return Ok(());
    };
    let rows = outcome.moves.iter().map(|one| {
        let way = format!("{} → {}", one.from, one.to);
        [one.what.clone(), way, one.changes.clone()]
    });
    crate::say::out!("{}", report::columns(&rows.collect::<Vec<_>>()));
    let done = match (moved, committed) {
        (false, _) => "nothing was moved: a dry run",
        (true, false) => "moved, not committed",
        (true, true) => "moved and committed",
    };
    crate::say::outln!("{done}");
    if !committed {
        crate::say::out!("\n{message}");
    }
    Ok(())
}

/// Takes the right to move, undoes what a killed run has left, and refuses a tree with other changes.
fn begin(ctx: &Ctx) -> anyhow::Result<Staged> {
    let staged = Staged::start(ctx.root.clone(), &ctx.records().join("update"))?;
    if staged.recover(|file| committed(ctx, file))? {
        crate::say::errln!("note: an update was cut off half-way; it is undone");
    }
    if let Some(paths) = git::read_head(&ctx.root)?.dirty_paths() {
        let why = format!("nothing was moved: the tree differs from the commit: {paths}");
        let remedy = "`git commit` or `git stash -u`, then update again";
        return Err(Stop::from(Refusal::new(why, remedy)).into());
    }
    Ok(staged)
}

/// A file as HEAD has it.
fn committed(ctx: &Ctx, file: &Path) -> anyhow::Result<Vec<u8>> {
    let content = git::file(&ctx.root, "HEAD", file)?;
    content.with_context(|| format!("`{}` is not in git", file.display()))
}

/// Commits the files that were moved.
fn commit(ctx: &Ctx, message: &str, planned: &Planned) -> anyhow::Result<()> {
    let paths = planned.files.iter().map(|(path, _)| path.display());
    let paths: Vec<String> = paths.map(|path| path.to_string()).collect();
    git::commit_files(&ctx.exec, message, &paths).with_context(|| {
        format!(
            "the pins are moved, but not committed; hint: commit them yourself, or `git checkout -- {}`",
            paths.join(" ")
        )
    })
}

/// Prints the table, and fails where something is behind or could not be asked.
fn check(ctx: &Ctx, planned: &Planned) -> anyhow::Result<()> {
    let rows = &planned.rows;
    if ctx.json {
        report::print_json(&Check { schema: 1, rows })?;
    } else {
        crate::say::out!("{}", row::text(rows));
    }
    let remedies = rows
        .iter()
        .filter_map(|row| Some((&row.what, row.remedy.as_ref()?)));
    let behind: Vec<String> = remedies
        .map(|(what, remedy)| format!("behind: {what}; hint: {remedy}"))
        .collect();
    let outputs = [("behind", (!behind.is_empty()).to_string())];
    github::write_outputs(&ctx.exec, &outputs)?;
    if !behind.is_empty() {
        return Err(Stop::Behind(behind.join("\n")).into());
    }
    // Silence is no proof that nothing is newer.
    if !planned.unasked.is_empty() {
        bail!(
            "it is not known whether this is behind:\n{}",
            planned.unasked.join("\n")
        );
    }
    Ok(())
}
