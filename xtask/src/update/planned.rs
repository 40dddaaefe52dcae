//! What a run would do, as plain data: the same for `--check`, `--dry-run` and the move.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use super::row::Row;
use crate::stop::Stop;

/// The longest subject line of a commit's message.
const SUBJECT_LINE: usize = 72;

/// What an image is made of, in the order in which it is moved: a base's digest comes after its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Subject {
    /// Claude Code, for both architectures
    Claude,
    /// The version of Node.js that the base's tag names, with `--node`
    Node,
    /// The compiler: the Rust image's tag, `rust-version` and the toolchain
    Rust,
    /// The digests of the images that the Dockerfile names
    Bases,
    /// The day whose Alpine packages are installed
    Packages,
    /// The crates that Cargo.lock has, as `cargo update` moves them
    Crates,
    /// The actions that the workflows use, within their major versions
    Actions,
}

/// What a subject, or all of them, would do.
#[derive(Debug, Default)]
pub(super) struct Planned {
    pub(super) rows: Vec<Row>,
    pub(super) moves: Vec<Move>,
    /// Whole new files, by their paths relative to the workspace. None of Claude Code's locks unless the move is to
    /// be made: only npm can make them.
    pub(super) files: Vec<(PathBuf, Vec<u8>)>,
    pub(super) passed_over: Vec<PassedOver>,
    /// What could not be asked, and why: it may be behind, and nothing is moved.
    pub(super) unasked: Vec<String>,
}

/// One pin that goes to something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Move {
    pub(super) what: String,
    pub(super) from: String,
    pub(super) to: String,
    /// What else is known of `to`, such as when it was published. Nothing in it is free text of others.
    pub(super) about: Option<String>,
    /// What a rebuild changes, with sizes where they are known.
    pub(super) changes: String,
}

/// Something newer that is not moved to.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct PassedOver {
    pub(super) what: String,
    pub(super) version: String,
    pub(super) why: String,
}

impl Planned {
    /// A row, and nothing to move.
    pub(super) fn of(row: Row) -> Planned {
        Planned {
            rows: vec![row],
            ..Planned::default()
        }
    }

    /// A row that is behind, and its move to `to`. What it is, its pin and its changes are the row's.
    pub(super) fn behind(row: Row, to: String, about: Option<String>) -> Planned {
        let moving = Move {
            what: row.what.clone(),
            from: row.pinned.clone(),
            to: to.clone(),
            about,
            changes: row.changes.clone(),
        };
        let mut planned = Planned::of(Row {
            newest: Some(to),
            is_behind: Some(true),
            ..row
        });
        planned.moves.push(moving);
        planned
    }

    /// Of a subject for which somebody could not be asked.
    ///
    /// Fails with the error itself when it is a [`Stop`]: neither an interruption nor a refusal is a row.
    pub(super) fn unasked(row: Row, whom: &str, error: anyhow::Error) -> anyhow::Result<Planned> {
        if error.is::<Stop>() {
            return Err(error);
        }
        let why = format!("{whom} could not be asked: {error:#}");
        Ok(Planned {
            unasked: vec![format!("{}: {why}", row.what)],
            rows: vec![row.with_note(why)],
            ..Planned::default()
        })
    }

    /// Adds what another subject would do. A file of both is the later one's, who has read it from the earlier.
    pub(super) fn extend(&mut self, other: Planned) {
        self.rows.extend(other.rows);
        self.moves.extend(other.moves);
        self.files
            .retain(|(path, _)| other.files.iter().all(|(new, _)| new != path));
        self.files.extend(other.files);
        self.passed_over.extend(other.passed_over);
        self.unasked.extend(other.unasked);
    }

    /// The commit's message; none when nothing is moved.
    pub(super) fn message(&self) -> Option<String> {
        // What changes the same is listed together: there may be dozens of crates.
        let groups = self.moves.chunk_by(|one, next| one.changes == next.changes);
        let bodies = groups.map(|group| {
            let lines = group.iter().map(|one| {
                let about = one.about.as_ref().map(|about| format!(", {about}"));
                let about = about.unwrap_or_default();
                format!("{}: {} → {}{about}.\n", one.what, one.from, one.to)
            });
            let changes = &group[0].changes;
            format!(
                "\n{}A rebuild changes {changes}.\n",
                lines.collect::<String>()
            )
        });
        let bodies: String = bodies.collect();
        Some(format!("{}\n{bodies}", subject_line(&self.moves)?))
    }
}

