//! The distance to the nearest version, held against what git itself counts.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::common::{Ran, command};
use crate::tags::Repo;

/// Feeds `git fast-import`.
fn import(repo: &Repo, stream: &str) {
    let path = repo.path("stream");
    fs::write(&path, stream).unwrap();
    let mut import = command("git", &repo.root());
    import
        .args(["fast-import", "--quiet"])
        .stdin(fs::File::open(path).unwrap());
    Ran::of(&mut import).succeeded();
}

#[test]
fn the_nearest_version_is_the_one_that_git_describe_finds() {
    let repo = Repo::new();
    let check = |want: &str| {
        let described = repo.git(&["describe", "--tags", "--long", "--match", "v*"]);
        let (described, _hash) = described.rsplit_once('-').unwrap();
        assert_eq!((described, repo.set().described()), (want, want.to_owned()));
    };
    repo.git(&["tag", "v0.9.0"]);
    repo.commit("a");
    repo.commit("aa");
    repo.git(&["tag", "v1.0.0"]);
    repo.commit("b");
    check("v1.0.0-1");
    repo.commit("c");
    check("v1.0.0-2");
    // A hot fix of the old line, merged: the version with the fewest commits missing is nearest.
    repo.git(&["checkout", "--quiet", "-b", "fix", "v0.9.0"]);
    repo.commit("fix");
    repo.git(&["tag", "v0.9.1"]);
    repo.git(&["checkout", "--quiet", "main"]);
    repo.git(&["merge", "--quiet", "--no-ff", "--message", "merge", "fix"]);
    check("v1.0.0-4");
    for number in 0..20 {
        repo.commit(&number.to_string());
    }
    check("v1.0.0-24");
    // One on the far side of a merge, and with it everything that only HEAD's side has.
    repo.git(&["checkout", "--quiet", "-b", "side", "HEAD~3"]);
    repo.commit("side");
    repo.git(&["tag", "v2.0.0"]);
    repo.git(&["checkout", "--quiet", "main"]);
    repo.git(&["merge", "--quiet", "--no-ff", "--message", "merge", "side"]);
    check("v2.0.0-4");
}

#[test]
fn the_choice_is_made_at_the_eleventh_version_as_git_makes_it() {
    let repo = Repo::empty();
    let mut stream = String::new();
    let mut commit = |mark: u32, time: u32, parents: &str| {
        let who = format!("A <a@b> {} +0000", 1_700_000_000 + time);
        let head = format!("commit refs/heads/c{mark}\nmark :{mark}\ncommitter {who}");
        write!(stream, "{head}\ndata 0\n{parents}\n").unwrap();
    };
    // Two old lines: one of 30 commits, all but the last without a version; and one of eleven
    // versions, which are newer than all of the first line but its last.
    commit(1, 1, "");
    for mark in 2..=30 {
        let time = if mark == 30 { 1000 } else { mark };
        commit(mark, time, &format!("from :{}\n", mark - 1));
    }
    commit(31, 931, "");
    for mark in 32..=41 {
        commit(mark, 900 + mark, &format!("from :{}\n", mark - 1));
    }
    commit(42, 2000, "from :30\nmerge :41\n");
    for mark in 30..=41 {
        write!(stream, "reset refs/tags/v1.{mark}.0\nfrom :{mark}\n\n").unwrap();
    }
    stream.push_str("reset refs/heads/main\nfrom :42\n\n");
    import(&repo, &stream);
    let described = repo.git(&["describe", "--tags", "--long", "--match", "v*"]);
    assert!(described.starts_with("v1.41.0-31-g"), "{described}");
    assert_eq!(repo.set().described(), "v1.41.0-31");
}

#[test]
fn versions_that_head_does_not_come_after_have_no_distance() {
    let repo = Repo::new();
    repo.git(&["checkout", "--quiet", "--orphan", "other"]);
    repo.commit("unrelated");
    repo.git(&["tag", "v1.0.0"]);
    repo.git(&["checkout", "--quiet", "main"]);
    assert_eq!(repo.set().0["nearest"], Value::Null);
}

#[test]
fn an_old_commit_of_an_odd_author_is_passed_as_git_passes_it() {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    let (first, tree) = (repo.head(), repo.git(&["rev-parse", "HEAD^{tree}"]));
    let odd = format!("tree {tree}\nparent {first}\nauthor odd\ncommitter odd\n\nodd\n");
    repo.write(".git/odd", &odd);
    let write = [
        "hash-object",
        "-t",
        "commit",
        "-w",
        "--literally",
        ".git/odd",
    ];
    let odd = repo.git(&write);
    let last = repo.git(&["commit-tree", "-p", &odd, "-m", "last", &tree]);
    repo.git(&["update-ref", "HEAD", &last]);
    let described = repo.git(&["describe", "--tags", "--long"]);
    assert!(described.starts_with("v1.0.0-2-g"), "{described}");
    assert_eq!(repo.set().described(), "v1.0.0-2");
}

/// Numbers that look random, and are the same in every run.
struct Dice(u64);

