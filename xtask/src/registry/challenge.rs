//! What a 401 asks for: the challenges of `WWW-Authenticate` (RFC 9110, section 11.6.1).
//!
//! Read here rather than by the crate `http-auth`, which gives up at a `token68` (`Negotiate oRM=`)
//! and so loses the challenge beside it that we know.

use std::collections::BTreeMap;

/// One challenge: a scheme and its parameters, whose names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    scheme: String,
    parameters: BTreeMap<String, String>,
}

/// A challenge that we can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A token from `realm`, an address (the distribution project's token specification).
    Bearer {
        realm: String,
        service: Option<String>,
        /// Scopes, separated by spaces.
        scope: String,
    },
    /// The user's name and password.
    Basic,
}

/// What an answer asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    Nothing,
    For(Challenge),
    /// Nothing that we know: the schemes.
    Unknown(Vec<String>),
}

impl Asks {
    /// Reads the challenges in the values of all `WWW-Authenticate` headers.
    ///
    /// `Bearer` goes before `Basic` wherever it stands, as in containerd: the registry then gets a
    /// token for an hour at most instead of the password. RFC 9110 lets the client choose.
    pub(super) fn of<'a>(headers: impl IntoIterator<Item = &'a str>) -> Asks {
        let listed: Vec<Listed> = headers.into_iter().flat_map(list).collect();
        let mut bearers = listed.iter().filter(|one| one.scheme == "bearer");
        let bearer = bearers.find_map(|one| {
            let parameter = |name: &str| one.parameters.get(name).cloned();
            Some(Challenge::Bearer {
                realm: parameter("realm").filter(|realm| !realm.is_empty())?,
                service: parameter("service").filter(|service| !service.is_empty()),
                scope: parameter("scope").unwrap_or_default(),
            })
        });
        let has_basic = listed.iter().any(|one| one.scheme == "basic");
        let basic = has_basic.then_some(Challenge::Basic);
        match bearer.or(basic) {
            Some(challenge) => Asks::For(challenge),
            None if listed.is_empty() => Asks::Nothing,
            None => Asks::Unknown(listed.into_iter().map(|one| one.scheme).collect()),
        }
    }

    /// Whether a token was refused because it permits too little (RFC 6750, section 3.1).
    pub(super) fn is_insufficient<'a>(headers: impl IntoIterator<Item = &'a str>) -> bool {
        let mut listed = headers.into_iter().flat_map(list);
        listed.any(|one| {
            let error = one.parameters.get("error").map(String::as_str);
            error == Some("insufficient_scope")
        })
    }
}

/// The challenges of one header, in its order. What is not a challenge is skipped up to the next
/// comma.
fn list(header: &str) -> Vec<Listed> {
    let mut found: Vec<Listed> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return found;
        }
        let (word, after) = token(rest);
        if word.is_empty() {
            rest = after_comma(rest);
            continue;
        }
        let spaced = after.trim_start_matches([' ', '\t']);
        if let Some(value) = spaced.strip_prefix('=') {
            let (value, after) = parameter_value(value.trim_start_matches([' ', '\t']));
            if let Some(last) = found.last_mut() {
                let name = word.to_ascii_lowercase();
                // A name that stands twice is ambiguous; the first counts.
                last.parameters.entry(name).or_insert(value);
            }
            rest = after;
            continue;
        }
        found.push(Listed {
            scheme: word.to_ascii_lowercase(),
            parameters: BTreeMap::new(),
        });
        rest = after_token68(spaced);
    }
}

fn token(text: &str) -> (&str, &str) {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    text.split_at(text.find(|c| !is_token(c)).unwrap_or(text.len()))
}

/// A quoted string, or what stands up to the next comma or space: some registries forget to quote.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let (mut value, mut is_escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            _ if is_escaped => {
                value.push(c);
                is_escaped = false;
            }
            '\\' => is_escaped = true,
            '"' => return (value, &quoted[at + 1..]),
            _ => value.push(c),
        }
    }
    // Without its end nothing of it can be trusted.
    (String::new(), "")
}

/// What follows the one word that a scheme may have instead of parameters.
fn after_token68(text: &str) -> &str {
    let is_token68 = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    let after = text.trim_start_matches(is_token68).trim_start_matches('=');
    let ends = after.trim_start_matches([' ', '\t']);
    if ends.is_empty() || ends.starts_with(',') {
        ends
    } else {
        text
    }
}

fn after_comma(text: &str) -> &str {
    text.split_once(',').map_or("", |(_, after)| after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: &str) -> Asks {
        Asks::For(Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.to_owned(),
        })
    }

    #[test]
    fn the_strongest_challenge_that_is_known_is_found_wherever_it_stands() {
        let plain = r#"Bearer realm="https://a/t?b=c",service=plain, scope="pull,push""#;
        let token = bearer("https://a/t?b=c", Some("plain"), "pull,push");
        let basic = Asks::For(Challenge::Basic);
        for (headers, expected) in [
            (vec![plain], token.clone()),
            (vec!["Negotiate", r#"Basic realm="x""#], basic.clone()),
            (vec![r#"Negotiate, Basic realm="x""#], basic.clone()),
            (
                vec![r#"Negotiate oRMxyz+/==, Basic realm="x""#],
                basic.clone(),
            ),
            (
                vec![r#"Basic realm="a, Bearer realm=\"b\"""#],
                basic.clone(),
            ),
            (vec![r#"Basic realm="x""#, plain], token.clone()),
            (vec![plain, r#"Basic realm="x""#], token.clone()),
            (
                vec![
                    r#"Basic realm="x", Bearer realm="https://a/t?b=c", service="plain" , scope="pull,push", NTLM"#,
                ],
                token.clone(),
            ),
            (
                vec![r#"bEARER   SCOPE = "s" ,Realm="r\"q""#],
                bearer("r\"q", None, "s"),
            ),
            (vec![r#"Digest qop="auth, x", Basic"#], basic.clone()),
            (vec![r#",, ; Basic realm="x""#], Asks::Nothing),
            // A token without an address to get it from is none.
            (
                vec![r#"Bearer service="s", Basic realm="x""#],
                basic.clone(),
            ),
            (
                vec![r#"Bearer realm="open"#],
                Asks::Unknown(vec!["bearer".to_owned()]),
            ),
            (
                vec!["Negotiate, NTLM"],
                Asks::Unknown(vec!["negotiate".to_owned(), "ntlm".to_owned()]),
            ),
            (vec![""], Asks::Nothing),
            (vec![], Asks::Nothing),
        ] {
            let found = Asks::of(headers.iter().copied());
            assert_eq!(found, expected, "{headers:?}");
        }
    }

    #[test]
    fn a_token_that_permits_too_little_is_told_from_one_that_is_wrong() {
        for (header, expected) in [
            (
                r#"Bearer realm="r",error="insufficient_scope",scope="s""#,
                true,
            ),
            (r#"Bearer realm="r", error=insufficient_scope"#, true),
            (r#"Bearer realm="r",error="invalid_token""#, false),
            (r#"Bearer realm="insufficient_scope""#, false),
        ] {
            assert_eq!(Asks::is_insufficient([header]), expected, "{header}");
        }
    }
}
