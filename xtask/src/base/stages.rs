//! The stages of a Dockerfile, read as BuildKit does (moby/buildkit, `frontend/dockerfile/parser`).

mod heredoc;

use std::str::Lines;

use self::heredoc::heredocs;

pub(super) struct Stage<'a> {
    pub(super) image: &'a str,
    pub(super) name: Option<&'a str>,
}

/// The stages of a Dockerfile, in order; the bodies of its heredocs are not read. An image whose name goes on in the
/// next line has the end of its line in it.
pub(super) fn stages(dockerfile: &str) -> Vec<Stage<'_>> {
    // BuildKit ignores a byte order mark (dependabot/dependabot-core#5118, renovatebot/renovate#30149).
    let text = dockerfile.strip_prefix('\u{feff}').unwrap_or(dockerfile);
    let escape = escape(text);
    let mut lines = text.lines();
    let mut stages = Vec::new();
    while let Some(parts) = instruction(&mut lines, escape) {
        let words = words(text, &parts);
        let mut words = words.into_iter();
        let is = |word: &str, name: &str| word.eq_ignore_ascii_case(name);
        let mut name = words.next().unwrap_or_default();
        if is(name, "ONBUILD") {
            name = words.next().unwrap_or_default();
        } else if is(name, "FROM") {
            stages.extend(stage(words));
            continue;
        }
        if ["RUN", "COPY", "ADD"].iter().any(|one| is(name, one)) {
            for heredoc in heredocs(&parts.concat()) {
                // One that does not end fails the build: what follows is read, so that it is not hidden.
                let rest = lines.clone();
                if !lines.any(|line| heredoc.is_end(line)) {
                    lines = rest;
                }
            }
        }
    }
    stages
}

fn stage<'a>(words: impl Iterator<Item = &'a str>) -> Option<Stage<'a>> {
    let mut words = words.skip_while(|word| word.starts_with("--"));
    let image = words.next()?;
    let is_named = words
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case("AS"));
    let name = words.next().filter(|_| is_named);
    Some(Stage { image, name })
}

/// What continues a line: a backslash, or a backtick where a directive at the top says so.
fn escape(text: &str) -> char {
    for line in text.lines() {
        let directive = line.trim_start().strip_prefix('#');
        let Some((key, value)) = directive.and_then(|line| line.split_once('=')) else {
            break;
        };
        match &*key.trim().to_ascii_lowercase() {
            "escape" if value.trim() == "`" => return '`',
            "escape" | "syntax" | "check" => {}
            _ => break,
        }
    }
    '\\'
}

/// The lines of the next instruction, each without what continues it; none at the end. Comments and empty lines are
/// left out, also between the lines of one.
fn instruction<'a>(lines: &mut Lines<'a>, escape: char) -> Option<Vec<&'a str>> {
    let is_read = |line: &&str| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    };
    let mut parts = Vec::new();
    for line in lines.by_ref().filter(is_read) {
        let trimmed = line.trim_end_matches([' ', '\t', '\r']);
        // An escape that is escaped itself continues nothing.
        let before = trimmed.strip_suffix(escape);
        let Some(part) = before.filter(|before| !before.ends_with(escape)) else {
            parts.push(line);
            return Some(parts);
        };
        parts.push(part);
    }
    (!parts.is_empty()).then_some(parts)
}

/// The words of an instruction. One that is cut by the end of a line is whole, with what cuts it.
fn words<'a>(text: &'a str, parts: &[&'a str]) -> Vec<&'a str> {
    let start = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    let mut words: Vec<&str> = Vec::new();
    let mut is_open = false;
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let mut own = part.split_whitespace();
        if is_open
            && !part.starts_with(char::is_whitespace)
            && let (Some(first), Some(before)) = (own.next(), words.pop())
        {
            words.push(&text[start(before)..start(first) + first.len()]);
        }
        words.extend(own);
        is_open = !part.ends_with(char::is_whitespace);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(text: &str) -> Vec<&str> {
        stages(text).iter().map(|stage| stage.image).collect()
    }

    #[test]
    fn an_instruction_may_have_several_lines() {
        for (text, found) in [
            // What looks like a stage is a line of another instruction.
            ("RUN a \\\nFROM no\nFROM yes\n", &["yes"][..]),
            ("RUN a \\  \r\nFROM no\r\nFROM yes\r\n", &["yes"]),
            ("RUN a \\\n# comment \\\n\n  FROM no\nFROM yes", &["yes"]),
            ("RUN a \\\\\nFROM yes\n", &["yes"]),
            ("RUN a \\ b\nFROM yes\n", &["yes"]),
            ("# a \\\nFROM yes\n", &["yes"]),
            ("FROM \\\n  --platform=a \\\n# c\n  yes \\\n AS b", &["yes"]),
            ("FROM a\\\nb:1\\\n AS c\n", &["a\\\nb:1"]),
            ("\\\nFROM yes\\\n", &["yes"]),
            ("FROM \\\n", &[]),
            // The directive counts at the top alone.
            ("# escape=`\nRUN c:\\\nFROM yes\n", &["yes"]),
            ("# syntax=x\n#ESCAPE = ` \nRUN a `\nFROM no\n", &[]),
            ("# escape=`\nFROM a`\nb\n", &["a`\nb"]),
            ("# hello\n# escape=`\nRUN a `\nFROM yes\n", &["yes"]),
            ("ARG A=1\nFROM yes\n", &["yes"]),
        ] {
            assert_eq!(images(text), found, "{text}");
        }
        assert_eq!(stages("FROM a \\\n AS b\n")[0].name, Some("b"));
    }

    /// What BuildKit's own tests of heredocs have, and what was taken for one.
    #[test]
    fn the_bodies_of_heredocs_are_not_read() {
        for (text, found) in [
            ("RUN echo $((1<<2))\nFROM yes\n", &["yes"][..]),
            ("RUN python3 -c 'print(1 << E)'\nFROM yes\nE\n", &["yes"]),
            ("ENV A=<<E\nFROM yes\nE\n", &["yes"]),
            ("LABEL a=<<E\nFROM yes\nE\n", &["yes"]),
            ("RUN cat <<<E\nFROM yes\nE\n", &["yes"]),
            ("RUN cat <<E\nFROM no\nE\nFROM yes\n", &["yes"]),
            ("RUN cat \\\n  <<E\nFROM no\nE\nFROM yes\n", &["yes"]),
            ("RUN cat << E\nFROM no\nE\nFROM yes\n", &["yes"]),
            ("ONBUILD RUN <<E\nFROM no\nE\nFROM yes\n", &["yes"]),
            (
                "copy <<X 3<<-\"Y\" /\nY\nX\nFROM no\n\t\tY\r\nFROM yes\n",
                &["yes"],
            ),
            // Only tabs may stand before the end, and only after a dash.
            ("RUN <<E\n\tE\nFROM no\nE\nFROM yes\n", &["yes"]),
            ("RUN <<-E\n E\nFROM no\n\tE\nFROM yes\n", &["yes"]),
            ("RUN <<'a b'\nFROM no\na b\nFROM yes\n", &["yes"]),
            ("RUN [\"<<E\"]\nFROM yes\nE\n", &["yes"]),
            ("RUN <<E \\\n# c\n && a\nFROM no\nE\nFROM yes\n", &["yes"]),
            ("RUN <<E\nFROM yes\n", &["yes"]),
        ] {
            assert_eq!(images(text), found, "{text}");
        }
    }
}
