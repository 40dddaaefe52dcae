//! Who may do what at a registry: challenges, tokens, and what `docker login` left.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::http::{Answer, Request};
use super::rule::Names;

pub(super) const USER: &str = "ada";
pub(super) const PASSWORD: &str = "s3cret-of-ada";
/// What a registry gives in place of a password.
pub(super) const IDENTITY: &str = "identity-of-ada";
/// How every token begins.
pub(super) const TOKEN: &str = "tok-";

/// What a registry asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Auth {
    /// The `WWW-Authenticate` headers of a 401; `{scope}` is what the request needs.
    pub(super) challenges: &'static [&'static str],
    pub(super) takes: Takes,
    pub(super) tokens: Tokens,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Basic,
    Bearer,
}

/// How the token server behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens {
    /// Its answer; `{token}` is the token.
    pub(super) answer: &'static str,
    pub(super) grants: Grants,
    /// For how many requests a token is good.
    pub(super) uses: u32,
    /// The status for a POST (OAuth 2); none where it is understood.
    pub(super) post: Option<&'static str>,
    /// A scope that the registry needs besides, for reading too.
    pub(super) needs: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grants {
    /// What is asked for.
    Asked,
    /// No token for who asks for more than `pull`.
    PullOrNothing,
    /// `pull`, whatever is asked for.
    Pull,
}

pub(super) const BASIC: Auth = Auth {
    challenges: &["Basic realm=\"quirks\""],
    takes: Takes::Basic,
    tokens: Tokens {
        answer: "{\"token\":\"{token}\"}",
        grants: Grants::Asked,
        uses: u32::MAX,
        post: None,
        needs: None,
    },
};

pub(super) const BEARER: Auth = Auth {
    challenges: &[
        "Bearer realm=\"{scheme}://{tokens}/token\",service=\"quirks\",scope=\"{scope}\"",
    ],
    takes: Takes::Bearer,
    ..BASIC
};

/// How often each token was used.
pub(super) type Uses = BTreeMap<String, u32>;

impl Auth {
    /// The refusal of a request that may not be done, if any.
    pub(super) fn refusal(
        &self,
        request: &Request,
        uses: &mut Uses,
        names: &Names,
    ) -> Option<Answer> {
        let authorization = request.headers.get("authorization").unwrap_or_default();
        let scope = scope(request);
        let may = match self.takes {
            Takes::Basic => authorization == basic(),
            Takes::Bearer => self.admits(authorization, &scope, uses),
        };
        if may {
            return None;
        }
        let body = br#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
        let answer = Answer::new("401 Unauthorized", body);
        let challenges = self.challenges.iter();
        Some(challenges.fold(answer, |answer, challenge| {
            let needs = self
                .tokens
                .needs
                .map_or(scope.clone(), |needs| format!("{scope} {needs}"));
            let challenge = challenge.replace("{scope}", &needs);
            answer.with("WWW-Authenticate", &names.fill(&challenge))
        }))
    }

    fn admits(&self, authorization: &str, scope: &str, uses: &mut Uses) -> bool {
        let Some(token) = authorization.strip_prefix("Bearer ") else {
            return false;
        };
        let count = uses.entry(token.to_owned()).or_default();
        *count += 1;
        let granted = token
            .strip_prefix(TOKEN)
            .and_then(|token| token.split('.').next());
        let granted = granted.and_then(|granted| URL_SAFE_NO_PAD.decode(granted).ok());
        let granted = String::from_utf8(granted.unwrap_or_default()).unwrap_or_default();
        let has = |scope: &str| granted.split(' ').any(|one| covers(one, scope));
        *count <= self.tokens.uses && has(scope) && self.tokens.needs.is_none_or(has)
    }

