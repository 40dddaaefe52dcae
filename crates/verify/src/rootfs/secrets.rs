//! What secrets look like. A false alarm stops a release, so a pattern asks for what a real one
//! has, and not for the word that introduces it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::bytes::{Captures, Regex, RegexSet, RegexSetBuilder};
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer};

use super::pattern;

struct Secret {
    kind: &'static str,
    /// Group 1 is the secret itself.
    pattern: &'static str,
    /// Whether the secret is one and no placeholder; the second text is what follows.
    is_real: fn(&[u8], &[u8]) -> bool,
}

const TABLE: &[Secret] = &[
    Secret {
        kind: "private key",
        pattern: "-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----",
        is_real: has_key_material,
    },
    Secret {
        kind: "Anthropic key",
        pattern: r"\bsk-ant-(?:api|oat|ort|admin|sid)[0-9]{2}-([A-Za-z0-9_-]{20,})",
        is_real: is_random,
    },
    Secret {
        kind: "Claude credentials",
        pattern: r#"claudeAiOauth\\?""#,
        is_real: has_access_token,
    },
    Secret {
        kind: "GitHub token",
        pattern: r"\bgh[pousr]_([A-Za-z0-9]{36,})",
        is_real: is_random,
    },
    Secret {
        kind: "GitHub token",
        pattern: r"\bgithub_pat_([A-Za-z0-9_]{50,})",
        is_real: is_random,
    },
    Secret {
        kind: "GitLab token",
        pattern: r"\bgl(?:agent|cbt|dt|ft|imt|pat|ptt|rt|soat)-([A-Za-z0-9_-]{20,})",
        is_real: is_random,
    },
    Secret {
        kind: "npm token",
        pattern: r"\bnpm_([A-Za-z0-9]{36})\b",
        is_real: is_random,
    },
    Secret {
        kind: "npm credentials",
        pattern: r#"(?m)(?:^|[\s:'"])_(?:auth|authToken|password)[ \t]*=[ \t]*["']?([A-Za-z0-9+/=_.~-]{8,})["']?(?:\s|$)"#,
        is_real: is_encoded,
    },
    Secret {
        kind: "AWS key",
        pattern: r"\bA(?:KIA|SIA)([A-Z2-7]{16})\b",
        is_real: is_random,
    },
    Secret {
        kind: "Google key",
        pattern: r"\bAIza([A-Za-z0-9_-]{35})(?:[^A-Za-z0-9_-]|$)",
        is_real: is_random,
    },
    Secret {
        kind: "Slack token",
        pattern: r"\bxox[abeoprs]-([A-Za-z0-9-]{20,})",
        is_real: is_random,
    },
    Secret {
        kind: "Slack token",
        pattern: r"\bhooks\.slack\.com/services/(T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/[A-Za-z0-9]{20,})",
        is_real: is_random,
    },
    Secret {
        kind: "credentials in a URL",
        pattern: r#"\b(?:amqps?|ftps?|git|https?|mongodb(?:\+srv)?|mysql|postgres(?:ql)?|rediss?|ssh)://[^\s/:@"'`<>(){}$\\]*:([^\s/:@"'`<>(){}$\\]{8,})@"#,
        is_real: is_in_url,
    },
    Secret {
        kind: "registry credentials",
        pattern: r#""auths\\?""#,
        is_real: has_auth,
    },
];

/// The kinds that a text names, which must be some of the table's.
pub(super) fn kinds<'de, D>(deserializer: D) -> Result<Vec<&'static str>, D::Error>
where
    D: Deserializer<'de>,
{
    let names = Vec::<String>::deserialize(deserializer)?;
    let kind = |name: String| {
        let secret = TABLE.iter().find(|secret| secret.kind == name);
        let kind = secret.map(|secret| secret.kind);
        kind.ok_or_else(|| D::Error::custom("an unknown kind of secret"))
    };
    names.into_iter().map(kind).collect()
}

/// Tells in one pass which patterns stand in a text at all: in most texts, none.
static ANY: LazyLock<RegexSet> = LazyLock::new(|| {
    let patterns = TABLE.iter().map(|secret| secret.pattern);
    let set = RegexSetBuilder::new(patterns).unicode(false).build();
    set.expect("the patterns are valid, as the tests show")
});

static EACH: LazyLock<Vec<Regex>> =
    LazyLock::new(|| TABLE.iter().map(|secret| pattern(secret.pattern)).collect());

