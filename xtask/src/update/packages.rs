//! The day whose Alpine packages are installed: another day makes the layer of packages anew, with what Alpine's
//! repositories offer then. apk says whether that is newer, in a container of the base; where it cannot be asked, it
//! is not known, and the day moves by name alone.

mod apk;

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail, ensure};

use self::apk::Newer;
use super::files::Files;
use super::planned::Planned;
use super::row::Row;
use super::setting::Setting;
use crate::ctx::Ctx;
use crate::day::Day;
use crate::exec::Ended;
use crate::last_build::LastBuild;
use crate::packages::{self, Package};
use crate::published::{self, TagContent};
use crate::registry::Puller;
use crate::stop::Stop;
use crate::{ca_bundle, docker, printable};

const WHAT: &str = "Alpine packages";

pub(super) const FILE: &str = "Cargo.toml";
pub(super) const KEYS: [&str; 4] = ["workspace", "metadata", "image", "packages"];

/// The base may have to be pulled first.
const LIMIT: Duration = Duration::from_mins(10);

/// How many packages a row names.
const SHOWN: usize = 4;

/// Plans to move the day to today: where apk has something newer, or when `is_named`.
///
/// Fails when the settings cannot be read.
pub(super) fn plan(ctx: &Ctx, files: &Files, is_named: bool) -> anyhow::Result<Planned> {
    let text = files.text(Path::new(FILE))?.unwrap_or_default();
    let setting =
        Setting::find(&text, &KEYS).with_context(|| format!("failed to read `{FILE}`"))?;
    let Some(setting) = setting else {
        return Ok(Planned::default());
    };
    let pinned: Day = setting.value.parse().map_err(anyhow::Error::msg)?;
    let newer = match newer(ctx, files) {
        Err(error) if error.is::<Stop>() => return Err(error),
        newer => newer.map_err(|error| format!("{error:#}")),
    };
    let mut planned = planned(&pinned, SystemTime::now(), newer.as_deref(), is_named)?;
    if let Some(moving) = planned.moves.first() {
        let text = setting.replaced(&text, &moving.to);
        planned.files = vec![(FILE.into(), text.into_bytes())];
    }
    Ok(planned)
}

fn planned(
    pinned: &Day,
    now: SystemTime,
    newer: Result<&[Newer], &String>,
    is_named: bool,
) -> anyhow::Result<Planned> {
    let today = Day::of(now).map_err(anyhow::Error::msg)?;
    let row = Row {
        age_days: pinned.age(now),
        newest: newer.is_ok().then(|| pinned.to_string()),
        ..Row::unknown(WHAT, pinned.as_str())
    };
    let changes = match newer {
        Ok([]) if !is_named => return Ok(Planned::of(row.current())),
        Ok([]) => "the layer of packages, if at all: apk has nothing newer".to_owned(),
        Ok(newer) => format!("the layer of packages: {}", listed(newer)),
        Err(_) => "the layer of packages: not known".to_owned(),
    };
    let row = match newer {
        Err(why) => row.with_note(format!("not known whether there is something newer: {why}")),
        Ok(_) => row,
    };
    if newer.is_err() && !is_named {
        return Ok(Planned::of(row));
    }
    // The day cannot move where it is today's, or where the clock of this machine is behind.
    if *pinned >= today {
        let note = "it is today's already; hint: a build that began before this has its layer, \
                    `cargo xtask image --no-cache` makes it anew";
        let row = if newer.is_ok_and(|newer| !newer.is_empty()) {
            row.with_note(format!("{changes}; {note}"))
        } else {
            row
        };
        return Ok(Planned::of(row.current()));
    }
    let row = Row {
        changes,
        remedy: Some("`cargo xtask update packages`".to_owned()),
        ..row
    };
    Ok(Planned::behind(row, today.to_string(), None))
}

