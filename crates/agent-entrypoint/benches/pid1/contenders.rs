//! The inits that are compared, how each wants to be called, and what their files are.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::launch::{Place, tool};
use crate::table::Table;

/// The name of the program under test.
pub const OURS: &str = "agent-entrypoint";

/// The peers: program, Debian package, flags as PID 1, flags as an ordinary child.
const PEERS: [(&str, &str, &[&str], &[&str]); 4] = [
    ("tini-static", "tini", &["--"], &["-s", "--"]),
    ("tini", "tini", &["--"], &["-s", "--"]),
    ("catatonit", "catatonit", &["--"], &["--"]),
    ("dumb-init", "dumb-init", &["--"], &["--"]),
];

pub struct Contender {
    pub name: &'static str,
    pub path: String,
    as_pid1: &'static [&'static str],
    as_child: &'static [&'static str],
}

impl Contender {
    pub fn is_ours(&self) -> bool {
        self.name == OURS
    }

    /// What runs `words` under this init.
    pub fn command<'a>(&'a self, place: Place, words: &[&'a str]) -> Vec<&'a str> {
        let flags = match place {
            Place::Pid1 => self.as_pid1,
            Place::Child => self.as_child,
        };
        [&[self.path.as_str()], flags, words].concat()
    }
}

/// Ours and the peers that are installed, all copied to `folder`, where they have one file system and every user
/// may execute them.
pub fn collect(ours: &str, folder: &Path) -> io::Result<Vec<Contender>> {
    let mut all = vec![(OURS, PathBuf::from(ours), &[][..], &[][..])];
    for (name, package, as_pid1, as_child) in PEERS {
        match find(name) {
            Some(path) => all.push((name, path, as_pid1, as_child)),
            None => println!("{name} is left out: not installed; hint: `apt install {package}`"),
        }
    }
    if all.len() == 1 {
        return Err(io::Error::other(
            "no peer to compare with; hint: `apt install tini catatonit dumb-init`",
        ));
    }
    let mut contenders = Vec::new();
    for (name, file, as_pid1, as_child) in all {
        let path = folder.join(name).display().to_string();
        fs::copy(file, &path)?;
        contenders.push(Contender {
            name,
            path,
            as_pid1,
            as_child,
        });
    }
    Ok(contenders)
}

/// Where a program is, on PATH.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The table of the files, with what Debian calls their versions.
pub fn files(contenders: &[Contender]) -> Table {
    let mut table = Table::new("Files", &["init", "version", "KiB", "linked"]);
    for contender in contenders {
        table.row(contender.name, file(contender));
    }
    table
}

fn file(contender: &Contender) -> io::Result<Vec<String>> {
    let bytes = fs::read(&contender.path)?;
    let linked = if names_interpreter(&bytes) {
        "dynamically"
    } else {
        "statically"
    };
    #[expect(clippy::cast_precision_loss, reason = "no program is that large")]
    let size = bytes.len() as f64 / 1024.0;
    Ok(vec![
        version(contender)?,
        format!("{size:.1}"),
        linked.to_owned(),
    ])
}

/// The number in what `--version` prints.
fn version(contender: &Contender) -> io::Result<String> {
    let said = tool(&[&contender.path, "--version"])?;
    let is_outside = |c: char| !c.is_ascii_digit() && c != '.';
    let number = said.split(is_outside).find(|part| part.contains('.'));
    Ok(number.unwrap_or_default().to_owned())
}

/// Returns true if and only if a 64-bit ELF file has a program header of type 3, `PT_INTERP`, so that the
/// kernel starts a dynamic linker first.
fn names_interpreter(elf: &[u8]) -> bool {
    let number = |place: usize, size: usize| -> usize {
        let bytes = elf.get(place..place + size).unwrap_or_default();
        bytes
            .iter()
            .rev()
            .fold(0, |number, byte| (number << 8) | usize::from(*byte))
    };
    let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count).any(|header| number(table + header * size, 4) == 3)
}

/// Builds the program under test as it is shipped, and returns its file.
///
/// Cargo cannot hand it to a benchmark, which unwinds.
pub fn build() -> io::Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let manifest = root.join("Cargo.toml");
    let said = tool(&[
        &cargo,
        "build",
        "--release",
        "--locked",
        "--features=program",
        "--message-format=json",
        "--manifest-path",
        &manifest.display().to_string(),
        "--package",
        OURS,
        "--bin",
        OURS,
    ])?;
    let file = said
        .lines()
        .filter_map(|line| line.split_once(r#""executable":""#)?.1.split('"').next())
        .next_back();
    file.map(ToOwned::to_owned)
        .ok_or_else(|| io::Error::other("cargo names no file that it built"))
}
