//! Which steps of a build for another platform run under emulation (`apk add` and the user's set-up),
//! and that the agent image reproduces.

use serde_json::Value;

use crate::common::Ran;
use crate::world::{other_platform, xtask};

/// The stages that may be emulated, with one RUN each.
const ALLOWED: [&str; 1] = ["system"];

/// The stage of each RUN step that a build of `platform` has not run on the build platform, from
/// buildx's plain progress: `#9 [linux/arm64 system 2/3] RUN …`; a cross-built one has an arrow.
fn emulated<'a>(progress: &'a str, platform: &str) -> Vec<&'a str> {
    let step = |line: &'a str| {
        // Output of a program has a time before it.
        let rest = line.split_once(' ')?.1.strip_prefix('[')?;
        let (name, instruction) = rest.split_once("] ")?;
        let mut words = name.split(' ');
        let is_it = words.next()? == platform && instruction.starts_with("RUN ");
        is_it.then(|| words.next()).flatten()
    };
    let numbered = progress.lines().filter(|line| line.starts_with('#'));
    let mut stages: Vec<&str> = numbered.filter_map(step).collect();
    stages.sort_unstable();
    stages.dedup();
    stages
}

#[test]
fn an_emulated_step_is_distinguished_from_a_cross_built_one() {
    let progress = "\
#9 [linux/arm64 system 2/3] RUN --mount=type=secret,id=ca-bundle <<'EOF' (set -eu...)
#10 [linux/amd64->arm64 claude 4/4] RUN --mount=type=cache npm ci
#11 [linux/arm64 agent 1/4] COPY --link --from=claude /out/ /
#12 [linux/amd64 system 2/3] RUN apk add
#12 0.5 [linux/arm64 x 1/1] RUN said by a program
";
    assert_eq!(emulated(progress, "linux/arm64"), ["system"]);
    let npm = "#10 [linux/arm64 claude 4/4] RUN --mount=type=cache npm ci\n";
    assert_eq!(emulated(npm, "linux/arm64"), ["claude"]);
    assert_eq!(emulated(npm, "linux/amd64"), [""; 0]);
}

#[test]
#[ignore = "takes minutes: `cargo xtask test --all`"]
fn two_builds_of_the_agent_image_are_one_and_only_packages_and_the_user_are_emulated() {
    // Without a cache, so that each step runs.
    let args = ["image", "--reproduce", "--json", "--progress", "plain"];
    let ran = Ran::of(&mut xtask(&args)).succeeded();
    assert_eq!(emulated(&ran.stderr, other_platform()), ALLOWED);
    let same: Value = serde_json::from_str(&ran.stdout).unwrap();
    let platforms = same["platforms"].as_array().unwrap();
    assert_eq!(platforms.len(), 2, "{same}");
    for platform in platforms {
        assert_eq!(platform["difference"], Value::Null, "{same}");
    }
}
