//! The plot of a report, as SVG: the median of each side in each row, with minimum and maximum.

use std::fs;
use std::io;
use std::path::Path;

use plotters::prelude::*;

use super::{Report, Rows, Values};

const SIZE: (u32, u32) = (900, 420);
/// Of the peer, ours, and more of ours.
const COLOURS: [RGBColor; 4] = [
    RGBColor(0x88, 0x88, 0x88),
    RGBColor(0x1f, 0x6f, 0xb4),
    RGBColor(0xd9, 0x5f, 0x02),
    RGBColor(0x1b, 0x9e, 0x77),
];

pub(crate) fn draw(report: &Report, file: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut svg = String::new();
    paint(report, &mut svg).map_err(|error| io::Error::other(error.to_string()))?;
    fs::write(file, svg)
}

fn paint(report: &Report, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (lowest, highest) = extremes(report);
    let places = places(report);
    let (first, last) = (
        places.first().copied().unwrap_or(1.0),
        places.last().copied().unwrap_or(1.0),
    );
    let names = |place: &f64| {
        let row = places
            .iter()
            .position(|known| (known / place - 1.0).abs() < 1e-6);
        row.map(|row| report.rows[row].0.clone())
            .unwrap_or_default()
    };
    let unit = report.unit;
    let mut chart = ChartBuilder::on(&root)
        .caption(report.title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(
            (first / 1.5..last * 1.5)
                .log_scale()
                .with_key_points(places.clone()),
            (lowest / 2.0..highest * 2.0).log_scale(),
        )?;
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh().x_label_formatter(&names);
    let y_label = |value: &f64| unit.show(*value);
    mesh.y_label_formatter(&y_label);
    if let Rows::Numbers(name) = report.rows_are {
        mesh.x_desc(name);
    }
    mesh.draw()?;
    for (number, side) in report.sides.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        // Sides of one case stand beside each other.
        let aside = match report.rows_are {
            Rows::Cases => 1.04f64.powi(i32::try_from(number)?),
            Rows::Numbers(_) => 1.0,
        };
        let rows = places.iter().map(|place| place * aside).zip(&report.rows);
        let points = rows
            .clone()
            .map(|(place, (_, values))| (place, values[number].median()));
        let style = colour.stroke_width(2);
        if matches!(report.rows_are, Rows::Numbers(_)) {
            chart.draw_series(LineSeries::new(points.clone(), style))?;
        }
        let whiskers = rows.map(|(place, (_, values))| {
            let values = &values[number];
            PathElement::new(vec![(place, values.min()), (place, values.max())], style)
        });
        chart.draw_series(whiskers)?;
        chart
            .draw_series(points.map(|point| Circle::new(point, 4, colour.filled())))?
            .label(*side)
            .legend(move |(x, y)| Circle::new((x + 8, y), 4, colour.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .border_style(BLACK.mix(0.2))
        .background_style(WHITE)
        .draw()?;
    root.present()?;
    Ok(())
}

/// The lowest and the highest value of all.
fn extremes(report: &Report) -> (f64, f64) {
    let values = report.rows.iter().flat_map(|(_, values)| values);
    let lowest = values.clone().map(Values::min);
    let highest = values.map(Values::max);
    (
        lowest.fold(f64::INFINITY, f64::min),
        highest.fold(0.0, f64::max),
    )
}

/// Where the rows are on the axis: at their number, or side by side.
fn places(report: &Report) -> Vec<f64> {
    let number = |name: &str| name.replace(',', "").parse().unwrap_or(1.0);
    match report.rows_are {
        Rows::Numbers(_) => report.rows.iter().map(|(name, _)| number(name)).collect(),
        Rows::Cases => (0..report.rows.len())
            .map(|row| 2f64.powi(i32::try_from(row).unwrap_or(0)))
            .collect(),
    }
}
