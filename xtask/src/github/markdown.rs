//! Markdown for step summaries and release notes. Text from outside stays text in it: no markup, no
//! HTML, no link, and nobody is mentioned.

use crate::printable::is_unseen;

/// Text on one line, for a cell or an item of a list, that is shown as it is.
///
/// GitHub looks for names and addresses in what it has rendered, so that a backslash does not keep
/// `@name` from being a mention: a space of no width does.
pub fn text(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut escaped = String::new();
    let line = words.join(" ");
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '-' | '+' | '=' if escaped.is_empty() => escaped.extend(['\\', c]),
            '|' | '\\' | '*' | '_' | '[' | ']' | '`' | '~' | '$' | '#' | '!' => {
                escaped.extend(['\\', c]);
            }
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '@' => escaped.push_str("@&#8203;"),
            ':' if rest.peek() == Some(&'/') => escaped.push_str(":&#8203;"),
            c if is_unseen(c) => {
                escaped.push('\\');
                escaped.extend(c.escape_unicode());
            }
            c => escaped.push(c),
        }
    }
    escaped.replace("www.", "www&#8203;.")
}

/// A code span of a name, a digest or a reference; plain text where it would not stay in its span or
/// its cell.
pub fn code(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ":/@.-_+, ()".contains(c);
    if !name.is_empty() && name.chars().all(is_plain) {
        format!("`{name}`")
    } else {
        text(name)
    }
}

/// A table. Its cells are Markdown already.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let line = |cells: &[&str]| format!("| {} |\n", cells.join(" | "));
    let rows = rows
        .iter()
        .map(|row| line(&row.each_ref().map(String::as_str)));
    let rows: String = rows.collect();
    format!("{}{}{rows}", line(&head), line(&["---"; N]))
}

/// Commands to copy, in a block that none of them can end.
pub(crate) fn commands(lines: &[String]) -> String {
    block("sh", &lines.join("\n"))
}

/// Text of several lines as it is, in a block that it cannot end: a block ends with a fence that is as long
/// as its first (`CommonMark` 4.5). `language` is empty for what has none.
pub(crate) fn block(language: &str, text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    let text = text.trim_end_matches('\n');
    format!("{fence}{language}\n{text}\n{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_text() {
        for (written, shown) in [
            ("Mend the build", "Mend the build"),
            ("a | b\\|c", "a \\| b\\\\\\|c"),
            ("two\nlines\r\n\ttab", "two lines tab"),
            ("[x](javascript:alert(1))", "\\[x\\](javascript:alert(1))"),
            ("<img src=x>&lt;", "&lt;img src=x&gt;&amp;lt;"),
            (
                "`code` ~~no~~ **b** __i__",
                "\\`code\\` \\~\\~no\\~\\~ \\*\\*b\\*\\* \\_\\_i\\_\\_",
            ),
            ("# head", "\\# head"),
            ("- item - more", "\\- item - more"),
            ("thanks @octocat", "thanks @&#8203;octocat"),
            ("https://a.example", "https:&#8203;//a.example"),
            ("www.a.example", "www&#8203;.a.example"),
            ("fix: it", "fix: it"),
            ("$x^2$ ![i](u)", "\\$x^2\\$ \\!\\[i\\](u)"),
            ("red \u{1b}[31m", "red \\\\u{1b}\\[31m"),
            ("safe\u{202e}evil", "safe\\\\u{202e}evil"),
            ("", ""),
        ] {
            assert_eq!(text(written), shown, "{written:?}");
        }
    }

    #[test]
    fn a_name_that_would_leave_its_span_is_text() {
        assert_eq!(
            code("ghcr.io/me/agent:v1.0.0-rc.1"),
            "`ghcr.io/me/agent:v1.0.0-rc.1`"
        );
        assert_eq!(code("a`b"), "a\\`b");
        assert_eq!(code("a|b"), "a\\|b");
        assert_eq!(code("a\nb"), "a b");
        assert_eq!(code(""), "");
    }

    #[test]
    fn no_command_ends_its_block() {
        assert_eq!(commands(&["a".into(), "b".into()]), "```sh\na\nb\n```\n");
        assert_eq!(commands(&["```".into()]), "````sh\n```\n````\n");
        assert_eq!(block("", "a\n\nb\n"), "```\na\n\nb\n```\n");
        assert_eq!(block("", "tag `````x\n"), "``````\ntag `````x\n``````\n");
    }

    #[test]
    fn a_table_has_a_head_and_rows() {
        let rows = [["a".to_owned(), "b".to_owned()]];
        assert_eq!(
            table(["x", ""], &rows),
            "| x |  |\n| --- | --- |\n| a | b |\n"
        );
    }
}
