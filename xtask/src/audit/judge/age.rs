//! Whether what people follow is too old.

use super::{Finding, Severity};
use crate::audit::age::count;
use crate::audit::observe::{AuditedRepository, FOLLOWED};
use crate::audit::tag::AuditedTag;
use crate::version::Version;

/// Checks that `latest`, or the highest version where there is none, and `dev` are at most `days` old. A version that
/// somebody has pinned stays what it is, and so only gets older.
pub(super) fn check(facts: &AuditedRepository, days: u32, findings: &mut Vec<Finding>) {
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
        if let Some(why) = wrong(tag, days) {
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

fn wrong(tag: &AuditedTag, most: u32) -> Option<String> {
    let age = tag.age.as_ref()?;
    match age.days {
        None => Some(
            "is of an age that is not known: no label says when each platform was built".to_owned(),
        ),
        Some(days) if days > u64::from(most) => Some(format!(
            "was built {} ago, and `--max-age` is {most}",
            count(days)
        )),
        Some(_) => None,
    }
}
