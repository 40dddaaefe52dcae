//! `verify --check-receipt`: whether a receipt, plain or signed, holds for an image.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use xtask::ctx::Ctx;
use xtask::git;
use xtask::proof::{Bundle, ProofWanted, Statement, Trust, Verification};
use xtask::refusal::Refusal;
use xtask::stop::Stop;
use xtask::verify::{self, Args};

use crate::check_set::check_set;
use crate::checks::catalogue;
use crate::receipt::Receipt;
use crate::receipt::validity::{self, Required};
use crate::target::{self, ImageRequest, Target};

/// A receipt, and the bundle that it was found in.
struct Kept {
    receipt: Receipt,
    bundle: Option<Bundle>,
}

impl Kept {
    fn read(file: &Path) -> anyhow::Result<Kept> {
        let name = file.display();
        let value = verify::read_receipt(file)?;
        let bundle = value.get("mediaType").map(|_| bundle(&value));
        let (value, bundle) = match bundle {
            None => (value, None),
            Some(found) => {
                let (receipt, bundle) = found.with_context(|| {
                    format!("`{name}` is not a signed receipt; hint: `cargo xtask verify --sign` writes one")
                })?;
                (receipt, Some(bundle))
            }
        };
        let receipt = Receipt::parse(value);
        let receipt = receipt.with_context(|| format!("`{name}` is not a receipt"))?;
        Ok(Kept { receipt, bundle })
    }
}

/// A bundle, and the receipt that it signs.
fn bundle(value: &Value) -> anyhow::Result<(Value, Bundle)> {
    let bundle = Bundle::parse(&serde_json::to_vec(value)?)?;
    let statement = Statement::parse(bundle.payload())?;
    Ok((Verification::parse(&statement)?.receipt, bundle))
}

pub(crate) fn run(args: &Args, ctx: &Ctx, file: &Path) -> anyhow::Result<()> {
    let kept = Kept::read(file)?;
    let target = target::resolve(ctx, &ImageRequest::of(args))?;
    let named = args.revision.as_deref();
    let named = named.map(|name| git::commit(&ctx.root, name)).transpose()?;
    let revision = named.map(|named| named.revision);
    let mut objections = objections(&kept.receipt, &target, revision.as_deref());
    let by = match &kept.bundle {
        None => None,
        Some(bundle) => {
            match signed_by(ctx, bundle, &kept.receipt, &target, revision.as_deref())? {
                Ok(by) => Some(by),
                Err(reasons) => {
                    objections.extend(reasons);
                    None
                }
            }
        }
    };
    show(
        ctx,
        file,
        &target,
        &kept.receipt,
        &objections,
        by.as_deref(),
    )
}

fn objections(receipt: &Receipt, target: &Target, revision: Option<&str>) -> Vec<Refusal> {
    let checks: Vec<&str> = catalogue().map(|check| check.id).collect();
    let mut subjects = target.subjects.iter();
    let own = subjects.find(|one| one.platform == receipt.platform);
    let subject = own.or(target.subjects.first());
    let wanted = Required {
        name: &target.name,
        index: target.index.as_ref(),
        manifest: subject.and_then(|one| one.manifest.as_ref()),
        platform: subject.map(|one| one.platform),
        revision,
        check_set: check_set(),
        checks: &checks,
    };
    validity::objections(receipt, &wanted)
}

/// Who has signed the receipt, of those that the settings believe; else why it is not believed.
fn signed_by(
    ctx: &Ctx,
    bundle: &Bundle,
    receipt: &Receipt,
    target: &Target,
    revision: Option<&str>,
) -> anyhow::Result<Result<String, Vec<Refusal>>> {
    let refusal = |why: String| {
        let (why, remedy) = match why.split_once("; hint: ") {
            Some((why, remedy)) => (why.to_owned(), remedy),
            None => (why, "docs/proof.md says whose proofs are believed"),
        };
        Refusal::new(why, remedy)
    };
    let mut subjects = target.subjects.iter();
    let subject = subjects.find(|one| one.platform == receipt.platform);
    let manifest = subject.and_then(|one| one.manifest.as_ref());
    let (Some(index), Some(manifest)) = (&target.index, manifest) else {
        let (name, platform) = (&target.name, receipt.platform);
        let why = format!("a proof is of an index, and `{name}` is none with `{platform}`");
        return Ok(Err(vec![refusal(why)]));
    };
    let wanted = ProofWanted {
        index,
        manifest,
        platform: receipt.platform,
        revision,
    };
    let proof = Trust::of(ctx)?.proof(bundle, &wanted)?;
    let proof = proof.map_err(|reasons| reasons.into_iter().map(refusal).collect());
    Ok(proof.map(|proof| proof.by))
}

fn show(
    ctx: &Ctx,
    file: &Path,
    target: &Target,
    receipt: &Receipt,
    objections: &[Refusal],
    by: Option<&str>,
) -> anyhow::Result<()> {
    if ctx.json {
        xtask::report::print_json(&serde_json::json!({
            "schema": 2,
            "receipt": file,
            "image": target.name,
            "digest": target.digest,
            "platform": receipt.platform,
            "by": by,
            "holds": objections.is_empty(),
            "objections": objections,
        }))?;
    }
    if !objections.is_empty() {
        return Err(Stop::Refused(format!(
            "`{}` does not hold for `{}`:{}",
            file.display(),
            target.name,
            validity::describe(objections)
        ))
        .into());
    }
    if !ctx.json {
        let by = by.map(|by| format!(", signed by {by}"));
        xtask::say::outln!(
            "`{}` holds for `{}` ({}) on {}{}",
            file.display(),
            target.name,
            target.digest,
            receipt.platform,
            by.unwrap_or_default()
        );
    }
    Ok(())
}
