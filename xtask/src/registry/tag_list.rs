//! The names that a repository lists, those of tags apart from others.

use crate::printable::short;
use crate::reference;

/// What a repository lists.
#[derive(Debug, Default)]
pub(crate) struct TagList {
    /// Each once, in the registry's order.
    pub(crate) tags: Vec<String>,
    /// What cannot be a tag's name, made safe to print.
    pub(crate) odd: Vec<String>,
}

impl TagList {
    pub(super) fn add(&mut self, name: String) {
        match reference::check_tag(&name) {
            Ok(()) => self.tags.push(name),
            Err(_) => self.odd.push(short(&name)),
        }
    }
}
