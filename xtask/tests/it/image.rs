//! `cargo xtask image`: the command line it gives docker, what it reports, how it ends.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::common::Ran;
use crate::sandbox::{BASE, Sandbox};

#[test]
fn a_dry_run_prints_the_command_line_and_builds_nothing() {
    let sandbox = Sandbox::new();
    let revision = sandbox.revision();
    let work = sandbox.path("work").canonicalize().unwrap();
    let metadata = work.join("target/xtask/build-metadata.json");
    let metadata = metadata.display();
    let short = &revision[..7];
    let digest = BASE.split_once('@').unwrap().1;
    let ran = sandbox.run(&["image", "--dry-run"]).succeeded();
    assert_eq!(
        ran.stdout,
        format!(
            "docker buildx build --file docker/Dockerfile.agent --platform linux/amd64 \
             --build-arg 'IMAGE_VERSION=0.2.13' \
             --build-arg 'IMAGE_REVISION={revision}' \
             --build-arg 'IMAGE_CREATED=2026-01-02T03:04:05Z' \
             --build-arg 'SOURCE_DATE_EPOCH=1767323045' \
             --build-arg 'IMAGE_BASE=docker.io/library/node:20-alpine' \
             --build-arg 'IMAGE_BASE_DIGEST={digest}' \
             --progress auto \
             --metadata-file {metadata} \
             --provenance false --sbom false \
             --output 'type=docker,compression=zstd,compression-level=3,oci-mediatypes=true' .\n\
             docker tag \"$(jq -r '.\"containerimage.digest\"' {metadata})\" agentgate/agent:dev\n\
             docker tag \"$(jq -r '.\"containerimage.digest\"' {metadata})\" \
             agentgate/agent:sha-{short}\n"
        )
    );
    assert_eq!(sandbox.builds(), [""; 0]);
    assert!(!sandbox.path("work/target").exists());
}

#[test]
fn every_flag_reaches_docker() {
    let sandbox = Sandbox::new();
    // A name that docker's comma-separated lists need quoted.
    sandbox.write("a,\"b.pem", "");
    sandbox.git(&[
        "remote",
        "add",
        "origin",
        "https://me:s3cret@example.org/me/agent.git",
    ]);
    let ca = sandbox.path("a,\"b.pem");
    let ran = sandbox.run(&[
        "image",
        "--json",
        "--dry-run",
        "--repository",
        "ghcr.io/me/agent",
        "--no-cache",
        "--platform",
        "linux/arm64,linux/amd64,linux/arm64",
        "--tag",
        "try-1",
        "--node",
        "22",
        "--build-arg",
        "IMAGE_SOURCE=https://example.org/fork",
        "--build-arg",
        "EXTRA=a b",
        "--builder",
        "default",
        "--progress",
        "plain",
        "--ca-bundle",
        ca.to_str().unwrap(),
    ]);
    let plan: serde_json::Value = serde_json::from_str(&ran.succeeded().stdout).unwrap();
    let line: Vec<&str> = plan["command"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap())
        .collect();
    assert_eq!(
        plan["references"],
        serde_json::json!(["ghcr.io/me/agent:try-1"])
    );
    // A buildx that outlives xtask has no name to give.
    assert!(!line.contains(&"--tag"), "{line:?}");
    for want in [
        ["--platform", "linux/amd64,linux/arm64"],
        [
            "--build-context",
            &format!("{BASE}=docker-image://docker.io/library/node:22-alpine"),
        ],
        ["--build-arg", "IMAGE_BASE=docker.io/library/node:22-alpine"],
        ["--build-arg", "IMAGE_SOURCE=https://example.org/fork"],
        ["--build-arg", "EXTRA=a b"],
        ["--builder", "default"],
        ["--progress", "plain"],
        [
            "--secret",
            &format!(
                "id=ca-bundle,\"src={}\"",
                ca.display().to_string().replace('"', "\"\"")
            ),
        ],
        ["--no-cache", "."],
    ] {
        assert!(
            line.windows(2).any(|pair| pair == want),
            "{want:?} is not in {line:?}"
        );
    }
    assert_eq!(
        line.iter()
            .filter(|word| word.starts_with("IMAGE_SOURCE="))
            .count(),
        1
    );
}

