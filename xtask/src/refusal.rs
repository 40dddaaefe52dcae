//! Why something is not done, and what to do about it: the one form in which every command says so.

use std::fmt;

use serde::Serialize;

use crate::stop::Stop;

/// A reason against what was asked for, with its remedy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    pub why: String,
    /// What to type or to change.
    pub remedy: String,
}

impl Refusal {
    pub fn new(why: impl Into<String>, remedy: impl Into<String>) -> Refusal {
        Refusal {
            why: why.into(),
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  hint: {}", self.why, self.remedy)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refused(refusal.to_string())
    }
}

/// All refusals of one request: an error that gives each reason with its remedy, after `what`.
pub(crate) fn stop(what: &str, refusals: &[Refusal]) -> Stop {
    let lines = refusals.iter().map(|refusal| format!("\n- {refusal}"));
    Stop::Refused(format!("{what}:{}", lines.collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_comes_with_its_remedy() {
        let refusals = [
            Refusal::new("the tree is dirty", "`git stash`"),
            Refusal::new("no version", "`git tag`"),
        ];
        assert_eq!(
            stop("nothing was released", &refusals).to_string(),
            "nothing was released:\n- the tree is dirty\n  hint: `git stash`\n- no version\n  \
             hint: `git tag`"
        );
        let [first, _] = refusals;
        let one = Stop::from(first);
        assert!(matches!(one, Stop::Refused(_)));
        assert_eq!(one.to_string(), "the tree is dirty\n  hint: `git stash`");
    }
}
