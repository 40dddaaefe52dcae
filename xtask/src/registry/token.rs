//! Tokens: what they permit, how long they last, and which of them a request needs (the
//! distribution project's token specification, and its OAuth 2 one).

use std::fmt;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

/// What a token permits: for each resource, such as `repository:me/agent`, the actions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scopes(Vec<(String, Vec<String>)>);

impl Scopes {
    /// `actions` on a repository, named as in its registry.
    pub(super) fn repository(name: &str, actions: &[&str]) -> Scopes {
        let actions = actions.iter().map(|&action| action.to_owned()).collect();
        Scopes(vec![(format!("repository:{name}"), actions)])
    }

    /// The scopes of a challenge, separated by spaces.
    fn parse(text: &str) -> Scopes {
        let scopes = text.split_ascii_whitespace();
        // A repository may be named with a host and its port.
        let scopes = scopes.filter_map(|scope| scope.rsplit_once(':'));
        let scopes = scopes.map(|(resource, actions)| {
            let actions = actions.split(',').filter(|action| !action.is_empty());
            (resource.to_owned(), actions.map(str::to_owned).collect())
        });
        scopes.fold(Scopes::default(), |all, one| all.and(Scopes(vec![one])))
    }

    /// Both, each resource and each action once.
    pub(super) fn and(mut self, other: Scopes) -> Scopes {
        for (resource, actions) in other.0 {
            match self.0.iter_mut().find(|(known, _)| *known == resource) {
                Some((_, known)) => {
                    for action in actions {
                        if !known.contains(&action) {
                            known.push(action);
                        }
                    }
                }
                None => self.0.push((resource, actions)),
            }
        }
        self
    }

    /// With what a challenge asks for besides.
    pub(super) fn and_asked(self, scope: &str) -> Scopes {
        self.and(Scopes::parse(scope))
    }

    /// Whether everything in `other` is in this.
    fn covers(&self, other: &Scopes) -> bool {
        let has = |resource: &String, action: &String| {
            let known = self.0.iter().find(|(known, _)| known == resource);
            known.is_some_and(|(_, known)| known.contains(action))
        };
        let mut wanted = other.0.iter();
        wanted.all(|(resource, actions)| actions.iter().all(|action| has(resource, action)))
    }

    /// Each scope as a request for a token names it.
    pub(super) fn list(&self) -> impl Iterator<Item = String> {
        let scopes = self.0.iter();
        scopes.map(|(resource, actions)| format!("{resource}:{}", actions.join(",")))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.list().collect::<Vec<_>>().join(" "))
    }
}

/// A token as a token server gives it. It is never printed.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) text: String,
    lasts: Option<Duration>,
}

/// Less than what is left of a token's time is not enough for a request.
const MARGIN: Duration = Duration::from_secs(5);

impl Token {
    /// Reads the answer of a token server: `token` or `access_token`, whichever is not empty; they
    /// mean the same. None when there is neither.
    ///
    /// `issued_at` is not read: it is by the server's clock, and what counts is ours.
    pub(super) fn parse(text: &[u8]) -> Option<Token> {
        #[derive(Deserialize)]
        struct Answer {
            token: Option<Value>,
            access_token: Option<Value>,
            expires_in: Option<Value>,
        }
        let answer: Answer = serde_json::from_slice(text).ok()?;
        let texts = [answer.token, answer.access_token].into_iter().flatten();
        let texts = texts.filter_map(|text| text.as_str().map(str::to_owned));
        // A header's value: no control character may be in it.
        let mut texts = texts.filter(|text| !text.is_empty() && text.is_ascii());
        let text = texts.find(|text| !text.contains(|c: char| c.is_ascii_control() || c == ' '))?;
        // Some write the number as a text.
        let seconds = answer.expires_in.and_then(|seconds| match seconds {
            Value::String(text) => text.parse().ok(),
            seconds => seconds.as_f64(),
        });
        let lasts = seconds.filter(|seconds| *seconds > 0.0);
        Some(Token {
            text,
            lasts: lasts.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        })
    }
}

