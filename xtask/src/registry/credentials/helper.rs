//! Asks a credential helper: a program that keeps passwords in the system's own store.
//!
//! The protocol is that of docker/docker-credential-helpers: `docker-credential-NAME get` reads the
//! registry's key on stdin and prints JSON. When it fails, its stdout says why.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use super::config::{Credential, text_of};
use crate::exec::{self, Ended, Exec};
use crate::printable;

pub(super) const PREFIX: &str = "docker-credential-";
/// What every helper prints when it has no credentials.
const NOT_FOUND: &str = "credentials not found in native keychain";
/// So a helper names the user of an identity token.
const TOKEN_USER: &str = "<token>";
/// Of two at once that of macOS's keychain may hang (docker/cli#1862).
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
/// How many characters of a failed helper's text are shown.
const SHOWN: usize = 300;

/// What the helper `program` has for `key`, or why it has no answer, as the end of a sentence.
///
/// Fails after a signal of ours.
pub(super) fn ask(
    exec: &Exec,
    program: &str,
    key: &str,
    limit: Duration,
) -> anyhow::Result<Result<Option<Credential>, String>> {
    if exec.find(program).is_none() {
        return Ok(Err("it is not on PATH".to_owned()));
    }
    let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let ended = exec.within_given(program, &["get"], key.as_bytes(), limit);
    drop(turn);
    exec::check()?;
    Ok(match ended {
        Ok(ended) => answer(&ended, limit),
        Err(error) => Err(format!("it does not start: {error:#}")),
    })
}

fn answer(ended: &Ended, limit: Duration) -> Result<Option<Credential>, String> {
    let said = String::from_utf8_lossy(&ended.stdout);
    match ended.status {
        None => Err(format!("it does not answer within {} s", limit.as_secs())),
        Some(status) if status.success() => credential(&said),
        Some(_) if said.trim() == NOT_FOUND => Ok(None),
        Some(status) => {
            let stderr = String::from_utf8_lossy(&ended.stderr);
            Err(format!("it fails ({status}): {}", why(&said, &stderr)))
        }
    }
}

/// A credential as helpers print it. What else they print is never shown: it may be a secret.
fn credential(said: &str) -> Result<Option<Credential>, String> {
    let mut values = serde_json::Deserializer::from_str(said).into_iter::<Map<String, Value>>();
    let Some(Ok(answer)) = values.next() else {
        return Err("it does not print a credential".to_owned());
    };
    let field = |name| text_of(&answer, name).map_err(|why| format!("in what it prints {why}"));
    let (user, secret) = (field("Username")?, field("Secret")?);
    Ok(match &*user {
        TOKEN_USER if secret.is_empty() => None,
        TOKEN_USER => Some(Credential::IdentityToken(secret)),
        _ => Credential::basic(user, secret),
    })
}

/// Why a helper failed, in its words, on one line. By the protocol they are on stdout.
fn why(stdout: &str, stderr: &str) -> String {
    let texts = [stdout.trim(), stderr.trim()];
    let said = texts.into_iter().find(|text| !text.is_empty());
    match said {
        None => "it does not say why".to_owned(),
        Some(said) if said.to_ascii_lowercase().contains("\"secret\"") => {
            "what it prints is not shown, for it may be a secret".to_owned()
        }
        Some(said) => {
            let start: String = said.chars().take(SHOWN).collect();
            printable::line(&start)
        }
    }
}
