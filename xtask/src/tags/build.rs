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

/// The tags of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PushTags {
    /// What the index is published as: `sha-…`, or a pull request's tag for its merge commit.
    pub(crate) name: String,
    /// Whether that one is rewritten when it leads to another commit. A `sha-…` never is.
    pub(crate) is_moving: bool,
    /// The tag of the pull request, where it moves to the index beside `name`.
    pub(crate) pull_request: Option<String>,
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

    /// The tags of a push: `sha-…`, and `pr-N` for a pull request of this repository.
    ///
    /// Refuses what is not exactly HEAD's commit: a dirty tree, other build arguments, the merge
    /// commit of a pull request unless that has a tag. Refuses everything that comes from a fork.
    pub(crate) fn push_tags(&self) -> Result<PushTags, Stop> {
        let refused = |why: &str, remedy: &str| {
            Stop::Refused(format!("nothing was pushed: {why}\n  hint: {remedy}"))
        };
        if let Some((why, remedy)) = rules::pull_request_refusal(self.ci) {
            return Err(refused(&why, remedy));
        }
        let pull_request = rules::pull_request_tag(self.head, self.ci);
        let pull_request = pull_request.and_then(Result::ok);
        let tags = match (rules::sha_tag(self.head, self.ci), pull_request) {
            (Ok(name), pull_request) => PushTags {
                name,
                is_moving: false,
                pull_request,
            },
            (Err(_), Some(name)) => PushTags {
                name,
                is_moving: true,
                pull_request: None,
            },
            (Err((why, remedy)), None) => return Err(refused(&self.with_paths(why), remedy)),
        };
        if self.is_changed {
            let name = &tags.name;
            return Err(refused(
                &format!("`{name}` names what the commit says, and the command line says more"),
                "leave `--build-arg` and `--node` away, or commit what they change",
            ));
        }
        Ok(tags)
    }

    /// A reason, with the paths that make the tree dirty.
    fn with_paths(&self, why: String) -> String {
        match self.head.dirty_paths() {
            None => why,
            Some(paths) => format!("{why} ({paths})"),
        }
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
    use crate::github::Origin;

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
        let tag = |dirty: &[&str], ci: Option<&Ci>| with(dirty, ci, |build| build.push_tags());
        assert_eq!(tag(&[], None).unwrap().name, "sha-0123456");
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
            .push_tags()
        });
        assert!(matches!(changed, Err(Stop::Refused(_))));
    }

    #[test]
    fn a_pull_request_is_pushed_from_its_own_repository_alone() {
        let revision = head(&[]).revision;
        let ci = |event: &str, sha: &str, origin: Option<Origin>| Ci {
            event: Some(event.to_owned()),
            git_ref: Some("refs/pull/7/merge".to_owned()),
            sha: Some(sha.to_owned()),
            origin,
        };
        let own = |head: &str| {
            Some(Origin::Own {
                number: 7,
                head: head.to_owned(),
            })
        };
        let pushed = |ci: &Ci| with(&[], Some(ci), |build| build.push_tags());
        let tags = |name: &str, is_moving, pull_request: Option<&str>| PushTags {
            name: name.to_owned(),
            is_moving,
            pull_request: pull_request.map(str::to_owned),
        };
        // Its merge has no tag that stays; its own commit has both.
        let merge = ci("pull_request", &revision, own("x"));
        assert_eq!(pushed(&merge).unwrap(), tags("pr-7", true, None));
        let commit = ci("pull_request", "x", own(&revision));
        assert_eq!(
            pushed(&commit).unwrap(),
            tags("sha-0123456", false, Some("pr-7"))
        );
        let fork = || Some(Origin::Fork("\"you/agent\"".to_owned()));
        let unknown = || Some(Origin::Unknown("x".to_owned()));
        for refused in [
            ci("pull_request", &revision, fork()),
            // A workflow of ours with a token that may write, on a commit of theirs.
            ci("pull_request_target", "x", fork()),
            ci("pull_request", "x", unknown()),
            ci("pull_request", "x", None),
            ci("pull_request_target", &revision, own("x")),
        ] {
            assert!(
                matches!(pushed(&refused), Err(Stop::Refused(_))),
                "{refused:?}"
            );
        }
        let dirty = with(&["a"], Some(&merge), |build| build.push_tags());
        assert!(matches!(dirty, Err(Stop::Refused(_))));
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
