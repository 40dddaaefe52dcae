//! What arguments and variables come to, and what is refused.

use super::*;
use crate::exit;
use crate::sys::words;

fn parse(arguments: &[&str], env: &[&str]) -> Result<Config<'static>, Refusal<'static>> {
    let arguments = [&["agent-entrypoint"][..], arguments].concat();
    Config::parse(words(&arguments), Env(words(env)))
}

fn parsed(arguments: &[&str], env: &[&str]) -> Config<'static> {
    parse(arguments, env).unwrap()
}

fn defaults() -> Run<'static> {
    Run {
        command: None,
        workspace: c"/workspace",
        quiet: false,
        to_group: true,
        grace_seconds: 4,
        chown_all: false,
        umask: None,
    }
}

fn runs(command: &[&str]) -> Config<'static> {
    Config::Run(Run {
        command: super::command(words(command)),
        ..defaults()
    })
}

fn health() -> Probes<'static> {
    Probes {
        workspace: c"/workspace",
        seconds: 8,
        json: false,
        deep: false,
    }
}

#[test]
fn the_first_argument_decides() {
    let json = Probes {
        json: true,
        ..health()
    };
    let deep = Probes {
        deep: true,
        json: true,
        ..health()
    };
    for (arguments, expected) in [
        (&[][..], runs(&[])),
        (&["--"], runs(&[])),
        (&["sleep", "infinity"], runs(&["sleep", "infinity"])),
        (&["--", "sleep", "1"], runs(&["sleep", "1"])),
        (&["--", "health", "x"], runs(&["health", "x"])),
        (&["--", "--", "x"], runs(&["--", "x"])),
        (&["git", "--version"], runs(&["git", "--version"])),
        (&["git", "--", "x"], runs(&["git", "--", "x"])),
        (&["--group", "git", "--child"], runs(&["git", "--child"])),
        (&[""], runs(&[""])),
        (&["health"], Config::Health(health())),
        (&["health", "--json"], Config::Health(json)),
        (&["health", "--deep", "--json"], Config::Health(deep)),
        (&["--help"], Config::Print(help::TEXT)),
        (&["-h", "x"], Config::Print(help::TEXT)),
        (&["--version"], Config::Print(help::VERSION)),
        (&["-V"], Config::Print(help::VERSION)),
    ] {
        assert_eq!(parsed(arguments, &[]), expected, "{arguments:?}");
    }
    let Config::Headless(_, run) = parsed(&["--child", "headless", "hi"], &[]) else {
        panic!("not headless");
    };
    assert_eq!(
        run,
        Run {
            to_group: false,
            ..defaults()
        }
    );
}

#[test]
fn without_even_a_name_it_keeps_alive() {
    let config = Config::parse(words(&[]), Env(words(&[])));
    assert_eq!(config.ok(), Some(runs(&[])));
}

#[test]
fn variables_change_the_settings_and_options_come_first() {
    let env = [
        "WORKSPACE=/repo",
        "AGENT_ENTRYPOINT_QUIET=1",
        "AGENT_ENTRYPOINT_SIGNALS=child",
        "AGENT_ENTRYPOINT_GRACE_SECONDS=58",
        "AGENT_ENTRYPOINT_CHOWN=all",
        "AGENT_ENTRYPOINT_UMASK=0027",
        "AGENT_ENTRYPOINT_PROBE_SECONDS=3",
    ];
    let run = || Run {
        command: None,
        workspace: c"/repo",
        quiet: true,
        to_group: false,
        grace_seconds: 58,
        chown_all: true,
        umask: Some(0o027),
    };
    assert_eq!(parsed(&[], &env), Config::Run(run()));
    let to_group = Run {
        to_group: true,
        ..run()
    };
    assert_eq!(parsed(&["--group"], &env), Config::Run(to_group));
    let probes = Probes {
        workspace: c"/repo",
        seconds: 3,
        ..health()
    };
    assert_eq!(parsed(&["health"], &env), Config::Health(probes));

    let empty: Vec<String> = env
        .iter()
        .map(|variable| format!("{}=", variable.split('=').next().unwrap()))
        .collect();
    let empty: Vec<&str> = empty.iter().map(String::as_str).collect();
    assert_eq!(parsed(&[], &empty), runs(&[]));
    assert_eq!(parsed(&["health"], &empty), Config::Health(health()));
}

#[test]
fn wrong_usage_names_the_cure() {
    let below = "set it to an absolute path below `/`, without `..`";
    for (arguments, env, text) in [
        (
            &["--foo"][..],
            "",
            "unknown option: `--foo`; hint: `agent-entrypoint --help` lists them, and `--` goes before a command that starts with a dash".to_owned(),
        ),
        (
            &["health", "now"],
            "",
            "unknown argument of `health`: `now`; hint: `health [--json] [--deep]`, or `agent-entrypoint -- health …` for a program of that name".to_owned(),
        ),
        (&["true"], "WORKSPACE=work", format!("bad value of `WORKSPACE`: `work`; hint: {below}")),
        (&["true"], "WORKSPACE=/", format!("bad value of `WORKSPACE`: `/`; hint: {below}")),
        (&["true"], "WORKSPACE=//./", format!("bad value of `WORKSPACE`: `//./`; hint: {below}")),
        (&["true"], "WORKSPACE=/srv/..", format!("bad value of `WORKSPACE`: `/srv/..`; hint: {below}")),
        (
            &["true"],
            "AGENT_ENTRYPOINT_QUIET=yes",
            "bad value of `AGENT_ENTRYPOINT_QUIET`: `yes`; hint: set it to `0` or `1`".to_owned(),
        ),
        (
            &["true"],
            "AGENT_ENTRYPOINT_SIGNALS=all",
            "bad value of `AGENT_ENTRYPOINT_SIGNALS`: `all`; hint: set it to `group` or `child`".to_owned(),
        ),
        (
            &["true"],
            "AGENT_ENTRYPOINT_CHOWN=no",
            "bad value of `AGENT_ENTRYPOINT_CHOWN`: `no`; hint: set it to `top` or `all`".to_owned(),
        ),
        (
            &["true"],
            "AGENT_ENTRYPOINT_UMASK=8",
            "bad value of `AGENT_ENTRYPOINT_UMASK`: `8`; hint: set it to an octal number, 0 to 0777".to_owned(),
        ),
        (
            &["true"],
            "AGENT_ENTRYPOINT_GRACE_SECONDS=99999999999",
            "bad value of `AGENT_ENTRYPOINT_GRACE_SECONDS`: `99999999999`; hint: set it to whole seconds, 1 to 3600".to_owned(),
        ),
        (
            &["health"],
            "AGENT_ENTRYPOINT_PROBE_SECONDS=0",
            "bad value of `AGENT_ENTRYPOINT_PROBE_SECONDS`: `0`; hint: set it to whole seconds, 1 to 3600".to_owned(),
        ),
    ] {
        let refusal = parse(arguments, &[env]).err().unwrap();
        assert_eq!(refusal.code(), exit::USAGE);
        assert_eq!(refusal.to_string(), text);
    }
}
