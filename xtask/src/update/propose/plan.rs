//! What becomes of the branch and the pull request: a pure decision. What a person has pushed is kept, what a person
//! has closed stays closed, and what is there already is left as it is.

use super::pins::{self, Texts};
use crate::day::Day;
use crate::git::BranchCommit;
use crate::oci::Digest;
use crate::printable::{self, Printable};
use crate::refusal::Refusal;
use crate::update::packages;

/// git's mode of a file that is neither a link nor executable.
const PLAIN: &str = "100644 ";

/// What there is on this machine, at the remote and on GitHub.
#[derive(Debug)]
pub(super) struct State {
    /// The commits of HEAD that the base lacks.
    pub(super) offered: Vec<BranchCommit>,
    /// The files with pins before the one commit, and after it.
    pub(super) texts: [Texts; 2],
    /// The path of the Dockerfile, relative to the workspace.
    pub(super) dockerfile: String,
    /// The branch that is offered to.
    pub(super) base: String,
    /// None when the remote lacks it.
    pub(super) branch: Option<Branch>,
    /// The pull requests from the branch to the base, the newest first.
    pub(super) pulls: Vec<Pull>,
}

/// The branch at the remote.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) tip: String,
    /// What the base lacks, the newest first.
    pub(super) commits: Vec<BranchCommit>,
    /// Whether its status says that the commit builds and verifies, or that it does not.
    pub(super) is_judged: bool,
}

/// A pull request.
#[derive(Clone, Debug)]
pub(super) struct Pull {
    pub(super) number: u64,
    pub(super) url: String,
    pub(super) is_open: bool,
    pub(super) is_merged: bool,
    /// The commit that it ends with.
    pub(super) head: String,
    /// The mark of the moves that it offers; none when somebody has removed it.
    pub(super) moves: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Nothing { why: String, url: Option<String> },
    Offer(Offer),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// None when the branch has the same already.
    pub(super) push: Option<Push>,
    pub(super) pull: Change,
    /// The commit that the branch is at then.
    pub(super) head: String,
    /// Its message.
    pub(super) message: String,
    /// Whether it is still to be built and verified.
    pub(super) is_unjudged: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Push {
    /// Where the branch is now; none when it is new.
    pub(super) before: Option<String>,
}

/// What becomes of the pull request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Make,
    /// By its number.
    Edit(u64),
    /// By its address.
    Keep(String),
}

impl Offer {
    /// In a line.
    pub(super) fn describe(&self, branch: &str) -> String {
        let pushed = match &self.push {
            None => format!("the branch `{branch}` has these moves already"),
            Some(Push { before: None }) => format!("the branch `{branch}` is made"),
            Some(Push { before: Some(_) }) => format!("the branch `{branch}` is replaced"),
        };
        let pull = match &self.pull {
            Change::Make => "a pull request is opened",
            Change::Edit(_) => "its pull request is edited",
            Change::Keep(_) => "so has its pull request",
        };
        format!("{pushed}; {pull}")
    }
}

/// Plans how HEAD's commit is offered.
///
/// Refused when HEAD is not one commit above the base, or changes more than pins.
pub(super) fn plan(state: &State) -> Result<Plan, Refusal> {
    let offered = offered(state)?;
    let moves = mark(&offered.message);
    let has_these = |pull: &&Pull| pull.moves.as_ref() == Some(&moves);
    let open = state.pulls.iter().find(|pull| pull.is_open);
    let is_turned_down = |pull: &&Pull| !pull.is_open && !pull.is_merged && has_these(pull);
    if let Some(closed) = state.pulls.iter().find(is_turned_down) {
        // Bots that open them again are the reason why people turn them off (renovatebot/github-action#892).
        let why = format!(
            "#{} has offered the same moves and was closed",
            closed.number
        );
        return Ok(nothing(&why, Some(closed)));
    }
    let (push, head) = match &state.branch {
        None => (Some(Push { before: None }), &offered.id),
        Some(branch) if is_same(branch, offered) => (None, &branch.tip),
        Some(branch) if may_go(branch, offered, &state.pulls) => {
            let before = Some(branch.tip.clone());
            (Some(Push { before }), &offered.id)
        }
        Some(_) => {
            // lifting-bits/sleigh#159, renovatebot/renovate#3724: fixes of people were lost.
            let why = "its branch has commits of somebody else, and stays as it is; hint: merge it or delete the \
                       branch: then newer moves are offered again";
            return Ok(nothing(why, open));
        }
    };
    let pull = match open {
        None => Change::Make,
        Some(open) if push.is_none() && has_these(&open) => Change::Keep(open.url.clone()),
        Some(open) => Change::Edit(open.number),
    };
    let is_judged = state.branch.as_ref().is_some_and(|branch| branch.is_judged);
    Ok(Plan::Offer(Offer {
        is_unjudged: push.is_some() || !is_judged,
        push,
        pull,
        head: head.clone(),
        message: offered.message.clone(),
    }))
}

