//! A platform as an index or a configuration names it.

use std::fmt;

use serde::Deserialize;

use crate::platform::Platform;
use crate::printable::Printable;

/// A platform as an index names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct OciPlatform {
    pub os: String,
    pub architecture: String,
    #[serde(default)]
    pub variant: Option<String>,
}

impl OciPlatform {
    /// Whether this names `platform`, as engines take it. The only variant of arm64 is `v8`, and it may be
    /// left out.
    pub fn is(&self, platform: Platform) -> bool {
        self.normal().to_string() == platform.as_str()
    }

    /// The platform that an engine takes this for, in the form that has no other (containerd/platforms,
    /// `database.go`). `os.version` and `os.features` are not looked at: an engine on Linux does not, either.
    #[must_use]
    pub fn normal(&self) -> OciPlatform {
        let lower = |text: &str| text.to_ascii_lowercase();
        let architecture = lower(&self.architecture);
        let variant = lower(self.variant.as_deref().unwrap_or_default());
        let (architecture, variant) = match (&*architecture, &*variant) {
            ("x86_64" | "x86-64" | "amd64", "v1" | "") => ("amd64", ""),
            ("x86_64" | "x86-64" | "amd64", other) => ("amd64", other),
            ("aarch64" | "arm64", "8" | "v8" | "v8.0" | "") => ("arm64", ""),
            ("aarch64" | "arm64", "9" | "9.0" | "v9.0") => ("arm64", "v9"),
            ("aarch64" | "arm64", other) => ("arm64", other),
            ("i386", _) => ("386", ""),
            ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
            ("armel", _) | ("arm", "6") => ("arm", "v6"),
            ("arm", "5") => ("arm", "v5"),
            ("arm", "8") => ("arm", "v8"),
            (architecture, variant) => (architecture, variant),
        };
        OciPlatform {
            os: match &*lower(&self.os) {
                "macos" => "darwin".to_owned(),
                os => os.to_owned(),
            },
            architecture: architecture.to_owned(),
            variant: Some(variant.to_owned()).filter(|variant| !variant.is_empty()),
        }
    }

    /// Whether it is the platform of what is no image: `unknown/unknown`.
    pub(super) fn is_unknown(&self) -> bool {
        self.os == "unknown"
            && self.architecture == "unknown"
            && self.variant.as_deref().unwrap_or_default().is_empty()
    }

    /// Whether another one is of the same system and machine, whatever their variants are.
    pub fn is_near(&self, other: &OciPlatform) -> bool {
        let [one, other] = [self, other].map(OciPlatform::normal);
        (one.os, one.architecture) == (other.os, other.architecture)
    }
}

impl fmt::Display for OciPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (os, architecture) = (Printable(&self.os), Printable(&self.architecture));
        write!(f, "{os}/{architecture}")?;
        match self.variant.as_deref() {
            None | Some("") => Ok(()),
            Some(variant) => write!(f, "/{}", Printable(variant)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> OciPlatform {
        let mut parts = text.split('/').map(str::to_owned);
        OciPlatform {
            os: parts.next().unwrap(),
            architecture: parts.next().unwrap(),
            variant: parts.next(),
        }
    }

    #[test]
    fn names_of_one_platform_are_normalised_as_containerd_does() {
        for (given, normal) in [
            ("linux/amd64", "linux/amd64"),
            ("Linux/AMD64", "linux/amd64"),
            ("linux/x86_64", "linux/amd64"),
            ("linux/x86-64/v1", "linux/amd64"),
            ("linux/amd64/v2", "linux/amd64/v2"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm64/8", "linux/arm64"),
            ("linux/aarch64/V8", "linux/arm64"),
            ("linux/arm64/v8.0", "linux/arm64"),
            ("linux/arm64/9", "linux/arm64/v9"),
            ("linux/arm64/v8.1", "linux/arm64/v8.1"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/armhf", "linux/arm/v7"),
            ("linux/armel/x", "linux/arm/v6"),
            ("linux/arm/8", "linux/arm/v8"),
            ("linux/i386/x", "linux/386"),
            ("macos/arm64", "darwin/arm64"),
            ("linux/riscv64", "linux/riscv64"),
            ("unknown/unknown", "unknown/unknown"),
        ] {
            assert_eq!(platform(given).normal().to_string(), normal, "{given}");
        }
    }

    #[test]
    fn a_platform_may_name_arm64s_only_variant() {
        assert!(platform("linux/arm64").is(Platform::LinuxArm64));
        assert!(platform("linux/aarch64/v8").is(Platform::LinuxArm64));
        assert!(!platform("linux/arm64/v9").is(Platform::LinuxArm64));
        assert!(!platform("linux/amd64").is(Platform::LinuxArm64));
        assert!(!platform("linux/amd64/v3").is(Platform::LinuxAmd64));
        assert_eq!(platform("linux/arm64/v8").to_string(), "linux/arm64/v8");
        assert_eq!(platform("a\n/b\u{1b}").to_string(), "a\\n/b\\u{1b}");
        assert!(platform("linux/arm64").is_near(&platform("linux/aarch64/v9")));
        assert!(!platform("linux/arm64").is_near(&platform("linux/arm")));
    }

    #[test]
    fn only_one_platform_is_unknown() {
        for (given, expected) in [
            ("unknown/unknown", true),
            ("unknown/unknown/", true),
            ("unknown/unknown/v8", false),
            ("Unknown/unknown", false),
            ("linux/unknown", false),
        ] {
            assert_eq!(platform(given).is_unknown(), expected, "{given}");
        }
    }
}
