//! The images that a build is made from, each asked for once, before the build: a tag may move while it runs, and
//! between two of its steps. The build gets them by digest.

use crate::base::Base;
use crate::exec::{self, Exec};
use crate::image::request::Request;
use crate::oci::Digest;
use crate::registry::{Registry, stand_in};
use crate::retry::Retry;
use crate::threads;

/// How often and how long a registry is asked. The build does without an answer.
const PATIENCE: Retry = Retry {
    times: 1,
    time: std::time::Duration::from_secs(5),
    ..Retry::NEVER
};

/// What a build is given of its images.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sources {
    /// The name of the image that the last stage is made from, without its digest; none where the Dockerfile
    /// names none in full.
    pub(super) base: Option<String>,
    /// The digest of that image's index; none where it is not known.
    pub(super) base_digest: Option<Digest>,
    /// What takes the place of an image in FROM: both as buildx's `--build-context` takes them.
    pub(super) contexts: Vec<(String, String)>,
}

impl Sources {
    /// Asks the registries for what no digest is pinned of. Where one does not answer, the tag is used, and a
    /// note says so.
    ///
    /// Fails when `--node` does not fit the base, and after a signal.
    pub(super) fn find(request: &Request) -> anyhow::Result<Sources> {
        let other = request.other_base()?;
        let wanted: Vec<Wanted> = request
            .bases
            .all
            .iter()
            .map(|from| {
                let is_base = request.bases.base.as_ref() == Some(from);
                let image = other.as_ref().filter(|_| is_base).unwrap_or(from);
                Wanted { from, image }
            })
            .collect();
        let asked = wanted
            .iter()
            .map(|wanted| (wanted, request.ctx.exec.clone()));
        let answers = threads::all(asked.map(|(wanted, exec)| move || wanted.ask(&exec)))?;
        let mut sources = Sources::default();
        for (wanted, answer) in wanted.iter().zip(answers) {
            let Decision {
                context,
                digest,
                note,
            } = wanted.decide(answer);
            sources
                .contexts
                .extend(context.map(|image| (wanted.from.reference.clone(), image)));
            if let Some(note) = note {
                crate::say::errln!("note: {note}");
            }
            if request.bases.base.as_ref() == Some(wanted.from) {
                sources.base = Some(wanted.image.name().to_owned());
                sources.base_digest = digest;
            }
        }
        Ok(sources)
    }

    /// What the last stage is made from, by its digest; none where that is not known.
    pub(super) fn base_by_digest(&self, base: Option<&Base>) -> Option<Base> {
        let base = base?;
        let mut contexts = self.contexts.iter();
        let image = contexts.find(|(from, _)| *from == base.reference);
        let image = image.map_or(&*base.reference, |(_, image)| image);
        Base::parse(image)
            .ok()
            .filter(|base| base.digest().is_some())
    }
}

/// An image in FROM.
struct Wanted<'a> {
    from: &'a Base,
    /// The one that takes its place: itself, unless `--node` asks for another.
    image: &'a Base,
}

/// What is known of an image.
#[derive(Debug)]
enum Answer {
    /// Its digest is pinned, and nobody was asked.
    Pinned(Digest),
    /// The digest that its tag leads to.
    Tagged(Digest),
    /// The test bed has another image of that name: its digest.
    StandIn(Digest),
    /// Why nobody knows its digest.
    Unknown(String),
}

#[derive(Debug, PartialEq, Eq)]
struct Decision {
    /// What the build gets in place of the image in FROM; none: that one.
    context: Option<String>,
    /// For the label.
    digest: Option<Digest>,
    note: Option<String>,
}

