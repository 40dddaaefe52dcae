//! `--list`: every check, explained.

use std::fmt::Write as _;

use anstyle::Style;
use serde::Serialize;
use xtask::oci::Digest;

use crate::check::{Check, How};

/// Every check, explained, as `--list --json` prints it.
#[derive(Serialize)]
pub(crate) struct Catalogue {
    schema: u32,
    /// The hash of the checks.
    check_set: &'static Digest,
    checks: Vec<Explained>,
}

/// One check, explained.
#[derive(Serialize)]
struct Explained {
    id: &'static str,
    group: &'static str,
    /// What holds when it passes.
    proves: &'static str,
    /// Where it is asked for.
    source: &'static str,
    /// What it inspects.
    looks: &'static str,
    /// What to do when it fails.
    remedy: &'static str,
}

impl Catalogue {
    pub(crate) fn of(
        checks: impl Iterator<Item = &'static Check>,
        check_set: &'static Digest,
    ) -> Catalogue {
        Catalogue {
            schema: 1,
            check_set,
            checks: checks.map(Explained::of).collect(),
        }
    }
}

impl Explained {
    fn of(check: &'static Check) -> Explained {
        Explained {
            id: check.id,
            group: check.group(),
            proves: check.proves,
            source: check.source,
            looks: looks(&check.how),
            remedy: check.remedy,
        }
    }
}

/// What a check inspects, in words.
fn looks(how: &How) -> &'static str {
    match how {
        How::Files(_) => "at the image's files, configuration and index, without a container",
        How::Exec(..) => "at a command in the one container of the contract",
        How::Session(_) => "at what is typed in `docker run --rm -it IMAGE bash`",
        How::Containers(_) | How::Waiting(_) => "at containers of its own",
        How::Alone(_) => "at containers of its own, with nothing else running",
    }
}

/// Every check, explained for people.
pub(crate) fn list(checks: impl Iterator<Item = &'static Check>) -> String {
    let bold = Style::new().bold();
    let mut text = String::new();
    let mut count = 0;
    for one in checks.map(Explained::of) {
        count += 1;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{bold}{}{bold:#}", one.id);
        for (name, value) in [
            ("proves", one.proves),
            ("source", one.source),
            ("looks", one.looks),
            ("hint", one.remedy),
        ] {
            let _ = writeln!(text, "  {name:6}  {value}");
        }
        text.push('\n');
    }
    let s = if count == 1 { "" } else { "s" };
    let _ = writeln!(
        text,
        "{count} check{s}; `--only` and `--skip` take ids, and groups (an id's first word)"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_set::check_set;
    use crate::checks::catalogue;

    #[test]
    fn every_check_is_explained() {
        let text = anstream::adapter::strip_str(&list(catalogue())).to_string();
        for check in catalogue() {
            let first = format!("{}\n  proves  {}\n", check.id, check.proves);
            assert!(text.contains(&first), "{}", check.id);
            assert!(text.contains(&format!("  hint    {}\n", check.remedy)));
        }
        let count = catalogue().count();
        assert!(text.contains(&format!("\n{count} checks; ")), "{text}");
        assert!(list(catalogue().take(1)).contains("1 check; "));
    }

    #[test]
    fn programs_get_the_same() {
        let all = Catalogue::of(catalogue(), check_set());
        let value = serde_json::to_value(all).unwrap();
        assert_eq!(value["schema"], 1);
        let first = &value["checks"][0];
        for field in ["id", "group", "proves", "source", "looks", "remedy"] {
            assert!(first[field].is_string(), "{field}: {first}");
        }
    }
}
