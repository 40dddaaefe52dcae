//! `cargo xtask verify`, on the image under test and on images that are broken on purpose.

mod bad;
mod breakages;
mod classic;
mod dying;
mod good;
mod indexes;
mod killed;
mod layers;
mod matrix;
mod printed;
mod relay;
mod scan;
mod signed;
mod starts;
mod ways;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::common::Ran;
use crate::world::{docker, unique_name, xtask};

/// What `cargo xtask verify --json` printed, and how it ended.
struct Verified {
    code: Option<i32>,
    report: Value,
    stderr: String,
}

/// One run at a time: some checks measure times.
static ONE: Mutex<()> = Mutex::new(());

impl Verified {
    /// Verifies `image`; its receipts go to `receipts`.
    fn of(image: &str, receipts: &Path, args: &[&str]) -> Verified {
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        Verified::beside(image, receipts, args)
    }

    /// [`Verified::of`] while another may run: by checks that measure no times.
    fn beside(image: &str, receipts: &Path, args: &[&str]) -> Verified {
        let mut verify = xtask(&["verify", image, "--json", "--receipt-dir"]);
        let ran = Ran::of(verify.arg(receipts).args(args));
        Verified {
            code: ran.code,
            report: serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:#?}")),
            stderr: ran.stderr,
        }
    }

    /// The results of all platforms.
    fn results(&self) -> impl Iterator<Item = &Value> {
        let platforms = self.report["platforms"].as_array().unwrap();
        platforms
            .iter()
            .flat_map(|one| one["results"].as_array().unwrap())
    }

    /// The ids of the checks with this status.
    fn ids(&self, status: &str) -> Vec<&str> {
        let of_status = self.results().filter(|one| one["status"] == status);
        of_status.map(|one| one["id"].as_str().unwrap()).collect()
    }
}

/// Proves an image; `args` may leave out checks.
pub(crate) fn prove_with(image: &str, args: &[&str]) {
    let receipts = tempfile::tempdir().unwrap();
    let verified = Verified::of(image, receipts.path(), args);
    assert_eq!(verified.code, Some(0), "{:#}", verified.report);
}

/// What takes minutes where each instruction is translated, half of a whole verification: npm, and what
/// Claude Code and the health check do at length. Natively the gate proves all of it
/// (`the_good_image_is_proven`), and here `--all` does (`the_real_image_is_published_and_released`).
const NATIVE: &str = "agent-dev-dependencies,agent-global-install,claude-credentials,\
    claude-credentials-owner,claude-offline,claude-strict-hostile,claude-writes,health-full,health-root";

/// Proves an image for a platform that this machine emulates, but for [`NATIVE`].
pub(crate) fn prove_emulated(image: &str) {
    let receipts = tempfile::tempdir().unwrap();
    let verified = Verified::of(image, receipts.path(), &["--skip", NATIVE]);
    assert_eq!(verified.code, Some(0), "{:#}", verified.report);
    let platform = &verified.report["platforms"][0];
    assert_eq!(platform["execution"], "emulated");
    assert_eq!(verified.ids("skipped").len(), NATIVE.split(',').count());
    assert!(Path::new(platform["receipt"].as_str().unwrap()).is_file());
}

/// An image of the engine that is removed with its test.
struct Image(String);

impl Image {
    /// Builds `dockerfile` for the engine's own platform.
    fn build(dockerfile: &str) -> Image {
        Image::build_with(&[], dockerfile)
    }

    /// Builds one for another platform; the Dockerfile must not run a program of that platform.
    fn build_for(platform: &str, dockerfile: &str) -> Image {
        Image::build_with(&["--platform", platform], dockerfile)
    }

    fn build_with(options: &[&str], dockerfile: &str) -> Image {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
        let name = unique_name();
        let path = folder.path().to_str().unwrap();
        let args = [
            "buildx",
            "build",
            "--load",
            "--provenance=false",
            "--quiet",
            "--tag",
        ];
        docker(&[&args[..], &[&name], options, &[path]].concat()).succeeded();
        Image(name)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        docker(&["image", "rm", "--force", &self.0]);
    }
}
