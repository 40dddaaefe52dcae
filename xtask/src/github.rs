//! What GitHub Actions reads: step outputs and the step summary. Elsewhere, nothing happens.

use std::fs::OpenOptions;
use std::io::Write as _;

use anyhow::Context as _;

use crate::exec::Exec;

/// Appends `outputs` to the file that `GITHUB_OUTPUT` names.
pub(crate) fn write_outputs(exec: &Exec, outputs: &[(&str, String)]) -> anyhow::Result<()> {
    let text: String = outputs
        .iter()
        .map(|(name, value)| output(name, value))
        .collect();
    append(exec, "GITHUB_OUTPUT", &text)
}

/// Appends Markdown to the file that `GITHUB_STEP_SUMMARY` names.
pub(crate) fn write_summary(exec: &Exec, markdown: &str) -> anyhow::Result<()> {
    append(exec, "GITHUB_STEP_SUMMARY", markdown)
}

fn append(exec: &Exec, variable: &str, text: &str) -> anyhow::Result<()> {
    let Some(path) = exec.var(variable) else {
        return Ok(());
    };
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("failed to append to `{path}` (from {variable})"))
}

/// One output in the heredoc form, which is safe for values of several lines. The delimiter
/// grows until no line of the value equals it, so that a value cannot end its own block.
fn output(name: &str, value: &str) -> String {
    let mut delimiter = String::from("EOF");
    while value.lines().any(|line| line == delimiter) {
        delimiter.push('_');
    }
    format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_end_its_own_block() {
        assert_eq!(output("digest", "sha256:0"), "digest<<EOF\nsha256:0\nEOF\n");
        assert_eq!(
            output("x", "a\nEOF\nevil=1\nEOF_"),
            "x<<EOF__\na\nEOF\nevil=1\nEOF_\nEOF__\n"
        );
    }
}
