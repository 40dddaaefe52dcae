//! What the benchmarks share: rounds in turn, a table in Markdown, a plot, and the page that shows both.

mod page;
mod plot;

use std::io;

/// What was measured of one side in one row: one value for each round, in the report's unit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values(pub(crate) Vec<f64>);

impl Values {
    pub(crate) fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub(crate) fn max(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }

    pub(crate) fn median(&self) -> f64 {
        let mut values = self.0.clone();
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// What the values are. Times are in seconds.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "some benchmarks take times alone")]
pub(crate) enum Unit {
    Seconds,
    Bytes,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Unit::Seconds if value < 0.1 => format!("{:.1} ms", value * 1e3),
            Unit::Seconds if value < 10.0 => format!("{value:.2} s"),
            Unit::Seconds => format!("{value:.1} s"),
            Unit::Bytes if value < 1e6 => format!("{:.1} kB", value / 1e3),
            Unit::Bytes => format!("{:.1} MB", value / 1e6),
        }
    }
}

/// How the rows follow each other.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "some benchmarks have one kind alone")]
pub(crate) enum Rows {
    /// Cases of their own, by name.
    Cases,
    /// Numbers of something, whose name this is: both axes of the plot are logarithmic, so that what grows
    /// linearly rises as steeply as the diagonal.
    Numbers(&'static str),
}

/// A table of one benchmark: in each row the peer and ours, measured in turn.
pub(crate) struct Report {
    /// The name of the plot's file, and of the place on the page.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    pub(crate) rows_are: Rows,
    /// What each side is. Ratios are to the first, the peer.
    pub(crate) sides: Vec<&'static str>,
    rows: Vec<(String, Vec<Values>)>,
}

impl Report {
    pub(crate) fn new(
        id: &'static str,
        title: &'static str,
        (unit, rows_are): (Unit, Rows),
        sides: &[&'static str],
    ) -> Report {
        Report {
            id,
            title,
            unit,
            rows_are,
            sides: sides.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, with the values of each side.
    pub(crate) fn row(&mut self, name: impl Into<String>, values: Vec<Values>) {
        assert_eq!(values.len(), self.sides.len(), "one each");
        self.rows.push((name.into(), values));
    }

    /// Prints the table.
    pub(crate) fn print(&self) {
        println!("{}\n\n{}", self.title, self.table());
    }

    /// Prints the table, and puts it and the plot into docs/performance.md.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.print();
        page::put(self.id, self.title, &self.table())?;
        plot::draw(self, &page::plot(self.id))
    }

    /// Minimum, median and maximum of each side, and the ratio of its median to the peer's.
    fn table(&self) -> String {
        let first = match self.rows_are {
            Rows::Cases => "",
            Rows::Numbers(name) => name,
        };
        let head = format!(
            "| {first} | | min | median | max | ratio |\n| --- | --- | ---: | ---: | ---: | ---: |\n"
        );
        let rows = self
            .rows
            .iter()
            .map(|(name, values)| self.lines(name, values));
        head + &rows.collect::<String>()
    }

    /// The lines of one row: one for each side.
    fn lines(&self, name: &str, values: &[Values]) -> String {
        let peer = values[0].median();
        let lines = self.sides.iter().zip(values).enumerate();
        let lines = lines.map(|(number, (side, values))| {
            let [min, median, max] =
                [values.min(), values.median(), values.max()].map(|value| self.unit.show(value));
            let (shown, ratio) = match number {
                0 => (name, String::new()),
                _ => ("", ratio(values.median() / peer)),
            };
            format!("| {shown} | {side} | {min} | {median} | {max} | {ratio} |\n")
        });
        lines.collect()
    }
}

fn ratio(ratio: f64) -> String {
    if ratio < 0.01 {
        format!("{ratio:.4}")
    } else {
        format!("{ratio:.2}")
    }
}

/// What each of the sides says it took, over rounds in which all of them have their turn. One round before
/// them is not counted: it fills caches.
#[allow(dead_code, reason = "pushes come in an order of their own")]
pub(crate) fn in_turn(
    rounds: usize,
    sides: &mut [&mut dyn FnMut() -> io::Result<f64>],
) -> io::Result<Vec<Values>> {
    let mut values = vec![Values::default(); sides.len()];
    for round in 0..=rounds {
        for (side, values) in sides.iter_mut().zip(&mut values) {
            let value = side()?;
            if round > 0 {
                values.0.push(value);
            }
        }
    }
    Ok(values)
}
