//! Verifies one platform of an image and writes its receipt.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::{Instant, SystemTime};

use xtask::ctx::Ctx;
use xtask::docker::{self, Docker};
use xtask::exec::Exec;
use xtask::oci::Digest;
use xtask::platform::Platform;
use xtask::proof::Signer;
use xtask::reference::Repository;
use xtask::report::tenths;
use xtask::scanner::Scanner;

use super::check::{Outcome, Status};
use super::check_set::check_set;
use super::checks::catalogue;
use super::choice::Choice;
use super::expected::{UNPACKED, expected, last_release};
use super::facts::{Expected, ImageFacts};
use super::limits::Pace;
use super::live::Live;
use super::receipt::{Execution, Receipt, ToolVersions};
use super::report::PlatformReport;
use super::run::{self, Event, Work};
use super::sandbox::{Candidate, Named, VerifyRun};
use super::scan::{self, Scan, ScanRequest};
use super::sign;
use super::target::{Place, Reader, Subject, Target};

/// What the platforms of an image have in common.
pub(crate) struct Prover<'a> {
    pub(crate) ctx: &'a Ctx,
    pub(crate) docker: &'a Docker,
    pub(crate) target: &'a Target,
    pub(crate) reader: &'a Reader,
    pub(crate) choice: &'a Choice,
    pub(crate) run: &'a VerifyRun,
    pub(crate) live: &'a Live,
    /// The commit that the image must be built from; absent for HEAD.
    pub(crate) revision: Option<&'a str>,
    /// The folder for receipts.
    pub(crate) receipts: &'a Path,
    pub(crate) signer: Option<&'a Signer>,
    /// The scanner to scan for vulnerabilities with, absent for the first on PATH; absent for no scan.
    #[expect(clippy::option_option, reason = "the flag may come without a scanner")]
    pub(crate) scan: Option<Option<Scanner>>,
}

