//! The container that a `docker run …` makes, as the engine's API wants it described.
//!
//! The command line is what docs/contract.md gives and what people can repeat; it stays the only place that says
//! how a container is started. A test on an engine compares what becomes of both.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// A container to be made.
#[derive(Debug, PartialEq)]
pub(super) struct Create {
    pub(super) name: String,
    pub(super) platform: String,
    /// The body of the API's `POST /containers/create`.
    pub(super) body: Value,
}

/// The options of a command line, one after the other, up to the first word that is none.
struct Words<'a> {
    words: &'a [&'a str],
}

impl<'a> Words<'a> {
    /// The next option, and its value if that stands in the same word.
    fn option(&mut self) -> Option<(&'a str, Option<&'a str>)> {
        let (word, rest) = self.words.split_first()?;
        let option = word.strip_prefix("--")?;
        self.words = rest;
        Some(match option.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (option, None),
        })
    }

    /// The value that follows its option.
    fn value(&mut self, option: &str) -> anyhow::Result<&'a str> {
        let next = self.words.split_first();
        let (value, rest) = next.with_context(|| format!("`--{option}` has no value"))?;
        self.words = rest;
        Ok(value)
    }
}

impl Create {
    /// Reads `docker run ARGS`.
    ///
    /// Fails at an option that no check gives so far: it must not be left out in silence.
    pub(super) fn of(args: &[String]) -> anyhow::Result<Create> {
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        let words = words.strip_prefix(&["run"]).context("no `docker run`")?;
        let mut words = Words { words };
        let mut create = Create {
            name: String::new(),
            platform: String::new(),
            body: json!({
                "AttachStdout": true,
                "AttachStderr": true,
                "HostConfig": {"NetworkMode": "default"},
            }),
        };
        while let Some((option, value)) = words.option() {
            if create.set_flag(option) {
                continue;
            }
            let value = value.map_or_else(|| words.value(option), Ok)?;
            create.set(option, value)?;
        }
        let (image, command) = words.words.split_first().context("no image")?;
        create.body["Image"] = json!(image);
        if !command.is_empty() {
            create.body["Cmd"] = json!(command);
        }
        Ok(create)
    }

    /// An option without a value; false when it is none.
    fn set_flag(&mut self, option: &str) -> bool {
        let body = &mut self.body;
        match option {
            "rm" => body["HostConfig"]["AutoRemove"] = json!(true),
            "no-healthcheck" => body["Healthcheck"]["Test"] = json!(["NONE"]),
            "read-only" => body["HostConfig"]["ReadonlyRootfs"] = json!(true),
            "tty" => body["Tty"] = json!(true),
            "interactive" => body["OpenStdin"] = json!(true),
            "detach" => {
                body["AttachStdout"] = json!(false);
                body["AttachStderr"] = json!(false);
            }
            _ => return false,
        }
        true
    }

    /// An option with its value. A list grows; anything else is replaced.
    fn set(&mut self, option: &str, value: &str) -> anyhow::Result<()> {
        let failed = || format!("`--{option} {value}` cannot be read");
        let body = &mut self.body;
        match option {
            "pull" => anyhow::ensure!(value == "never", "only what the engine has is started"),
            "name" => value.clone_into(&mut self.name),
            "platform" => value.clone_into(&mut self.platform),
            "label" => {
                let (name, value) = value.split_once('=').with_context(failed)?;
                body["Labels"][name] = json!(value);
            }
            "user" => body["User"] = json!(value),
            "workdir" => body["WorkingDir"] = json!(value),
            "entrypoint" => body["Entrypoint"] = json!([value]),
            "env" => set_variable(&mut body["Env"], value),
            "stop-timeout" => body["StopTimeout"] = json!(value.parse::<u32>()?),
            "health-interval" => body["Healthcheck"]["Interval"] = json!(nanoseconds(value)?),
            "health-timeout" => body["Healthcheck"]["Timeout"] = json!(nanoseconds(value)?),
            "health-start-period" => {
                body["Healthcheck"]["StartPeriod"] = json!(nanoseconds(value)?);
            }
            "health-retries" => body["Healthcheck"]["Retries"] = json!(value.parse::<u32>()?),
            _ => {
                let host = &mut body["HostConfig"];
                match option {
                    "volume" => push(&mut host["Binds"], value),
                    "network" => host["NetworkMode"] = json!(value),
                    "cap-drop" => push(&mut host["CapDrop"], value),
                    "security-opt" => push(&mut host["SecurityOpt"], value),
                    "pids-limit" => host["PidsLimit"] = json!(value.parse::<u32>()?),
                    "memory" => host["Memory"] = json!(bytes(value).with_context(failed)?),
                    "cpus" => host["NanoCpus"] = json!(value.parse::<u64>()? * 1_000_000_000),
                    "tmpfs" => {
                        let (path, options) = value.split_once(':').with_context(failed)?;
                        host["Tmpfs"][path] = json!(options);
                    }
                    _ => bail!("`docker run --{option}` is not known here"),
                }
            }
        }
        Ok(())
    }
}

