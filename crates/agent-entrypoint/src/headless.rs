//! `agent-entrypoint headless …`: Claude Code without a person in front of it, set up by variables.
//!
//! Claude Code has only flags for these settings. Each flag is added if its variable is set and the
//! caller has not given it; everything else passes through untouched.

use core::ffi::CStr;

use rustix::io::Errno;

use crate::env::{self, Env};
use crate::exit::Refusal;
use crate::sys::{self, Word, Words, each};
use crate::text::number;

pub const OUTPUT_FORMAT: &str = "AGENT_ENTRYPOINT_OUTPUT_FORMAT";
pub const MAX_TURNS: &str = "AGENT_ENTRYPOINT_MAX_TURNS";
pub const PERMISSION_MODE: &str = "AGENT_ENTRYPOINT_PERMISSION_MODE";

/// Claude Code refuses this format without `--verbose`.
const STREAM: &CStr = c"stream-json";

/// The caller's arguments, and the flags of the variables.
#[derive(Debug, PartialEq, Eq)]
pub struct Headless<'a> {
    arguments: &'a Words<'a>,
    /// Flags, each with its value where there is one to add.
    options: [(&'static CStr, Option<&'a CStr>); 3],
}

impl<'a> Headless<'a> {
    /// `arguments` are those after `headless`, for Claude Code.
    pub fn parse(arguments: &'a Words<'a>, env: Env<'a>) -> Result<Self, Refusal<'a>> {
        let hint = "`text`, `json` or `stream-json`";
        let format = env::setting(env, OUTPUT_FORMAT, None, hint, |format| {
            let is_one = [c"text", c"json", STREAM].contains(&format);
            is_one.then_some(Some(format))
        })?;
        let hint = "a whole number, 1 or more";
        let turns = env::setting(env, MAX_TURNS, None, hint, |turns| {
            let number = number(turns.to_bytes(), 10)?;
            (number > 0).then_some(Some(turns))
        })?;
        // Claude Code knows its modes.
        let mode = env.filled(PERMISSION_MODE);
        let options = [
            (c"--output-format", format),
            (c"--max-turns", turns),
            (c"--permission-mode", mode),
        ];
        Ok(Self { arguments, options })
    }

    /// The whole command line of Claude Code.
    pub fn command(&self) -> Result<&'a Words<'a>, Errno> {
        let switch = |flag, is_wanted| (is_wanted && !self.gives(flag)).then_some(flag);
        let options = || self.options.iter().filter(|(flag, _)| !self.gives(flag));
        let streams = options().any(|(_, value)| *value == Some(STREAM));
        let switches = [
            Some(c"claude"),
            switch(c"--print", !self.gives(c"-p")),
            switch(c"--verbose", streams),
        ];
        let options = options().flat_map(|(flag, value)| [value.map(|_| *flag), *value]);
        let added = switches.into_iter().chain(options).flatten();
        let all = added.chain(each(self.arguments));
        sys::keep_words(all.clone().count(), all.map(Word::new))
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
