//! The platforms that an agent image can be built for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One platform of an image, as OCI writes it (`os/architecture`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Platform {
    LinuxAmd64,
    LinuxArm64,
}

impl Platform {
    /// In the order of the variants.
    pub const ALL: [Platform; 2] = [Platform::LinuxAmd64, Platform::LinuxArm64];

    pub fn as_str(self) -> &'static str {
        match self {
            Platform::LinuxAmd64 => "linux/amd64",
            Platform::LinuxArm64 => "linux/arm64",
        }
    }

    /// OCI's and Docker's name of the architecture: `amd64`, `arm64`.
    pub fn architecture(self) -> &'static str {
        match self {
            Platform::LinuxAmd64 => "amd64",
            Platform::LinuxArm64 => "arm64",
        }
    }

    /// The platform of an engine. `docker info` gives the kernel's name of the machine: `x86_64`, not
    /// `amd64`.
    pub(crate) fn of_machine(os: &str, machine: &str) -> Option<Platform> {
        match (os, machine) {
            ("linux", "x86_64" | "amd64") => Some(Platform::LinuxAmd64),
            ("linux", "aarch64" | "arm64") => Some(Platform::LinuxArm64),
            _ => None,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Platform> for &'static str {
    fn from(platform: Platform) -> Self {
        platform.as_str()
    }
}

impl FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Platform::ALL
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or_else(|| {
                let known = Platform::ALL.map(Platform::as_str).join("`, `");
                format!("unknown platform `{text}`, expected one of `{known}`")
            })
    }
}

impl TryFrom<String> for Platform {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// `linux/amd64,linux/arm64`, as `--platform` takes it.
pub fn join(platforms: &[Platform]) -> String {
    platforms
        .iter()
        .map(|platform| platform.as_str())
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_others_are_refused() {
        for platform in Platform::ALL {
            assert_eq!(platform.to_string().parse(), Ok(platform));
        }
        for wrong in [
            "",
            "linux",
            "amd64",
            "linux/AMD64",
            "linux/386",
            "linux/arm64/v8",
            "windows/amd64",
        ] {
            let error = wrong.parse::<Platform>().unwrap_err();
            assert_eq!(
                error,
                format!("unknown platform `{wrong}`, expected one of `linux/amd64`, `linux/arm64`")
            );
        }
    }

    #[test]
    fn an_engine_is_known_by_the_kernels_name_of_its_machine() {
        assert_eq!(
            Platform::of_machine("linux", "x86_64"),
            Some(Platform::LinuxAmd64)
        );
        assert_eq!(
            Platform::of_machine("linux", "aarch64"),
            Some(Platform::LinuxArm64)
        );
        assert_eq!(Platform::of_machine("windows", "x86_64"), None);
        assert_eq!(Platform::of_machine("linux", "riscv64"), None);
    }
}
