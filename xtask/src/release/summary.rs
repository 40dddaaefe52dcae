//! What a release is, for people: the step summary of GitHub Actions, and the part of it that a GitHub
//! Release has, too. Sizes are read from the registry only where somebody reads them.

use super::apply::TagResult;
use super::facts::ReleaseFacts;
use super::intent::Release;
use super::step::ReleasePlan;
use crate::github::markdown::{code, commands, table, text};
use crate::image_tree::{Image, ImageTree};
use crate::oci::Digest;
use crate::published::{TagContent, inspect};
use crate::registry::Puller;
use crate::report;

/// What the registry and the signer say of the image that is released.
#[derive(Default)]
pub(super) struct About {
    platforms: Vec<Sizes>,
    /// What to type to pull it and to prove it.
    commands: Vec<String>,
}

/// One platform of the image.
#[derive(Debug, PartialEq, Eq)]
struct Sizes {
    platform: String,
    manifest: Digest,
    /// Bytes of its layers as the registry stores them.
    stored: u64,
    /// Bytes more than the image that `latest` led to before; none where there was no other.
    growth: Option<i64>,
}

impl About {
    /// What is released is there already: sizes that cannot be read are left out, with a note.
    pub(super) fn read(release: &Release, facts: &ReleaseFacts, plan: &ReleasePlan) -> About {
        let first = release.targets.first();
        let before = facts.published.first().and_then(|first| first.at());
        let before = before.filter(|before| **before != plan.digest);
        let platforms = first.map(|first| {
            let read = || sizes(&first.puller, facts.bytes(), before);
            release.retry.run(read).unwrap_or_else(|why| {
                crate::say::errln!("note: the sizes of the image are not known: {why:#}");
                Vec::new()
            })
        });
        let name = first.map(|first| first.repository.by_digest(&plan.digest));
        let commands = name.iter().flat_map(|name| {
            let signer = release.signer.as_ref();
            [
                Some(format!("docker pull {name}")),
                Some(format!("cargo xtask verify --pull {name}")),
                signer.map(|signer| signer.verify_line(name)),
            ]
        });
        About {
            platforms: platforms.unwrap_or_default(),
            commands: commands.flatten().collect(),
        }
    }

    /// The sizes and the commands as Markdown.
    pub(super) fn markdown(&self) -> String {
        let rows = self.platforms.iter().map(|one| {
            [
                text(&one.platform),
                code(one.manifest.as_str()),
                report::bytes(one.stored),
                one.growth.map(report::growth).unwrap_or_default(),
            ]
        });
        let rows: Vec<_> = rows.collect();
        let head = ["platform", "manifest", "stored", "against `latest` before"];
        let (sizes, commands) = (table(head, &rows), commands(&self.commands));
        format!("{sizes}\nTo pull and to prove it:\n\n{commands}")
    }
}

/// The sizes of the index (or manifest) `bytes`, compared with those of `before`.
fn sizes(puller: &Puller, bytes: &[u8], before: Option<&Digest>) -> anyhow::Result<Vec<Sizes>> {
    let tree = ImageTree::read(bytes.to_vec(), puller)?;
    let before = match before {
        Some(digest) => inspect(puller, digest.as_str())?,
        None => TagContent::Absent,
    };
    Ok(match before {
        TagContent::There(before) => compare(&tree, Some(&before)),
        TagContent::Absent | TagContent::Broken(_) => compare(&tree, None),
    })
}

fn compare(tree: &ImageTree, before: Option<&ImageTree>) -> Vec<Sizes> {
    let stored = |image: &Image| {
        let layers = image.layers().into_iter();
        layers.fold(0_u64, |sum, (_, size)| sum.saturating_add(size))
    };
    let sizes = tree.by_platform().into_iter().map(|(platform, image)| {
        let size = stored(image);
        let before = before.and_then(|tree| tree.by_platform().get(&platform).map(|it| stored(it)));
        Sizes {
            manifest: image.digest().clone(),
            stored: size,
            growth: before.map(|before| size.cast_signed().wrapping_sub(before.cast_signed())),
            platform,
        }
    });
    sizes.collect()
}

/// The step summary of a finished release or rollback.
pub(super) fn markdown(plan: &ReleasePlan, given: &[TagResult], about: &About) -> String {
    let rows = given.iter().map(|one| {
        let digest = one.digest.as_ref().map_or("absent", Digest::as_str);
        [code(&one.reference), code(digest), text(&one.why)]
    });
    let rows: Vec<_> = rows.collect();
    let tags = table(["tag", "digest", ""], &rows);
    let revision = code(&plan.revision);
    format!(
        "### Release v{}\n\nCommit {revision}\n\n{tags}\n{}",
        plan.version,
        about.markdown()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_tree::tests::Shelf;

    #[test]
    fn sizes_are_compared_platform_by_platform() {
        let mut shelf = Shelf::default();
        let both = [
            shelf.image("amd64", "r", "four"),
            shelf.image("arm64", "r", "five!"),
        ];
        let new = shelf.read(&both.concat()).unwrap();
        let old = shelf.image("amd64", "q", "sevens!");
        let old = shelf.read(&old).unwrap();
        let of = |before| {
            let sizes = compare(&new, before).into_iter();
            let sizes = sizes.map(|one| (one.platform, one.stored, one.growth));
            sizes.collect::<Vec<_>>()
        };
        let (amd64, arm64) = ("linux/amd64".to_owned(), "linux/arm64".to_owned());
        assert_eq!(
            of(Some(&old)),
            [(amd64.clone(), 4, Some(-3)), (arm64.clone(), 5, None)]
        );
        assert_eq!(of(None), [(amd64, 4, None), (arm64, 5, None)]);
    }

    #[test]
    fn a_summary_has_digests_sizes_and_what_to_type() {
        let digest = Digest::of(b"x");
        let about = About {
            platforms: vec![Sizes {
                platform: "linux/a|b".to_owned(),
                manifest: digest.clone(),
                stored: 1_500,
                growth: Some(0),
            }],
            commands: vec!["docker pull a".to_owned()],
        };
        assert_eq!(
            about.markdown(),
            format!(
                "| platform | manifest | stored | against `latest` before |\n| --- | --- | --- | \
                 --- |\n| linux/a\\|b | `{digest}` | 1.5 kB | as before |\n\nTo pull and to prove \
                 it:\n\n```sh\ndocker pull a\n```\n"
            )
        );
    }
}
