//! The web address of the source.
//!
//! It becomes a label of published images, so it must be right and without secrets, or absent. An ssh
//! remote may name an alias of the user's own configuration, which no one else can follow
//! (max-sixty/worktrunk#1790, cli/cli#6455), and an https one may have a token (chainguard-dev/apko#231).

use anyhow::Context as _;
use git2::{ErrorCode, Repository};
use url::{Host, Url};

/// The remote `origin` as a web address; `None` without that remote, and when it has no such address.
///
/// The address counts as the repository has it. Only where that is none counts what the user's
/// `url.….insteadOf` make of it: they often lead to a mirror or to an ssh alias
/// (max-sixty/worktrunk#1546, neoclide/coc-git#205). `pushInsteadOf` says nothing of the source.
pub(super) fn source(repo: &Repository) -> anyhow::Result<Option<String>> {
    let failed = "failed to read the git remote `origin`; hint: `git remote get-url origin`, \
                  `git remote set-url origin URL`";
    let remote = match repo.find_remote("origin") {
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
        remote => remote.context(failed)?,
    };
    let written = written(repo).context(failed)?;
    let used = String::from_utf8_lossy(remote.url_bytes());
    Ok(written
        .and_then(|url| web_address(&url))
        .or_else(|| web_address(&used)))
}

/// The first address of the remote in git's settings: git fetches from that one.
fn written(repo: &Repository) -> Result<Option<String>, git2::Error> {
    let config = repo.config()?.snapshot()?;
    let mut first = None;
    let values = match config.multivar("remote.origin.url", None) {
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
        values => values?,
    };
    values.for_each(|entry| {
        if first.is_none() && entry.has_value() {
            first = Some(String::from_utf8_lossy(entry.value_bytes()).into_owned());
        }
    })?;
    Ok(first)
}

/// The web address of a remote, without credentials; `None` for a path, an unknown scheme, and a name
/// that may mean something else elsewhere.
fn web_address(url: &str) -> Option<String> {
    // Labels are printed a line each: a line break in one could pass for another label.
    if url.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
        return None;
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return of_scp(url);
    };
    match scheme.to_ascii_lowercase().as_str() {
        "https" | "http" => of_web(&Url::parse(url).ok()?),
        "ssh" | "git" | "git+ssh" | "ssh+git" => {
            let (host, path) = rest.split_once('/')?;
            // ssh has another port than the web server.
            of_server(without_port(without_user(host)), path)
        }
        _ => None,
    }
}

/// `git@github.com:owner/name.git`. With a slash before the colon, or without a colon, it is a path.
fn of_scp(url: &str) -> Option<String> {
    let (host, path) = url.split_once(':')?;
    // Brackets hold a port or an IPv6 address.
    if host.contains(['/', '[']) {
        return None;
    }
    let first = path.trim_start_matches('/').split('/').next()?;
    // `host:22/owner/name` is meant as a port, and git takes it for a folder.
    let is_port = !first.is_empty() && first.bytes().all(|c| c.is_ascii_digit());
    (!is_port)
        .then(|| of_server(without_user(host), path))
        .flatten()
}

/// An address of the web as it is, without user, query and fragment.
fn of_web(url: &Url) -> Option<String> {
    // Proxies of build machines: nobody else reaches them.
    let is_local = match url.host()? {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(ip) => ip.is_loopback() || ip.is_unspecified(),
        Host::Ipv6(ip) => ip.is_loopback() || ip.is_unspecified(),
    };
    let path = clean(url.path())?;
    let port = url.port().map(|port| format!(":{port}"));
    let (scheme, host) = (url.scheme(), url.host_str()?);
    (!is_local).then(|| format!("{scheme}://{host}{}/{path}", port.unwrap_or_default()))
}

/// A repository on a server that is named for ssh: its web server has the same name, if that is one.
fn of_server(host: &str, path: &str) -> Option<String> {
    let host = host.to_ascii_lowercase();
    let path = clean(path)?;
    let first = path.split('/').next()?;
    // A folder of the server says nothing of its web pages; sourcehut's users begin with `~`.
    let is_folder = FOLDERS.contains(&first) || (first.starts_with('~') && host != "git.sr.ht");
    let is_plain = !path.contains(['?', '#']) && path.split('/').all(|part| !is_no_name(part));
    (is_web_server(&host) && !is_folder && is_plain).then(|| format!("https://{host}/{path}"))
}

/// Where repositories are kept on servers without web pages.
const FOLDERS: [&str; 9] = [
    "data", "home", "mnt", "opt", "root", "srv", "tmp", "usr", "var",
];

/// The large hosts of repositories. Below their names no other web server of theirs has repositories:
/// `ssh.github.com` and `altssh.gitlab.com` are for ssh alone, and `work.github.com` is an alias.
const FORGES: [&str; 4] = ["github.com", "gitlab.com", "bitbucket.org", "codeberg.org"];

/// Whether a host's name, as ssh is given it, can be that of a web server for everyone: aliases have
/// no dot (`github-work`), or a made-up end (`github.com-work`), or begin with the name of a forge
/// (`github-work.com`, alamops/agetor#101).
fn is_web_server(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    let (Some(first), Some(last)) = (labels.first(), labels.last()) else {
        return false;
    };
    let is_label = |label: &&str| {
        let is_known = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !label.is_empty() && label.chars().all(is_known)
    };
    let is_top = last.starts_with("xn--") || last.bytes().all(|c| c.is_ascii_alphabetic());
    let is_like = |forge: &&str| {
        let name = forge.split('.').next().unwrap_or_default();
        let rest = first.strip_prefix(name);
        host.ends_with(&format!(".{forge}"))
            || (labels.len() == 2 && rest.is_some_and(|rest| rest.starts_with('-')))
    };
    labels.len() > 1
        && labels.iter().all(is_label)
        && is_top
        && !first.contains("ssh")
        && !FORGES.iter().any(is_like)
}

/// A path without slashes at its ends and without `.git`; none when it is empty.
///
/// An `@` means a password with a slash in it: half of it must not become public.
fn clean(path: &str) -> Option<&str> {
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    (!path.is_empty() && !path.contains('@')).then_some(path)
}

fn is_no_name(part: &str) -> bool {
    ["", ".", ".."].contains(&part)
}

fn without_user(host: &str) -> &str {
    host.rsplit_once('@').map_or(host, |(_, host)| host)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests;
