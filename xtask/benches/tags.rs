//! `cargo bench --package xtask --bench tags`: `cargo xtask tags` against `git describe --tags
//! --always`, in turn, on repositories made by `git fast-import`: one commit in four has a tag, every other
//! tag is annotated.
//!
//! One table goes by the number of tags, all packed, three commits after the last; the other has what
//! costs more: loose tags, and a cold cache, which takes root (elsewhere it is left out). Both, and their
//! plots, go to docs/performance.md. The repositories stay in `target/bench-tags`.

mod measure;

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::measure::{Report, Rows, Unit, Values, in_turn};

const ROUNDS: usize = 15;
const COUNTS: [u32; 5] = [10, 100, 1000, 10_000, 50_000];
const MOST: u32 = 50_000;
/// Where HEAD is: at the last tag, and three commits after it.
const AT_A_TAG: &str = "tagged";
const AFTER_A_TAG: &str = "main";

const SIDES: [&str; 2] = ["git describe", "xtask tags"];

fn main() -> io::Result<()> {
    by_number()?;
    cases()
}

fn by_number() -> io::Result<()> {
    let what = (Unit::Seconds, Rows::Numbers("tags"));
    let mut report = Report::new("tags", "tags, by the number of tags", what, &SIDES);
    for count in COUNTS {
        let repo = repository(count, Layout::Packed)?;
        report.row(count.to_string(), race(&repo, AFTER_A_TAG, Cache::Warm)?);
    }
    report.finish()
}

fn cases() -> io::Result<()> {
    let what = (Unit::Seconds, Rows::Cases);
    let title = "tags, of 50,000";
    let mut report = Report::new("tags-cases", title, what, &SIDES);
    for (name, layout, branch, cache) in [
        ("on a version", Layout::Packed, AT_A_TAG, Cache::Warm),
        ("loose", Layout::Loose, AFTER_A_TAG, Cache::Warm),
        ("cold cache", Layout::Packed, AFTER_A_TAG, Cache::Cold),
    ] {
        if cache == Cache::Cold && drop_caches().is_err() {
            eprintln!("not measured: {name}: dropping the page cache needs root");
            continue;
        }
        report.row(name, race(&repository(MOST, layout)?, branch, cache)?);
    }
    report.finish()
}

/// How the tags are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Packed,
    Loose,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cache {
    Warm,
    Cold,
}

fn race(repo: &Path, branch: &str, cache: Cache) -> io::Result<Vec<Values>> {
    git(repo, &["checkout", "--quiet", branch]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut describe = command("git", repo);
    describe.args(["describe", "--tags", "--always"]);
    let mut tags = command(env!("CARGO_BIN_EXE_xtask"), root);
    tags.args(["tags", "-C"]).arg(repo);
    let timed = |command: &mut Command| {
        if cache == Cache::Cold {
            drop_caches()?;
        }
        let start = Instant::now();
        run(command);
        Ok(start.elapsed().as_secs_f64())
    };
    in_turn(
        ROUNDS,
        &mut [&mut || timed(&mut describe), &mut || timed(&mut tags)],
    )
}

fn drop_caches() -> io::Result<()> {
    run(&mut command("sync", Path::new("/")));
    fs::write("/proc/sys/vm/drop_caches", "3")
}

/// The repository with so many tags, made on first use.
fn repository(tags: u32, layout: Layout) -> io::Result<PathBuf> {
    let name = match layout {
        Layout::Packed => format!("{tags}-packed"),
        Layout::Loose => format!("{tags}-loose"),
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-tags");
    let repo = folder.join(name);
    let done = repo.with_extension("done");
    if done.exists() {
        return Ok(repo);
    }
    if repo.exists() {
        fs::remove_dir_all(&repo)?;
    }
    fs::create_dir_all(&repo)?;
    eprintln!("making `{}`", repo.display());
    git(&repo, &["init", "--quiet", "--initial-branch", "main"]);
    let mut import = command("git", &repo);
    import
        .args(["fast-import", "--quiet"])
        .stdin(Stdio::piped());
    let mut child = import.spawn()?;
    if let Some(stdin) = child.stdin.take() {
        history(&mut BufWriter::new(stdin), tags)?;
    }
    assert!(child.wait()?.success(), "git fast-import failed");
    git(&repo, &["reset", "--quiet", "--hard"]);
    if layout != Layout::Loose {
        git(&repo, &["pack-refs", "--all"]);
    }
    fs::write(done, "")?;
    Ok(repo)
}

/// A straight history. The tags are spread evenly over it, from the first commit on; the branch
/// `tagged` is at the last of them, `main` three commits further.
fn history(out: &mut impl Write, tags: u32) -> io::Result<()> {
    let step = 4;
    let last = (tags - 1) * step;
    writeln!(out, "blob\nmark :1\ndata 3\nhi\n")?;
    for commit in 0..=last + 3 {
        let time = 1_500_000_000 + commit * 60;
        writeln!(out, "commit refs/heads/main\nmark :{}", commit + 2)?;
        writeln!(
            out,
            "committer Ada <ada@example.org> {time} +0000\ndata 2\nx\n"
        )?;
        if commit == 0 {
            writeln!(out, "M 100644 :1 file\n")?;
        }
    }
    for tag in 0..tags {
        let (name, mark) = (format!("v{}.{}.0", tag / 100, tag % 100), tag * step + 2);
        if tag % 2 == 0 {
            writeln!(out, "reset refs/tags/{name}\nfrom :{mark}\n")?;
        } else {
            writeln!(out, "tag {name}\nfrom :{mark}")?;
            writeln!(
                out,
                "tagger Ada <ada@example.org> 1500000000 +0000\ndata 2\nx\n"
            )?;
        }
    }
    writeln!(out, "reset refs/heads/tagged\nfrom :{}\n", last + 2)
}

fn git(repo: &Path, args: &[&str]) {
    run(command("git", repo).args(args));
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the benchmark starts programs"
)]
fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null");
    command
}

fn run(command: &mut Command) {
    match command.output() {
        Ok(output) if output.status.success() => {}
        ended => panic!("{command:?}: {ended:?}"),
    }
}
