//! The measurements, in their own PID and mount namespaces: sets the stage there, then runs part after part.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::Asked;
use crate::contenders::{self, Contender};
use crate::launch::{Place, USER, can_change_user, stage, tool};
use crate::table::Table;
use crate::{counts, health, idle, orphans, signals, start};

/// How many rounds of starts there are unless asked otherwise.
const ROUNDS: usize = 500;

pub fn run(ours: &str, asked: &Asked) -> io::Result<()> {
    let stage = stage();
    let folder = |name: &str| stage.join(name);
    set(&stage)?;
    println!("{}", machine()?);
    let contenders = contenders::collect(ours, &folder("bin"))?;
    let rounds = asked.rounds.unwrap_or(ROUNDS);
    let mut failed = 0;
    let mut part = |name: &str, measure: &dyn Fn() -> io::Result<Vec<Table>>| {
        if asked.wants(name) {
            eprintln!("measuring: {name}");
            match measure() {
                Ok(tables) => tables.iter().for_each(Table::print),
                Err(error) => {
                    eprintln!("error: {name}: {error}");
                    failed += 1;
                }
            }
        }
    };
    part("files", &|| Ok(vec![contenders::files(&contenders)]));
    part("start", &|| starts(&contenders, rounds));
    part("counts", &|| {
        Ok(vec![counts::measure(&contenders, &folder("scratch"))])
    });
    part("idle", &|| Ok(vec![idle::measure(&contenders)]));
    part("orphans", &|| Ok(vec![orphans::measure(&contenders)]));
    part("signals", &|| Ok(vec![signals::measure(&contenders)]));
    part("health", &|| {
        let ours = contenders.iter().find(|one| one.is_ours());
        let tables = ours.map(|ours| health::measure(ours, &folder("fake")));
        tables.into_iter().collect()
    });
    match failed {
        0 => Ok(()),
        _ => Err(io::Error::other(format!("{failed} parts failed"))),
    }
}

fn starts(contenders: &[Contender], rounds: usize) -> io::Result<Vec<Table>> {
    let places = Place::ALL.into_iter();
    places
        .map(|place| start::measure(contenders, place, rounds))
        .collect()
}

/// Mounts the stage, which only this mount namespace sees, and on it the workspace and HOME, mounts of their own.
fn set(stage: &Path) -> io::Result<()> {
    let mount = |folder: &Path, options: &str| {
        let folder = folder.display().to_string();
        tool(&["mount", "-t", "tmpfs", "-o", options, "tmpfs", &folder]).map(drop)
    };
    mount(stage, "mode=755")?;
    for name in ["bin", "fake", "home", "scratch", "workspace"] {
        fs::create_dir(stage.join(name))?;
    }
    // Files in here are written by the runs, which are another user's.
    fs::set_permissions(stage.join("scratch"), fs::Permissions::from_mode(0o777))?;
    let owner = if can_change_user() {
        format!("mode=755,uid={USER},gid={USER}")
    } else {
        "mode=755".to_owned()
    };
    mount(&stage.join("home"), "mode=1777")?;
    mount(&stage.join("workspace"), &owner)
}

/// What the numbers depend on: processor, memory, kernel.
fn machine() -> io::Result<String> {
    let info = fs::read_to_string("/proc/cpuinfo")?;
    // Not every architecture names its processor.
    let model = info.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim())
    });
    let cpus = std::thread::available_parallelism()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!(
        "{cpus} CPUs ({}), Linux {}, {}; each run is {}",
        model.unwrap_or("unnamed"),
        kernel.trim_end(),
        std::env::consts::ARCH,
        if can_change_user() {
            format!("UID {USER}'s, without capabilities")
        } else {
            "root's of a user namespace".to_owned()
        },
    ))
}
