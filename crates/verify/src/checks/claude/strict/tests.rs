//! The judgements, on the file that the image has and on files that lack something.

use super::*;
use crate::checks::fixture::{self, add, change, good, remove, text};
use crate::checks::fixture::{line as word, ran};

const FILE: &str = include_str!("../../../../../../docker/etc/claude-code/strict.json");
const ID: &str = "claude-strict-settings";

fn strict() -> Value {
    serde_json::from_str(FILE).unwrap()
}

/// The good image with `content` as its strict settings.
fn with(content: &str) -> ImageFacts {
    let mut facts = good();
    let env = &mut facts.image.config.config.env;
    env.retain(|variable| !variable.starts_with("PATH="));
    env.push(format!(
        "PATH={}",
        strict()["env"]["PATH"].as_str().unwrap()
    ));
    add(&mut facts, 5, text(STRICT, content));
    facts
}

fn said(facts: &ImageFacts) -> String {
    fixture::said(CHECKS, ID, facts)
}

#[test]
fn the_file_of_the_image_is_good() {
    assert_eq!(said(&with(FILE)), "passed: 13 settings, not in force");
    assert_eq!(said(&good()), "passed: 13 settings, not in force");
    let mut facts = good();
    remove(&mut facts, STRICT);
    let expected = "failed: no `/etc/claude-code/strict.json`";
    assert_eq!(said(&facts), expected);
    let expected = "failed: `/etc/claude-code/strict.json` is no JSON object";
    assert_eq!(said(&with("[]")), expected);
    assert!(said(&with("{,}")).starts_with("failed: `/etc/claude-code/strict.json` is not JSON"));
}

#[test]
fn each_setting_is_missed() {
    let locks = locks().map(|(name, _)| name).into_iter().chain(HELPERS);
    for name in locks {
        let mut settings = strict();
        settings.as_object_mut().unwrap().remove(name);
        let said = said(&with(&settings.to_string()));
        assert!(
            said.starts_with(&format!("failed: `{name}` is not ")),
            "{said}"
        );
    }
    for name in PINNED.into_iter().chain(["ANTHROPIC_BASE_URL", "PATH"]) {
        let mut settings = strict();
        settings["env"].as_object_mut().unwrap().remove(name);
        let said = said(&with(&settings.to_string()));
        assert!(
            said.starts_with(&format!("failed: `env` does not set `{name}`")),
            "{said}"
        );
    }
}

#[test]
fn a_setting_that_stops_agentgate_is_found() {
    for (name, expected) in [
        (
            "allowManagedPermissionRulesOnly",
            "failed: it sets `allowManagedPermissionRulesOnly`, which ignores `--allowedTools`",
        ),
        (
            "forceLoginMethod",
            "failed: it sets `forceLoginMethod`, which refuses API keys",
        ),
    ] {
        let mut settings = strict();
        settings[name] = true.into();
        assert_eq!(said(&with(&settings.to_string())), expected);
    }
}

#[test]
fn strict_settings_in_force_are_found() {
    let mut facts = with(FILE);
    add(
        &mut facts,
        5,
        text("etc/claude-code/managed-settings.d/50-strict.json", FILE),
    );
    let expected = "failed: `/etc/claude-code/managed-settings.d/50-strict.json` is in force";
    assert_eq!(said(&facts), expected);
    let mut facts = with(FILE);
    add(
        &mut facts,
        5,
        text(BASE, r#"{"allowManagedHooksOnly": true}"#),
    );
    let expected = "failed: `/etc/claude-code/managed-settings.json` sets `allowManagedHooksOnly`";
    assert_eq!(said(&facts), expected);
    let mut facts = with(FILE);
    change(&mut facts, STRICT, |entry| entry.mode = 0o666);
    let expected = "failed: `/etc/claude-code/strict.json` has mode 0666 and UID 0";
    assert_eq!(said(&facts), expected);
}

#[test]
fn a_repository_is_obeyed_by_default_alone() {
    let all = "result\nran-helper\nran-hook\nran-server\nrequest\n";
    for (default, strict, expected) in [
        (
            all,
            "result\n",
            "passed: obeyed by default, not when strict",
        ),
        (
            all,
            "result\nran-hook\n",
            "failed: by default: `result`, `ran-helper`, `ran-hook`, `ran-server`, `request`; \
             strict: `result`, `ran-hook`",
        ),
        (
            "result\n",
            "result\n",
            "failed: by default: `result`; strict: `result`",
        ),
        (
            "",
            "",
            "failed: by default: exit 1, no output; strict: exit 1, no output",
        ),
    ] {
        let [default, strict] = [default, strict].map(|said| ran(1, said, ""));
        assert_eq!(word(judge_hostile(&default, &strict)), expected);
    }
}
