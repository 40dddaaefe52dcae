//! What the image was built from and for.

use semver::Version;
use xtask::oci::Digest;
use xtask::platform::Platform;

use crate::check::Verdict;
use crate::checks::inspect::{Root, count};
use crate::facts::{Commit, ImageFacts};
use crate::rootfs::{Elf, Kind};

const ENTRYPOINT: &str = "usr/local/bin/agent-entrypoint";
const PREFIX: &str = "org.opencontainers.image.";

pub(super) fn entrypoint_is_static(facts: &ImageFacts) -> Verdict {
    const EXPECTED: &str = "a static program of root, mode 0755";
    let root = Root::of(facts);
    let Some(entry) = root.follow(ENTRYPOINT) else {
        return Verdict::failed(format!("no `/{ENTRYPOINT}`"), EXPECTED);
    };
    let Some(elf) = &entry.elf else {
        return Verdict::failed(format!("`/{ENTRYPOINT}` is no program"), EXPECTED);
    };
    let mut faults = Vec::new();
    if let Some(loader) = &elf.interpreter {
        faults.push(format!("it needs `{loader}`"));
    }
    if entry.mode != 0o755 || entry.kind != Kind::File {
        faults.push(format!("mode {:04o}", entry.mode));
    }
    if (entry.uid, entry.gid) != (0, 0) {
        faults.push(format!("owner {}:{}", entry.uid, entry.gid));
    }
    if faults.is_empty() {
        return Verdict::passed(format!("{}, static", machine(elf.machine)));
    }
    Verdict::failed(faults.join(", "), EXPECTED)
}

/// The number, and what it is commonly called.
fn machine(number: u16) -> String {
    let name = match number {
        3 => "x86",
        40 => "ARM",
        62 => "x86-64",
        183 => "AArch64",
        243 => "RISC-V",
        _ => return number.to_string(),
    };
    format!("{number} ({name})")
}

fn machine_of(platform: Platform) -> u16 {
    match platform {
        Platform::LinuxAmd64 => 62,
        Platform::LinuxArm64 => 183,
    }
}

pub(super) fn architecture(facts: &ImageFacts) -> Verdict {
    let (root, config) = (Root::of(facts), &facts.image.config);
    let wanted = machine_of(facts.platform);
    let mut found = Vec::new();
    let platform = format!("{}/{}", config.os, config.architecture);
    if platform != facts.platform.as_str() {
        found.push(match &*platform {
            "/" => "the configuration names no platform".to_owned(),
            _ => format!("the configuration says `{platform}`"),
        });
    }
    let programs: [(&str, &[&str]); 3] = [
        ("agent-entrypoint", &[ENTRYPOINT]),
        ("claude", &["usr/local/bin/claude"]),
        ("node", &["usr/local/bin/node", "usr/bin/node"]),
    ];
    for (name, paths) in programs {
        match elf(&root, paths) {
            Some(elf) if elf.machine == wanted => {}
            Some(elf) => found.push(format!("`{name}` is for {}", machine(elf.machine))),
            None => found.push(format!("no program `/{}`", paths[0])),
        }
    }
    let expected = format!("{}: {}", facts.platform, machine(wanted));
    if found.is_empty() {
        return Verdict::passed(expected);
    }
    Verdict::none_of(&found, &expected)
}

fn elf<'a>(root: &Root<'a>, paths: &[&str]) -> Option<&'a Elf> {
    let mut entries = paths.iter().filter_map(|path| root.follow(path));
    entries.find_map(|entry| entry.elf.as_ref())
}

/// Label `created` and label `source` may be empty: a build by hand knows no time, and a clone
/// without a remote no source. Label `base.digest` may be empty or absent: where the base's registry cannot be
/// asked nobody knows it, and older versions have none.
pub(super) fn labels(facts: &ImageFacts) -> Verdict {
    const FILLED: [&str; 6] = [
        "title",
        "description",
        "version",
        "revision",
        "licenses",
        "base.name",
    ];
    const PRESENT: [&str; 2] = ["created", "source"];
    let mut found = Vec::new();
    for name in FILLED.into_iter().chain(PRESENT) {
        match label(facts, name) {
            None => found.push(format!("no label `{PREFIX}{name}`")),
            Some("") if FILLED.contains(&name) => {
                found.push(format!("label `{PREFIX}{name}` is empty"));
            }
            Some(_) => {}
        }
    }
    found.extend(base_fault(facts));
    let version = label(facts, "version").unwrap_or_default();
    if !matches!(version, "" | "dev") && Version::parse(version).is_err() {
        found.push(format!("version `{version}`"));
    }
    if found.is_empty() {
        let labels = count(FILLED.len() + PRESENT.len(), "label");
        return Verdict::passed(format!("{labels}, version {version}"));
    }
    let names = [FILLED.join("`, `"), PRESENT.join("`, `")].join("`, `");
    let expected = format!("`{names}` of `{PREFIX}`, the version `dev` or as SemVer has it");
    Verdict::none_of(&found, &expected)
}

/// What is wrong with the base's digest: it has another form, or is not the one that the Dockerfile pins.
fn base_fault(facts: &ImageFacts) -> Option<String> {
    const NAME: &str = "base.digest";
    let said = label(facts, NAME).filter(|digest| !digest.is_empty())?;
    let pinned = &facts.expected.base_digest;
    match (said.parse::<Digest>(), pinned) {
        (Err(_), _) => Some(format!("label `{PREFIX}{NAME}` is `{said}`, not a digest")),
        (Ok(digest), Some(pinned)) if digest != *pinned => Some(format!(
            "label `{PREFIX}{NAME}` is `{digest}`, and the Dockerfile pins `{pinned}`"
        )),
        _ => None,
    }
}

fn label<'a>(facts: &'a ImageFacts, name: &str) -> Option<&'a str> {
    let labels = &facts.image.config.config.labels;
    labels.get(&format!("{PREFIX}{name}")).map(String::as_str)
}

pub(super) fn revision(facts: &ImageFacts) -> Verdict {
    judge(facts, "revision", |commit| &commit.revision)
}

pub(super) fn created(facts: &ImageFacts) -> Verdict {
    judge(facts, "created", |commit| &commit.created)
}

/// Passes when the label says of the commit what is so.
fn judge(facts: &ImageFacts, name: &str, of: fn(&Commit) -> &String) -> Verdict {
    let seen = match label(facts, name) {
        None => format!("no label `{PREFIX}{name}`"),
        Some("") => format!("label `{PREFIX}{name}` is empty"),
        Some(value) => value.to_owned(),
    };
    match &facts.expected.commit {
        Ok(commit) => Verdict::equal(seen, of(commit)),
        Err(why) => Verdict::failed(
            why,
            format!("the commit that the image is built from ({seen})"),
        ),
    }
}
