//! Text from outside, made fit to be shown: a terminal obeys control characters, a reader is misled by those
//! that reorder text (CVE-2021-42574), and GitHub's runner obeys lines that begin with `::`.

use std::fmt::{self, Write as _};

/// The longest text that is quoted on one line, in characters.
const LONGEST: usize = 300;

/// Shows a value on one line, as [`line`] does.
pub struct Printable<T>(pub T);

impl<T: fmt::Display> fmt::Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&line(&self.0.to_string()))
    }
}

/// The text on one line: what a terminal obeys, the ends of lines among it, is spelled out as in Rust's and
/// C's strings.
pub fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        push(&mut shown, c);
    }
    shown
}

/// The same of bytes that should be UTF-8.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    line(&String::from_utf8_lossy(bytes))
}

/// The words of a text on one line, as much of them as an error may quote.
pub fn short(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown = String::new();
    for (number, c) in words.chars().enumerate() {
        if number == LONGEST {
            shown.push('…');
            break;
        }
        push(&mut shown, c);
    }
    shown
}

/// Text of several lines that a terminal and a log take as they are: what is not the end of a line or a
/// tab, and a terminal obeys, is spelled out; no line is a command to GitHub's runner.
pub fn text(text: &str) -> String {
    shown(text, false)
}

/// [`text`] that keeps our own colours. What it has from outside went through [`line`] before.
pub(crate) fn styled(text: &str) -> String {
    shown(text, true)
}

fn shown(text: &str, has_colours: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            shown.push('\n');
        }
        push_line(
            &mut shown,
            line.strip_suffix('\r').unwrap_or(line),
            has_colours,
        );
    }
    shown
}

fn push_line(shown: &mut String, line: &str, has_colours: bool) {
    let mut rest = line;
    // The runner takes `::command::` at the start of a line, and its older `##[command]` anywhere in it
    // (actions/runner, `ActionCommand.cs`).
    if let Some(start) = line.find("::").filter(|at| is_blank(&line[..*at])) {
        shown.extend(
            line[..start]
                .chars()
                .map(|c| if c == '\t' { c } else { ' ' }),
        );
        shown.push_str("\\u{3a}");
        rest = &line[start + 1..];
    }
    while let Some(c) = rest.chars().next() {
        if has_colours && let Some(length) = colour(rest) {
            shown.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        match c {
            '\t' => shown.push(c),
            '[' if shown.ends_with("##") => shown.push_str("\\u{5b}"),
            c => push(shown, c),
        }
        rest = &rest[c.len_utf8()..];
    }
}

/// Whether a runner sees nothing before what follows: blanks, and colours, which are not printed anywhere
/// but on a terminal.
fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

/// The length of the colour that the text begins with (ECMA-48, "SGR").
fn colour(text: &str) -> Option<usize> {
    let numbers = text.strip_prefix("\u{1b}[")?;
    let end = numbers.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    (numbers[end..].starts_with('m')).then_some(2 + end + 1)
}

/// Whether a terminal obeys the character, or a reader does not see it and reads others differently.
pub(crate) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn push(shown: &mut String, c: char) {
    if is_unseen(c) {
        shown.extend(c.escape_default());
    } else {
        shown.push(c);
    }
}

/// JSON in which no character but the end of a line is one that a terminal or GitHub's runner obeys. The
/// data is the same: such a character stands in a string alone, where it may be escaped.
pub(crate) fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push(c),
            '[' if shown.ends_with("##") => shown.push_str("\\u005b"),
            c if is_unseen(c) => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    // Writing to a String cannot fail.
                    let _ = write!(shown, "\\u{unit:04x}");
                }
            }
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: [(&str, &str); 12] = [
        (
            "plain größer 漢 😀 → 'x' \"y\" \\",
            "plain größer 漢 😀 → 'x' \"y\" \\",
        ),
        ("\u{1b}[2J\u{7}", "\\u{1b}[2J\\u{7}"),
        // Control characters of one byte more: CSI.
        ("\u{9b}31m", "\\u{9b}31m"),
        ("\u{7f}\u{0}", "\\u{7f}\\u{0}"),
        ("a\rb", "a\\rb"),
        ("safe\u{202e}evil\u{2066}", "safe\\u{202e}evil\\u{2066}"),
        (
            "\u{61c}\u{200b}\u{feff}\u{ad}",
            "\\u{61c}\\u{200b}\\u{feff}\\u{ad}",
        ),
        ("\u{2028}\u{2029}\u{85}", "\\u{2028}\\u{2029}\\u{85}"),
        ("\u{e0041}", "\\u{e0041}"),
        ("\u{1b}]0;title\u{1b}\\", "\\u{1b}]0;title\\u{1b}\\"),
        ("a::b c:: d", "a::b c:: d"),
        ("", ""),
    ];

    #[test]
    fn what_a_terminal_obeys_is_spelled_out() {
        for (given, expected) in CASES {
            assert_eq!(line(given), expected);
            assert_eq!(text(given), expected);
            assert_eq!(Printable(given).to_string(), expected);
        }
        assert_eq!(line("a\n\tb\r\n"), "a\\n\\tb\\r\\n");
        assert_eq!(bytes(b"a b/\xff\n\x1b[0m"), "a b/\u{fffd}\\n\\u{1b}[0m");
        assert_eq!(short(" two\nlines\t\u{1b}[2J"), "two lines \\u{1b}[2J");
        assert_eq!(short(&"x".repeat(400)).chars().count(), LONGEST + 1);
        assert_eq!(text("a\r\n\tb\r\n"), "a\n\tb\n");
    }

    #[test]
    fn no_line_is_a_command_to_the_runner() {
        for (given, expected) in [
            ("::add-mask::x", "\\u{3a}:add-mask::x"),
            ("a\n::add-mask::x\nb", "a\n\\u{3a}:add-mask::x\nb"),
            (
                "a\n \t\u{a0}::stop-commands::x",
                "a\n \t \\u{3a}:stop-commands::x",
            ),
            ("a\n\u{b}::x::", "a\n \\u{3a}:x::"),
            ("see ##[add-mask]x", "see ##\\u{5b}add-mask]x"),
            ("####[x]", "####\\u{5b}x]"),
        ] {
            assert_eq!(text(given), expected);
            assert_eq!(styled(given), expected);
        }
        // On one line a text cannot begin another one.
        assert_eq!(line("\n::add-mask::x"), "\\n::add-mask::x");
    }

    #[test]
    fn our_own_colours_stay_and_nothing_else() {
        for (given, expected) in [
            ("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m x", None),
            ("\u{1b}[m", None),
            ("\u{1b}[2J", Some("\\u{1b}[2J")),
            ("\u{1b}[31", Some("\\u{1b}[31")),
            ("\u{1b}]8;;x\u{7}", Some("\\u{1b}]8;;x\\u{7}")),
        ] {
            assert_eq!(styled(given), expected.unwrap_or(given));
        }
    }

    #[test]
    fn json_has_the_same_data_and_nothing_that_is_obeyed() {
        for (given, _) in CASES {
            let value = serde_json::json!({"a": [given, "##[add-mask]x"]});
            let shown = json(&serde_json::to_string_pretty(&value).unwrap());
            let is_obeyed = |c: char| c != '\n' && is_unseen(c);
            assert!(
                !shown.contains(is_obeyed) && !shown.contains("##["),
                "{shown}"
            );
            let again: serde_json::Value = serde_json::from_str(&shown).unwrap();
            assert_eq!(again, value);
        }
    }
}
