//! `cargo xtask update --propose`: offers the commit of a move as a pull request, on a branch of its own. Asks git's
//! remote and GitHub; pushes the branch, and makes or edits the pull request. It never merges.

mod pins;
mod plan;
mod pull;

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::Serialize;

use self::pins::Texts;
use self::plan::{Branch, Plan, State};
use crate::ctx::Ctx;
use crate::git::{self, BranchCommit};
use crate::github::gh::{Gh, Missing};
use crate::refusal::Refusal;
use crate::stop::Stop;
use crate::{github, printable, report};

/// The remote that is pushed to.
const REMOTE: &str = "origin";
/// The branch that is pushed.
const BRANCH: &str = "update";
/// The most of a description that is read, in bytes. GitHub takes 65,536 characters.
const LONGEST: u64 = 50_000;

/// How a move is offered.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Offer the commit at HEAD as a pull request from the branch `update`; needs `gh`
    #[arg(long, conflicts_with_all = ["subjects", "except", "check", "claude", "node", "commit", "summary"])]
    propose: bool,
    /// The text of the pull request, in Markdown [default: the commit's message]
    #[arg(long, value_name = "FILE", requires = "propose")]
    body: Option<PathBuf>,
}

/// What `--propose --json` prints.
#[derive(Serialize)]
struct Outcome {
    schema: u32,
    branch: &'static str,
    /// In a line.
    done: String,
    pushed: bool,
    /// The address of the pull request; none where there is none.
    pull_request: Option<String>,
    /// The commit that is still to be built and verified.
    commit: Option<String>,
}

impl Options {
    pub(super) fn is_asked(&self) -> bool {
        self.propose
    }

    pub(super) fn run(&self, ctx: &Ctx, is_dry: bool) -> anyhow::Result<()> {
        let head = git::read_head(&ctx.root)?;
        let gh = Gh::new(&ctx.exec, head.source.as_deref()).map_err(|missing| refused(&missing))?;
        let body = self.body.as_deref().map(description).transpose()?;
        let state = observe(ctx, &gh, &head.revision)?;
        let plan = plan::plan(&state).map_err(Stop::from)?;
        let outcome = match &plan {
            Plan::Nothing { why, url } => Outcome::nothing(why, url.clone()),
            Plan::Offer(offer) if is_dry => Outcome::nothing(&offer.describe(BRANCH), None),
            Plan::Offer(offer) => {
                let url = apply(ctx, &gh, &state, offer, body.as_deref())?;
                Outcome {
                    done: offer.describe(BRANCH),
                    pushed: offer.push.is_some(),
                    pull_request: Some(url),
                    commit: offer.is_unjudged.then(|| offer.head.clone()),
                    ..Outcome::nothing("", None)
                }
            }
        };
        outcome.report(ctx)
    }
}

impl Outcome {
    fn nothing(why: &str, pull_request: Option<String>) -> Outcome {
        Outcome {
            schema: 1,
            branch: BRANCH,
            done: why.to_owned(),
            pushed: false,
            pull_request,
            commit: None,
        }
    }

    fn report(&self, ctx: &Ctx) -> anyhow::Result<()> {
        let url = self.pull_request.clone().unwrap_or_default();
        let outputs = [
            ("commit", self.commit.clone().unwrap_or_default()),
            ("pull-request", printable::line(&url)),
        ];
        github::write_outputs(&ctx.exec, &outputs)?;
        let lines = [&self.done, &url].map(|line| github::markdown::text(line));
        github::write_summary(&ctx.exec, &format!("{}\n", lines.join("\n\n").trim_end()))?;
        if ctx.json {
            return report::print_json(self);
        }
        for line in [&self.done, &url]
            .into_iter()
            .filter(|line| !line.is_empty())
        {
            crate::say::outln!("{}", printable::line(line));
        }
        Ok(())
    }
}

fn refused(missing: &Missing) -> Stop {
    Stop::from(match missing {
        Missing::Program => Refusal::new(
            "a pull request is asked for, and `gh` is not on PATH",
            "install the GitHub CLI (https://cli.github.com), or push the commit yourself",
        ),
        Missing::Place(why) => Refusal::new(
            why.as_str(),
            "`git remote set-url origin https://github.com/OWNER/NAME.git`",
        ),
    })
}

