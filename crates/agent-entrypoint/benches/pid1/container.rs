//! Whole container starts as AgentGate makes them: our entrypoint, the specification's shell script, and none at all.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::launch::{program, tool, wait_end};
use crate::stats::{median, millis, quantile};
use crate::table::Table;

const ROUNDS: usize = 15;
/// The time limit of one call of docker.
const TIME_LIMIT: Duration = Duration::from_mins(1);

const IMAGE: &str = "agentgate/agent:dev";
const SCRIPT_IMAGE: &str = "agentgate/agent:bench-pid1-script";
/// The image benchmark uses the same file.
const SCRIPT: &str = include_str!("../../../../xtask/benches/naive/agent-entrypoint.sh");
const SCRIPT_DOCKERFILE: &str = "\
FROM agentgate/agent:dev
COPY --chmod=755 agent-entrypoint.sh /usr/local/bin/agent-entrypoint.sh
ENTRYPOINT [\"/usr/local/bin/agent-entrypoint.sh\"]
";

/// The contract: how AgentGate creates the container, but for workspace, image and command.
const CONTRACT: &str = "--user agentgate --workdir /workspace --network none --read-only --cap-drop ALL \
    --security-opt no-new-privileges --pids-limit 256 --memory 2g --cpus 2 \
    --tmpfs /tmp:rw,noexec,nosuid,size=512m --tmpfs /home/agentgate:rw,noexec,nosuid,size=256m \
    -e NODE_ENV=production -e HOME=/home/agentgate -e USER=agentgate -e WORKSPACE=/workspace \
    -e NO_COLOR=1 -e FORCE_COLOR=0";

/// What starts in the container: a name for the table, and the words from the image on, but for the command.
const STARTS: [(&str, &[&str]); 3] = [
    ("none", &["--entrypoint", "", IMAGE]),
    ("agent-entrypoint", &[IMAGE]),
    ("the specification's shell script", &[SCRIPT_IMAGE]),
];

/// The times of one start's rounds.
#[derive(Default)]
struct Times {
    run: Vec<Duration>,
    ready: Vec<Duration>,
}

pub fn run(rounds: Option<usize>) -> io::Result<()> {
    let rounds = rounds.unwrap_or(ROUNDS);
    let engine = Engine::find()?;
    engine.docker(&["image", "inspect", IMAGE]).map_err(|_| {
        io::Error::other(format!(
            "no image `{IMAGE}`; hint: `cargo xtask image`, or `cargo xtask --testbed image`"
        ))
    })?;
    let script = engine.build_script()?;
    let workspace = tempfile::tempdir()?;
    fs::set_permissions(workspace.path(), fs::Permissions::from_mode(0o777))?;
    let bind = format!("{}:/workspace:rw", workspace.path().display());
    let contract: Vec<&str> = CONTRACT.split_whitespace().chain(["-v", &bind]).collect();
    let mut times = [(); STARTS.len()].map(|()| Times::default());
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for turn in 0..STARTS.len() {
            let who = (round + turn) % STARTS.len();
            let words = [&contract[..], STARTS[who].1].concat();
            times[who].run.push(script.0.run(&words)?);
            times[who].ready.push(script.0.ready(&words)?);
        }
    }
    table(&times, rounds).print();
    Ok(())
}

fn table(times: &[Times; STARTS.len()], rounds: usize) -> Table {
    let mut table = Table::new(
        format!("A whole container start, with the contract's options, {rounds} rounds"),
        &[
            "entrypoint",
            "`docker run --rm … true`: median ms",
            "p95 ms",
            "added ms",
            "create to first `docker exec … true`: median ms",
            "p95 ms",
            "added ms",
        ],
    );
    let cells = |times: &[Duration], alone: &[Duration]| {
        // Within a round, as an engine has slow moments that hold for longer than one start.
        let micros = |time: &Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let added = times.iter().zip(alone);
        let added: Vec<i64> = added
            .map(|(time, alone)| micros(time) - micros(alone))
            .collect();
        [
            format!("{:.0}", millis(median(times))),
            format!("{:.0}", millis(quantile(times, 0.95))),
            format!("{}", median(&added).div_euclid(1000)),
        ]
    };
    for ((name, _), own) in STARTS.iter().zip(times) {
        let run = cells(&own.run, &times[0].run);
        let ready = cells(&own.ready, &times[0].ready);
        table.row(name, Ok([run, ready].concat()));
    }
    table
}

/// The engine that docker uses, by the caller's environment or by the test bed's.
struct Engine {
    env: Vec<(String, String)>,
}

impl Engine {
    fn find() -> io::Result<Self> {
        let mut engine = Self { env: Vec::new() };
        if env::var_os("DOCKER_HOST").is_none() {
            // Where the test bed is down this fails, and Docker's own default is left.
            let said = tool(&["cargo", "xtask", "testbed", "env"]).unwrap_or_default();
            engine.env = said.lines().filter_map(exported).collect();
        }
        let version = engine.docker(&["version", "--format", "{{.Server.Version}}"]);
        let version = version.map_err(|error| {
            io::Error::other(format!(
                "no engine answers ({error}); hint: set DOCKER_HOST, or as root on Debian `cargo xtask testbed up`"
            ))
        })?;
        println!("Docker Engine {version}");
        Ok(engine)
    }

    /// Runs docker to its end, and returns what it printed.
    fn docker(&self, words: &[&str]) -> io::Result<String> {
        let mut process = program("docker")
            .args(words)
            .envs(self.env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Err(error) = wait_end(process.id(), TIME_LIMIT) {
            process.kill()?;
            process.wait()?;
            return Err(error);
        }
        let output = process.wait_with_output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        Err(io::Error::other(format!(
            "`docker {}`: {}",
            words.join(" "),
            text(&output.stderr)
        )))
    }

    /// Puts the specification's script into an image that lives as long as the returned value.
    fn build_script(self) -> io::Result<ScriptImage> {
        let context = tempfile::tempdir()?;
        fs::write(context.path().join("agent-entrypoint.sh"), SCRIPT)?;
        fs::write(context.path().join("Dockerfile"), SCRIPT_DOCKERFILE)?;
        let folder = context.path().display().to_string();
        self.docker(&["build", "--quiet", "--tag", SCRIPT_IMAGE, &folder])?;
        Ok(ScriptImage(self))
    }

    fn run(&self, words: &[&str]) -> io::Result<Duration> {
        let start = Instant::now();
        self.docker(&[&["run", "--rm"], words, &["true"]].concat())?;
        Ok(start.elapsed())
    }

    /// From `create` to the first command that could be executed in the container.
    fn ready(&self, words: &[&str]) -> io::Result<Duration> {
        let start = Instant::now();
        // Not `infinity`: should this be killed, the container still ends and goes.
        let words = [&["run", "--rm", "--detach"], words, &["sleep", "300"]].concat();
        let container = self.docker(&words)?;
        let answered = loop {
            let answer = self.docker(&["exec", &container, "true"]);
            if answer.is_ok() || start.elapsed() > TIME_LIMIT {
                break answer;
            }
        };
        let time = start.elapsed();
        self.docker(&["rm", "--force", &container])?;
        answered.map(|_| time)
    }
}

/// The name and the value in a line like `export NAME='VALUE'`.
fn exported(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
    Some((name.to_owned(), value.trim_matches('\'').to_owned()))
}

/// The image with the specification's script; dropping it removes the image.
struct ScriptImage(Engine);

impl Drop for ScriptImage {
    fn drop(&mut self) {
        let _ = self.0.docker(&["image", "rm", "--force", SCRIPT_IMAGE]);
    }
}
