//! Repositories of another user: what git reads is read, and what git refuses is refused.
//!
//! Each of the settings is one that libgit2 does not read, and that people use
//! (NousResearch/hermes-agent#108732, libgit2/libgit2#6391, gitgitgadget/git#1215).

use std::fs;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};

use crate::common::{Ran, command};
use crate::tags::broken::{remedy, shown, type_in};
use crate::tags::{Repo, Set};

/// A user that owns nothing else here.
const SOMEBODY: u32 = 54321;

/// Gives everything at and below `path` to somebody. False when only root can.
fn give_away(path: &Path) -> bool {
    if lchown(path, Some(SOMEBODY), None).is_err() {
        eprintln!("NOT RUN: only root can give a repository to another user");
        return false;
    }
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
    true
}

/// A repository with a version, and a home of its own.
fn repo() -> Repo {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    fs::create_dir(repo.path("home")).unwrap();
    repo
}

/// The PATH of this test: with git.
fn path_with_git(repo: &Repo) -> String {
    let path = std::env::var("PATH").unwrap();
    format!("{}:{path}", repo.path("bin").display())
}

/// The environment of both `tags` and git.
fn environment(repo: &Repo, more: &[(&str, String)]) -> Vec<(String, String)> {
    let home = repo.path("home").display().to_string();
    let own = [
        ("HOME", home),
        ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
        ("PATH", path_with_git(repo)),
    ];
    let all = own.iter().chain(more);
    all.map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

fn look(repo: &Repo, folder: &Path, environment: &[(String, String)]) -> Ran {
    let mut tags = repo.command(folder, &["--json"]);
    Ran::of(tags.envs(environment.iter().cloned()))
}

/// Whether git itself reads the repository.
fn git_reads(folder: &Path, environment: &[(String, String)]) -> bool {
    let mut git = command("git", folder);
    git.env_clear().args(["rev-parse", "--git-dir"]);
    let places = ["GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR"];
    let known = environment
        .iter()
        .filter(|(name, _)| !places.contains(&&**name));
    Ran::of(git.envs(known.cloned())).code == Some(0)
}

#[test]
fn a_repository_of_another_user_is_refused_with_a_remedy_that_works() {
    let repo = repo();
    fs::create_dir(repo.root().join("sub")).unwrap();
    if !give_away(&repo.root()) {
        return;
    }
    let mut environment = environment(&repo, &[]);
    for with_git in [true, false] {
        if !with_git {
            fs::remove_file(repo.path("home/.gitconfig")).unwrap();
            environment.retain(|(name, _)| name != "PATH");
        }
        let refused = look(&repo, &repo.root().join("sub"), &environment);
        assert_eq!(
            (refused.code, &*refused.stdout),
            (Some(1), ""),
            "{refused:#?}"
        );
        assert_eq!(
            refused.stderr,
            format!(
                "error: git refuses the repository at `{0}`: it belongs to another user; hint: \
                 `git config --global --add safe.directory '{0}'`\n",
                shown(&repo)
            )
        );
        type_in(&repo, remedy(&refused), &repo.path("home"));
        let set = Set::of(&look(&repo, &repo.root(), &environment).succeeded());
        assert_eq!(set.text("version"), Some("1.0.0"));
    }
}

/// Settings, and whether they allow the repository (git-config(1), `safe.directory`).
#[test]
fn what_git_allows_is_allowed_and_nothing_else() {
    let repo = repo();
    if !give_away(&repo.root()) {
        return;
    }
    let root = shown(&repo);
    let parent = repo.root().canonicalize().unwrap();
    let parent = parent.parent().unwrap().display().to_string();
    let file = |name: &str, values: &[&str]| {
        let lines = values
            .iter()
            .map(|value| format!("\tdirectory = \"{value}\"\n"));
        fs::write(
            repo.path(name),
            format!("[safe]\n{}", lines.collect::<String>()),
        )
        .unwrap();
        repo.path(name).display().to_string()
    };
    let counted = |values: &[&str]| {
        let mut all = vec![("GIT_CONFIG_COUNT", values.len().to_string())];
        for (number, value) in values.iter().enumerate() {
            let names = [
                ["GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0"],
                ["GIT_CONFIG_KEY_1", "GIT_CONFIG_VALUE_1"],
            ];
            all.push((names[number][0], "safe.directory".to_owned()));
            all.push((names[number][1], (*value).to_owned()));
        }
        all
    };
    let given = |value: &str| {
        let text = format!("'safe.directory'='{value}'");
        vec![("GIT_CONFIG_PARAMETERS", text)]
    };
    let global = |path: String| vec![("GIT_CONFIG_GLOBAL", path)];
    let system = |path: String, none: &str| {
        vec![
            ("GIT_CONFIG_SYSTEM", path),
            ("GIT_CONFIG_NOSYSTEM", none.to_owned()),
        ]
    };
    let inner = file("inner", &[&root]);
    fs::write(
        repo.path("outer"),
        format!("[include]\n\tpath = \"{inner}\"\n"),
    )
    .unwrap();
    let outer = repo.path("outer").display().to_string();
    let below = format!("{parent}/*");
    let cases: Vec<(Vec<(&str, String)>, bool)> = vec![
        (vec![], false),
        (counted(&[&root]), true),
        (counted(&["*"]), true),
        (counted(&["/elsewhere"]), false),
        (counted(&["*", ""]), false),
        (counted(&["", &root]), true),
        (given(&root), true),
        (given("/elsewhere"), false),
        (global(file("path", &[&root])), true),
        (global(file("elsewhere", &["/elsewhere"])), false),
        (global(outer), true),
        (system(file("system", &[&root]), "0"), true),
        (system(file("system", &[&root]), "1"), false),
        // git before 2.46 has no patterns of this form: then it refuses, and so must we.
        (global(file("below", &[&below])), git_reads_patterns()),
    ];
    for (more, is_allowed) in cases {
        let environment = environment(&repo, &more);
        assert_eq!(
            git_reads(&repo.root(), &environment),
            is_allowed,
            "{more:?}"
        );
        let ran = look(&repo, &repo.root(), &environment);
        assert_eq!(ran.code == Some(0), is_allowed, "{more:?}: {ran:#?}");
    }
    // Names of the home and of git's own place.
    for value in [
        "~/../the repo",
        "%(prefix)/the repo",
        &format!("%(prefix)/{root}"),
    ] {
        let environment = environment(&repo, &global(file("names", &[value])));
        let ran = look(&repo, &repo.root(), &environment);
        let is_allowed = git_reads(&repo.root(), &environment);
        assert_eq!(ran.code == Some(0), is_allowed, "{value}: {ran:#?}");
    }
}

fn git_reads_patterns() -> bool {
    let said = Ran::of(command("git", Path::new("/")).arg("--version")).stdout;
    let number = said.split(' ').nth(2).unwrap_or_default();
    let mut parts = number
        .trim()
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or_default());
    (parts.next(), parts.next()) >= (Some(2), Some(46))
}

