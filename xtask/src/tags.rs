//! `cargo xtask tags`: which tags HEAD's image may carry, and for each one why, who applies it
//! and where to. Reads git, and with `--published` the registry; changes nothing.

mod build;
mod latest;
mod question;
mod rules;
mod set;
mod show;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;

pub(crate) use self::build::{PushTags, TaggedBuild};
use self::latest::Published;
use self::question::Question;
pub(crate) use self::rules::sha_name;
pub(crate) use self::set::{Tag, TagSet};
use crate::ctx::Ctx;
use crate::git::{self, Facts};
use crate::github::Ci;
use crate::proof::Trust;
use crate::published::{self, Depth, Standing};
use crate::records::{self, Records};
use crate::refusal::Refusal;
use crate::registry::Puller;
use crate::settings;
use crate::stop::Stop;
use crate::version::Version;

const EXAMPLES: &str = "\
Examples:
  cargo xtask tags                               what HEAD's image may be called, and why
  cargo xtask tags --published                   ask the registry whether `latest` may move
  cargo xtask tags --format plain                one reference a line, for shells
  cargo xtask tags --json | jq -r .revision      the data, schema 2
  cargo xtask tags --version 1.2.3               of several versions at HEAD, this one
  cargo xtask tags -C ../elsewhere               another clone
  cargo xtask tags --repository ghcr.io/me/agent a fork's image

`--format plain` and GitHub's outputs have `latest` only after `--published`: without it
the registry may have a higher version, and then `latest` must not be pushed.
Exit code 3: a git tag at HEAD, or --version, asks for a tag that a rule forbids.";

/// Print the tags that HEAD's image may carry: for each why, who applies it and where to
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Use the repository that this folder is in
    #[arg(short = 'C', value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Of several versions at HEAD, the one to release [default: the highest]
    #[arg(long, value_name = "VERSION", value_parser = version)]
    version: Option<Version>,
    /// Ask the registry which versions are published, as `latest` depends on it
    #[arg(long)]
    published: bool,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One reference a line
    Plain,
    /// The same as `--json`
    Json,
}

/// A version on the command line, with or without its `v`.
pub(crate) fn version(text: &str) -> Result<Version, String> {
    let number = text.strip_prefix('v').unwrap_or(text);
    Version::parse(number)
        .map_err(|error| format!("expected a version as in `1.2.3` or `1.2.3-rc.1`: {error}"))
}

impl Args {
    pub(crate) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if ctx.testbed {
            crate::testbed::enter(ctx, true)?;
        }
        let (facts, question) = self.observe(ctx)?;
        let set = rules::tag_set(&facts, &question)?;
        match self.format {
            Format::Json => set.print_json()?,
            _ if ctx.json => set.print_json()?,
            Format::Plain => set.print_plain(),
            Format::Table => set.print_table(),
        }
        // Whatever reads stdout need not read the notes there.
        if set.shallow {
            crate::say::errln!("note: {}", set::SHALLOW);
        }
        set.write_github(&ctx.exec)?;
        set.refusal().map_or(Ok(()), |stop| Err(stop.into()))
    }

    fn observe(&self, ctx: &Ctx) -> anyhow::Result<(Facts, Question)> {
        let folder = match &self.directory {
            Some(folder) => folder.canonicalize().with_context(|| {
                format!("failed to find the folder `{}` (`-C`)", folder.display())
            })?,
            None => ctx.root.clone(),
        };
        let facts = git::read_facts(&folder)?;
        let mut question = self.question(ctx, &folder, &facts)?;
        if self.published {
            question.published = ask_registry(ctx, &facts, &question)?;
        }
        Ok((facts, question))
    }

    /// The settings of the other repository; what it does not set comes from ours, or from git.
    fn question(&self, ctx: &Ctx, folder: &Path, facts: &Facts) -> anyhow::Result<Question> {
        let mut question = of_head(ctx, self.version.as_ref());
        if self.directory.is_some() {
            let other = settings::OtherManifest::find(folder, facts.top.as_deref())?;
            question.default_branch = other.default_branch;
            question.workspace_version = other.version;
            if let (true, Some(repository)) = (ctx.named.is_empty(), other.repository) {
                question.repository = repository;
            }
        }
        Ok(question)
    }
}

/// The tag set of this workspace's HEAD, without asking the registry; `version` picks one of several.
pub(crate) fn decide(
    ctx: &Ctx,
    facts: &Facts,
    version: Option<&Version>,
) -> anyhow::Result<TagSet> {
    rules::tag_set(facts, &of_head(ctx, version))
}

/// The question about HEAD, from this workspace's settings and CI.
fn of_head(ctx: &Ctx, version: Option<&Version>) -> Question {
    Question {
        repository: ctx.settings.repository.clone(),
        default_branch: ctx.settings.default_branch.clone(),
        workspace_version: Some(ctx.settings.version.clone()),
        pick: version.cloned(),
        ci: Ci::of(&ctx.exec),
        published: Published::Unknown,
    }
}

/// Asks what is published besides the version at HEAD.
fn ask_registry(ctx: &Ctx, facts: &Facts, question: &Question) -> anyhow::Result<Published> {
    let set = rules::tag_set(facts, question)?;
    // Without a candidate for `latest` there is nothing to ask.
    let Some(version) = set.latest_of() else {
        return Ok(Published::Unknown);
    };
    let puller = Puller::new(&ctx.exec, &question.repository);
    let trust = Trust::of(ctx)?;
    let records = Records {
        repository: &question.repository,
        puller: &puller,
        trust: &trust,
    };
    let Standing { others, latest, .. } =
        published::standing(&records, &version, None, Depth::Counting)?;
    Ok(Published::Known {
        highest: records::highest(&others).map(|(version, _)| version),
        latest: latest.and_then(|latest| latest.version),
    })
}

impl TagSet {
    /// The version that would be `latest` if no higher one is published.
    fn latest_of(&self) -> Option<Version> {
        let is_asked = self.tags.iter().any(|tag| tag.is_conditional);
        self.version.clone().filter(|_| is_asked)
    }

    fn refusal(&self) -> Option<Stop> {
        let refused: Vec<String> = self
            .withheld
            .iter()
            .filter(|withheld| withheld.is_refused)
            .map(|withheld| {
                let Refusal { why, remedy } = &withheld.reason;
                format!("`{}` is refused: {why}; hint: {remedy}", withheld.name)
            })
            .collect();
        (!refused.is_empty()).then(|| Stop::Refused(refused.join("\n")))
    }
}
