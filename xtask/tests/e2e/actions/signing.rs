//! The key of a repository whose proofs and release records are signed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use serde_json::Value;

use super::github::Github;
use crate::common::{Ran, command};
use crate::push::refused;
use crate::world::root;

/// Its password. Without one cosign asks for it.
pub(super) const PASSWORD: &str = "secret";

/// The cosign of this machine; on GitHub the workflows install one.
pub(super) fn cosign() -> PathBuf {
    which::which("cosign").expect("cosign is missing; the test bed has one")
}

/// A private key; the public one is beside it, as `.pub`. Made once: that takes half a second.
fn make_key(name: &str) -> PathBuf {
    let folder = root().join("target/xtask/act");
    fs::create_dir_all(&folder).unwrap();
    let key = folder.join(format!("{name}.key"));
    for old in [&key, &key.with_extension("pub")] {
        // cosign asks before it replaces one.
        let _absent = fs::remove_file(old);
    }
    let mut generate = command(cosign(), &folder);
    generate.args(["generate-key-pair", "--output-key-prefix", name]);
    Ran::of(generate.env("COSIGN_PASSWORD", PASSWORD)).succeeded();
    key
}

/// What the repositories sign with.
pub(super) fn key() -> &'static Path {
    static KEY: OnceLock<PathBuf> = OnceLock::new();
    KEY.get_or_init(|| make_key("our"))
}

/// What somebody else signs with.
pub(super) fn other_key() -> &'static Path {
    static KEY: OnceLock<PathBuf> = OnceLock::new();
    KEY.get_or_init(|| make_key("their"))
}

/// The settings of a repository that signs with the key, and believes nobody else.
pub(super) fn settings() -> String {
    let key = key().display();
    format!("signing = {{ key = \"{key}\" }}\nproof = {{ keys = [\"cosign.pub\"] }}\n")
}

impl Github {
    /// Leaves the repository without anybody who is believed.
    pub(super) fn forget_settings(&self) {
        let manifest = fs::read_to_string(self.workspace.path("Cargo.toml")).unwrap();
        let without = manifest.replace(&settings(), "");
        assert_ne!(without, manifest);
        self.workspace.write("Cargo.toml", &without);
        self.workspace.commit("no settings");
        self.push("main");
    }

    /// The predicates of a type that cosign finds at a digest and verifies by the repository's key.
    pub(super) fn attested(&self, kind: &str, digest: &str) -> Vec<Value> {
        let name = format!("{}@{digest}", self.workspace.direct());
        let mut verify = command(cosign(), &root());
        verify.args([
            "verify-attestation",
            "--insecure-ignore-tlog",
            "--type",
            kind,
        ]);
        verify
            .arg("--key")
            .arg(key().with_extension("pub"))
            .arg(name);
        let ran = Ran::of(&mut verify).succeeded();
        let predicate = |line: &str| {
            let envelope: Value = serde_json::from_str(line).unwrap();
            let payload = STANDARD
                .decode(envelope["payload"].as_str().unwrap())
                .unwrap();
            let mut statement: Value = serde_json::from_slice(&payload).unwrap();
            statement["predicate"].take()
        };
        ran.stdout.lines().map(predicate).collect()
    }
}

/// The lines for `Cargo.toml` in docs/ci.md, for the repository `Ada/Agent`.
fn documented() -> String {
    let page = fs::read_to_string(root().join("docs/ci.md")).unwrap();
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (lines, _) = rest.split_once("```\n").unwrap();
    lines.replace("OWNER/NAME", "Ada/Agent")
}

