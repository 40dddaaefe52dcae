//! The actions that the workflows are pinned to, by commit. Their repositories are asked through git, and so with the
//! user's configuration of it; nothing is downloaded.

mod pins;
mod tags;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use self::pins::{Line, Pin};
use self::tags::{Choice, Tags};
use super::files::Files;
use super::planned::{Move, Planned};
use super::row::Row;
use crate::ctx::Ctx;
use crate::git;

/// Where workflows are, and the pages that may show one of their actions.
const PLACES: [(&str, &[&str]); 2] = [(".github/workflows", &["yml", "yaml"]), ("docs", &["md"])];

/// Where an action is found by its name.
const SERVER: &str = "https://github.com";

/// What the workflows use.
#[derive(Debug, Default)]
struct Used {
    /// Each with the workflows that it is in.
    pins: BTreeSet<Pin>,
    /// Lines that use an action in another form.
    odd: Vec<String>,
}

/// Asks each action's repository for its tags, and plans the moves. git knows no age of a tag: `minimum-age` does not
/// hold here.
pub(super) fn plan(ctx: &Ctx, files: &Files) -> anyhow::Result<Planned> {
    let texts = texts(&ctx.root, files)?;
    let used = used(&texts);
    let mut found: BTreeMap<&str, Tags> = BTreeMap::new();
    for pin in &used.pins {
        if found.contains_key(&*pin.repository) {
            continue;
        }
        crate::say::errln!("asking for the tags of the action `{}`", pin.repository);
        let url = format!("{SERVER}/{}", pin.repository);
        match git::ls_remote(&ctx.exec, &url, &["refs/tags/v*".to_owned()])? {
            Ok(references) => found.insert(&pin.repository, tags::tags(&references)),
            Err(why) => {
                let row = Row::unknown("actions", format!("{} pins", used.pins.len()));
                let whom = format!("`{url}`");
                return Planned::unasked(row, &whom, anyhow!("{why}"));
            }
        };
    }
    let choose = |pin: &Pin| {
        let choice = tags::choose(pin, found.get(&*pin.repository).unwrap_or(&Tags::new()));
        (pin.clone(), choice)
    };
    let choices = used.pins.iter().map(choose).collect();
    Ok(planned(&choices, &used.odd, &texts))
}

/// The texts of the workflows and the pages, by their paths relative to the workspace.
fn texts(root: &Path, files: &Files) -> anyhow::Result<BTreeMap<PathBuf, String>> {
    let mut texts = BTreeMap::new();
    for (folder, extensions) in PLACES {
        let entries = match fs::read_dir(root.join(folder)) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries.with_context(|| format!("failed to read the folder `{folder}`"))?,
        };
        for entry in entries {
            let path = entry
                .with_context(|| format!("failed to read the folder `{folder}`"))?
                .path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            let name = path.file_name().unwrap_or_default();
            if extension.is_some_and(|extension| extensions.contains(&extension)) {
                let path = Path::new(folder).join(name);
                let text = files.text(&path)?;
                texts.extend(text.map(|text| (path, text)));
            }
        }
    }
    Ok(texts)
}

/// What the workflows use. A page alone pins nothing: its examples may be made up.
fn used(texts: &BTreeMap<PathBuf, String>) -> Used {
    let mut used = Used::default();
    for (path, text) in texts
        .iter()
        .filter(|(path, _)| path.starts_with(PLACES[0].0))
    {
        for line in text.lines() {
            match pins::read(line) {
                Line::Pin(pin) => {
                    used.pins.insert(pin);
                }
                Line::Odd(what) => used.odd.push(format!(
                    "`{}` uses `{what}`, which is not pinned by a full commit with its version in a comment: it is not moved",
                    path.display()
                )),
                Line::Other => {}
            }
        }
    }
    used
}

