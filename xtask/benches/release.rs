//! `cargo bench --package xtask --features e2e --bench release`: `cargo xtask release`, `release --status` and
//! `audit` by the number of published versions, on the test bed, in turn with scripts of crane, all through one proxy.
//!
//! A release is compared with `digest`, two `tag`s, and two `digest`s to read back; it has a stand-in for cosign, as
//! the script signs nothing. What reads is compared with `ls` and a `manifest` for each version; it has a real
//! cosign and a key, and the script checks nothing. Tables and plots go to docs/performance.md.
//!
//! Each round of releases publishes two versions more, so a row's number is the least that were there.
//!
//! Needs `cargo build --release --package verify`. `-- 10 100` measures at so many versions alone, which takes
//! three minutes; with 500 it is ten.

mod measure;
#[path = "../tests"]
#[expect(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "the tests need more of it, and may fail"
)]
mod tests {
    pub(crate) mod common;
    #[path = "e2e"]
    pub(crate) mod e2e {
        pub(crate) mod attested;
        pub(crate) mod proof;
        pub(crate) mod push;
        pub(crate) mod release;
        pub(crate) mod world;
    }
}

use std::io;
use std::time::Instant;

use tests::common;
use tests::e2e::{attested, proof, push, release, world};

use crate::attested::scene::Scene;
use crate::common::{Ran, command};
use crate::measure::{Report, Rows, Unit, in_turn};
use crate::push::Workspace;
use crate::release::Releases;

/// How often a row is measured. With hundreds of versions, a round of the readings takes minutes.
const fn rounds(versions: u32) -> usize {
    if versions > 100 { 1 } else { 5 }
}

const VERSIONS: [u32; 3] = [10, 100, 500];

fn main() -> io::Result<()> {
    // Cargo says `--bench` to every benchmark.
    let numbers = std::env::args().filter_map(|arg| arg.parse().ok());
    let mut versions: Vec<u32> = numbers.collect();
    if versions.is_empty() {
        versions.extend(VERSIONS);
    }
    releases(&versions)?;
    readings(&versions)
}

fn releases(versions: &[u32]) -> io::Result<()> {
    let what = (Unit::Seconds, Rows::Numbers("published versions"));
    let sides = ["script of crane", "xtask release"];
    let mut report = Report::new(
        "release",
        "release, by the published versions",
        what,
        &sides,
    );
    let scene = Releases::new();
    let repository = scene.workspace.repository();
    let mut published = 0;
    for &count in versions {
        while published < count {
            published += 1;
            scene.prepare(&format!("1.0.{published}"));
            scene.run(&["--repository", &repository]).succeeded();
        }
        let (mut ours, mut theirs) = (0, 0);
        let mut own = || {
            ours += 1;
            scene.prepare(&format!("1.{count}.{}", 2 * ours));
            timed(|| drop(scene.run(&["--repository", &repository]).succeeded()))
        };
        let mut crane = || {
            theirs += 1;
            let version = format!("1.{count}.{}", 2 * theirs + 1);
            scene.prepare(&version);
            let tag = scene.workspace.sha_tag();
            let taken = timed(|| script(&scene.workspace, &promotion(&repository, &tag, &version)));
            // With its record, for the rounds after it.
            scene
                .run(&["--repository", &repository, "--adopt"])
                .succeeded();
            taken
        };
        let row = in_turn(rounds(count), &mut [&mut crane, &mut own])?;
        report.row(count.to_string(), row);
    }
    report.finish()
}

fn promotion(repository: &str, tag: &str, version: &str) -> String {
    format!(
        "digest=$(crane digest {repository}:{tag}); \
         crane tag {repository}@$digest v{version}; test $(crane digest {repository}:v{version}) = $digest; \
         crane tag {repository}@$digest latest; test $(crane digest {repository}:latest) = $digest"
    )
}

fn readings(versions: &[u32]) -> io::Result<()> {
    let what = (Unit::Seconds, Rows::Numbers("published versions"));
    let sides = [
        "script of crane",
        "release --status",
        "release --status --all",
        "audit",
        "audit --all",
    ];
    let title = "release --status and audit, by the published versions";
    let mut report = Report::new("audit", title, what, &sides);
    let Some(scene) = Scene::believing() else {
        eprintln!("not measured: release --status and audit: there is no cosign");
        return Ok(());
    };
    let repository = scene.workspace.repository();
    let mut published = 0;
    for &count in versions {
        let mut newest = None;
        while published < count {
            published += 1;
            newest = Some(scene.release(&format!("1.0.{published}")));
        }
        if let Some(newest) = newest {
            scene.move_tag("latest", &newest);
        }
        let ours = |args: &[&str]| {
            let mut command = scene.command(&[args, &["--repository", &repository]].concat());
            timed(|| drop(Ran::of(&mut command).succeeded()))
        };
        let listing = format!(
            "for tag in $(crane ls {repository} | grep '^v'); do crane manifest {repository}:$tag >/dev/null; done"
        );
        let row = in_turn(
            rounds(count),
            &mut [
                &mut || timed(|| script(&scene.workspace, &listing)),
                &mut || ours(&["release", "--status"]),
                &mut || ours(&["release", "--status", "--all"]),
                &mut || ours(&["audit"]),
                &mut || ours(&["audit", "--all"]),
            ],
        )?;
        report.row(count.to_string(), row);
    }
    report.finish()
}

fn script(workspace: &Workspace, lines: &str) {
    let script = format!("set -eu; {lines}");
    let folder = workspace.path("");
    Ran::of(command("sh", &folder).args(["-c", &script])).succeeded();
}

/// The seconds that something takes that ends well.
#[expect(clippy::unnecessary_wraps, reason = "as the rounds have it")]
fn timed(run: impl FnOnce()) -> io::Result<f64> {
    let start = Instant::now();
    run();
    Ok(start.elapsed().as_secs_f64())
}
