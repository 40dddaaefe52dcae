//! What an image says, made fit to be shown: nothing in it may move the cursor, colour the
//! terminal or break a line.

use xtask::printable;

/// The text on one line, without characters that a terminal obeys.
pub(crate) fn line(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(visible).collect();
    words.join(" ")
}

/// The text's own lines, without characters that a terminal obeys; those after the first begin
/// with `indent`.
pub(crate) fn block(text: &str, indent: &str) -> String {
    let lines: Vec<String> = text.trim_end().lines().map(visible).collect();
    lines.join(&format!("\n{indent}"))
}

/// A tab is as wide as a terminal likes.
fn visible(text: &str) -> String {
    printable::line(&text.replace('\t', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        for (text, one_line) in [
            ("", ""),
            ("  a\tb \n\n c\r\n", "a b c"),
            ("\u{1b}[2Jx\u{7}", "\\u{1b}[2Jx\\u{7}"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("größer → 20", "größer → 20"),
        ] {
            assert_eq!(line(text), one_line);
        }
        assert_eq!(block("a\n b\u{1b}\n", "  "), "a\n   b\\u{1b}");
        assert_eq!(block("", "  "), "");
    }
}
