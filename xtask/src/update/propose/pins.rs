//! Whether a commit changes pins and nothing else: pure. The commit comes from where npm and cargo have run, and whoever
//! holds one of them could hand on another one, with code that a job then starts.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};

use crate::day::Day;
use crate::platform::Platform;
use crate::update::setting::Setting;
use crate::update::{claude, crates, dockerfile, packages, rust};

/// The texts of files in a commit, by their paths.
pub(super) type Texts = BTreeMap<String, String>;

/// A text of a TOML file that is a pin: file, keys, and whether a value may be one.
type Pin = (&'static str, &'static [&'static str], fn(&str) -> bool);

/// The pins of TOML files.
fn settings() -> Vec<Pin> {
    let day: Pin = (packages::FILE, &packages::KEYS, |day: &str| {
        day.parse::<Day>().is_ok()
    });
    let rust = rust::SETTINGS
        .into_iter()
        .map(|(file, keys)| -> Pin { (file, keys, rust::is_release) });
    rust.chain([day]).collect()
}

/// The files that have pins, but for workflows: GitHub lets no job's token push those
/// (peter-evans/create-pull-request#3558).
pub(super) fn files(dockerfile: &str) -> Vec<String> {
    let others = [
        crates::LOCK,
        packages::FILE,
        rust::SETTINGS[1].0,
        dockerfile,
    ];
    let locks = Platform::ALL.into_iter().flat_map(claude::files);
    others.map(str::to_owned).into_iter().chain(locks).collect()
}

/// Checks that of all these files `new` differs from `old` in pins alone, and pins what can be one.
///
/// Fails with the first file that does not, and why.
pub(super) fn check(old: &Texts, new: &Texts, dockerfile: &str) -> Result<(), String> {
    for file in files(dockerfile) {
        if old.get(&file) != new.get(&file) {
            let checked = one(old, new, dockerfile, &file);
            checked.map_err(|why| format!("`{file}` by more than its pins: {why:#}"))?;
        }
    }
    Ok(())
}

fn one(old: &Texts, new: &Texts, dockerfile: &str, file: &str) -> anyhow::Result<()> {
    let [before, after] = [old, new].map(|texts| texts.get(file));
    let before = before.context("it is new")?;
    let after = after.context("it is gone")?;
    if file == crates::LOCK {
        return crates::check(before, after);
    }
    if file == dockerfile {
        return dockerfile::check(before, after).map_err(anyhow::Error::msg);
    }
    for platform in Platform::ALL {
        let [manifest, lock] = claude::files(platform);
        if file == manifest || file == lock {
            let text = |texts: &Texts, path: &str| texts.get(path).cloned().unwrap_or_default();
            let made = [text(new, &manifest), text(new, &lock)];
            return claude::check(platform, &text(old, &manifest), [&made[0], &made[1]]);
        }
    }
    toml(file, before, after)
}

/// Checks that nothing but the pins of a TOML file differs.
fn toml(file: &str, before: &str, after: &str) -> anyhow::Result<()> {
    let (mut before, mut after) = (before.to_owned(), after.to_owned());
    for (_, keys, is_one) in settings().into_iter().filter(|(of, ..)| *of == file) {
        let [was, is] = [&before, &after].map(|text| Setting::find(text, keys));
        let (Some(was), Some(is)) = (was?, is?) else {
            continue;
        };
        ensure!(
            was.value == is.value || is_one(&is.value),
            "`{}` is no value of `{}`",
            is.value,
            keys.join(".")
        );
        before = was.replaced(&before, "");
        after = is.replaced(&after, "");
    }
    if before != after {
        bail!("something else differs");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKERFILE: &str = "docker/Dockerfile.agent";
    const CARGO: &str = "[workspace.package]\nrust-version = \"1.95\"\n\n[workspace.metadata.image]\n\
                         packages = \"2026-11-20\" # a day\n\n[profile.release]\nlto = true\n";

    fn lock(version: &str, source: &str) -> String {
        format!(
            "version = 4\n\n[[package]]\nname = \"libc\"\nversion = \"{version}\"\nsource = \"{source}\"\nchecksum = \"{}\"\n",
            "0".repeat(64)
        )
    }

    /// The files of a commit before it, and those that differ after it.
    fn checked(changes: &[(&str, &str)]) -> Result<(), String> {
        let digest = "a".repeat(64);
        let mut old = Texts::from(
            [
                (crates::LOCK, lock("1.0.0", "a")),
                ("Cargo.toml", CARGO.to_owned()),
                (
                    "rust-toolchain.toml",
                    "[toolchain]\nchannel = \"1.95.0\"\nprofile = \"minimal\"\n".to_owned(),
                ),
                (
                    DOCKERFILE,
                    format!("FROM node:20@sha256:{digest} AS a\nRUN true\nFROM a\n"),
                ),
            ]
            .map(|(path, text)| (path.to_owned(), text)),
        );
        for platform in Platform::ALL {
            let package = crate::claude_lock::package(platform);
            let manifest = format!(r#"{{"private":true,"dependencies":{{"{package}":"1.0.0"}}}}"#);
            let lock = format!(
                r#"{{"lockfileVersion":3,"packages":{{"":{{"dependencies":{{"{package}":"1.0.0"}}}},"node_modules/{package}":{{"version":"1.0.0","integrity":"sha512-A"}}}}}}"#
            );
            old.extend(claude::files(platform).into_iter().zip([manifest, lock]));
        }
        let mut new = old.clone();
        for (file, change) in changes {
            let (from, to) = change.split_once(" => ").unwrap();
            for (_, text) in new.iter_mut().filter(|(path, _)| path.starts_with(file)) {
                assert!(text.contains(from), "{text}");
                *text = text.replace(from, to);
            }
        }
        check(&old, &new, DOCKERFILE)
    }

    #[test]
    fn every_pin_may_move() {
        for changes in [
            &[][..],
            &[(crates::LOCK, "1.0.0 => 1.0.1")],
            &[
                ("Cargo.toml", "2026-11-20 => 2026-11-29"),
                ("Cargo.toml", "1.95 => 1.96"),
                ("rust-toolchain.toml", "1.95.0 => 1.96.1"),
            ],
            &[(DOCKERFILE, "node:20 => node:22")],
            &[(DOCKERFILE, "aaaa => bbbb")],
            &[
                ("docker/claude/", "1.0.0 => 1.0.1"),
                ("docker/claude/amd64/package-lock", "-A => -B"),
            ],
        ] {
            assert_eq!(checked(changes), Ok(()), "{changes:?}");
        }
    }

    #[test]
    fn nothing_else_may() {
        let manifest = "docker/claude/amd64/package.json";
        for (file, change, why) in [
            (crates::LOCK, "\"a\" => \"b\"", "where no crate came from"),
            (crates::LOCK, "checksum => was", "no hash of `libc`"),
            ("Cargo.toml", "lto = true => lto = false", "something else"),
            ("Cargo.toml", "# a => # the", "something else"),
            (
                "Cargo.toml",
                "[profile => [patch.crates-io]\nlibc.path = \"x\"\n[profile",
                "something else",
            ),
            (
                "Cargo.toml",
                "2026-11-20 => x",
                "`x` is no value of `workspace.metadata.image.packages`",
            ),
            (
                "rust-toolchain.toml",
                "1.95.0 => nightly",
                "`nightly` is no value of `toolchain.channel`",
            ),
            (
                "rust-toolchain.toml",
                "channel = \"1.95.0\" => path = \"x\"",
                "something else",
            ),
            (DOCKERFILE, "true => curl x", "more than tags and digests"),
            (
                DOCKERFILE,
                "node:20 => evil/node:20",
                "more than tags and digests",
            ),
            (DOCKERFILE, "aaaa => zzzz", "bad digest"),
            (
                DOCKERFILE,
                "FROM a => FROM a\nRUN x",
                "more than tags and digests",
            ),
            (manifest, "1.0.0 => 1.0.1", "pins something else"),
            (
                manifest,
                "\"private\":true => \"scripts\":{\"install\":\"x\"}",
                "more than another version",
            ),
            (
                "docker/claude/amd64/package-lock",
                "\"integrity\" => \"resolved\":\"x\",\"integrity\"",
                "names a registry",
            ),
            (
                "docker/claude/amd64/package-lock",
                "sha512-A => sha1-A",
                "no SHA-512",
            ),
        ] {
            let said = checked(&[(file, change)]).unwrap_err();
            assert!(
                said.contains(file) && said.contains(why),
                "{change}: {said}"
            );
        }
        let texts = Texts::from([("Cargo.toml".to_owned(), CARGO.to_owned())]);
        for (old, new, why) in [
            (&texts, &Texts::new(), "it is gone"),
            (&Texts::new(), &texts, "it is new"),
        ] {
            assert!(check(old, new, DOCKERFILE).unwrap_err().ends_with(why));
        }
    }
}
