//! The packages of an image besides its default ones, by their names in Alpine's repositories.

use std::collections::BTreeSet;

use serde::Deserialize;

/// Names of packages, each once, in the order of the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub(crate) struct Packages(Vec<String>);

impl Packages {
    /// The value of the build argument `EXTRA_PACKAGES`; none when there is no package.
    pub(crate) fn build_arg(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.join(" "))
    }
}

impl TryFrom<Vec<String>> for Packages {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        let mut seen = BTreeSet::new();
        for name in &names {
            if !is_name(name) {
                return Err(format!(
                    "`extra-packages` names `{name}`, which is not a package name: use lower-case \
                     letters, digits and `. _ + -`, without a version"
                ));
            }
            if !seen.insert(name) {
                return Err(format!("`extra-packages` names `{name}` twice"));
            }
        }
        Ok(Packages(names))
    }
}

/// The same rule as in docker/Dockerfile.agent: apk must not read a name as an option, a version, a
/// conflict or a repository.
fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(is_plain) && name.chars().all(|c| is_plain(c) || "._+-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(names: &[&str]) -> Result<Packages, String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Packages::try_from(names)
    }

    #[test]
    fn names_become_one_argument() {
        for (names, expected) in [
            (&[][..], None),
            (&["make"], Some("make")),
            (&["py3-pip", "g++", "7zip"], Some("py3-pip g++ 7zip")),
            (&["libstdc++6_x", "a.b"], Some("libstdc++6_x a.b")),
        ] {
            let packages = packages(names).unwrap();
            assert_eq!(packages.build_arg().as_deref(), expected, "{names:?}");
        }
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        for name in [
            "",
            " ",
            "make gcc",
            "make=4.4",
            "make>4",
            "!make",
            "-t",
            "--root",
            "@edge",
            "make@edge",
            "Make",
            "mäke",
            "a\nb",
            "a;b",
            "$(id)",
            "*",
            "../x",
            ".hidden",
            "+x",
            "_x",
        ] {
            let error = packages(&["jq", name]).unwrap_err();
            assert!(error.contains("is not a package name"), "{name}: {error}");
        }
        let twice = packages(&["make", "file", "make"]).unwrap_err();
        assert_eq!(twice, "`extra-packages` names `make` twice");
    }
}
