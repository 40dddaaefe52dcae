//! Certificates (PEM) in files, known by the SHA-256 of their DER.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::bytes::Regex;
use xtask::oci::Digest;

use super::pattern;

/// What a certificate begins with; examples in documentation do not.
const SEQUENCE: u8 = 0x30;

/// Text between the lines may be quoted, with `\n` for its ends of lines: JSON has them so.
static PEM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s\\]+)-----END CERTIFICATE-----")
});
static BREAK: LazyLock<Regex> = LazyLock::new(|| pattern(r"\s+|\\[nr]"));

/// Every certificate in `text`, in its order; what only looks like one is passed over.
pub(crate) fn certificates_in(text: &[u8]) -> Vec<Digest> {
    let bodies = PEM.captures_iter(text).filter_map(|found| found.get(1));
    bodies
        .filter_map(|body| {
            let base64 = BREAK.replace_all(body.as_bytes(), &b""[..]);
            STANDARD.decode(base64).ok()
        })
        .filter(|der| der.first() == Some(&SEQUENCE))
        .map(|der| Digest::of(&der))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(body: &str) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }

    #[test]
    fn certificates_are_found_whatever_stands_between() {
        let (one, two) = (pem("MGZp\ncnN0"), pem("MHNl\r\nY29uZA=="));
        let (first, second) = (Digest::of(b"0first"), Digest::of(b"0second"));
        let quoted = format!(r#"{{"ca":"{}"}}"#, one.replace('\n', r"\n"));
        let cases: [(String, Vec<&Digest>); 9] = [
            (String::new(), vec![]),
            (one.clone(), vec![&first]),
            (format!("{one}{two}"), vec![&first, &second]),
            (
                format!("# name\n{two}\u{fffd}\n{one}end"),
                vec![&second, &first],
            ),
            (format!("{}{two}", pem("MGZp$")), vec![&second]),
            (format!("{}{two}", pem("MGZ")), vec![&second]),
            (format!("-----BEGIN CERTIFICATE-----\n{two}"), vec![&second]),
            (pem(r"XXXX\nXXXX"), vec![]),
            (quoted, vec![&first]),
        ];
        for (text, expected) in cases {
            let found = certificates_in(text.as_bytes());
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{text}");
        }
    }
}
