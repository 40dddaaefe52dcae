//! How a container of the image is started, asked and stopped.

use std::time::Duration;

use xtask::oci::Healthcheck;

use crate::check::Verdict;
use crate::facts::ImageFacts;

const ENTRYPOINT: &str = "/usr/local/bin/agent-entrypoint";

pub(super) fn health(facts: &ImageFacts) -> Verdict {
    let expected = format!("CMD {ENTRYPOINT} health");
    let Some(check) = &facts.image.config.config.healthcheck else {
        return Verdict::failed("no `HEALTHCHECK`", expected);
    };
    if check.test != ["CMD", ENTRYPOINT, "health"] {
        return match check.test.join(" ") {
            none if none.is_empty() => Verdict::failed("a `HEALTHCHECK` without test", expected),
            test => Verdict::failed(test, expected),
        };
    }
    Verdict::passed(describe(check))
}

/// Docker takes a time of zero for its default, 30 seconds.
fn describe(check: &Healthcheck) -> String {
    let time = |nanoseconds: u64| match nanoseconds {
        0 => "30s (the default)".to_owned(),
        _ => humantime::format_duration(Duration::from_nanos(nanoseconds)).to_string(),
    };
    let (interval, timeout) = (time(check.interval), time(check.timeout));
    format!("every {interval}, time limit {timeout}")
}

pub(super) fn configuration(facts: &ImageFacts) -> Verdict {
    let process = &facts.image.config.config;
    let rows = [
        // By number, as Kubernetes admits no name where it says `runAsNonRoot`.
        ("user", process.user.clone(), "1000:1000"),
        (
            "working directory",
            process.working_dir.clone(),
            "/workspace",
        ),
        (
            "entrypoint",
            shell_words::join(&process.entrypoint),
            ENTRYPOINT,
        ),
        ("command", shell_words::join(&process.cmd), ""),
    ];
    let shown = |text: &str| match text {
        "" => "none".to_owned(),
        _ => format!("`{text}`"),
    };
    let wrong: Vec<_> = rows
        .iter()
        .filter(|(_, seen, expected)| seen != expected)
        .collect();
    let mut seen: Vec<String> = wrong
        .iter()
        .map(|(name, seen, _)| format!("{name} {}", shown(seen)))
        .collect();
    let mut expected: Vec<String> = wrong
        .iter()
        .map(|(name, _, expected)| format!("{name} {}", shown(expected)))
        .collect();
    let path = process.env("PATH").unwrap_or_default();
    if path.split(':').next() != Some("/usr/local/bin") {
        seen.push(format!("PATH {}", shown(path)));
        expected.push("PATH with `/usr/local/bin` first".to_owned());
    }
    if seen.is_empty() {
        return Verdict::passed(format!("{ENTRYPOINT} as 1000:1000 in /workspace"));
    }
    Verdict::failed(seen.join(", "), expected.join(", "))
}

/// Without one, an engine sends SIGTERM.
pub(super) fn stop_signal(facts: &ImageFacts) -> Verdict {
    match facts.image.config.config.stop_signal.as_deref() {
        None | Some("") => Verdict::passed("none, which means SIGTERM"),
        Some(signal @ ("SIGTERM" | "TERM" | "15")) => Verdict::passed(signal),
        Some(other) => Verdict::failed(other, "SIGTERM"),
    }
}

pub(super) fn volumes(facts: &ImageFacts) -> Verdict {
    let volumes = facts.image.config.config.volumes.keys().cloned();
    Verdict::none_of(&volumes.collect::<Vec<_>>(), "no `VOLUME`")
}

pub(super) fn ports(facts: &ImageFacts) -> Verdict {
    let ports = facts.image.config.config.exposed_ports.keys().cloned();
    Verdict::none_of(&ports.collect::<Vec<_>>(), "no `EXPOSE`")
}