/// The body of the API's `POST /containers/NAME/exec` for `docker exec OPTIONS NAME COMMAND`.
///
/// Fails at an option that no check gives so far.
pub(super) fn exec_body(options: &[&str], command: &[&str]) -> anyhow::Result<Value> {
    let mut body = json!({"AttachStdout": true, "AttachStderr": true, "Cmd": command});
    let mut words = Words { words: options };
    while let Some((option, value)) = words.option() {
        let value = value.map_or_else(|| words.value(option), Ok)?;
        match option {
            "user" => body["User"] = json!(value),
            "env" => set_variable(&mut body["Env"], value),
            _ => bail!("`docker exec --{option}` is not known here"),
        }
    }
    anyhow::ensure!(words.words.is_empty(), "an option without dashes");
    Ok(body)
}

fn push(list: &mut Value, value: &str) {
    match list.as_array_mut() {
        Some(list) => list.push(json!(value)),
        None => *list = json!([value]),
    }
}

/// A variable that is given again has the last value alone, as docker's client has it: of two a program may find the
/// first.
fn set_variable(list: &mut Value, variable: &str) {
    let name = |variable: &str| variable.split('=').next().map(str::to_owned);
    if let Some(list) = list.as_array_mut() {
        list.retain(|old| old.as_str().and_then(name) != name(variable));
    }
    push(list, variable);
}

fn nanoseconds(text: &str) -> anyhow::Result<u64> {
    let time: Duration = humantime::parse_duration(text)?;
    Ok(u64::try_from(time.as_nanos())?)
}

/// A number of bytes, as docker reads `2g`.
fn bytes(text: &str) -> Option<u64> {
    let gigabytes: u64 = text.strip_suffix('g')?.parse().ok()?;
    gigabytes.checked_mul(1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> anyhow::Result<Create> {
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Create::of(&args)
    }

    #[test]
    fn a_command_line_is_described() {
        let line = "run --detach --pull never --platform linux/amd64 --name a --label b=c=d --user agentgate \
             --read-only --cap-drop ALL --memory 2g --cpus 2 --pids-limit 256 --tmpfs /tmp:rw,size=1m --env A=1 --env B=1 \
             --env A=2 --tmpfs /tmp:rw,size=64k --stop-timeout=5 --health-interval=1s --health-timeout=80s \
             --health-start-period=1ms --health-retries 3 --volume /a:/b:ro sha256:00 sh -c --rm";
        let create = of(line).unwrap();
        assert_eq!((&*create.name, &*create.platform), ("a", "linux/amd64"));
        let expected = json!({
            "AttachStdout": false,
            "AttachStderr": false,
            "User": "agentgate",
            "Labels": {"b": "c=d"},
            "Env": ["B=1", "A=2"],
            "StopTimeout": 5,
            "Healthcheck": {
                "Interval": 1_000_000_000, "Timeout": 80_000_000_000_u64, "StartPeriod": 1_000_000, "Retries": 3,
            },
            "Image": "sha256:00",
            "Cmd": ["sh", "-c", "--rm"],
            "HostConfig": {
                "NetworkMode": "default",
                "ReadonlyRootfs": true,
                "CapDrop": ["ALL"],
                "Memory": 2_147_483_648_u64,
                "NanoCpus": 2_000_000_000_u64,
                "PidsLimit": 256,
                "Tmpfs": {"/tmp": "rw,size=64k"},
                "Binds": ["/a:/b:ro"],
            },
        });
        assert_eq!(create.body, expected);
    }

    #[test]
    fn a_health_check_can_be_left_out() {
        let create = of("run --no-healthcheck x").unwrap();
        assert_eq!(create.body["Healthcheck"], json!({"Test": ["NONE"]}));
    }

    #[test]
    fn what_is_not_understood_is_not_left_out() {
        for (line, expected) in [
            (
                "run --privileged=true x",
                "`docker run --privileged` is not known here",
            ),
            ("run --user", "`--user` has no value"),
            ("run --rm", "no image"),
            ("run --memory 2x x", "`--memory 2x` cannot be read"),
            ("run --pull always x", "only what the engine has is started"),
        ] {
            assert_eq!(of(line).unwrap_err().to_string(), expected, "{line}");
        }
        let wrong = exec_body(&["--privileged=true"], &["id"]).unwrap_err();
        let expected = "`docker exec --privileged` is not known here";
        assert_eq!(wrong.to_string(), expected);
    }

    #[test]
    fn an_exec_is_described() {
        let body = exec_body(&["--user", "1:2", "--env", "A=B"], &["id", "--user"]).unwrap();
        let expected = json!({
            "AttachStdout": true, "AttachStderr": true,
            "User": "1:2", "Env": ["A=B"], "Cmd": ["id", "--user"],
        });
        assert_eq!(body, expected);
    }
}
