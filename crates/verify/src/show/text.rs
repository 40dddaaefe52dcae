//! What an image says, made fit to be shown: nothing in it may move the cursor, colour the
//! terminal or break a line.

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

fn visible(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c {
            '\t' => vec![' '],
            c if c.is_control() || is_unseen(c) => c.escape_unicode().collect(),
            c => vec![c],
        })
        .collect()
}

/// Characters that take no room and change how others are read (Unicode's bidirectional
/// controls, zero-width ones and the like).
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{feff}')
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
