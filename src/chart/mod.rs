//! Draws line charts as SVG and PNG.

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use thiserror::Error;

/// A chart cannot be drawn.
#[derive(Debug, Error)]
#[error("{title}: cannot be drawn: {problem}")]
pub(crate) struct ChartError {
    /// Title of the chart.
    title: String,
    /// The plotting library's error.
    problem: String,
}

/// A line chart. Its y axis begins at 0.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chart {
    /// Title, drawn above the chart.
    pub title: String,
    /// Label of the x axis.
    pub x: String,
    /// Label of the y axis.
    pub y: String,
    /// Lower and upper end of the x axis.
    pub x_range: (f64, f64),
    /// Whether the x axis is logarithmic.
    pub log_x: bool,
    /// Upper end of the y axis.
    pub y_top: f64,
    /// The lines.
    pub series: Vec<Series>,
}

/// An interval at a place of the x axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct IntervalBar {
    /// Place on the x axis.
    pub x: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// Name in the legend.
    pub name: String,
    /// Points of the line, (x, y).
    pub points: Vec<(f64, f64)>,
    /// Intervals, drawn as vertical bars.
    pub bars: Vec<IntervalBar>,
    /// Whether points are marked.
    pub marks: bool,
}

/// Width and height of the SVG, px.
const SIZE_PX: (u32, u32) = (760, 520);
/// Pixels of the PNG per pixel of the SVG.
const PNG_SCALE: u32 = 2;

/// Colours that people with colour blindness can distinguish, after Okabe and Ito.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(150, 140, 20),
];

/// The ASCII characters of DejaVu Sans. The font is part of the program because compute nodes
/// often have no fonts.
static FONT: &[u8] = include_bytes!("font/DejaVuSans-ascii.ttf");
const FAMILY: &str = "sans-serif";

/// Draws a chart as SVG.
///
/// # Errors
/// [`ChartError`] if the chart cannot be drawn.
pub(crate) fn svg(chart: &Chart) -> Result<String, ChartError> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE_PX).into_drawing_area();
        draw(&area, chart, 1).map_err(|e| failed(chart, &e))?;
    }
    Ok(text)
}

/// Draws a chart as PNG.
///
/// # Errors
/// [`ChartError`] if the chart cannot be drawn.
pub(crate) fn png(chart: &Chart) -> Result<Vec<u8>, ChartError> {
    let (width, height) = (SIZE_PX.0 * PNG_SCALE, SIZE_PX.1 * PNG_SCALE);
    let mut pixels = vec![0; 3 * (width * height) as usize];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        draw(&area, chart, PNG_SCALE).map_err(|e| failed(chart, &e))?;
    }
    let picture =
        image::RgbImage::from_raw(width, height, pixels).expect("three bytes for each pixel");
    let mut bytes = Vec::new();
    let png = image::codecs::png::PngEncoder::new(&mut bytes);
    picture.write_with_encoder(png).map_err(|e| failed(chart, &e))?;
    Ok(bytes)
}

/// The number with three significant digits.
pub(crate) fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few digits")]
    let places = (2.0 - value.abs().log10().floor()).clamp(0.0, 12.0) as usize;
    format!("{value:.places$}")
}

fn failed(chart: &Chart, error: &dyn std::fmt::Display) -> ChartError {
    ChartError { title: chart.title.clone(), problem: error.to_string() }
}

type DrawResult<D> = Result<(), DrawingAreaErrorKind<<D as DrawingBackend>::ErrorType>>;