/// The text of a file; one that is too long is cut at the end of a line.
fn description(path: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    // Another job may have packed it: a link could lead to a secret of this one.
    let data = fs::symlink_metadata(path);
    ensure!(
        data.is_ok_and(|data| data.is_file()),
        "`{}` is no plain file; hint: name the file itself",
        path.display()
    );
    File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_end(&mut bytes))
        .with_context(|| format!("failed to read `{}`", path.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let is_whole = (bytes.len() as u64) < LONGEST;
    let end = if is_whole { None } else { text.rfind('\n') };
    Ok(printable::text(&text[..end.unwrap_or(text.len())]))
}

fn observe(ctx: &Ctx, gh: &Gh, head: &str) -> anyhow::Result<State> {
    let base = ctx
        .default_branch()?
        .context("no default branch is known; hint: set `default-branch` in Cargo.toml")?;
    crate::say::errln!("asking `{REMOTE}` for its branches, and GitHub for its pull requests");
    let [main, tip] = git::tips(&ctx.exec, REMOTE, &[&base, BRANCH])?
        .try_into()
        .unwrap_or_default();
    let main: String =
        main.with_context(|| format!("the remote `{REMOTE}` has no branch `{base}`"))?;
    let names = [Some(&*base), tip.as_ref().map(|_| BRANCH)];
    git::fetch(
        &ctx.exec,
        REMOTE,
        &names.into_iter().flatten().collect::<Vec<_>>(),
    )?;
    let branch = match tip {
        None => None,
        Some(tip) => Some(Branch {
            commits: git::above(&ctx.root, &tip, &main)?,
            is_judged: pull::is_judged(gh, &tip)?,
            tip,
        }),
    };
    let offered = git::above(&ctx.root, head, &main)?;
    Ok(State {
        texts: match offered.as_slice() {
            [
                BranchCommit {
                    id,
                    parent: Some(parent),
                    ..
                },
            ] => [texts(ctx, parent)?, texts(ctx, id)?],
            _ => [Texts::new(), Texts::new()],
        },
        dockerfile: ctx.settings.dockerfile.display().to_string(),
        offered,
        pulls: pull::list(gh, BRANCH, &base)?,
        branch,
        base,
    })
}

/// The files of a commit that have pins.
fn texts(ctx: &Ctx, commit: &str) -> anyhow::Result<Texts> {
    let mut texts = Texts::new();
    for path in pins::files(&ctx.settings.dockerfile.display().to_string()) {
        if let Some(bytes) = git::file(&ctx.root, commit, Path::new(&path))? {
            let text = String::from_utf8(bytes);
            let text = text.with_context(|| format!("`{path}` of `{commit}` is not UTF-8"))?;
            texts.insert(path, text);
        }
    }
    Ok(texts)
}

/// Does what is planned; the address of the pull request.
fn apply(
    ctx: &Ctx,
    gh: &Gh,
    state: &State,
    offer: &plan::Offer,
    body: Option<&str>,
) -> anyhow::Result<String> {
    if let Some(push) = &offer.push {
        git::push(&ctx.exec, REMOTE, &offer.head, BRANCH, push.before.as_deref()).with_context(|| {
            format!(
                "the branch `{BRANCH}` is as it was; hint: where a rule of the repository forbids the push, let it \
                 leave out `{BRANCH}`"
            )
        })?;
    }
    let file = ctx.records().join("update/pull-request.json");
    let text = pull::body(&offer.message, body);
    let title = pull::title(&offer.message);
    let url = match offer.pull {
        plan::Change::Keep(ref url) => url.clone(),
        plan::Change::Edit(number) => pull::edit(gh, number, &title, &text, &file)?,
        plan::Change::Make => pull::make(gh, BRANCH, &state.base, &title, &text, &file)?,
    };
    if offer.is_unjudged {
        pull::begin(&ctx.exec, gh, &offer.head, &file)?;
    }
    Ok(url)
}
