//! Control groups: the limits of containers, and the sure way to find every process in one.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::{
    daemon::ended,
    exec::Cmd,
    mounts::{self, Mount},
    process::Process,
    report::note,
};

/// How long killed processes may take to leave their group.
const LIMIT: Duration = Duration::from_secs(10);

/// Mounts the control groups when they are not mounted, as in a bare virtual machine; returns whether it did.
pub(crate) fn mount_missing() -> Result<bool> {
    let root = Path::new("/sys/fs/cgroup");
    let unified = || fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
    let read = || Ok::<_, anyhow::Error>(lacking_controllers(&mounts::all()?, &unified()));
    let before = read()?;
    if before.is_none() {
        Cmd::new("mount")
            .args(["-t", "cgroup2", "none"])
            .arg(root)
            .run()?;
    }
    let lacking = read()?.unwrap_or_default().join(", ");
    if !lacking.is_empty() {
        note(&format!(
            "the machine's control groups lack {lacking}: such limits will not hold"
        ));
    }
    Ok(before.is_none())
}

/// The controllers that limit containers and are missing; `None` when no hierarchy is mounted at all.
fn lacking_controllers(mounts: &[Mount], unified: &str) -> Option<Vec<&'static str>> {
    let of_kind = |kind: &'static str| mounts.iter().filter(move |mount| mount.kind == kind);
    let mut there: Vec<&str> = of_kind("cgroup")
        .flat_map(|mount| mount.options.split(','))
        .collect();
    there.extend(unified.split_whitespace());
    let any = of_kind("cgroup").chain(of_kind("cgroup2")).next().is_some();
    any.then(|| {
        ["cpu", "memory", "pids"]
            .into_iter()
            .filter(|name| !there.contains(name))
            .collect()
    })
}

/// Kills every process in the group `name`, in all hierarchies, and removes it.
pub(crate) fn end(name: &str) -> Result<()> {
    let hierarchies = mounts::all()?
        .into_iter()
        .filter(|mount| mount.kind.starts_with("cgroup"));
    let groups: Vec<PathBuf> = hierarchies
        .map(|mount| mount.point.join(name))
        .filter(|group| group.is_dir())
        .collect();
    let failure = |group: &Path| format!("failed to end the control group `{}`", group.display());
    for group in &groups {
        thaw(group).with_context(|| failure(group))?;
    }
    for group in &groups {
        // In a loop: a process may start another while it is being killed.
        ended(LIMIT, || end_group(group)).with_context(|| failure(group))?;
    }
    Ok(())
}

/// Resumes paused containers: a frozen process does not end by SIGKILL.
fn thaw(group: &Path) -> io::Result<()> {
    for below in groups_below(group)? {
        thaw(&below)?;
    }
    for (file, thawed) in [("freezer.state", "THAWED"), ("cgroup.freeze", "0")] {
        let file = group.join(file);
        if file.exists() {
            fs::write(file, thawed)?;
        }
    }
    Ok(())
}

fn end_group(group: &Path) -> Result<()> {
    for below in groups_below(group)? {
        end_group(&below)?;
    }
    for pid in fs::read_to_string(group.join("cgroup.procs"))?.lines() {
        if let Some(process) = pid.parse().ok().and_then(Process::observe) {
            process.end(Duration::ZERO)?;
        }
    }
    Ok(fs::remove_dir(group)?)
}

fn groups_below(group: &Path) -> io::Result<Vec<PathBuf>> {
    let mut below = Vec::new();
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            below.push(entry.path());
        }
    }
    Ok(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_which_limits_will_hold() {
        let mount = |kind: &str, options: &str| Mount {
            point: "/x".into(),
            kind: kind.into(),
            options: options.into(),
        };
        let all = [
            mount("cgroup", "rw,cpu,cpuacct"),
            mount("cgroup", "rw,memory"),
            mount("cgroup", "rw,pids"),
        ];
        assert_eq!(lacking_controllers(&all, ""), Some(vec![]));
        assert_eq!(lacking_controllers(&all[..2], ""), Some(vec!["pids"]));
        assert_eq!(
            lacking_controllers(&[mount("cgroup2", "rw")], "cpuset cpu memory pids\n"),
            Some(vec![])
        );
        assert_eq!(lacking_controllers(&[mount("tmpfs", "rw")], ""), None);
    }
}