/// Draws a chart at `scale` pixels per pixel of the SVG.
fn draw<D: DrawingBackend>(
    area: &DrawingArea<D, Shift>,
    chart: &Chart,
    scale: u32,
) -> DrawResult<D> {
    // Registering the same font for every chart does no harm.
    let is_registered = register_font(FAMILY, FontStyle::Normal, FONT).is_ok();
    debug_assert!(is_registered, "the built-in font can be read");
    area.fill(&WHITE)?;
    let on_axis = |x: f64| if chart.log_x { x.log10() } else { x };
    let (from, to) = (on_axis(chart.x_range.0), on_axis(chart.x_range.1));
    let px = |length: u32| length * scale;
    let font = |size: u32| (FAMILY, px(size)).into_font();
    let mut context = ChartBuilder::on(area)
        .caption(&chart.title, font(18))
        .margin(px(12))
        .x_label_area_size(px(46))
        .y_label_area_size(px(56))
        .build_cartesian_2d(from..to, 0.0..1.02 * chart.y_top)?;
    let label = |at: &f64| match chart.log_x {
        true => significant(10_f64.powf(*at)),
        false => format!("{at:.1}"),
    };
    context
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_desc(&chart.x)
        .y_desc(&chart.y)
        .x_labels(8)
        .y_labels(6)
        .x_label_formatter(&label)
        .y_label_formatter(&|y| {
            if chart.y_top > 5.0 { format!("{y:.0}") } else { format!("{y:.1}") }
        })
        .label_style(font(13))
        .axis_desc_style(font(15))
        .draw()?;
    for (index, series) in chart.series.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let placed = |&(x, y): &(f64, f64)| (on_axis(x).clamp(from, to), y);
        draw_series(&mut context, series, colour, scale, placed, on_axis)?;
    }
    context
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .margin(px(10))
        .legend_area_size(px(26))
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.4))
        .label_font(font(13))
        .draw()?;
    area.present()
}

type Plane<'a, D> = ChartContext<'a, D, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

fn draw_series<'a, D: DrawingBackend + 'a>(
    context: &mut Plane<'a, D>,
    series: &Series,
    colour: RGBColor,
    scale: u32,
    placed: impl Fn(&(f64, f64)) -> (f64, f64),
    on_axis: impl Fn(f64) -> f64,
) -> DrawResult<D> {
    let thick = move |width: u32| ShapeStyle::from(colour).stroke_width(width * scale);
    let line = LineSeries::new(series.points.iter().map(&placed), thick(2));
    let length = i32::try_from(22 * scale).unwrap_or(22);
    context
        .draw_series(line)?
        .label(&series.name)
        .legend(move |(x, y)| PathElement::new([(x, y), (x + length, y)], thick(2)));
    let bars = series.bars.iter().map(|&IntervalBar { x, low, high }| {
        let at = on_axis(x);
        PathElement::new([(at, low), (at, high)], thick(1))
    });
    context.draw_series(bars)?;
    if series.marks {
        let marks = series.points.iter().map(placed);
        context.draw_series(marks.map(|at| Circle::new(at, 4 * scale, colour.filled())))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        Chart {
            title: "A & B".into(),
            x: "cost".into(),
            y: "share".into(),
            x_range: (0.01, 100.0),
            log_x: true,
            y_top: 1.0,
            series: vec![Series {
                name: "one".into(),
                points: vec![(0.02, 0.5), (50.0, 0.75)],
                bars: vec![IntervalBar { x: 0.02, low: 0.25, high: 1.0 }],
                marks: true,
            }],
        }
    }

    #[test]
    fn the_svg_has_the_title_the_labels_and_the_line() {
        let text = svg(&chart()).unwrap();
        for word in ["A &amp; B", "cost", "share", "one", "<polyline", "<circle"] {
            assert!(text.contains(word), "{word}: {text}");
        }
    }

    #[test]
    fn the_png_has_pixels_of_the_line_and_of_the_labels() {
        let bytes = png(&chart()).unwrap();
        let picture = image::load_from_memory(&bytes).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (1520, 1040));
        let dark = |from: u32, to: u32| {
            let rows = picture.rows().skip(from as usize).take((to - from) as usize);
            rows.flatten().filter(|pixel| pixel.0.iter().all(|&v| v < 120)).count()
        };
        assert!(dark(0, 70) > 100, "no title: {}", dark(0, 70));
        assert!(dark(960, 1040) > 50, "no words below the axis");
        let blue = picture.pixels().filter(|pixel| pixel.0 == [0, 114, 178]).count();
        assert!(blue > 500, "no line: {blue}");
    }

    #[test]
    fn numbers_have_three_significant_digits() {
        let found = [0.0, 0.001_234_56, 1.0, 12.345, 1234.5].map(significant);
        assert_eq!(found, ["0", "0.00123", "1.00", "12.3", "1234"]);
    }
}
