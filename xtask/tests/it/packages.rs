//! Packages beyond the default ones, and engines that are too old: both are decided before a build.

use crate::sandbox::Sandbox;

#[test]
fn extra_packages_of_the_settings_are_the_commits_own() {
    let sandbox = Sandbox::new();
    let more = "default-branch = \"main\"\nextra-packages = [\"make\", \"py3-pip\"]";
    sandbox.edit("work/Cargo.toml", "default-branch = \"main\"", more);
    sandbox.git(&["commit", "--quiet", "--all", "--message", "more"]);
    let sha = format!(" agentgate/agent:sha-{}\n", &sandbox.revision()[..7]);
    let ran = sandbox.run(&["image", "--dry-run"]).succeeded();
    assert!(ran.stdout.contains(&sha), "{ran:#?}");
    let argument = "--build-arg 'EXTRA_PACKAGES=make py3-pip'";
    assert!(ran.stdout.contains(argument), "{ran:#?}");

    // Those of the command line replace them, and the image is then not the commit's own.
    let other = ["image", "--dry-run", "--build-arg", "EXTRA_PACKAGES=file"];
    let ran = sandbox.run(&other).succeeded();
    assert!(!ran.stdout.contains(&sha), "{ran:#?}");
    let arguments = ran.stdout.matches("EXTRA_PACKAGES=").count();
    assert_eq!(arguments, 1, "{ran:#?}");
    let push = ["image", "--push", "--build-arg", "EXTRA_PACKAGES=file"];
    let ran = sandbox.run(&push);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
}

/// lusky3/play-store-mcp#153: a builder keeps the layer of `apk upgrade`, and never asks again.
#[test]
fn the_day_of_the_packages_is_an_argument_of_the_build() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["image", "--dry-run"]).succeeded();
    assert!(!ran.stdout.contains("PACKAGES_DAY"), "{ran:#?}");
    let day = "default-branch = \"main\"\npackages = \"2026-11-29\"";
    sandbox.edit("work/Cargo.toml", "default-branch = \"main\"", day);
    let ran = sandbox.run(&["image", "--dry-run"]).succeeded();
    let argument = "--build-arg 'PACKAGES_DAY=2026-11-29'";
    assert!(ran.stdout.contains(argument), "{ran:#?}");
    sandbox.edit("work/Cargo.toml", "2026-11-29", "2026-11-31");
    let ran = sandbox.run(&["image", "--dry-run"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("`2026-11-31` is not a day"), "{ran:#?}");
}

#[test]
fn a_bad_name_in_the_settings_is_refused() {
    let sandbox = Sandbox::new();
    let more = "default-branch = \"main\"\nextra-packages = [\"make=4.4\"]";
    sandbox.edit("work/Cargo.toml", "default-branch = \"main\"", more);
    let ran = sandbox.run(&["image", "--dry-run"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("`make=4.4`"), "{ran:#?}");
    assert_eq!(sandbox.builds(), [""; 0]);
}

/// docker/cli#4486: an older engine's builder says only `unknown flag: start-interval`.
#[test]
fn an_engine_whose_builder_is_too_old_is_named() {
    for version in ["20.10.24+dfsg1", "23.0.6", "24.0.9"] {
        let sandbox = Sandbox::new();
        sandbox.edit("bin/info", "28.5.2", version);
        sandbox.write(
            "bin/build",
            "echo 'unknown flag: start-interval' >&2; exit 1",
        );
        for command in [&["image"][..], &["image", "--dry-run"], &["doctor"]] {
            let ran = sandbox.run(command);
            assert_eq!(ran.code, Some(1), "{ran:#?}");
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(said.contains(&format!("Docker Engine {version}")), "{said}");
            assert!(said.contains("Docker Engine 25 or later"), "{said}");
        }
        assert_eq!(sandbox.builds().len(), 1);
        // A builder in a container brings its own BuildKit; what it makes must be read all the same.
        sandbox.edit("bin/builder", "Driver: docker", "Driver: docker-container");
        let gzip = ["image", "--dry-run", "--compression", "gzip"];
        sandbox.run(&gzip).succeeded();
        let ran = sandbox.run(&["image", "--dry-run"]);
        let reads_zstd = !version.starts_with("20.");
        assert_eq!(ran.code, Some(i32::from(!reads_zstd)), "{ran:#?}");
        let why = "cannot read layers of zstd\n  hint: `--compression gzip`";
        assert_eq!(ran.stderr.contains(why), !reads_zstd, "{ran:#?}");
    }
}
