//! Every state of the branch and the pull request that a night may find.

use super::*;

const BOT: &str = "bot@example.org";
const MESSAGE: &str = "Move a from 1 to 2\n";

fn made(id: &str, by: [&str; 2], message: &str, files: &[(&str, &str)]) -> BranchCommit {
    BranchCommit {
        id: id.to_owned(),
        parent: Some("base".to_owned()),
        by: by.map(str::to_owned),
        message: message.to_owned(),
        files: files
            .iter()
            .map(|(path, now)| ((*path).to_owned(), (*now).to_owned()))
            .collect(),
    }
}

fn ours(id: &str, message: &str) -> BranchCommit {
    made(
        id,
        [BOT, BOT],
        message,
        &[("Cargo.lock", &format!("100644 {message}"))],
    )
}

/// A pull request that offers the moves of a message.
fn request(number: u64, is_open: bool, moves: &str) -> Pull {
    Pull {
        number,
        url: format!("https://github.com/me/agent/pull/{number}"),
        is_open,
        is_merged: false,
        head: "0".repeat(40),
        moves: Some(mark(moves)),
    }
}

fn state(branch: Option<Vec<BranchCommit>>, pulls: Vec<Pull>) -> State {
    State {
        offered: vec![ours("new", MESSAGE)],
        texts: [Texts::new(), Texts::new()],
        dockerfile: "docker/Dockerfile.agent".to_owned(),
        base: "main".to_owned(),
        branch: branch.map(|commits| Branch {
            tip: "tip".to_owned(),
            commits,
            is_judged: true,
        }),
        pulls,
    }
}

fn offer(state: &State) -> Offer {
    match plan(state).unwrap() {
        Plan::Offer(offer) => offer,
        Plan::Nothing { why, .. } => panic!("{why}"),
    }
}

#[test]
fn the_first_night_pushes_and_opens() {
    let offer = offer(&state(None, Vec::new()));
    assert_eq!(offer.push, Some(Push { before: None }));
    assert_eq!(
        (offer.pull, &*offer.head, offer.is_unjudged),
        (Change::Make, "new", true)
    );
}

#[test]
fn a_later_night_changes_no_more_than_it_must() {
    let same = || Some(vec![ours("tip", MESSAGE)]);
    let older = || Some(vec![ours("tip", "Move a from 0 to 1\n")]);
    let replaces = || {
        Some(Push {
            before: Some("tip".to_owned()),
        })
    };
    for (branch, pulls, push, pull) in [
        // The same moves again: a review is not taken away.
        (
            same(),
            vec![request(7, true, MESSAGE)],
            None,
            Change::Keep(request(7, true, "").url),
        ),
        // A run was killed between the push and the pull request.
        (same(), vec![], None, Change::Make),
        (
            same(),
            vec![request(7, true, "older")],
            None,
            Change::Edit(7),
        ),
        // Newer pins: the same branch and pull request.
        (
            older(),
            vec![request(7, true, "older")],
            replaces(),
            Change::Edit(7),
        ),
        (
            older(),
            vec![request(7, false, "older")],
            replaces(),
            Change::Make,
        ),
        // The branch was merged, and not deleted.
        (Some(vec![]), vec![], replaces(), Change::Make),
    ] {
        let offer = offer(&state(branch, pulls));
        let head = if push.is_none() { "tip" } else { "new" };
        assert_eq!(
            (&offer.push, &offer.pull, &*offer.head),
            (&push, &pull, head)
        );
        assert_eq!(offer.is_unjudged, push.is_some());
    }
    // Nobody has said yet how the commit ended.
    let mut state = state(same(), vec![request(7, true, MESSAGE)]);
    state.branch.as_mut().unwrap().is_judged = false;
    assert!(offer(&state).is_unjudged);
}

/// The day of Alpine's packages is today's wherever they are behind.
#[test]
fn another_day_alone_is_no_other_move() {
    let message = |day: &str, newer: &str| {
        format!(
            "Move Alpine packages to {day}\n\nAlpine packages: 2026-11-20 → {day}.\nA rebuild changes {newer}.\n"
        )
    };
    let with = |day: &str, newer: &str| {
        let message = message(day, newer);
        let settings = format!("100644 {day}");
        made(
            "x",
            [BOT, BOT],
            &message,
            &[
                ("Cargo.toml", &settings),
                ("docker/Dockerfile.agent", "100644 1"),
            ],
        )
    };
    for (day, newer, is_same) in [
        ("2026-11-29", "curl", true),
        ("2026-11-30", "curl", true),
        ("2026-11-30", "curl and git", false),
    ] {
        let open = vec![request(7, true, &message("2026-11-29", "curl"))];
        let mut state = state(Some(vec![with("2026-11-29", "curl")]), open);
        state.offered = vec![with(day, newer)];
        assert_eq!(offer(&state).push.is_none(), is_same, "{day}");
        state.pulls[0].is_open = false;
        let is_closed = matches!(plan(&state).unwrap(), Plan::Nothing { .. });
        assert_eq!(is_closed, is_same, "{day}");
        state.offered[0]
            .files
            .insert("docker/Dockerfile.agent".to_owned(), "100644 2".to_owned());
        state.pulls[0].is_open = true;
        assert!(offer(&state).push.is_some(), "{day}");
    }
    assert_ne!(mark("Move a\n\na: 1 → 2.\n"), mark("Move a\n\na: 1 → 3.\n"));
}

