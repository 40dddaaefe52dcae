//! The good image, with a secret in one place at a time.

use xtask::oci::Digest;

use crate::checks::fixture::{self, SYSTEM, add, file, folder, good, text};
use crate::checks::hardening_files::CHECKS;
use crate::facts::ImageFacts;
use crate::rootfs::{Entry, Kind};

fn said(id: &str, facts: &ImageFacts) -> String {
    fixture::said(CHECKS, id, facts)
}

fn said_with(id: &str, entry: Entry) -> String {
    fixture::said_with_entry(CHECKS, id, entry)
}

#[test]
fn secrets_of_the_configuration_are_found_and_not_shown() {
    let key = format!(
        "sk-ant-api03-{}",
        "q7Rw2LkZ9pVn4Ks8Yd1Hc6Mb0Gt5Ue3X".repeat(3)
    );
    for (pair, expected) in [
        (
            format!("KEY_FILE={key}"),
            "failed: Anthropic key in `KEY_FILE`",
        ),
        ("NPM_TOKEN=x".to_owned(), "failed: a value in `NPM_TOKEN`"),
        (
            "db_password=x".to_owned(),
            "failed: a value in `db_password`",
        ),
        (
            "ANTHROPIC_API_KEY=x".to_owned(),
            "failed: a value in `ANTHROPIC_API_KEY`",
        ),
        ("NPM_TOKEN=".to_owned(), "passed: none in 6 variables"),
        ("KEYBOARD=x".to_owned(), "passed: none in 6 variables"),
    ] {
        let mut facts = good();
        facts.image.config.config.env.push(pair);
        assert_eq!(said("hardening-secrets-environment", &facts), expected);
    }
    let mut facts = good();
    let labels = &mut facts.image.config.config.labels;
    labels.insert("note".to_owned(), key.clone());
    let said_of_labels = said("hardening-secrets-labels", &facts);
    assert_eq!(said_of_labels, "failed: Anthropic key in `note`");

    for (line, expected) in [
        (
            format!("RUN /bin/sh -c echo {key}"),
            "failed: Anthropic key in step 2 of 10 (`RUN …`)",
        ),
        (
            "ARG NPM_TOKEN=x".to_owned(),
            "failed: `NPM_TOKEN` in step 2 of 10 (`ARG …`)",
        ),
        (
            "RUN |2 A=1 NPM_TOKEN=x /bin/sh -c npm ci".to_owned(),
            "failed: `NPM_TOKEN` in step 2 of 10 (`RUN …`)",
        ),
        (
            "|1 NPM_TOKEN=x /bin/sh -c npm ci".to_owned(),
            "failed: `NPM_TOKEN` in step 2 of 10 (`RUN …`)",
        ),
        (
            "RUN /bin/sh -c NPM_TOKEN=$(cat /run/secrets/npm) npm ci".to_owned(),
            "passed: none in 10 steps",
        ),
        ("ARG NPM_TOKEN".to_owned(), "passed: none in 10 steps"),
    ] {
        let mut facts = good();
        facts.image.config.history[1].created_by = line;
        assert_eq!(said("hardening-secrets-history", &facts), expected);
    }
}

#[test]
fn secrets_in_files_are_found_in_every_layer() {
    let id = "hardening-secrets-files";
    let with_secret = |path| Entry {
        secrets: vec!["GitHub token"],
        ..file(path, 0o644)
    };
    assert_eq!(
        said_with(id, with_secret("srv/x")),
        format!("failed: GitHub token in `/srv/x` ({SYSTEM})")
    );
    let mut facts = good();
    add(&mut facts, 1, with_secret("srv/x"));
    add(&mut facts, 3, fixture::entry("srv/x", Kind::Whiteout, 0));
    assert_eq!(
        said(id, &facts),
        format!(
            "failed: GitHub token in `/srv/x` ({SYSTEM}), which a layer above hides but does not \
             remove"
        )
    );
    for path in [
        "root/.netrc",
        "root/.docker/config.json",
        ".aws/credentials",
        "home/x/.ssh/id_ed25519",
        "srv/x.p12",
    ] {
        let expected = format!("failed: a file for secrets in `/{path}` ({SYSTEM})");
        assert_eq!(said_with(id, file(path, 0o600)), expected);
    }
    let npmrc = text("root/.npmrc", "//x/:_authToken=y\n");
    assert!(said_with(id, npmrc).starts_with("failed: credentials in `/root/.npmrc`"));
    for harmless in [
        text("root/.npmrc", "cache=/x\n"),
        file("srv/.npmrc", 0o644),
        text("root/.netrc", ""),
        file("srv/x.docker/config.json", 0o644),
        file("srv/my-id_rsa", 0o644),
        folder("srv/.netrc", 0o755),
    ] {
        let path = harmless.path.clone();
        assert!(said_with(id, harmless).starts_with("passed"), "{path}");
    }
}

#[test]
fn what_the_build_trusts_the_image_does_not() {
    let id = "hardening-build-ca";
    let with_ca = |path, mut certificates: Vec<Digest>| {
        certificates.push(Digest::of(b"build CA"));
        Entry {
            certificates,
            ..file(path, 0o644)
        }
    };
    let path = "usr/local/share/ca-certificates/x.crt";
    assert_eq!(
        said_with(id, with_ca(path, Vec::new())),
        format!("failed: a certificate of the build in `/{path}` ({SYSTEM})")
    );
    let bundle: Vec<Digest> = (0..25).map(|n: u8| Digest::of(&[n])).collect();
    let path = "etc/ssl/certs/ca-certificates.crt";
    assert!(said_with(id, with_ca(path, bundle.clone())).starts_with("failed"));
    for path in ["run/secrets/ca-bundle", "run/secrets/x/y"] {
        let expected = format!("failed: `/{path}` ({SYSTEM})");
        assert_eq!(said_with(id, file(path, 0o644)), expected);
    }
    assert!(said_with(id, folder("run/secrets", 0o755)).starts_with("passed"));

    // A base that trusts it already was not made to by the build.
    let mut facts = good();
    add(&mut facts, 0, with_ca(path, bundle));
    add(&mut facts, 1, with_ca("srv/x.crt", Vec::new()));
    assert!(
        said(id, &facts).starts_with("passed"),
        "{}",
        said(id, &facts)
    );
}
