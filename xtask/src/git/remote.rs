//! The web address of the source.

use anyhow::Context as _;
use git2::{ErrorCode, Repository};

/// The remote `origin` as a web address; `None` without that remote, and when it has no such address.
pub(super) fn source(repo: &Repository) -> anyhow::Result<Option<String>> {
    match repo.find_remote("origin") {
        Ok(remote) => Ok(web_address(&String::from_utf8_lossy(remote.url_bytes()))),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error).context(
            "failed to read the git remote `origin`; hint: `git remote get-url origin`, \
             `git remote set-url origin URL`",
        ),
    }
}

/// The web address of a remote, without credentials; `None` for a path or an unknown scheme.
///
/// The port is kept for http and https alone: ssh has another port than the web server.
fn web_address(url: &str) -> Option<String> {
    let (scheme, host, path) = match url.split_once("://") {
        Some((scheme @ ("https" | "http"), rest)) => {
            let (host, path) = rest.split_once('/')?;
            (scheme, without_credentials(host), path)
        }
        Some(("ssh" | "git" | "git+ssh", rest)) => {
            let (host, path) = rest.split_once('/')?;
            ("https", without_port(without_credentials(host)), path)
        }
        Some(_) => return None,
        // scp-like: `git@github.com:owner/name.git`; without a colon it is a local path.
        None => {
            let (host, path) = url.split_once(':')?;
            ("https", without_credentials(host), path)
        }
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = path.trim_matches('/').trim_end_matches(".git");
    // An `@` in the path means a password with a slash in it: half of it must not become public.
    // Labels are printed a line each: a line break in one could pass for another label.
    let is_odd = |c: char| c.is_whitespace() || c.is_control();
    let is_safe = !host.is_empty()
        && !host.contains('/')
        && !path.is_empty()
        && !path.contains('@')
        && !url.contains(is_odd);
    is_safe.then(|| format!("{scheme}://{host}/{path}"))
}

fn without_credentials(host: &str) -> &str {
    host.rsplit_once('@').map_or(host, |(_, host)| host)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_become_web_addresses_without_credentials() {
        let want = Some("https://github.com/me/agent".to_owned());
        for url in [
            "https://github.com/me/agent",
            "https://github.com/me/agent.git",
            "https://github.com/me/agent.git/",
            "https://x-access-token:s3cret@github.com/me/agent.git",
            "https://me:p@ss@github.com/me/agent",
            "https://github.com/me/agent?token=s3cret",
            "ssh://git@github.com:22/me/agent.git",
            "git://github.com/me/agent",
            "git@github.com:me/agent.git",
            "git@github.com:/me/agent",
        ] {
            assert_eq!(web_address(url), want, "{url}");
        }
        assert_eq!(
            web_address("http://me:s3cret@git.example.org:3000/me/agent"),
            Some("http://git.example.org:3000/me/agent".to_owned())
        );
        for url in [
            "/srv/git/agent.git",
            "../agent",
            "./a:b",
            "file:///srv/agent",
            "https://github.com",
            "https://me:half/half@github.com/me/agent",
            "https://github.com/me/agent\norg.opencontainers.image.version=9",
            "https://github.com/me/my agent",
            "",
        ] {
            assert_eq!(web_address(url), None, "{url}");
        }
    }
}
