//! The heredocs of an instruction. A word begins one when it is `<<` or `<<-`, perhaps with a number before it, and then
//! a name, perhaps in quotes and after blanks; within another word or in quotes it is none (moby/buildkit,
//! `parser.go`, `reHeredoc`, and `lex.go`, `processPossibleHeredoc`).

/// A heredoc that an instruction begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heredoc {
    name: String,
    /// Whether tabs may stand before its end.
    has_tabs: bool,
}

impl Heredoc {
    fn of(word: &str) -> Option<Heredoc> {
        let word = word.trim_start_matches(|c: char| c.is_ascii_digit());
        let rest = word.strip_prefix("<<")?;
        let (rest, has_tabs) = match rest.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let rest = rest.trim_start();
        let name = unquoted(rest);
        (!rest.is_empty() && !rest.contains('<')).then_some(Heredoc { name, has_tabs })
    }

    /// Whether the line is its end.
    pub(super) fn is_end(&self, line: &str) -> bool {
        let line = line.trim_end_matches('\r');
        let line = if self.has_tabs {
            line.trim_start_matches('\t')
        } else {
            line
        };
        line == self.name
    }
}

/// Those of an instruction, in the order of their bodies.
pub(super) fn heredocs(instruction: &str) -> Vec<Heredoc> {
    let words = words(instruction);
    words.iter().filter_map(|word| Heredoc::of(word)).collect()
}

/// The words, with their quotes and escapes.
fn words(instruction: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut rest = instruction.chars().peekable();
    while let Some(c) = rest.next() {
        if quote.is_none() && c.is_whitespace() {
            words.push(String::new());
            continue;
        }
        let Some(word) = words.last_mut() else { break };
        word.push(c);
        match c {
            '\\' if quote != Some('\'') => word.extend(rest.next()),
            '\'' | '"' if quote == Some(c) => quote = None,
            '\'' | '"' if quote.is_none() => quote = Some(c),
            // Blanks after `<<` are a part of the word.
            '<' if quote.is_none() && rest.next_if_eq(&'<').is_some() => {
                word.push('<');
                while rest.next_if(|c| c.is_whitespace()).is_some() {}
            }
            _ => {}
        }
    }
    words
}

/// A word without its quotes and escapes.
fn unquoted(word: &str) -> String {
    let mut name = String::new();
    let mut quote = None;
    let mut rest = word.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' if quote.is_none() => name.extend(rest.next()),
            '\\' if quote == Some('"') && rest.peek().is_some_and(|c| "\"$\\".contains(*c)) => {
                name.extend(rest.next());
            }
            '\'' | '"' if quote == Some(c) => quote = None,
            '\'' | '"' if quote.is_none() => quote = Some(c),
            c => name.push(c),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of moby/buildkit's `parser_heredoc_test.go`, in short.
    #[test]
    fn a_heredoc_has_the_name_that_buildkit_gives_it() {
        for (instruction, names) in [
            ("RUN <<EOF cat", "EOF"),
            ("RUN 3<<EOF", "EOF"),
            ("RUN <<-'EOF' cat", "-EOF"),
            ("RUN <<  \"EOF\"", "EOF"),
            ("RUN <<- EOF", ""),
            ("RUN <<EOF; cat", "EOF;"),
            ("COPY <<X <<-Y /", "X -Y"),
            ("RUN <<eo\\'f", "eo'f"),
            ("RUN <<eo'f'", "eof"),
            ("RUN <<'e'o\\'f", "eo'f"),
            ("RUN <<$EOF", "$EOF"),
            ("RUN <<", ""),
            ("RUN <<-", ""),
            ("RUN a<<EOF", ""),
            ("RUN \"<<EOF\"", ""),
            ("RUN \\<<EOF", ""),
            ("RUN <<<EOF", ""),
            ("RUN <<EOF<EOF", ""),
            ("RUN 'a\" <<EOF'", ""),
            ("RUN \"a\\\" <<EOF\"", ""),
        ] {
            let said = heredocs(instruction).into_iter().map(|one| {
                let dash = if one.has_tabs { "-" } else { "" };
                format!("{dash}{}", one.name)
            });
            assert_eq!(said.collect::<Vec<_>>().join(" "), names, "{instruction}");
        }
    }
}
