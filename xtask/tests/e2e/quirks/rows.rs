//! The table, by subject.

mod accounts;
mod answers;
mod challenges;
mod hosts;
mod limits;
mod lists;
mod odd;
mod redirects;
mod uploads;
mod writes;

use super::row::Row;

/// Every row.
pub(super) fn all() -> Vec<&'static Row> {
    let tables = [
        hosts::ROWS,
        uploads::ROWS,
        redirects::ROWS,
        challenges::ROWS,
        accounts::ROWS,
        answers::ROWS,
        lists::ROWS,
        limits::ROWS,
        odd::ROWS,
        writes::ROWS,
    ];
    tables.into_iter().flatten().collect()
}
