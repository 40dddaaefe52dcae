//! Identities, by a certificate authority of our own that writes what sigstore's writes for GitHub Actions.

use std::fmt::Write as _;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use xtask::platform::Platform;
use xtask::proof::{Bundle, Evidence, ProofWanted};

use super::records::{believed, record};
use super::{IN_TOTO, REVISION, Scene, proof, verification, why_no_proof};

const ISSUER: &str = "https://token.actions.githubusercontent.com";
const VERIFY: &str = "https://github.com/me/agent/.github/workflows/verify.yml@refs/tags/v1.2.3";
const RELEASE: &str = "https://github.com/me/agent/.github/workflows/release.yml@refs/tags/v1.2.3";
const PROOF: &str = r"
identity = '^https://github\.com/me/agent/\.github/workflows/verify\.yml@refs/tags/v[0-9]+\.[0-9]+\.[0-9]+$'
release-identity = '^https://github\.com/me/agent/\.github/workflows/(release|rollback)\.yml@refs/tags/v[0-9.]+$'
issuer = 'https://token.actions.githubusercontent.com'
trusted-root = 'root.json'
";

/// What a certificate says.
#[derive(Clone, Copy)]
struct Run<'a> {
    /// The workflow whose jobs run, the called one, and where it was taken from.
    workflow: &'a str,
    issuer: &'a str,
    trigger: &'a str,
    sha: &'a str,
    /// The repository whose run it is, the caller's; empty where the certificate does not say.
    repository: &'a str,
}

const GOOD: Run = Run {
    workflow: VERIFY,
    issuer: ISSUER,
    trigger: "push",
    sha: REVISION,
    repository: "me/agent",
};

impl Scene {
    /// An authority: `NAME.crt`.
    fn authority(&self, name: &str) {
        let config = "[req]\nprompt = no\ndistinguished_name = name\n[name]\nCN = authority\nO = own\n\
            [more]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n\
            subjectKeyIdentifier = hash\n";
        fs::write(self.path("authority.conf"), config).unwrap();
        self.key(name);
        let args = format!(
            "req -x509 -new -key {name}.pem -config authority.conf -extensions more -days 2 -out {name}.crt"
        );
        self.run("openssl", &args).succeeded();
    }

    /// A certificate by `authority` for the key of the runner.
    fn certificate(&self, authority: &str, run: &Run) {
        let mut config = format!(
            "[more]\nkeyUsage = critical, digitalSignature\nextendedKeyUsage = codeSigning\n\
             authorityKeyIdentifier = keyid\nsubjectAltName = critical, URI:{}\n",
            run.workflow
        );
        // sigstore/fulcio, "oid-info": these are bare text.
        for (number, value) in [
            (1, run.issuer),
            (2, run.trigger),
            (3, run.sha),
            (5, run.repository),
        ] {
            if value.is_empty() {
                continue;
            }
            let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
            writeln!(config, "1.3.6.1.4.1.57264.1.{number} = DER:{hex}").unwrap();
        }
        fs::write(self.path("more.conf"), config).unwrap();
        let request = "req -new -key runner.pem -config authority.conf -out runner.csr";
        self.run("openssl", request).succeeded();
        let sign = format!(
            "x509 -req -in runner.csr -CA {authority}.crt -CAkey {authority}.pem -CAcreateserial \
             -extfile more.conf -extensions more -days 1 -out runner.crt"
        );
        self.run("openssl", &sign).succeeded();
    }

    /// A bundle with such a certificate, written as cosign does.
    fn keyless(&self, authority: &str, run: &Run, statement: &[u8]) -> Vec<u8> {
        self.certificate(authority, run);
        let der = "x509 -in runner.crt -outform DER -out runner.der";
        self.run("openssl", der).succeeded();
        let der = STANDARD.encode(fs::read(self.path("runner.der")).unwrap());
        let mut bundle = self.forge("runner", "", statement, IN_TOTO);
        bundle["verificationMaterial"] = json!({"certificate": {"rawBytes": der}});
        bundle.to_string().into_bytes()
    }

