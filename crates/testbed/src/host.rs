//! The machine under the test bed: whether it can carry one, and the programs it lacks.

use std::{env, fs};

use anyhow::Result;

use crate::{
    apt::KEYRING,
    cgroup,
    exec::{Cmd, is_there},
    report::note,
};

/// What decides whether a machine can have a test bed.
#[derive(Debug, Clone)]
struct Facts {
    root: bool,
    /// The effective capabilities, as bits.
    capabilities: u64,
    arch: &'static str,
    os: &'static str,
    /// The `ID` and `ID_LIKE` of `/etc/os-release`.
    family: Vec<String>,
}

/// The capabilities that an engine cannot do without, by the number of their bit.
const CAPABILITIES: [(&str, u32); 2] = [("CAP_SYS_ADMIN", 21), ("CAP_NET_ADMIN", 12)];

/// Programs and files that must be on the machine, and the package that brings each.
const PROGRAMS: [(&str, &str); 7] = [
    ("iptables", "iptables"),
    ("ip", "iproute2"),
    ("mount", "mount"),
    ("python3", "python3"),
    ("pip3", "python3-pip"),
    ("update-ca-certificates", "ca-certificates"),
    (KEYRING, "debian-archive-keyring"),
];

/// Every reason why this machine cannot have a test bed.
pub(crate) fn refusals() -> Vec<String> {
    refuse(&Facts {
        root: rustix::process::geteuid().is_root(),
        capabilities: parse_capabilities(
            &fs::read_to_string("/proc/self/status").unwrap_or_default(),
        ),
        arch: env::consts::ARCH,
        os: env::consts::OS,
        family: parse_family(&fs::read_to_string("/etc/os-release").unwrap_or_default()),
    })
}

fn refuse(facts: &Facts) -> Vec<String> {
    let mut reasons = Vec::new();
    if facts.os != "linux" || !facts.family.iter().any(|id| id == "debian") {
        let id = facts.family.first().map_or(facts.os, String::as_str);
        reasons.push(format!(
            "it is made for Debian and Ubuntu, and this is `{id}`"
        ));
    }
    if facts.arch != "x86_64" {
        reasons.push(format!(
            "it is made for amd64, and this machine is `{}`",
            facts.arch
        ));
    }
    if !facts.root {
        reasons.push("it needs root, to mount file systems and make networks".to_owned());
    } else if facts.os == "linux" {
        let lacks = CAPABILITIES
            .iter()
            .filter(|(_, bit)| facts.capabilities & (1 << bit) == 0);
        let lacks: Vec<&str> = lacks.map(|(name, _)| *name).collect();
        if !lacks.is_empty() {
            reasons.push(format!(
                "this root is confined: it lacks {}",
                lacks.join(" and ")
            ));
        }
    }
    reasons
}

/// `ID` first, then the words of `ID_LIKE`.
fn parse_family(os_release: &str) -> Vec<String> {
    let value = |key: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_default()
            .trim_matches(['"', '\''])
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    [value("ID="), value("ID_LIKE=")].concat()
}

fn parse_capabilities(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok())
        .unwrap_or(0)
}

/// Makes the machine ready: installs the programs it lacks, saying so, and mounts the control groups.
pub(crate) fn prepare() -> Result<String> {
    let installed = require(&PROGRAMS)?;
    let mut outcome = match installed.as_slice() {
        [] => "has all it needs".to_owned(),
        names => format!("installed {}", names.join(", ")),
    };
    if cgroup::mount_missing()? {
        outcome += ", mounted the control groups";
    }
    Ok(outcome)
}

/// Installs the packages of the programs that are not there, and returns their names.
pub(crate) fn require(programs: &[(&str, &'static str)]) -> Result<Vec<&'static str>> {
    let missing = missing(programs, is_there);
    if !missing.is_empty() {
        note(&format!("installing with apt: {}", missing.join(", ")));
        install(&missing)?;
    }
    Ok(missing)
}

fn missing(
    programs: &[(&str, &'static str)],
    is_there: impl Fn(&str) -> bool,
) -> Vec<&'static str> {
    let mut packages: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| !is_there(program))
        .map(|(_, package)| *package)
        .collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn install(packages: &[&str]) -> Result<()> {
    let quiet = |cmd: Cmd| cmd.env("DEBIAN_FRONTEND", "noninteractive");
    let apt = |args: &[&str]| {
        let wait = [
            "--quiet",
            "-o",
            "DPkg::Lock::Timeout=300",
            "-o",
            "Acquire::Retries=3",
        ];
        quiet(Cmd::new("apt-get").args(wait).args(args))
    };
    let install = || {
        apt(&["install", "--yes", "--no-install-recommends"])
            .args(packages)
            .run()
    };
    apt(&["update"]).run()?;
    install().or_else(|_| {
        // A run that was killed may have left packages half configured, and apt then refuses everything.
        quiet(Cmd::new("dpkg").args(["--configure", "-a"])).run()?;
        install()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_cannot_carry_it_and_says_every_reason() {
        let good = Facts {
            root: true,
            capabilities: u64::MAX,
            arch: "x86_64",
            os: "linux",
            family: vec!["ubuntu".into(), "debian".into()],
        };
        let cases: [(&str, Facts, &[&str]); 6] = [
            ("good", good.clone(), &[]),
            (
                "not root",
                Facts {
                    root: false,
                    capabilities: 0,
                    ..good.clone()
                },
                &["it needs root"],
            ),
            (
                "confined",
                Facts {
                    capabilities: 1 << 12,
                    ..good.clone()
                },
                &["lacks CAP_SYS_ADMIN"],
            ),
            (
                "fedora",
                Facts {
                    family: vec!["fedora".into()],
                    ..good.clone()
                },
                &["this is `fedora`"],
            ),
            (
                "arm64",
                Facts {
                    arch: "aarch64",
                    ..good.clone()
                },
                &["this machine is `aarch64`"],
            ),
            (
                "mac",
                Facts {
                    root: false,
                    capabilities: 0,
                    arch: "aarch64",
                    os: "macos",
                    family: vec![],
                },
                &[
                    "this is `macos`",
                    "this machine is `aarch64`",
                    "it needs root",
                ],
            ),
        ];
        for (case, facts, expected) in cases {
            let reasons = refuse(&facts);
            assert_eq!(reasons.len(), expected.len(), "{case}: {reasons:?}");
            for (reason, part) in reasons.iter().zip(expected) {
                assert!(reason.contains(part), "{case}: {reasons:?}");
            }
        }
    }

    #[test]
    fn reads_the_family_of_the_system() {
        assert_eq!(
            parse_family("NAME=x\nID=debian\nVERSION_ID=12\n"),
            ["debian"]
        );
        assert_eq!(
            parse_family("ID_LIKE=\"ubuntu debian\"\nID='pop'\n"),
            ["pop", "ubuntu", "debian"]
        );
        assert!(parse_family("").is_empty());
    }

    #[test]
    fn reads_the_effective_capabilities() {
        assert_eq!(
            parse_capabilities("CapPrm:\tff\nCapEff:\t000001ffffffffff\n"),
            0x1ff_ffff_ffff
        );
        assert_eq!(parse_capabilities(""), 0);
    }

    #[test]
    fn installs_only_what_is_missing_and_each_once() {
        let programs = [("b", "two"), ("a", "one"), ("c", "two"), ("d", "three")];
        assert_eq!(missing(&programs, |program| program == "d"), ["one", "two"]);
        assert!(missing(&programs, |_| true).is_empty());
    }
}
