//! `cargo xtask verify` as xtask sees it: its command line, and how its program is started.
//!
//! The checks are a program of their own, `crates/verify`, so that xtask compiles in half the time
//! for whoever builds an image first.

mod claim;
mod program;
mod prove;

use std::env;
use std::path::PathBuf;

pub use self::claim::{
    Claim, NONE, ReleaseImage, Unproven, bundle_file, read_receipt, receipt_file,
};
pub(crate) use self::claim::{Receipts, read_bundle, unproven};
pub(crate) use self::prove::{Seen, ToProve, prove};
use crate::ctx::Ctx;
use crate::exec;
use crate::platform::Platform;
use crate::scanner::Scanner;

const EXAMPLES: &str = "\
Examples:
  cargo xtask verify                              the image last built, each of its platforms
  cargo xtask verify agentgate/agent:sha-1ceb56b  a tag, in the engine or else in its registry
  cargo xtask verify --pull agentgate/agent@sha256:…    a digest, from its registry
  cargo xtask verify --platform linux/amd64       one platform alone
  cargo xtask verify --only seed,health-healthy   some groups or checks (not enough for a release)
  cargo xtask verify --list                       what every check proves, and why
  cargo xtask verify --json | jq .platforms       the whole report as JSON
  cargo xtask verify --sign=cosign.key --pull agentgate/agent:sha-1ceb56b    sign what is proven
  cargo xtask verify --scan --only image          scan for known vulnerabilities, and start no container
  cargo xtask verify --check-receipt target/xtask/receipts/…/linux-amd64.json

A receipt for each platform goes to target/xtask/receipts/; docs/verify.md describes it.
Exit codes: 0 all proven; 1 a check or the scan failed, or something could not be proven;
2 wrong usage; 3 refused: the receipt does not hold, or nothing could be signed; 130 interrupted.";

/// Prove an image: each platform as AgentGate's server runs it; writes receipts
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
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
    /// Also scan each platform for known vulnerabilities, with trivy or grype [default: the first on PATH];
    /// `fail-on` in Cargo.toml is the severity from which a scan fails
    #[arg(long, value_name = "SCANNER", num_args = 0..=1, require_equals = true)]
    #[arg(conflicts_with_all = ["list", "check_receipt"])]
    pub scan: Option<Option<Scanner>>,
    /// Folder for the receipts, which are signed if Cargo.toml has `signing` [default:
    /// target/xtask/receipts]
    #[arg(long, value_name = "DIR")]
    pub receipt_dir: Option<PathBuf>,
    /// Sign the receipt of each platform that passes, with cosign and this key [default: `signing` in
    /// Cargo.toml]
    #[arg(long, value_name = "KEY", num_args = 0..=1, require_equals = true)]
    #[arg(conflicts_with_all = ["only", "skip", "list", "check_receipt"])]
    pub sign: Option<Option<String>>,
    /// Check whether this receipt, signed or not, still proves the image, and do nothing else
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "skip", "list", "junit"])]
    pub check_receipt: Option<PathBuf>,
    /// The commit that the image must be built from [default: HEAD]
    #[arg(long, value_name = "COMMIT")]
    pub revision: Option<String>,
    /// Remove what a run leaves behind once it has ended (used by verify itself)
    #[arg(long, value_name = "RUN", hide = true, requires = "image")]
    pub sweep: Option<String>,
    /// Print which images of the JSON on stdin the receipts beside them do not prove (used by
    /// release and image)
    #[arg(long, hide = true)]
    pub unproven: bool,
    /// Print the results for people on stderr, beside the JSON on stdout (used by release)
    #[arg(long, hide = true, requires = "json")]
    pub table: bool,
}

/// Becomes verify's own program, with the command line that xtask was given.
pub fn become_verify(ctx: &Ctx) -> anyhow::Result<()> {
    let args = exec::utf8(env::args_os().skip(1))?;
    let program = program::program(ctx)?;
    ctx.exec.become_program(&program, &args)
}
