//! Prints results, as aligned lines for people and as JSON for programs, and writes records.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::printable;

/// Prints `value` on stdout as indented JSON.
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value).context("failed to write the result as JSON")?;
    crate::say::json(&text);
    Ok(())
}

/// Writes a record that everyone may read, whole or not at all. Makes its folder if need be.
pub fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    // A temporary file is for its owner alone. A record has no secrets.
    let everyones = fs::Permissions::from_mode(0o644);
    file.as_file().set_permissions(everyones)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Lines of a name and a value, the values aligned and each on its line, whatever is in it.
pub(crate) fn table(rows: &[(&str, String)]) -> String {
    let width = rows
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    rows.iter()
        .map(|(name, value)| format!("{name:width$}  {}\n", printable::line(value)))
        .collect()
}

/// Rows of cells, each on its line, whatever is in it; every column is as wide as its widest cell.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let shown = rows
        .iter()
        .map(|row| row.each_ref().map(|cell| printable::line(cell)));
    let rows: Vec<[String; N]> = shown.collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or_default());
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(widths);
            let line: String = cells
                .map(|(cell, width)| format!("{cell:width$}  "))
                .collect();
            format!("{}\n", line.trim_end())
        })
        .collect()
}

/// Bytes in the unit that docker prints them in (powers of ten).
pub fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.into_iter().find(|(size, _)| count >= *size) {
        Some((size, unit)) => format!("{}.{} {unit}", count / size, count % size * 10 / size),
        None => format!("{count} B"),
    }
}

/// `12.3 MB more than before`.
pub(crate) fn growth(growth: i64) -> String {
    let count = bytes(growth.unsigned_abs());
    match growth {
        0 => "as before".to_owned(),
        1.. => format!("{count} more than before"),
        _ => format!("{count} less than before"),
    }
}

/// Seconds, rounded to one decimal.
pub fn tenths(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

/// Seconds with one decimal.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_one_column() {
        let rows = [("a", "1".to_owned()), ("long", "2".to_owned())];
        assert_eq!(table(&rows), "a     1\nlong  2\n");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "sha-…", "x"], ["long", "b", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), "a     sha-…  x\nlong  b\n");
    }

    #[test]
    fn growth_has_a_direction() {
        for (bytes, expected) in [
            (0, "as before"),
            (1_500, "1.5 kB more than before"),
            (-7, "7 B less than before"),
        ] {
            assert_eq!(growth(bytes), expected);
        }
    }

    #[test]
    fn bytes_are_counted_in_tens() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (367_940_000, "367.9 MB"),
            (2_050_000_000, "2.0 GB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
