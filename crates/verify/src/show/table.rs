//! The table of a run, for people.

use std::fmt::Write as _;

use anstyle::Style;

use super::scan;
use super::style::{painted, style};
use super::text;
use crate::check::{Outcome, Status};
use crate::receipt::Execution;
use crate::report::{PlatformReport, Report, counted, words};

/// How many checks and groups of one reason a line names.
const SHOWN: usize = 8;
/// Columns for a status.
const STATUS: usize = 14;

/// The table of a run: a line for each group, then everything that needs a look. With `verbose`
/// every check has its line, too.
pub(crate) fn table(report: &Report, verbose: bool) -> String {
    let mut text = format!(
        "image   {}\ndigest  {}\n",
        text::line(&report.image),
        report.digest
    );
    for one in &report.platforms {
        platform(&mut text, one, verbose);
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n{} in {:.1} s", report.sum(), report.seconds);
    text
}

fn platform(text: &mut String, one: &PlatformReport, verbose: bool) {
    let bold = Style::new().bold();
    let execution = match one.execution {
        Execution::Static => "static: nothing was executed",
        other => other.as_str(),
    };
    let _ = writeln!(
        text,
        "\n{bold}{}{bold:#} ({execution}, {:.1} s)",
        one.platform, one.seconds
    );
    let groups = one.groups();
    let width = groups.iter().map(|(group, _)| group.len()).max();
    let width = width.unwrap_or_default().max("receipt".len());
    let longest = one.results.iter().map(|one| one.id.len()).max();
    let longest = longest.unwrap_or_default();
    for (group, results) in groups {
        let counts = counted(results.iter().map(|one| one.status));
        let counts = counts.into_iter().map(|(status, count)| {
            let style = style(status);
            format!("{style}{count} {}{style:#}", words(status))
        });
        let counts: Vec<String> = counts.collect();
        let _ = writeln!(text, "  {group:width$}  {}", counts.join(", "));
        for result in results.iter().filter(|_| verbose) {
            let _ = writeln!(
                text,
                "    {} {:longest$}  {:>5.1} s  {}",
                painted(result.status, STATUS),
                result.id,
                result.seconds,
                text::line(&result.seen)
            );
        }
    }
    for (name, file) in [
        ("receipt", Some(&one.receipt)),
        ("bundle", one.bundle.as_ref()),
    ] {
        if let Some(file) = file {
            let _ = writeln!(text, "  {name:width$}  {}", text::line(file));
        }
    }
    if let Some(found) = &one.scan {
        text.push_str(&scan::lines(found, width));
    }
    let mut looks = String::new();
    for result in &one.results {
        failure(&mut looks, result);
    }
    for status in [Status::Unproven, Status::NotExecuted, Status::Skipped] {
        for (why, ids) in one.by_reason(status) {
            let _ = writeln!(
                looks,
                "  {} {}: {}",
                painted(status, STATUS),
                names(one, &ids),
                text::block(why, "      ")
            );
        }
    }
    if !looks.is_empty() {
        text.push('\n');
        text.push_str(&looks);
    }
}

/// A failed check: what was seen, what was expected, what to do.
fn failure(text: &mut String, one: &Outcome) {
    if one.status != Status::Failed {
        return;
    }
    let _ = writeln!(text, "  {} {}", painted(one.status, STATUS), one.id);
    let lines = [
        ("seen:", Some(&one.seen)),
        ("expected:", one.expected.as_ref()),
        ("hint:", one.remedy.as_ref()),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            let value = text::block(value, "              ");
            let _ = writeln!(text, "    {name:9} {value}");
        }
    }
}

