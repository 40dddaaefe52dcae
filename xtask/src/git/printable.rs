//! Text from git, made safe to print.

/// Escapes control characters and replaces bytes that are not UTF-8: names in git may hold both.
pub(super) fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = (!c.is_control()).then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_git_is_safe_to_print() {
        assert_eq!(printable(b"a b/\xff\n\x1b[0m"), "a b/\u{fffd}\\n\\u{1b}[0m");
    }
}
