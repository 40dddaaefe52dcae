//! What the server that runs the image, and Claude Code in it, find in the image's files.

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::inspect::{Root, count};
use crate::check::{Check, How, Verdict};
use crate::facts::ImageFacts;
use crate::rootfs::{Entry, Kind};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "contract-home-mode",
        proves: "the agent can write to its home when a tmpfs covers it",
        source: "docs/contract.md, Traps: a tmpfs takes the mode of the folder below it (moby#39466)",
        remedy: "`chmod 1777 /home/agentgate` in docker/Dockerfile.agent",
        how: How::Files(home_mode),
    },
    Check {
        id: "contract-passwd",
        proves: "the user `agentgate` exists by name, with the shell that Claude Code needs",
        source: "docs/contract.md: user `agentgate`, UID 1000, GID 1000, `/bin/bash`",
        remedy: "`deluser` who has UID 1000, then `adduser -D -u 1000 -G agentgate -s /bin/bash \
                 agentgate` in docker/Dockerfile.agent",
        how: How::Files(passwd),
    },
    Check {
        id: "contract-safe-directory",
        proves: "Git works in a workspace of any owner",
        source: "docs/contract.md: a workspace bind may belong to any UID; docs/specification.md, 6.3.2: safe.directory",
        remedy: "copy docker/etc/gitconfig to `/etc/gitconfig`, mode 644",
        how: How::Files(safe_directory),
    },
    Check {
        id: "claude-managed-settings",
        proves: "the settings that hold for every Claude Code in the image are sound",
        source: "docs/specification.md, 6.3.3: disable telemetry in container",
        remedy: "fix docker/etc/claude-code/managed-settings.json; \
                 docker/Dockerfile.agent copies it with mode 644",
        how: How::Files(managed_settings),
    },
];

fn home_mode(facts: &ImageFacts) -> Verdict {
    const EXPECTED: &str = "a folder of mode 1777";
    match Root::of(facts).get("home/agentgate") {
        None => Verdict::failed("no `/home/agentgate`", EXPECTED),
        Some(entry) if entry.kind != Kind::Folder => {
            Verdict::failed("`/home/agentgate` is no folder", EXPECTED)
        }
        Some(entry) if entry.mode != 0o1777 => {
            Verdict::failed(format!("mode {:04o}", entry.mode), EXPECTED)
        }
        Some(_) => Verdict::passed("1777"),
    }
}

fn passwd(facts: &ImageFacts) -> Verdict {
    const ACCOUNT: &str = "agentgate, UID 1000, GID 1000, /home/agentgate, /bin/bash";
    let root = Root::of(facts);
    let text = match root.text("etc/passwd") {
        Ok(text) => text,
        Err(why) => return Verdict::failed(why, ACCOUNT),
    };
    let named = |account: &&str| field(account, 0) == "agentgate";
    let Some(account) = text.lines().find(named) else {
        return Verdict::failed("no `agentgate` in `/etc/passwd`", ACCOUNT);
    };
    let [uid, gid, home, shell] = [2, 3, 5, 6].map(|number| field(account, number));
    let seen = format!("agentgate, UID {uid}, GID {gid}, {home}, {shell}");
    if seen != ACCOUNT {
        return Verdict::failed(seen, ACCOUNT);
    }
    let others = text.lines().filter(|account| field(account, 2) == "1000");
    if let Some(other) = others
        .map(|account| field(account, 0))
        .find(|name| *name != "agentgate")
    {
        return Verdict::failed(format!("UID 1000 is `{other}` too"), ACCOUNT);
    }
    match root.follow("bin/bash") {
        Some(entry) if entry.kind == Kind::File && entry.mode & 0o001 != 0 => Verdict::passed(seen),
        Some(entry) => {
            let mode = entry.mode;
            Verdict::failed(format!("`/bin/bash` has mode {mode:04o}"), "a program")
        }
        None => Verdict::failed("no `/bin/bash`", "the shell of `agentgate`")
            .with_remedy("`apk add bash` in docker/Dockerfile.agent"),
    }
}

/// A field of a line of `/etc/passwd`, counted from 0.
fn field(account: &str, number: usize) -> &str {
    account.split(':').nth(number).unwrap_or_default()
}