    /// The answer of the token server.
    pub(super) fn token(&self, request: &Request, number: usize) -> Answer {
        let refused =
            |status| Answer::new(status, br#"{"details":"incorrect username or password"}"#);
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let is_post = request.method == "POST";
        let (query, is_known) = if is_post {
            let known = decoded(&body).contains(&("refresh_token".to_owned(), IDENTITY.to_owned()));
            (body, known)
        } else {
            let (_, query) = request.target.split_once('?').unwrap_or_default();
            let known = request.headers.get("authorization") == Some(&*basic());
            (query.to_owned(), known)
        };
        if let (true, Some(status)) = (is_post, self.tokens.post) {
            return refused(status);
        }
        if !is_known {
            return refused("401 Unauthorized");
        }
        let query = decoded(&query).into_iter();
        let asked = query
            .filter(|(name, _)| name == "scope")
            .map(|(_, scope)| scope);
        let asked: Vec<String> = asked.collect();
        let to_pull: Vec<String> = asked.iter().map(|scope| to_pull(scope)).collect();
        let granted = match self.tokens.grants {
            Grants::PullOrNothing if to_pull != asked => return refused("403 Forbidden"),
            Grants::Pull => to_pull,
            _ => asked,
        };
        let token = format!(
            "{TOKEN}{}.{number}",
            URL_SAFE_NO_PAD.encode(granted.join(" "))
        );
        let answer = self.tokens.answer.replace("{token}", &token);
        Answer::new("200 OK", answer.as_bytes()).with("Content-Type", "application/json")
    }
}

/// The `Authorization` header of the user.
pub(super) fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")))
}

/// What a request needs, as in a challenge.
fn scope(request: &Request) -> String {
    let path = request.path();
    let path = path.strip_prefix("/moved").unwrap_or(path);
    let name = path.strip_prefix("/v2/").unwrap_or_default();
    let ends = ["/manifests/", "/blobs/", "/tags/"].into_iter();
    let end = ends.filter_map(|part| name.find(part)).min();
    let Some(end) = end else {
        return String::new();
    };
    let actions = match &*request.method {
        "GET" | "HEAD" => "pull",
        "DELETE" if path.contains("/manifests/") => "delete",
        _ => "push",
    };
    format!("repository:{}:{actions}", &name[..end])
}

/// The same scope, to pull alone.
fn to_pull(scope: &str) -> String {
    let name = scope.rsplit_once(':').map(|(name, _)| name);
    name.map_or_else(|| scope.to_owned(), |name| format!("{name}:pull"))
}

/// Whether a granted scope covers a needed one.
fn covers(granted: &str, needed: &str) -> bool {
    if needed.is_empty() || granted == needed {
        return true;
    }
    let parts = |scope: &str| {
        let (name, actions) = scope.rsplit_once(':')?;
        let actions: Vec<String> = actions.split(',').map(str::to_owned).collect();
        Some((name.to_owned(), actions))
    };
    let (Some(granted), Some(needed)) = (parts(granted), parts(needed)) else {
        return false;
    };
    granted.0 == needed.0 && needed.1.iter().all(|action| granted.1.contains(action))
}

/// The pairs of a query or a form.
fn decoded(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    let pairs = pairs.map(|(name, value)| (decode(name), decode(value)));
    pairs.collect()
}

fn decode(text: &str) -> String {
    let text = text.replace('+', " ");
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (hex, rest) = part.split_at(part.len().min(2));
        bytes.extend(u8::from_str_radix(hex, 16));
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// What `docker login` left: `config.json`, and the variable `DOCKER_AUTH_CONFIG`. `{basic}` is user and
/// password in base64.
#[derive(Clone, Copy, Debug)]
pub(super) struct Login {
    pub(super) file: &'static str,
    pub(super) variable: Option<&'static str>,
}

pub(super) const LOGIN: Login = Login {
    file: r#"{"auths":{"{registry}":{"auth":"{basic}"}}}"#,
    variable: None,
};

pub(super) const NO_LOGIN: Login = Login {
    file: "{}",
    variable: None,
};

impl Login {
    pub(super) fn fill(text: &str, names: &Names) -> String {
        let basic = STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let text = text
            .replace("{basic}", &basic)
            .replace("{user}", USER)
            .replace("{password}", PASSWORD)
            .replace("{identity}", IDENTITY);
        names.fill(&text)
    }
}
