//! Signs receipts: what a receipt says of one platform becomes a statement, in a bundle beside it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use xtask::ctx::Ctx;
use xtask::proof::{Signer, Trust, Verification};
use xtask::reference::Repository;
use xtask::refusal::Refusal;
use xtask::settings::Signing;
use xtask::stop::Stop;
use xtask::verify::bundle_file;

use crate::check::Status;
use crate::receipt::{Execution, Receipt};
use crate::report::is_bad;
use crate::target::Target;

/// The signer that `--sign` asks for; `asked` is its key, if it names one.
///
/// Refuses a key or an identity that cannot sign here, or that the settings do not believe: the checks take
/// minutes, and this comes before them.
pub(crate) fn signer(ctx: &Ctx, asked: Option<&str>) -> anyhow::Result<Signer> {
    let signing = ctx.settings.signing_by(asked).map_err(refused)?;
    let signer = Signer::new(&ctx.exec, &signing)?.map_err(refused)?;
    // Whether an identity is believed is known only from what it has signed.
    if matches!(signing, Signing::Key(_)) {
        Trust::of(ctx)?.accepts(&signer).map_err(refused)?;
    }
    Ok(signer)
}

/// Refuses an image of which no receipt can be signed, whatever the checks say.
pub(crate) fn check(target: &Target) -> anyhow::Result<()> {
    if target.index.is_some() {
        return Ok(());
    }
    Err(refused(Refusal::new(
        format!(
            "no receipt of `{}` can be signed: {ONE_MANIFEST}",
            target.name
        ),
        "`cargo xtask image --push` publishes an index; verify that with `--pull`",
    )))
}

fn refused(refusal: Refusal) -> anyhow::Error {
    Stop::from(refusal).into()
}

const ONE_MANIFEST: &str = "a proof is of an index, and this is one manifest";

/// Signs what a receipt says that was written to `path`; where the bundle is.
pub(crate) fn sign(
    signer: &Signer,
    verification: &Verification,
    path: &Path,
) -> anyhow::Result<PathBuf> {
    let made = signer.sign(&verification.statement().to_bytes());
    let bundle = made.with_context(|| format!("failed to sign `{}`", path.display()))?;
    let file = bundle_file(path);
    let text = std::str::from_utf8(bundle.bytes()).context("a bundle is not UTF-8")?;
    xtask::report::write_whole(&file, text)
        .with_context(|| format!("failed to write the bundle `{}`", file.display()))?;
    Ok(file)
}

/// What is signed of a receipt, or why it must not be. `has_run` says whether the engine
/// has named the image that it ran.
pub(crate) fn verification(
    receipt: &Receipt,
    has_run: bool,
    repository: &Repository,
) -> anyhow::Result<Result<Verification, &'static str>> {
    let why = |why: &'static str| Ok(Err(why));
    let is = |wanted: fn(Status) -> bool| receipt.results.iter().any(|one| wanted(one.status));
    if receipt.execution == Execution::Static {
        return why("nothing was executed");
    }
    if receipt.results.is_empty() || is(|status| status == Status::Skipped) {
        return why("checks were left out");
    }
    if is(is_bad) {
        return why("not every check passed");
    }
    if !has_run {
        return why("no container was started");
    }
    let (Some(index), Some(manifest)) = (&receipt.index, &receipt.manifest) else {
        return why(ONE_MANIFEST);
    };
    Ok(Ok(Verification {
        repository: repository.canonical(),
        index: index.clone(),
        manifest: manifest.clone(),
        time: receipt.finished.clone(),
        check_set: receipt.check_set.clone(),
        is_native: receipt.execution == Execution::Native,
        receipt: serde_json::to_value(receipt).context("failed to write a receipt as JSON")?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::tests::{digest, good};

    fn judge(change: impl Fn(&mut Receipt)) -> Result<Verification, &'static str> {
        let mut receipt = good();
        change(&mut receipt);
        let repository = "agentgate/agent".parse().unwrap();
        verification(&receipt, true, &repository).unwrap()
    }

    #[test]
    fn what_is_signed_says_what_the_receipt_says() {
        let signed = judge(|_| {}).unwrap();
        assert_eq!(signed.repository, "docker.io/agentgate/agent");
        assert_eq!(signed.index, digest("index"));
        assert_eq!(signed.manifest, digest("amd64"));
        assert_eq!(signed.time, "2026-11-25T05:13:09Z");
        assert_eq!(signed.check_set, digest("checks"));
        assert_eq!(Receipt::parse(signed.receipt.clone()).unwrap(), good());
        assert!(signed.is_native);
        assert!(
            !judge(|one| one.execution = Execution::Emulated)
                .unwrap()
                .is_native
        );
        // It is read back as it was written.
        assert_eq!(Verification::parse(&signed.statement()).unwrap(), signed);
    }

    #[test]
    fn nothing_less_than_a_whole_pass_is_signed() {
        for (status, why) in [
            (Status::Failed, "not every check passed"),
            (Status::Unproven, "not every check passed"),
            (Status::NotExecuted, "not every check passed"),
            (Status::Skipped, "checks were left out"),
        ] {
            let judged = judge(|one| one.results[1].status = status);
            assert_eq!(judged.unwrap_err(), why);
        }
        assert_eq!(
            judge(|one| one.results.clear()).unwrap_err(),
            "checks were left out"
        );
        let judged = judge(|one| one.execution = Execution::Static);
        assert_eq!(judged.unwrap_err(), "nothing was executed");
        let repository = "agentgate/agent".parse().unwrap();
        let judged = verification(&good(), false, &repository).unwrap();
        assert_eq!(judged.unwrap_err(), "no container was started");
        assert_eq!(judge(|one| one.index = None).unwrap_err(), ONE_MANIFEST);
        assert_eq!(judge(|one| one.manifest = None).unwrap_err(), ONE_MANIFEST);
    }
}
