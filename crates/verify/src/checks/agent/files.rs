//! The folders of the home, the order of PATH, and what the environment says of programs.

use crate::check::Verdict;
use crate::checks::inspect::{Root, count};
use crate::facts::ImageFacts;
use crate::rootfs::{Entry, Kind};

/// The user and group `agentgate`.
const AGENT: u64 = 1000;

const HOME: &str = "home/agentgate/";

/// The folders of the home that programs expect, and their modes. Claude Code keeps secrets in its own.
pub(in crate::checks) const FOLDERS: [(&str, u32); 8] = [
    ("home/agentgate/.cache", 0o755),
    ("home/agentgate/.claude", 0o700),
    ("home/agentgate/.config", 0o755),
    ("home/agentgate/.local", 0o755),
    ("home/agentgate/.local/bin", 0o755),
    ("home/agentgate/.local/share", 0o755),
    ("home/agentgate/.local/share/claude", 0o755),
    ("home/agentgate/.local/state", 0o755),
];

pub(super) fn home_folders(facts: &ImageFacts) -> Verdict {
    let root = Root::of(facts);
    let wrong = FOLDERS.iter().filter_map(|(path, mode)| {
        let seen = match root.get(path) {
            None => "absent".to_owned(),
            Some(entry) if entry.kind != Kind::Folder => "no folder".to_owned(),
            Some(entry) => format!("{}:{}, {:04o}", entry.uid, entry.gid, entry.mode),
        };
        let expected = format!("{AGENT}:{AGENT}, {mode:04o}");
        (seen != expected).then(|| format!("`/{path}`: {seen}"))
    });
    let wrong: Vec<String> = wrong.collect();
    if wrong.is_empty() {
        return Verdict::passed(count(FOLDERS.len(), "folder"));
    }
    Verdict::none_of(
        &wrong,
        "folders of 1000:1000, `.claude` 0700, the others 0755",
    )
}

pub(super) fn npm_prefix(facts: &ImageFacts) -> Verdict {
    let root = Root::of(facts);
    let Some(prefix) = facts.image.config.config.env("NPM_CONFIG_PREFIX") else {
        return Verdict::failed(
            "no NPM_CONFIG_PREFIX",
            "a folder that the agent can write to",
        );
    };
    let is_hidden = ["/home/agentgate", "/tmp", "/workspace"].map(|top| prefix.starts_with(top));
    if is_hidden.contains(&true) {
        let expected = "a folder that neither a tmpfs nor the workspace's mount hides";
        return Verdict::failed(format!("`{prefix}`"), expected);
    }
    let is_own = |path: &String| {
        let entry = root.follow(path);
        entry.is_some_and(|entry| entry.kind == Kind::Folder && entry.uid == AGENT)
    };
    let folders = ["/bin", "/lib", "/lib/node_modules"].map(|name| format!("{prefix}{name}"));
    let wrong: Vec<String> = folders.into_iter().filter(|path| !is_own(path)).collect();
    match wrong.as_slice() {
        [] => Verdict::passed(prefix),
        wrong => Verdict::failed(wrong.join(", "), "folders of `agentgate`"),
    }
}

/// Where the agent's own programs go.
const OWN: [&str; 2] = ["/home/agentgate/.local/bin", "/opt/npm-global/bin"];

pub(super) fn path(facts: &ImageFacts) -> Verdict {
    let root = Root::of(facts);
    let path = facts.image.config.config.env("PATH").unwrap_or_default();
    let folders: Vec<&str> = path.split(':').collect();
    let missing = OWN.iter().filter(|own| !folders.contains(own));
    let mut found: Vec<String> = missing.map(|own| format!("no `{own}`")).collect();
    let first = folders.iter().position(|folder| is_agents(&root, folder));
    let (before, after) = folders.split_at(first.unwrap_or(folders.len()));
    let hidden = after.iter().filter(|folder| !is_agents(&root, folder));
    found.extend(hidden.map(|folder| format!("`{folder}` behind `{}`", after[0])));
    if found.is_empty() {
        return Verdict::passed(format!("the last {} of {}", after.len(), folders.len()));
    }
    let expected = format!("`{}` last, behind {}", OWN.join("`, `"), before.join(", "));
    Verdict::none_of(&found, expected.trim_end_matches(", behind "))
}

/// Whether the agent can write to a folder of PATH. An empty one is the working directory.
fn is_agents(root: &Root<'_>, folder: &str) -> bool {
    let Some(path) = folder.strip_prefix('/') else {
        return true;
    };
    let is_own = |entry: &Entry| entry.uid == AGENT || entry.mode & 0o002 != 0;
    ["home/agentgate", "workspace", "tmp"]
        .iter()
        .any(|top| path == *top || path.starts_with(&format!("{top}/")))
        || root.follow(path).is_some_and(is_own)
}

pub(super) fn tool_versions(facts: &ImageFacts) -> Verdict {
    let root = Root::of(facts);
    let process = &facts.image.config.config;
    let path = process.env("PATH").unwrap_or_default();
    let has = |name: &str| {
        let mut folders = path.split(':');
        folders.any(|folder| root.follow(&format!("{folder}/{name}")).is_some())
    };
    let versions = process.env.iter().filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let program = name.strip_suffix("_VERSION")?.to_lowercase();
        (!value.is_empty() && !program.is_empty()).then_some((pair, program))
    });
    let versions: Vec<_> = versions.collect();
    let wrong = versions.iter().filter(|(_, program)| !has(program));
    let wrong: Vec<String> = wrong
        .map(|(pair, program)| format!("`{pair}`, but no `{program}`"))
        .collect();
    if wrong.is_empty() {
        return Verdict::passed(count(versions.len(), "version"));
    }
    Verdict::none_of(&wrong, "versions of programs that are there")
}

/// Whether a path lies in the home and is not one of the folders that programs expect.
pub(in crate::checks) fn is_stray(entry: &Entry) -> bool {
    let is_expected = |(path, _): &(&str, u32)| entry.path == *path && entry.kind == Kind::Folder;
    entry.path.starts_with(HOME) && !FOLDERS.iter().any(is_expected)
}
