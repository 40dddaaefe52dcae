//! What a release asks: whether receipts prove images.

use std::io::{self, Read as _};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use xtask::oci::Digest;
use xtask::platform::Platform;
use xtask::report;
use xtask::verify::{Claim, NONE, Unproven};

use crate::check_set::check_set;
use crate::checks::catalogue;
use crate::receipt::Receipt;
use crate::receipt::validity::{self, Required};

/// In bytes: thousands of receipts.
const LIMIT: u64 = 64 << 20;

/// Reads claims from stdin and prints, for each, the platforms that none of its receipts proves.
pub(crate) fn answer() -> anyhow::Result<()> {
    let mut asked = Vec::new();
    let read = io::stdin().lock().take(LIMIT + 1).read_to_end(&mut asked);
    let length = read.context("failed to read the images from stdin")?;
    ensure!(
        length as u64 <= LIMIT,
        "stdin has more than 64 MiB of receipts"
    );
    let claims: Vec<Claim> =
        serde_json::from_slice(&asked).context("stdin has no list of images and receipts")?;
    let checks: Vec<&str> = catalogue().map(|check| check.id).collect();
    let judge = |claim| unproven(claim, check_set(), &checks);
    let unproven: Vec<Unproven> = claims.iter().map(judge).collect();
    report::print_json(&unproven)
}

/// The platforms that no receipt proves, each with all reasons against the one that is nearest to it.
fn unproven(claim: &Claim, check_set: &Digest, checks: &[&str]) -> Unproven {
    let image = &claim.image;
    let lack = |(platform, manifest): &(Platform, Digest)| {
        let wanted = Required {
            name: &image.name,
            index: image.is_index.then_some(&image.digest),
            manifest: Some(manifest),
            platform: Some(*platform),
            revision: Some(&image.revision),
            check_set,
            checks,
        };
        let own = claim.receipts.iter().filter(|(of, _)| of == platform);
        let faults = own.map(|(_, receipt)| Faults::of(receipt, &wanted));
        let least = faults.min_by_key(|faults| faults.count);
        let Some(least) = least else {
            return Some((*platform, NONE.to_owned()));
        };
        (least.count > 0).then_some((*platform, least.text))
    };
    image.images.iter().filter_map(lack).collect()
}

/// What is wrong with a receipt.
struct Faults {
    /// One that is none has more than any other.
    count: usize,
    text: String,
}

impl Faults {
    fn of(receipt: &Value, wanted: &Required) -> Faults {
        match Receipt::parse(receipt.clone()) {
            Ok(receipt) => {
                let objections = validity::objections(&receipt, wanted);
                let all = validity::describe(&objections);
                Faults {
                    count: objections.len(),
                    text: format!("its receipt does not hold:{all}"),
                }
            }
            Err(error) => Faults {
                count: usize::MAX,
                text: format!("it is not a receipt: {error:#}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Status;
    use crate::receipt::tests::{digest, good};
    use xtask::verify::ReleaseImage;

    /// What is said of linux/amd64, of which the image has `good`'s manifest.
    fn judge(receipts: Vec<Value>) -> Unproven {
        let receipt = good();
        let image = ReleaseImage {
            name: "agentgate/agent".to_owned(),
            digest: digest("index"),
            is_index: true,
            images: vec![(Platform::LinuxAmd64, digest("amd64"))],
            revision: receipt.revision.unwrap(),
        };
        let receipts = receipts.into_iter().map(|one| (Platform::LinuxAmd64, one));
        let claim = Claim {
            image,
            receipts: receipts.collect(),
        };
        unproven(&claim, &digest("checks"), &["seed-3-node", "image-growth"])
    }

    #[test]
    fn one_receipt_that_holds_is_enough() {
        let value = |receipt: &Receipt| serde_json::to_value(receipt).unwrap();
        let good = good();
        let mut failed = good.clone();
        failed.results[0].status = Status::Failed;
        let mut older = failed.clone();
        older.check_set = digest("older");
        let (good, failed, older) = (value(&good), value(&failed), value(&older));
        let none = Value::Null;
        for (receipts, is_proven) in [
            (vec![&good], true),
            (vec![&older, &none, &good, &failed], true),
            (vec![&failed], false),
            (vec![&older, &failed, &none], false),
        ] {
            let lacking = judge(receipts.into_iter().cloned().collect());
            assert_eq!(lacking.is_empty(), is_proven, "{lacking:?}");
            if let [(platform, why)] = &*lacking {
                assert_eq!(*platform, Platform::LinuxAmd64);
                assert!(why.contains("failed: `seed-3-node`"), "{why}");
                assert!(!why.contains("the checks have changed"), "{why}");
            }
        }
        let lacking = judge(vec![none]);
        assert!(lacking[0].1.contains("it is not a receipt"), "{lacking:?}");
        assert_eq!(judge(Vec::new())[0].1, NONE);
    }

    #[test]
    fn a_receipt_that_is_handed_over_for_another_platform_proves_nothing() {
        let mut arm = good();
        arm.platform = Platform::LinuxArm64;
        let lacking = judge(vec![serde_json::to_value(arm).unwrap()]);
        assert!(
            lacking[0].1.contains("not for `linux/amd64`"),
            "{lacking:?}"
        );
    }
}
