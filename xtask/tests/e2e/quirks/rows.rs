//! The table, by subject.

mod addresses;
mod answers;
mod challenges;
mod limits;
mod lists;
mod odd;
mod writes;

use super::row::Row;

/// Every row.
pub(super) fn all() -> Vec<&'static Row> {
    let tables = [
        addresses::ROWS,
        challenges::ROWS,
        answers::ROWS,
        lists::ROWS,
        limits::ROWS,
        odd::ROWS,
        writes::ROWS,
    ];
    tables.into_iter().flatten().collect()
}
