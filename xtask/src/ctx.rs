//! What every command is given: the workspace, its settings and the global flags.

use std::env;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::exec::Exec;
use crate::git;
use crate::reference::Repository;
use crate::settings::{self, Settings};
use crate::stop::Stop;

/// Flags that mean the same for every command.
#[derive(clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Print the result as JSON on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Echo every command that is run
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Run on the test bed: a private engine and registry (`cargo xtask testbed --help`)
    #[arg(long, global = true)]
    pub(crate) testbed: bool,
    /// The image's repository, instead of the one in Cargo.toml; `release` and `audit` take
    /// several
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) repository: Vec<Repository>,
}

pub struct Ctx {
    /// The workspace's root; every program is started there.
    pub root: PathBuf,
    pub settings: Settings,
    /// What `--repository` says; `settings` has the first one already.
    pub(crate) named: Vec<Repository>,
    pub exec: Exec,
    pub json: bool,
    /// Whether every command is echoed.
    pub verbose: bool,
    pub testbed: bool,
}

impl Ctx {
    pub(crate) fn new(global: Global) -> anyhow::Result<Ctx> {
        let here = env::current_dir().context("failed to find the current folder")?;
        let root = settings::find_root(&here)?;
        let mut settings = Settings::read(&root)?;
        if let Some(repository) = global.repository.first() {
            settings.repository = repository.clone();
        }
        let exec = Exec::new(&root, global.verbose)?;
        Ok(Ctx {
            root,
            settings,
            named: global.repository,
            exec,
            json: global.json,
            verbose: global.verbose,
            testbed: global.testbed,
        })
    }

    /// Every repository that is meant, each once; the first is the settings'.
    pub(crate) fn repositories(&self) -> Vec<&Repository> {
        let mut all = vec![&self.settings.repository];
        for repository in &self.named {
            if !all.contains(&repository) {
                all.push(repository);
            }
        }
        all
    }

    /// The default branch: the one that is set, else the one that git knows, if it knows one.
    ///
    /// Fails when git cannot be read.
    pub(crate) fn default_branch(&self) -> anyhow::Result<Option<String>> {
        match &self.settings.default_branch {
            Some(branch) => Ok(Some(branch.clone())),
            None => Ok(git::read_facts(&self.root)?.default_branch),
        }
    }

    /// Fails where several repositories are meant, for the commands that know of one.
    pub(crate) fn only_one_repository(&self) -> Result<(), Stop> {
        if self.repositories().len() > 1 {
            return Err(Stop::Usage(
                "`--repository` is given several times; only `release` and `audit` take several"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// The folder that records of past runs are kept in.
    pub fn records(&self) -> PathBuf {
        self.root.join("target/xtask")
    }
}
