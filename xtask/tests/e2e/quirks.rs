//! What registries do that the real one of the tests does not: a small registry of quirks in front of it, and
//! a table of quirk, command and what must come out.
//!
//! Each habit is from a public report or from a standard. `QUIRKS=part` runs only the rows that have the
//! part in them, such as a name or a command. The gate runs the first command of each row.

mod auth;
mod crane;
mod http;
mod judge;
mod pages;
mod row;
mod rows;
mod rule;
mod run;
mod scene;
mod seen;
mod session;
mod stand;
mod tls;

use std::collections::BTreeSet;

use self::row::Crane;
use self::run::Runner;
use self::scene::Scene;
use crate::world::{root, some_at_a_time};

/// Rows at a time; most of them wait for a process or a pause.
const AT_A_TIME: usize = 6;

#[test]
fn every_quirk_comes_out_as_the_table_says() {
    come_out(1);
}

#[test]
#[ignore = "the same with every command of a row: `cargo xtask test --all`"]
fn every_quirk_comes_out_so_for_every_command() {
    come_out(usize::MAX);
}

/// Runs every row, each with so many of its commands at most.
fn come_out(most: usize) {
    let scene = Scene::new();
    let runner = Runner::new(&scene);
    let only = std::env::var("QUIRKS").unwrap_or_default();
    let rows = rows::all().into_iter();
    let rows = rows.filter(|row| format!("{row:?}").contains(&only));
    let rows: Vec<_> = rows.collect();
    let wrong = some_at_a_time(AT_A_TIME, &rows, |row| {
        let found = runner.row(row, most);
        (!found.is_empty()).then(|| format!("{}\n{}", row.name, found.join("\n")))
    });
    assert!(
        wrong.is_empty(),
        "{} of {} rows are wrong:\n\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n\n")
    );
}

#[test]
fn every_row_has_a_name_of_its_own_and_a_source() {
    let rows = rows::all();
    let names: BTreeSet<_> = rows.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows.len());
    for row in rows {
        let is_said = match row.crane {
            Crane::Agrees(args) => !args.is_empty(),
            Crane::Differs(_, why) | Crane::None(why) => !why.is_empty(),
        };
        let has_source = !row.source.is_empty() && !row.runs.is_empty();
        assert!(has_source && is_said, "{}", row.name);
    }
}

/// Each line of its tables says that a row exercises it, or that it is read in a manual.
#[test]
fn docs_say_no_more_of_registries_than_is_known() {
    let text = std::fs::read_to_string(root().join("docs/registries.md")).unwrap();
    let (known, _) = text.split_once("\n## Credentials\n").unwrap();
    let names: BTreeSet<_> = rows::all().iter().map(|row| row.name).collect();
    let lines = known.lines().filter(|line| line.starts_with("| "));
    let mut count = 0;
    for line in lines.filter(|line| !line.starts_with("| what") && !line.starts_with("| ---")) {
        let source = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        if source == "manual" {
            continue;
        }
        let list = source
            .strip_prefix("stand-in `")
            .unwrap_or_else(|| panic!("{line}"));
        for name in list.trim_end_matches('`').split("`, `") {
            assert!(names.contains(name), "no row is called `{name}`: {line}");
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}