#[test]
fn what_libgit2_would_let_pass_and_git_does_not() {
    let repo = repo();
    if !give_away(&repo.root()) {
        return;
    }
    let text = format!("[safe]\n\tdirectory = {}\n", shown(&repo));
    fs::write(repo.path("home/.gitconfig"), text).unwrap();
    let known = environment(&repo, &[]);
    look(&repo, &repo.root(), &known).succeeded();
    let hidden = environment(&repo, &[("GIT_CONFIG_GLOBAL", "/dev/null".to_owned())]);
    assert!(!git_reads(&repo.root(), &hidden));
    assert_eq!(look(&repo, &repo.root(), &hidden).code, Some(1));
}

/// A repository that is named to git has no owner that counts. These names are not for us.
#[test]
fn neither_the_repositorys_own_word_nor_a_name_for_git_allows_it() {
    let repo = repo();
    repo.git(&["config", "safe.directory", "*"]);
    if !give_away(&repo.root()) {
        return;
    }
    let git_dir = repo.root().join(".git").display().to_string();
    let named = environment(&repo, &[("GIT_DIR", git_dir)]);
    let ran = look(&repo, &repo.root(), &named);
    assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{ran:#?}");
}

#[test]
fn one_part_of_another_user_is_enough() {
    let parts: [&[&str]; 2] = [&[""], &[".git"]];
    for part in parts {
        let repo = repo();
        if lchown(repo.root().join(part[0]), Some(SOMEBODY), None).is_err() {
            eprintln!("NOT RUN: only root can give a repository to another user");
            return;
        }
        let environment = environment(&repo, &[]);
        let is_read = git_reads(&repo.root(), &environment);
        let ran = look(&repo, &repo.root(), &environment);
        assert_eq!(ran.code == Some(0), is_read, "{part:?}: {ran:#?}");
        assert!(!is_read, "{part:?}");
    }
}

/// Everything that is read of a repository of one's own is read of an allowed one, too.
#[test]
fn an_allowed_repository_is_read_as_ones_own() {
    let repo = repo();
    repo.commit("second");
    repo.git(&["tag", "v1.1.0"]);
    repo.write("dirt", "");
    let linked = repo.path("linked");
    repo.git(&[
        "worktree",
        "add",
        "--quiet",
        linked.to_str().unwrap(),
        "v1.0.0",
    ]);
    let url = format!("file://{}", repo.root().display());
    let bare = ["clone", "--quiet", "--bare", "the repo", "bare.git"];
    repo.git_in(&repo.path(""), &bare);
    let shallow = ["clone", "--quiet", "--depth", "1", &url, "shallow"];
    repo.git_in(&repo.path(""), &shallow);
    let folders: Vec<PathBuf> = vec![
        repo.root(),
        linked,
        repo.path("bare.git"),
        repo.path("bare.git/refs"),
        repo.path("shallow"),
    ];
    let before: Vec<String> = folders
        .iter()
        .map(|folder| repo.run_in(folder, &["--json"]).stdout)
        .collect();
    for folder in &folders {
        if !give_away(folder) {
            return;
        }
    }
    let more = [
        ("GIT_CONFIG_COUNT", "1".to_owned()),
        ("GIT_CONFIG_KEY_0", "safe.directory".to_owned()),
        ("GIT_CONFIG_VALUE_0", "*".to_owned()),
    ];
    let environment = environment(&repo, &more);
    for (folder, before) in folders.iter().zip(before) {
        let ran = look(&repo, folder, &environment);
        assert_eq!(ran.stdout, before, "{}: {ran:#?}", folder.display());
        assert!(!ran.stdout.is_empty());
    }
}

#[test]
fn without_git_the_error_names_what_libgit2_does_not_read() {
    let repo = repo();
    if !give_away(&repo.root()) {
        return;
    }
    let text = "[safe]\n\tdirectory = /srv/*\n\tdirectory = /elsewhere\n";
    fs::write(repo.path("home/.gitconfig"), text).unwrap();
    let mut environment = environment(&repo, &[("GIT_CONFIG_COUNT", "0".to_owned())]);
    environment.retain(|(name, _)| name != "PATH");
    let ran = look(&repo, &repo.root(), &environment);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let end = "; git is not on PATH, and libgit2 does not read `GIT_CONFIG_COUNT`, \
               `safe.directory = /srv/*`\n";
    assert!(ran.stderr.ends_with(end), "{ran:#?}");
}
