//! How many steps of a build were cached and how long the others took, from buildx's history.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::cache;
use crate::docker;
use crate::exec::Exec;
use crate::last_build::{Steps, rounded};
use crate::platform::Platform;

/// A build that takes less has hardly done anything, and to ask would take a tenth of it.
const WORTH_ASKING: f64 = 1.0;
/// How long buildx may take to answer; it takes a tenth of a second.
const LIMIT: Duration = Duration::from_secs(10);

impl Steps {
    /// `11 of 14 steps cached, the others took 10.2 s`.
    pub(super) fn describe(&self) -> String {
        let Steps {
            all,
            cached,
            seconds,
        } = self;
        if all == cached {
            return format!("all {all} steps cached");
        }
        format!("{cached} of {all} steps cached, the others took {seconds} s")
    }
}

/// A build that has succeeded.
pub(super) struct Ran<'a> {
    pub(super) metadata_file: &'a Path,
    pub(super) seconds: f64,
    pub(super) platforms: &'a [Platform],
    /// Whether it had a cache besides the builder's own.
    pub(super) has_cache: bool,
}

/// Asks buildx for the steps of a build; a note says what it could not do with its cache.
///
/// Returns none when buildx or the builder keeps no history, and for a build that took no time.
pub(super) fn ask(
    exec: &Exec,
    builder: Option<&str>,
    ran: &Ran,
) -> anyhow::Result<BTreeMap<Platform, Steps>> {
    // A build may succeed without one.
    let text = std::fs::read(ran.metadata_file).unwrap_or_default();
    let metadata: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let Some(id) = metadata["buildx.build.ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next())
        .filter(|_| ran.seconds >= WORTH_ASKING || ran.has_cache)
    else {
        return Ok(BTreeMap::new());
    };
    // The history would start the nodes that were not needed.
    if docker::builder(exec, builder)?.is_none_or(|builder| !builder.idle.is_empty()) {
        return Ok(BTreeMap::new());
    }
    let mut args = vec!["buildx", "history", "logs", id, "--progress", "rawjson"];
    args.extend(builder.iter().flat_map(|name| ["--builder", name]));
    let ended = docker::within(exec, &args, LIMIT)?;
    if !ended.success() {
        return Ok(BTreeMap::new());
    }
    let history = parse(&ended.stderr, ran.platforms).unwrap_or_default();
    for fault in &history.faults {
        crate::say::errln!("note: {fault}");
    }
    Ok(history.steps)
}

/// What the history says of a build.
#[derive(Default)]
struct History {
    steps: BTreeMap<Platform, Steps>,
    /// What became of caches that failed, each thing once.
    faults: BTreeSet<String>,
}

/// A part of what BuildKit reports of a build.
#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    vertexes: Vec<Event>,
}

/// Something that BuildKit reports of a vertex. Another report has what this one leaves out.
#[derive(Deserialize)]
struct Event {
    digest: String,
    name: String,
    #[serde(default)]
    inputs: Vec<String>,
    #[serde(default)]
    started: Option<String>,
    #[serde(default)]
    completed: Option<String>,
    #[serde(default)]
    cached: bool,
    #[serde(default)]
    error: Option<String>,
}

/// A piece of work of a step; `COPY --link` has two.
#[derive(Default)]
struct Vertex<'a> {
    /// The platform that the name begins with, or leads to, if it has one.
    platform: Option<Platform>,
    step: StepId<'a>,
    inputs: BTreeSet<&'a str>,
    started: Option<&'a str>,
    completed: Option<&'a str>,
    is_cached: bool,
}

