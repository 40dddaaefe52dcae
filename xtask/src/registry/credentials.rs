//! The credentials for a registry, found where docker's own client finds them.
//!
//! In this order, as docker/cli's `cli/config` has it (read in its source of August 2026; points 2 and 3
//! were compared with docker 28.2.2):
//!
//! 1. `DOCKER_AUTH_CONFIG`, if it has exactly this registry (docker 28.3 and later; so it goes before
//!    what `docker login` writes, docker/cli#6156).
//! 2. The helper that `config.json` names for this registry in `credHelpers`, else its `credsStore`,
//!    else, if the file says nothing of credentials at all, the helper that docker uses by itself.
//! 3. Without a helper, the registry's entry in `auths`.
//!
//! Where a helper is asked, a password in `auths` is not used, whatever the helper answers.
//!
//! Kinder than docker: hosts are the same in any case, base64 may lack its padding, and what is wrong
//! in entries of other registries does not count. Stricter: a file that cannot be read is an error,
//! where docker goes on without credentials.
//!
//! Podman's `auth.json` and `REGISTRY_AUTH_FILE` are not read: docker does not read them either.

mod config;
mod helper;
#[cfg(test)]
mod tests;

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{anyhow, bail};

use self::config::Config;
pub(crate) use self::config::Credential;
use crate::exec::Exec;

/// How long a helper may take. Some open a window in which the user types a password.
const HELPER_LIMIT: Duration = Duration::from_mins(1);

/// The credential for `server`, a registry's name as `docker login` takes it; none when docker has
/// none. Docker Hub is `docker.io` or `index.docker.io`.
///
/// Fails when docker's configuration cannot be read, or when a helper that it names is missing,
/// fails, takes longer than a minute or prints anything else than a credential. No error and no
/// note has a secret in it.
pub(super) fn find(exec: &Exec, server: &str) -> anyhow::Result<Option<Credential>> {
    find_within(exec, server, HELPER_LIMIT, note_once)
}

fn find_within(
    exec: &Exec,
    server: &str,
    limit: Duration,
    mut note: impl FnMut(String),
) -> anyhow::Result<Option<Credential>> {
    let key = config::key(server);
    match config::in_variable(&exec.var(config::VARIABLE).unwrap_or_default(), key) {
        Ok(Some(entry)) => return entry.credential().map_err(anyhow::Error::msg),
        Ok(None) => {}
        Err(why) => note(format!(
            "{} is ignored, as docker ignores it: {why}",
            config::VARIABLE
        )),
    }
    let Some(path) = config_file(exec) else {
        return Ok(None);
    };
    let wrong = |why: String| {
        anyhow!(
            "`{}` is not a configuration of docker's: {why}; hint: `docker login {server}` writes \
             a new one once it is moved away",
            path.display()
        )
    };
    let config = Config::parse(&read(&path)?).map_err(wrong)?;
    let is_installed = |program: &str| exec.find(program).is_some();
    let (name, is_configured) = match source(&config, key, is_installed).map_err(wrong)? {
        Source::File(credential) => return Ok(credential),
        Source::Configured(name) => (name, true),
        Source::Detected(name) => (name, false),
    };
    let program = format!("{}{name}", helper::PREFIX);
    match helper::ask(exec, &program, key, limit)? {
        Ok(credential) => Ok(credential),
        Err(why) if is_configured => bail!(
            "`{program}` has the credentials for `{server}`, as `{}` says, but {why}; hint: make \
             it work, or take it out of that file and `docker login {server}`",
            path.display()
        ),
        // Nobody asked for it: that it fails is no reason to read nothing.
        Err(why) => {
            note(format!(
                "`{program}`, which docker uses by itself, is ignored: {why}"
            ));
            Ok(None)
        }
    }
}

/// Where a registry's credential is.
enum Source<'a> {
    /// In the file; none when the file has none.
    File(Option<Credential>),
    /// With a helper that the file names.
    Configured(&'a str),
    /// With a helper that the file does not name.
    Detected(&'static str),
}

/// Decides whom to ask. `is_installed` says whether a program is on PATH.
///
/// Fails with the reason when the registry's entry cannot be used.
fn source<'a>(
    config: &'a Config,
    key: &str,
    is_installed: impl Fn(&str) -> bool,
) -> Result<Source<'a>, String> {
    let entry = config.entry(key)?;
    // Docker takes it from here even when a helper has the rest.
    if let Some(token) = entry.registry_token() {
        return Ok(Source::File(Some(token)));
    }
    if let Some(name) = config.helper(key)? {
        return Ok(Source::Configured(name));
    }
    if config.says_nothing()
        && let Some(name) = default_helper(cfg!(target_os = "macos"), is_installed)
    {
        return Ok(Source::Detected(name));
    }
    entry.credential().map(Source::File)
}

/// The helper that docker uses where nobody configured anything.
fn default_helper(is_macos: bool, is_installed: impl Fn(&str) -> bool) -> Option<&'static str> {
    let name = match is_macos {
        true => "osxkeychain",
        false if is_installed("pass") => "pass",
        false => "secretservice",
    };
    is_installed(&format!("{}{name}", helper::PREFIX)).then_some(name)
}

/// `config.json` in the folder that `DOCKER_CONFIG` names, else in the home folder's `.docker`.
fn config_file(exec: &Exec) -> Option<PathBuf> {
    let home = || exec.var("HOME").map(PathBuf::from).or_else(env::home_dir);
    let folder = exec.var("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(home()?.join(".docker")))?;
    Some(folder.join("config.json"))
}

/// The file's text; empty when there is no file.
fn read(path: &Path) -> anyhow::Result<String> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => bail!(
            "failed to read `{}`, where docker keeps credentials: {error}; hint: let this account \
             read it, or name another folder in DOCKER_CONFIG",
            path.display()
        ),
    }
}

/// Prints a note, unless this process has printed it before: each registry looks here anew.
fn note_once(text: String) {
    static PRINTED: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut printed = PRINTED.lock().unwrap_or_else(PoisonError::into_inner);
    if !printed.contains(&text) {
        crate::say::errln!("note: {text}");
        printed.push(text);
    }
}
