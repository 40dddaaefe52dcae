//! Files on disk, and helpers that are real programs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

mod tables;

const SERVER: &str = "r.example.org:5000";
const AGES: Duration = Duration::from_mins(10);

/// With its secrets, on one line.
fn shown(credential: Option<Credential>) -> String {
    match credential {
        None => "none".to_owned(),
        Some(Credential::Basic { user, password }) => format!("{user} {password}"),
        Some(Credential::IdentityToken(token)) => format!("identity {token}"),
        Some(Credential::RegistryToken(token)) => format!("registry {token}"),
    }
}

/// `b(…)` as base64 of what is between, as docker writes it, and `SERVER`.
fn filled(text: &str) -> String {
    let mut parts = text.split("b(");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (plain, rest) = part.split_once(')').unwrap();
        filled += &STANDARD.encode(plain.replace("NUL", "\0"));
        filled += rest;
    }
    filled.replace("SERVER", SERVER)
}

/// A home with a configuration, and a PATH with helpers.
struct World {
    home: tempfile::TempDir,
    exec: Exec,
}

impl World {
    fn new() -> World {
        let home = tempfile::tempdir().unwrap();
        let exec = Exec::new(home.path(), false).unwrap();
        let path = format!("{}:/usr/bin:/bin", home.path().display());
        exec.set_var("PATH", &path);
        exec.set_var("DOCKER_CONFIG", "");
        exec.set_var("DOCKER_AUTH_CONFIG", "");
        exec.set_var("HOME", home.path().to_str().unwrap());
        fs::create_dir(home.path().join(".docker")).unwrap();
        World { home, exec }
    }

    fn config(&self, text: &str) -> PathBuf {
        let path = self.home.path().join(".docker/config.json");
        fs::write(&path, filled(text)).unwrap();
        path
    }

