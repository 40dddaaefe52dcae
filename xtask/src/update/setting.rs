//! Reads and replaces one text of a TOML file, and keeps every other byte.

use std::ops::Range;

use anyhow::Context as _;
use toml::de::{DeTable, DeValue};

/// A text in a TOML file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) value: String,
    /// Where it is in the file, its quotes included.
    at: Range<usize>,
}

impl Setting {
    /// The text under these keys, from the outermost table to the text itself; none where there is none, or no text.
    ///
    /// Fails when the file is not TOML.
    pub(super) fn find(toml: &str, keys: &[&str]) -> anyhow::Result<Option<Setting>> {
        let table = DeTable::parse(toml).context("it is not TOML")?;
        let Some((last, tables)) = keys.split_last() else {
            return Ok(None);
        };
        let mut inner = Some(table.get_ref());
        for key in tables {
            let value = inner.and_then(|table| table.get(*key));
            inner = value.and_then(|value| value.get_ref().as_table());
        }
        let value = inner.and_then(|table| table.get(*last));
        Ok(value.and_then(|value| match value.get_ref() {
            DeValue::String(text) => Some(Setting {
                value: text.to_string(),
                at: value.span(),
            }),
            _ => None,
        }))
    }

    /// The file with another value, of which no character needs an escape.
    pub(super) fn replaced(&self, toml: &str, value: &str) -> String {
        let mut text = toml.to_owned();
        text.replace_range(self.at.clone(), &format!("\"{value}\""));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 3] = ["workspace", "package", "rust-version"];

    #[test]
    fn every_other_byte_stays() {
        for text in [
            "[workspace.package]\nrust-version = OLD # why\n",
            "[workspace]\npackage = { a = \"1.95\", rust-version   =OLD }\n",
            "workspace.package.rust-version=OLD",
            "# rust-version = \"1.95\"\r\n[workspace.package]\r\n\"rust-version\" = OLD\r\n[package]\r\nrust-version = \"1.95\"\r\n",
        ] {
            for old in ["\"1.95\"", "'1.95'", "\"\"\"1.95\"\"\"", "\"1\\u002e95\""] {
                let toml = text.replace("OLD", old);
                let setting = Setting::find(&toml, &KEYS).unwrap().unwrap();
                assert_eq!(setting.value, "1.95");
                let expected = text.replace("OLD", "\"1.96\"");
                assert_eq!(setting.replaced(&toml, "1.96"), expected);
            }
        }
    }

    #[test]
    fn what_is_no_text_is_not_found() {
        for text in [
            "",
            "workspace = 1",
            "[workspace.package]\nrust-version = 1.95\n",
            "[workspace.package]\nrust-version.workspace = true\n",
            "[[workspace.package]]\nrust-version = \"1.95\"\n",
        ] {
            assert_eq!(Setting::find(text, &KEYS).unwrap(), None, "{text}");
        }
        assert!(Setting::find("[", &KEYS).is_err());
    }
}