/// `bash 5.3.3-r0 → 5.3.3-r1, …`, and how many more.
fn listed(newer: &[Newer]) -> String {
    let shown = newer.iter().take(SHOWN);
    let shown = shown.map(|one| format!("{} {} → {}", one.name, one.from, one.to));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match newer.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What a build of now would install in a higher version than the last build did.
fn newer(ctx: &Ctx, files: &Files) -> anyhow::Result<Vec<Newer>> {
    let (_, bases) = files.bases(&ctx.settings.dockerfile)?;
    let base = bases.base.context("the Dockerfile names no base in full")?;
    // It is an argument of docker: a name, and no option.
    base.place()?;
    ensure!(
        docker::is_installed(&ctx.exec),
        "there is no `docker` on PATH"
    );
    let installed = installed(ctx)?;
    let bundle = ca_bundle::find(&ctx.exec, None)?;
    crate::say::errln!("asking apk in `{}`", base.name());
    let args = apk::search_args(&base.reference, &installed, bundle.as_deref());
    let offered = said(&docker::within(&ctx.exec, &args, LIMIT)?)?;
    let other = apk::other(&offered, &installed).map_err(anyhow::Error::msg)?;
    if other.is_empty() {
        return Ok(other);
    }
    let args = apk::compare_args(&base.reference, &other);
    let compared = said(&docker::within(&ctx.exec, &args, LIMIT)?)?;
    apk::newer(other, &compared).map_err(anyhow::Error::msg)
}

/// What the last build of this workspace has installed, or else the image that is published as `dev`.
///
/// The versions are those of the first platform: Alpine builds all of them from one source.
fn installed(ctx: &Ctx) -> anyhow::Result<Vec<Package>> {
    let built = LastBuild::read(ctx)?.into_iter();
    let mut platforms = built.flat_map(|built| built.platforms);
    if let Some(packages) = platforms.find_map(|platform| platform.packages) {
        return Ok(packages);
    }
    let hint = "hint: `cargo xtask image` records what a build installs";
    let repository = &ctx.settings.repository;
    crate::say::errln!("asking for the packages of `{repository}:dev`");
    let puller = Puller::new(&ctx.exec, repository);
    let TagContent::There(tree) = published::inspect(&puller, "dev")? else {
        bail!("no build of this workspace is recorded, and `{repository}:dev` is no image; {hint}");
    };
    let image = tree.images.first().context("`dev` has no image")?;
    let packages = packages::published(&puller, &tree, image)?;
    packages.with_context(|| {
        format!("no build of this workspace is recorded, and `dev` does not say it; {hint}")
    })
}

/// What a container printed, which ended well.
fn said(ended: &Ended) -> anyhow::Result<String> {
    let error = String::from_utf8_lossy(&ended.stderr);
    ensure!(
        ended.success(),
        "apk cannot be asked: {}",
        printable::short(&error)
    );
    String::from_utf8(ended.stdout.clone()).context("apk printed text that is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str) -> Newer {
        Newer {
            name: name.to_owned(),
            from: "1-r0".to_owned(),
            to: "1-r1".to_owned(),
        }
    }

    #[test]
    fn the_day_moves_where_something_is_newer_or_by_name() {
        let now = humantime::parse_rfc3339("2026-11-29T12:00:00Z").unwrap();
        let some: Vec<Newer> = ["a", "b", "c", "d", "e", "f"].map(one).to_vec();
        let why = "no engine".to_owned();
        for (pinned, newer, is_named, is_behind, moves_to) in [
            (
                "2026-11-20",
                Ok(&some[..1]),
                false,
                Some(true),
                Some("2026-11-29"),
            ),
            ("2026-11-20", Ok(&[][..]), false, Some(false), None),
            (
                "2026-11-20",
                Ok(&[][..]),
                true,
                Some(true),
                Some("2026-11-29"),
            ),
            ("2026-11-20", Err(&why), false, None, None),
            (
                "2026-11-20",
                Err(&why),
                true,
                Some(true),
                Some("2026-11-29"),
            ),
            ("2026-11-29", Ok(&some[..1]), false, Some(false), None),
            ("2026-11-29", Err(&why), true, Some(false), None),
            ("2026-12-01", Ok(&some[..1]), true, Some(false), None),
        ] {
            let planned = planned(&pinned.parse().unwrap(), now, newer, is_named).unwrap();
            let row = &planned.rows[0];
            assert_eq!(row.is_behind, is_behind, "{pinned} {newer:?} {is_named}");
            let to = planned.moves.first().map(|one| &*one.to);
            assert_eq!(to, moves_to, "{pinned} {newer:?} {is_named}");
            assert_eq!(planned.unasked, [""; 0]);
            assert_eq!(row.notes.concat().contains("no engine"), newer.is_err());
        }
        assert_eq!(listed(&some[..2]), "a 1-r0 → 1-r1, b 1-r0 → 1-r1");
        assert!(listed(&some).ends_with("d 1-r0 → 1-r1 and 2 more"));
    }
}