/// The kinds of secrets that stand in `text`, each once.
pub(crate) fn secrets_in(text: &[u8]) -> Vec<&'static str> {
    let kinds: BTreeSet<_> = ANY
        .matches(text)
        .into_iter()
        .filter(|&number| is_in(&TABLE[number], &EACH[number], text))
        .map(|number| TABLE[number].kind)
        .collect();
    kinds.into_iter().collect()
}

fn is_in(secret: &Secret, pattern: &Regex, text: &[u8]) -> bool {
    pattern.captures_iter(text).any(|found: Captures| {
        let Some(whole) = found.get(0) else {
            return false;
        };
        let value = found.get(1).unwrap_or(whole);
        (secret.is_real)(value.as_bytes(), &text[whole.end()..])
    })
}

/// How far behind its introduction the secret itself may stand.
const NEAR: usize = 4096;

fn near(after: &[u8]) -> &[u8] {
    &after[..after.len().min(NEAR)]
}

/// A line of base64 of the length that even the shortest key has: 64 digits.
fn has_key_material(_: &[u8], after: &[u8]) -> bool {
    static BODY: LazyLock<Regex> =
        LazyLock::new(|| pattern("[A-Za-z0-9+/]{60,}|-----(?:BEGIN|END)"));
    let found = BODY.find(near(after)).map(|found| found.as_bytes());
    found.is_some_and(|found| !found.starts_with(b"-") && is_random(found, b""))
}

fn has_access_token(_: &[u8], after: &[u8]) -> bool {
    static TOKEN: LazyLock<Regex> =
        LazyLock::new(|| pattern(r#"^\s*:\s*\{[^{}]*"accessToken\\?"\s*:\s*\\?"[^"\\]"#));
    TOKEN.is_match(near(after))
}

fn has_auth(_: &[u8], after: &[u8]) -> bool {
    static AUTH: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r#"(?s)^\s*:\s*\{.*"(?:auth|identitytoken)\\?"\s*:\s*\\?"[A-Za-z0-9+/=_.-]{8,}\\?""#,
        )
    });
    AUTH.is_match(near(after))
}

/// `xxxxxxxx`, `00000000` and the examples of documentation are none.
fn is_random(value: &[u8], _: &[u8]) -> bool {
    is_varied(value, 8) && !value.ends_with(b"EXAMPLE")
}

/// Written in base64 or hex: a word of source code has no digit and no padding.
fn is_encoded(value: &[u8], _: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_digit() || *byte == b'=';
    value.iter().any(is_digit) && is_password(value)
}

fn is_password(value: &[u8]) -> bool {
    is_varied(value, 5) && !is_placeholder(value)
}

/// What follows is the host, and that of an example needs no password.
fn is_in_url(password: &[u8], host: &[u8]) -> bool {
    let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'[';
    host.first().is_some_and(is_host) && !host.starts_with(b"example.") && is_password(password)
}

/// `password1`, `YOUR-TOKEN`.
fn is_placeholder(value: &[u8]) -> bool {
    const PLACEHOLDERS: &[&str] = &[
        "accesstoken",
        "apikey",
        "authtoken",
        "changeme",
        "credential",
        "credentials",
        "passphrase",
        "password",
        "passwort",
        "passwd",
        "placeholder",
        "secret",
        "token",
        "username",
    ];
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic());
    let word: String = letters
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    let word = ["my", "your", "the", "some", "user"]
        .iter()
        .find_map(|prefix| word.strip_prefix(prefix))
        .unwrap_or(&word);
    PLACEHOLDERS.contains(&word)
}

