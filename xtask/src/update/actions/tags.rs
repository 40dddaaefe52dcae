//! Which tag of an action is moved to: a pure choice over what its repository has.

use std::collections::BTreeMap;

use super::pins::Pin;
use crate::git::RemoteRef;
use crate::version::{Version, is_stable, of_tag};

/// A tag that is a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// What the tag itself is: the commit, or the object of an annotated tag.
    object: String,
    pub(super) commit: String,
}

pub(super) type Tags = BTreeMap<Version, Tag>;

/// What becomes of a pin.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// None when it stays.
    pub(super) to: Option<Pin>,
    /// The newest version of the same major one.
    pub(super) newest: Option<Version>,
    pub(super) notes: Vec<String>,
}

/// The stable versions among the references. Tags of actions are annotated or not, and what counts is the commit
/// (unraid/ci-runner-farm#51).
pub(super) fn tags(references: &[RemoteRef]) -> Tags {
    let mut tags = Tags::new();
    for RemoteRef { name, id } in references {
        // GitHub knows ids of SHA-1 alone: another one would be no pin (see `pins`).
        let Some(name) = name.strip_prefix("refs/tags/").filter(|_| id.len() == 40) else {
            continue;
        };
        let (name, is_peeled) = match name.strip_suffix("^{}") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let Some(version) =
            of_tag(name).filter(|version| is_stable(version) && version.build.is_empty())
        else {
            continue;
        };
        let tag = tags.entry(version).or_insert_with(|| Tag {
            object: id.clone(),
            commit: id.clone(),
        });
        if is_peeled {
            tag.commit.clone_from(id);
        } else {
            tag.object.clone_from(id);
        }
    }
    tags
}

/// Chooses the newest version that takes the same inputs: of the same major one. A newer major version is named; who
/// moves to it reads what has changed.
///
/// An action whose tag leads elsewhere than what is pinned as that tag is not moved at all: whoever moves one tag may
/// have moved all (CVE-2025-30066), or else the comment is wrong (dependabot/dependabot-core#7912).
pub(super) fn choose(pin: &Pin, tags: &Tags) -> Choice {
    let newest = tags
        .keys()
        .rfind(|version| is_compatible(&pin.version, version));
    let mut choice = Choice {
        to: None,
        newest: newest.cloned(),
        notes: Vec::new(),
    };
    let own = tags.get(&pin.version);
    if let Some(own) = own.filter(|own| ![&own.commit, &own.object].contains(&&pin.id)) {
        choice.notes.push(format!(
            "it stays: its tag v{} leads to {} now, and {} is pinned; the tag was moved, or the comment is wrong",
            pin.version, own.commit, pin.id
        ));
        return choice;
    }
    if own.is_none() {
        choice
            .notes
            .push(format!("its repository has no tag v{}", pin.version));
    }
    if let Some((version, tag)) = newest.and_then(|newest| tags.get_key_value(newest)) {
        let to = Pin {
            repository: pin.repository.clone(),
            id: tag.commit.clone(),
            version: version.clone(),
        };
        let is_newer =
            (&to.version, &to.id) != (&pin.version, &pin.id) && to.version >= pin.version;
        choice.to = is_newer.then_some(to);
    }
    let above = tags.keys().next_back();
    if let Some(above) = above.filter(|above| above.major > pin.version.major) {
        choice.notes.push(format!(
            "v{above} is out: another major version is not moved to, as it may take other inputs"
        ));
    }
    choice
}

fn is_compatible(pinned: &Version, version: &Version) -> bool {
    pinned.major == version.major && (pinned.major > 0 || pinned.minor == version.minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An id of one letter.
    fn id(letter: &str) -> String {
        letter.repeat(40)
    }

    fn references(words: &str) -> Vec<RemoteRef> {
        let read = |word: &str| {
            let (name, letter) = word.split_once('=').unwrap();
            RemoteRef {
                name: format!("refs/tags/{name}"),
                id: id(letter),
            }
        };
        words.split_whitespace().map(read).collect()
    }

    fn pin(letter: &str, version: &str) -> Pin {
        Pin {
            repository: "a/b".to_owned(),
            id: id(letter),
            version: version.parse().unwrap(),
        }
    }

    #[test]
    fn an_id_that_no_pin_can_have_is_no_tag() {
        let mut found = references("v1.2.3=a v1.3.0=b");
        found[1].id = "b".repeat(64);
        assert_eq!(tags(&found).len(), 1);
    }

    #[test]
    fn the_newest_stable_tag_of_the_major_version_is_chosen() {
        for (pinned, have, to, note) in [
            (("a", "1.2.3"), "v1=a v1.2.3=a main=c", None, ""),
            (
                ("a", "1.2.3"),
                "v1.2.3=a v1.2.10=b v1.2.9=c",
                Some(("b", "1.2.10")),
                "",
            ),
            // Annotated, in either order; v1 is a moving one.
            (
                ("a", "1.2.3"),
                "v1.2.3=a v1.3.0=d v1.3.0^{}=b v1=b",
                Some(("b", "1.3.0")),
                "",
            ),
            (
                ("a", "1.2.3"),
                "v1.2.3=a v1.3.0^{}=b v1.3.0=d",
                Some(("b", "1.3.0")),
                "",
            ),
            // The tag's own object is pinned (airvzxf/ftp-deployment-action#96).
            (
                ("d", "1.2.3"),
                "v1.2.3=d v1.2.3^{}=a",
                Some(("a", "1.2.3")),
                "",
            ),
            // Two versions at one commit (dependabot/dependabot-core#12879).
            (
                ("a", "1.2.3"),
                "v1.2.3=a v1.2.4=a",
                Some(("a", "1.2.4")),
                "",
            ),
            (
                ("a", "1.2.3"),
                "v1.2.3=a v1.3.0-rc.1=b v1.3.0+x=b 1.4.0=c v1.5=d",
                None,
                "",
            ),
            (
                ("a", "1.2.3"),
                "v1.2.3=a v1.3.0=b v2.0.0=c",
                Some(("b", "1.3.0")),
                "v2.0.0 is out",
            ),
            (("a", "0.2.3"), "v0.2.3=a v0.3.0=b", None, ""),
            (("a", "1.2.3"), "v1.1.0=b", None, "has no tag v1.2.3"),
            (
                ("a", "1.2.3"),
                "v1.4.0=b",
                Some(("b", "1.4.0")),
                "has no tag v1.2.3",
            ),
            (("a", "1.2.3"), "", None, "has no tag v1.2.3"),
            // tj-actions/changed-files: all tags were moved to one bad commit.
            (
                ("a", "1.2.3"),
                "v1.2.3=e v1.2.4=e",
                None,
                "it stays: its tag v1.2.3 leads to",
            ),
        ] {
            let choice = choose(&pin(pinned.0, pinned.1), &tags(&references(have)));
            let expected = to.map(|(letter, version)| pin(letter, version));
            assert_eq!(choice.to, expected, "{have}");
            let notes = choice.notes.join("; ");
            assert!(
                notes.contains(note) && notes.is_empty() == note.is_empty(),
                "{have}: {notes}"
            );
        }
    }
}
