//! What is measured. Rounds alternate between the two sides; the table has the medians.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;

use crate::claude::Claude;
use crate::command::{docker, run, timed};
use crate::counter::Counter;
use crate::measure::Unit;
use crate::registry;
use crate::sides::{Change, Kind, Side, prune};
use crate::tables::{Pair, Tables};

/// A warm build takes so little that rounds cost nothing.
pub(crate) const WARM: usize = 9;

/// Bytes that either image has at least, for each platform; Claude Code alone has 160 MB. npm takes
/// the package with the program for optional: when its download fails, the build goes on without.
const LEAST: f64 = 200e6;
const ATTEMPTS: usize = 4;
/// What both are built on, as the registry has it.
const BASE: &str = "library/node:20-alpine";
const CLAUDE: &str = "another Claude Code";
/// As in CI, where a builder starts with nothing.
const FRESH: &str = "a commit outside the image, builder pruned";
/// What is pushed in each round, in this order, after everything before it.
const CHANGES: [&str; 5] = [
    "nothing changed",
    "a commit outside the image",
    "another entrypoint",
    CLAUDE,
    FRESH,
];

pub(crate) struct Bench {
    pub(crate) counter: Counter,
    /// Of the repositories that this run pushes to: nothing is there yet.
    pub(crate) namespace: String,
    pub(crate) rounds: usize,
    pub(crate) tables: Tables,
    /// How many images were published without Claude Code: naive, ours.
    pub(crate) broken: [Cell<usize>; 2],
}

/// What a push finds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// All that was built and pushed before it.
    Warm,
    /// An empty builder.
    Pruned,
    /// An empty builder and an empty repository.
    Nothing,
}

/// Both sides, with the repositories that they push to.
struct Sides([(Side, String); 2]);

/// Seconds and bytes sent.
#[derive(Default)]
struct Cost {
    seconds: Pair,
    bytes: Pair,
}

impl Pair {
    fn add(&mut self, side: &Side, value: f64) {
        match side.kind() {
            Kind::Naive => self.naive.push(value),
            Kind::Ours => self.ours.push(value),
        }
    }
}

impl Cost {
    fn rows(&self, what: &str, tables: &Tables) {
        tables.row(what, Unit::Seconds, &self.seconds);
        tables.row(&format!("{what}: sent"), Unit::Bytes, &self.bytes);
    }
}

impl Bench {
    /// Both sides as they are committed, with repositories of their own.
    fn sides(&self, measure: &str) -> io::Result<Sides> {
        let repository = |side: &Side| {
            let Bench {
                counter, namespace, ..
            } = self;
            format!("{}/{namespace}/{measure}-{}", counter.address, side.name())
        };
        let side = |kind| -> io::Result<(Side, String)> {
            let side = Side::new(kind)?;
            let repository = repository(&side);
            Ok((side, repository))
        };
        Ok(Sides([side(Kind::Naive)?, side(Kind::Ours)?]))
    }

    /// A push, counted. One whose image lacks Claude Code for a platform is told, and repeated.
    fn push(
        &self,
        side: &Side,
        repository: &str,
        before: Before,
        cost: &mut Cost,
    ) -> io::Result<String> {
        for attempt in 0..ATTEMPTS {
            if before != Before::Warm {
                prune()?;
            }
            let repository = match before {
                Before::Nothing => format!("{repository}-{attempt}"),
                Before::Warm | Before::Pruned => repository.to_owned(),
            };
            let sent = self.counter.sent();
            let is_forced = before == Before::Warm && attempt > 0;
            let (seconds, reference) = timed(|| side.push(&repository, is_forced))?;
            let sent = self.counter.sent() - sent;
            eprintln!("  {}: {seconds:.1} s, {sent} bytes", side.name());
            if registry::sizes(&reference)?.values().all(|it| *it > LEAST) {
                if !is_forced {
                    cost.seconds.add(side, seconds);
                    #[expect(clippy::cast_precision_loss, reason = "an image has no 2^53 bytes")]
                    cost.bytes.add(side, sent as f64);
                }
                return Ok(reference);
            }
            eprintln!("  {reference} has no Claude Code for a platform: not counted");
            self.broken[usize::from(side.kind() == Kind::Ours)].update(|count| count + 1);
        }
        Err(io::Error::other(format!(
            "{ATTEMPTS} times in a row there was no Claude Code in what was pushed to {repository}"
        )))
    }

    /// A build for both platforms with nothing in the cache, pushed to an empty repository.
    pub(crate) fn cold(&self) -> io::Result<()> {
        let mut cost = Cost::default();
        for round in 0..self.rounds {
            eprintln!("cold, round {round}");
            for (side, repository) in &self.sides(&format!("cold{round}"))?.0 {
                self.push(side, repository, Before::Nothing, &mut cost)?;
            }
        }
        cost.rows("cold build and push", &self.tables);
        Ok(())
    }

    /// Everything again with nothing changed.
    pub(crate) fn warm(&self) -> io::Result<()> {
        let sides = self.sides("warm")?;
        self.push_all(&sides)?;
        let mut cost = Cost::default();
        for round in 0..WARM {
            eprintln!("warm, round {round}");
            for (side, repository) in &sides.0 {
                self.push(side, repository, Before::Warm, &mut cost)?;
            }
        }
        self.tables.row(
            "build and push, nothing changed",
            Unit::Seconds,
            &cost.seconds,
        );
        self.local(&sides.0[1].0)
    }

