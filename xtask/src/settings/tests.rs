//! Settings that are good, and each way in which they can be bad.

use super::*;

const GOOD: &str = concat!(
    include_str!("../../tests/common/workspace.toml"),
    "size-budget = { \"linux/amd64\" = 340_000_000 }\n"
);

#[test]
fn this_workspace_is_good() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let settings = Settings::read(&root).unwrap();
    assert_eq!(settings.version, env!("CARGO_PKG_VERSION"));
}

#[test]
fn good_settings_are_read() {
    let settings = parse(GOOD).unwrap();
    assert_eq!(settings.version, "0.2.13");
    assert_eq!(
        settings.platforms,
        [Platform::LinuxAmd64, Platform::LinuxArm64]
    );
    assert_eq!(settings.size_budget[&Platform::LinuxAmd64], 340_000_000);
    assert_eq!(settings.growth_percent, 10);
    assert_eq!(settings.minimum_age, 2);
    assert_eq!(settings.packages, None);
    let day = parse(&format!("{GOOD}packages = \"2026-11-29\"\n"));
    assert_eq!(day.unwrap().packages.unwrap().as_str(), "2026-11-29");
}

#[test]
fn any_manifest_may_have_a_version() {
    for (manifest, version) in [
        (GOOD, Some("0.2.13")),
        ("[package]\nversion = \"1.2.3\"", Some("1.2.3")),
        ("[package]\nversion.workspace = true", None),
        ("[workspace]\nmembers = []", None),
        ("no = toml = at all", None),
    ] {
        assert_eq!(own_version(manifest).as_deref(), version, "{manifest}");
    }
}

#[test]
fn a_signature_is_by_a_key_or_an_identity() {
    let signing = |value: &str| {
        let settings = parse(&format!("{GOOD}signing = {value}\n"));
        settings.map(|settings| settings.signing)
    };
    assert_eq!(
        signing("{ key = \"a\" }").unwrap(),
        Some(Signing::Key("a".into()))
    );
    let identity = Signing::Identity {
        identity: "^i$".to_owned().try_into().unwrap(),
        issuer: "u".into(),
    };
    assert_eq!(
        signing("{ identity = \"^i$\", issuer = \"u\" }").unwrap(),
        Some(identity)
    );
    for bad in [
        "{}",
        "{ key = \"\" }",
        "{ identity = \"^i$\" }",
        "{ key = \"a\", issuer = \"u\" }",
    ] {
        let error = format!("{:#}", signing(bad).unwrap_err());
        assert!(error.contains("either a `key`"), "{bad}: {error}");
    }
    let error = signing("{ identity = \"i@.*\", issuer = \"u\" }").unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("does not begin with `^`"), "{error}");
}

#[test]
fn who_is_believed_is_said_whole_or_not_at_all() {
    let proof = |value: &str| {
        let settings = parse(&format!("{GOOD}proof = {value}\n"));
        settings.map(|settings| settings.proof.unwrap())
    };
    let keys = proof("{ keys = [\"a.pub\", \"keys/b.pub\"] }").unwrap();
    assert_eq!(keys.keys, [Path::new("a.pub"), Path::new("keys/b.pub")]);
    assert_eq!((keys.repositories, keys.identity), (vec![], None));
    let whole = proof(
        "{ identity = \"^a$\", release-identity = \"^b$\", issuer = \"https://i.example\", github-repository = \"me/agent\", \
         repositories = [\"ghcr.io/me/agent\"], trusted-root = \"root.json\" }",
    );
    let whole = whole.unwrap();
    assert_eq!(whole.release_identity.unwrap().to_string(), "^b$");
    assert_eq!(whole.trusted_root.unwrap(), Path::new("root.json"));
    for (bad, why) in [
        ("{}", "nobody could sign a proof"),
        ("{ keys = [] }", "nobody could sign a proof"),
        (
            "{ release-identity = \"^a$\", issuer = \"https://i\", github-repository = \"me/agent\" }",
            "nobody could sign a proof",
        ),
        (
            "{ identity = \"^a$\", issuer = \"https://i\", github-repository = \"me/agent\" }",
            "nobody could sign a release record",
        ),
        (
            "{ identity = \"^a$\", release-identity = \"^a$\" }",
            "an identity and no `issuer`, or no identity and one",
        ),
        (
            "{ keys = [\"a\"], issuer = \"https://i\" }",
            "an identity and no `issuer`, or no identity and one",
        ),
        (
            "{ keys = [\"a\"], github-repository = \"me/agent\" }",
            "a `github-repository` without an identity",
        ),
        (
            "{ keys = [\"a\"], identity = \"^a$\", issuer = \"i\", github-repository = \"me/agent\" }",
            "no `https://` URL: `i`",
        ),
        (
            "{ keys = [\"a\"], identity = \"^a$\", issuer = \"https://i\" }",
            "does not say whose runs may sign as `^a$`; hint:",
        ),
        (
            "{ keys = [\"a\"], identity = \"^a$\", issuer = \"https://i\", github-repository = \"a\" }",
            "not OWNER/NAME: `a`",
        ),
        (
            "{ keys = [\"a\"], identity = \"^a$\", issuer = \"https://i\", github-repository = \"a//b\" }",
            "not OWNER/NAME: `a//b`",
        ),
        (
            "{ keys = [\"a\"], identity = \"^a$\", issuer = \"https://i\", github-repository = \"a/b/c\" }",
            "not OWNER/NAME: `a/b/c`",
        ),
        (
            "{ keys = [\"a\"], trusted-root = \"r\" }",
            "`trusted-root` without an identity",
        ),
        ("{ keys = [\"/a\"] }", "names `/a`; a file must be relative"),
        ("{ keys = [\"\"] }", "a file must be relative"),
        (
            "{ keys = [\"a\"], identity = \"^a\", issuer = \"https://i\", github-repository = \"me/agent\" }",
            "does not end with `$`",
        ),
        ("{ keys = [\"a\"], key = \"b\" }", "unknown field `key`"),
        (
            "{ keys = [\"a\"], repositories = [\"A/b\"] }",
            "must be lower case",
        ),
    ] {
        let error = format!("{:#}", proof(bad).unwrap_err());
        assert!(error.contains(why), "{bad}: {error}");
    }
}