/// What buildx prints of a build (`rawjson`).
///
/// A step that several platforms share has the name of one of them. It counts for each platform whose
/// last step needs it. In a build of one platform every step counts.
fn parse(said: &[u8], platforms: &[Platform]) -> serde_json::Result<History> {
    let reports = serde_json::Deserializer::from_slice(said).into_iter::<Report>();
    let reports: Vec<Report> = reports.collect::<Result<_, _>>()?;
    let events = reports.iter().flat_map(|report| &report.vertexes);
    let mut vertices: BTreeMap<&str, Vertex> = BTreeMap::new();
    let mut faults = BTreeSet::new();
    for event in events {
        let error = event.error.as_ref();
        faults.extend(error.and_then(|error| cache::fault(&event.name, error)));
        let Some((platform, step)) = step_of(&event.name) else {
            continue;
        };
        let vertex = vertices.entry(&event.digest).or_default();
        (vertex.platform, vertex.step) = (platform, step);
        vertex
            .inputs
            .extend(event.inputs.iter().map(String::as_str));
        vertex.started = event.started.as_deref().or(vertex.started);
        vertex.completed = event.completed.as_deref().or(vertex.completed);
        vertex.is_cached |= event.cached;
    }
    let steps = platforms.iter().filter_map(|&platform| {
        let needed: Vec<&Vertex> = match platforms {
            [_] => vertices.values().collect(),
            _ => needed(&vertices, platform),
        };
        Some((platform, count(&needed)?))
    });
    Ok(History {
        steps: steps.collect(),
        faults,
    })
}

/// A step's stage, where it has a name, and its number: `n/m`.
type StepId<'a> = (&'a str, &'a str);

/// The platform and the step of `[PLATFORM stage n/m] …`; none for what is not a step, and for
/// `FROM`, which runs nothing.
fn step_of(name: &str) -> Option<(Option<Platform>, StepId<'_>)> {
    let (label, instruction) = name.strip_prefix('[')?.split_once("] ")?;
    if instruction.starts_with("FROM ") {
        return None;
    }
    let words: Vec<&str> = label.split(' ').collect();
    let (platform, stage, count) = match *words.as_slice() {
        [count] => (None, "", count),
        [platform, count] if platform.contains('/') => (target_of(platform), "", count),
        [stage, count] => (None, stage, count),
        [platform, stage, count] => (target_of(platform), stage, count),
        _ => return None,
    };
    let (number, of) = count.split_once('/')?;
    number.parse::<u32>().and(of.parse::<u32>()).ok()?;
    Some((platform, (stage, count)))
}

/// The platform that a step is for: in `linux/amd64->arm64` it runs on the first for the second.
fn target_of(platform: &str) -> Option<Platform> {
    match platform.split_once("->") {
        None => platform.parse().ok(),
        Some((on, target)) => {
            let os = on.split('/').next()?;
            let target = target.parse().or_else(|_| format!("{os}/{target}").parse());
            target.ok()
        }
    }
}

/// What the last step of `platform` is made of.
fn needed<'a, 'v>(
    vertices: &'a BTreeMap<&str, Vertex<'v>>,
    platform: Platform,
) -> Vec<&'a Vertex<'v>> {
    let used: BTreeSet<&str> = vertices
        .values()
        .flat_map(|vertex| vertex.inputs.clone())
        .collect();
    let is_last =
        |digest: &str, vertex: &Vertex| vertex.platform == Some(platform) && !used.contains(digest);
    let last = vertices
        .iter()
        .filter(|(digest, vertex)| is_last(digest, vertex));
    let mut waiting: Vec<&str> = last.map(|(digest, _)| *digest).collect();
    let mut seen = BTreeSet::new();
    while let Some(digest) = waiting.pop() {
        if let Some(vertex) = vertices.get(digest)
            && seen.insert(digest)
        {
            waiting.extend(&vertex.inputs);
        }
    }
    seen.iter()
        .filter_map(|digest| vertices.get(digest))
        .collect()
}

/// Counts the steps; none when there are none.
fn count(vertices: &[&Vertex]) -> Option<Steps> {
    let ran = |vertex: &&&Vertex| vertex.started.is_some() && !vertex.is_cached;
    let all: BTreeSet<StepId> = vertices.iter().map(|vertex| vertex.step).collect();
    let others: BTreeSet<StepId> = vertices
        .iter()
        .filter(ran)
        .map(|vertex| vertex.step)
        .collect();
    let mut spans: Vec<(SystemTime, SystemTime)> = vertices
        .iter()
        .filter(ran)
        .filter_map(|vertex| Some((time(vertex.started?)?, time(vertex.completed?)?)))
        .collect();
    spans.sort_unstable();
    (!all.is_empty()).then(|| Steps {
        all: all.len(),
        cached: all.len() - others.len(),
        seconds: rounded(covered(&spans)),
    })
}

