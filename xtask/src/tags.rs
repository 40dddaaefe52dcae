//! Which tags a build of HEAD may carry: a pure function over git's facts.

use serde::Serialize;

use crate::git::Head;
use crate::reference::check_tag;
use crate::stop::Stop;

/// A tag and the reason it is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) why: &'static str,
}

/// The tags of a local build: `dev` always, `sha-…` only for what a commit really holds.
pub(crate) fn local_tags(head: &Head) -> Vec<Tag> {
    let mut tags = vec![Tag {
        name: "dev".to_owned(),
        why: "a local build",
    }];
    if head.dirty.is_empty() {
        tags.push(Tag {
            name: format!("sha-{}", head.short()),
            why: "the tree is HEAD's commit",
        });
    }
    tags
}

/// The tags asked for by `--tag`, instead of those of git.
///
/// Refuses the names that mean something else: `latest` and versions are given to a proven
/// digest by a release, and a `sha-` tag names exactly one commit.
pub(crate) fn chosen_tags(names: &[String], head: &Head) -> Result<Vec<Tag>, Stop> {
    let mut tags: Vec<Tag> = Vec::new();
    for name in names {
        check_tag(name).map_err(Stop::Usage)?;
        let own_sha = head.dirty.is_empty() && *name == format!("sha-{}", head.short());
        if name == "latest" || is_version(name) {
            return Err(Stop::Refused(format!(
                "`{name}` is given only to a verified digest, by a release; \
                 hint: build as `dev`, or with a tag of your own"
            )));
        }
        if name.starts_with("sha-") && !own_sha {
            return Err(Stop::Refused(format!(
                "`{name}` would name another commit than the one built; \
                 hint: leave `--tag` away, a clean tree gets its `sha-…` by itself"
            )));
        }
        if tags.iter().all(|tag| tag.name != *name) {
            tags.push(Tag {
                name: name.clone(),
                why: "asked for with `--tag`",
            });
        }
    }
    Ok(tags)
}

fn is_version(name: &str) -> bool {
    name.strip_prefix('v')
        .is_some_and(|rest| semver::Version::parse(rest).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(dirty: &[&str]) -> Head {
        Head {
            revision: "0123456789abcdef0123456789abcdef01234567".into(),
            branch: Some("main".into()),
            epoch: 0,
            dirty: dirty.iter().map(ToString::to_string).collect(),
            source: None,
        }
    }

    fn names(tags: &[Tag]) -> Vec<&str> {
        tags.iter().map(|tag| tag.name.as_str()).collect()
    }

    #[test]
    fn a_dirty_tree_gets_no_sha_tag() {
        assert_eq!(names(&local_tags(&head(&[]))), ["dev", "sha-0123456"]);
        assert_eq!(names(&local_tags(&head(&["README.md"]))), ["dev"]);
    }

    #[test]
    fn chosen_tags_replace_gits_and_are_given_once() {
        let chosen = ["try-1", "dev", "sha-0123456", "try-1"].map(String::from);
        let tags = chosen_tags(&chosen, &head(&[])).unwrap();
        assert_eq!(names(&tags), ["try-1", "dev", "sha-0123456"]);
    }

    #[test]
    fn names_with_a_meaning_of_their_own_are_refused() {
        for (name, dirty, part) in [
            ("latest", false, "verified digest"),
            ("v0.2.13", false, "verified digest"),
            ("v1.0.0-rc.1", false, "verified digest"),
            ("sha-fffffff", false, "another commit"),
            ("sha-0123456", true, "another commit"),
        ] {
            let dirty: &[&str] = if dirty { &["x"] } else { &[] };
            let stop = chosen_tags(&[name.to_owned()], &head(dirty)).unwrap_err();
            assert!(
                matches!(&stop, Stop::Refused(text) if text.contains(part)),
                "{name}: {stop}"
            );
        }
        let stop = chosen_tags(&["a b".to_owned()], &head(&[])).unwrap_err();
        assert!(
            matches!(&stop, Stop::Usage(text) if text.contains("bad tag `a b`")),
            "{stop}"
        );
    }
}
