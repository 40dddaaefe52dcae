//! How a status looks on a terminal.

use anstyle::{AnsiColor, Style};

use crate::check::Status;

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
