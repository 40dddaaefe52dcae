//! Lists of tags in pages, as registries cut them.

use serde_json::{Value, json};

use super::http::{Answer, Request};
use super::rule::Names;

/// How a list is cut into pages, and how the next one is named.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pages {
    pub(super) size: usize,
    /// The `Link` header: `{next}` is the path and query of the next page, `{query}` its query alone.
    pub(super) link: &'static str,
    /// The parameter that says where a page begins.
    pub(super) cursor: &'static str,
    /// What the registry does wrong.
    pub(super) wrong: Wrong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Nothing,
    /// Every page is the first one.
    IgnoresCursor,
    /// Each page begins with the last tag of the one before.
    Overlaps,
    /// A page without a tag comes before the last one.
    EmptyPage,
    /// The last page names a next one, which is empty and names none.
    LateEnd,
}

pub(super) const PAGES: Pages = Pages {
    size: 2,
    link: "<{next}>; rel=\"next\"",
    cursor: "last",
    wrong: Wrong::Nothing,
};

impl Pages {
    /// Cuts the whole list, which the registry gave, to the page that was asked for.
    pub(super) fn cut(&self, answer: &mut Answer, request: &Request, names: &Names) {
        let Ok(mut document) = serde_json::from_slice::<Value>(&answer.body) else {
            return;
        };
        let Some(all) = document["tags"].as_array() else {
            return;
        };
        let all = all.iter().filter_map(Value::as_str);
        let mut all: Vec<String> = all.map(str::to_owned).collect();
        all.sort();
        let (page, cursor) = self.page(&all, request.parameter(self.cursor));
        if let Some(cursor) = cursor {
            let query = format!("n={}&{}={cursor}", self.size, self.cursor);
            let next = format!("{}?{query}", request.path());
            let link = self.link.replace("{next}", &next);
            let link = link.replace("{query}", &query);
            answer.headers.add("Link", &names.fill(&link));
        }
        document["tags"] = json!(page);
        answer.body = document.to_string().into_bytes();
    }

    /// The tags of the page after `cursor`, and the cursor of the next one.
    fn page(&self, all: &[String], cursor: Option<&str>) -> (Vec<String>, Option<String>) {
        let cursor = cursor.filter(|_| self.wrong != Wrong::IgnoresCursor);
        // The first time that a cursor is used, its page is empty.
        if let (Wrong::EmptyPage, Some(tag)) = (self.wrong, cursor)
            && !tag.ends_with(AGAIN)
        {
            return (Vec::new(), Some(format!("{tag}{AGAIN}")));
        }
        let cursor = cursor.map(|tag| tag.trim_end_matches(AGAIN));
        let (overlaps, late) = (self.wrong == Wrong::Overlaps, self.wrong == Wrong::LateEnd);
        let is_after = |tag: &&String| {
            cursor.is_none_or(|last| tag.as_str() > last || (overlaps && *tag == last))
        };
        let left: Vec<String> = all.iter().filter(is_after).cloned().collect();
        let size = self.size + usize::from(overlaps && cursor.is_some());
        let page: Vec<String> = left.iter().take(size).cloned().collect();
        let has_more = left.len() > size || late;
        let next = page.last().filter(|_| has_more).cloned();
        (page, next)
    }
}

/// What a cursor ends with that was used before; no tag has it.
const AGAIN: char = '~';
