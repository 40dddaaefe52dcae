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
        let Ok(mut list) = serde_json::from_slice::<Value>(&answer.body) else {
            return;
        };
        let Some(all) = list["tags"].as_array() else {
            return;
        };
        let mut all: Vec<String> = all
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        all.sort();
        let cursor = request.parameter(self.cursor);
        let cursor = cursor.filter(|_| self.wrong != Wrong::IgnoresCursor);
        let (page, last) = self.page(&all, cursor);
        if let Some(last) = last {
            let query = format!("n={}&{}={last}", self.size, self.cursor);
            let next = format!("{}?{query}", request.path());
            let link = self
                .link
                .replace("{next}", &next)
                .replace("{query}", &query);
            answer.headers.add("Link", &names.fill(&link));
        }
        list["tags"] = json!(page);
        answer.body = list.to_string().into_bytes();
    }

    /// The tags of a page, and the cursor of the next one.
    fn page(&self, all: &[String], cursor: Option<&str>) -> (Vec<String>, Option<String>) {
        let is_after = |tag: &&String| match cursor {
            None => true,
            Some(cursor) if self.wrong == Wrong::Overlaps => tag.as_str() >= cursor,
            Some(cursor) => tag.as_str() > cursor.trim_end_matches("~"),
        };
        let left: Vec<String> = all.iter().filter(is_after).cloned().collect();
        let size = self.size + usize::from(self.wrong == Wrong::Overlaps && cursor.is_some());
        // `v` with a tilde is a page of nothing after `v`.
        let is_empty_page =
            self.wrong == Wrong::EmptyPage && cursor.is_some_and(|cursor| !cursor.ends_with('~'));
        if is_empty_page {
            return (Vec::new(), cursor.map(|cursor| format!("{cursor}~")));
        }
        let page: Vec<String> = left.iter().take(size).cloned().collect();
        let is_last = left.len() <= size && !(self.wrong == Wrong::LateEnd && !page.is_empty());
        let last = page.last().filter(|_| !is_last).cloned();
        (page, last)
    }
}
