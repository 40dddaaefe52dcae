//! Containers of an image, started as AgentGate's server starts them or as a
//! check wants them, named and labelled by the run, and removed whatever happens.

mod container;
mod ran;
mod start;
mod sweep;
mod trouble;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

pub(crate) use self::container::{Container, Stopped};
pub(crate) use self::ran::{Ran, Session, printable};
pub(crate) use self::start::Start;
pub(crate) use self::sweep::sweep;
pub(crate) use self::trouble::Trouble;
use super::facts::Expected;
use xtask::docker;
use xtask::exec::Exec;
use xtask::platform::Platform;

/// The label that every container of a run carries; its value is the run's id.
const LABEL: &str = "io.agentgate.verify";

/// How long a program in a container may take.
const LIMIT: Duration = Duration::from_secs(30);
/// The same where every instruction is translated.
const EMULATED_LIMIT: Duration = Duration::from_mins(3);

/// One run of `cargo xtask verify`: what it leaves on the engine and on the disk bears its id.
#[derive(Clone, Debug)]
pub(crate) struct VerifyRun {
    pub(crate) id: String,
    /// The folder for what containers are given to mount.
    folder: PathBuf,
}

impl VerifyRun {
    /// A run that no other is, with a folder among the records.
    pub(crate) fn new(records: &Path) -> VerifyRun {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_millis();
        VerifyRun::named(records, &format!("{now:x}-{:x}", std::process::id()))
    }

    pub(crate) fn named(records: &Path, id: &str) -> VerifyRun {
        VerifyRun {
            id: id.to_owned(),
            folder: records.join("verify").join(id),
        }
    }

    /// What marks the run's containers.
    pub(crate) fn label(&self) -> String {
        format!("{LABEL}={}", self.id)
    }
}

/// The sandbox of one check: an image, and the means to start it.
pub(crate) struct Sandbox<'a> {
    exec: Exec,
    candidate: &'a Candidate,
    /// The check that works here; containers bear its name.
    check: &'static str,
}

/// One platform of the image that is verified.
pub(crate) struct Candidate {
    pub(crate) run: VerifyRun,
    /// What `docker run` is given: a digest.
    pub(crate) image: String,
    pub(crate) platform: Platform,
    pub(crate) is_emulated: bool,
    pub(crate) expected: Expected,
    /// The name of the one container, started as the contract has it, that checks share.
    pub(crate) shared: String,
}

impl Candidate {
    /// How long a program in a container may take.
    pub(crate) fn limit(&self) -> Duration {
        if self.is_emulated {
            EMULATED_LIMIT
        } else {
            LIMIT
        }
    }
}

impl<'a> Sandbox<'a> {
    pub(crate) fn new(exec: Exec, candidate: &'a Candidate, check: &'static str) -> Sandbox<'a> {
        Sandbox {
            exec,
            candidate,
            check,
        }
    }

    pub(crate) fn expected(&self) -> &Expected {
        &self.candidate.expected
    }

    /// Whether every instruction is translated: times then say nothing.
    pub(crate) fn is_emulated(&self) -> bool {
        self.candidate.is_emulated
    }

    /// A container as AgentGate's server starts it (the contract): hardened, without network, its
    /// own new workspace mounted, `sleep infinity` as its command.
    pub(crate) fn contract(&self) -> Start<'_> {
        Start::contract(self)
    }

    /// The same where the server finds Claude Code on its own host: that is mounted into HOME, the root
    /// file system is writable, and there is a network (the contract's second way).
    pub(crate) fn mounted(&self) -> anyhow::Result<Start<'_>> {
        Start::mounted(self)
    }

    /// A container as `docker run IMAGE` starts it: no options, no command.
    pub(crate) fn plain(&self) -> Start<'_> {
        Start::plain(self)
    }

    /// The contract container that checks share. Nobody stops it or changes what others rely on.
    pub(crate) fn shared(&self) -> Container<'_> {
        Container::shared(self)
    }

    /// Starts the shared container.
    pub(crate) fn start_shared(&self) -> anyhow::Result<()> {
        self.contract()
            .named(&self.candidate.shared)
            .start()?
            .keep();
        Ok(())
    }

    /// A new empty folder that every user may write to, as the server prepares one.
    pub(crate) fn workspace(&self) -> anyhow::Result<PathBuf> {
        let folder = self.new_path();
        fs::create_dir_all(&folder)
            .and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)))
            .with_context(|| format!("failed to create `{}`", folder.display()))?;
        Ok(folder)
    }

    /// A new file with that content and mode, to be mounted.
    pub(crate) fn file(&self, content: &str, mode: u32) -> anyhow::Result<PathBuf> {
        let file = self.new_path();
        fs::create_dir_all(&self.candidate.run.folder)
            .and_then(|()| fs::write(&file, content))
            .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(mode)))
            .with_context(|| format!("failed to write `{}`", file.display()))?;
        Ok(file)
    }

    fn new_path(&self) -> PathBuf {
        self.candidate.run.folder.join(self.new_name())
    }

    fn new_name(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        format!("{}-{count}", self.check)
    }

    /// Asks docker to do something with a container; what it prints.
    ///
    /// Fails when docker does: nothing is then known of the image.
    fn docker(&self, args: &[&str]) -> anyhow::Result<Ran> {
        let limit = self.candidate.limit() + LIMIT;
        let ended = docker::within(&self.exec, args, limit)?;
        let verb = args.first().copied().unwrap_or_default();
        let Some(ran) = Ran::of(&ended) else {
            anyhow::bail!("`docker {verb}` did not end within {} s", limit.as_secs());
        };
        trouble::of_docker(verb, &ran)?;
        Ok(ran)
    }

    /// Lets docker run a program in a container to its end, or to the limit.
    fn program(&self, what: &str, args: &[String]) -> anyhow::Result<Ran> {
        let ended = docker::within(&self.exec, args, self.candidate.limit())?;
        let Some(ran) = Ran::of(&ended) else {
            return Err(Trouble::TimedOut(what.to_owned(), self.candidate.limit()).into());
        };
        trouble::of_program(&ran)?;
        Ok(ran)
    }
}
