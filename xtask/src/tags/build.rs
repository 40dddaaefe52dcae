//! The tags that a build gives by itself, or is asked to give with `--tag`.

use super::rules;
use super::set::{AppliedBy, Tag};
use crate::git::Head;
use crate::github::Ci;
use crate::reference::Repository;
use crate::stop::Stop;
use crate::version::{self, TagName};

/// What a build's tags depend on.
pub(crate) struct TaggedBuild<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) head: &'a Head,
    pub(crate) ci: Option<&'a Ci>,
    /// It is built with other arguments than the commit's own.
    pub(crate) is_changed: bool,
}

impl TaggedBuild<'_> {
    /// The tags of a build into the engine's store: `dev` always, `sha-…` only for a commit that
    /// the tree really is.
    pub(crate) fn local_tags(&self) -> Result<Vec<Tag>, Stop> {
        let mut tags = vec![self.tag("dev".to_owned(), "a local build")?];
        if let Some(name) = self.own_sha() {
            tags.push(self.tag(name, "the tree is HEAD's commit")?);
        }
        Ok(tags)
    }

    /// The tags asked for by `--tag`, instead of those of git.
    ///
    /// Refuses the names that mean something else: `latest` and versions are given to a proven
    /// digest by a release, and a `sha-` tag names exactly one commit.
    pub(crate) fn chosen_tags(&self, names: &[String]) -> Result<Vec<Tag>, Stop> {
        let own_sha = self.own_sha();
        let mut tags: Vec<Tag> = Vec::new();
        for name in names {
            let tag = self.tag(name.clone(), "asked for with `--tag`")?;
            // Near misses too: `v1` or `Latest` are taken for what they are not.
            if name.eq_ignore_ascii_case("latest") || version::read(name) != TagName::Other {
                return Err(Stop::Refused(format!(
                    "`{name}` is given only to a verified digest, by a release; \
                     hint: build as `dev`, or with a tag of your own"
                )));
            }
            if name.starts_with("sha-") && own_sha.as_ref() != Some(name) {
                return Err(Stop::Refused(format!(
                    "`{name}` would name another commit than the one built; \
                     hint: leave `--tag` away, a clean tree gets its `sha-…` by itself, \
                     but for a build with `--build-arg` or another `--node`"
                )));
            }
            if tags.iter().all(|tag| tag.name != *name) {
                tags.push(tag);
            }
        }
        Ok(tags)
    }

    /// The `sha-…` tag of a push.
    ///
    /// Refuses what is not exactly HEAD's commit: a dirty tree, the merge commit of a pull
    /// request, other build arguments.
    pub(crate) fn push_tag(&self) -> Result<String, Stop> {
        let refused = |why: &str, remedy: &str| {
            Stop::Refused(format!("nothing was pushed: {why}\n  hint: {remedy}"))
        };
        let tag = rules::sha_tag(self.head, self.ci);
        let name = tag.map_err(|(why, remedy)| {
            let why = match self.head.dirty.as_slice() {
                [] => why,
                [first, rest @ ..] => {
                    let more = if rest.is_empty() {
                        String::new()
                    } else {
                        format!(" and {} more", rest.len())
                    };
                    format!("{why} (`{first}`{more})")
                }
            };
            refused(&why, remedy)
        })?;
        if self.is_changed {
            return Err(refused(
                &format!("`{name}` names what the commit says, and the command line says more"),
                "leave `--build-arg` and `--node` away, or commit what they change",
            ));
        }
        Ok(name)
    }

    /// The `sha-…` tag, if what is built is what the commit says, and nothing else.
    fn own_sha(&self) -> Option<String> {
        let tag = rules::sha_tag(self.head, self.ci).ok();
        tag.filter(|_| !self.is_changed)
    }

    fn tag(&self, name: String, why: &str) -> Result<Tag, Stop> {
        Tag::new(self.repository, name, AppliedBy::Image, why).map_err(Stop::Usage)
    }
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
            filtered: Vec::new(),
            source: None,
        }
    }

    fn with<T>(dirty: &[&str], ci: Option<&Ci>, look: impl Fn(TaggedBuild<'_>) -> T) -> T {
        look(TaggedBuild {
            repository: &"agentgate/agent".parse().unwrap(),
            head: &head(dirty),
            ci,
            is_changed: false,
        })
    }

    fn names(tags: Result<Vec<Tag>, Stop>) -> Vec<String> {
        let tags = tags.unwrap();
        tags.into_iter().map(|tag| tag.name).collect()
    }

    #[test]
    fn only_a_commit_that_stays_gets_a_sha_tag() {
        let tags =
            |dirty: &[&str], ci: Option<&Ci>| with(dirty, ci, |build| names(build.local_tags()));
        assert_eq!(tags(&[], None), ["dev", "sha-0123456"]);
        assert_eq!(tags(&["README.md"], None), ["dev"]);
        let merge = Ci {
            git_ref: Some("refs/pull/7/merge".into()),
            ..Ci::default()
        };
        assert_eq!(tags(&[], Some(&merge)), ["dev"]);
        assert_eq!(tags(&[], Some(&Ci::default())), ["dev", "sha-0123456"]);
    }

    #[test]
    fn a_push_is_exactly_heads_commit() {
        let tag = |dirty: &[&str], ci: Option<&Ci>| with(dirty, ci, |build| build.push_tag());
        assert_eq!(tag(&[], None).unwrap(), "sha-0123456");
        let merge = Ci {
            git_ref: Some("refs/pull/7/merge".into()),
            ..Ci::default()
        };
        for (dirty, ci, part) in [
            (&["a", "b", "c"][..], None, "(`a` and 2 more)"),
            (&[], Some(&merge), "pull request 7"),
        ] {
            let stop = tag(dirty, ci).unwrap_err();
            assert!(
                matches!(&stop, Stop::Refused(text) if text.contains(part) && text.contains("hint: ")),
                "{stop}"
            );
        }
        let changed = with(&[], None, |build| {
            TaggedBuild {
                is_changed: true,
                ..build
            }
            .push_tag()
        });
        assert!(matches!(changed, Err(Stop::Refused(_))));
    }

    #[test]
    fn chosen_tags_replace_gits_and_are_given_once() {
        let chosen = ["try-1", "dev", "sha-0123456", "try-1"].map(String::from);
        let tags = with(&[], None, |build| build.chosen_tags(&chosen));
        assert_eq!(names(tags), ["try-1", "dev", "sha-0123456"]);
    }

    #[test]
    fn names_with_a_meaning_of_their_own_are_refused() {
        for (name, dirty, part) in [
            ("latest", false, "verified digest"),
            ("v0.2.13", false, "verified digest"),
            ("v1.0.0-rc.1", false, "verified digest"),
            ("Latest", false, "verified digest"),
            ("0.2.13", false, "verified digest"),
            ("v1", false, "verified digest"),
            ("V1.2", false, "verified digest"),
            ("sha-fffffff", false, "another commit"),
            ("sha-0123456", true, "another commit"),
        ] {
            let dirty: &[&str] = if dirty { &["x"] } else { &[] };
            let names = [name.to_owned()];
            let stop = with(dirty, None, |build| build.chosen_tags(&names)).unwrap_err();
            assert!(
                matches!(&stop, Stop::Refused(text) if text.contains(part)),
                "{name}: {stop}"
            );
        }
        let names = ["a b".to_owned()];
        let stop = with(&[], None, |build| build.chosen_tags(&names)).unwrap_err();
        assert!(
            matches!(&stop, Stop::Usage(text) if text.contains("bad tag `a b`")),
            "{stop}"
        );
    }
}
