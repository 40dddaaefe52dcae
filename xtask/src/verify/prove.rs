//! A release's own verification: what its verify saw is believed from its stdout, never from a file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::program::program;
use crate::ctx::Ctx;
use crate::oci::Digest;
use crate::platform::Platform;
use crate::settings::Signing;
use crate::stop::Stop;

/// What must be proven of a published image.
pub(crate) struct ToProve<'a> {
    /// Of the index, in the settings' repository.
    pub(crate) digest: &'a Digest,
    pub(crate) platforms: &'a [Platform],
    /// The full commit id.
    pub(crate) revision: &'a str,
    /// What each receipt is signed with: any key, or the identity of the settings.
    pub(crate) sign: Option<&'a Signing>,
}

/// What a verification saw, all of it proven.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Of the index.
    pub(crate) digest: Digest,
    /// Exactly those that were asked for.
    pub(crate) platforms: Vec<SeenPlatform>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SeenPlatform {
    pub(crate) platform: Platform,
    pub(crate) manifest: Digest,
    /// The signed receipt, if it was to be signed.
    pub(crate) bundle: Option<PathBuf>,
}

/// Verifies a published image; receipts go to their usual folder.
///
/// Fails when anything is not proven, or not signed that should be.
pub(crate) fn prove(ctx: &Ctx, wanted: &ToProve) -> anyhow::Result<Seen> {
    let name = ctx.settings.repository.by_digest(wanted.digest);
    let args = arguments(ctx, wanted, &name);
    let (status, report) = ctx.exec.watch_read(&program(ctx)?, &args)?;
    if status.code() == Some(3) {
        return Err(Stop::Refused(format!(
            "`{name}` was not verified; verify's reason and remedy are above"
        ))
        .into());
    }
    if !status.success() {
        let hint = if is_busy(&report) {
            "this machine was too busy to tell, and nothing is known to be wrong: release again when \
             less runs beside it; a platform that is proven and signed is not verified again"
        } else {
            "the reasons are above, each with its remedy; a mended image is another commit"
        };
        bail!("`{name}` is not proven, and no tag was given; hint: {hint}");
    }
    let report = serde_json::from_slice(&report).context("failed to read verify's report")?;
    let seen = believed(report, wanted, &ctx.root);
    let seen = seen.map_err(anyhow::Error::msg);
    seen.with_context(|| format!("verify's report does not prove `{name}`"))
}

fn arguments(ctx: &Ctx, wanted: &ToProve, name: &str) -> Vec<String> {
    let platforms: Vec<&str> = wanted.platforms.iter().map(|one| one.as_str()).collect();
    let (platforms, repository) = (platforms.join(","), ctx.settings.repository.to_string());
    let mut args = vec!["verify", "--json", "--table", "--pull", name];
    args.extend(["--platform", &platforms, "--revision", wanted.revision]);
    args.extend(["--repository", &repository]);
    args.extend(ctx.verbose.then_some("--verbose"));
    let sign = wanted.sign.map(|signing| match signing {
        Signing::Key(key) => format!("--sign={key}"),
        Signing::Identity { .. } => "--sign".to_owned(),
    });
    args.into_iter().map(str::to_owned).chain(sign).collect()
}

/// What counts of verify's report.
#[derive(Deserialize)]
struct VerifyReport {
    schema: u32,
    digest: Digest,
    proven: bool,
    complete: bool,
    platforms: Vec<ReportedPlatform>,
}

#[derive(Deserialize)]
struct ReportedPlatform {
    platform: Platform,
    manifest: Option<Digest>,
    execution: String,
    /// Relative to verify's folder.
    bundle: Option<PathBuf>,
}

/// Whether a report says that nothing is wrong but that the machine was too busy.
fn is_busy(report: &[u8]) -> bool {
    let report: serde_json::Value = serde_json::from_slice(report).unwrap_or_default();
    let platforms = report["platforms"].as_array().into_iter().flatten();
    let results = platforms.filter_map(|one| one["results"].as_array());
    let mut bad = results.flatten().filter(|one| {
        let status = one["status"].as_str().unwrap_or_default();
        !["passed", "not-applicable", "skipped"].contains(&status)
    });
    let mut is_any = false;
    bad.all(|one| {
        is_any = true;
        one["busy"] == true
    }) && is_any
}

