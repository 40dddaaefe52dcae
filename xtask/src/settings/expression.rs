//! Regular expressions for the name of whoever signs: anchored, or refused.

use std::fmt;

use serde::Deserialize;

/// A regular expression in Go's syntax (RE2), for the whole of an identity's name.
///
/// cosign searches: `agent/.github/workflows/verify.yml@refs/tags/v` also finds the workflow of a stranger's
/// `not-our-agent`, and a branch called `refs/tags/v`. So the expression begins with `^`, ends with `$`, and
/// neither can lose its meaning.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Expression(String);

impl Expression {
    /// The expression for cosign, which then matches all of a name or nothing.
    pub(crate) fn whole(&self) -> String {
        format!("^(?:{})$", self.0)
    }

    /// The repository on GitHub that every name begins with, `OWNER/NAME`; none where that is not plain text.
    pub(crate) fn github_repository(&self) -> Option<String> {
        let rest = ["^https://github\\.com/", "^https://github.com/"]
            .into_iter()
            .find_map(|start| self.0.strip_prefix(start))?;
        let mut parts = rest.splitn(3, '/');
        let (owner, name, _) = (parts.next()?, parts.next()?, parts.next()?);
        let plain = [owner, name].map(|part| part.replace("\\.", ".").replace("\\-", "-"));
        let is_plain = |part: &String| {
            let is_letter = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !part.is_empty() && part.chars().all(is_letter)
        };
        plain.iter().all(is_plain).then(|| plain.join("/"))
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Expression {
    type Error = String;

    fn try_from(text: String) -> Result<Expression, String> {
        match fault(&text) {
            None => Ok(Expression(text)),
            Some(why) => Err(format!(
                "the expression `{text}` {why}; hint: write all of the name, as in \
                 `^https://github\\.com/OWNER/NAME/\\.github/workflows/verify\\.yml@refs/tags/v[0-9.]+$`"
            )),
        }
    }
}

/// Why an expression could match a part of a name.
fn fault(text: &str) -> Option<String> {
    if !text.starts_with('^') {
        return Some("does not begin with `^`".to_owned());
    }
    let mut depth = 0_u32;
    let mut ends_with_anchor = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        ends_with_anchor = rest == "$" && depth == 0;
        let mut length = c.len_utf8();
        match c {
            // In `\Q…\E` nothing has a meaning.
            '\\' if rest.starts_with(r"\Q") => return Some(r"has `\Q`".to_owned()),
            '\\' => length += rest[1..].chars().next().map_or(0, char::len_utf8),
            '[' => match class(rest) {
                Some(end) => length = end,
                None => return Some("has a `[` without its `]`".to_owned()),
            },
            // `(?m)` lets `$` match at the end of a line.
            '(' if rest.starts_with("(?") && !rest.starts_with("(?:") => {
                return Some("has a flag or a name (`(?`)".to_owned());
            }
            '(' => depth += 1,
            ')' if depth == 0 => return Some("has a `)` without its `(`".to_owned()),
            ')' => depth -= 1,
            // `^a$|b` is anchored for `a` alone.
            '|' if depth == 0 => return Some("has a `|` that is in no group `(…)`".to_owned()),
            _ => {}
        }
        rest = &rest[length..];
    }
    if depth > 0 {
        return Some("has a `(` without its `)`".to_owned());
    }
    (!ends_with_anchor).then(|| "does not end with `$`".to_owned())
}

/// The length of the class of characters that the text begins with, `[…]`.
fn class(text: &str) -> Option<usize> {
    let start = if text.starts_with("[^") { 2 } else { 1 };
    let mut at = start;
    while let Some(c) = text[at..].chars().next() {
        match c {
            // The first one is a character of the class.
            ']' if at > start => return Some(at + 1),
            '[' if text[at..].starts_with("[:") => match text[at..].find(":]") {
                Some(end) => at += end + 2,
                None => at += 1,
            },
            '\\' => at += 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
            c => at += c.len_utf8(),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    fn read(text: &str) -> Result<Expression, String> {
        Expression::try_from(text.to_owned())
    }

    #[test]
    fn a_name_on_github_says_whose_runs_it_is_of() {
        for (text, repository) in [
            (
                r"^https://github\.com/me/agent/\.github/x$",
                Some("me/agent"),
            ),
            (
                r"^https://github.com/me/my\.agent\-x/x$",
                Some("me/my.agent-x"),
            ),
            (r"^https://github\.com/me/(agent|other)/x$", None),
            (r"^https://github\.com/me/agent.*/x$", None),
            (r"^https://github\.com/[^/]+/agent/x$", None),
            (r"^https://github\.com/me/agent$", None),
            (r"^https://gitlab\.com/me/agent/x$", None),
            ("^me@example.org$", None),
        ] {
            let found = read(text).unwrap().github_repository();
            assert_eq!(found.as_deref(), repository, "{text}");
        }
    }

    #[test]
    fn an_expression_for_a_part_of_a_name_is_refused() {
        for (text, why) in [
            ("", "does not begin with `^`"),
            ("a$", "does not begin with `^`"),
            (" ^a$", "does not begin with `^`"),
            (r"\^a$", "does not begin with `^`"),
            ("(^a$)", "does not begin with `^`"),
            ("^", "does not end with `$`"),
            ("^a", "does not end with `$`"),
            ("^a$ ", "does not end with `$`"),
            (r"^a\$", "does not end with `$`"),
            (r"^a\\\$", "does not end with `$`"),
            ("^a[$]", "does not end with `$`"),
            ("^(a$)", "does not end with `$`"),
            ("^a$?", "does not end with `$`"),
            (r"^a$\", "does not end with `$`"),
            ("^a[$", "a `[` without its `]`"),
            ("^a[]$", "a `[` without its `]`"),
            ("^a$|b", "a `|` that is in no group"),
            ("^a|b$", "a `|` that is in no group"),
            ("^(a)|(b)$", "a `|` that is in no group"),
            ("^a)|(b$", "a `)` without its `(`"),
            ("^(a$", "a `(` without its `)`"),
            ("^(?m)a$", "has a flag"),
            ("^(?m:a$)$", "has a flag"),
            ("^(?P<a>b)$", "has a flag"),
            (r"^\Qa$", r"has `\Q`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
            assert!(error.contains("; hint: write all of the name"), "{error}");
        }
    }

    /// The crate's syntax has the same anchors, groups and classes as Go's.
    #[test]
    fn what_cosign_gets_matches_a_name_whole() {
        for (text, name, others) in [
            ("^a$", "a", &["ab", "ba", "a\n", "a\nb", "^a$"][..]),
            ("^(a|b)c$", "bc", &["a", "c", "abc"]),
            ("^(?:a|bc)$", "bc", &["b", "ac"]),
            (r"^a\\$", r"a\", &["a", r"a\\"]),
            ("^[]|)(]$", "|", &["a", ""]),
            ("^[^]]$", "a", &["]", "aa"]),
            (r"^[\]$]$", "$", &["a$", r"\"]),
            ("^[[:digit:])|]+$", "1)2|3", &["a"]),
            (
                r"^https://github\.com/me/agent/\.github/workflows/verify\.yml@refs/tags/v[0-9]+$",
                "https://github.com/me/agent/.github/workflows/verify.yml@refs/tags/v1",
                &[
                    "https://github.com/me/agent/.github/workflows/verify.yml@refs/heads/main",
                    "https://github.com/me/agent/.github/workflows/verify.yml@refs/tags/v1x",
                    "https://github.com/me/agent/.github/workflows/verify-yml@refs/tags/v1",
                    "xhttps://github.com/me/agent/.github/workflows/verify.yml@refs/tags/v1",
                ],
            ),
        ] {
            let whole = Regex::new(&read(text).unwrap().whole()).unwrap();
            assert!(whole.is_match(name), "{text}: {name}");
            for other in others {
                assert!(!whole.is_match(other), "{text}: {other}");
            }
        }
    }
}
