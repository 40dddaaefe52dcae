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
        identity: "i".into(),
        issuer: "u".into(),
    };
    assert_eq!(
        signing("{ identity = \"i\", issuer = \"u\" }").unwrap(),
        Some(identity)
    );
    for bad in [
        "{}",
        "{ key = \"\" }",
        "{ identity = \"i\" }",
        "{ key = \"a\", issuer = \"u\" }",
    ] {
        let error = format!("{:#}", signing(bad).unwrap_err());
        assert!(error.contains("either a `key`"), "{bad}: {error}");
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
        (
            "size-b",
            "extra-packages = [\"a=1\"]\nsize-b",
            "names `a=1`",
        ),
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
