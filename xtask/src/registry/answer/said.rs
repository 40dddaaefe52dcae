//! The text of an answer that is an error: a registry's document (distribution spec, "Error Codes"), a
//! token server's, or whatever else it is.

use std::fmt::{self, Write as _};
use std::slice;

use serde_json::Value;

use crate::printable::short;

/// What was said, without what a terminal obeys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// The codes of a registry's error document, in upper case.
    codes: Vec<String>,
    words: String,
}

impl Said {
    pub(crate) fn parse(body: &[u8]) -> Said {
        let document = serde_json::from_slice::<Value>(body).ok();
        let errors = match document
            .as_ref()
            .and_then(|document| document.get("errors"))
        {
            Some(Value::Array(errors)) => errors.as_slice(),
            // Some give one, and not a list of it.
            Some(error @ (Value::Object(_) | Value::String(_))) => slice::from_ref(error),
            _ => {
                return Said {
                    codes: Vec::new(),
                    words: short(&other(body, document.as_ref())),
                };
            }
        };
        let code = |error: &Value| Some(error.get("code")?.as_str()?.to_ascii_uppercase());
        let words: Vec<String> = errors.iter().map(sentence).collect();
        Said {
            codes: errors.iter().filter_map(code).collect(),
            words: short(&words.join("; ")),
        }
    }

    /// Whether a registry's error document has one of the codes.
    pub(crate) fn has(&self, codes: &[&str]) -> bool {
        self.codes.iter().any(|code| codes.contains(&&**code))
    }

    /// Whether it is a registry's document that says that the tag, blob or repository is absent.
    /// `TAG_EXPIRED` is Quay's, `NOT_FOUND` Harbor's.
    pub(crate) fn says_absent(&self) -> bool {
        self.has(&[
            "MANIFEST_UNKNOWN",
            "BLOB_UNKNOWN",
            "NAME_UNKNOWN",
            "NOT_FOUND",
            "TAG_EXPIRED",
            "TAG_UNKNOWN",
            "TAG_NOT_FOUND",
            "MANIFEST_NOT_FOUND",
            "REPOSITORY_NOT_FOUND",
        ])
    }

    pub(crate) fn has_words(&self) -> bool {
        !self.words.is_empty()
    }
}

/// After a colon; nothing when nothing was said.
impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has_words() {
            write!(f, ": {}", self.words)?;
        }
        Ok(())
    }
}

/// One error of a registry's document: code, message and detail, as far as they are given.
fn sentence(error: &Value) -> String {
    if let Value::String(text) = error {
        return text.clone();
    }
    let text = |name: &str| match error.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let (code, message, detail) = (text("code"), text("message"), text("detail"));
    let mut said = match (&*code, &*message) {
        ("", message) => message.to_owned(),
        (code, "") => code.to_owned(),
        (code, message) => format!("{code}: {message}"),
    };
    if !["", "{}", "[]"].contains(&&*detail) && !said.contains(&detail) {
        // Writing to a String cannot fail.
        let _ = write!(said, " ({detail})");
    }
    said
}

/// The words of what is no registry's document; `document` is its JSON, if it is any.
fn other(body: &[u8], document: Option<&Value>) -> String {
    if let Some(document) = document {
        return words(document).unwrap_or_default();
    }
    let text = String::from_utf8_lossy(body);
    if !text.trim_start().starts_with('<') {
        return text.into_owned();
    }
    // A page: its title says it, if anything. A store's document has a message.
    let lower = text.to_ascii_lowercase();
    let between = |start: &str, end: &str| {
        let from = lower.find(start)? + start.len();
        Some(text[from..from + lower[from..].find(end)?].to_owned())
    };
    let title = between("<title>", "</title>");
    let said = title.or_else(|| between("<message>", "</message>"));
    said.unwrap_or_default()
}

