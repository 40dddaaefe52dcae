//! Which checks run: all, or those that `--only` and `--skip` leave.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use xtask::stop::Stop;

use super::check::Check;
use super::checks::{GROUPS, catalogue};

/// The checks that run and those that do not.
pub(crate) struct Choice {
    pub(crate) chosen: Vec<&'static Check>,
    pub(crate) skipped: Vec<&'static Check>,
}

/// Applies `--only` and `--skip`, which take ids of checks and groups.
///
/// Fails when no check is left.
pub(crate) fn choose(only: &[String], skip: &[String]) -> Result<Choice, Stop> {
    let names = |words: &[String], check: &Check| {
        let mut words = words.iter();
        words.any(|word| word == check.id || word == check.group())
    };
    let is_chosen = |check: &&Check| (only.is_empty() || names(only, check)) && !names(skip, check);
    let (chosen, skipped): (Vec<_>, Vec<_>) = catalogue().partition(is_chosen);
    if chosen.is_empty() {
        return Err(Stop::Usage(
            "`--only` and `--skip` leave no check to run; hint: `cargo xtask verify --list`"
                .to_owned(),
        ));
    }
    Ok(Choice { chosen, skipped })
}

/// Parses ids and groups, which shells complete. Clap's own parser would list all of them in an
/// error.
#[derive(Clone)]
pub(crate) struct Words;

impl Words {
    fn all() -> impl Iterator<Item = &'static str> {
        GROUPS.into_iter().chain(catalogue().map(|check| check.id))
    }
}

impl TypedValueParser for Words {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        let word = value.to_string_lossy();
        if Words::all().any(|known| known == word) {
            return Ok(word.into_owned());
        }
        let near = Words::all().min_by_key(|known| strsim::osa_distance(known, &word));
        let text = format!(
            "no check or group is called `{word}`; hint: is it `{}`? `cargo xtask verify --list` \
             explains them all\n",
            near.unwrap_or_default()
        );
        Err(clap::Error::raw(ErrorKind::InvalidValue, text).with_cmd(command))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Words::all().map(PossibleValue::new)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(only: &[&str], skip: &[&str]) -> Option<Vec<&'static str>> {
        let own = |words: &[&str]| {
            words
                .iter()
                .map(|&word| word.to_owned())
                .collect::<Vec<_>>()
        };
        let choice = choose(&own(only), &own(skip)).ok()?;
        let all = choice.chosen.len() + choice.skipped.len();
        assert_eq!(all, catalogue().count());
        Some(choice.chosen.iter().map(|check| check.id).collect())
    }

    #[test]
    fn checks_are_chosen_by_id_and_by_group() {
        assert_eq!(ids(&[], &[]).unwrap().len(), catalogue().count());
        assert_eq!(ids(&["image-size"], &[]).unwrap(), ["image-size"]);
        let index = ["index-platforms", "index-attestations", "index-complete"];
        assert_eq!(ids(&["index"], &[]).unwrap(), index);
        assert_eq!(ids(&["index"], &["index-complete"]).unwrap(), index[..2]);
        assert!(!ids(&[], &["image"]).unwrap().contains(&"image-size"));
        assert_eq!(ids(&["index"], &["index"]), None);
    }
}
