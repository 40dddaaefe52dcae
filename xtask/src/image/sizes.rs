//! What an image weighs, layer by layer, against the one before it and against its budget.

use std::collections::BTreeMap;
use std::path::Path;

use super::contents::{self, Contents};
use crate::build_step;
use crate::claude_lock;
use crate::image_tree::Image;
use crate::last_build::{BuiltPlatform, Layer, Steps};
use crate::oci::Digest;
use crate::platform::Platform;
use crate::report::{self, bytes};
use crate::settings::Settings;

impl BuiltPlatform {
    /// What the image's manifest says. `contents` has what is in its layers, `before` the same platform of
    /// the image that it is compared with.
    pub(super) fn of(
        platform: Platform,
        image: &Image,
        contents: &Contents,
        before: Option<&[(Digest, u64)]>,
    ) -> BuiltPlatform {
        let steps = image.steps();
        let names = build_step::names(&steps);
        let layers = image.entry.manifest.layers.iter().zip(steps).zip(names);
        let layers: Vec<Layer> = layers
            .map(|((layer, step), name)| {
                let content = contents.get(&layer.digest);
                Layer {
                    name,
                    digest: layer.digest.clone(),
                    size: layer.size,
                    unpacked: content.map(|content| content.unpacked),
                    packages: content.and_then(|content| content.packages.clone()),
                    step: step.map(|step| build_step::line(&step.created_by)),
                    is_new: before
                        .map(|before| !before.iter().any(|(old, _)| *old == layer.digest)),
                }
            })
            .collect();
        let size = layers.iter().map(|layer| layer.size).sum();
        BuiltPlatform {
            platform,
            manifest: Some(image.digest().clone()),
            size: Some(size),
            unpacked: layers.iter().map(|layer| layer.unpacked).sum(),
            growth: before.map(|before| {
                let before: u64 = before.iter().map(|(_, size)| size).sum();
                size.cast_signed() - before.cast_signed()
            }),
            steps: None,
            packages: contents::installed(image, contents),
            layers,
        }
    }

    /// A platform of whose layers nothing is known.
    pub(super) fn unknown(platform: Platform, size: Option<u64>) -> BuiltPlatform {
        BuiltPlatform {
            platform,
            manifest: None,
            size,
            unpacked: None,
            growth: None,
            steps: None,
            packages: None,
            layers: Vec::new(),
        }
    }

    /// The very same image, built once more.
    pub(super) fn again(&self) -> BuiltPlatform {
        let mut again = self.clone();
        again.growth = Some(0);
        again.steps = None;
        for layer in &mut again.layers {
            layer.is_new = Some(false);
        }
        again
    }

    /// Each layer with its bytes as a registry stores them.
    pub(super) fn stored(&self) -> Vec<(Digest, u64)> {
        let layers = self.layers.iter();
        layers
            .map(|layer| (layer.digest.clone(), layer.size))
            .collect()
    }

    /// The rows of its layers: name, bytes, unpacked, whether new. `claude` is the version of Claude Code.
    fn layer_rows(&self, claude: Option<&str>) -> Vec<[String; 4]> {
        let or_unknown = |size: Option<u64>| size.map_or_else(|| "?".to_owned(), bytes);
        let name = |layer: &Layer| match (layer.name.as_deref(), claude) {
            (Some(build_step::CLAUDE), Some(version)) => {
                format!("  {} {version}", build_step::CLAUDE)
            }
            (Some(name), _) => format!("  {name}"),
            (None, _) => format!("  {}", layer.step.as_deref().unwrap_or("unknown")),
        };
        let rows = self.layers.iter().map(|layer| {
            [
                name(layer),
                bytes(layer.size),
                or_unknown(layer.unpacked),
                match layer.is_new {
                    Some(true) => "new".to_owned(),
                    Some(false) => "as before".to_owned(),
                    None => String::new(),
                },
            ]
        });
        let head = ["  layer", "stored", "unpacked", ""].map(str::to_owned);
        std::iter::once(head).chain(rows).collect()
    }