#[test]
fn a_build_is_reported_and_recorded() {
    let sandbox = Sandbox::new();
    let revision = sandbox.revision();
    let ran = Ran::of(
        sandbox
            .xtask(&["image", "--json"])
            .env("GITHUB_OUTPUT", sandbox.path("output"))
            .env("GITHUB_STEP_SUMMARY", sandbox.path("summary")),
    );
    let built: serde_json::Value = serde_json::from_str(&ran.succeeded().stdout).unwrap();
    let sha = format!("agentgate/agent:sha-{}", &revision[..7]);
    assert_eq!(built["schema"], 1);
    let digest = crate::sandbox::digest("d1");
    assert_eq!(built["digest"], *digest);
    assert_eq!(built["revision"], revision);
    assert_eq!(
        built["references"],
        serde_json::json!(["agentgate/agent:dev", sha])
    );
    // This docker gives no image out, so of its layers nothing is known.
    assert_eq!(
        built["platforms"],
        serde_json::json!([{
            "platform": "linux/amd64", "manifest": null, "size": 512_345_678, "unpacked": null,
            "growth": null, "packages": null, "layers": []
        }])
    );
    assert_eq!(sandbox.builds().len(), 1);
    let record: serde_json::Value =
        serde_json::from_str(&sandbox.read("work/target/xtask/image.json")).unwrap();
    assert_eq!(record, built);
    assert_eq!(
        sandbox.read("output"),
        format!(
            "digest<<EOF\n{digest}\nEOF\ntags<<EOF\nagentgate/agent:dev\n{sha}\nEOF\n\
             revision<<EOF\n{revision}\nEOF\n"
        )
    );
    assert!(
        sandbox
            .read("summary")
            .contains(&format!("| digest | `{digest}` |"))
    );
}

#[test]
fn the_summary_is_data_and_the_rest_is_not() {
    let sandbox = Sandbox::new();
    let revision = sandbox.revision();
    sandbox.edit("bin/build", "echo", "echo said on stdout; echo");
    let ran = sandbox.run(&["image"]).succeeded();
    let (table, time) = ran.stdout.rsplit_once("time      ").unwrap();
    assert_eq!(
        table,
        format!(
            "tag       agentgate/agent:dev\ntag       agentgate/agent:sha-{}\n\
             digest    {}\nrevision  {revision}\nplatform  linux/amd64, 512.3 MB\n",
            &revision[..7],
            crate::sandbox::digest("d1"),
        )
    );
    assert!(time.ends_with(" s\n"), "{time}");
    assert_eq!(
        ran.stderr,
        "said on stdout\nnote: its layers cannot be measured: `docker save agentgate/agent:dev` \
         failed (exit status: 1): this docker gives no image out\n\
         try it: docker run --rm -it agentgate/agent:dev bash\n"
    );
}

#[test]
fn a_dirty_tree_is_dev_only_and_says_so() {
    let sandbox = Sandbox::new();
    let revision = sandbox.revision();
    sandbox.write("work/new.txt", "");
    sandbox.edit("work/docker/Dockerfile.agent", "20-alpine", "22-alpine");
    let ran = sandbox.run(&["image"]).succeeded();
    assert!(
        ran.stderr
            .contains("note: the tree is dirty (`docker/Dockerfile.agent` and 1 more)"),
        "{ran:#?}"
    );
    let builds = sandbox.builds();
    assert!(
        builds[0].contains(&format!("--build-arg IMAGE_REVISION={revision}-dirty ")),
        "{builds:?}"
    );
    assert!(!builds[0].contains(":sha-"), "{builds:?}");
}

#[test]
fn it_works_from_a_sub_folder_and_on_a_detached_head() {
    let sandbox = Sandbox::new();
    let revision = sandbox.revision();
    sandbox.git(&["checkout", "--quiet", "--detach"]);
    let ran = Ran::of(
        sandbox
            .xtask(&["image", "--dry-run"])
            .current_dir(sandbox.path("work/docker")),
    );
    assert!(ran.succeeded().stdout.contains(&revision[..7]));
}

#[test]
fn the_environments_ca_bundle_is_the_default() {
    let sandbox = Sandbox::new();
    sandbox.write("ca.pem", "");
    let ca = sandbox.path("ca.pem");
    for name in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
        let ran = Ran::of(sandbox.xtask(&["image", "--dry-run"]).env(name, &ca)).succeeded();
        assert!(
            ran.stdout
                .contains(&format!("id=ca-bundle,src={}", ca.display())),
            "{ran:#?}"
        );
    }
    let ran = Ran::of(
        sandbox
            .xtask(&["image", "--dry-run"])
            .env("SSL_CERT_FILE", "/nowhere"),
    )
    .succeeded();
    assert!(!ran.stdout.contains("ca-bundle"), "{ran:#?}");
    assert_eq!(
        ran.stderr,
        "note: SSL_CERT_FILE names `/nowhere`, which is not a file; it is ignored\n"
    );
}

