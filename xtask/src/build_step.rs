//! The steps of a build, as an image's history has them.

use crate::oci::Step;

/// Characters of a step's line that are shown.
const MAX_LINE: usize = 60;
/// Bytes that a layer's name may have.
const MAX_NAME: usize = 40;

/// For each layer, the step that made it. All are none when the history does not fit the number of
/// layers: a wrong line is worse than none.
pub fn of_layers(history: &[Step], layers: usize) -> Vec<Option<&Step>> {
    let made: Vec<_> = history.iter().filter(|step| !step.empty_layer).collect();
    if made.len() != layers {
        return vec![None; layers];
    }
    made.into_iter().map(Some).collect()
}

/// The line of the Dockerfile that a step came of, short and without the build arguments of a shell.
/// A secret in the line itself is not hidden.
pub fn line(created_by: &str) -> String {
    let words = created_by.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = words.trim_end_matches("# buildkit").trim_end();
    let line = without_arguments(line);
    let line = match line.strip_prefix("/bin/sh -c ") {
        Some(rest) => match rest.strip_prefix("#(nop) ") {
            Some(instruction) => instruction.trim_start().to_owned(),
            None => format!("RUN {rest}"),
        },
        None => line.replacen("RUN /bin/sh -c ", "RUN ", 1),
    };
    let line = line.replace('`', "'");
    if line.chars().count() <= MAX_LINE {
        return line;
    }
    let start: String = line.chars().take(MAX_LINE - 1).collect();
    format!("{}…", start.trim_end())
}

/// The name of the layer that holds Claude Code.
pub(crate) const CLAUDE: &str = "Claude Code";

/// A short name for each layer; the layers below the first that has one of its own are `base`. All are
/// none when no step has a name, as in an image of another Dockerfile.
pub(crate) fn names(steps: &[Option<&Step>]) -> Vec<Option<String>> {
    let mut names: Vec<_> = steps
        .iter()
        .map(|step| step.and_then(|step| name(&step.created_by)))
        .collect();
    let first = names.iter().position(Option::is_some).unwrap_or_default();
    names[..first].fill(Some("base".to_owned()));
    names
}

/// The name that a step gives its layer: the comment in which its script begins, or the folder of its
/// build stage that it copies to `/`.
fn name(created_by: &str) -> Option<String> {
    if let Some((_, script)) = created_by.split_once("/bin/sh -c ") {
        let comment = script.lines().next()?.strip_prefix("# ")?;
        let is_plain = |char: char| char.is_ascii_alphanumeric() || " ,.-".contains(char);
        let is_name = comment.len() <= MAX_NAME && comment.chars().all(is_plain);
        return is_name.then(|| comment.to_owned());
    }
    let copied = created_by.strip_prefix("COPY /");
    let folder = copied.and_then(|copied| copied.split_once("/ /"));
    match folder {
        Some(("claude-code", _)) => Some(CLAUDE.to_owned()),
        Some(("settings", _)) => Some("settings".to_owned()),
        Some(("entrypoint", _)) => Some("entrypoint".to_owned()),
        _ if created_by.starts_with("WORKDIR /workspace") => Some("workspace".to_owned()),
        _ => None,
    }
}

/// A step without the build arguments that it could read, which stand before its shell: `|1 A=b`.
fn without_arguments(line: &str) -> &str {
    let step = line.strip_prefix("RUN ").unwrap_or(line);
    match step.find("/bin/sh -c ") {
        Some(start) if step.starts_with('|') => &step[start..],
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_named_by_the_step_that_made_it() {
        for (created_by, expected) in [
            (
                "RUN |1 EXTRA_PACKAGES= /bin/sh -c # packages and user\nset -euf\napk add # buildkit",
                Some("packages and user"),
            ),
            ("RUN /bin/sh -c apk add jq # buildkit", None),
            ("RUN /bin/sh -c # \u{1b}[31mred\ntrue", None),
            ("COPY /claude-code/ / # buildkit", Some("Claude Code")),
            ("COPY /settings/ / # buildkit", Some("settings")),
            ("COPY /entrypoint/ / # buildkit", Some("entrypoint")),
            ("COPY /out/ / # buildkit", None),
            ("WORKDIR /workspace", Some("workspace")),
            ("", None),
        ] {
            assert_eq!(name(created_by).as_deref(), expected, "{created_by}");
        }
    }

    #[test]
    fn what_is_below_the_first_name_is_the_base() {
        let step = |created_by: &str| Step {
            created_by: created_by.to_owned(),
            ..Step::default()
        };
        let (base, run) = (step("ADD rootfs"), step("RUN /bin/sh -c # packages\napk"));
        let other = step("RUN /bin/sh -c true");
        let names = |steps: &[Option<&Step>]| {
            let names = names(steps).into_iter();
            names.map(Option::unwrap_or_default).collect::<Vec<_>>()
        };
        assert_eq!(
            names(&[Some(&base), None, Some(&run), Some(&other)]),
            ["base", "base", "packages", ""]
        );
        assert_eq!(names(&[Some(&base), Some(&other)]), ["", ""]);
    }
}