    fn helper(&self, name: &str, script: &str) {
        let path = self.home.path().join(format!("docker-credential-{name}"));
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn find(&self, server: &str, limit: Duration) -> (Result<String, String>, Vec<String>) {
        let mut notes = Vec::new();
        let found = find_within(&self.exec, server, limit, |note| notes.push(note));
        let home = self.home.path().display().to_string();
        let found = found.map_err(|error| format!("{error:#}").replace(&home, "HOME"));
        (found.map(shown), notes)
    }
}

#[test]
fn a_helper_is_asked_by_the_protocol() {
    let world = World::new();
    world.config(r#"{"auths":{"SERVER":{"auth":"b(me:plain)"}},"credsStore":"x"}"#);
    let answers = [
        (
            r#"printf %s '{"ServerURL":"x","Username":"h","Secret":"s:\u00e4"}'"#,
            "h s:ä",
        ),
        (r#"echo '{"username":"h","secret":"s"} more'"#, "h s"),
        (
            r#"echo '{"Username":"<token>","Secret":"i1"}'"#,
            "identity i1",
        ),
        (r#"echo '{"Username":"<token>","Secret":""}'"#, "none"),
        (r#"echo '{"Username":"","Secret":""}'"#, "none"),
        (
            // google/go-containerregistry#233.
            "echo ' credentials not found in native keychain'; exit 1",
            "none",
        ),
        (
            r#"[ "$*" = get ] && [ "$(cat)" = r.example.org:5000 ] && echo '{"Username":"a","Secret":"b"}'"#,
            "a b",
        ),
    ];
    for (script, want) in answers {
        world.helper("x", script);
        let (found, notes) = world.find(SERVER, AGES);
        assert_eq!(found.as_deref(), Ok(want), "{script}");
        assert_eq!(notes, [""; 0], "{script}");
    }
    // Docker Hub has its old name there, too.
    world.helper("x", r#"printf '{"Username":"u","Secret":"%s"}' "$(cat)""#);
    for server in ["docker.io", "index.docker.io"] {
        let (found, _) = world.find(server, AGES);
        assert_eq!(found.as_deref(), Ok("u https://index.docker.io/v1/"));
    }
}

#[test]
fn a_helper_that_does_not_answer_is_an_error_without_a_secret() {
    let world = World::new();
    world.config(r#"{"credHelpers":{"SERVER":"x"}}"#);
    let error = |why: &str| {
        format!(
            "`docker-credential-x` has the credentials for `{SERVER}`, as \
             `HOME/.docker/config.json` says, but {why}; hint: make it work, or take it out of \
             that file and `docker login {SERVER}`"
        )
    };
    let missing = world.find(SERVER, AGES).0;
    assert_eq!(missing, Err(error("it is not on PATH")));
    for (script, why) in [
        (
            "echo the keychain is; echo ' locked\u{1b}'; exit 3",
            "it fails (exit status: 3): the keychain is\\n locked\\u{1b}",
        ),
        (
            "echo no D-Bus >&2; exit 1",
            "it fails (exit status: 1): no D-Bus",
        ),
        ("exit 1", "it fails (exit status: 1): it does not say why"),
        (
            r#"echo '{"Secret":"s"}'; exit 1"#,
            "it fails (exit status: 1): what it prints is not shown, for it may be a secret",
        ),
        ("echo my secret", "it does not print a credential"),
        ("echo '[7]'", "it does not print a credential"),
        (":", "it does not print a credential"),
        (
            r#"echo '{"Username":7,"Secret":"s"}'"#,
            "in what it prints `Username` is not text",
        ),
    ] {
        world.helper("x", script);
        let (found, _) = world.find(SERVER, AGES);
        assert_eq!(found, Err(error(why)), "{script}");
    }
    world.helper("x", "sleep 600 & wait");
    let start = Instant::now();
    let (found, _) = world.find(SERVER, Duration::from_millis(300));
    assert_eq!(found, Err(error("it does not answer within 0 s")));
    assert!(start.elapsed() < AGES);
    // Only the registry's own helper is asked.
    let (other, _) = world.find("other.example.org", AGES);
    assert_eq!(other.as_deref(), Ok("none"));
}

#[test]
fn dockers_own_choice_of_a_helper() {
    for (is_macos, installed, want) in [
        (false, &[][..], None),
        (
            false,
            &["docker-credential-secretservice"],
            Some("secretservice"),
        ),
        (false, &["docker-credential-pass"], None),
        (false, &["pass", "docker-credential-secretservice"], None),
        (false, &["pass", "docker-credential-pass"], Some("pass")),
        (
            true,
            &["docker-credential-osxkeychain"],
            Some("osxkeychain"),
        ),
        (true, &["docker-credential-secretservice"], None),
    ] {
        let is_installed = |program: &str| installed.contains(&program);
        let found = default_helper(is_macos, is_installed);
        assert_eq!(found, want, "{is_macos} {installed:?}");
    }
}

#[test]
fn a_helper_that_nobody_named_may_fail() {
    let world = World::new();
    fs::write(world.home.path().join("pass"), "").unwrap();
    world.helper("pass", r#"echo '{"Username":"h","Secret":"s"}'"#);
    fs::set_permissions(
        world.home.path().join("pass"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    if cfg!(target_os = "macos") {
        world.helper("osxkeychain", r#"echo '{"Username":"h","Secret":"s"}'"#);
    }
    assert_eq!(world.find(SERVER, AGES).0.as_deref(), Ok("h s"));
    world.config(r#"{"auths":{"other.example.org":{}}}"#);
    assert_eq!(world.find(SERVER, AGES).0.as_deref(), Ok("none"));
    world.config(r#"{"currentContext":"default"}"#);
    assert_eq!(world.find(SERVER, AGES).0.as_deref(), Ok("h s"));
    for name in ["pass", "osxkeychain"] {
        world.helper(name, "echo no key; exit 1");
    }
    let (found, notes) = world.find(SERVER, AGES);
    assert_eq!(found.as_deref(), Ok("none"));
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].ends_with("is ignored: it fails (exit status: 1): no key"),
        "{notes:?}"
    );
}

#[test]
fn the_variable_goes_before_the_file_unless_it_is_broken() {
    let world = World::new();
    world.config(r#"{"auths":{"SERVER":{"auth":"b(me:secret)"}}}"#);
    let variable = |text: &str| world.exec.set_var("DOCKER_AUTH_CONFIG", &filled(text));
    variable(r#"{"auths":{"SERVER":{"auth":"b(env:x)"}}}"#);
    assert_eq!(world.find(SERVER, AGES), (Ok("env x".to_owned()), vec![]));
    variable(r#"{"auths":{"other.example.org":{"auth":"b(env:x)"}}}"#);
    assert_eq!(
        world.find(SERVER, AGES),
        (Ok("me secret".to_owned()), vec![])
    );
    variable(r#"{"auths":{"SERVER":{"auth":"b(env:x)"}},"credsStore":"x"}"#);
    let note = "DOCKER_AUTH_CONFIG is ignored, as docker ignores it: `credsStore` is not known \
                there, only `auths`";
    let (found, notes) = world.find(SERVER, AGES);
    assert_eq!(
        (found.as_deref(), &notes[..]),
        (Ok("me secret"), &[note.to_owned()][..])
    );
}

#[test]
fn the_file_is_where_docker_has_it() {
    let world = World::new();
    let find = || world.find(SERVER, AGES).0;
    assert_eq!(find().as_deref(), Ok("none"));
    let path = world.config(r#"{"auths":{"SERVER":{"auth":"b(me:home)"}}}"#);
    assert_eq!(find().as_deref(), Ok("me home"));
    let other = world.home.path().join("other");
    world.exec.set_var("DOCKER_CONFIG", other.to_str().unwrap());
    assert_eq!(find().as_deref(), Ok("none"), "a folder that is not there");
    fs::create_dir_all(other.join("config.json")).unwrap();
    let error = find().unwrap_err();
    assert!(
        error.starts_with(
            "failed to read `HOME/other/config.json`, where docker keeps credentials: "
        ),
        "{error}"
    );
    assert!(
        error.contains("; hint: let this account read it"),
        "{error}"
    );
    world
        .exec
        .set_var("DOCKER_CONFIG", path.parent().unwrap().to_str().unwrap());
    world.config("{");
    let want = format!(
        "`HOME/.docker/config.json` is not a configuration of docker's: EOF while parsing an object \
         at line 1 column 1; hint: `docker login {SERVER}` writes a new one once it is moved away"
    );
    assert_eq!(find(), Err(want));
}
