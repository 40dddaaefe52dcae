//! Tables that read well on a terminal and are Markdown as they stand.

use std::io;

/// What stands where nothing was measured.
pub const NOTHING: &str = "–";

pub struct Table {
    title: String,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Table {
    pub fn new(title: impl Into<String>, header: &[&str]) -> Self {
        Self {
            title: title.into(),
            rows: vec![header.iter().map(ToString::to_string).collect()],
            notes: Vec::new(),
        }
    }

    /// Adds a row; what failed leaves its cells empty and its reason under the table.
    pub fn row(&mut self, name: &str, cells: io::Result<Vec<String>>) {
        let width = self.rows[0].len() - 1;
        let cells = cells.unwrap_or_else(|error| {
            self.note(format!("{name}: {error}"));
            vec![NOTHING.to_owned(); width]
        });
        self.rows.push([vec![name.to_owned()], cells].concat());
    }

    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Prints it: names to the left, numbers to the right.
    pub fn print(&self) {
        let columns = self.rows[0].len();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        println!("\n### {}\n", self.title);
        for (number, row) in self.rows.iter().enumerate() {
            let cells = row.iter().zip(&widths).enumerate();
            let cells = cells.map(|(column, (cell, &width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
            if number == 0 {
                let rules = widths
                    .iter()
                    .enumerate()
                    .map(|(column, &width)| match column {
                        0 => format!("{:-<1$}", "", width + 2),
                        _ => format!("{:-<1$}:", "", width + 1),
                    });
                println!("|{}|", rules.collect::<Vec<_>>().join("|"));
            }
        }
        if !self.notes.is_empty() {
            println!();
        }
        for note in &self.notes {
            println!("- {note}");
        }
    }
}