    /// Bytes, and how many more than before.
    pub(super) fn describe(&self) -> String {
        let mut parts = Vec::from_iter(self.size.map(bytes));
        parts.extend(
            self.unpacked
                .map(|size| format!("{} unpacked", bytes(size))),
        );
        parts.extend(self.growth.map(report::growth));
        parts.join(", ")
    }

    /// Why the platform is over its budget, with the layer to look at; none when it is not.
    fn excess(&self, budget: u64) -> Option<String> {
        let size = self.size.filter(|size| *size > budget)?;
        let new = self
            .layers
            .iter()
            .filter(|layer| layer.is_new == Some(true));
        let guilty = new.max_by_key(|layer| layer.size);
        let guilty = guilty.or_else(|| self.layers.iter().max_by_key(|layer| layer.size));
        let guilty = guilty.map(|layer| {
            let what = if layer.is_new == Some(true) {
                "the largest new layer"
            } else {
                "the largest layer"
            };
            let step = layer.step.as_deref().unwrap_or("(of an unknown step)");
            format!("; {what}: {} by `{step}`", bytes(layer.size))
        });
        Some(format!(
            "`{}` has {}, {} more than its budget of {}{}",
            self.platform,
            bytes(size),
            bytes(size - budget),
            bytes(budget),
            guilty.unwrap_or_default()
        ))
    }
}

/// Adds what `steps` has of each platform.
pub(super) fn add_steps(built: &mut [BuiltPlatform], steps: &BTreeMap<Platform, Steps>) {
    for built in built {
        built.steps = steps.get(&built.platform).copied();
    }
}

/// What is over the budget of the settings, a line each; none when nothing is.
pub(super) fn over_budget(built: &[BuiltPlatform], settings: &Settings) -> Option<String> {
    let lines: Vec<String> = built
        .iter()
        .filter_map(|built| built.excess(*settings.size_budget.get(&built.platform)?))
        .collect();
    let said = lines.join("\n");
    (!lines.is_empty()).then(|| {
        format!(
            "the image is too large: {said}\n  hint: make the layer smaller, or raise \
             `size-budget` under `[workspace.metadata.image]` in Cargo.toml"
        )
    })
}

/// A table of every platform's layers. `root` is the checkout, which pins Claude Code's version.
pub(super) fn table(root: &Path, built: &[BuiltPlatform]) -> String {
    let built = built.iter().filter(|built| !built.layers.is_empty());
    built
        .map(|built| {
            // A lock that cannot be read is the build's to report.
            let claude = claude_lock::version(root, built.platform, None).ok();
            let layers = report::columns(&built.layer_rows(claude.as_deref()));
            format!("{}: {}\n{layers}", built.platform, built.describe())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(text: &str, size: u64, is_new: Option<bool>) -> Layer {
        Layer {
            digest: Digest::of(text.as_bytes()),
            size,
            unpacked: None,
            packages: None,
            name: None,
            step: Some(text.to_owned()),
            is_new,
        }
    }

    fn built(layers: Vec<Layer>) -> BuiltPlatform {
        BuiltPlatform {
            platform: Platform::LinuxAmd64,
            manifest: None,
            size: Some(layers.iter().map(|layer| layer.size).sum()),
            unpacked: None,
            growth: None,
            steps: None,
            packages: None,
            layers,
        }
    }

    #[test]
    fn what_is_too_large_is_named_with_its_layer() {
        let old = layer("RUN apk add", 300_000_000, Some(false));
        let new = layer("COPY claude", 60_000_000, Some(true));
        let excess = built(vec![old.clone(), new]).excess(340_000_000).unwrap();
        assert_eq!(
            excess,
            "`linux/amd64` has 360.0 MB, 20.0 MB more than its budget of 340.0 MB; the largest \
             new layer: 60.0 MB by `COPY claude`"
        );
        assert_eq!(built(vec![old.clone()]).excess(300_000_000), None);
        let excess = built(vec![old]).excess(1).unwrap();
        assert!(excess.ends_with("; the largest layer: 300.0 MB by `RUN apk add`"));
    }
}
