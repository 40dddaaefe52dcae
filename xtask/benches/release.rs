//! `cargo bench --package xtask --features e2e --bench release`: `cargo xtask release` with receipts against a
//! script of crane (`digest`, two `tag`s, and two `digest`s to read back), in the same run, on the test bed.
//!
//! Each round releases a version of its own with each of the two, in turns; prints the medians of
//! their times, the requests that each makes of the registry, and the ratios: below 1 ours is less.

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
        pub(crate) mod push;
        pub(crate) mod release;
        pub(crate) mod world;
    }
}

use std::time::{Duration, Instant};

use tests::common;
use tests::e2e::{push, release, world};

use crate::common::{Ran, command};
use crate::push::proxy::When;
use crate::release::Releases;

const ROUNDS: usize = 15;

fn main() {
    let releases = Releases::new();
    let mut number = 0;
    let mut next = || {
        number += 1;
        let version = format!("1.0.{number}");
        releases.prepare(&version);
        version
    };
    // Requests are counted by the proxy, and times taken without it.
    let mut count = |run: &dyn Fn(&str)| {
        let version = next();
        releases.proxy.reset(When::Never);
        run(&version);
        releases.proxy.requests().len()
    };
    let behind = releases.workspace.repository();
    count(&|_| ours(&releases, &behind));
    let requests = [
        count(&|_| ours(&releases, &behind)),
        count(&|version| crane(&releases, &behind, version)),
    ];
    let registry = std::env::var("TESTBED_REGISTRY").expect("the test bed is entered");
    let (_, path) = behind.split_once('/').expect("it has a registry");
    let direct = format!("{registry}/{path}");
    let (mut own, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        next();
        own.push(timed(|| ours(&releases, &direct)));
        let version = next();
        theirs.push(timed(|| crane(&releases, &direct, &version)));
    }
    let [own, theirs] = [median(own), median(theirs)];
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    println!("median of {ROUNDS} rounds           crane script  xtask release  ratio");
    println!(
        "time                       {:9.1} ms   {:9.1} ms   {:.2}",
        milliseconds(theirs),
        milliseconds(own),
        own.as_secs_f64() / theirs.as_secs_f64()
    );
    println!(
        "requests                   {:12}   {:12}   {:.2}",
        requests[1],
        requests[0],
        ratio(requests[0], requests[1])
    );
}

fn ours(releases: &Releases, repository: &str) {
    releases.run(&["--repository", repository]).succeeded();
}

fn crane(releases: &Releases, repository: &str, version: &str) {
    let tag = releases.workspace.sha_tag();
    let script = format!(
        "set -eu; digest=$(crane digest {repository}:{tag}); \
         crane tag {repository}@$digest v{version}; test $(crane digest {repository}:v{version}) = $digest; \
         crane tag {repository}@$digest latest; test $(crane digest {repository}:latest) = $digest"
    );
    let folder = releases.workspace.path("");
    Ran::of(command("sh", &folder).args(["-c", &script])).succeeded();
}

fn timed(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[expect(clippy::cast_precision_loss, reason = "they are few")]
fn ratio(ours: usize, theirs: usize) -> f64 {
    ours as f64 / theirs as f64
}