#[test]
fn a_failed_build_fails() {
    let sandbox = Sandbox::new();
    sandbox.write("bin/build", "echo 'ERROR: no such stage' >&2; exit 17");
    sandbox.run(&["image"]).failed_after(
        "ERROR: no such stage\n",
        "`docker buildx build` failed (exit status: 17); its output is above",
    );
    assert!(!sandbox.path("work/target/xtask/image.json").exists());
}

#[test]
fn an_interrupted_build_is_waited_for_and_leaves_nothing() {
    for (signal, code, said) in [
        (Signal::INT, 130, "error: interrupted\n"),
        (Signal::TERM, 143, "error: ended by signal 15\n"),
    ] {
        let sandbox = Sandbox::new();
        // The build reports that it runs, and on the signal takes its time to put things away.
        sandbox.write(
            "bin/build",
            "trap 'echo put away >&2; kill $! 2>/dev/null; exit 130' INT TERM\nsleep 60 >/dev/null 2>&1 &\necho running >&2\nwhile :; do wait; done",
        );
        let mut child = sandbox
            .xtask(&["image"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let mut running = [0; 8];
        stderr.read_exact(&mut running).unwrap();
        assert_eq!(&running, b"running\n");
        kill_process(Pid::from_child(&child), signal).unwrap();
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, format!("put away\n{said}"));
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert_eq!(fs::read_dir(sandbox.path("tmp")).unwrap().count(), 0);
        let left = fs::read_dir(sandbox.path("work/target/xtask")).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["local.lock"]);
    }
}

#[test]
fn doctor_lists_what_is_here_and_what_is_not() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["doctor"]).succeeded();
    assert!(
        ran.stdout
            .contains("engine   28.5.2, linux/amd64, containerd image store\n"),
        "{ran:#?}"
    );
    assert!(ran.stdout.contains("image    can be built\n"), "{ran:#?}");

    fs::remove_file(sandbox.path("bin/docker")).unwrap();
    let ran = sandbox.run(&["doctor"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.stdout
            .contains("lack     there is no `docker` on PATH\n"),
        "{ran:#?}"
    );
    assert!(
        ran.stdout.contains("remedy   install Docker Engine"),
        "{ran:#?}"
    );
}

#[test]
fn the_classic_store_has_no_digest_and_takes_the_time_as_an_argument() {
    let sandbox = Sandbox::new();
    sandbox.edit(
        "bin/info",
        r#"["driver-type","io.containerd.snapshotter.v1"]"#,
        "",
    );
    sandbox.edit("bin/build", "sha256:d1", "sha256:c0");
    let ran = sandbox.run(&["image"]).succeeded();
    assert!(
        ran.stdout
            .contains("digest    none: the classic image store keeps no manifest\n"),
        "{ran:#?}"
    );
    let line = &sandbox.builds()[0];
    assert!(
        line.contains("--build-arg SOURCE_DATE_EPOCH=1767323045 "),
        "{line}"
    );
    assert!(
        line.ends_with(
            "--output type=docker,compression=zstd,compression-level=3,oci-mediatypes=true ."
        ),
        "{line}"
    );
}

#[test]
fn the_remotes_address_is_the_source() {
    let sandbox = Sandbox::new();
    sandbox.git(&[
        "remote",
        "add",
        "origin",
        "https://me:s3cret@example.org/me/agent.git",
    ]);
    let ran = sandbox.run(&["image", "--dry-run"]).succeeded();
    assert!(
        ran.stdout
            .contains("IMAGE_SOURCE=https://example.org/me/agent"),
        "{ran:#?}"
    );
    assert!(!ran.stdout.contains("s3cret"), "{ran:#?}");
}

#[test]
fn the_callers_epoch_does_not_reach_docker() {
    let sandbox = Sandbox::new();
    sandbox.edit(
        "bin/build",
        "echo",
        "echo \"epoch=$SOURCE_DATE_EPOCH.\"; echo",
    );
    let ran = Ran::of(sandbox.xtask(&["image"]).env("SOURCE_DATE_EPOCH", "1")).succeeded();
    assert!(ran.stderr.starts_with("epoch=.\n"), "{ran:#?}");
}
