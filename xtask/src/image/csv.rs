//! The comma-separated lists that docker's flags take.

/// A field of such a list.
pub(super) fn csv_field(text: &str) -> String {
    if text.contains([',', '"']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