/// The tokens that were given so far.
#[derive(Default)]
pub(super) struct Tokens(Vec<(Scopes, Token, Instant)>);

impl Tokens {
    pub(super) fn keep(&mut self, scopes: Scopes, token: Token, now: Instant) {
        self.0.retain(|(known, _, _)| *known != scopes);
        self.0.push((scopes, token, now));
    }

    /// A token that permits all of `scopes` and still lasts.
    ///
    /// One without a given time lasts until the registry refuses it: many name none and mean hours,
    /// whatever the specification has for that case (a minute).
    pub(super) fn find(&self, scopes: &Scopes, now: Instant) -> Option<&str> {
        let found = self.0.iter().find(|(known, token, since)| {
            let lasts = |time: Duration| now.duration_since(*since) + MARGIN < time;
            known.covers(scopes) && token.lasts.is_none_or(lasts)
        });
        found.map(|(_, token, _)| &*token.text)
    }

    /// The registry has refused it.
    pub(super) fn forget(&mut self, text: &str) {
        self.0.retain(|(_, token, _)| token.text != text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_registry_names_is_asked_for_with_what_we_need() {
        for (actions, asked, expected) in [
            (&["pull"][..], "repository:a:pull", "repository:a:pull"),
            (&["pull"], "", "repository:a:pull"),
            (
                &["pull", "push"],
                "repository:a:pull",
                "repository:a:pull,push",
            ),
            (
                &["pull"],
                "repository:a:push,pull",
                "repository:a:pull,push",
            ),
            (
                &["pull"],
                "registry:catalog:* repository:a:pull",
                "repository:a:pull registry:catalog:*",
            ),
            (
                &["pull"],
                "repository:h:5000/a:pull",
                "repository:a:pull repository:h:5000/a:pull",
            ),
            (&["pull"], "nonsense", "repository:a:pull"),
        ] {
            let scopes = Scopes::repository("a", actions).and_asked(asked);
            assert_eq!(scopes.to_string(), expected, "{asked}");
        }
    }

    #[test]
    fn a_token_is_used_for_what_it_permits_and_while_it_lasts() {
        let now = Instant::now();
        let [pull, push] = [&["pull"][..], &["pull", "push"]].map(|it| Scopes::repository("a", it));
        let mut tokens = Tokens::default();
        let token = |text: &str| Token::parse(text.as_bytes()).unwrap();
        tokens.keep(pull.clone(), token(r#"{"token":"t1"}"#), now);
        assert_eq!(tokens.find(&pull, now), Some("t1"));
        assert_eq!(tokens.find(&push, now), None);
        assert_eq!(tokens.find(&Scopes::repository("b", &["pull"]), now), None);
        tokens.keep(
            push.clone(),
            token(r#"{"token":"t2","expires_in":60}"#),
            now,
        );
        let later = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(tokens.find(&push, later(54)), Some("t2"));
        assert_eq!(tokens.find(&push, later(56)), None);
        tokens.forget("t1");
        assert_eq!(tokens.find(&pull, now), Some("t2"));
    }

    #[test]
    fn a_token_has_two_names() {
        for (text, expected) in [
            (r#"{"token":"t1","access_token":"t2"}"#, Some("t1")),
            (r#"{"access_token":"t1"}"#, Some("t1")),
            (r#"{"token":"","access_token":"t1"}"#, Some("t1")),
            (
                r#"{"token":null,"access_token":"t1","expires_in":-1}"#,
                Some("t1"),
            ),
            (r#"{"token":5,"access_token":"t1"}"#, Some("t1")),
            (r#"{"token":"a\r\nX: y"}"#, None),
            (r#"{"token":""}"#, None),
            (r#"{"token":1}"#, None),
            ("{}", None),
            ("<html>", None),
        ] {
            let token = Token::parse(text.as_bytes());
            assert_eq!(token.map(|token| token.text).as_deref(), expected, "{text}");
        }
    }
}
