//! `cargo bench --package xtask --bench tags`: `cargo xtask tags` against `git describe --tags
//! --always`, in the same run, on repositories made by `git fast-import`: one of 1,000 commits and
//! as many tags, and two of 200,000 commits and 50,000 tags.
//!
//! Rounds alternate between the two. Warm rounds repeat at once; before each cold one the kernel
//! drops its page cache, which takes root (elsewhere they are left out). Prints the medians and
//! the ratio: below 1 we are faster. The repositories stay in `target/bench-tags`.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const WARM: usize = 21;
const COLD: usize = 7;

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-tags");
    println!("every other tag annotated; median of {WARM} rounds warm, {COLD} cold\n");
    println!("HEAD                 tags           cache  git describe  xtask tags  ratio");
    for layout in [Layout::Few, Layout::Packed, Layout::Loose] {
        let repo = repository(&folder.join(layout.name()), layout)?;
        for (place, branch) in [("on a version", "tagged"), ("3 commits after one", "main")] {
            git(&repo, &["checkout", "--quiet", branch]);
            for cache in [Cache::Warm, Cache::Cold] {
                report(place, layout.name(), cache, race(&repo, cache));
            }
        }
    }
    Ok(())
}

/// How many tags there are, and how they are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Few,
    Packed,
    Loose,
}

impl Layout {
    fn name(self) -> &'static str {
        match self {
            Layout::Few => "1,000 packed",
            Layout::Packed => "50,000 packed",
            Layout::Loose => "50,000 loose",
        }
    }

    /// How many commits there are, and how many of them are tagged.
    fn size(self) -> (u32, u32) {
        match self {
            Layout::Few => (1000, 1000),
            Layout::Packed | Layout::Loose => (200_000, 50_000),
        }
    }
}

fn report(place: &str, layout: &str, cache: Cache, times: Option<(Duration, Duration)>) {
    let Some((git, ours)) = times else {
        println!("{place:<19}  {layout:<13}  cold   not measured: needs root");
        return;
    };
    let cache = match cache {
        Cache::Warm => "warm ",
        Cache::Cold => "cold ",
    };
    println!(
        "{place:<19}  {layout:<13}  {cache}  {:>9.1} ms  {:>7.1} ms  {:>5.2}",
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
        history(&mut BufWriter::new(stdin), layout)?;
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
fn history(out: &mut impl Write, layout: Layout) -> io::Result<()> {
    let (commits, tags) = layout.size();
    let step = commits / tags;
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

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
