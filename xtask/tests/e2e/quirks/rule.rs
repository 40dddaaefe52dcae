//! Quirks as plain data: which requests, and what becomes of their answers.

use super::http::{Answer, Framing, Headers, Request};
use super::pages::Pages;

/// What becomes of the requests that a rule is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Does {
    /// The proxy's own answer: a status, headers and a body.
    Answer(
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static str,
    ),
    /// The same before the request's body is read; then the connection is gone.
    Early(&'static str, &'static str),
    /// The registry's answer with another status, if it is a success.
    Status(&'static str),
    /// Without a header.
    Drop(&'static str),
    /// With a header, in place of its own.
    Set(&'static str, &'static str),
    /// Compressed.
    Gzip,
    Frame(Framing),
    /// Without the word that the connection closes.
    Silent,
    /// The registry sees no query.
    NoQuery,
    /// A list of tags in pages.
    Pages(Pages),
}

/// Which of the requests.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    Always,
    /// So many, and none after them.
    First(u32),
    /// So many after a request of a method to an address with a part.
    FirstAfter(u32, &'static str, &'static str),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// Empty for all.
    method: &'static str,
    /// What the request's address has in it.
    part: &'static str,
    when: When,
    /// A header, what it must have in it, and whether it must.
    header: Option<(&'static str, &'static str, bool)>,
    pub(super) does: Does,
}

pub(super) const fn on(method: &'static str, part: &'static str, does: Does) -> Rule {
    Rule {
        method,
        part,
        when: When::Always,
        header: None,
        does,
    }
}

impl Rule {
    pub(super) const fn when(self, when: When) -> Rule {
        Rule { when, ..self }
    }

    /// Only requests whose header has `part` in it.
    pub(super) const fn having(self, header: &'static str, part: &'static str) -> Rule {
        let header = Some((header, part, true));
        Rule { header, ..self }
    }

    /// Only requests whose header has no `part` in it.
    pub(super) const fn lacking(self, header: &'static str, part: &'static str) -> Rule {
        let header = Some((header, part, false));
        Rule { header, ..self }
    }

    /// Whether the rule is about `request`. `fired` is how often it was followed since it began.
    fn is_about(&self, request: &Request, fired: u32, has_begun: bool) -> bool {
        let is_method = self.method.is_empty() || self.method == request.method;
        let is_header = self.header.is_none_or(|(name, part, has)| {
            let value = request.headers.get(name).unwrap_or_default();
            value.contains(part) == has
        });
        is_method
            && request.target.contains(self.part)
            && is_header
            && self.is_due(fired, has_begun)
    }

    fn is_due(&self, fired: u32, has_begun: bool) -> bool {
        match self.when {
            When::Always => true,
            When::First(count) => fired < count,
            When::FirstAfter(count, _, _) => has_begun && fired < count,
        }
    }

    fn begins_with(&self, request: &Request) -> bool {
        matches!(self.when, When::FirstAfter(_, method, part)
            if method == request.method && request.target.contains(part))
    }
}

/// How often each rule was followed, and whether it has begun.
#[derive(Debug, Default)]
pub(super) struct Progress(Vec<(u32, bool)>);

impl Progress {
    /// The rules for a request, which count as followed.
    pub(super) fn due<'a>(&mut self, rules: &'a [Rule], request: &Request) -> Vec<&'a Rule> {
        self.0.resize(rules.len(), (0, false));
        // What `/moved` leads to is not moved again.
        if request.target.starts_with("/moved/") {
            return Vec::new();
        }
        let mut due = Vec::new();
        for (rule, (fired, has_begun)) in rules.iter().zip(&mut self.0) {
            if rule.is_about(request, *fired, *has_begun) {
                *fired += 1;
                due.push(rule);
            }
            *has_begun |= rule.begins_with(request);
        }
        due
    }
}

/// The addresses that `{…}` in a header stands for.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// The registry, as the client calls it.
    pub(super) registry: String,
    /// Another origin.
    pub(super) other: String,
    /// Where tokens are given.
    pub(super) tokens: String,
    pub(super) scheme: &'static str,
}

impl Names {
    pub(super) fn fill(&self, text: &str) -> String {
        text.replace("{registry}", &self.registry)
            .replace("{other}", &self.other)
            .replace("{tokens}", &self.tokens)
            .replace("{scheme}", self.scheme)
    }

    /// `{path}` is the request's address, `{location}` that of the registry's own `Location`, both without a
    /// host; `{tail}` is what `{location}` has after its last slash.
    fn fill_for(&self, text: &str, request: &Request, answer: &Headers) -> String {
        let location = answer.get("location").map(path_of).unwrap_or_default();
        let (path, _) = location.split_once('?').unwrap_or((location, ""));
        let tail = path.rfind('/').map_or("", |slash| &location[slash + 1..]);
        let text = text.replace("{path}", &request.target);
        self.fill(&text.replace("{location}", location).replace("{tail}", tail))
    }
}

/// An address without scheme and host.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("", |slash| &rest[slash..])
}

/// What the registry is asked for.
pub(super) fn asked(rules: &[&Rule], request: &Request) -> Request {
    let mut request = request.clone();
    if rules.iter().any(|rule| matches!(rule.does, Does::NoQuery)) {
        request.target = request.path().to_owned();
    }
    request
}

/// The proxy's own answer, if a rule asks for one.
pub(super) fn own(rules: &[&Rule], request: &Request, names: &Names) -> Option<Answer> {
    rules.iter().find_map(|rule| match rule.does {
        Does::Answer(status, headers, body) => {
            let mut answer = Answer::new(status, names.fill(body).as_bytes());
            for (name, value) in headers {
                let value = names.fill_for(value, request, &answer.headers);
                answer.headers.add(name, &value);
            }
            Some(answer)
        }
        _ => None,
    })
}

/// An answer that does not wait for the request's body.
pub(super) fn early(rules: &[&Rule]) -> Option<Answer> {
    rules.iter().find_map(|rule| match rule.does {
        Does::Early(status, body) => Some(Answer::new(status, body.as_bytes())),
        _ => None,
    })
}

/// Changes the registry's answer.
pub(super) fn change(answer: &mut Answer, rules: &[&Rule], request: &Request, names: &Names) {
    for rule in rules {
        match rule.does {
            Does::Status(status) if answer.is_success() => status.clone_into(&mut answer.status),
            Does::Answer(..) | Does::Early(..) | Does::NoQuery | Does::Status(_) => {}
            Does::Drop(name) => answer.headers.remove(name),
            Does::Set(name, value) => {
                let value = names.fill_for(value, request, &answer.headers);
                answer.headers.set(name, &value);
            }
            Does::Gzip => gzip(answer),
            Does::Frame(framing) => answer.framing = framing,
            Does::Silent => answer.says_close = false,
            Does::Pages(pages) => pages.cut(answer, request, names),
        }
    }
}

fn gzip(answer: &mut Answer) {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&answer.body).unwrap();
    answer.body = encoder.finish().unwrap();
    answer.headers.add("Content-Encoding", "gzip");
}