/// The first line of the message that still fits; none when nothing is moved.
fn subject_line(moves: &[Move]) -> Option<String> {
    let [first, ..] = moves else {
        return None;
    };
    let fits = |line: &String| line.chars().count() <= SUBJECT_LINE;
    let list = |name: fn(&Move) -> String| format!("Move {}", listed(moves.iter().map(name)));
    let Move { what, from, to, .. } = first;
    let whole = (moves.len() == 1).then(|| format!("Move {what} from {from} to {to}"));
    let lines = whole.into_iter().chain([
        list(|one| format!("{} to {}", one.what, one.to)),
        list(|one| one.what.clone()),
    ]);
    let short = lines.into_iter().find(fits);
    Some(short.unwrap_or_else(|| match moves.len() {
        1 => "Move a pin of the image".to_owned(),
        count => format!("Move {count} pins of the image"),
    }))
}

/// `a, b and c`.
fn listed(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    match names.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moving(what: &str, from: &str, to: &str, about: Option<&str>) -> Move {
        Move {
            what: what.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            about: about.map(str::to_owned),
            changes: "its layer".to_owned(),
        }
    }

    #[test]
    fn the_subject_line_says_as_much_as_fits() {
        let claude = || moving("Claude Code", "2.1.330", "2.1.333", None);
        let rust = || moving("Rust", "1.95.0", "1.96.1", None);
        let image = |name: &str| {
            let what = format!("image {name}");
            moving(&what, "5d1c6a2f0b3e", "0123456789ab", None)
        };
        let images = ["node:20-alpine", "rust:1.95-alpine3.23"].map(image);
        let [node, _] = ["node:20-alpine", ""].map(image);
        for (moves, line) in [
            (vec![], None),
            (
                vec![claude()],
                Some("Move Claude Code from 2.1.330 to 2.1.333"),
            ),
            (
                vec![claude(), rust()],
                Some("Move Claude Code to 2.1.333 and Rust to 1.96.1"),
            ),
            (
                vec![claude(), rust(), node],
                Some("Move Claude Code, Rust and image node:20-alpine"),
            ),
            (
                [vec![claude(), rust()], images.into()].concat(),
                Some("Move 4 pins of the image"),
            ),
            (
                vec![image(&"x".repeat(70))],
                Some("Move a pin of the image"),
            ),
        ] {
            assert_eq!(subject_line(&moves).as_deref(), line);
        }
    }

    #[test]
    fn the_message_has_a_line_for_each_move() {
        let planned = Planned {
            moves: vec![
                moving(
                    "Claude Code",
                    "1.0.0",
                    "1.0.1",
                    Some("published on 2026-11-21"),
                ),
                moving("Rust", "1.95.0", "1.96.0", None),
            ],
            ..Planned::default()
        };
        assert_eq!(
            planned.message().unwrap(),
            "Move Claude Code to 1.0.1 and Rust to 1.96.0\n\nClaude Code: 1.0.0 → 1.0.1, published on 2026-11-21.\n\
             Rust: 1.95.0 → 1.96.0.\nA rebuild changes its layer.\n"
        );
        assert_eq!(Planned::default().message(), None);
    }

    #[test]
    fn a_row_that_is_behind_says_what_its_move_says() {
        let mut row = Row::unknown("Rust", "1.95.0");
        row.changes = "its layer".to_owned();
        let about = "made on 2026-11-21";
        let planned = Planned::behind(row, "1.96.0".to_owned(), Some(about.to_owned()));
        assert_eq!(
            planned.moves,
            [moving("Rust", "1.95.0", "1.96.0", Some(about))]
        );
        let [row] = planned.rows.as_slice() else {
            panic!("{:?}", planned.rows);
        };
        assert_eq!(
            (&*row.what, &*row.pinned, row.newest.as_deref()),
            ("Rust", "1.95.0", Some("1.96.0"))
        );
        assert_eq!((&*row.changes, row.is_behind), ("its layer", Some(true)));
    }

    #[test]
    fn an_interruption_is_no_row() {
        let row = || Row::unknown("Rust", "1.95.0");
        let stop = anyhow::Error::from(Stop::Interrupted(2));
        let error = Planned::unasked(row(), "its registry", stop).unwrap_err();
        assert!(error.is::<Stop>());
        let planned = Planned::unasked(row(), "its registry", anyhow::anyhow!("no route")).unwrap();
        let why = "its registry could not be asked: no route";
        assert_eq!(planned.unasked, [format!("Rust: {why}")]);
        assert_eq!(planned.rows[0].notes, [why]);
    }

    #[test]
    fn a_file_of_two_subjects_is_the_later_ones() {
        let of = |text: &str| Planned {
            files: vec![("Cargo.toml".into(), text.into())],
            ..Planned::default()
        };
        let mut planned = of("one");
        planned.extend(of("two"));
        assert_eq!(planned.files, of("two").files);
    }
}
