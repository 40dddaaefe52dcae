//! How checks look at an image: its files as a container finds them, and where each comes from.

use std::collections::BTreeMap;

use xtask::build_step;
use xtask::printable::short;

use super::secrets::words;
use crate::check::Verdict;
use crate::facts::ImageFacts;
use crate::rootfs::{Entry, Image, Kind, Visible};
use crate::sandbox::Ran;

/// Links that are followed for one path, as Linux has it.
const MAX_LINKS: usize = 40;

/// The files that a container of the image sees.
pub(super) struct Root<'a> {
    pub(super) image: &'a Image,
    pub(super) files: BTreeMap<&'a str, Visible<'a>>,
}

impl<'a> Root<'a> {
    pub(super) fn of(facts: &'a ImageFacts) -> Root<'a> {
        Root {
            image: &facts.image,
            files: facts.image.files(),
        }
    }

    /// The entry at exactly this path; links are not followed.
    pub(super) fn get(&self, path: &str) -> Option<&'a Entry> {
        self.files.get(path).map(|file| file.entry)
    }

    /// What a program that opens this path gets: symbolic and hard links are followed.
    pub(super) fn follow(&self, path: &str) -> Option<&'a Entry> {
        let mut done: Vec<&str> = Vec::new();
        let mut todo: Vec<&str> = path.split('/').rev().collect();
        let mut links = 0;
        while let Some(name) = todo.pop() {
            match name {
                "" | "." => continue,
                ".." => {
                    done.pop();
                    continue;
                }
                _ => done.push(name),
            }
            let Some(Kind::Symlink(target)) = self.get(&done.join("/")).map(|entry| &entry.kind)
            else {
                continue;
            };
            links += 1;
            if links > MAX_LINKS {
                return None;
            }
            done.pop();
            if target.starts_with('/') {
                done.clear();
            }
            todo.extend(target.split('/').rev());
        }
        self.behind_hardlink(self.files.get(done.join("/").as_str())?)
    }

    /// A hard link's file is in the link's own layer, even where a layer above hides that name.
    fn behind_hardlink(&self, file: &Visible<'a>) -> Option<&'a Entry> {
        let layer: &'a [Entry] = &self.image.layers.get(file.layer)?.entries;
        let mut entry = file.entry;
        for _ in 0..MAX_LINKS {
            let Kind::Hardlink(target) = &entry.kind else {
                return Some(entry);
            };
            let mut others = layer.iter().filter(|other| other.path != entry.path);
            entry = others.find(|other| other.path == *target)?;
        }
        None
    }

    /// The content of a text file, or why there is none.
    pub(super) fn text(&self, path: &str) -> Result<&'a str, String> {
        let entry = self.follow(path);
        let entry = entry.ok_or_else(|| format!("no `/{path}`"))?;
        let text = entry.text.as_deref();
        text.ok_or_else(|| format!("`/{path}` is not a text file"))
    }

    /// The path and its layer, for people.
    pub(super) fn name(&self, file: &Visible<'_>) -> String {
        name(self.image, file.layer, &file.entry.path)
    }

    /// Passes when nothing was found among the paths.
    pub(super) fn none_of(&self, found: &[String], expected: &str) -> Verdict {
        if found.is_empty() {
            return Verdict::passed(format!("none in {} paths", self.files.len()));
        }
        Verdict::none_of(found, expected)
    }
}

/// How many of the layers, counted from below, are the base's: those below the first with Git, or
/// else those up to the one that names the distribution.
pub(super) fn layers_of_base(image: &Image) -> usize {
    let first_with = |path: &str| {
        let has = |entry: &Entry| entry.path == path;
        image
            .layers
            .iter()
            .position(|layer| layer.entries.iter().any(has))
    };
    first_with("usr/bin/git")
        .or_else(|| first_with("etc/os-release").map(|layer| layer + 1))
        .unwrap_or(0)
}

/// A path and its layer, for people.
pub(super) fn name(image: &Image, layer: usize, path: &str) -> String {
    format!("`/{path}` ({})", origin(image, layer))
}