impl Dice {
    /// One of `0..sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        // Knuth's MMIX generator; its high bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

const COMMITS: u64 = 80;

/// A history full of merges, criss-cross ones and ones of three, with several roots; every fifth
/// commit or so carries a version, by either kind of tag. The commit `N` is the branch `cN`.
fn tangled(dice: &mut Dice, time: impl Fn(&mut Dice, u64) -> u64) -> String {
    let mut stream = String::new();
    for number in 1..=COMMITS {
        let who = format!("A <a@b> {} +0000", 1_700_000_000 + time(dice, number));
        write!(
            stream,
            "commit refs/heads/c{number}\nmark :{number}\ncommitter {who}\ndata 0\n"
        )
        .unwrap();
        let mut parents: Vec<u64> = (0..=dice.roll(5) / 2)
            .map(|_| dice.roll(6) + 1)
            .filter(|&back| back < number)
            .collect();
        parents.sort_unstable();
        parents.dedup();
        for (place, back) in parents.iter().enumerate() {
            let word = if place == 0 { "from" } else { "merge" };
            writeln!(stream, "{word} :{}", number - back).unwrap();
        }
        stream.push('\n');
        match dice.roll(10) {
            0 => write!(stream, "reset refs/tags/v1.{number}.0\nfrom :{number}\n\n").unwrap(),
            1 => write!(
                stream,
                "tag v1.{number}.0\nfrom :{number}\ntagger {who}\ndata 0\n\n"
            )
            .unwrap(),
            2 => write!(stream, "reset refs/tags/other-{number}\nfrom :{number}\n\n").unwrap(),
            _ => {}
        }
    }
    stream
}

/// Goes through a number of HEADs; tells how many of them carry no version but come after one.
fn each_head(repo: &Repo, check: impl Fn(&str, &str)) -> usize {
    let heads = (1..=COMMITS).rev().step_by(7);
    let checked = heads.filter(|number| {
        repo.git(&["symbolic-ref", "HEAD", &format!("refs/heads/c{number}")]);
        let mut describe = command("git", &repo.root());
        describe.args(["describe", "--tags", "--match", "v*", "--long"]);
        let ran = Ran::of(&mut describe);
        let set = repo.set();
        if ran.code != Some(0) {
            assert_eq!(
                (set.text("version"), &set.0["nearest"]),
                (None, &Value::Null)
            );
            return false;
        }
        let (described, _hash) = ran.stdout.rsplit_once('-').unwrap();
        if let Some(version) = set.text("version") {
            assert_eq!(described, format!("v{version}-0"));
            return false;
        }
        check(described, &set.described());
        true
    });
    checked.count()
}

#[test]
fn any_history_with_merges_is_described_as_git_describes_it() {
    let mut checked = 0;
    for seed in 0..8 {
        let repo = Repo::empty();
        let stream = tangled(&mut Dice(seed), |_, number| number * 60);
        import(&repo, &stream);
        // git's cache of the history must make no difference to either.
        if seed % 2 == 0 {
            repo.git(&["commit-graph", "write", "--reachable"]);
        }
        checked += each_head(&repo, |git, ours| assert_eq!(ours, git, "seed {seed}"));
    }
    assert!(checked > 50, "{checked}");
}

#[test]
fn the_count_is_right_where_the_clock_stands_still_or_runs_backwards() {
    let mut checked = 0;
    for seed in 0..6 {
        let repo = Repo::empty();
        let stream = tangled(&mut Dice(seed), |dice, number| match seed % 3 {
            0 => 0,
            1 => number + dice.roll(20),
            _ => COMMITS - number,
        });
        import(&repo, &stream);
        checked += each_head(&repo, |_, ours| {
            let (tag, commits) = ours.rsplit_once('-').unwrap();
            // Counted out, because git's own walk is led by the times as well.
            let list = |of: &str| -> std::collections::BTreeSet<String> {
                let text = repo.git(&["rev-list", of]);
                text.lines().map(str::to_owned).collect()
            };
            let missing = list("HEAD").difference(&list(tag)).count();
            assert_eq!(commits, missing.to_string(), "seed {seed}: {tag}");
        });
    }
    assert!(checked > 40, "{checked}");
}

#[test]
fn the_look_for_the_nearest_version_is_given_up_before_it_takes_long() {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    let commit = |number: u32| {
        let from = if number == 0 {
            "from refs/heads/main^0\n"
        } else {
            ""
        };
        let time = 1_800_000_000 + number;
        format!("commit refs/heads/main\ncommitter A <a@b> {time} +0000\ndata 0\n{from}\n")
    };
    import(&repo, &(0..20_001).map(commit).collect::<String>());
    let set = repo.set();
    assert_eq!(set.0["nearest"], Value::Null);
    assert!(
        set.has_note("HEAD's last 20000 commits do not tell"),
        "{set:?}"
    );
    repo.git(&["checkout", "--quiet", "HEAD~2"]);
    assert_eq!(repo.set().described(), "v1.0.0-19999");
}
