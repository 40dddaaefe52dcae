//! The steps of a build, as an image's history has them.

use crate::oci::Step;

/// Characters of a step's line that are shown.
const MAX_LINE: usize = 60;

/// For each layer, the step that made it. All are none when the history does not fit the number of
/// layers: a wrong line is worse than none.
pub(crate) fn of_layers(history: &[Step], layers: usize) -> Vec<Option<&Step>> {
    let made: Vec<_> = history.iter().filter(|step| !step.empty_layer).collect();
    if made.len() != layers {
        return vec![None; layers];
    }
    made.into_iter().map(Some).collect()
}

/// The line of the Dockerfile that a step came of, short and without the build arguments of a shell.
/// A secret in the line itself is not hidden.
pub(crate) fn line(created_by: &str) -> String {
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

/// A step without the build arguments that it could read, which stand before its shell: `|1 A=b`.
fn without_arguments(line: &str) -> &str {
    let step = line.strip_prefix("RUN ").unwrap_or(line);
    match step.find("/bin/sh -c ") {
        Some(start) if step.starts_with('|') => &step[start..],
        _ => line,
    }
}
