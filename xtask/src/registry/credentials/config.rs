//! Docker's configuration as text: what it says of one registry.
//!
//! Read as Go's `encoding/json` reads it for docker: names of fields in any case, `null` as absent,
//! what follows the first value ignored. Reasons for failures are given without any value.

use crate::printable;
use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

/// The environment variable that has credentials in itself.
pub(super) const VARIABLE: &str = "DOCKER_AUTH_CONFIG";
/// Docker Hub's name in docker's configuration, from the time of its first API.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// Docker writes padding; what others write often has none, and containers' and Google's clients
/// take it so. Go ignores left-over bits.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

type Object = Map<String, Value>;

/// What a registry is told of who asks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// Both are not empty.
    Basic { user: String, password: String },
    /// For the token server, which gives a token for it (`refresh_token`).
    IdentityToken(String),
    /// For the registry itself, as `Bearer`.
    RegistryToken(String),
}

/// Without the secrets.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credential::Basic { user, .. } => write!(f, "Basic({user:?}, …)"),
            Credential::IdentityToken(_) => f.write_str("IdentityToken(…)"),
            Credential::RegistryToken(_) => f.write_str("RegistryToken(…)"),
        }
    }
}

impl Credential {
    /// A user and a password; docker sends neither if one of them is empty.
    pub(super) fn basic(user: String, password: String) -> Option<Credential> {
        let is_whole = !user.is_empty() && !password.is_empty();
        is_whole.then_some(Credential::Basic { user, password })
    }
}

/// A registry's key in docker's configuration.
pub(super) fn key(server: &str) -> &str {
    match server {
        "docker.io" | "index.docker.io" => DOCKER_HUB,
        other => other,
    }
}

/// `config.json`.
pub(super) struct Config {
    auths: Object,
    helpers: Object,
    store: String,
}

impl Config {
    /// Fails with the reason when `text` is no such configuration. No text at all is an empty one.
    pub(super) fn parse(text: &str) -> Result<Config, String> {
        let mut values = serde_json::Deserializer::from_str(text).into_iter();
        let value = values.next().transpose().map_err(|why| why.to_string())?;
        let whole = object(value.as_ref(), "it")?;
        Ok(Config {
            auths: object(field(&whole, "auths"), "`auths`")?,
            helpers: object(field(&whole, "credHelpers"), "`credHelpers`")?,
            store: text_of(&whole, "credsStore")?,
        })
    }

    /// Whether it says nothing of credentials.
    pub(super) fn says_nothing(&self) -> bool {
        self.auths.is_empty() && self.helpers.is_empty() && self.store.is_empty()
    }

    /// The helper to ask for `key`. An empty name in `credHelpers` means the file itself.
    pub(super) fn helper(&self, key: &str) -> Result<Option<&str>, String> {
        let name = match self.helpers.get(key).or_else(|| field(&self.helpers, key)) {
            None => &*self.store,
            Some(Value::Null) => "",
            Some(Value::String(name)) => name,
            Some(_) => return Err("a name in `credHelpers` is not text".to_owned()),
        };
        Ok(Some(name).filter(|name| !name.is_empty()))
    }

    /// The entry for `key`: the one of that very name, else the first that has something to offer
    /// among those whose name has this host in a URL.
    pub(super) fn entry(&self, key: &str) -> Result<Entry, String> {
        if let Some(value) = self.auths.get(key) {
            return Entry::parse(value);
        }
        let names = self.auths.iter();
        let of_host = names.filter(|(name, _)| host(name).eq_ignore_ascii_case(key));
        let mut entries = of_host.map(|(_, value)| Entry::parse(value));
        let offers = |entry: &Result<Entry, String>| {
            entry.as_ref().is_ok_and(|entry| *entry != Entry::default())
        };
        entries.find(offers).unwrap_or_else(|| Ok(Entry::default()))
    }
}

/// One entry of `auths`.
#[derive(Default, PartialEq)]
pub(super) struct Entry {
    /// User and password as one, in base64.
    auth: String,
    username: String,
    password: String,
    identity_token: String,
    registry_token: String,
}

