//! What the last local build found of docker, in `target/xtask/docker.json`: the next one starts
//! with it instead of waiting for the same answers.
//!
//! It says what the builder looked like, so that a build can be proved right while it runs: who
//! uses it looks at the builder meanwhile.

mod choice;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

pub(super) use self::choice::choice;
use super::local::remove_old;
use crate::ctx::Ctx;
use crate::docker::Docker;
use crate::oci::Digest;
use crate::report;

/// The file among the records.
const RECORD: &str = "docker.json";

#[derive(Serialize, Deserialize)]
struct Memory {
    /// What had chosen this docker. See [`choice`].
    choice: Digest,
    docker: Docker,
}

/// Takes what is remembered of the docker that `choice` leads to, if it can be built with and
/// proved right. It is written anew by a build that succeeds.
pub(super) fn take(ctx: &Ctx, choice: Option<&Digest>) -> anyhow::Result<Option<Docker>> {
    let record = ctx.records().join(RECORD);
    // A record that cannot be read is none: all it saves is time.
    let text = std::fs::read_to_string(&record).ok();
    remove_old(&record)?;
    Ok(text.and_then(|text| recall(&text, choice?)))
}

fn recall(text: &str, choice: &Digest) -> Option<Docker> {
    let memory: Memory = serde_json::from_str(text).ok()?;
    let is_provable = memory.docker.builder.as_ref()?.look.is_some();
    (memory.choice == *choice && is_provable).then_some(memory.docker)
}

/// Remembers the docker that a build succeeded with.
pub(super) fn keep(ctx: &Ctx, choice: Digest, docker: Docker) -> anyhow::Result<()> {
    let record = ctx.records().join(RECORD);
    let text = serde_json::to_string_pretty(&Memory { choice, docker })?;
    report::write_whole(&record, &text)
        .with_context(|| format!("failed to write `{}`", record.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::Builder;

    #[test]
    fn only_what_was_chosen_the_same_way_and_can_be_proved_is_recalled() {
        let choice = Digest::of(b"choice");
        let docker = |look: Option<Digest>| Docker {
            builder: Some(Builder {
                name: "default".into(),
                driver: "docker".into(),
                platforms: vec!["linux/amd64".into()],
                ready: Vec::new(),
                nodes: 1,
                idle: Vec::new(),
                lost: Vec::new(),
                look,
            }),
            ..Docker::default()
        };
        let text = |docker: Docker| {
            let choice = choice.clone();
            serde_json::to_string(&Memory { choice, docker }).unwrap()
        };
        let whole = docker(Some(Digest::of(b"look")));
        assert_eq!(recall(&text(whole.clone()), &choice), Some(whole.clone()));
        assert_eq!(recall(&text(whole.clone()), &Digest::of(b"other")), None);
        assert_eq!(recall(&text(docker(None)), &choice), None);
        assert_eq!(recall(&text(Docker::default()), &choice), None);
        let cut = text(whole);
        assert_eq!(recall(&cut[..cut.len() / 2], &choice), None);
        assert_eq!(recall("", &choice), None);
    }
}
