//! A base image in the registry: its configuration, its index, and the recipe that the index names.

use super::rootfs::Arch;
use crate::engine::Engine;

/// The index annotation with the recipe that the registry's images are made from.
const RECIPE_ANNOTATION: &str = "dev.agentgate.testbed.recipe";

/// The recipe of the image in the registry. Returns `None` when the registry has no such image.
pub(super) fn published_recipe(engine: &Engine, reference: &str) -> Option<String> {
    let inspect = engine
        .docker()
        .args(["buildx", "imagetools", "inspect", "--raw", reference]);
    parse_recipe(&inspect.read().ok()?)
}

/// The crane command that gives the image `part` of one layer its configuration. It sets no time, so that
/// every test bed has the same image.
pub(super) fn mutate_args(config: &[&str], arch: Arch, part: &str) -> Vec<String> {
    let platform = format!("linux/{}", arch.name());
    let args = ["mutate", part, "--tag", part, "--set-platform", &platform];
    let args = args.iter().chain(config);
    args.map(|arg| (*arg).to_owned()).collect()
}

/// The command that joins images under `reference`, without the images.
pub(super) fn index_args(reference: &str, key: &str) -> Vec<String> {
    let annotation = format!("index:{RECIPE_ANNOTATION}={key}");
    [
        "buildx",
        "imagetools",
        "create",
        "--progress",
        "plain",
        "--annotation",
        &annotation,
        "--tag",
        reference,
    ]
    .map(str::to_owned)
    .into()
}

fn parse_recipe(index: &str) -> Option<String> {
    let index: serde_json::Value = serde_json::from_str(index).ok()?;
    Some(
        index
            .get("annotations")?
            .get(RECIPE_ANNOTATION)?
            .as_str()?
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configures_for_the_platform() {
        let args = mutate_args(&["--cmd=node"], Arch::Arm64, "r/x:1").join(" ");
        assert_eq!(
            args,
            "mutate r/x:1 --tag r/x:1 --set-platform linux/arm64 --cmd=node"
        );
    }

    #[test]
    fn reads_back_the_recipe_that_it_annotates() {
        let args = index_args("127.0.0.1:1/library/x:y", "0123");
        let annotation = args
            .iter()
            .find_map(|arg| arg.strip_prefix("index:"))
            .unwrap();
        let (key, value) = annotation.split_once('=').unwrap();
        let index =
            serde_json::json!({ "manifests": [], "annotations": { key: value } }).to_string();
        assert_eq!(parse_recipe(&index).as_deref(), Some("0123"));
        for other in [
            "",
            "{}",
            r#"{"annotations":{}}"#,
            r#"{"annotations":{"dev.agentgate.testbed.recipe":1}}"#,
        ] {
            assert_eq!(parse_recipe(other), None, "{other}");
        }
    }
}
