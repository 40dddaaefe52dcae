//! The table in Markdown: for the summary of a job's step, and for a pull request. What npm, a registry or a
//! repository says stays text in it.

use std::path::Path;

use anyhow::Context as _;

use super::row::{HEAD, Row};
use crate::exec::Exec;
use crate::github::markdown::{self, code, text};
use crate::{github, report};

/// Writes the table to the summary of the step, and to `file` where one is named.
pub(super) fn write(exec: &Exec, rows: &[Row], file: Option<&Path>) -> anyhow::Result<()> {
    let table = table(rows);
    github::write_summary(exec, &format!("### Update\n\n{table}"))?;
    match file {
        None => Ok(()),
        Some(file) => report::write_whole(file, &table)
            .with_context(|| format!("failed to write `{}`", file.display())),
    }
}

fn table(rows: &[Row]) -> String {
    let cells: Vec<[String; 5]> = rows.iter().map(cells).collect();
    let notes = rows.iter().flat_map(|row| {
        let note = |note| format!("- {}: {}\n", text(&row.what), text(note));
        row.notes.iter().map(move |one: &String| note(one))
    });
    let notes: String = notes.collect();
    let table = markdown::table(HEAD, &cells);
    if notes.is_empty() {
        table
    } else {
        format!("{table}\n{notes}")
    }
}

fn cells(row: &Row) -> [String; 5] {
    let [what, pinned, newest, age, changes] = row.cells();
    let newest = match (&row.newest, row.is_behind) {
        (None, _) => newest,
        (Some(_), Some(true)) => format!("**{}**", code(&newest)),
        (Some(_), _) => code(&newest),
    };
    [text(&what), code(&pinned), newest, age, text(&changes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_stays_in_its_cell_and_is_text() {
        let behind = Row {
            newest: Some("1.0.1".to_owned()),
            age_days: Some(3),
            is_behind: Some(true),
            changes: "its layer".to_owned(),
            notes: vec![
                "1.0.2 is passed over: deprecated: | <img src=x> [a](https://b) @octocat\n- x"
                    .to_owned(),
            ],
            ..Row::unknown("Claude Code", "1.0.0")
        };
        assert_eq!(
            table(&[behind, Row::unknown("image a|b", "x`y")]),
            "| what | pinned | newest | age | a rebuild changes |\n| --- | --- | --- | --- | --- |\n\
             | Claude Code | `1.0.0` | **`1.0.1`** | 3 days | its layer |\n\
             | image a\\|b | x\\`y | not known | not known | not known |\n\n\
             - Claude Code: 1.0.2 is passed over: deprecated: \\| &lt;img src=x&gt; \\[a\\](https:&#8203;//b) \
             @&#8203;octocat - x\n"
        );
    }
}