/// What the report proves of what is wanted; else why it does not. `folder` is the one that verify ran in.
fn believed(report: VerifyReport, wanted: &ToProve, folder: &Path) -> Result<Seen, String> {
    if report.schema != 1 {
        return Err(format!("its schema is {}, not 1", report.schema));
    }
    if report.digest != *wanted.digest {
        return Err(format!("it is of `{}`", report.digest));
    }
    if !report.proven || !report.complete {
        return Err("it says that not everything is proven".to_owned());
    }
    let mut named: Vec<Platform> = report.platforms.iter().map(|one| one.platform).collect();
    let mut asked = wanted.platforms.to_vec();
    named.sort_unstable();
    asked.sort_unstable();
    if named != asked {
        return Err("it is not of the platforms that were asked for".to_owned());
    }
    let see = |one: ReportedPlatform| {
        let platform = one.platform;
        if !["native", "emulated"].contains(&&*one.execution) {
            return Err(format!("nothing of `{platform}` was executed"));
        }
        let manifest = one.manifest;
        let manifest = manifest.ok_or_else(|| format!("`{platform}` has no manifest"))?;
        let bundle = one.bundle.map(|bundle| folder.join(bundle));
        if wanted.sign.is_some() && bundle.is_none() {
            return Err(format!("the receipt of `{platform}` is not signed"));
        }
        Ok(SeenPlatform {
            platform,
            manifest,
            bundle,
        })
    };
    Ok(Seen {
        digest: report.digest,
        platforms: report
            .platforms
            .into_iter()
            .map(see)
            .collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    fn platform(name: &str) -> Value {
        json!({
            "platform": name, "manifest": digest(name), "execution": "native", "seconds": 1.0,
            "receipt": "r.json", "bundle": "r.sigstore.json", "results": [],
        })
    }

    fn report() -> Value {
        json!({
            "schema": 1, "image": "x", "digest": digest("index"), "proven": true, "complete": true,
            "platforms": [platform("linux/arm64"), platform("linux/amd64")],
        })
    }

    fn judge(report: Value) -> Result<Seen, String> {
        let wanted = ToProve {
            digest: &digest("index"),
            platforms: &Platform::ALL,
            revision: "r",
            sign: Some(&Signing::Key("k".to_owned())),
        };
        let report = serde_json::from_value(report).map_err(|error| error.to_string())?;
        believed(report, &wanted, Path::new("/w"))
    }

    #[test]
    fn what_verify_saw_is_believed_as_a_whole() {
        let seen = judge(report()).unwrap();
        assert_eq!(seen.digest, digest("index"));
        let arm = &seen.platforms[0];
        assert_eq!(arm.platform, Platform::LinuxArm64);
        assert_eq!(arm.manifest, digest("linux/arm64"));
        assert_eq!(arm.bundle.as_deref(), Some(Path::new("/w/r.sigstore.json")));
    }

    #[test]
    fn a_busy_machine_is_blamed_where_nothing_else_is_wrong() {
        let of = |results: Value| {
            let mut amd = platform("linux/amd64");
            amd["results"] = results;
            let mut report = report();
            report["platforms"] = json!([amd, platform("linux/arm64")]);
            is_busy(report.to_string().as_bytes())
        };
        let passed = json!({"status": "passed"});
        let busy = json!({"status": "unproven", "busy": true});
        for (results, expected) in [
            (json!([passed, busy]), true),
            (json!([busy, busy]), true),
            (json!([passed]), false),
            (json!([busy, {"status": "failed"}]), false),
            (json!([busy, {"status": "unproven"}]), false),
            (json!([busy, {"status": "not-executed"}]), false),
            (json!([{}]), false),
        ] {
            assert_eq!(of(results.clone()), expected, "{results}");
        }
        assert!(!is_busy(b"") && !is_busy(b"x"));
    }

    #[test]
    fn nothing_less_than_what_was_asked_for_is_believed() {
        let amd = || platform("linux/amd64");
        let with = |name: &str, value: Value| {
            let mut platform = platform("linux/arm64");
            platform[name] = value;
            json!([platform, amd()])
        };
        for (name, value, why) in [
            ("schema", json!(2), "schema is 2"),
            ("digest", json!(digest("other")), "it is of `sha256:"),
            ("digest", Value::Null, "invalid type"),
            ("proven", json!(false), "not everything"),
            ("complete", json!(false), "not everything"),
            ("platforms", json!([]), "not of the platforms"),
            ("platforms", json!([amd()]), "not of the platforms"),
            ("platforms", json!([amd(), amd()]), "not of the platforms"),
            (
                "platforms",
                json!([amd(), platform("linux/arm64"), amd()]),
                "not of the platforms",
            ),
            (
                "platforms",
                with("execution", json!("static")),
                "nothing of `linux/arm64` was executed",
            ),
            (
                "platforms",
                with("execution", json!("soon")),
                "nothing of `linux/arm64` was executed",
            ),
            ("platforms", with("manifest", Value::Null), "no manifest"),
            ("platforms", with("bundle", Value::Null), "is not signed"),
        ] {
            let mut report = report();
            report[name] = value;
            let error = judge(report).unwrap_err();
            assert!(error.contains(why), "{name}: {error}");
        }
    }
}
