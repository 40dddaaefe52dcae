//! The next page of a list: the `Link` header (RFC 8288; distribution spec, "Listing tags").

use url::Url;

use super::address;

/// A link, as far as a list depends on it.
#[derive(Debug, PartialEq, Eq)]
struct Link {
    target: String,
    /// The relation types, in lower case.
    relations: Vec<String>,
    /// Whether it says something of another page than the one that was read.
    is_elsewhere: bool,
}

/// The page after the one at `page`, from the values of all its `Link` headers; none when it is the
/// last.
///
/// Fails when a header cannot be read, since it may have named a page; when two pages are named; and
/// when the page is not where the list is, whom nobody trusts with it.
pub(super) fn next<'a>(
    headers: impl IntoIterator<Item = &'a str>,
    page: &Url,
) -> Result<Option<Url>, String> {
    let mut found: Option<Url> = None;
    for header in headers {
        for link in links(header)? {
            let is_next = link.relations.iter().any(|relation| relation == "next");
            if !is_next || link.is_elsewhere {
                continue;
            }
            let url = address::follow(page, &link.target)?;
            if !address::is_same_origin(page, &url) {
                return Err(format!("it leads to `{}`", address::origin(&url)));
            }
            match &found {
                Some(first) if *first != url => return Err("it leads to two pages".to_owned()),
                _ => found = Some(url),
            }
        }
    }
    Ok(found)
}

/// The links of a header (RFC 8288, section 3 and appendix B.2, but what is not a link is an error).
fn links(header: &str) -> Result<Vec<Link>, String> {
    let mut links = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Ok(links);
        }
        let target = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
        let (target, after) = target.ok_or("it has no address in angle brackets")?;
        let (link, after) = parameters(target, after)?;
        links.push(link);
        rest = after;
    }
}

/// The link to `target` with the parameters that `text` begins with, and what follows them.
fn parameters<'a>(target: &str, text: &'a str) -> Result<(Link, &'a str), String> {
    let mut link = Link {
        target: target.trim().to_owned(),
        relations: Vec::new(),
        is_elsewhere: false,
    };
    let (mut rest, mut has_relation) = (text, false);
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() || rest.starts_with(',') {
            return Ok((link, rest));
        }
        rest = rest
            .strip_prefix(';')
            .ok_or("it has no `;` after an address")?;
        rest = rest.trim_start_matches([' ', '\t']);
        let end = rest.find([' ', '\t', '=', ';', ',']).unwrap_or(rest.len());
        let name = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start_matches([' ', '\t']);
        let value = match rest.strip_prefix('=') {
            Some(value) => {
                let (value, after) = value_of(value.trim_start_matches([' ', '\t']))?;
                rest = after;
                value
            }
            None => String::new(),
        };
        match &*name {
            // Only the first counts (section 3.3).
            "rel" if !has_relation => {
                has_relation = true;
                let words = value.split_ascii_whitespace();
                link.relations = words.map(str::to_ascii_lowercase).collect();
            }
            "anchor" => link.is_elsewhere = true,
            _ => {}
        }
    }
}

/// A quoted string or a token, and what follows it.
fn value_of(text: &str) -> Result<(String, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ';', ',']).unwrap_or(text.len());
        return Ok((text[..end].to_owned(), &text[end..]));
    };
    let (mut value, mut is_escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            '\\' if !is_escaped => is_escaped = true,
            '"' if !is_escaped => return Ok((value, &quoted[at + 1..])),
            _ => {
                is_escaped = false;
                value.push(c);
            }
        }
    }
    Err("it has a quoted text without an end".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(headers: &[&str]) -> Result<Option<String>, String> {
        let page = address::parse("https://x/v2/a/tags/list?n=2").unwrap();
        let next = next(headers.iter().copied(), &page)?;
        Ok(next.map(|url| url[url::Position::BeforePath..].to_owned()))
    }

    #[test]
    fn the_next_page_is_named_by_a_link() {
        for (headers, expected) in [
            (
                vec!["</v2/a/tags/list?n=2&last=b>; rel=\"next\""],
                Some("/v2/a/tags/list?n=2&last=b"),
            ),
            (
                vec!["<https://x/v2/a/tags/list?last=b>;rel=next"],
                Some("/v2/a/tags/list?last=b"),
            ),
            (vec!["<https://X:443/l>;rel=next"], Some("/l")),
            (vec!["<//x/l>; rel=next"], Some("/l")),
            (vec!["<?last=b>; rel=next"], Some("/v2/a/tags/list?last=b")),
            (
                vec!["<list?last=b>; rel=next"],
                Some("/v2/a/tags/list?last=b"),
            ),
            // Some registries name the page by a token of their own, or by no query at all.
            (
                vec!["</v2/a/tags/list?next_page=gAAA%3D&n=2>; rel=\"next\""],
                Some("/v2/a/tags/list?next_page=gAAA%3D&n=2"),
            ),
            (
                vec!["</v2/a/tags/page/2>; rel=\"next\""],
                Some("/v2/a/tags/page/2"),
            ),
            (vec!["</1>; rel=\"prev\", </2>; rel=\"next\""], Some("/2")),
            (vec!["</1>; rel=\"prev\"", "</2>; rel=\"next\""], Some("/2")),
            (
                vec!["</2>; title=\"a, b; rel=\\\"prev\\\"\"; REL = \"last Next\""],
                Some("/2"),
            ),
            (vec!["</2,3>; rel=next; rel=prev"], Some("/2,3")),
            (vec!["</2>; rel=next; crossorigin"], Some("/2")),
            (
                vec!["</2>; rel=next", "<https://x/2>; rel=next"],
                Some("/2"),
            ),
            (vec!["</1>; rel=\"prev\""], None),
            (vec!["</1>; rel=\"nextish\""], None),
            (vec!["</1>; rel=prev; rel=next"], None),
            (vec!["</1>; rel=next; anchor=\"/other\""], None),
            (vec!["</1>"], None),
            (vec!["", " , "], None),
            (vec![], None),
        ] {
            assert_eq!(
                found(&headers),
                Ok(expected.map(str::to_owned)),
                "{headers:?}"
            );
        }
    }

    #[test]
    fn a_link_that_cannot_be_read_is_never_the_end_of_a_list() {
        for (header, why) in [
            (
                "/v2/a/tags/list?last=b; rel=\"next\"",
                "no address in angle brackets",
            ),
            (
                "</v2/a/tags/list?last=b; rel=\"next\"",
                "no address in angle brackets",
            ),
            ("</1> rel=\"next\"", "no `;`"),
            ("</1>; rel=\"next", "without an end"),
            (
                "</1>; rel=\"prev\", /2; rel=\"next\"",
                "no address in angle brackets",
            ),
            ("<>; rel=next", "empty"),
            ("</1>; rel=next, </2>; rel=next", "two pages"),
            ("<https://y/1>; rel=next", "it leads to `https://y`"),
            ("<https://x:444/1>; rel=next", "it leads to `https://x:444`"),
            ("<http://y/1>; rel=next", "from HTTPS to plain HTTP"),
            ("<https://x@y/1>; rel=next", "user's name"),
            ("<https://[/1>; rel=next", "IPv6"),
        ] {
            let error = found(&[header]).unwrap_err();
            assert!(error.contains(why), "{header}: {error}");
        }
    }
}
