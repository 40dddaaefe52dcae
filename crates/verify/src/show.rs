//! How results are shown: a table by group for people, Markdown for a step summary, what to type
//! next, and what every check is about.

mod explain;
mod markdown;
mod next;
mod scan;
mod style;
mod table;
pub(super) mod text;

pub(crate) use self::explain::{Catalogue, list};
pub(crate) use self::markdown::markdown;
pub(crate) use self::next::{again, notes};
pub(crate) use self::style::style;
pub(crate) use self::table::table;
