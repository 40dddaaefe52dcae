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
        (&["sleep", "infinity"], Config::Run(defaults())),
        (
            &["--child", "tail", "-f", "/dev/null"],
            Config::Run(Run {
                to_group: false,
                ..defaults()
            }),
        ),
        (&["--", "sleep", "infinity"], Config::Run(defaults())),
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

mod properties {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::sys::{each, words_of_bytes};

    type Bytes = Vec<u8>;

    /// Bytes as the kernel hands them over: anything but NUL.
    fn bytes() -> impl Strategy<Value = Bytes> {
        vec(1..=u8::MAX, 0..12)
    }

    fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = Bytes> {
        let word = proptest::sample::select(words);
        word.prop_map(|word| word.as_bytes().to_vec())
    }

    /// Arguments, among them often those that mean something.
    fn argument() -> impl Strategy<Value = Bytes> {
        let known = &[
            "--",
            "--group",
            "--child",
            "health",
            "headless",
            "--json",
            "--deep",
            "--help",
            "-V",
            "-p",
            "--print",
            "--output-format",
            "sh",
            "",
        ];
        prop_oneof![one_of(known), bytes()]
    }

    /// Variables, among them often those that are read.
    fn variable() -> impl Strategy<Value = Bytes> {
        let names = &[
            WORKSPACE,
            QUIET,
            SIGNALS,
            GRACE_SECONDS,
            CHOWN,
            UMASK,
            PROBE_SECONDS,
            "AGENT_ENTRYPOINT_OUTPUT_FORMAT",
            "AGENT_ENTRYPOINT_MAX_TURNS",
            "HOME",
        ];
        let values = &[
            "",
            "0",
            "1",
            "all",
            "top",
            "child",
            "group",
            "json",
            "0777",
            "3600",
            "4294967296",
            "/workspace",
            "/a/../b",
            "//",
            "/./x",
        ];
        let known = (one_of(names), prop_oneof![one_of(values), bytes()]);
        let known = known.prop_map(|(name, value)| [name, value].join(&b'='));
        prop_oneof![known, bytes()]
    }

    fn is_ours(word: &CStr) -> bool {
        [c"--group", c"--child"].contains(&word)
    }

    proptest! {
        /// Whatever the words and the variables are: settings are within their limits, a refusal is
        /// wrong usage and says so in one line, and a command is the end of the words, untouched.
        #[test]
        fn any_words_and_variables_are_understood_or_refused(
            arguments in vec(argument(), 0..8),
            env in vec(variable(), 0..8),
        ) {
            let (arguments, env) = (words_of_bytes(&arguments), words_of_bytes(&env));
            let run = match Config::parse(arguments, Env(env)) {
                Ok(Config::Run(run)) => run,
                Ok(Config::Headless(headless, run)) => {
                    let all: Vec<_> = each(headless.command().unwrap()).collect();
                    prop_assert_eq!(all[0], c"claude");
                    let at = each(arguments).skip(1).position(|word| word == c"headless");
                    let given: Vec<_> = each(arguments).skip(at.unwrap() + 2).collect();
                    prop_assert!(all.ends_with(&given));
                    prop_assert_eq!(run.command, None);
                    run
                }
                Ok(Config::Health(probes)) => {
                    prop_assert!((1..=3600).contains(&probes.seconds));
                    return Ok(());
                }
                Ok(Config::Print(text)) => {
                    prop_assert!(!text.is_empty());
                    return Ok(());
                }
                Err(refusal) => {
                    prop_assert_eq!(refusal.code(), exit::USAGE);
                    prop_assert!(!refusal.to_string().contains(char::is_control));
                    return Ok(());
                }
            };
            prop_assert!((1..=3600).contains(&run.grace_seconds));
            prop_assert!(run.umask.is_none_or(|umask| umask <= 0o777));
            let path = run.workspace.to_str().unwrap_or("/not UTF-8");
            prop_assert!(path.starts_with('/') && path.split('/').all(|part| part != ".."));
            prop_assert!(path.split('/').any(|part| !part.is_empty() && part != "."));
            if let Some(command) = run.command {
                // The very same words, not equal ones.
                prop_assert_eq!(command.as_ptr_range().end, arguments.as_ptr_range().end);
                let before = arguments.len() - command.len();
                let mut before = each(arguments).take(before).skip(1).peekable();
                while before.next_if(|word| is_ours(word)).is_some() {}
                prop_assert!(before.next().is_none_or(|word| word == c"--"));
                prop_assert_eq!(before.next(), None);
            }
        }

        /// After `--` everything is a command, whatever it looks like.
        #[test]
        fn everything_behind_two_dashes_is_a_command(
            switches in vec(one_of(&["--group", "--child"]), 0..3),
            rest in vec(argument(), 0..6),
        ) {
            let own = [b"agent-entrypoint".to_vec()].into_iter();
            let all: Vec<_> = own.chain(switches).chain([b"--".to_vec()]).chain(rest.clone()).collect();
            let Ok(Config::Run(run)) = Config::parse(words_of_bytes(&all), Env(&[])) else {
                return Err(TestCaseError::fail("no command"));
            };
            prop_assert_eq!(run.command, command(words_of_bytes(&rest)));
        }

        /// Digits alone are a number, and it is the one that they say.
        #[test]
        fn numbers_are_what_digits_say(text in "[0-9+ -]{0,12}", value: u32) {
            let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let expected = text.parse().ok().filter(|_| is_digits);
            prop_assert_eq!(number(text.as_bytes(), 10), expected);
            let octal = format!("{value:o}");
            prop_assert_eq!(number(octal.as_bytes(), 8), Some(value));
        }
    }
}
