//! The stages of a Dockerfile.

pub(super) struct Stage<'a> {
    pub(super) image: &'a str,
    pub(super) name: Option<&'a str>,
}

/// The stages of a Dockerfile, in order; the bodies of its heredocs are not read.
pub(super) fn stages(dockerfile: &str) -> Vec<Stage<'_>> {
    let mut stages = Vec::new();
    // BuildKit ignores a byte order mark (dependabot/dependabot-core#5118, renovatebot/renovate#30149).
    let text = dockerfile.strip_prefix('\u{feff}').unwrap_or(dockerfile);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(end) = heredoc(line) {
            lines.by_ref().find(|line| line.trim_start() == end);
            continue;
        }
        let mut words = line.split_whitespace();
        if !words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("FROM"))
        {
            continue;
        }
        let mut words = words.skip_while(|word| word.starts_with("--"));
        let Some(image) = words.next() else { continue };
        let is_named = words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("AS"));
        let name = words.next().filter(|_| is_named);
        stages.push(Stage { image, name });
    }
    stages
}

/// The line that ends the heredoc that an instruction begins.
fn heredoc(line: &str) -> Option<&str> {
    if line.trim_start().starts_with('#') {
        return None;
    }
    let (_, rest) = line.split_once("<<")?;
    let rest = rest.trim_start_matches(['-', '"', '\'']);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}