/// A layer, counted from 1, and the line of the Dockerfile that made it.
pub(super) fn origin(image: &Image, layer: usize) -> String {
    let place = format!("layer {} of {}", layer + 1, image.layers.len());
    let steps = build_step::of_layers(&image.config.history, image.layers.len());
    match steps.get(layer).copied().flatten() {
        Some(step) if !step.created_by.is_empty() => {
            format!("{place}: `{}`", line(&step.created_by))
        }
        _ => place,
    }
}

/// A line of the history, short and without secrets.
fn line(created_by: &str) -> String {
    if words::in_step(created_by).is_empty() {
        build_step::line(created_by)
    } else {
        "(a line with a secret)".to_owned()
    }
}

/// `1 file`, `2 files`.
pub(super) fn count(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

/// What was said, its lines in one.
pub(super) fn lines(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines = lines.map(|line| format!("`{}`", short(line)));
    match lines.collect::<Vec<_>>() {
        lines if lines.is_empty() => "nothing".to_owned(),
        lines => lines.join(", "),
    }
}

/// Passes when the command succeeded, printed these lines and wrote nothing to stderr.
pub(super) fn printed(ran: &Ran, expected: &[&str]) -> Verdict {
    let text = expected.join(", ");
    let is_silent = ran.code == 0 && ran.stderr.is_empty();
    match ran.stdout.lines().eq(expected.iter().copied()) {
        true if is_silent => Verdict::passed(text),
        _ if !is_silent => Verdict::failed(ran.describe(), text),
        _ => Verdict::failed(lines(&ran.stdout), text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn links_are_followed_as_a_container_would() {
        let mut facts = fixture::good();
        let links = [
            ("a", "/usr/local"),
            ("usr/local/b", "../local/./bin"),
            ("loop", "loop"),
            ("dangling", "/nowhere"),
            ("up", "../../../usr/bin/git"),
        ];
        for (path, target) in links {
            fixture::add(&mut facts, 7, fixture::symlink(path, target));
        }
        fixture::add(
            &mut facts,
            7,
            fixture::hardlink("h", "usr/local/bin/agent-entrypoint"),
        );
        fixture::add(&mut facts, 7, fixture::hardlink("self", "self"));
        let root = Root::of(&facts);
        for (path, expected) in [
            ("usr/bin/git", Some("usr/bin/git")),
            ("/usr//bin/./git", Some("usr/bin/git")),
            ("a/b/claude", Some("usr/local/bin/claude")),
            ("up", Some("usr/bin/git")),
            ("h", Some("usr/local/bin/agent-entrypoint")),
            ("self", None),
            ("loop", None),
            ("dangling", None),
            ("", None),
        ] {
            let seen = root.follow(path).map(|entry| entry.path.as_str());
            assert_eq!(seen, expected, "{path}");
        }
    }

    #[test]
    fn a_layers_line_is_told_only_where_the_history_fits() {
        let mut facts = fixture::good();
        assert_eq!(
            origin(&facts.image, 7),
            "layer 8 of 8: `COPY /out/ /`",
            "steps without a layer do not count"
        );
        assert_eq!(origin(&facts.image, 0), "layer 1 of 8");
        facts.image.config.history.pop();
        facts.image.config.history.retain(|step| step.empty_layer);
        assert_eq!(origin(&facts.image, 7), "layer 8 of 8");
    }

    #[test]
    fn lines_are_short_and_keep_secrets() {
        for (created_by, expected) in [
            ("", ""),
            (
                "RUN /bin/sh -c set -eu\n  apk add git # buildkit",
                "RUN set -eu apk add git",
            ),
            ("/bin/sh -c #(nop)  CMD [\"node\"]", "CMD [\"node\"]"),
            (
                "/bin/sh -c addgroup -g 1000 node",
                "RUN addgroup -g 1000 node",
            ),
            ("RUN |2 A=b C=d e /bin/sh -c set -eu", "RUN set -eu"),
            ("|1 A=b /bin/sh -c true", "RUN true"),
            ("RUN |1 A=b", "RUN |1 A=b"),
            ("RUN echo `id`", "RUN echo 'id'"),
            ("ARG NPM_TOKEN=abc", "(a line with a secret)"),
        ] {
            assert_eq!(line(created_by), expected);
        }
        let long = line(&"ä".repeat(100));
        assert_eq!(long.chars().count(), 60);
    }
}
