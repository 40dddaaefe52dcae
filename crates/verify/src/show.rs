//! How results are shown: a table by group for people, Markdown for a step summary, what to type
//! next, and what every check is about.

mod explain;
mod markdown;
mod next;
mod table;
pub(super) mod text;

use anstyle::{AnsiColor, Style};

pub(crate) use self::explain::{Catalogue, list};
pub(crate) use self::markdown::markdown;
pub(crate) use self::next::{again, notes};
pub(crate) use self::table::table;
use super::check::Status;

/// A status' colour.
pub(crate) fn style(status: Status) -> Style {
    let color = match status {
        Status::Passed => AnsiColor::Green,
        Status::Failed => return Style::new().bold().fg_color(Some(AnsiColor::Red.into())),
        Status::Unproven => AnsiColor::Red,
        Status::NotExecuted => AnsiColor::Yellow,
        Status::NotApplicable | Status::Skipped => return Style::new().dimmed(),
    };
    Style::new().fg_color(Some(color.into()))
}

/// A status in its colour, padded.
pub(crate) fn painted(status: Status, width: usize) -> String {
    let style = style(status);
    format!("{style}{:width$}{style:#}", status.as_str())
}