fn safe_directory(facts: &ImageFacts) -> Verdict {
    const EXPECTED: &str = "`safe.directory` with `*` in `/etc/gitconfig`";
    let root = Root::of(facts);
    let text = match root.text("etc/gitconfig") {
        Ok(text) => text,
        Err(why) => return Verdict::failed(why, EXPECTED),
    };
    if let Some(fault) = root.follow("etc/gitconfig").and_then(fault_of_file) {
        return Verdict::failed(format!("`/etc/gitconfig` {fault}"), EXPECTED);
    }
    let folders = safe_directories(text);
    if folders.contains(&"*") {
        return Verdict::passed("`*`");
    }
    let seen = match folders.join("`, `") {
        none if none.is_empty() => "no `safe.directory`".to_owned(),
        some => format!("`{some}`"),
    };
    Verdict::failed(seen, EXPECTED)
}

/// The values of `safe.directory`; an empty one takes back those before it.
fn safe_directories(config: &str) -> Vec<&str> {
    let mut is_in_section = false;
    let mut folders = Vec::new();
    for line in config.lines().map(str::trim) {
        if line.starts_with('[') {
            is_in_section = line.to_ascii_lowercase().starts_with("[safe]");
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| is_in_section) else {
            continue;
        };
        if key.trim().eq_ignore_ascii_case("directory") {
            let value = value.split(['#', ';']).next().unwrap_or_default();
            match value.trim().trim_matches('"') {
                "" => folders.clear(),
                folder => folders.push(folder),
            }
        }
    }
    folders
}

/// Why a file or folder of settings does not hold for everyone, or does not stay as it is.
fn fault_of_file(entry: &Entry) -> Option<String> {
    let needed = match entry.kind {
        Kind::Folder => 0o555,
        _ => 0o444,
    };
    if entry.uid != 0 {
        return Some(format!("belongs to UID {}", entry.uid));
    }
    let is_right = entry.mode & needed == needed && entry.mode & 0o022 == 0;
    (!is_right).then(|| format!("has mode {:04o}", entry.mode))
}

const SETTINGS: &str = "etc/claude-code/managed-settings.json";
const FRAGMENTS: &str = "etc/claude-code/managed-settings.d";

fn managed_settings(facts: &ImageFacts) -> Verdict {
    const EXPECTED: &str = "JSON that root owns, everyone can read and root alone can write";
    let root = Root::of(facts);
    let mut found = Vec::new();
    for path in ["etc/claude-code", FRAGMENTS, SETTINGS] {
        let fault = root.follow(path).and_then(fault_of_file);
        found.extend(fault.map(|fault| format!("`/{path}` {fault}")));
    }
    let settings = settings(&root, SETTINGS).unwrap_or_else(|why| {
        found.push(why);
        Value::Null
    });
    if settings.is_object() {
        found.extend(lacking(&settings));
        found.extend(harmful(&settings, SETTINGS));
    }
    let files = root.files.iter();
    let fragments = files.filter(|(path, file)| {
        let is_json = path.rsplit('.').next() == Some("json");
        path.strip_prefix(FRAGMENTS)
            .is_some_and(|name| name.starts_with('/'))
            && is_json
            && file.entry.kind != Kind::Folder
    });
    for (path, file) in fragments {
        let fault = fault_of_file(file.entry);
        found.extend(fault.map(|fault| format!("`/{path}` {fault}")));
        match self::settings(&root, path) {
            Ok(settings) => found.extend(harmful(&settings, path)),
            Err(why) => found.push(why),
        }
    }
    if found.is_empty() {
        let number = settings.as_object().map_or(0, serde_json::Map::len);
        return Verdict::passed(format!("{}, no telemetry", count(number, "setting")));
    }
    Verdict::none_of(&found, EXPECTED)
}

fn settings(root: &Root<'_>, path: &str) -> Result<Value, String> {
    let text = root.text(path)?;
    let value = serde_json::from_str::<Value>(text);
    let value = value.map_err(|error| format!("`/{path}` is not JSON: {error}"))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(format!("`/{path}` is no JSON object"))
    }
}

/// The variables that must be set, and are not.
fn lacking(settings: &Value) -> Vec<String> {
    [
        "DISABLE_TELEMETRY",
        "DISABLE_ERROR_REPORTING",
        "DISABLE_AUTOUPDATER",
    ]
    .into_iter()
    .filter(|name| settings["env"][*name] != "1")
    .map(|name| format!("`env` does not set `{name}` to \"1\""))
    .collect()
}

/// Settings that keep Claude Code from its work.
fn harmful(settings: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !settings["permissions"]["disableBypassPermissionsMode"].is_null() {
        found.push(format!(
            "`/{path}` sets `permissions.disableBypassPermissionsMode`, which denies tool calls \
             under `--dangerously-skip-permissions`"
        ));
    }
    if !settings["forceLoginMethod"].is_null() {
        found.push(format!(
            "`/{path}` sets `forceLoginMethod`, which refuses API keys"
        ));
    }
    found
}
