//! The table that is printed: what was measured, both values, and the ratio.

/// The two columns' values, of every round.
#[derive(Default)]
pub(crate) struct Pair {
    pub(crate) naive: Vec<f64>,
    pub(crate) ours: Vec<f64>,
}

#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Seconds,
    Bytes,
}

pub(crate) fn head() {
    println!("| | naive | ours | ours / naive |");
    println!("| --- | ---: | ---: | ---: |");
}

/// A row of the medians.
pub(crate) fn row(what: &str, unit: Unit, pair: &Pair) {
    let (naive, ours) = (median(&pair.naive), median(&pair.ours));
    println!(
        "| {what} | {} | {} | {} |",
        unit.show(naive),
        unit.show(ours),
        ratio(ours / naive)
    );
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Unit::Seconds if value < 10.0 => format!("{value:.2} s"),
            Unit::Seconds => format!("{value:.1} s"),
            Unit::Bytes if value < 1e6 => format!("{:.1} kB", value / 1e3),
            Unit::Bytes => format!("{:.1} MB", value / 1e6),
        }
    }
}

fn ratio(ratio: f64) -> String {
    if ratio < 0.01 {
        format!("{ratio:.4}")
    } else {
        format!("{ratio:.2}")
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