    /// What a change costs, when everything before it is built and pushed.
    pub(crate) fn push_changes(&self) -> io::Result<()> {
        let others = match Claude::others(self.rounds) {
            Ok(others) => others,
            Err(why) => {
                eprintln!("note: no other Claude Code to move to: {why}");
                Vec::new()
            }
        };
        let mut sides = self.sides("push")?;
        let mut costs: [Cost; CHANGES.len()] = Default::default();
        for round in 0..self.rounds {
            // The last round's end has pruned one side's cache for the other.
            self.push_all(&sides)?;
            let changes = [
                None,
                Some(Change::Elsewhere),
                Some(Change::Entrypoint),
                others.get(round).map(Change::Claude),
                Some(Change::Elsewhere),
            ];
            for (index, change) in changes.into_iter().enumerate() {
                let name = CHANGES[index];
                if name == CLAUDE && change.is_none() {
                    continue;
                }
                eprintln!("{name}, round {round}");
                for (side, repository) in &mut sides.0 {
                    if let Some(change) = change {
                        side.change(change)?;
                    }
                    let before = if name == FRESH {
                        Before::Pruned
                    } else {
                        Before::Warm
                    };
                    self.push(side, repository, before, &mut costs[index])?;
                }
            }
        }
        for (name, cost) in CHANGES.into_iter().zip(&costs) {
            if !cost.seconds.ours.is_empty() {
                cost.rows(name, &self.tables);
            }
        }
        Ok(())
    }

    /// What an image weighs: as the registry stores it, and as the engine unpacks it.
    pub(crate) fn size(&self) -> io::Result<()> {
        let sides = self.sides("size")?;
        let references = self.push_all(&sides)?;
        let mut stored: BTreeMap<String, Pair> = BTreeMap::new();
        let mut added: BTreeMap<String, Pair> = BTreeMap::new();
        let mut unpacked: BTreeMap<String, Pair> = BTreeMap::new();
        let base = format!("{}/{BASE}", self.counter.address);
        for ((side, _), reference) in sides.0.iter().zip(&references) {
            for (platform, bytes) in registry::sizes(reference)? {
                let layers = unpacked_size(reference, &platform)?;
                let pair = unpacked.entry(platform.clone()).or_default();
                pair.add(side, layers);
                stored.entry(platform).or_default().add(side, bytes);
            }
            for (platform, bytes) in registry::added(reference, &base)? {
                added.entry(platform).or_default().add(side, bytes);
            }
        }
        for (what, sizes) in [
            ("in the registry", &stored),
            ("added to the base", &added),
            ("unpacked", &unpacked),
        ] {
            for (platform, pair) in sizes {
                self.tables
                    .row(&format!("{platform}, {what}"), Unit::Bytes, pair);
            }
        }
        Ok(())
    }

    /// From an engine without any image to the end of the first command.
    pub(crate) fn pull(&self) -> io::Result<()> {
        let sides = self.sides("pull")?;
        let references = self.push_all(&sides)?;
        let (mut pull, mut start, mut both) = <(Pair, Pair, Pair)>::default();
        for round in 0..self.rounds {
            for ((side, _), reference) in sides.0.iter().zip(&references) {
                prune()?;
                let (pulled, _) = timed(|| docker(&["pull", "--quiet", reference]))?;
                let (started, _) = timed(|| docker(&["run", "--rm", reference, "true"]))?;
                eprintln!("pull, round {round}, {}: {pulled:.1} s", side.name());
                pull.add(side, pulled);
                start.add(side, started);
                both.add(side, pulled + started);
            }
        }
        self.tables.row("pull", Unit::Seconds, &pull);
        self.tables.row("first start", Unit::Seconds, &start);
        self.tables.row("pull and start", Unit::Seconds, &both);
        Ok(())
    }

    /// `cargo xtask image` against the very command that it runs; cargo's own start is ours.
    fn local(&self, ours: &Side) -> io::Result<()> {
        const IMAGE: [&str; 3] = ["image", "--repository", "bench/agent"];
        let bare = run(ours.xtask().args(IMAGE).arg("--dry-run"))?;
        run(ours.cargo_xtask().args(IMAGE))?;
        let mut times = Pair::default();
        for _ in 0..WARM {
            let (bare, _) = timed(|| run(&mut ours.shell(&bare)))?;
            let (xtask, _) = timed(|| run(ours.cargo_xtask().args(IMAGE)))?;
            times.naive.push(bare);
            times.ours.push(xtask);
        }
        self.tables.row(
            "`docker buildx build` against `cargo xtask image`, nothing changed",
            Unit::Seconds,
            &times,
        );
        Ok(())
    }

    /// The state that a measure begins with.
    fn push_all(&self, sides: &Sides) -> io::Result<Vec<String>> {
        eprintln!("before that");
        let pushes = sides.0.iter();
        let pushes =
            pushes.map(|(side, to)| self.push(side, to, Before::Warm, &mut Cost::default()));
        pushes.collect()
    }
}

/// The sum of the layers as `docker history` has them.
fn unpacked_size(reference: &str, platform: &str) -> io::Result<f64> {
    docker(&["pull", "--quiet", "--platform", platform, reference])?;
    let shown = ["--human=false", "--format", "{{.Size}}"];
    let of = ["history", "--platform", platform];
    let sizes = docker(&[&of[..], &shown, &[reference]].concat())?;
    let sizes = sizes.lines().map(str::parse::<f64>);
    sizes.sum::<Result<f64, _>>().map_err(io::Error::other)
}