#[test]
fn bad_settings_name_the_key() {
    for (from, to, key) in [
        (
            "dockerfile = ",
            "dockerfiles = ",
            "unknown field `dockerfiles`",
        ),
        (
            "dockerfile = \"docker/Dockerfile.agent\"",
            "",
            "missing field `dockerfile`",
        ),
        (
            "size-b",
            "node = \"20\"\nsize-b",
            "`node` is no longer a setting; hint: remove this line",
        ),
        ("size-b", "node = 22\nsize-b", "node = 22"),
        (
            "\"linux/arm64\"",
            "\"linux/arm\"",
            "unknown platform `linux/arm`",
        ),
        (
            "\"linux/arm64\"",
            "\"linux/amd64\"",
            "`platforms` names a platform twice",
        ),
        (
            "[\"linux/amd64\", \"linux/arm64\"]",
            "[]",
            "`platforms` is empty",
        ),
        ("agentgate/agent", "AgentGate/agent", "must be lower case"),
        (
            "docker/Dockerfile",
            "/docker/Dockerfile",
            "`dockerfile` must be relative",
        ),
        ("\"main\"", "\"\"", "`default-branch` is empty"),
        ("340_000_000", "-1", "size-budget"),
        ("size-b", "minimum-age = -1\nsize-b", "minimum-age = -1"),
        (
            "size-b",
            "extra-packages = [\"a=1\"]\nsize-b",
            "names `a=1`",
        ),
        (
            "size-b",
            "packages = \"2026-11-31\"\nsize-b",
            "`2026-11-31` is not a day",
        ),
        (
            "size-b",
            "packages = 2026-11-29\nsize-b",
            "packages = 2026-11-29",
        ),
        ("size-b", "packages = []\nsize-b", "packages = []"),
        (
            "{ \"linux/amd64\"",
            "{ \"linux/arm\"",
            "unknown platform `linux/arm`",
        ),
        (
            "[\"linux/amd64\", \"linux/arm64\"]",
            "[\"linux/arm64\"]",
            "`size-budget` names `linux/amd64`",
        ),
        (
            "metadata.image",
            "metadata.picture",
            "`[workspace.metadata.image]` is missing",
        ),
    ] {
        let text = GOOD.replace(from, to);
        assert_ne!(text, GOOD, "{from} is not in the good settings");
        let error = format!("{:#}", parse(&text).unwrap_err());
        assert!(error.contains(key), "{to}: {error}");
    }
}

#[test]
fn a_scan_fails_from_the_severity_on_that_is_set() {
    let fail_on = |line: &str| parse(&format!("{GOOD}{line}\n")).map(|settings| settings.fail_on);
    assert_eq!(fail_on("").unwrap(), None);
    for severity in Severity::ALL {
        let line = format!("fail-on = \"{severity}\"");
        assert_eq!(fail_on(&line).unwrap(), Some(severity));
        assert_eq!(
            Severity::of(&severity.as_str().to_uppercase()),
            Some(severity)
        );
    }
    for wrong in ["\"CRITICAL\"", "\"severe\"", "\"none\"", "false", "9"] {
        let error = fail_on(&format!("fail-on = {wrong}")).unwrap_err();
        assert!(format!("{error:#}").contains("fail-on"), "{error:#}");
    }
    assert!(Severity::Critical > Severity::High && Severity::Negligible > Severity::Unknown);
    assert_eq!(Severity::of("severe"), None);
}
