//! How a scan is shown: what the scanner found, the worst in a table, and where its report is.

use std::fmt::Write as _;

use xtask::github::markdown::{code, table, text as escaped};
use xtask::report;

use super::style::style;
use super::text;
use crate::report::words;
use crate::scan::Scan;

/// The columns of the findings.
const HEAD: [&str; 5] = ["severity", "package", "installed", "fixed in", "id"];

/// Below a platform's groups. `width` is that of the first column.
pub(super) fn lines(scan: &Scan, width: usize) -> String {
    let style = style(scan.status);
    let mut shown = format!(
        "  {:width$}  {style}{}{style:#}: {}\n",
        "scan",
        words(scan.status),
        text::line(&scan.seen)
    );
    // Writing to a String cannot fail.
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(shown, "  {name:width$}  {}", text::line(value));
    };
    for (name, value) in [("expected", &scan.expected), ("hint", &scan.remedy)] {
        if let Some(value) = value {
            line("", &format!("{name}: {value}"));
        }
    }
    for (name, value) in [("by", scan.by()), ("report", scan.report.clone())] {
        if let Some(value) = value {
            line("", &format!("{name}: {value}"));
        }
    }
    for note in notes(scan) {
        line("", &format!("note: {note}"));
    }
    let rows = rows(scan);
    if !rows.is_empty() {
        let all: Vec<_> = [HEAD.map(str::to_owned)].into_iter().chain(rows).collect();
        for row in report::columns(&all).lines() {
            let _ = writeln!(shown, "    {row}");
        }
    }
    shown
}

/// The same in a step summary.
pub(super) fn markdown(scan: &Scan) -> String {
    let by = scan.by().map(|by| format!(" ({})", escaped(&by)));
    let mut page = format!(
        "\nScan{}: {}: {}\n",
        by.unwrap_or_default(),
        words(scan.status),
        escaped(&scan.seen)
    );
    for note in notes(scan) {
        let _ = writeln!(page, "\n> note: {}", escaped(&note));
    }
    let rows = rows(scan);
    if !rows.is_empty() {
        let cells = |row: &[String; 5]| row.each_ref().map(|cell| escaped(cell));
        let rows: Vec<_> = rows.iter().map(cells).collect();
        let _ = write!(page, "\n{}", table(HEAD, &rows));
    }
    if let Some(report) = &scan.report {
        let _ = writeln!(page, "\nReport: {}", code(report));
    }
    page
}

/// What is to be known beside the findings.
fn notes(scan: &Scan) -> Vec<String> {
    let mut notes = Vec::new();
    if scan.ignored > 0 {
        notes.push(format!(
            "{} more are hidden by the scanner's own configuration",
            scan.ignored
        ));
    }
    if scan.fail_on.is_none() && scan.is_passed() {
        notes.push("no `fail-on` is set in Cargo.toml: no vulnerability fails the scan".to_owned());
    }
    notes.extend(scan.warnings.iter().map(|said| format!("it warns: {said}")));
    notes
}

/// The worst findings, and how many more there are.
fn rows(scan: &Scan) -> Vec<[String; 5]> {
    let findings = scan.worst.iter().map(|one| {
        let fixed_in = one.fixed_in.as_deref().unwrap_or("no fix");
        let cells = [&*one.package, &one.installed, fixed_in, &one.id];
        let [package, installed, fixed_in, id] = cells.map(text::line);
        [one.severity.to_string(), package, installed, fixed_in, id]
    });
    let more = scan.counts.values().sum::<usize>() - scan.worst.len();
    let more = (more > 0).then(|| {
        let [package, installed, fixed_in, id] = [""; 4].map(str::to_owned);
        [format!("{more} more"), package, installed, fixed_in, id]
    });
    findings.chain(more).collect()
}

#[cfg(test)]
mod tests {
    use xtask::scanner::Scanner;
    use xtask::settings::Severity;

    use super::*;
    use crate::check::Status;
    use crate::scan::samples;

    #[test]
    fn what_was_found_is_shown_and_obeyed_by_nobody() {
        let scan = samples::failed();
        let expected = "  scan      failed: 1 critical, 2 low
            expected: nothing critical
            hint: move on
            by: trivy 0.76.0, database of 2026-11-28
            report: receipts/linux-amd64.trivy.json
            note: 3 more are hidden by the scanner's own configuration
            note: it warns: old \\u{1b}[2J
    severity  package    installed  fixed in  id
    critical  bash\\u{7}  5.2        99.1      CVE-2026-0001
    2 more
";
        let shown = lines(&scan, 8);
        assert_eq!(anstream::adapter::strip_str(&shown).to_string(), expected);
        let page = markdown(&scan);
        assert!(
            page.starts_with(
                "\nScan (trivy 0.76.0, database of 2026-11-28): failed: 1 critical, 2 low\n"
            ),
            "{page}"
        );
        assert!(
            page.contains("\n| severity | package | installed | fixed in | id |\n| --- |"),
            "{page}"
        );
        assert!(
            page.contains("\n| critical | bash\\\\u{7} | 5.2 | 99.1 | CVE-2026-0001 |\n"),
            "{page}"
        );
        assert!(!page.contains('\u{1b}') && !page.contains('\u{7}'));
    }

    #[test]
    fn a_pass_without_a_setting_says_that_nothing_could_fail() {
        let passed = samples::passed(Scanner::Trivy);
        let note = "note: no `fail-on` is set";
        assert!(lines(&passed, 4).contains(note));
        let fail_on = Some(Severity::High);
        assert!(!lines(&Scan { fail_on, ..passed }, 4).contains(note));
    }

    #[test]
    fn without_a_scanner_there_is_nothing_to_list() {
        let scan = Scan {
            scanner: None,
            status: Status::NotExecuted,
            seen: "neither is on PATH".to_owned(),
            fail_on: Some(Severity::High),
            ..samples::passed(Scanner::Grype)
        };
        let shown = anstream::adapter::strip_str(&lines(&scan, 4)).to_string();
        assert_eq!(shown, "  scan  not executed: neither is on PATH\n");
        assert_eq!(
            markdown(&scan),
            "\nScan: not executed: neither is on PATH\n"
        );
    }
}