impl Wanted<'_> {
    fn ask(&self, exec: &Exec) -> anyhow::Result<Answer> {
        let (repository, tag) = self.image.place()?;
        let has_stand_in = stand_in(exec, &repository).is_some();
        let pinned = self.image.digest();
        if let Some(digest) = pinned.filter(|_| !has_stand_in) {
            return Ok(Answer::Pinned(digest.clone()));
        }
        let puller = Registry::in_steps(exec, &repository, PATIENCE).puller();
        let ask = |version: &str| PATIENCE.run(|| puller.digest(version));
        let found = match pinned.map(|digest| ask(digest.as_str())) {
            Some(Ok(None)) => ask(tag).map(|found| found.map(Answer::StandIn)),
            Some(found) => found.map(|found| found.map(Answer::Pinned)),
            None => ask(tag).map(|found| found.map(Answer::Tagged)),
        };
        exec::check()?;
        Ok(match found {
            Ok(Some(answer)) => answer,
            Ok(None) => Answer::Unknown("its registry says that there is no such image".to_owned()),
            Err(why) => Answer::Unknown(format!("{why:#}")),
        })
    }

    fn decide(&self, answer: Answer) -> Decision {
        let name = self.image.name();
        let is_other = self.image != self.from;
        match answer {
            Answer::Pinned(digest) => Decision {
                context: is_other.then(|| self.image.reference.clone()),
                digest: Some(digest),
                note: None,
            },
            Answer::Tagged(digest) => Decision {
                context: Some(format!("{name}@{digest}")),
                digest: Some(digest),
                note: None,
            },
            Answer::StandIn(digest) => Decision {
                context: Some(format!("{name}@{digest}")),
                digest: None,
                note: Some(format!(
                    "the test bed lacks `{}`: its stand-in for `{name}` takes that place, and the image names \
                     no digest of its base",
                    self.image.reference
                )),
            },
            Answer::Unknown(why) => Decision {
                context: is_other.then(|| self.image.reference.clone()),
                digest: None,
                note: Some(format!(
                    "the digest of `{name}` is not known, so the build takes what the builder has under this tag: {why}"
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "docker.io/library/node:20-alpine";

    #[test]
    fn the_base_is_known_by_the_digest_that_the_build_gets() {
        let digest = Digest::of(b"index");
        let pinned = format!("{NODE}@{digest}");
        let other = "docker.io/library/node:22-alpine";
        let of = |from: &str, context: Option<&str>| {
            let sources = Sources {
                contexts: context
                    .map(|it| (from.to_owned(), it.to_owned()))
                    .into_iter()
                    .collect(),
                ..Sources::default()
            };
            let base = Base::parse(from).unwrap();
            let found = sources.base_by_digest(Some(&base));
            found.map(|base| base.reference)
        };
        assert_eq!(of(NODE, Some(&pinned)).as_ref(), Some(&pinned));
        assert_eq!(of(&pinned, None).as_ref(), Some(&pinned));
        assert_eq!(of(NODE, None), None);
        assert_eq!(of(&pinned, Some(other)), None);
        assert_eq!(Sources::default().base_by_digest(None), None);
    }

    #[test]
    fn the_build_gets_a_digest_where_one_is_known() {
        let digest = Digest::of(b"index");
        let base = |reference: &str| Base::parse(reference).unwrap();
        let (plain, other) = (base(NODE), base("docker.io/library/node:22-alpine"));
        let pinned = base(&format!("{NODE}@{digest}"));
        let by = |base: &Base| Some(format!("{}@{digest}", base.name()));
        let known = || Some(digest.clone());
        let lost = || Answer::Unknown("no route".to_owned());
        for (from, image, answer, context, label, note) in [
            (
                &pinned,
                &pinned,
                Answer::Pinned(digest.clone()),
                None,
                known(),
                "",
            ),
            (
                &plain,
                &plain,
                Answer::Tagged(digest.clone()),
                by(&plain),
                known(),
                "",
            ),
            (
                &plain,
                &plain,
                lost(),
                None,
                None,
                "not known, so the build takes",
            ),
            (
                &plain,
                &other,
                Answer::Tagged(digest.clone()),
                by(&other),
                known(),
                "",
            ),
            (
                &pinned,
                &other,
                Answer::Tagged(digest.clone()),
                by(&other),
                known(),
                "",
            ),
            (
                &pinned,
                &other,
                lost(),
                Some(other.reference.clone()),
                None,
                "no route",
            ),
            (
                &pinned,
                &pinned,
                Answer::StandIn(digest.clone()),
                by(&plain),
                None,
                "its stand-in for",
            ),
            (&pinned, &pinned, lost(), None, None, "no route"),
        ] {
            let wanted = Wanted { from, image };
            let said = format!("{from:?} {image:?} {answer:?}");
            let decision = wanted.decide(answer);
            assert_eq!(
                (decision.context, decision.digest),
                (context, label),
                "{said}"
            );
            let told = decision.note.unwrap_or_default();
            assert_eq!(told.is_empty(), note.is_empty(), "{said}");
            assert!(told.contains(note), "{told}");
        }
    }
}
