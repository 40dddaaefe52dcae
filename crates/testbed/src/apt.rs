//! An apt of our own beside the system's: other suites, other architectures, the same mirror and the same keys.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{
    exec::Cmd,
    layout::{make_dir, write},
    sources::Mirror,
};

/// The keys that sign Debian's suites.
pub(crate) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// An apt whose lists, caches and installed packages (none) are its own.
#[derive(Debug)]
pub(crate) struct Apt {
    dir: PathBuf,
    arch: String,
}

impl Apt {
    pub(crate) fn new(dir: &Path, arch: &str) -> Self {
        Self {
            dir: dir.to_owned(),
            arch: arch.to_owned(),
        }
    }

    /// Fetches the lists of `suites`, and checks their signatures.
    pub(crate) fn update(&self, suites: &[&str], mirror: &Mirror) -> Result<()> {
        for sub in ["lists/partial", "cache/archives/partial"] {
            make_dir(&self.dir.join(sub))?;
        }
        write(&self.dir.join("status"), "")?;
        write(&self.dir.join("debian.sources"), &stanzas(suites, mirror))?;
        write(&self.dir.join("apt.conf"), &self.options())?;
        self.get("update").run().with_context(|| {
            format!(
                "failed to fetch the package lists of Debian {}",
                suites.join(" and ")
            )
        })
    }

    /// The apt-get command `command`, which sees the packages of these suites alone.
    pub(crate) fn get(&self, command: &str) -> Cmd {
        let options = self.dir.join("apt.conf");
        Cmd::new("apt-get")
            .args(["--quiet", command, "--config-file"])
            .arg(options)
    }

    /// What differs from the system's configuration, which apt reads first: that has the machine's proxies.
    fn options(&self) -> String {
        let file = |name: &str| self.dir.join(name).display().to_string();
        let options = [
            ("Dir::Etc::SourceList", file("debian.sources")),
            ("Dir::Etc::SourceParts", "/dev/null".to_owned()),
            ("Dir::Etc::Preferences", "/dev/null".to_owned()),
            ("Dir::Etc::PreferencesParts", "/dev/null".to_owned()),
            ("Dir::State::Lists", file("lists")),
            ("Dir::State::Status", file("status")),
            ("Dir::State::Extended_States", file("extended_states")),
            ("Dir::Cache", file("cache")),
            // Container images turn these off, and then every command reads the lists anew.
            ("Dir::Cache::pkgcache", "pkgcache.bin".to_owned()),
            ("Dir::Cache::srcpkgcache", "srcpkgcache.bin".to_owned()),
            ("APT::Architecture", self.arch.clone()),
            ("APT::Architectures", self.arch.clone()),
            // The cache may lie where apt's own user cannot go.
            ("APT::Sandbox::User", "root".to_owned()),
            ("APT::Get::AllowUnauthenticated", "false".to_owned()),
            ("Acquire::AllowInsecureRepositories", "false".to_owned()),
            // By default apt reports success for an update that fetched nothing.
            ("APT::Update::Error-Mode", "any".to_owned()),
            ("Acquire::Languages", "none".to_owned()),
            ("Acquire::Retries", "3".to_owned()),
            ("Acquire::http::Timeout", "30".to_owned()),
            ("Acquire::https::Timeout", "30".to_owned()),
        ];
        let lines: Vec<String> = options
            .iter()
            .map(|(key, value)| format!("{key} \"{value}\";"))
            .collect();
        lines.join("\n") + "\n"
    }
}

/// The apt source for `suites`.
fn stanzas(suites: &[&str], mirror: &Mirror) -> String {
    let stanza = |suite: &&str| {
        format!(
            "Types: deb\nURIs: {}\nSuites: {suite}\nComponents: main\nTargets: Packages\nSigned-By: {KEYRING}\n",
            mirror.of(suite)
        )
    };
    suites.iter().map(stanza).collect::<Vec<_>>().join("\n")
}

/// The file names in `'URL' name size hash` lines, as `--print-uris` prints them.
pub(crate) fn parse_uris(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| line.starts_with('\''))
        .filter_map(|line| line.split_whitespace().nth(1))
}

/// `name=version`, for apt, of a file `name_version_arch.deb` whose colons are escaped.
pub(crate) fn wanted(file: &str) -> Result<String> {
    let mut parts = file.strip_suffix(".deb").unwrap_or_default().split('_');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(version), Some(_arch)) => {
            Ok(format!("{name}={}", version.replace("%3a", ":")))
        }
        _ => bail!("`{file}` is not named as a Debian package"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_apt_prints() {
        let text = "Reading package lists...\n'http://m/p/qemu-user_1%3a10.0_amd64.deb' qemu-user_1%3a10.0_amd64.deb \
                    5 SHA256:ab\n'http://m/x.deb' libc6_2.36-9_arm64.deb 7\n";
        let files: Vec<&str> = parse_uris(text).collect();
        assert_eq!(
            files,
            ["qemu-user_1%3a10.0_amd64.deb", "libc6_2.36-9_arm64.deb"]
        );
    }

    #[test]
    fn asks_apt_for_the_listed_version() {
        for (file, expected) in [
            (
                "qemu-user_1%3a10.0+ds-2_amd64.deb",
                Some("qemu-user=1:10.0+ds-2"),
            ),
            ("jq_1.6-2.1_all.deb", Some("jq=1.6-2.1")),
            ("jq_1.6.deb", None),
            ("jq", None),
        ] {
            assert_eq!(wanted(file).ok().as_deref(), expected, "{file}");
        }
    }

    #[test]
    fn each_suite_is_signed_and_at_its_mirror() {
        let mirror = Mirror {
            main: "http://m/debian".into(),
            security: "http://m/sec".into(),
        };
        assert_eq!(
            stanzas(&["sid", "bookworm-security"], &mirror),
            format!(
                "Types: deb\nURIs: http://m/debian\nSuites: sid\nComponents: main\nTargets: Packages\nSigned-By: \
                 {KEYRING}\n\nTypes: deb\nURIs: http://m/sec\nSuites: bookworm-security\nComponents: main\n\
                 Targets: Packages\nSigned-By: {KEYRING}\n"
            )
        );
    }
}