/// Expressions that were not anchored have believed branches and other repositories
/// (semantic-reasoning/wirelog#1287, fluxcd/website#1712).
#[test]
fn the_lines_of_the_page_believe_these_workflows_on_main_and_at_versions_alone() {
    let lines: toml::Table = toml::from_str(&documented()).unwrap();
    let image = &lines["workspace"]["metadata"]["image"];
    let expression = |table: &str, name: &str| {
        let text = image[table][name].as_str().unwrap();
        assert!(text.starts_with('^') && text.ends_with('$'), "{text}");
        Regex::new(text).unwrap()
    };
    let proof = expression("proof", "identity");
    let record = expression("proof", "release-identity");
    let signature = expression("signing", "identity");
    let own = |rest: &str| format!("https://github.com/Ada/Agent/.github/workflows/{rest}");
    for (name, is_whose) in [
        (own("verify.yml@refs/heads/main"), "proof"),
        (own("verify.yml@refs/tags/v1.20.3"), "proof"),
        (own("verify.yml@refs/tags/v1.2.3-rc.1"), "proof"),
        (own("release.yml@refs/tags/v1.2.3"), "record, signature"),
        (own("release.yml@refs/heads/main"), "record, signature"),
        (own("rollback.yml@refs/heads/main"), "record"),
        (own("verify.yml@refs/heads/topic"), ""),
        (own("verify.yml@refs/heads/main2"), ""),
        (own("verify.yml@refs/heads/x/refs/heads/main"), ""),
        (own("verify.yml@refs/pull/7/merge"), ""),
        (own("verify.yml@refs/tags/vendor/v1.2.3"), ""),
        (own("verify.yml@refs/tags/v1.2.3/x"), ""),
        (own("release.yml@refs/heads/topic"), ""),
        (own("release.yml@refs/tags/latest"), ""),
        (own("image.yml@refs/heads/main"), ""),
        (own("verify-yml@refs/heads/main"), ""),
        (own("x/verify.yml@refs/heads/main"), ""),
        (
            own("verify.yml@refs/heads/main").replace("Ada", "Mallory"),
            "",
        ),
        (
            own("verify.yml@refs/heads/main").replace("Agent", "Agent-2"),
            "",
        ),
        (
            own("verify.yml@refs/heads/main").replace("github.com", "github-com"),
            "",
        ),
        (
            format!("https://example.org/?{}", own("verify.yml@refs/heads/main")),
            "",
        ),
        (format!("{}\n", own("verify.yml@refs/heads/main")), ""),
    ] {
        let all = [
            (&proof, "proof"),
            (&record, "record"),
            (&signature, "signature"),
        ];
        let believed = all.iter().filter(|(one, _)| one.is_match(&name));
        let believed: Vec<&str> = believed.map(|(_, what)| *what).collect();
        assert_eq!(believed.join(", "), is_whose, "{name}");
    }
}

/// Pasted as they are.
#[test]
fn the_lines_of_the_page_are_settings() {
    let github = Github::new();
    github.forget_settings();
    let manifest = fs::read_to_string(github.workspace.path("Cargo.toml")).unwrap();
    github
        .workspace
        .write("Cargo.toml", &format!("{manifest}\n{}", documented()));
    github.at_a_desk(&["tags"]).succeeded();
}

/// verify.yml names no key: what goes to another machine is signed by the settings, or nothing is verified.
#[test]
fn a_receipt_for_another_machine_is_signed_where_the_settings_sign() {
    let github = Github::new();
    let manifest = fs::read_to_string(github.workspace.path("Cargo.toml")).unwrap();
    let manifest = manifest.replace(&settings(), "signing = { key = \"nowhere.key\" }\n");
    github.workspace.write("Cargo.toml", &manifest);
    let image = format!("{}:none", github.workspace.direct());
    let verify = ["verify", "--pull", &image];
    let leaving = github.at_a_desk(&[&verify[..], &["--receipt-dir", "receipts"]].concat());
    refused(&leaving, &["the key `nowhere.key` cannot be used"]);
    let partial = ["--receipt-dir", "receipts", "--only", "seed"];
    for more in [&[][..], &partial] {
        let staying = github.at_a_desk(&[&verify[..], more].concat());
        assert_eq!(staying.code, Some(1), "{staying:#?}");
        assert!(!staying.stderr.contains("nowhere.key"), "{staying:#?}");
    }
}