impl Prover<'_> {
    /// Runs every check, writes the receipt, and signs it if it is to be signed: a run that is killed leaves what
    /// is proven so far.
    ///
    /// Fails when the run was interrupted, when the engine ran another image than was read, and when the
    /// receipt cannot be written.
    pub(crate) fn prove(&self, subject: &Subject) -> anyhow::Result<PlatformReport> {
        let (begun, started) = (Instant::now(), now());
        let expected = expected(self.ctx, self.target, subject, self.revision)?;
        let execution = self.execution(subject)?;
        if execution == Execution::Emulated {
            let platform = subject.platform;
            let note = format!("note: {platform} is emulated here, which takes longer");
            self.live.note(&note);
        }
        let candidate = self.candidate(subject, execution, expected.clone());
        let tell = |event| self.live.report(subject.platform, event);
        let mut results: Vec<Outcome> = self
            .choice
            .skipped
            .iter()
            .map(|check| Outcome::without_verdict(check, Status::Skipped, "left out"))
            .collect();
        for result in &results {
            tell(Event::Finished(result.clone()));
        }
        let work = Work {
            candidate: &candidate,
            checks: &self.choice.chosen,
            executes: execution != Execution::Static,
            tell: &tell,
        };
        let config = OnceLock::new();
        let read = self.read(subject, expected, &config);
        results.extend(run::run(&self.ctx.exec, &work, read)?);
        let place = |one: &Outcome| catalogue().position(|check| check.id == one.id);
        results.sort_by_key(place);
        let receipt = Receipt {
            config: config.into_inner().or_else(|| subject.config.clone()),
            ..self.receipt(subject, execution, started, begun, results)
        };
        let used = candidate.used.get();
        if let Some(used) = used {
            let named = Named {
                index: receipt.index.as_ref(),
                manifest: receipt.manifest.as_ref(),
                config: receipt.config.as_ref(),
            };
            used.check(&named).map_err(anyhow::Error::msg)?;
        }
        let path = receipt.write(self.receipts)?;
        let scan = self.scan(subject, &receipt, &path)?;
        let is_scanned = scan.as_ref().is_none_or(Scan::is_passed);
        let (bundle, unsigned) = match self.sign(&receipt, used.is_some(), is_scanned, &path)? {
            Ok(bundle) => (bundle, None),
            Err(why) => (None, Some(why)),
        };
        Ok(PlatformReport {
            platform: subject.platform,
            manifest: receipt.manifest,
            execution,
            receipt: path.display().to_string(),
            bundle: bundle.map(|bundle| bundle.display().to_string()),
            unsigned,
            scan,
            seconds: receipt.seconds,
            results: receipt.results,
        })
    }

    fn candidate(&self, subject: &Subject, execution: Execution, expected: Expected) -> Candidate {
        let arch = subject.platform.architecture();
        Candidate {
            run: self.run.clone(),
            image: subject.run.clone(),
            platform: subject.platform,
            is_emulated: execution == Execution::Emulated,
            expected,
            shared: format!("agentgate-verify-{}-contract-{arch}", self.run.id),
            used: OnceLock::new(),
            pace: Mutex::new(Pace::SLOWEST),
        }
    }

    /// Reads the files, in whichever thread it is called; `config` gets the digest of the
    /// configuration.
    fn read(
        &self,
        subject: &Subject,
        expected: Expected,
        config: &OnceLock<Digest>,
    ) -> impl FnOnce() -> anyhow::Result<ImageFacts> + Send {
        let exec = self.ctx.exec.clone();
        let (reader, target) = (self.reader, self.target);
        let repository = self.repository().clone();
        // Not what an engine's classic store has made of it.
        let is_as_published = subject.manifest.is_some();
        move || {
            let (image, index) = reader.read(&exec, target, subject)?;
            let _ = config.set(image.manifest.config.digest.clone());
            let platform = subject.platform;
            Ok(ImageFacts {
                platform,
                image,
                index,
                expected,
                last_release: if is_as_published {
                    last_release(&exec, &repository, platform)
                } else {
                    Err(UNPACKED.to_owned())
                },
            })
        }
    }

    /// Scans for vulnerabilities, if that is asked for. `path` is where the receipt is.
    fn scan(
        &self,
        subject: &Subject,
        receipt: &Receipt,
        path: &Path,
    ) -> anyhow::Result<Option<Scan>> {
        let Some(scanner) = self.scan else {
            return Ok(None);
        };
        let (platform, scratch) = (subject.platform, self.ctx.records());
        std::fs::create_dir_all(&scratch)?;
        self.live.note(&format!("scanning {platform}"));
        let request = ScanRequest {
            exec: &self.ctx.exec,
            scanner,
            fail_on: self.ctx.settings.fail_on,
            save: subject.save_args(),
            config: receipt.config.as_ref(),
            receipt: path,
            scratch: &scratch,
            limit: scan::LIMIT,
        };
        scan::scan(&request).map(Some)
    }

    /// Signs the receipt, if it is to be signed; or says why it must not be. `has_run` says whether the engine
    /// has named the image that it ran.
    fn sign(
        &self,
        receipt: &Receipt,
        has_run: bool,
        is_scanned: bool,
        path: &Path,
    ) -> anyhow::Result<Result<Option<PathBuf>, String>> {
        let Some(signer) = self.signer else {
            return Ok(Ok(None));
        };
        if !is_scanned {
            return Ok(Err("the scan did not pass".to_owned()));
        }
        let verification = match sign::verification(receipt, has_run, self.repository())? {
            Ok(verification) => verification,
            Err(why) => return Ok(Err(why.to_owned())),
        };
        Ok(Ok(Some(sign::sign(signer, &verification, path)?)))
    }

    /// Where the image is published. In CI the settings may name another repository.
    fn repository(&self) -> &Repository {
        match &self.target.place {
            Place::Registry(repository) => repository,
            Place::Engine => &self.ctx.settings.repository,
        }
    }

    /// How containers of the platform run here, if they do.
    fn execution(&self, subject: &Subject) -> anyhow::Result<Execution> {
        let engine = self.docker.engine.as_ref();
        let native: Option<Platform> = engine.and_then(|engine| engine.platform);
        if native == Some(subject.platform) {
            return Ok(Execution::Native);
        }
        let runs = runs(&self.ctx.exec, subject, self.run)?;
        Ok(if runs {
            Execution::Emulated
        } else {
            Execution::Static
        })
    }

    fn receipt(
        &self,
        subject: &Subject,
        execution: Execution,
        started: String,
        begun: Instant,
        results: Vec<Outcome>,
    ) -> Receipt {
        let engine = self.docker.engine.as_ref();
        Receipt {
            schema: Receipt::SCHEMA,
            image: self.target.name.clone(),
            index: self.target.index.clone(),
            manifest: subject.manifest.clone(),
            config: None,
            platform: subject.platform,
            execution,
            revision: subject.revision().map(str::to_owned),
            check_set: check_set().clone(),
            versions: ToolVersions {
                xtask: self.ctx.settings.version.clone(),
                engine: engine.map(|engine| engine.version.clone()),
                buildx: self.docker.buildx.clone(),
            },
            started,
            finished: now(),
            seconds: tenths(begun.elapsed()),
            results,
        }
    }
}

/// Whether anything of the image runs: without emulation the kernel refuses every program.
fn runs(exec: &Exec, subject: &Subject, run: &VerifyRun) -> anyhow::Result<bool> {
    let label = run.label();
    let mut args = vec!["run", "--rm", "--pull", "never", "--network", "none"];
    args.extend(["--label", &label, "--platform", subject.platform.as_str()]);
    args.extend(["--entrypoint", "/bin/true", &subject.run]);
    let output = docker::output(exec, &args)?;
    let said = [output.stdout, output.stderr].concat();
    Ok(!String::from_utf8_lossy(&said).contains("exec format error"))
}

/// RFC 3339, in UTC.
fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
