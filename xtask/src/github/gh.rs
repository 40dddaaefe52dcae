//! GitHub's command line, `gh`: it has the user's login, and in a job the token of the job. No other file starts it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::exec::{Ended, Exec};
use crate::printable::short;
use crate::report;

/// How long `gh` may take.
const LIMIT: Duration = Duration::from_mins(1);

/// `gh` for one repository.
pub(crate) struct Gh {
    exec: Exec,
    /// The repository, as `gh --repo` takes it: `HOST/OWNER/NAME`.
    pub(crate) place: String,
}

impl Gh {
    /// Fails when `gh` is missing, or the repository is not known; why. `source` is the web address of the git
    /// remote.
    pub(crate) fn new(exec: &Exec, source: Option<&str>) -> Result<Gh, Missing> {
        if exec.find("gh").is_none() {
            return Err(Missing::Program);
        }
        let place = place(exec, source).map_err(Missing::Place)?;
        let exec = exec.clone();
        exec.set_var("GH_PROMPT_DISABLED", "1");
        exec.set_var("GH_NO_UPDATE_NOTIFIER", "1");
        Ok(Gh { exec, place })
    }

    /// For the repository at `place`, with the programs of this machine.
    #[cfg(test)]
    pub(crate) fn of(place: &str) -> Gh {
        Gh {
            exec: Exec::new(Path::new("/"), false).unwrap(),
            place: place.to_owned(),
        }
    }

    /// Runs `gh` to its end, or to its limit.
    pub(crate) fn run(&self, args: &[impl AsRef<str>]) -> anyhow::Result<Ended> {
        self.exec.within("gh", args, LIMIT)
    }

    /// `OWNER/NAME`.
    pub(crate) fn name(&self) -> &str {
        self.place.split_once('/').map_or("", |(_, name)| name)
    }

    /// Asks GitHub's REST interface; `path` is below that of the repository.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.ask(&["--method", "GET"], path)
    }

    /// Sends `body` to GitHub's REST interface. It goes through `file`, so that no text in it meets a command
    /// line, and is left there.
    pub(crate) fn send<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        file: &Path,
    ) -> anyhow::Result<T> {
        report::write_whole(file, &body.to_string())
            .with_context(|| format!("failed to write `{}`", file.display()))?;
        let file = file.display().to_string();
        self.ask(&["--method", method, "--input", &file], path)
    }

    fn ask<T: DeserializeOwned>(&self, options: &[&str], path: &str) -> anyhow::Result<T> {
        let (host, name) = self.place.split_once('/').unwrap_or_default();
        let path = format!("repos/{name}/{path}");
        let args = [&["api", "--hostname", host][..], options, &[&path]].concat();
        let ended = self.run(&args)?;
        if !ended.success() {
            bail!("GitHub refuses `{path}`: {}", said(&ended));
        }
        serde_json::from_slice(&ended.stdout)
            .with_context(|| format!("GitHub's answer for `{path}` cannot be read"))
    }
}

/// Why there is no `gh` to ask.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    Program,
    /// The repository is not known; why.
    Place(String),
}

/// What `gh` gives as the reason, on a line, without what a terminal obeys.
pub(crate) fn said(ended: &Ended) -> String {
    if ended.status.is_none() {
        return "it did not end in time".to_owned();
    }
    let text = String::from_utf8_lossy(&ended.stderr);
    let line = text.lines().find(|line| !line.trim().is_empty());
    short(line.unwrap_or("no reason given"))
}

/// The repository on GitHub: in GitHub Actions the one that the job runs for, else that of `source`.
fn place(exec: &Exec, source: Option<&str>) -> Result<String, String> {
    let is_actions = exec
        .var("GITHUB_ACTIONS")
        .is_some_and(|value| value == "true");
    let own = || {
        let (server, name) = (
            exec.var("GITHUB_SERVER_URL")?,
            exec.var("GITHUB_REPOSITORY")?,
        );
        Some(format!("{server}/{name}"))
    };
    let address = if is_actions {
        own()
    } else {
        source.map(str::to_owned)
    };
    let found = address.as_deref().and_then(parse_place);
    found.ok_or_else(|| match address {
        Some(address) => format!("`{address}` is not a repository on GitHub"),
        None => "git knows no repository on GitHub".to_owned(),
    })
}

fn parse_place(address: &str) -> Option<String> {
    let path = address.strip_prefix("https://")?;
    let parts: Vec<&str> = path.split('/').collect();
    let [host, owner, name] = parts.as_slice() else {
        return None;
    };
    // A word that begins with `-` would be a flag.
    let is_word = |word: &str, more: &str| {
        let is_known = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        word.chars().all(is_known) && !word.starts_with('-') && word.chars().any(|c| c != '.')
    };
    let is_good = is_word(host, "-.:") && is_word(owner, "-_") && is_word(name, "-_.");
    is_good.then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_an_owner_and_a_name() {
        for (address, place) in [
            ("https://github.com/me/agent", Some("github.com/me/agent")),
            (
                "https://github.example.org:8443/a-b/c_d.e",
                Some("github.example.org:8443/a-b/c_d.e"),
            ),
            (
                "https://github.com/me/.github",
                Some("github.com/me/.github"),
            ),
            ("http://github.com/me/agent", None),
            ("https://github.com/me", None),
            ("https://github.com/me/agent/tree", None),
            ("https://github.com/me/..", None),
            ("https://github.com/-me/agent", None),
            ("https://github.com/me/--web", None),
            ("https://github.com//agent", None),
            ("https://github.com/me/a gent", None),
        ] {
            assert_eq!(parse_place(address).as_deref(), place, "{address}");
        }
    }
}
