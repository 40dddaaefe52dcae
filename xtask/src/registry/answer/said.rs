//! The text of an answer that is an error: a registry's document (distribution spec, "Error Codes"), a
//! token server's, or whatever else it is.

use std::fmt::{self, Write as _};

use serde::Deserialize;
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
        #[derive(Deserialize)]
        struct Document {
            errors: Vec<Value>,
        }
        let Ok(document) = serde_json::from_slice::<Document>(body) else {
            return Said {
                codes: Vec::new(),
                words: short(&other(body)),
            };
        };
        let code = |error: &Value| Some(error.get("code")?.as_str()?.to_ascii_uppercase());
        let words: Vec<String> = document.errors.iter().map(sentence).collect();
        Said {
            codes: document.errors.iter().filter_map(code).collect(),
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

/// The words of what is no registry's document.
fn other(body: &[u8]) -> String {
    if let Ok(Value::Object(object)) = serde_json::from_slice::<Value>(body) {
        // OAuth's names, and those of Docker Hub and others.
        let names = ["error_description", "error", "message", "details", "detail"];
        let found = names.iter().find_map(|name| object.get(*name)?.as_str());
        return found.unwrap_or_default().to_owned();
    }
    let text = String::from_utf8_lossy(body);
    if !text.trim_start().starts_with('<') {
        return text.into_owned();
    }
    // A page: its title says it, if anything.
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title>").map(|at| at + "<title>".len());
    let title = title.and_then(|at| Some((at, at + lower[at..].find("</title>")?)));
    title.map_or(String::new(), |(start, end)| text[start..end].to_owned())
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
