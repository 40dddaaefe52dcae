//! The Debian mirror that this machine uses, read from its own apt sources.

use std::{env, fs, path::Path};

use anyhow::{Context as _, Result, bail};

/// A Debian mirror: every suite is at `main`, except the security ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mirror {
    pub(crate) main: String,
    pub(crate) security: String,
}

impl Mirror {
    /// Where `suite` is to be had.
    pub(crate) fn of(&self, suite: &str) -> &str {
        if suite.ends_with("-security") {
            &self.security
        } else {
            &self.main
        }
    }
}

/// Names a mirror by hand; needed where apt has none of Debian's, as on Ubuntu.
const MIRROR_VARIABLE: &str = "TESTBED_DEBIAN_MIRROR";

/// One line, or one combination of a stanza, of the apt sources.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    uri: String,
    suite: String,
    main: bool,
}

/// Suites by which a Debian mirror is known.
const SUITES: [&str; 7] = [
    "bookworm", "trixie", "forky", "stable", "testing", "sid", "unstable",
];

impl Source {
    fn new(uri: &str, suite: &str, main: bool) -> Self {
        Self {
            uri: uri.trim_end_matches('/').to_owned(),
            suite: suite.to_owned(),
            main,
        }
    }
}

/// The mirror named by hand, or else the first one in the machine's apt sources.
pub(crate) fn mirror() -> Result<Mirror> {
    if let Ok(main) = env::var(MIRROR_VARIABLE) {
        return Ok(with_usual_security(main.trim_end_matches('/').to_owned()));
    }
    choose(&read_sources(Path::new("/etc/apt"))?).with_context(|| {
        format!(
            "apt's sources name no Debian mirror\nhint: set `{MIRROR_VARIABLE}` to the address of one \
             (the folder that holds `dists/`)"
        )
    })
}

fn read_sources(apt: &Path) -> Result<Vec<Source>> {
    let mut files = vec![apt.join("sources.list")];
    let parts = apt.join("sources.list.d");
    if let Ok(dir) = fs::read_dir(&parts) {
        for entry in dir {
            files.push(
                entry
                    .with_context(|| format!("failed to list `{}`", parts.display()))?
                    .path(),
            );
        }
    }
    files.sort();
    let mut sources = Vec::new();
    for file in files.iter().filter(|file| file.is_file()) {
        let text = fs::read_to_string(file)
            .with_context(|| format!("failed to read `{}`", file.display()))?;
        match file.extension().and_then(|ext| ext.to_str()) {
            Some("list") => sources.extend(parse_list(&text)),
            Some("sources") => sources.extend(parse_deb822(&text)),
            _ => {}
        }
    }
    for source in &mut sources {
        source.uri = resolve(&source.uri)?;
    }
    Ok(sources)
}

/// Cloud images name their mirror in a file of its own: `mirror+file:/path`, one address per line.
fn resolve(uri: &str) -> Result<String> {
    let Some(file) = uri.strip_prefix("mirror+file:") else {
        return Ok(uri.to_owned());
    };
    let text = fs::read_to_string(file)
        .with_context(|| format!("failed to read the mirror list `{file}`"))?;
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    match lines.find_map(|line| line.split_whitespace().next()) {
        Some(address) => Ok(address.trim_end_matches('/').to_owned()),
        None => bail!(
            "the mirror list `{file}` is empty\nhint: set `{MIRROR_VARIABLE}` to a Debian mirror"
        ),
    }
}

/// Lines such as `deb [arch=amd64] http://mirror/debian bookworm main contrib`.
fn parse_list(text: &str) -> Vec<Source> {
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

/// Stanzas of fields, such as `URIs:` and `Suites:`, parted by empty lines.
fn parse_deb822(text: &str) -> Vec<Source> {
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

/// Others publish for Debian's suites too, so the source that also has the suite's `-updates` comes first.
fn choose(sources: &[Source]) -> Option<Mirror> {
    let has = |uri: &str, suite: String| {
        sources
            .iter()
            .any(|source| source.uri == uri && source.suite == suite)
    };
    let debian = || {
        sources
            .iter()
            .filter(|source| source.main && SUITES.contains(&source.suite.as_str()))
    };
    let main = debian()
        .find(|source| has(&source.uri, format!("{}-updates", source.suite)))
        .or(debian().next())?;
    let mut mirror = with_usual_security(main.uri.clone());
    if let Some(source) = sources
        .iter()
        .find(|source| source.suite == format!("{}-security", main.suite))
    {
        mirror.security.clone_from(&source.uri);
    }
    Some(mirror)
}

fn with_usual_security(main: String) -> Mirror {
    Mirror {
        security: format!("{main}-security"),
        main,
    }
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

    #[test]
    fn chooses_debians_own_mirror() {
        let mirror = |main: &str, security: &str| {
            Some(Mirror {
                main: main.to_owned(),
                security: security.to_owned(),
            })
        };
        for (lines, expected) in [
            (
                "deb http://v/deb bookworm main\ndeb http://m/debian bookworm main\n\
              deb http://m/debian bookworm-updates main\ndeb http://s/sec bookworm-security main",
                mirror("http://m/debian", "http://s/sec"),
            ),
            (
                "deb http://m/remote trixie main",
                mirror("http://m/remote", "http://m/remote-security"),
            ),
            ("deb http://d/linux/debian bookworm stable", None),
            ("deb http://u/ubuntu noble main", None),
            ("", None),
        ] {
            assert_eq!(choose(&parse_list(lines)), expected, "{lines}");
        }
    }

    #[test]
    fn security_suites_have_their_own_address() {
        let mirror = with_usual_security("http://m/debian".to_owned());
        assert_eq!(mirror.of("sid"), "http://m/debian");
        assert_eq!(mirror.of("bookworm-security"), "http://m/debian-security");
    }

    #[test]
    fn reads_both_kinds_of_files_and_mirror_lists() {
        let dir = tempfile::tempdir().unwrap();
        let (list, parts) = (
            dir.path().join("mirrors"),
            dir.path().join("sources.list.d"),
        );
        fs::create_dir(&parts).unwrap();
        fs::write(&list, "# ours\nhttp://m/debian/\n").unwrap();
        let stanza = format!(
            "Types: deb\nURIs: mirror+file:{}\nSuites: sid\nComponents: main\n",
            list.display()
        );
        fs::write(parts.join("debian.sources"), stanza).unwrap();
        fs::write(
            parts.join("debian.sources.save"),
            "deb http://old/debian sid main\n",
        )
        .unwrap();
        fs::write(
            dir.path().join("sources.list"),
            "deb http://n/x nodistro main\n",
        )
        .unwrap();
        let expected = [
            Source::new("http://n/x", "nodistro", true),
            Source::new("http://m/debian", "sid", true),
        ];
        assert_eq!(read_sources(dir.path()).unwrap(), expected);
    }
}
