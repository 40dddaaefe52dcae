//! The two formats of apt's sources.

/// A line of apt's sources, or one pair of address and suite of a stanza.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) uri: String,
    pub(super) suite: String,
    /// Whether it has the component `main`.
    pub(super) main: bool,
}

impl Source {
    pub(super) fn new(uri: &str, suite: &str, main: bool) -> Self {
        Self {
            uri: uri.trim_end_matches('/').to_owned(),
            suite: suite.to_owned(),
            main,
        }
    }
}

/// Lines such as `deb [arch=amd64] http://mirror/debian bookworm main contrib`.
pub(super) fn parse_list(text: &str) -> Vec<Source> {
    text.lines().filter_map(parse_list_line).collect()
}

fn parse_list_line(line: &str) -> Option<Source> {
    let rest = line.split('#').next()?.trim().strip_prefix("deb")?;
    if !rest.starts_with(char::is_whitespace) {
        return None;
    }
    let rest = match rest.trim_start().strip_prefix('[') {
        Some(options) => options.split_once(']')?.1,
        None => rest,
    };
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    Some(Source::new(uri, suite, words.any(|word| word == "main")))
}

/// Stanzas of fields, such as `URIs:` and `Suites:`, separated by empty lines.
pub(super) fn parse_deb822(text: &str) -> Vec<Source> {
    let uncommented: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.starts_with('#'))
        .collect();
    uncommented
        .split(|line| line.is_empty())
        .flat_map(parse_stanza)
        .collect()
}

fn parse_stanza(lines: &[&str]) -> Vec<Source> {
    let is = |name, value| {
        field(lines, name)
            .iter()
            .any(|word| word.eq_ignore_ascii_case(value))
    };
    if is("Enabled", "no") || !is("Types", "deb") {
        return Vec::new();
    }
    let suites = field(lines, "Suites");
    let pairs = field(lines, "URIs")
        .into_iter()
        .flat_map(|uri| suites.iter().map(move |suite| (uri, *suite)));
    pairs
        .map(|(uri, suite)| Source::new(uri, suite, is("Components", "main")))
        .collect()
}

/// The words of the field `name`, its continuation lines included.
fn field<'a>(lines: &[&'a str], name: &str) -> Vec<&'a str> {
    let mut inside = false;
    let mut words = Vec::new();
    for line in lines {
        let value = match line.split_once(':') {
            _ if line.starts_with([' ', '\t']) => *line,
            Some((key, value)) => {
                inside = key.eq_ignore_ascii_case(name);
                value
            }
            None => continue,
        };
        if inside {
            words.extend(value.split_whitespace());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_sources() {
        for (line, expected) in [
            (
                "deb http://m/debian bookworm main contrib",
                Some(("http://m/debian", "bookworm", true)),
            ),
            (
                "deb [arch=amd64 signed-by=/k] http://m/debian/ sid main",
                Some(("http://m/debian", "sid", true)),
            ),
            (
                "deb\thttp://m/debian\ttrixie\tmain # why",
                Some(("http://m/debian", "trixie", true)),
            ),
            (
                "deb https://other/linux bookworm stable",
                Some(("https://other/linux", "bookworm", false)),
            ),
            ("# deb http://m/debian bookworm main", None),
            ("deb-src http://m/debian bookworm main", None),
            ("deb http://m/debian", None),
            ("deb [arch=amd64 http://m/debian sid main", None),
            ("", None),
        ] {
            let expected = expected.map(|(uri, suite, main)| Source::new(uri, suite, main));
            assert_eq!(parse_list_line(line), expected, "{line:?}");
        }
    }

    #[test]
    fn deb822_sources() {
        let text = "# a comment\nTypes: deb deb-src\n# between\nURIs: http://m/debian/\nSuites: bookworm\n \
                    bookworm-updates\nComponents: main\nSigned-By:\n -----BEGIN\n URIs: not a field\n\n\
                    Types: deb\nEnabled: no\nURIs: http://off/debian\nSuites: sid\nComponents: main\n\n\n\
                    types: deb\nuris: http://m/debian-security\nsuites: bookworm-security\ncomponents: main\n";
        let expected = [
            Source::new("http://m/debian", "bookworm", true),
            Source::new("http://m/debian", "bookworm-updates", true),
            Source::new("http://m/debian-security", "bookworm-security", true),
        ];
        assert_eq!(parse_deb822(text), expected);
    }
}