impl Entry {
    fn parse(value: &Value) -> Result<Entry, String> {
        let entry = object(Some(value), "the registry's entry in `auths`")?;
        Ok(Entry {
            auth: text_of(&entry, "auth")?,
            username: text_of(&entry, "username")?,
            password: text_of(&entry, "password")?,
            identity_token: text_of(&entry, "identitytoken")?,
            registry_token: text_of(&entry, "registrytoken")?,
        })
    }

    pub(super) fn registry_token(&self) -> Option<Credential> {
        let token = Some(&self.registry_token).filter(|token| !token.is_empty());
        token.cloned().map(Credential::RegistryToken)
    }

    /// What docker makes of it (`internal/registryclient`). A token goes before a password, and `auth`
    /// before both of its parts.
    pub(super) fn credential(self) -> Result<Option<Credential>, String> {
        if !self.identity_token.is_empty() {
            return Ok(Some(Credential::IdentityToken(self.identity_token)));
        }
        let (user, password) = match &*self.auth {
            "" => (self.username, self.password),
            auth => decode(auth).map_err(|why| format!("the registry's `auth` {why}"))?,
        };
        Ok(Credential::basic(user, password))
    }
}

/// The entry of `DOCKER_AUTH_CONFIG` for `key`.
///
/// Fails with the reason when any part of it is not as docker wants it: `auths` alone, and in each
/// of its entries `auth` alone. Docker then takes nothing from it. Keys are compared as they are.
pub(super) fn in_variable(text: &str, key: &str) -> Result<Option<Entry>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let value: Value = serde_json::from_str(text).map_err(|why| why.to_string())?;
    let whole = object(Some(&value), "it")?;
    only(&whole, "auths")?;
    let mut found = None;
    for (name, value) in object(field(&whole, "auths"), "`auths`")? {
        let shown = printable::line(&name);
        let entry = object(Some(&value), &format!("`{shown}` in `auths`"))?;
        only(&entry, "auth")?;
        let auth = text_of(&entry, "auth")?;
        if auth.is_empty() {
            return Err(format!("`{shown}` has no `auth`"));
        }
        let (username, password) = Some(&*auth)
            .filter(|auth| auth.replace(['\r', '\n'], "").len() % 4 == 0)
            .ok_or("is base64 without its padding")
            .and_then(decode)
            .map_err(|why| format!("`{shown}`'s `auth` {why}"))?;
        if name == key {
            found = Some(Entry {
                username,
                password,
                ..Entry::default()
            });
        }
    }
    Ok(found)
}

/// User and password. Docker strips zero bytes from the password's ends, which it once wrote there.
fn decode(auth: &str) -> Result<(String, String), &'static str> {
    let bytes = BASE64.decode(auth.replace(['\r', '\n'], ""));
    let text =
        String::from_utf8(bytes.map_err(|_| "is not base64")?).map_err(|_| "is not UTF-8")?;
    match text.split_once(':') {
        None => Err("has no `:` between user and password"),
        Some(("", _)) => Err("has no user before its `:`"),
        Some((user, password)) => Ok((user.to_owned(), password.trim_matches('\0').to_owned())),
    }
}

/// The host and port in a key, which may be a URL.
fn host(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

/// A field by its name in any case, the very name first.
fn field<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    let other = || {
        let mut fields = object.iter();
        fields.find(|(other, _)| other.eq_ignore_ascii_case(name))
    };
    object.get(name).or_else(|| Some(other()?.1))
}

/// An object; an absent one is empty.
fn object(value: Option<&Value>, what: &str) -> Result<Object, String> {
    match value {
        None | Some(Value::Null) => Ok(Object::new()),
        Some(Value::Object(object)) => Ok(object.clone()),
        Some(_) => Err(format!("{what} is not an object")),
    }
}

/// A field's text; an absent one's is empty.
pub(super) fn text_of(object: &Object, name: &str) -> Result<String, String> {
    match field(object, name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(format!("`{name}` is not text")),
    }
}

/// Fails when there is any other field.
fn only(object: &Object, name: &str) -> Result<(), String> {
    let mut names = object.keys();
    match names.find(|other| !other.eq_ignore_ascii_case(name)) {
        Some(other) => Err(format!(
            "`{}` is not known there, only `{name}`",
            printable::line(other)
        )),
        None => Ok(()),
    }
}
