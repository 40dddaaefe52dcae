//! `cargo xtask verify` as xtask sees it: its command line, and how its program is started.
//!
//! The checks are a program of their own, `crates/verify`, so that xtask compiles in half the time
//! for whoever builds an image first.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::ctx::Ctx;
use crate::oci::Digest;
use crate::platform::Platform;
use crate::{exec, testbed};

const EXAMPLES: &str = "\
Examples:
  cargo xtask verify                              the image last built, each of its platforms
  cargo xtask verify agentgate/agent:sha-1ceb56b  a tag, in the engine or else in its registry
  cargo xtask verify --pull agentgate/agent@sha256:…    a digest, from its registry
  cargo xtask verify --platform linux/amd64       one platform alone
  cargo xtask verify --only seed,health-healthy   some groups or checks (not enough for a release)
  cargo xtask verify --list                       what every check proves, and why
  cargo xtask verify --json | jq .platforms       the whole report as JSON
  cargo xtask verify --check-receipt target/xtask/receipts/…/linux-amd64.json

A receipt for each platform goes to target/xtask/receipts/; docs/verify.md describes it.
Exit codes: 0 all proven; 1 a check failed, or something could not be proven;
2 wrong usage; 3 the receipt does not hold; 130 interrupted.";

/// Prove an image: each platform as AgentGate's server runs it; writes receipts
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Tag, digest or id of the image, in the engine or in a registry [default: the last build]
    pub image: Option<String>,
    /// Platforms to prove, comma-separated [default: all that the image has]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub platform: Vec<Platform>,
    /// Take the image from its registry, even if the engine has one of that name
    #[arg(long)]
    pub pull: bool,
    /// Run these checks or groups only, comma-separated
    #[arg(
        long,
        value_name = "ID",
        value_delimiter = ',',
        hide_possible_values = true
    )]
    pub only: Vec<String>,
    /// Leave these checks or groups out, comma-separated
    #[arg(
        long,
        value_name = "ID",
        value_delimiter = ',',
        hide_possible_values = true
    )]
    pub skip: Vec<String>,
    /// Explain every check and do nothing else
    #[arg(long)]
    pub list: bool,
    /// Write the results as JUnit XML as well
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Folder for the receipts [default: target/xtask/receipts]
    #[arg(long, value_name = "DIR")]
    pub receipt_dir: Option<PathBuf>,
    /// Check whether this receipt still proves the image, and do nothing else
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "skip", "list", "junit"])]
    pub check_receipt: Option<PathBuf>,
    /// The commit that the image must be built from [default: HEAD]
    #[arg(long, value_name = "COMMIT")]
    pub revision: Option<String>,
    /// Remove what a run leaves behind once it has ended (used by verify itself)
    #[arg(long, value_name = "RUN", hide = true, requires = "image")]
    pub sweep: Option<String>,
    /// Print which images of the JSON on stdin the receipts below DIR do not prove (used by
    /// release and image)
    #[arg(long, value_name = "DIR", hide = true)]
    pub unproven: Option<PathBuf>,
}

/// A published image that is to be released.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReleaseImage {
    /// `REPOSITORY@DIGEST`.
    pub name: String,
    /// Of the index, or of the lone manifest.
    pub digest: Digest,
    pub is_index: bool,
    /// Each platform with its manifest.
    pub images: Vec<(Platform, Digest)>,
    /// The full commit id.
    pub revision: String,
}

/// The platforms of an image whose receipt does not hold, each with all reasons why.
pub type Unproven = Vec<(Platform, String)>;

/// Becomes verify's own program, with the command line that xtask was given.
pub fn become_verify(ctx: &Ctx) -> anyhow::Result<()> {
    let args = exec::utf8(env::args_os().skip(1))?;
    let program = program(ctx)?;
    ctx.exec.become_program(&program, &args)
}

/// A folder of receipts.
pub(crate) struct Receipts<'a> {
    pub(crate) ctx: &'a Ctx,
    /// Absolute, or relative to the caller's folder.
    pub(crate) folder: &'a Path,
}

impl Receipts<'_> {
    /// For each image, the platforms whose receipt does not hold.
    pub(crate) fn unproven(&self, images: &[ReleaseImage]) -> anyhow::Result<Vec<Unproven>> {
        if images.is_empty() {
            return Ok(Vec::new());
        }
        let folder = std::path::absolute(self.folder).context("failed to find the receipts")?;
        let folder = folder.display().to_string();
        let asked = serde_json::to_vec(images).context("failed to ask verify about receipts")?;
        let args = ["verify", "--unproven", &folder];
        let program = program(self.ctx)?;
        let answer = self.ctx.exec.read_given(&program, &args, &asked)?;
        let unproven: Vec<Unproven> =
            serde_json::from_str(&answer).context("failed to read verify's answer")?;
        ensure!(
            unproven.len() == images.len(),
            "verify answered for {} of {} images",
            unproven.len(),
            images.len()
        );
        Ok(unproven)
    }
}

/// Verifies a published image on `platforms`; receipts go to their usual folder.
///
/// Fails when anything is not proven.
pub(crate) fn prove(
    ctx: &Ctx,
    name: &str,
    platforms: &[Platform],
    revision: &str,
) -> anyhow::Result<()> {
    let platforms: Vec<&str> = platforms.iter().map(|one| one.as_str()).collect();
    let (platforms, repository) = (platforms.join(","), ctx.settings.repository.to_string());
    let mut args = vec!["verify", "--pull", name, "--platform", &platforms];
    args.extend(["--revision", revision, "--repository", &repository]);
    args.extend(ctx.verbose.then_some("--verbose"));
    let status = ctx.exec.watch_status(&program(ctx)?, &args)?;
    if !status.success() {
        bail!(
            "`{name}` is not proven, and no tag was given; hint: the reasons are above, each with \
             its remedy; a mended image is another commit"
        );
    }
    Ok(())
}

/// Verify's program: the one beside this one. When cargo started us, cargo builds it first, once.
fn program(ctx: &Ctx) -> anyhow::Result<String> {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    if let Some(program) = PROGRAM.get() {
        return Ok(program.clone());
    }
    let program = build(ctx)?;
    Ok(PROGRAM.get_or_init(|| program).clone())
}

fn build(ctx: &Ctx) -> anyhow::Result<String> {
    let own = env::current_exe().context("failed to find this program's own file")?;
    let program = own.with_file_name("verify");
    if env::var_os("CARGO").is_some() {
        if !program.exists() {
            crate::say::errln!("compiling verify, once; this takes about half a minute");
        }
        let folder = own.parent().and_then(Path::file_name).unwrap_or_default();
        let profile = match folder.to_string_lossy() {
            folder if folder == "debug" => "dev".to_owned(),
            folder => folder.into_owned(),
        };
        let build = ["build", "--locked", "--package", "verify"];
        let args: Vec<&str> = build.into_iter().chain(["--profile", &profile]).collect();
        ctx.exec.watch(&testbed::cargo(), &args)?;
    } else if !program.exists() {
        bail!(
            "`{}` is missing; hint: `cargo build --package verify`, or start this by `cargo xtask`",
            program.display()
        );
    }
    Ok(program.display().to_string())
}
