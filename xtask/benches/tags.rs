//! `cargo bench --package xtask --bench tags`: `cargo xtask tags` against `git describe --tags --always`, in
//! the same run, on a repository of 50,000 tags and 200,000 commits made by `git fast-import`.
//!
//! Rounds alternate between the two. Warm rounds repeat at once; before each cold one the kernel
//! drops its page cache, which takes root (elsewhere they are left out). Prints the medians and
//! the ratio: below 1 we are faster. The repository stays in `target/bench-tags`.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const COMMITS: u32 = 200_000;
const TAGS: u32 = 50_000;
const WARM: usize = 21;
const COLD: usize = 7;

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-tags");
    println!(
        "{COMMITS} commits, {TAGS} tags, every other one annotated; median of {WARM} rounds warm, \
         {COLD} cold\n"
    );
    println!("HEAD                       tags      cache  git describe  xtask tags  ratio");
    for layout in [Layout::Packed, Layout::Loose, Layout::One] {
        let repo = repository(&folder.join(layout.name()), layout)?;
        for &(place, branch) in layout.places() {
            git(&repo, &["checkout", "--quiet", branch]);
            for cache in [Cache::Warm, Cache::Cold] {
                report(place, layout.name(), cache, race(&repo, cache));
            }
        }
    }
    Ok(())
}

/// How the tags are kept, and how many there are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Packed,
    Loose,
    /// Only the first commit carries one.
    One,
}

impl Layout {
    fn name(self) -> &'static str {
        match self {
            Layout::Packed => "packed",
            Layout::Loose => "loose",
            Layout::One => "only one",
        }
    }

    /// Where HEAD is in the rounds, and the branch there.
    fn places(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Layout::Packed | Layout::Loose => {
                &[("on a version", "tagged"), ("3 commits after one", "main")]
            }
            Layout::One => &[("199,999 commits after it", "main")],
        }
    }
}

fn report(place: &str, layout: &str, cache: Cache, times: Option<(Duration, Duration)>) {
    let Some((git, ours)) = times else {
        println!("{place:<25}  {layout:<8}  cold   not measured: needs root");
        return;
    };
    let cache = match cache {
        Cache::Warm => "warm ",
        Cache::Cold => "cold ",
    };
    println!(
        "{place:<25}  {layout:<8}  {cache}  {:>9.1} ms  {:>7.1} ms  {:>5.2}",
        milliseconds(git),
        milliseconds(ours),
        ours.as_secs_f64() / git.as_secs_f64(),
    );
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cache {
    Warm,
    Cold,
}

/// The median of each, over rounds that alternate; none when the cache cannot be dropped.
fn race(repo: &Path, cache: Cache) -> Option<(Duration, Duration)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut describe = command("git", repo);
    describe.args(["describe", "--tags", "--always"]);
    let mut tags = command(env!("CARGO_BIN_EXE_xtask"), root);
    tags.args(["tags", "-C"]).arg(repo);
    let (mut git, mut ours) = (Vec::new(), Vec::new());
    let rounds = if cache == Cache::Warm { WARM } else { COLD };
    for _ in 0..rounds {
        for (command, times) in [(&mut describe, &mut git), (&mut tags, &mut ours)] {
            if cache == Cache::Cold {
                drop_caches().ok()?;
            }
            let start = Instant::now();
            run(command);
            times.push(start.elapsed());
        }
    }
    git.sort_unstable();
    ours.sort_unstable();
    Some((git[rounds / 2], ours[rounds / 2]))
}

fn drop_caches() -> io::Result<()> {
    run(&mut command("sync", Path::new("/")));
    fs::write("/proc/sys/vm/drop_caches", "3")
}

/// The repository in `folder`, made on first use.
fn repository(folder: &Path, layout: Layout) -> io::Result<PathBuf> {
    let repo = folder.to_owned();
    let done = folder.with_extension("done");
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
        let tags = if layout == Layout::One { 1 } else { TAGS };
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

/// A straight history with so many versions, from the first commit on one on every fourth; the
/// branch `tagged` is at the last but two, which is the last version of 50,000.
fn history(out: &mut impl Write, tags: u32) -> io::Result<()> {
    writeln!(out, "blob\nmark :1\ndata 3\nhi\n")?;
    for commit in 0..COMMITS {
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
        let (name, mark) = (format!("v{}.{}.0", tag / 100, tag % 100), tag * 4 + 2);
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
    writeln!(out, "reset refs/heads/tagged\nfrom :{}\n", COMMITS - 2)
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

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