    /// The same, by cosign itself, which takes half a second.
    fn keyless_by_cosign(&self, authority: &str, run: &Run, statement: &[u8]) -> Vec<u8> {
        self.certificate(authority, run);
        let key = "pkcs8 -topk8 -nocrypt -in runner.pem -out runner.pk8";
        self.run("openssl", key).succeeded();
        let import = "import-key-pair --yes --key runner.pk8 --output-key-prefix runner";
        self.run("cosign", import).succeeded();
        fs::write(self.path("statement.json"), statement).unwrap();
        let services = r#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}"#;
        fs::write(self.path("services.json"), services).unwrap();
        let sign = format!(
            "attest-blob --yes --key runner.key --certificate runner.crt --certificate-chain {authority}.crt \
             --signing-config services.json --trusted-root {authority}.json --statement statement.json \
             --bundle keyless.json"
        );
        self.run("cosign", &sign).succeeded();
        fs::read(self.path("keyless.json")).unwrap()
    }

    fn with_authorities() -> Option<Scene> {
        let scene = Scene::new()?;
        for name in ["root", "stranger"] {
            scene.authority(name);
            let create = format!(
                "trusted-root create --fulcio=url=https://{name}.example,certificate-chain={name}.crt --out {name}.json"
            );
            scene.run("cosign", &create).succeeded();
        }
        scene.key("runner");
        Some(scene)
    }
}

#[test]
fn a_proof_is_believed_from_our_workflow_at_a_tag_for_the_images_commit() {
    let Some(scene) = Scene::with_authorities() else {
        return;
    };
    let trust = scene.trust(PROOF);
    let statement = verification().statement().to_bytes();
    for trigger in ["push", "workflow_dispatch", "schedule"] {
        let bundle = scene.keyless("root", &Run { trigger, ..GOOD }, &statement);
        let trusted = proof(&trust, &bundle).unwrap();
        assert!(
            trusted.by.starts_with("the identity `^https://"),
            "{}",
            trusted.by
        );
    }
    let by_cosign = scene.keyless_by_cosign("root", &GOOD, &statement);
    assert_eq!(why_no_proof(&trust, &by_cosign), "");
    // An authority of one's own need not say whose run it is.
    let nobodys = Run {
        repository: "",
        ..GOOD
    };
    let bundle = scene.keyless("root", &nobodys, &statement);
    assert_eq!(why_no_proof(&trust, &bundle), "");
    let workflow = |workflow| Run { workflow, ..GOOD };
    let trigger = |trigger| Run { trigger, ..GOOD };
    let repository = |repository| Run { repository, ..GOOD };
    let sha = "0000000000000000000000000000000000000000";
    let path = "https://github.com/me/agent/.github/workflows";
    let branch = format!("{path}/verify.yml@refs/heads/main");
    let odd_branch = format!("{path}/verify.yml@refs/heads/refs/tags/v1.2.3");
    let prerelease = format!("{path}/verify.yml@refs/tags/v1.2.3-rc.1");
    let other = format!("{path}/ci.yml@refs/tags/v1.2.3");
    let two = format!("{path}/verify.yml@evil.yml@refs/tags/v1.2.3");
    let dots = VERIFY.replace("github.com", "githubxcom");
    let fork = VERIFY.replace("/me/", "/evil/");
    let prefix = format!("https://evil.example/{VERIFY}");
    let longer = VERIFY.replace("agent", "agent-evil");
    let not_by = "it is not verified as signed by the identity `^";
    for (run, expected) in [
        (workflow(&*branch), "expected SAN value to match regex"),
        (workflow(&odd_branch), "expected SAN value"),
        (workflow(&prerelease), "expected SAN value"),
        (workflow(&other), "expected SAN value"),
        (workflow(&two), "expected SAN value"),
        (workflow(&dots), "expected SAN value"),
        (workflow(&fork), "expected SAN value"),
        (workflow(&prefix), "expected SAN value"),
        (workflow(&longer), "expected SAN value"),
        (workflow(RELEASE), "expected SAN value"),
        // huggingface/kernels#652: a stranger calls our workflow, and the certificate names ours.
        (repository("evil/agent"), not_by),
        (repository("me/agent-fork"), not_by),
        (repository("xme/agent"), not_by),
        (Run { sha, ..GOOD }, not_by),
        (
            Run {
                issuer: "https://evil.example",
                ..GOOD
            },
            not_by,
        ),
        (trigger("pull_request"), "does not say that `push`"),
        (trigger("pull_request_target"), "does not say that `push`"),
        (trigger("issue_comment"), "does not say that `push`"),
        (trigger("pushes"), "does not say that `push`"),
    ] {
        let bundle = scene.keyless("root", &run, &statement);
        let why = why_no_proof(&trust, &bundle);
        assert!(why.contains(expected), "{}: {why}", run.workflow);
    }
    let stranger = scene.keyless("stranger", &GOOD, &statement);
    let why = why_no_proof(&trust, &stranger);
    assert!(why.starts_with(not_by), "{why}");
    // No commit is no commit at all.
    let mut verification = verification();
    verification.receipt["revision"] = json!("");
    let statement = verification.statement().to_bytes();
    let bundle = Bundle::parse(&scene.keyless("root", &GOOD, &statement)).unwrap();
    let wanted = ProofWanted {
        index: &verification.index,
        manifest: &verification.manifest,
        platform: Platform::LinuxAmd64,
        revision: None,
    };
    let reasons = trust.proof(&bundle, &wanted).unwrap().unwrap_err();
    assert!(reasons[0].contains("names no commit"), "{reasons:?}");
    // An expression that only looks anchored is no setting at all.
    let open = PROOF.replace("[0-9]+$'", "[0-9]+$|x$'");
    let open = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scene.trust(&open)));
    assert!(open.is_err());
}

