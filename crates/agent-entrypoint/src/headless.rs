//! `agent-entrypoint headless …`: Claude Code without a person in front of it, set up by variables.
//!
//! Claude Code has no variable for these, only flags. Each is added where its variable is set and the
//! caller has not given the flag; everything else passes through untouched.

use core::ffi::CStr;

use rustix::io::Errno;

use crate::config::{self, Env};
use crate::exit::Refusal;
use crate::sys::{self, Word, Words, each};

pub const OUTPUT_FORMAT: &str = "AGENT_ENTRYPOINT_OUTPUT_FORMAT";
pub const MAX_TURNS: &str = "AGENT_ENTRYPOINT_MAX_TURNS";
pub const PERMISSION_MODE: &str = "AGENT_ENTRYPOINT_PERMISSION_MODE";

const STREAM: &CStr = c"stream-json";
/// As many words as there can be in front of the caller's: `claude`, two switches, three options.
const MOST_ADDED: usize = 9;

/// What the caller gave, and what the variables say.
#[derive(Debug, PartialEq, Eq)]
pub struct Headless<'a> {
    arguments: &'a Words<'a>,
    output_format: Option<&'a CStr>,
    max_turns: Option<&'a CStr>,
    permission_mode: Option<&'a CStr>,
}

impl<'a> Headless<'a> {
    /// `arguments` are those after `headless`, for Claude Code.
    pub fn parse(arguments: &'a Words<'a>, env: Env<'a>) -> Result<Self, Refusal<'a>> {
        let formats = "`text`, `json` or `stream-json`";
        Ok(Self {
            arguments,
            output_format: config::setting(env, OUTPUT_FORMAT, None, formats, |format| {
                let is_one = [c"text", c"json", STREAM].contains(&format);
                is_one.then_some(Some(format))
            })?,
            max_turns: config::setting(
                env,
                MAX_TURNS,
                None,
                "a whole number, 1 or more",
                |turns| {
                    let number = config::number(turns.to_bytes(), 10)?;
                    (number > 0).then_some(Some(turns))
                },
            )?,
            // Which modes there are is Claude Code's to say.
            permission_mode: env.filled(PERMISSION_MODE),
        })
    }

    /// The whole command line of Claude Code.
    pub fn command(&self) -> Result<&'a Words<'a>, Errno> {
        let added = self.added();
        let added = added.iter().flatten().copied();
        let all = added.chain(each(self.arguments));
        let words = sys::allocate_words(all.clone().count() + 1)?;
        for (place, word) in words.iter_mut().zip(all) {
            *place = Some(Word::new(word));
        }
        Ok(words)
    }

    /// The words in front of the caller's own.
    fn added(&self) -> [Option<&'a CStr>; MOST_ADDED] {
        let with = |flag: &'static CStr, value: Option<&'a CStr>| {
            let value = value.filter(|_| !self.gives(flag));
            [value.map(|_| flag), value]
        };
        let switch =
            |flag: &'static CStr, wanted: bool| (wanted && !self.gives(flag)).then_some(flag);
        let [format, format_value] = with(c"--output-format", self.output_format);
        let [turns, turns_value] = with(c"--max-turns", self.max_turns);
        let [mode, mode_value] = with(c"--permission-mode", self.permission_mode);
        // Claude Code refuses the stream without it.
        let streams = format_value == Some(STREAM);
        [
            Some(c"claude"),
            switch(c"--print", !self.gives(c"-p")),
            switch(c"--verbose", streams),
            format,
            format_value,
            turns,
            turns_value,
            mode,
            mode_value,
        ]
    }

    /// Returns true if the caller gave this flag, as `--flag` or `--flag=…`, before a `--`.
    fn gives(&self, flag: &CStr) -> bool {
        each(self.arguments)
            .take_while(|word| *word != c"--")
            .filter_map(|word| word.to_bytes().strip_prefix(flag.to_bytes()))
            .any(|rest| matches!(rest, [] | [b'=', ..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::words;

    fn command(arguments: &[&str], env: &[&str]) -> String {
        let headless = Headless::parse(words(arguments), Env(words(env)));
        let words: Vec<_> = each(headless.ok().unwrap().command().unwrap())
            .map(|word| word.to_str().unwrap())
            .collect();
        words.join(" ")
    }

    #[test]
    fn flags_come_from_the_environment_unless_they_are_given() {
        let json = "AGENT_ENTRYPOINT_OUTPUT_FORMAT=json";
        let stream = "AGENT_ENTRYPOINT_OUTPUT_FORMAT=stream-json";
        let turns = "AGENT_ENTRYPOINT_MAX_TURNS=5";
        let plan = "AGENT_ENTRYPOINT_PERMISSION_MODE=plan";
        for (arguments, env, expected) in [
            (&["hi"][..], &[][..], "claude --print hi"),
            (&[], &[json], "claude --print --output-format json"),
            (&["-p", "hi"], &[json], "claude --output-format json -p hi"),
            (&["--print", "hi"], &[], "claude --print hi"),
            (
                &["hi", "--output-format", "text"],
                &[json, turns],
                "claude --print --max-turns 5 hi --output-format text",
            ),
            (
                &["--output-format=text", "--max-turns=1"],
                &[json, turns],
                "claude --print --output-format=text --max-turns=1",
            ),
            (
                &["hi"],
                &[stream, plan],
                "claude --print --verbose --output-format stream-json --permission-mode plan hi",
            ),
            (
                &["--verbose", "hi"],
                &[stream],
                "claude --print --output-format stream-json --verbose hi",
            ),
            (
                &["--output-formats", "--", "-p"],
                &[json],
                "claude --print --output-format json --output-formats -- -p",
            ),
        ] {
            assert_eq!(command(arguments, env), expected);
        }
    }

    #[test]
    fn a_bad_value_names_the_cure() {
        for (env, text) in [
            (
                "AGENT_ENTRYPOINT_OUTPUT_FORMAT=xml",
                "bad value of `AGENT_ENTRYPOINT_OUTPUT_FORMAT`: `xml`; hint: set it to `text`, `json` or `stream-json`",
            ),
            (
                "AGENT_ENTRYPOINT_MAX_TURNS=0",
                "bad value of `AGENT_ENTRYPOINT_MAX_TURNS`: `0`; hint: set it to a whole number, 1 or more",
            ),
            (
                "AGENT_ENTRYPOINT_MAX_TURNS=-1",
                "bad value of `AGENT_ENTRYPOINT_MAX_TURNS`: `-1`; hint: set it to a whole number, 1 or more",
            ),
        ] {
            let refusal = Headless::parse(words(&[]), Env(words(&[env])))
                .err()
                .unwrap();
            assert_eq!(refusal.to_string(), text);
        }
    }
}