fn nothing(why: &str, pull: Option<&Pull>) -> Plan {
    Plan::Nothing {
        why: format!("nothing is offered: {why}"),
        url: pull.map(|pull| pull.url.clone()),
    }
}

/// The one commit that is offered.
fn offered(state: &State) -> Result<&BranchCommit, Refusal> {
    let base = &state.base;
    let [offered] = state.offered.as_slice() else {
        return Err(Refusal::new(
            format!(
                "HEAD is {} commits above `{base}` at the remote, and one is offered",
                state.offered.len()
            ),
            format!("`git switch --detach origin/{base} && cargo xtask update --commit`"),
        ));
    };
    if offered.parent.is_none() {
        let remedy = "offer the commit of a move";
        return Err(Refusal::new("HEAD is a merge", remedy));
    }
    let refused = |why: String| {
        Refusal::new(
            format!("HEAD changes {why}"),
            "offer a commit of `cargo xtask update`; one that moves actions is pushed by hand, since GitHub lets no \
             job's token push workflows",
        )
    };
    let moved = pins::files(&state.dockerfile);
    let is_odd =
        |(path, now): &(&String, &String)| !now.starts_with(PLAIN) || !moved.contains(path);
    if let Some((path, _)) = offered.files.iter().find(is_odd) {
        let path = Printable(path);
        return Err(refused(format!(
            "`{path}`, which no move that is offered changes"
        )));
    }
    let [old, new] = &state.texts;
    pins::check(old, new, &state.dockerfile).map_err(|why| refused(printable::line(&why)))?;
    Ok(offered)
}

/// What a pull request is known by: a digest of the moves that it offers.
pub(super) fn mark(message: &str) -> String {
    Digest::of(essence(message).as_bytes()).hex().to_owned()
}

/// The moves that a message lists, without the day that one of them goes to: that is another one each night, and
/// only asks for what is newer by then, which the message lists as well.
fn essence(message: &str) -> String {
    let (subject, rest) = message.trim().split_once('\n').unwrap_or((message, ""));
    let lines = if rest.is_empty() { subject } else { rest };
    let lines = lines.lines().map(|line| {
        let moved = line
            .strip_suffix('.')
            .and_then(|line| line.rsplit_once(" → "));
        match moved {
            Some((from, to)) if to.parse::<Day>().is_ok() => from,
            _ => line,
        }
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// Whether the branch has what is offered: a push that changes nothing takes reviews away, and runs every check
/// anew (dependabot/dependabot-core#2882).
fn is_same(branch: &Branch, offered: &BranchCommit) -> bool {
    let [made] = branch.commits.as_slice() else {
        return false;
    };
    let has_same_day = made.message.trim() == offered.message.trim();
    // The setting of the day is in there.
    let files = |made: &BranchCommit| {
        let mut files = made.files.clone();
        files.retain(|path, _| has_same_day || path != packages::FILE);
        files
    };
    essence(&made.message) == essence(&offered.message)
        && files(made) == files(offered)
        && is_own(made, offered)
}

/// Whether the branch may be replaced: it has nothing but one commit of the same hands, or what is merged.
fn may_go(branch: &Branch, offered: &BranchCommit, pulls: &[Pull]) -> bool {
    let is_merged = pulls
        .iter()
        .any(|pull| pull.is_merged && pull.head == branch.tip);
    match branch.commits.as_slice() {
        [] => true,
        _ if is_merged => true,
        [made] => is_own(made, offered),
        _ => false,
    }
}

/// An amended commit keeps its author, but not who has committed it.
fn is_own(made: &BranchCommit, offered: &BranchCommit) -> bool {
    made.by == offered.by && made.parent.is_some()
}

#[cfg(test)]
mod tests;
