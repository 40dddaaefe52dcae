//! An image in the engine's store.

use anyhow::{Context as _, bail};
use serde::Deserialize;
use xtask::docker;
use xtask::exec::Exec;
use xtask::oci::{Descriptor, Digest, Process};
use xtask::platform::Platform;

use super::image::{Place, Subject, Target};

/// The part of `docker image inspect` that we read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    /// The digest of what the name leads to; of the configuration, in the classic store.
    id: Digest,
    /// Only containerd's store has one.
    descriptor: Option<Descriptor>,
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    config: Option<Process>,
}

/// Looks `lookup` up; none when the engine has no such image.
pub(super) fn find(exec: &Exec, name: &str, lookup: &str) -> anyhow::Result<Option<Target>> {
    let Some(whole) = inspect(exec, lookup, None)? else {
        return Ok(None);
    };
    let mut target = Target {
        name: name.to_owned(),
        digest: whole.id.clone(),
        index: None,
        place: Place::Engine,
        subjects: Vec::new(),
        found: 0,
    };
    let is_index = whole.descriptor.as_ref().is_some_and(|found| {
        found.media_type.contains("index") || found.media_type.contains("list")
    });
    if !is_index {
        let platform = format!("{}/{}", whole.os, whole.architecture);
        let Ok(platform) = platform.parse() else {
            bail!("`{name}` is for `{platform}`, which no agent image is for");
        };
        target.subjects.push(subject(whole, platform));
        return Ok(Some(target));
    }
    let index = whole.id;
    for platform in Platform::ALL {
        if let Some(one) = inspect(exec, index.as_str(), Some(platform))? {
            let of_index = index.to_string();
            target.subjects.push(Subject {
                run: of_index,
                ..subject(one, platform)
            });
        }
    }
    if target.subjects.is_empty() {
        bail!("the engine has nothing of `{name}` that an agent image is for; hint: `--pull`");
    }
    target.index = Some(index);
    Ok(Some(target))
}

fn subject(inspected: Inspected, platform: Platform) -> Subject {
    let manifest = inspected.descriptor.map(|descriptor| descriptor.digest);
    Subject {
        platform,
        run: inspected.id.to_string(),
        // What the classic store calls the image is its configuration.
        config: manifest.is_none().then(|| inspected.id.clone()),
        manifest,
        labels: inspected.config.unwrap_or_default().labels,
    }
}

/// None when the engine has no such image, or none for the platform.
fn inspect(
    exec: &Exec,
    lookup: &str,
    platform: Option<Platform>,
) -> anyhow::Result<Option<Inspected>> {
    let mut args = vec!["image", "inspect"];
    if let Some(platform) = platform {
        args.extend(["--platform", platform.as_str()]);
    }
    args.push(lookup);
    let output = docker::output(exec, &args)?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return is_absent(&said)
            .then_some(None)
            .with_context(|| format!("failed to look for `{lookup}`: {}", said.trim()));
    }
    let all: Vec<Inspected> = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("docker describes `{lookup}` in another way than expected"))?;
    Ok(all.into_iter().next())
}

/// Whether the engine says that it has no such image: one that does not answer says otherwise.
fn is_absent(said: &str) -> bool {
    [
        "No such image",
        "does not provide the specified platform",
        "invalid reference format",
        "repository name must be",
    ]
    .iter()
    .any(|words| said.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_does_not_answer_has_not_denied() {
        for (said, absent) in [
            ("Error response from daemon: No such image: nix:none", true),
            ("Error: No such image: x", true),
            (
                "Error response from daemon: image with reference x was found but does not provide the specified platform (linux/arm64)",
                true,
            ),
            (
                "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
                false,
            ),
            ("permission denied while trying to connect", false),
        ] {
            assert_eq!(is_absent(said), absent, "{said}");
        }
    }

    #[test]
    fn both_stores_descriptions_are_read() {
        let hex = "0".repeat(64);
        let containerd = format!(
            r#"{{"Id":"sha256:{hex}","Descriptor":{{"mediaType":"m","digest":"sha256:{hex}","size":1}},
                "Config":{{"Labels":{{"a":"b"}}}},"Os":"linux","Architecture":"arm64"}}"#
        );
        let one: Inspected = serde_json::from_str(&containerd).unwrap();
        let one = subject(one, Platform::LinuxArm64);
        assert_eq!(one.labels["a"], "b");
        assert!(one.manifest.is_some());
        let classic = format!(
            r#"{{"Id":"sha256:{hex}","Os":"linux","Architecture":"amd64","Config":{{"Labels":null}}}}"#
        );
        let one: Inspected = serde_json::from_str(&classic).unwrap();
        let one = subject(one, Platform::LinuxAmd64);
        assert_eq!(one.manifest, None);
        assert_eq!(one.run, format!("sha256:{hex}"));
    }
}
