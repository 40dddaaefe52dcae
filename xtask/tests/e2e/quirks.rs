//! What registries do that the real one of the tests does not: a small registry of quirks in front of it, and
//! a table of quirk, command and what must come out.
//!
//! Each habit is from a public report or from a standard. `QUIRKS=part` runs only the rows that have the
//! part in them, such as a name or a command.

mod auth;
mod http;
mod pages;
mod row;
mod rows;
mod rule;
mod run;
mod scene;
mod stand;
mod tls;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use self::row::Crane;
use self::run::Runner;
use self::scene::Scene;

/// Rows at a time; most of them wait for a process or a pause.
const AT_A_TIME: usize = 6;

#[test]
fn every_quirk_comes_out_as_the_table_says() {
    let scene = Scene::new();
    let runner = Runner::new(&scene);
    let only = std::env::var("QUIRKS").unwrap_or_default();
    let rows = rows::all().into_iter();
    let rows = rows.filter(|row| format!("{row:?}").contains(&only));
    let rows: Vec<_> = rows.collect();
    let next = Mutex::new(rows.iter());
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let Some(row) = next.lock().unwrap().next() else {
                        return;
                    };
                    let begun = std::time::Instant::now();
                    let found = runner.row(row);
                    eprintln!(
                        "ROW {:?} {} {}",
                        begun.elapsed(),
                        row.name,
                        if found.is_empty() { "ok" } else { "WRONG" }
                    );
                    if !found.is_empty() {
                        wrong
                            .lock()
                            .unwrap()
                            .push(format!("{}\n{}", row.name, found.join("\n")));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
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
