//! Where a text pins an action: `uses: OWNER/NAME@COMMIT # vX.Y.Z`, in a workflow or in a page that shows one.

use std::collections::BTreeMap;

use crate::version::Version;

/// An action as a line pins it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pin {
    /// Its repository on GitHub, `OWNER/NAME`.
    pub(super) repository: String,
    /// The full id that is pinned.
    pub(super) id: String,
    /// The version that the comment names.
    pub(super) version: Version,
}

/// What a line says of an action.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Pin(Pin),
    /// It uses an action of another repository in another form; as it is written.
    Odd(String),
    Other,
}

/// Reads a line.
pub(super) fn read(line: &str) -> Line {
    let line = line.trim_start();
    let line = line.strip_prefix("- ").unwrap_or(line).trim_start();
    let Some(rest) = line.strip_prefix("uses:") else {
        return Line::Other;
    };
    let (used, comment) = rest.split_once(" #").unwrap_or((rest, ""));
    let used = used.trim();
    // One of this repository, or an image.
    if used.starts_with(['.', '$']) || used.starts_with("docker://") {
        return Line::Other;
    }
    match pin(used, comment) {
        Some(pin) => Line::Pin(pin),
        None => Line::Odd(used.to_owned()),
    }
}

fn pin(used: &str, comment: &str) -> Option<Pin> {
    let (path, id) = used.split_once('@')?;
    let mut parts = path.split('/');
    let (owner, name) = (parts.next()?, parts.next()?);
    // Each becomes a part of an address.
    let is_word = |word: &str| {
        let is_known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        word.chars().all(is_known) && word.chars().any(|c| c.is_ascii_alphanumeric())
    };
    let is_id = id.len() == 40 && id.bytes().all(|c| c.is_ascii_hexdigit());
    let version = comment.split_whitespace().next()?.strip_prefix('v')?;
    (is_id && is_word(owner) && is_word(name)).then_some(Pin {
        repository: format!("{owner}/{name}"),
        id: id.to_owned(),
        version: version.parse().ok()?,
    })
}

/// The text with each pin of `moves` in the place of the one that it is for. Only what is pinned changes.
pub(super) fn edited(text: &str, moves: &BTreeMap<Pin, Pin>) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        let Line::Pin(old) = read(line) else {
            return line.to_owned();
        };
        match moves.get(&old) {
            Some(new) => line.replacen(&end(&old), &end(new), 1),
            None => line.to_owned(),
        }
    });
    lines.collect()
}

/// How a pin ends; up to the version, whatever stands between.
fn end(pin: &Pin) -> String {
    format!("@{} # v{}", pin.id, pin.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    fn pin(repository: &str, id: &str, version: &str) -> Pin {
        Pin {
            repository: repository.to_owned(),
            id: id.to_owned(),
            version: version.parse().unwrap(),
        }
    }

    #[test]
    fn a_pin_is_a_commit_with_its_version() {
        let pinned = |repository: &str| Line::Pin(pin(repository, ID, "1.2.3"));
        let odd = |used: &str| Line::Odd(used.to_owned());
        for (line, read_as) in [
            (format!("      - uses: a/b@{ID} # v1.2.3"), pinned("a/b")),
            (
                format!("uses: a/b/c@{ID} # v1.2.3 # zizmor: ignore[x] y\n"),
                pinned("a/b"),
            ),
            (
                format!("    uses: A-1/b_.c@{ID} # v1.2.3\r\n"),
                pinned("A-1/b_.c"),
            ),
            (
                "- uses: ./.github/workflows/x.yml # zizmor".to_owned(),
                Line::Other,
            ),
            ("- uses: docker://alpine".to_owned(), Line::Other),
            ("- run: echo uses: a/b".to_owned(), Line::Other),
            ("# uses: a/b@v1".to_owned(), Line::Other),
            ("- uses: a/b@v4".to_owned(), odd("a/b@v4")),
            (format!("- uses: a/b@{ID}"), odd(&format!("a/b@{ID}"))),
            (format!("- uses: a/b@{ID} # v1"), odd(&format!("a/b@{ID}"))),
            (
                format!("- uses: a/b@{ID} # 1.2.3"),
                odd(&format!("a/b@{ID}")),
            ),
            (
                format!("- uses: a/b@{} # v1.2.3", &ID[..39]),
                odd(&format!("a/b@{}", &ID[..39])),
            ),
            (format!("- uses: ../..@{ID} # v1.2.3"), Line::Other),
            (
                format!("- uses: a/..@{ID} # v1.2.3"),
                odd(&format!("a/..@{ID}")),
            ),
            (
                format!("- uses: a/b?x@{ID} # v1.2.3"),
                odd(&format!("a/b?x@{ID}")),
            ),
        ] {
            assert_eq!(read(&line), read_as, "{line}");
        }
    }

    #[test]
    fn nothing_but_the_pin_is_edited() {
        let new = "f".repeat(40);
        let moves = BTreeMap::from([(pin("a/b", ID, "1.2.3"), pin("a/b", &new, "1.3.0"))]);
        let text = format!(
            "steps:\r\n  - uses: a/b@{ID} # v1.2.3 # zizmor: ignore[x]\r\n  - uses: a/b/c@{ID} # v1.2.3\n\
             - uses: x/b@{ID} # v1.2.3\n- uses: a/b@{ID} # v1.2.4\n- run: echo a/b@{ID} # v1.2.3"
        );
        let edited = edited(&text, &moves);
        let expected = text
            .replacen(
                &format!("a/b@{ID} # v1.2.3"),
                &format!("a/b@{new} # v1.3.0"),
                1,
            )
            .replacen(
                &format!("a/b/c@{ID} # v1.2.3"),
                &format!("a/b/c@{new} # v1.3.0"),
                1,
            );
        assert_eq!(edited, expected);
    }
}