/// The words in JSON of another form.
fn words(document: &Value) -> Option<String> {
    // OAuth's names, and those of Docker Hub, Google and others.
    let names = [
        "error_description",
        "error",
        "message",
        "details",
        "detail",
        "msg",
    ];
    match document {
        Value::String(text) => Some(text.clone()),
        Value::Object(object) => names.iter().find_map(|name| match object.get(*name)? {
            Value::String(text) => Some(text.clone()),
            inner @ Value::Object(_) => Some(sentence(inner)),
            _ => None,
        }),
        Value::Array(list) => list.first().map(sentence),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registrys_words_are_quoted_and_what_a_terminal_obeys_is_not() {
        let long = "x".repeat(301);
        let cut = format!(": {}…", &long[1..]);
        for (body, expected) in [
            (
                r#"{"errors":[{"code":"DENIED","message":"no"}]}"#,
                ": DENIED: no",
            ),
            (
                r#"{"errors":[{"code":"A"},{"message":"b","detail":"c"}]}"#,
                ": A; b (c)",
            ),
            (
                r#"{"errors":[{"code":"A","message":"m","detail":{"Tag":"v1"}}]}"#,
                r#": A: m ({"Tag":"v1"})"#,
            ),
            (
                r#"{"errors":[{"code":"A","message":"m","detail":null},{"code":"B","detail":{}}]}"#,
                ": A: m; B",
            ),
            (
                r#"{"errors":[{"status":404,"message":"Not here"}]}"#,
                ": Not here",
            ),
            (r#"{"errors":[]}"#, ""),
            (r#"{"errors":{"code":"A","message":"m"}}"#, ": A: m"),
            (r#"{"errors":"no"}"#, ": no"),
            (r#"{"errors":["no","never"]}"#, ": no; never"),
            (r#"[{"code":"A","message":"m"}]"#, ": A: m"),
            (r#""no""#, ": no"),
            (
                r#"{"error":{"code":403,"message":"no","status":"DENIED"}}"#,
                ": 403: no",
            ),
            (r#"{"code":"A","msg":"no"}"#, ": no"),
            (
                "<?xml version=\"1.0\"?><Error><Code>X</Code><Message>No</Message></Error>",
                ": No",
            ),
            (
                r#"{"error":"invalid_grant","error_description":"expired"}"#,
                ": expired",
            ),
            (
                r#"{"details":"incorrect username or password"}"#,
                ": incorrect username or password",
            ),
            (r#"{"x":1}"#, ""),
            (
                "<html><head><TITLE>504 Gateway\nTime-out</TITLE></head></html>",
                ": 504 Gateway Time-out",
            ),
            ("<html>no title", ""),
            (
                "\u{1b}[2Jit is\n 'used'\u{202e}",
                ": \\u{1b}[2Jit is 'used'\\u{202e}",
            ),
            (&long, &cut),
            ("", ""),
        ] {
            assert_eq!(Said::parse(body.as_bytes()).to_string(), expected, "{body}");
        }
        assert_eq!(Said::parse(b"\xff").to_string(), ": \u{fffd}");
    }

    #[test]
    fn only_a_registrys_document_says_that_something_is_absent() {
        for (body, expected) in [
            (r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#, true),
            (r#"{"errors":[{"code":"manifest_unknown"}]}"#, true),
            (
                r#"{"errors":[{"code":"TAG_EXPIRED","message":"Tag v1 was deleted or has expired."}]}"#,
                true,
            ),
            (
                r#"{"errors":[{"code":"DENIED"},{"code":"NAME_UNKNOWN"}]}"#,
                true,
            ),
            (r#"{"errors":[{"code":"DENIED"}]}"#, false),
            (r#"{"errors":[{"message":"MANIFEST_UNKNOWN"}]}"#, false),
            (r#"{"code":"MANIFEST_UNKNOWN"}"#, false),
            ("MANIFEST_UNKNOWN", false),
            ("", false),
        ] {
            assert_eq!(
                Said::parse(body.as_bytes()).says_absent(),
                expected,
                "{body}"
            );
        }
    }
}
