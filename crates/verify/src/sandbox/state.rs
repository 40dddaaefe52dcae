//! What the engine says of a container.

use serde::Deserialize;

/// What the engine makes of a container's health, and what the last health check said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Health {
    /// `none` without a health check.
    pub(crate) status: String,
    pub(crate) said: String,
}

/// The part of `docker inspect` that we read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Inspected {
    pub(super) state: State,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct State {
    /// `running`, `exited` and others.
    pub(super) status: String,
    pub(super) exit_code: i32,
    health: Option<Checked>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Checked {
    status: String,
    #[serde(default)]
    log: Option<Vec<Said>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Said {
    output: String,
}

impl State {
    pub(super) fn health(self) -> Health {
        let none = || Health {
            status: "none".to_owned(),
            ..Health::default()
        };
        self.health.map_or_else(none, |health| Health {
            status: health.status,
            said: health
                .log
                .unwrap_or_default()
                .pop()
                .map(|last| last.output)
                .unwrap_or_default(),
        })
    }
}

/// A path that differs from the image's files.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Change {
    path: String,
    kind: u8,
}

impl Change {
    /// As `docker diff` prints it: `A /x`, `C /y`.
    pub(super) fn line(&self) -> String {
        let kind = match self.kind {
            0 => "C",
            1 => "A",
            2 => "D",
            _ => "?",
        };
        format!("{kind} {}", self.path)
    }
}

/// A container, as `docker ps` lists it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    names: Vec<String>,
    status: String,
}

impl Listed {
    pub(super) fn line(&self) -> String {
        let names = self.names.iter().map(|name| name.trim_start_matches('/'));
        format!("{} ({})", names.collect::<Vec<_>>().join(","), self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(text: &str) -> Health {
        let inspected: Inspected = serde_json::from_str(text).unwrap();
        inspected.state.health()
    }

    #[test]
    fn the_last_answer_of_the_health_check_counts() {
        let both = r#"{"State": {"Status": "running", "ExitCode": 0, "Health": {"Status": "healthy",
            "Log": [{"Output": "fail a\n"}, {"Output": "ok\n"}]}}}"#;
        let expected = Health {
            status: "healthy".to_owned(),
            said: "ok\n".to_owned(),
        };
        assert_eq!(health(both), expected);
        for (text, status) in [
            (r#"{"State": {"Status": "running", "ExitCode": 0}}"#, "none"),
            (
                r#"{"State": {"Status": "running", "ExitCode": 0, "Health": {"Status": "starting", "Log": null}}}"#,
                "starting",
            ),
        ] {
            assert_eq!((&*health(text).status, &*health(text).said), (status, ""));
        }
    }

    #[test]
    fn changes_and_containers_are_lines() {
        let changes = r#"[{"Path": "/a", "Kind": 0}, {"Path": "/b c", "Kind": 1}, {"Path": "/d", "Kind": 2}]"#;
        let changes: Vec<Change> = serde_json::from_str(changes).unwrap();
        let lines: Vec<String> = changes.iter().map(Change::line).collect();
        assert_eq!(lines, ["C /a", "A /b c", "D /d"]);
        let listed = r#"{"Names": ["/a"], "Status": "Up 2 seconds"}"#;
        let listed: Listed = serde_json::from_str(listed).unwrap();
        assert_eq!(listed.line(), "a (Up 2 seconds)");
    }
}
