//! Whether what people follow is too old.

use super::{Finding, Severity};
use crate::audit::observe::{AuditedRepository, FOLLOWED};
use crate::audit::tag::AuditedTag;
use crate::day::days;
use crate::version::Version;

/// Checks that `latest`, or the highest version where there is none, and `dev` are at most `most` days old. A version that
/// somebody has pinned stays what it is, and so only gets older.
pub(super) fn check(facts: &AuditedRepository, most: u32, findings: &mut Vec<Finding>) {
    let followed = facts
        .tags
        .iter()
        .filter(|tag| FOLLOWED.contains(&&*tag.name));
    let has_latest = facts
        .tags
        .iter()
        .any(|tag| tag.name == "latest" && tag.age.is_some());
    let highest = highest(facts).filter(|_| !has_latest);
    for tag in followed.chain(highest) {
        if let Some(why) = too_old(tag, most) {
            findings.push(Finding {
                severity: Severity::Error,
                reference: facts.repository.reference(&tag.name),
                why,
                remedy: match &*tag.name {
                    "dev" => {
                        "`cargo xtask update`, and a push to the default branch builds it anew"
                    }
                    _ => "`cargo xtask update`, then release a new version",
                }
                .to_owned(),
            });
        }
    }
}

fn highest(facts: &AuditedRepository) -> Option<&AuditedTag> {
    let counting = facts.tags.iter().filter(|tag| tag.age.is_some());
    let versions = counting.filter_map(|tag| Some((tag.version()?, tag)));
    let highest: Option<(Version, &AuditedTag)> = versions.max_by(|one, other| one.0.cmp(&other.0));
    highest.map(|(_, tag)| tag)
}

/// Why a tag may not be that old, in days; none when it may.
fn too_old(tag: &AuditedTag, most: u32) -> Option<String> {
    let age = tag.age.as_ref()?;
    match age.days {
        None => Some(
            "is of an age that is not known: no label says when each platform was built".to_owned(),
        ),
        Some(age) if age > u64::from(most) => Some(format!(
            "was built {} ago, and `--max-age` is {most}",
            days(age)
        )),
        Some(_) => None,
    }
}