/// lifting-bits/sleigh#159, pre-commit-ci/issues#49, suitenumerique/docs#1217: a bot has pushed over what people
/// had added.
#[test]
fn what_a_person_has_pushed_is_kept() {
    let fix = || {
        made(
            "tip",
            ["ada@example.org"; 2],
            "Fix",
            &[("xtask/src/x.rs", "100644 1")],
        )
    };
    let mut merge = ours("tip", "Merge branch 'main' into update");
    merge.parent = None;
    for commits in [
        vec![fix(), ours("one", MESSAGE)],
        vec![fix()],
        // Amended: the author stays.
        vec![made(
            "tip",
            [BOT, "ada@example.org"],
            MESSAGE,
            &[("Cargo.lock", "100644 2")],
        )],
        vec![merge, ours("one", MESSAGE)],
        vec![ours("tip", "x"), ours("one", MESSAGE)],
    ] {
        let open = vec![request(7, true, MESSAGE)];
        let Plan::Nothing { why, url } = plan(&state(Some(commits.clone()), open)).unwrap() else {
            panic!("{commits:?}");
        };
        assert!(why.contains("commits of somebody else"), "{why}");
        assert_eq!(url, Some(request(7, true, "").url));
        // Merged by squashing, and the branch is left over: it is in nobody's way.
        let mut merged = request(7, false, "older");
        (merged.is_merged, merged.head) = (true, "tip".to_owned());
        assert_eq!(
            offer(&state(Some(commits), vec![merged])).pull,
            Change::Make
        );
    }
}

#[test]
fn what_was_closed_is_not_offered_again() {
    let closed = request(7, false, MESSAGE);
    for branch in [None, Some(vec![ours("tip", MESSAGE)])] {
        let plan = plan(&state(
            branch,
            vec![request(8, false, "older"), closed.clone()],
        ))
        .unwrap();
        let Plan::Nothing { why, url } = plan else {
            panic!("{plan:?}");
        };
        assert!(
            why.ends_with("#7 has offered the same moves and was closed"),
            "{why}"
        );
        assert_eq!(url, Some(closed.url.clone()));
    }
    // Merged, and then reverted: the pins are behind again.
    let merged = Pull {
        is_merged: true,
        ..closed
    };
    assert_eq!(offer(&state(None, vec![merged])).pull, Change::Make);
}

#[test]
fn only_one_commit_of_a_move_is_offered() {
    let with = |offered: Vec<BranchCommit>| State {
        offered,
        ..state(None, Vec::new())
    };
    let file = |path: &str, now: &str| vec![made("new", [BOT; 2], MESSAGE, &[(path, now)])];
    let mut merge = ours("new", MESSAGE);
    merge.parent = None;
    for (offered, why) in [
        (vec![], "HEAD is 0 commits above `main`"),
        (
            vec![ours("2", "x"), ours("1", "x")],
            "HEAD is 2 commits above `main`",
        ),
        (vec![merge], "HEAD is a merge"),
        (
            file(".github/workflows/ci.yml", "100644 1"),
            "changes `.github/workflows/ci.yml`",
        ),
        (
            file("xtask/src/main.rs", "100644 1"),
            "changes `xtask/src/main.rs`",
        ),
        (file("Cargo.lock2", "100644 1"), "changes `Cargo.lock2`"),
        (
            file("docker/etc/x.sh", "100644 1"),
            "changes `docker/etc/x.sh`",
        ),
        // A link, a program, and a file that is deleted.
        (
            file("docker/Dockerfile.agent", "120000 1"),
            "changes `docker/Dockerfile.agent`",
        ),
        (
            file("docker/Dockerfile.agent", "100755 1"),
            "changes `docker/Dockerfile.agent`",
        ),
        (file("Cargo.lock", "000000 0"), "changes `Cargo.lock`"),
    ] {
        let refusal = plan(&with(offered)).unwrap_err();
        assert!(refusal.why.contains(why), "{refusal}");
    }
    for path in [
        "docker/claude/amd64/package.json",
        "docker/Dockerfile.agent",
        "rust-toolchain.toml",
    ] {
        assert!(plan(&with(file(path, "100644 1"))).is_ok(), "{path}");
    }
    // A commit that a job hands on has more than pins.
    let mut state = with(file("rust-toolchain.toml", "100644 1"));
    let texts = ["channel = \"1.95.0\"", "path = \"\u{1b}\""].map(|line| {
        let text = format!("[toolchain]\n{line}\n");
        Texts::from([("rust-toolchain.toml".to_owned(), text)])
    });
    state.texts = texts;
    let refusal = plan(&state).unwrap_err();
    let why = "HEAD changes `rust-toolchain.toml` by more than its pins: ";
    assert!(refusal.why.starts_with(why), "{refusal}");
}
