//! The step summary of GitHub Actions.

use std::fmt::Write as _;

use xtask::github::markdown::{code, text};

use super::{next, scan};
use crate::check::{Outcome, Status};
use crate::report::{PlatformReport, Report, counted, is_bad, words};

/// The run as Markdown: every group's counts, and a row for all that needs a look.
pub(crate) fn markdown(report: &Report) -> String {
    let verdict = match (report.proven, report.complete) {
        (true, true) => "proven",
        (true, false) => "proven in part",
        (false, _) => "not proven",
    };
    let mut page = format!(
        "### Agent image: {verdict}\n\n{} {}: {} in {:.1} s\n",
        code(&report.image),
        code(report.digest.as_str()),
        report.sum(),
        report.seconds
    );
    for one in &report.platforms {
        platform(&mut page, one);
    }
    for note in next::notes(report) {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "\n> note: {}", text(&note));
    }
    if let Some(again) = next::again(report) {
        let _ = writeln!(page, "\nTo look at these again: {}", code(&again));
    }
    page
}

fn platform(page: &mut String, one: &PlatformReport) {
    let _ = writeln!(
        page,
        "\n**{}** ({}, {:.1} s)\n\n| group | |\n| --- | --- |",
        one.platform,
        one.execution.as_str(),
        one.seconds
    );
    for (group, results) in one.groups() {
        let counts = counted(results.iter().map(|one| one.status));
        let counts = counts.into_iter();
        let counts = counts.map(|(status, count)| format!("{count} {}", words(status)));
        let counts: Vec<String> = counts.collect();
        let _ = writeln!(page, "| {group} | {} |", counts.join(", "));
    }
    if let Some(bundle) = &one.bundle {
        let _ = writeln!(page, "\nSigned: {}", code(bundle));
    }
    if let Some(found) = &one.scan {
        page.push_str(&scan::markdown(found));
    }
    if one.is_proven() {
        return;
    }
    page.push_str(
        "\n| check | | seen | expected | what to do |\n| --- | --- | --- | --- | --- |\n",
    );
    for result in one
        .results
        .iter()
        .filter(|one| one.status == Status::Failed)
    {
        page.push_str(&row(result));
    }
    for status in [Status::Unproven, Status::NotExecuted] {
        debug_assert!(is_bad(status));
        for (why, ids) in one.by_reason(status) {
            let names = one.names(&ids).join("`, `");
            let (status, why) = (words(status), text(why));
            let _ = writeln!(page, "| `{names}` | {status} | {why} | | |");
        }
    }
}

fn row(one: &Outcome) -> String {
    let cell = |cell: &Option<String>| cell.as_deref().map(text).unwrap_or_default();
    format!(
        "| `{}` | {} | {} | {} | {} |\n",
        one.id,
        words(one.status),
        text(&one.seen),
        cell(&one.expected),
        cell(&one.remedy)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{self, mixed, outcome, report};
    use xtask::platform::Platform;

    #[test]
    fn a_summary_has_what_needs_a_look() {
        let expected = "\
### Agent image: not proven

`agentgate/agent:dev` `sha256:0000000000000000000000000000000000000000000000000000000000000000`: 8 checks: 1 failed, 3 unproven, 1 not executed, 1 passed, 1 not applicable, 1 skipped in 1.5 s

**linux/amd64** (native, 1.2 s)

| group | |
| --- | --- |
| seed | 1 failed, 1 passed |
| pid1 | 2 unproven |
| health | 1 unproven, 1 not executed |
| image | 1 not applicable, 1 skipped |

| check | | seen | expected | what to do |
| --- | --- | --- | --- | --- |
| `seed-3-node` | failed | v18.0.0 | v20 | build it with 20 |
| `pid1`, `health-healthy` | unproven | the engine is gone | | |
| `health-sick` | not executed | nothing runs it here | | |

To look at these again: `cargo xtask verify agentgate/agent:dev --only seed-3-node,pid1,health`
";
        assert_eq!(markdown(&mixed()), expected);
    }

    #[test]
    fn the_title_says_how_much_is_proven() {
        for (status, title) in [
            (Status::Passed, "### Agent image: proven\n"),
            (Status::Skipped, "### Agent image: proven in part\n"),
            (Status::Failed, "### Agent image: not proven\n"),
        ] {
            let results = vec![outcome("seed-3-node", status, "v20")];
            let one = samples::platform(Platform::LinuxAmd64, results);
            let text = markdown(&report(vec![one]));
            assert!(text.starts_with(title), "{text}");
        }
    }

    #[test]
    fn an_images_words_stay_in_their_cell() {
        for (given, cell) in [
            ("a|b\n<c> [d](e)", r"a\|b &lt;c&gt; \[d\](e)"),
            ("`x` $y$ **z**", r"\`x\` \$y\$ \*\*z\*\*"),
            ("&amp;\u{1b}", r"&amp;amp;\\u{1b}"),
        ] {
            assert_eq!(text(given), cell);
        }
    }
}
