//! release.yml and audit.yml: versions, backports, repeated runs, runs at the same time.

use std::fs;

use serde_json::json;

use super::github::Github;
use super::run::{Run, engine, succeeded};
use super::signing;

impl Github {
    pub(super) fn on_tag<'a>(&'a self, tag: &str) -> Run<'a> {
        self.on_push("release.yml", &format!("refs/tags/{tag}"))
    }

    /// Commits, tags and releases a version on the current branch; its digest.
    #[track_caller]
    pub(super) fn release(&self, version: &str) -> Option<String> {
        let tag = self.tag(version);
        self.on_tag(&tag).succeeds();
        let digest = self.digest(&tag);
        assert!(digest.is_some(), "{tag}");
        digest
    }

    /// Started by hand, on main.
    fn by_hand(&self, version: &str) -> Run<'_> {
        let payload = json!({"ref": "refs/heads/main"});
        self.run("release.yml", "workflow_dispatch", "main", payload)
            .input("version", version)
    }
}

#[test]
fn versions_are_released_in_any_order_and_any_number_of_times() {
    let github = Github::new();
    let tag = github.tag("1.0.0");
    let first = github.on_tag(&tag);
    first.succeeds();
    let one = github.digest("v1.0.0");
    assert!(one.is_some());
    assert_eq!(github.digest("latest"), one);
    assert_eq!(github.digest("dev"), None, "a tag does not move it");
    let summary = first.read("summary-release");
    assert!(summary.contains("### Release v1.0.0"), "{summary}");
    // All of it again, with an artifact there that only has a name like ours: a merge of all that a
    // pattern matches has published wrong images elsewhere (danny-avila/LibreChat#15446,
    // owncloud-docker/ubuntu#283). Then the one job that is not image.yml's, alone.
    let like_ours = first.kept("artifacts/receipts-like-ours");
    fs::create_dir_all(&like_ours).unwrap();
    fs::write(like_ours.join("linux-amd64.json"), "{}").unwrap();
    first.succeeds();
    first.again("release");
    assert_eq!(github.digest("v1.0.0"), one);
    let old = github.workspace.revision();

    let two = github.release("2.0.0");
    assert_eq!(github.digest("latest"), two);
    github.release("3.0.0-rc.1");
    assert_eq!(github.digest("latest"), two);
    github.workspace.git(&["checkout", "--quiet", &old]);
    github.release("1.0.1");
    assert_eq!(github.digest("latest"), two, "a backport does not move it");
    let releases = github.releases();
    let made: Vec<&str> = releases
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .collect();
    assert_eq!(made, ["v1.0.0", "v2.0.0", "v3.0.0-rc.1", "v1.0.1"]);
    let is_latest = |line: &&str| line.ends_with("--latest=true");
    assert_eq!(releases.lines().filter(is_latest).count(), 2, "{releases}");
    github
        .run("audit.yml", "schedule", "main", json!({}))
        .succeeds();

    // Whoever uses it checks the proof that is published, by the example of the docs.
    let user = Github::new();
    github.gate.make_public();
    user.trusts(&github, &one.unwrap()).succeeds();
    // The same manifests in another index.
    let (_, mut index) = github.workspace.published("v1.0.0").unwrap();
    index["annotations"] = json!({"mixed": "by somebody"});
    github.workspace.put("mixed", &index);
    let mixed = github.digest("mixed").unwrap();
    let ran = user.trusts(&github, &mixed).start(&[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
}

/// A job of the run, or whoever got at its token, uploads what it likes: a file proves nothing but what is
/// signed by whom the project believes.
#[test]
fn receipts_that_nobody_believed_has_signed_release_nothing() {
    let github = Github::new();
    let tag = github.tag("1.0.0");
    let run = github.on_tag(&tag);
    let theirs = signing::other_key().display();
    let keys = format!("STAND_INS_KEYS={{\"linux/amd64\": \"\", \"linux/arm64\": \"{theirs}\"}}");
    let ran = run.start(&[&keys]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    for said in [
        "no proof of linux/amd64 is believed: there is no `",
        "no proof of linux/arm64 is believed: `",
        "signed by the key `cosign.pub`",
    ] {
        assert!(ran.stdout.contains(said), "`{said}`: {ran:#?}");
    }
    for tag in [&*tag, "latest", "state-v1.0.0"] {
        assert_eq!(github.digest(tag), None, "{tag}");
    }
    run.again("verify");
    run.again("release");
    assert_eq!(github.digest("latest"), github.digest(&tag));
    assert!(github.digest(&tag).is_some());
}

/// As in a fork that has just been made: the receipts of its own jobs prove nothing, and it is said who would.
#[test]
fn without_proof_settings_a_version_is_refused_with_the_lines_to_add() {
    let github = Github::new();
    github.forget_settings();
    let tag = github.tag("1.0.0");
    let run = github.on_tag(&tag);
    let ran = run.start(&[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let identity = format!(
        r"https://github\.com/{}/\.github/workflows/verify\.yml@",
        github.name
    );
    for said in [
        "Cargo.toml has no `proof` settings",
        "[workspace.metadata.image.proof]",
        &identity,
    ] {
        assert!(ran.stdout.contains(said), "`{said}`: {ran:#?}");
    }
    assert_eq!(github.digest(&tag), None);
}

/// More than three tags of one push make no event at all (sebastianbergmann/phpunit#6327,
/// axodotdev/cargo-dist#190), and a run that is repeated takes the workflow of the tag's commit: both
/// are released by hand, with the workflow of main.
#[test]
fn a_version_whose_commit_has_no_workflow_is_released_by_hand() {
    let github = Github::new();
    github.workspace.git(&["checkout", "--quiet", "-b", "old"]);
    github.workspace.git(&["rm", "--quiet", "-r", ".github"]);
    github.tag("0.9.0");
    github.workspace.git(&["checkout", "--quiet", "main"]);
    github.by_hand("0.9.0").succeeds();
    let digest = github.digest("v0.9.0");
    assert!(digest.is_some());
    assert_eq!(github.digest("latest"), digest);
    assert_eq!(github.digest("dev"), None);
}

#[test]
fn a_tag_that_is_not_a_version_releases_nothing() {
    let github = Github::new();
    // The filter takes it for one; the build metadata cannot be a tag of an image.
    github.workspace.git(&["tag", "v1.0.0-rc.1+build"]);
    github.push("v1.0.0-rc.1+build");
    for run in [
        github.on_tag("v1.0.0-rc.1+build"),
        github.by_hand("1.0"),
        github.by_hand("$(id)"),
    ] {
        let ran = run.start(&[]);
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        assert!(
            !run.read("summary-release").contains("### Release"),
            "{ran:#?}"
        );
    }
    assert_eq!(github.digest("latest"), None);
}

/// Takes minutes: the real image, verified on both platforms, one of them emulated.
#[test]
#[ignore = "the real image, twice verified"]
fn the_real_image_is_published_and_released() {
    let github = Github::real();
    let main = github.on_push("image.yml", "refs/heads/main").alone();
    succeeded(&main.start(&["STAND_INS_VERIFY=real"]));
    let dev = github.digest("dev");
    assert!(dev.is_some());
    let manifest = fs::read_to_string(github.workspace.path("Cargo.toml")).unwrap();
    let (_, version) = manifest.split_once("version = \"").unwrap();
    let version = format!("v{}", version.split('"').next().unwrap());
    github.workspace.git(&["tag", &version]);
    github.push(&version);
    let release = github.on_tag(&version).alone();
    succeeded(&release.start(&["STAND_INS_VERIFY=real"]));
    assert_eq!(github.digest("latest"), dev);
    let audit = github.run("audit.yml", "schedule", "main", json!({}));
    audit.succeeds();

    // Somebody else uses it, as the example of the docs does.
    github.gate.make_public();
    let user = Github::new();
    let (commit, digest) = (github.workspace.revision(), dev.unwrap());
    let run = user.uses(&github, &version, &commit, &digest).alone();
    let engine = format!("DOCKER_HOST={}", engine());
    let own = if cfg!(target_arch = "x86_64") {
        "STAND_INS_VERIFY=linux/amd64"
    } else {
        "STAND_INS_VERIFY=linux/arm64"
    };
    succeeded(&run.start(&[own, &engine]));
}
