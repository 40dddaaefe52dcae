//! What a scanner says of itself on stderr: lines with a level, as `2026-11-29T18:53:07Z<tab>FATAL<tab>…` (trivy) and
//! `[0049] ERROR …` (grype).

use xtask::printable;

/// How many warnings are shown.
const SHOWN: usize = 3;

/// Why a scanner failed, from what it said: from its last error on, or else its last line.
pub(super) fn reason(said: &str) -> String {
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let at = lines.iter().rposition(|line| is_error(line));
    let from = at.unwrap_or(lines.len().saturating_sub(1));
    let words: Vec<&str> = lines[from.min(lines.len())..]
        .iter()
        .map(|line| message(line))
        .collect();
    if words.is_empty() {
        return "it says nothing".to_owned();
    }
    printable::short(&words.join(" "))
}

/// The first error of a scanner that ended well all the same: its report may lack something
/// (aquasecurity/trivy#3538). What it says of its database is judged by the database's age: it has several sources,
/// and an older copy.
pub(super) fn error(said: &str) -> Option<String> {
    let errors = said.lines().filter(|line| is_error(line));
    let mut errors = errors.map(message).filter(|text| !is_of_database(text));
    errors.next().map(printable::short)
}

/// Its first warnings.
pub(super) fn warnings(said: &str) -> Vec<String> {
    let warnings = said.lines().filter(|line| level(line) == Some("WARN"));
    let warnings = warnings.map(|line| printable::short(message(line)));
    warnings.take(SHOWN).collect()
}

fn is_error(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    matches!(level(line), Some("ERROR" | "FATAL"))
        || matches!(first, "ERROR" | "FATAL" | "Error:" | "error:" | "panic:")
}

fn is_of_database(text: &str) -> bool {
    text.contains("[vulndb]") || text.contains("vulnerability database")
}

/// The second word.
fn level(line: &str) -> Option<&str> {
    line.split_whitespace().nth(1)
}

/// A line without its time and level.
fn message(line: &str) -> &str {
    let Some(level) = level(line).filter(|level| ["ERROR", "FATAL", "WARN"].contains(level)) else {
        return line.trim();
    };
    line.split_once(level).map_or(line, |(_, rest)| rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scanners_words_are_found_and_shown_safely() {
        // aquasecurity/trivy-db#442, as trivy 0.76 says it.
        let trivy = "2026-11-29T18:53:07Z\tINFO\t[vulndb] Need to update DB\n\
                     2026-11-29T18:53:07Z\tERROR\t[vulndb] Failed to download artifact\n\
                     2026-11-29T18:53:07Z\tFATAL\tFatal error\trun error: init error:\n\t* TOOMANYREQUESTS \u{1b}[2J\n\n";
        // anchore/grype#3586.
        let grype = "[0049] ERROR unable to update vulnerability database: constraint failed\n";
        let old = "db could not be loaded: the vulnerability database was built 6 days ago (max allowed age is 5 days)";
        for (said, why, left) in [
            (
                trivy,
                "Fatal error run error: init error: * TOOMANYREQUESTS \\u{1b}[2J",
                Some("Fatal error run error: init error:"),
            ),
            (
                grype,
                "unable to update vulnerability database: constraint failed",
                None,
            ),
            (old, old, None),
            ("", "it says nothing", None),
            ("\n \n", "it says nothing", None),
            // aquasecurity/trivy#3538.
            (
                "2023-02-01T14:17:48.139Z\tERROR\tUnable to initialize the Java DB\n",
                "Unable to initialize the Java DB",
                Some("Unable to initialize the Java DB"),
            ),
            (
                "panic: nil\ngoroutine 1",
                "panic: nil goroutine 1",
                Some("panic: nil"),
            ),
            ("all is well\n", "all is well", None),
        ] {
            assert_eq!(reason(said), why);
            assert_eq!(error(said).as_deref(), left, "{said}");
        }
        let long = format!("x\tWARN\t{}\n", "y".repeat(1000)).repeat(9);
        let warnings = warnings(&long);
        assert_eq!(warnings.len(), SHOWN);
        assert!(warnings[0].chars().count() < 310);
    }
}