fn time(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(text).ok()
}

/// The time that the spans, in the order of their starts, cover together.
fn covered(spans: &[(SystemTime, SystemTime)]) -> Duration {
    let mut total = Duration::ZERO;
    let mut until = SystemTime::UNIX_EPOCH;
    for &(start, end) in spans {
        total += end.duration_since(start.max(until)).unwrap_or_default();
        until = until.max(end);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &[Platform] = &Platform::ALL;

    #[test]
    fn steps_have_a_platform_a_stage_and_a_number() {
        use Platform::{LinuxAmd64, LinuxArm64};
        for (name, step) in [
            ("[2/3] RUN a", Some((None, ("", "2/3")))),
            ("[agent 2/3] RUN a", Some((None, ("agent", "2/3")))),
            (
                "[linux/amd64 2/3] RUN a",
                Some((Some(LinuxAmd64), ("", "2/3"))),
            ),
            (
                "[linux/arm64 agent 12/13] LINK COPY a",
                Some((Some(LinuxArm64), ("agent", "12/13"))),
            ),
            (
                "[linux/amd64->arm64 claude 2/4] RUN [a] b",
                Some((Some(LinuxArm64), ("claude", "2/4"))),
            ),
            (
                "[linux/amd64->linux/arm64 claude 2/4] RUN a",
                Some((Some(LinuxArm64), ("claude", "2/4"))),
            ),
            (
                "[windows/amd64 agent 2/3] RUN a",
                Some((None, ("agent", "2/3"))),
            ),
            ("[agent 1/3] FROM docker.io/library/node", None),
            ("[internal] load build context", None),
            ("[linux/amd64 internal] load metadata for a", None),
            ("[linux/amd64] generating sbom using a", None),
            ("exporting to image", None),
            ("[agent 2/3", None),
        ] {
            assert_eq!(step_of(name), step, "{name}");
        }
    }

    /// As BuildKit reported the build of a changed entrypoint for both platforms; without logs.
    const CHANGED: &str = include_str!("steps/changed.json");
    /// The same for one platform, with nothing changed. A step has the other platform's name.
    const UNCHANGED: &str = include_str!("steps/unchanged.json");

    #[test]
    fn steps_are_counted_for_the_platforms_that_need_them() {
        let of = |said: &str, platforms| parse(said.as_bytes(), platforms).unwrap().steps;
        let described = |steps: BTreeMap<Platform, Steps>| {
            let described = steps
                .iter()
                .map(|(platform, steps)| format!("{platform}: {}", steps.describe()));
            described.collect::<Vec<_>>()
        };
        assert_eq!(
            described(of(CHANGED, BOTH)),
            [
                "linux/amd64: 13 of 14 steps cached, the others took 9.8 s",
                "linux/arm64: 12 of 14 steps cached, the others took 10 s",
            ]
        );
        assert_eq!(
            described(of(UNCHANGED, &BOTH[..1])),
            ["linux/amd64: all 14 steps cached"]
        );
        assert_eq!(described(of("", BOTH)), [""; 0]);
        assert_eq!(described(of("{}\n{\"logs\":[]}", BOTH)), [""; 0]);
        assert!(parse(b"unknown command", BOTH).is_err());
    }

    #[test]
    fn time_counts_once_although_two_steps_use_it() {
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        for (spans, total) in [
            (&[][..], 0),
            (&[(1, 3)], 2),
            (&[(1, 3), (2, 4)], 3),
            (&[(1, 9), (2, 4), (8, 10)], 9),
            (&[(1, 2), (5, 6)], 2),
        ] {
            let spans: Vec<_> = spans
                .iter()
                .map(|&(start, end)| (at(start), at(end)))
                .collect();
            assert_eq!(covered(&spans), Duration::from_secs(total), "{spans:?}");
        }
    }
}
