//! A package of Alpine's, by what it is called and which version it is.

use serde::{Deserialize, Serialize};

/// The longest name or version, in bytes; Alpine's longest have some 60.
const LONGEST: usize = 128;
/// How many packages an image may have; Alpine has some 30,000 in all.
pub(super) const MOST: usize = 10_000;

/// An installed package. Packages are in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub(crate) struct Package {
    name: String,
    version: String,
}

/// What nobody has checked.
#[derive(Deserialize)]
struct Fields {
    name: String,
    version: String,
}

impl Package {
    /// Fails for what apk would call neither a name nor a version.
    pub(crate) fn new(name: &str, version: &str) -> Result<Package, String> {
        let is_word = |text: &str, first: &str, more: &str| {
            let is = |c: char, more: &str| c.is_ascii_alphanumeric() || more.contains(c);
            text.len() <= LONGEST
                && text.starts_with(|c| is(c, first))
                && text.chars().all(|c| is(c, more))
        };
        // `apk add --virtual` makes a package whose name begins with a dot.
        if !is_word(name, "._", "._+-") {
            return Err("a package has a bad name".to_owned());
        }
        if !is_word(version, "", "._+~-") {
            return Err(format!("the package `{name}` has a bad version"));
        }
        Ok(Package {
            name: name.to_owned(),
            version: version.to_owned(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }
}

impl TryFrom<Fields> for Package {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        Package::new(&fields.name, &fields.version)
    }
}

/// Sorts packages by their names.
///
/// Fails when there are more than [`MOST`], or two of one name.
pub(super) fn sorted(mut packages: Vec<Package>) -> Result<Vec<Package>, String> {
    if packages.len() > MOST {
        return Err(format!("there are more than {MOST} packages"));
    }
    packages.sort();
    let twice = packages
        .windows(2)
        .find(|pair| pair[0].name == pair[1].name);
    match twice {
        Some(pair) => Err(format!("the package `{}` is there twice", pair[0].name)),
        None => Ok(packages),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_apks() {
        for (name, version) in [
            ("bash", "5.3.3-r1"),
            ("libstdc++", "15.2.0-r2"),
            (".build-deps", "20261129.190102"),
            ("py3-pip", "25.1_p1~git20260101-r0"),
            ("7zip", "0"),
        ] {
            let package = Package::new(name, version).unwrap();
            assert_eq!((package.name(), package.version()), (name, version));
            let json = serde_json::to_string(&package).unwrap();
            assert_eq!(serde_json::from_str::<Package>(&json).unwrap(), package);
        }
        let long = "a".repeat(LONGEST + 1);
        for (name, version) in [
            ("", "1"),
            ("bash", ""),
            ("ba sh", "1"),
            ("-t", "1"),
            ("bash\u{1b}[2J", "1"),
            ("bäsh", "1"),
            (&long, "1"),
            ("bash", "1\n2"),
            ("bash", "1 2"),
            ("bash", "-1"),
            ("bash", &long),
        ] {
            let why = Package::new(name, version).unwrap_err();
            assert!(!why.contains('\u{1b}') && !why.contains('\n'), "{why:?}");
        }
    }
}