/// Rows for what is behind or needs a person, one for the rest, and the edited files.
fn planned(
    choices: &BTreeMap<Pin, Choice>,
    odd: &[String],
    texts: &BTreeMap<PathBuf, String>,
) -> Planned {
    let mut planned = Planned::default();
    let mut current = 0;
    for (pin, choice) in choices {
        if choice.to.is_none() && choice.notes.is_empty() {
            current += 1;
        } else {
            planned.rows.push(row(pin, choice));
        }
    }
    let rest = Row {
        newest: Some("the same".to_owned()),
        notes: odd.to_vec(),
        ..Row::unknown("actions", format!("{current} of {} pins", choices.len())).current()
    };
    if current > 0 || !odd.is_empty() {
        planned.rows.push(rest);
    }
    let moves = choices
        .iter()
        .filter_map(|(pin, choice)| Some((pin, choice.to.as_ref()?)));
    let moves: BTreeMap<Pin, Pin> = moves.map(|(from, to)| (from.clone(), to.clone())).collect();
    planned.moves = moves.iter().map(|(from, to)| moving(from, to)).collect();
    let edited = texts
        .iter()
        .map(|(path, text)| (path, text, pins::edited(text, &moves)));
    let edited = edited.filter(|(_, old, new)| *old != new);
    planned.files = edited
        .map(|(path, _, new)| (path.clone(), new.into_bytes()))
        .collect();
    planned
}

fn row(pin: &Pin, choice: &Choice) -> Row {
    let is_behind = choice.to.is_some();
    let unchanged = if is_behind {
        "nothing in the image"
    } else {
        "nothing: it stays"
    };
    Row {
        newest: choice.newest.as_ref().map(|version| format!("v{version}")),
        is_behind: Some(is_behind),
        changes: unchanged.to_owned(),
        notes: choice.notes.clone(),
        remedy: is_behind.then(|| "`cargo xtask update actions`".to_owned()),
        ..Row::unknown(
            format!("action {}", pin.repository),
            format!("v{}", pin.version),
        )
    }
}

fn moving(from: &Pin, to: &Pin) -> Move {
    Move {
        what: format!("action {}", from.repository),
        from: format!("v{}", from.version),
        to: format!("v{}", to.version),
        about: Some(format!("commit {}", to.id)),
        changes: "nothing in the image".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(repository: &str, letter: &str, version: &str) -> String {
        format!(
            "      - uses: {repository}@{} # v{version}\n",
            letter.repeat(40)
        )
    }

    fn pin(text: &str) -> Pin {
        match pins::read(text) {
            Line::Pin(pin) => pin,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_place_of_an_action_moves_and_nothing_else() {
        let (old, new) = (line("a/b", "a", "1.0.0"), line("a/b", "b", "1.1.0"));
        let (other, made_up) = (line("c/d", "c", "2.0.0"), line("x/y", "0", "1.0.0"));
        let texts = BTreeMap::from(
            [
                (".github/workflows/one.yml", format!("{old}{other}")),
                (
                    ".github/workflows/two.yaml",
                    format!("{old}- uses: e/f@main\n"),
                ),
                (".github/workflows/three.yml", other.clone()),
                ("docs/example.md", format!("{made_up}{old}")),
            ]
            .map(|(path, text)| (PathBuf::from(path), text)),
        );
        let used = used(&texts);
        assert_eq!(used.pins, BTreeSet::from([pin(&old), pin(&other)]));
        assert_eq!(used.odd.len(), 1, "{:?}", used.odd);
        let choice = |to: Option<Pin>| Choice {
            newest: to.as_ref().map(|to| to.version.clone()),
            to,
            notes: Vec::new(),
        };
        let choices = BTreeMap::from([
            (pin(&old), choice(Some(pin(&new)))),
            (pin(&other), choice(None)),
        ]);
        let planned = planned(&choices, &used.odd, &texts);
        let files: Vec<(String, String)> = planned
            .files
            .into_iter()
            .map(|(path, text)| (path.display().to_string(), String::from_utf8(text).unwrap()))
            .collect();
        let expected = [
            (".github/workflows/one.yml", format!("{new}{other}")),
            (
                ".github/workflows/two.yaml",
                format!("{new}- uses: e/f@main\n"),
            ),
            ("docs/example.md", format!("{made_up}{new}")),
        ];
        assert_eq!(files, expected.map(|(path, text)| (path.to_owned(), text)));
        let rows: Vec<(&str, Option<bool>)> = planned
            .rows
            .iter()
            .map(|row| (&*row.what, row.is_behind))
            .collect();
        assert_eq!(rows, [("action a/b", Some(true)), ("actions", Some(false))]);
        assert_eq!(planned.moves.len(), 1);
    }
}