/// `pid1 (all 8), health-healthy`: a whole group by its name, and where that is still too long
/// `health (5 of 6)`.
fn names(one: &PlatformReport, ids: &[&str]) -> String {
    let names = one.names(ids);
    let groups = one.groups();
    let is_long = names.len() > SHOWN;
    let mut text = Vec::new();
    for (group, results) in &groups {
        let among = results.iter().filter(|one| ids.contains(&&*one.id));
        let among: Vec<&str> = among.map(|one| &*one.id).collect();
        let (count, all) = (among.len(), results.len());
        if names.contains(group) && !ids.contains(group) {
            text.push(format!("{group} (all {all})"));
        } else if is_long && count > 1 {
            text.push(format!("{group} ({count} of {all})"));
        } else {
            text.extend(among.into_iter().map(str::to_owned));
        }
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{self, mixed, outcome, report};
    use xtask::platform::Platform;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn what_needs_a_look_is_told_in_full_and_the_rest_is_counted() {
        let expected = "\
image   agentgate/agent:dev
digest  sha256:0000000000000000000000000000000000000000000000000000000000000000

linux/amd64 (native, 1.2 s)
  seed     1 failed, 1 passed
  pid1     2 unproven
  health   1 unproven, 1 not executed
  image    1 not applicable, 1 skipped
  receipt  target/xtask/receipts/sha256-0/linux-amd64.json

  failed         seed-3-node
    seen:     v18.0.0
    expected: v20
    hint:     build it with 20
  unproven       pid1 (all 2), health-healthy: the engine is gone
  not-executed   health-sick: nothing runs it here
  skipped        image-size: left out

8 checks: 1 failed, 3 unproven, 1 not executed, 1 passed, 1 not applicable, 1 skipped in 1.5 s
";
        assert_eq!(plain(&table(&mixed(), false)), expected);
    }

    #[test]
    fn a_good_image_has_a_line_for_each_group() {
        let of = |platform| {
            let results = vec![
                outcome("seed-1-build", Status::Passed, "bash"),
                outcome("seed-3-node", Status::Passed, "v20"),
                outcome("image-size", Status::Passed, "100 MB"),
            ];
            samples::platform(platform, results)
        };
        let mut report = report(vec![of(Platform::LinuxAmd64), of(Platform::LinuxArm64)]);
        report.platforms[1].execution = Execution::Emulated;
        let expected = "\
image   agentgate/agent:dev
digest  sha256:0000000000000000000000000000000000000000000000000000000000000000

linux/amd64 (native, 1.2 s)
  seed     2 passed
  image    1 passed
  receipt  target/xtask/receipts/sha256-0/linux-amd64.json

linux/arm64 (emulated, 1.2 s)
  seed     2 passed
  image    1 passed
  receipt  target/xtask/receipts/sha256-0/linux-arm64.json

6 checks: 6 passed in 1.5 s
";
        assert_eq!(plain(&table(&report, false)), expected);
    }

    #[test]
    fn verbose_has_a_line_for_each_check() {
        let all = plain(&table(&mixed(), true));
        for line in [
            "    passed         seed-1-build      0.2 s  bash\n",
            "    not-applicable image-growth      0.2 s  no release yet\n",
            "    failed         seed-3-node       0.2 s  v18.0.0\n",
        ] {
            assert!(all.contains(line), "{all}");
        }
        // Its reason and remedy follow below all the same.
        assert!(all.contains("    hint:     build it with 20\n"), "{all}");
    }

    #[test]
    fn an_images_words_do_not_reach_the_terminal_as_they_are() {
        let bad = outcome("seed-3-node", Status::Failed, "\u{1b}[2Jgone\nline two");
        let report = report(vec![samples::platform(Platform::LinuxAmd64, vec![bad])]);
        for verbose in [false, true] {
            let text = table(&report, verbose);
            assert!(!text.contains("\u{1b}[2J"), "{text}");
            let seen = "    seen:     \\u{1b}[2Jgone\n              line two\n";
            assert!(plain(&text).contains(seen), "{text}");
        }
    }

    #[test]
    fn many_of_one_reason_are_counted() {
        let results = (0..30).map(|n| {
            let status = if n == 0 {
                Status::Passed
            } else {
                Status::Unproven
            };
            outcome(&format!("pid1-{n}"), status, "gone")
        });
        let one = samples::platform(Platform::LinuxAmd64, results.collect());
        let ids = one.by_reason(Status::Unproven)[0].1.clone();
        assert_eq!(names(&one, &ids), "pid1 (29 of 30)");
        assert_eq!(names(&one, &ids[..2]), "pid1-1, pid1-2");
    }
}
