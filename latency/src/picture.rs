//! The race as a picture: for each publisher, how the seconds from a load step to the alarm are
//! distributed. Two files, for light and for dark pages. No font is measured: what reads the SVG
//! brings its own.

use std::{fs, io, path::Path};

use plotters::{
    prelude::{
        Circle, DrawingArea, IntoDrawingArea as _, IntoFont as _, PathElement, Polygon, RGBColor,
        SVGBackend, ShapeStyle, Text, TextStyle,
    },
    style::{
        Color as _, FontStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::{
    arguments::Arguments,
    assumptions::{AFTER, AWS_MEASURED_S, BEFORE, NOISE},
    esp_defaults::esp,
    load::Step,
    race::{self, Course, ECS_20_STEP, ECS_20_TRACKING, ECS_60_TRACKING, Runner},
    source::Kind,
    stats::Latencies,
};

const WIDTH: i32 = 830;
const TOP: i32 = 54;
const ROW: i32 = 52;
/// Where the axis begins and ends, and the last second on it.
const LEFT: i32 = 330;
const RIGHT: i32 = 806;
const LAST_S: f64 = 380.0;
/// So many bars have a distribution, and so high is the highest of them.
const BARS: usize = 24;
const HIGHEST: f64 = 34.0;

/// The colours of a page.
struct Palette {
    name: &'static str,
    text: RGBColor,
    quiet: RGBColor,
    line: RGBColor,
    ideal: RGBColor,
    esp: RGBColor,
    ecs: RGBColor,
}

const PALETTES: [Palette; 2] = [
    Palette {
        name: "light",
        text: RGBColor(31, 35, 40),
        quiet: RGBColor(89, 99, 110),
        line: RGBColor(209, 217, 224),
        ideal: RGBColor(110, 119, 129),
        esp: RGBColor(9, 105, 218),
        ecs: RGBColor(188, 76, 0),
    },
    Palette {
        name: "dark",
        text: RGBColor(240, 246, 252),
        quiet: RGBColor(145, 152, 161),
        line: RGBColor(61, 68, 77),
        ideal: RGBColor(145, 152, 161),
        esp: RGBColor(68, 147, 248),
        ecs: RGBColor(219, 109, 40),
    },
];

#[derive(Clone, Copy)]
enum Ink {
    Ideal,
    Esp,
    Ecs,
}

/// A row: its name, who runs, its colour, what AWS measured.
struct Row {
    name: &'static str,
    runner: Runner,
    ink: Ink,
    aws_s: Option<f64>,
}

fn rows() -> [Row; 6] {
    let row = |name, runner, ink| Row { name, runner, ink, aws_s: None };
    let (of_60, of_20) = AWS_MEASURED_S;
    [
        row("The best that any publisher could do", Runner::Ideal { is_instant: true }, Ink::Ideal),
        row("ESP, with a sample every second", esp(Kind::Endpoint), Ink::Esp),
        row("ESP, with a sample every 10 s", esp(Kind::Endpoint10), Ink::Esp),
        row("ECS at 20 s, your own step alarm", ECS_20_STEP, Ink::Ecs),
        Row {
            aws_s: Some(of_20),
            ..row("ECS at 20 s, target tracking", ECS_20_TRACKING, Ink::Ecs)
        },
        Row {
            aws_s: Some(of_60),
            ..row("ECS at 1 minute, target tracking", ECS_60_TRACKING, Ink::Ecs)
        },
    ]
}

/// Writes `docs/latency-light.svg` and `docs/latency-dark.svg` below `folder`.
pub(crate) fn write(arguments: Arguments, folder: &Path) -> io::Result<()> {
    let rows = rows();
    let step = Step { before: BEFORE, after: AFTER, noise: NOISE };
    let Arguments { runs, seed, ingest_s, look_back, .. } = arguments;
    let runners = rows.each_ref().map(|row| row.runner);
    let results = race::run(Course { runs, seed, step, ingest_s, look_back }, &runners);
    for palette in &PALETTES {
        let picture = draw(palette, &rows, &results).map_err(io::Error::other)?;
        let path = folder.join(format!("docs/latency-{}.svg", palette.name));
        fs::write(&path, picture)?;
        println!("{}", path.display());
    }
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Result<T> = std::result::Result<T, String>;

fn draw(palette: &Palette, rows: &[Row], results: &[race::Result]) -> Result<String> {
    let bottom = TOP + ROW * i32::try_from(rows.len()).unwrap_or(0);
    let mut picture = String::new();
    let size = (WIDTH as u32, (bottom + 66) as u32);
    let area = SVGBackend::with_string(&mut picture, size).into_drawing_area();
    let title = "Seconds from a load step to the alarm that scales out";
    words(&area, (24, 12), title, 20, palette.text, true, HPos::Left)?;
    axis(&area, palette, bottom)?;
    for ((row, result), number) in rows.iter().zip(results).zip(0..) {
        let base = TOP + ROW * (number + 1) - 4;
        let ink = match row.ink {
            Ink::Ideal => palette.ideal,
            Ink::Esp => palette.esp,
            Ink::Ecs => palette.ecs,
        };
        let [half, most] = [0.5, 0.99].map(|share| result.sliding.quantile(share));
        words(&area, (24, base - 36), row.name, 17, palette.text, true, HPos::Left)?;
        let said = format!("half within {half:.0} s, 99 of 100 within {most:.0} s");
        words(&area, (24, base - 16), &said, 16, palette.quiet, false, HPos::Left)?;
        distribution(&area, &result.sliding, base, ink)?;
        if let Some(aws_s) = row.aws_s {
            let at = (x(aws_s), base - 8);
            put(&area, &Circle::new(at, 5, ShapeStyle::from(palette.text).filled()))?;
            // Beside the distribution that it belongs to, or above itself.
            let most = x(result.sliding.quantile(1.0));
            let (at, side) = if at.0 < most {
                ((most + 10, base - 14), HPos::Left)
            } else {
                ((at.0, base - 32), HPos::Center)
            };
            words(&area, at, &format!("AWS: {aws_s:.0} s"), 16, palette.text, false, side)?;
        }
    }
    let note = bottom + 40;
    put(&area, &Circle::new((30, note + 6), 5, ShapeStyle::from(palette.text).filled()))?;
    let text =
        "measured by AWS. All else is a model, with CloudWatch's windows sliding: docs/scaling.md";
    words(&area, (44, note), text, 16, palette.quiet, false, HPos::Left)?;
    area.present().map_err(|error| error.to_string())?;
    drop(area);
    Ok(picture)
}

/// Lines for the minutes, and for the first half of one.
fn axis(area: &Area<'_>, palette: &Palette, bottom: i32) -> Result<()> {
    for seconds in [0, 30, 60, 120, 180, 240, 300, 360] {
        let at = x(f64::from(seconds));
        put(area, &PathElement::new(vec![(at, TOP - 6), (at, bottom)], palette.line))?;
        let text = format!("{seconds} s");
        words(area, (at, bottom + 8), &text, 16, palette.quiet, false, HPos::Center)?;
    }
    Ok(())
}

/// Bars from the least to the greatest, the highest the same in each row.
fn distribution(area: &Area<'_>, latencies: &Latencies, base: i32, ink: RGBColor) -> Result<()> {
    let seconds = latencies.sorted();
    let (Some(least), Some(most)) = (seconds.first(), seconds.last()) else { return Ok(()) };
    let width = (most - least).max(1.0) / BARS as f64;
    let mut bars = [0_u32; BARS];
    for it in seconds {
        bars[(((it - least) / width) as usize).min(BARS - 1)] += 1;
    }
    let highest = bars.iter().copied().max().unwrap_or(1).max(1);
    let mut outline = vec![(x(*least), base)];
    for (place, count) in bars.into_iter().enumerate() {
        let top = base - (HIGHEST * f64::from(count) / f64::from(highest)).round() as i32;
        // Through the middle of each bar.
        outline.push((x(least + width * (place as f64 + 0.5)), top));
    }
    outline.push((x(*most), base));
    put(area, &Polygon::new(outline.clone(), ink.mix(0.55)))?;
    put(area, &PathElement::new(outline, ShapeStyle::from(ink).stroke_width(2)))
}

fn x(seconds: f64) -> i32 {
    LEFT + (f64::from(RIGHT - LEFT) * seconds / LAST_S).round() as i32
}

fn words(
    area: &Area<'_>,
    at: (i32, i32),
    text: &str,
    size: i32,
    color: RGBColor,
    is_bold: bool,
    side: HPos,
) -> Result<()> {
    let style = if is_bold { FontStyle::Bold } else { FontStyle::Normal };
    let font = ("Helvetica, Arial, sans-serif", size).into_font().style(style);
    let style = TextStyle::from(font).color(&color).pos(Pos::new(side, VPos::Top));
    put(area, &Text::new(text.to_owned(), at, style))
}

fn put<E>(area: &Area<'_>, element: &E) -> Result<()>
where
    for<'a> &'a E: plotters::element::PointCollection<'a, (i32, i32)>,
    for<'a> E: plotters::element::Drawable<SVGBackend<'a>>,
{
    area.draw(element).map_err(|error| error.to_string())
}
