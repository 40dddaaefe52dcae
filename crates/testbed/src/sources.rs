//! The Debian mirror that this machine uses, read from its own apt sources.

mod parse;

use std::{env, fs, path::Path};

use anyhow::{Context as _, Result, bail};

use self::parse::{Source, parse_deb822, parse_list};

/// A Debian mirror: every suite is at `main`, except the security ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mirror {
    pub(crate) main: String,
    pub(crate) security: String,
}

impl Mirror {
    /// The address that has `suite`.
    pub(crate) fn of(&self, suite: &str) -> &str {
        if suite.ends_with("-security") {
            &self.security
        } else {
            &self.main
        }
    }
}

/// Names a mirror by hand; needed where apt's sources have no Debian mirror, as on Ubuntu.
const MIRROR_VARIABLE: &str = "TESTBED_DEBIAN_MIRROR";

/// Suites by which a Debian mirror is known.
const SUITES: [&str; 7] = [
    "bookworm", "trixie", "forky", "stable", "testing", "sid", "unstable",
];

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

/// Prefers a source that also has the suite's `-updates`: others than Debian publish for its suites too.
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
