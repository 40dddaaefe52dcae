//! The step summary of a finished build: what was made, its sizes, how to get and to prove it.

use crate::github::markdown::{code, commands, table, text};
use crate::last_build::{BuiltPlatform, LastBuild};
use crate::oci::Digest;
use crate::report;

pub(super) fn markdown(built: &LastBuild) -> String {
    let digest = built.digest.as_ref().map(Digest::as_str);
    let row = |name: &str, value: String| [name.to_owned(), value];
    let mut rows = Vec::new();
    for (at, reference) in built.references.iter().enumerate() {
        let state = built
            .tags
            .get(at)
            .map(|state| format!(" ({})", state.describe()));
        rows.push(row(
            "tag",
            format!("{}{}", code(reference), state.unwrap_or_default()),
        ));
    }
    let none = "none: the classic image store keeps no manifest";
    rows.push(row("digest", digest.map_or_else(|| none.to_owned(), code)));
    rows.push(row("revision", code(&built.revision)));
    rows.push(row("time", format!("{} s", built.seconds)));
    let about = table(["", ""], &rows);
    let sizes: Vec<_> = built.platforms.iter().map(sizes).collect();
    let head = [
        "platform", "manifest", "stored", "unpacked", "growth", "steps",
    ];
    let sizes = table(head, &sizes);
    let how = built.is_pushed.then(|| how(built)).flatten();
    format!(
        "### Agent image\n\n{about}\n{sizes}{}",
        how.unwrap_or_default()
    )
}

fn sizes(built: &BuiltPlatform) -> [String; 6] {
    let size = |size: Option<u64>| size.map(report::bytes).unwrap_or_default();
    [
        built.platform.to_string(),
        built
            .manifest
            .as_ref()
            .map(|digest| code(digest.as_str()))
            .unwrap_or_default(),
        size(built.size),
        size(built.unpacked),
        built.growth.map(report::growth).unwrap_or_default(),
        built
            .steps
            .map(|steps| text(&steps.describe()))
            .unwrap_or_default(),
    ]
}

/// How to pull what was pushed, and to prove it; by digest, as a tag may move.
fn how(built: &LastBuild) -> Option<String> {
    let (repository, _) = built.references.first()?.rsplit_once(':')?;
    let name = format!("{repository}@{}", built.digest.as_ref()?);
    let lines = [
        format!("docker pull {name}"),
        format!("cargo xtask verify --pull {name}"),
    ];
    Some(format!(
        "\nTo pull and to prove it:\n\n{}",
        commands(&lines)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::last_build::{Steps, TagState};
    use crate::platform::Platform;

    #[test]
    fn a_summary_has_sizes_and_what_to_type() {
        let digest = Digest::of(b"x");
        let built = LastBuild {
            schema: 1,
            references: vec![
                "127.0.0.1:5000/a:sha-0".to_owned(),
                "127.0.0.1:5000/a:dev".to_owned(),
            ],
            digest: Some(digest.clone()),
            revision: "r".to_owned(),
            is_pushed: true,
            tags: vec![TagState::Pushed, TagState::Present],
            platforms: vec![BuiltPlatform {
                platform: Platform::LinuxAmd64,
                manifest: Some(digest.clone()),
                size: Some(2_000),
                unpacked: Some(5_000),
                growth: Some(-7),
                steps: Some(Steps {
                    all: 2,
                    cached: 1,
                    seconds: 0.5,
                }),
                packages: None,
                layers: Vec::new(),
            }],
            seconds: 1.5,
        };
        let text = markdown(&built);
        for part in [
            "### Agent image\n\n|  |  |\n| --- | --- |\n| tag | `127.0.0.1:5000/a:sha-0` (pushed) |\n",
            "| tag | `127.0.0.1:5000/a:dev` (as before) |\n",
            &format!(
                "| digest | `{digest}` |\n| revision | `r` |\n| time | 1.5 s |\n\n| platform |"
            ),
            &format!(
                "| linux/amd64 | `{digest}` | 2.0 kB | 5.0 kB | 7 B less than before | 1 of 2 steps \
                 cached, the others took 0.5 s |\n"
            ),
            &format!(
                "```sh\ndocker pull 127.0.0.1:5000/a@{digest}\ncargo xtask verify --pull \
                 127.0.0.1:5000/a@{digest}\n```\n"
            ),
        ] {
            assert!(text.contains(part), "`{part}` is not in {text}");
        }
        // A local build cannot be pulled.
        let local = LastBuild {
            is_pushed: false,
            tags: Vec::new(),
            ..built
        };
        assert!(!markdown(&local).contains("docker pull"));
    }
}