#[test]
fn an_identity_is_believed_for_what_it_is_named_for() {
    let Some(scene) = Scene::with_authorities() else {
        return;
    };
    let statement = record().statement().to_bytes();
    let release = Run {
        workflow: RELEASE,
        // A roll-back runs at another commit than the release.
        sha: "0000000000000000000000000000000000000000",
        trigger: "workflow_dispatch",
        ..GOOD
    };
    let bundle = |run: &Run| Bundle::parse(&scene.keyless("root", run, &statement)).unwrap();
    let (releases, verifies) = (bundle(&release), bundle(&GOOD));
    let trust = scene.trust(PROOF);
    let by = believed(&trust, Evidence::Signed(&releases))
        .unwrap()
        .unwrap();
    assert!(by.contains("(release|rollback)"), "{by}");
    let why = believed(&trust, Evidence::Signed(&verifies)).unwrap_err();
    assert!(why.contains("expected SAN value"), "{why}");
    let evil = Run {
        repository: "evil/agent",
        ..release
    };
    let why = believed(&trust, Evidence::Signed(&bundle(&evil))).unwrap_err();
    assert!(
        why.starts_with("it is not verified as signed by the identity"),
        "{why}"
    );
    // Keys alone are believed: no certificate is.
    scene.key("ours");
    let keys = scene.trust("keys = ['ours.pub']");
    let why = believed(&keys, Evidence::Signed(&releases)).unwrap_err();
    assert!(why.contains("name none for it"), "{why}");
    // And the other way: no key is.
    let forged = scene.forge(
        "runner",
        "",
        &verification().statement().to_bytes(),
        IN_TOTO,
    );
    let why = why_no_proof(&trust, forged.to_string().as_bytes());
    assert_eq!(
        why,
        "it is signed by a key, and the `proof` settings have no `keys`"
    );
}

#[test]
fn what_a_root_has_is_asked_for_whatever_the_environment_says() {
    let Some(scene) = Scene::with_authorities() else {
        return;
    };
    scene.key("log");
    let statement = verification().statement().to_bytes();
    let bundle = scene.keyless("root", &GOOD, &statement);
    for name in ["TLOG", "SCT"] {
        scene
            .exec
            .set_var(&format!("COSIGN_INSECURE_IGNORE_{name}"), "true");
    }
    let log = "url=https://log.example,public-key=log.pub,start-time=2024-01-01T00:00:00Z";
    for (more, expected) in [
        (String::new(), ""),
        (format!("--rekor={log}"), "failed to verify log inclusion"),
        (
            format!("--ctfe={log}"),
            "failed to verify signed certificate timestamp",
        ),
    ] {
        let create = format!(
            "trusted-root create --fulcio=url=https://root.example,certificate-chain=root.crt {more} --out root.json"
        );
        scene.run("cosign", &create).succeeded();
        let why = why_no_proof(&scene.trust(PROOF), &bundle);
        assert!(why.contains(expected), "{more}: {why}");
        assert_eq!(why.is_empty(), expected.is_empty(), "{more}: {why}");
    }
}
