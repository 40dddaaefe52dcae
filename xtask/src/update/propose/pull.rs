//! Pull requests and the status of a commit, by GitHub's REST interface. What GitHub answers is read strictly, and
//! what is sent goes through a file.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::plan::{Pull, mark};
use crate::exec::Exec;
use crate::github::gh::Gh;
use crate::github::markdown;
use crate::printable;

/// The name of the commit's status that says whether it builds and verifies.
///
/// A status, as the checks of a run that was not started by the pull request do not count there
/// (`ThemeParks/ThemeParks_JavaScript#37`, pfBlockerNG/pfBlockerNG#911).
const CONTEXT: &str = "update";

/// The longest title, in characters; GitHub takes 256.
const TITLE: usize = 200;

/// A pull request, as GitHub lists it. What else it says is not read.
#[derive(Deserialize)]
struct Listed {
    number: u64,
    html_url: String,
    state: String,
    #[serde(deserialize_with = "Option::deserialize")]
    merged_at: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    body: Option<String>,
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    sha: String,
}

#[derive(Deserialize)]
struct Status {
    context: String,
    state: String,
}

/// The pull requests from the repository's own branch to `base`, the newest first: the last hundred.
///
/// GitHub finds by the owner as well: a branch of a fork may have the same name.
pub(super) fn list(gh: &Gh, branch: &str, base: &str) -> anyhow::Result<Vec<Pull>> {
    let owner = gh.name().split('/').next().unwrap_or_default();
    let path = format!(
        "pulls?state=all&head={}:{}&base={}&per_page=100",
        query(owner),
        query(branch),
        query(base)
    );
    let listed: Vec<Listed> = gh.get(&path)?;
    Ok(listed.into_iter().map(Pull::from).collect())
}

/// Text in the query of an address.
fn query(text: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./".contains(byte);
    let bytes = text.bytes().map(|byte| match byte {
        byte if is_plain(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    bytes.collect()
}

impl From<Listed> for Pull {
    fn from(listed: Listed) -> Pull {
        let lines = listed.body.as_deref().unwrap_or_default().lines();
        let mut marks = lines.filter_map(|line| {
            line.trim()
                .strip_prefix("<!-- moves: ")?
                .strip_suffix(" -->")
        });
        Pull {
            moves: marks.next_back().map(str::to_owned),
            number: listed.number,
            url: listed.html_url,
            is_open: listed.state == "open",
            is_merged: listed.merged_at.is_some(),
            head: listed.head.sha,
        }
    }
}

/// The first line of the commit's message.
pub(super) fn title(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    printable::line(line).chars().take(TITLE).collect()
}

/// What the pull request says: `text`, or else the message of the commit.
pub(super) fn body(message: &str, text: Option<&str>) -> String {
    let rest = message.split_once('\n').map_or("", |(_, rest)| rest.trim());
    let text = match text {
        Some(text) => text.trim_end().to_owned(),
        None => markdown::block("", &printable::text(rest)),
    };
    format!(
        "{}\n\nThe status `{CONTEXT}` of the commit says whether it builds and verifies. Required checks wait for \
         *Approve workflows to run*. A commit that you push here is kept, and nothing newer is offered until this is \
         merged or its branch deleted; once closed, the same moves are not offered again.\n\n<!-- moves: {} -->\n",
        text.trim_end(),
        mark(message)
    )
}

/// Opens a pull request; its address.
pub(super) fn make(
    gh: &Gh,
    branch: &str,
    base: &str,
    title: &str,
    body: &str,
    file: &Path,
) -> anyhow::Result<String> {
    let sent = json!({ "title": title, "body": body, "head": branch, "base": base });
    let made = gh.send::<Listed>("POST", "pulls", &sent, file);
    let made = made.with_context(|| {
        format!(
            "the branch `{branch}` is pushed, but no pull request was made; hint: in the repository's Settings, Actions, \
             General, allow GitHub Actions to create pull requests, or open it yourself: \
             https://{}/compare/{base}...{branch}?expand=1",
            gh.place
        )
    })?;
    Ok(made.html_url)
}

/// Gives a pull request another title and text; its address.
pub(super) fn edit(
    gh: &Gh,
    number: u64,
    title: &str,
    body: &str,
    file: &Path,
) -> anyhow::Result<String> {
    let sent = json!({ "title": title, "body": body });
    let edited: Listed = gh.send("PATCH", &format!("pulls/{number}"), &sent, file)?;
    Ok(edited.html_url)
}

/// Whether a commit has a status that says how it ended.
pub(super) fn is_judged(gh: &Gh, commit: &str) -> anyhow::Result<bool> {
    let all: Vec<Status> = gh.get(&format!("commits/{commit}/statuses?per_page=100"))?;
    // The newest comes first.
    let ours = all.iter().find(|status| status.context == CONTEXT);
    Ok(ours.is_some_and(|status| ["success", "failure"].contains(&&*status.state)))
}

/// Says at the commit that it is being built and verified, in a job that will say how it ended.
pub(super) fn begin(exec: &Exec, gh: &Gh, commit: &str, file: &Path) -> anyhow::Result<()> {
    let Some(run) = exec.var("GITHUB_RUN_ID") else {
        return Ok(());
    };
    let sent = json!({
        "state": "pending",
        "context": CONTEXT,
        "description": "is built and verified",
        "target_url": format!("https://{}/actions/runs/{run}", gh.place),
    });
    gh.send::<Value>("POST", &format!("statuses/{commit}"), &sent, file)
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(body: Option<&str>) -> Pull {
        let listed = json!({
            "number": 7,
            "html_url": "u",
            "state": "closed",
            "merged_at": null,
            "body": body,
            "head": {"sha": "c", "ref": "update"},
        });
        serde_json::from_value::<Listed>(listed).unwrap().into()
    }

    #[test]
    fn the_moves_of_a_pull_request_are_found_in_its_text() {
        let message = "Move Claude Code from 1.0.0 to 1.0.1\n\nA rebuild changes its layer.\n";
        let text = body(message, None);
        assert!(
            text.starts_with("```\nA rebuild changes its layer.\n```\n\nThe status"),
            "{text}"
        );
        let pull = listed(Some(&text.replace('\n', "\r\n")));
        assert_eq!(pull.moves, Some(mark(message)));
        assert!(!pull.is_open && !pull.is_merged);
        // A text from outside names other moves; ours come last.
        let forged = body(message, Some("| x |\n<!-- moves: 00 -->"));
        assert_eq!(listed(Some(&forged)).moves, Some(mark(message)));
        assert_eq!(listed(Some("mine")).moves, None);
        assert_eq!(listed(None).moves, None);
    }

    #[test]
    fn a_title_is_one_line_that_a_terminal_does_not_obey() {
        assert_eq!(title("Move a\n\nb"), "Move a");
        assert_eq!(title("a\u{1b}[31m\u{202e}"), r"a\u{1b}[31m\u{202e}");
        assert_eq!(title(&"x".repeat(300)).len(), TITLE);
    }

    #[test]
    fn a_query_is_not_left() {
        assert_eq!(query("release/1.x"), "release/1.x");
        assert_eq!(query("a&b=c#d%é"), "a%26b%3Dc%23d%25%C3%A9");
    }
}