fn is_varied(value: &[u8], different: usize) -> bool {
    value.iter().collect::<BTreeSet<_>>().len() >= different
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random enough, and never in one piece here: this file must not look like a leak itself.
    fn random(length: usize) -> String {
        let digits = "q7Wz2Xk9Vb4Nc8Md3Lf6Jg5Hs1Pt0Ry";
        digits.chars().cycle().take(length).collect()
    }

    fn pem(label: &str, body: &str) -> String {
        let label = format!("{label}PRIVATE KEY-----");
        format!("-----BEGIN {label}\n{body}\n-----END {label}\n")
    }

    #[test]
    fn secrets_are_found() {
        let upper = "QZWX2SEDC3RFVT4G";
        let oauth = |field: &str| format!(r#"{{"claudeAi{field}":{{"x":1,"accessToken":"t"}}}}"#);
        let registry = format!(
            "{{\n  \"auths\": {{\n    \"r.io\": {{\n      \"au{}\": \"am9lOnB3MTI=\"\n}}}}}}",
            "th"
        );
        let cases = [
            ("private key", pem("", &random(64))),
            (
                "private key",
                pem(
                    "RSA ",
                    &format!("DEK-Info: AES-128-CBC,0A\n\n{}", random(64)),
                ),
            ),
            (
                "private key",
                pem("OPENSSH ", &random(70)).replace('\n', r"\n"),
            ),
            (
                "Anthropic key",
                format!("export K=sk-ant-{}-{}", "api03", random(90)),
            ),
            (
                "Anthropic key",
                format!("sk-ant-{}-{}", "oat01", random(90)),
            ),
            ("Claude credentials", oauth("Oauth")),
            ("Claude credentials", oauth("Oauth").replace('"', r#"\""#)),
            ("GitHub token", format!("gh{}_{}", "p", random(36))),
            ("GitHub token", format!("github{}_{}", "_pat", random(82))),
            ("GitLab token", format!("gl{}-{}", "pat", random(20))),
            ("npm token", format!("token: npm{}{}", "_", random(36))),
            (
                "npm credentials",
                format!("//npm.host/:_auth{}={}", "Token", random(36)),
            ),
            (
                "npm credentials",
                format!("x=1\n_au{} = \"{}\"\n", "th", "dXNlcjpwYXNz=="),
            ),
            (
                "npm credentials",
                format!("//host/:_pass{}=aHVudGVyMg==", "word"),
            ),
            ("AWS key", format!("AK{}{upper}", "IA")),
            ("Google key", format!("key=AI{}{}", "za", random(35))),
            ("Slack token", format!("xo{}-{}", "xb", random(40))),
            (
                "credentials in a URL",
                format!("https://{}:{}@host/x", "joe", "hunter2hunter"),
            ),
            (
                "credentials in a URL",
                format!("postgres://{}:{}@[::1]", "joe", "correct-horse"),
            ),
            ("registry credentials", registry.replace(['\n', ' '], "")),
            ("registry credentials", registry),
        ];
        for (kind, text) in cases {
            assert_eq!(secrets_in(text.as_bytes()), [kind], "{text}");
            let within = [b"\xff\n", text.as_bytes(), b"\n\xff"].concat();
            assert_eq!(secrets_in(&within), [kind], "{text}");
        }
    }

    #[test]
    fn each_kind_is_told_once() {
        let github = format!("gh{}_{}", "o", random(36));
        let npm = format!("npm{}{}", "_", random(36));
        let text = format!("{npm} {github} {github}");
        assert_eq!(secrets_in(text.as_bytes()), ["GitHub token", "npm token"]);
    }

    #[test]
    fn what_only_looks_like_a_secret_is_none() {
        let header = "-----BEGIN RSA PRIVATE KEY-----";
        let certificate = format!("-----BEGIN CERTIFICATE-----\n{}\n", random(64));
        let cases = [
            String::new(),
            format!("if (text.startsWith('{header}')) {{"),
            pem("RSA ", "MIIEpAIBAAKCAQEA..."),
            format!("{}{certificate}", pem("", "...")),
            format!("{header}{certificate}"),
            pem("", &"x".repeat(64)),
            "sk-ant-api03-...".to_owned(),
            format!("sk-ant-api03-{}", "x".repeat(95)),
            format!("risk-ant-{}", random(40)),
            r#"{"claudeAiOauth":{}}"#.to_owned(),
            r#"{"claudeAiOauth":{"accessToken":""}}"#.to_owned(),
            "data.claudeAiOauth?.accessToken".to_owned(),
            format!("ghp_{}", "x".repeat(36)),
            "npm_config_update_notifier_and_more_of_it".to_owned(),
            "//npm.host/:_authToken=${NPM_TOKEN}".to_owned(),
            "//npm.host/:_authToken=<token>".to_owned(),
            "//npm.host/:_authToken=MYTOKEN1".to_owned(),
            "const _auth = options.auth\n".to_owned(),
            "const _password = Buffer.from(x)".to_owned(),
            "AKIAIOSFODNN7EXAMPLE".to_owned(),
            "https://user:pass@example.com".to_owned(),
            "https://user:password@host".to_owned(),
            "https://user:your-password@host".to_owned(),
            "https://user:********@host".to_owned(),
            "https://${USER}:${PASSWORD}@host".to_owned(),
            "https://user:correct-horse@example.com".to_owned(),
            "https://user:$PASSWORD@host".to_owned(),
            "http://example.com:8080/package@1.2.3".to_owned(),
            "http://example.com/a:bcdefghij@host".to_owned(),
            r#"{"auths":{"r.io":{}}}"#.to_owned(),
        ];
        for text in cases {
            assert!(secrets_in(text.as_bytes()).is_empty(), "{text}");
        }
    }
}
