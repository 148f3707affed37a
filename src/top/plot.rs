//! One value's last minutes as rows of characters. Pure.

use std::fmt::Write as _;

use super::history::{History, SECONDS};

/// Columns to the left of a plot, for its scale.
const SCALE_COLUMNS: usize = 7;
/// Seconds that a column stands for at least, so that a narrow terminal shows minutes too.
const COLUMN_S_MIN: u64 = 2;
/// A plot reaches at least so far back.
const SHOWN_S_MIN: u64 = 120;

/// The characters of a plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Glyphs {
    /// Eighths of a character.
    Blocks,
    /// For a terminal that is not in UTF-8.
    Ascii,
}

impl Glyphs {
    /// From nothing to a full character.
    const fn levels(self) -> &'static [char] {
        match self {
            Self::Blocks => &[' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
            Self::Ascii => &[' ', '.', ':', '#'],
        }
    }

    /// By the first of `LC_ALL`, `LC_CTYPE` and `LANG` that is set. In a container none is,
    /// and the terminal outside is one of today.
    pub(super) fn of_locale(given: impl Fn(&str) -> Option<String>) -> Self {
        let mut locales = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(given);
        let Some(locale) = locales.find(|locale| !locale.is_empty()) else { return Self::Blocks };
        let locale = locale.to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") { Self::Blocks } else { Self::Ascii }
    }
}

/// How many seconds a column of a plot of this width stands for.
pub(super) fn column_s(width: usize) -> u64 {
    let columns = width.saturating_sub(SCALE_COLUMNS).max(1) as u64;
    SHOWN_S_MIN.div_ceil(columns).max(COLUMN_S_MIN)
}

/// The rows of a plot, `height` of them and none longer than `width`, up to the second
/// `now_s` at the right. A column shows the largest value of its seconds; one of which
/// nothing is known is empty, and zero is not.
pub(super) fn rows(
    history: &History,
    now_s: u64,
    (width, height): (usize, usize),
    is_percent: bool,
    glyphs: Glyphs,
) -> Vec<String> {
    let step_s = column_s(width);
    let known = usize::try_from(u64::from(SECONDS) / step_s).unwrap_or(usize::MAX);
    let columns = width.saturating_sub(SCALE_COLUMNS).min(known);
    // A column always has the same seconds, so that it does not change while it moves.
    let last = now_s / step_s;
    let values: Vec<_> = (0..columns as u64)
        .rev()
        .map(|back| {
            let from_s = last.saturating_sub(back) * step_s;
            history.most(from_s, from_s + step_s)
        })
        .collect();
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    let top = scale(most, if is_percent { 10.0 } else { 1000.0 });
    let levels = glyphs.levels();
    let filled: Vec<_> = values
        .iter()
        .map(|value| value.map(|it| filled(it / top, height * (levels.len() - 1))))
        .collect();
    (0..height)
        .map(|row| {
            let above = (height - 1 - row) * (levels.len() - 1);
            let label = match row {
                0 if is_percent => format!("{top:.0} %"),
                0 => bytes(top),
                _ if row + 1 == height => "0".to_owned(),
                _ => String::new(),
            };
            let mut text = format!("{label:>5} |");
            text.extend(filled.iter().map(|filled| {
                let level = filled.unwrap_or(0).saturating_sub(above).min(levels.len() - 1);
                levels[level]
            }));
            text.truncate(text.trim_end().len());
            text
        })
        .map(|text| text.chars().take(width).collect())
        .collect()
}

/// How many of `parts` a share of the scale fills; at least one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most `parts`")]
#[expect(clippy::cast_precision_loss, reason = "a few hundred")]
fn filled(share: f64, parts: usize) -> usize {
    ((share * parts as f64).round() as usize).clamp(1, parts.max(1))
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below `most`, nor `least`.
fn scale(most: f64, least: f64) -> f64 {
    let mut top = least;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
        if top >= most || !top.is_finite() {
            break;
        }
        top *= factor;
    }
    top
}

/// Bytes, as short as they can be said.
pub(super) fn bytes(bytes: f64) -> String {
    let mut value = bytes;
    let mut text = String::new();
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        // What would be rounded to 1000 is one of the next.
        if value < 999.5 || unit == "TB" {
            let decimals = usize::from(value < 9.95 && unit != "B");
            let _ = write!(text, "{value:.decimals$} {unit}");
            break;
        }
        value /= 1000.0;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_795_514_400;

    fn history(values: &[f64]) -> History {
        let mut history = History::default();
        let from_s = NOW_S + 1 - values.len() as u64;
        (from_s..).zip(values).for_each(|(at_s, value)| history.push(at_s, *value));
        history
    }

    #[test]
    fn a_value_is_as_high_as_its_share_of_the_scale() {
        // Columns of 24 s, of which the last has just ended.
        let values: Vec<_> = [25.0, 50.0, 100.0, 0.0].iter().flat_map(|it| [*it; 24]).collect();
        let mut history = History::default();
        (NOW_S - 72..).zip(&values).for_each(|(at_s, value)| history.push(at_s, *value));
        let drawn = |glyphs| rows(&history, NOW_S + 23, (12, 4), true, glyphs);
        assert_eq!((column_s(12), NOW_S % 24), (24, 0));
        assert_eq!(
            drawn(Glyphs::Blocks),
            ["100 % |   █", "      |   █", "      |  ██", "    0 | ███▁"]
        );
        assert_eq!(
            drawn(Glyphs::Ascii),
            ["100 % |   #", "      |   #", "      |  ##", "    0 | ###."]
        );
    }

    #[test]
    fn zero_is_drawn_and_what_is_not_known_is_not() {
        let mut history = history(&[0.0, 0.0]);
        history.push(NOW_S + 100, 0.0);
        let rows = rows(&history, NOW_S + 100, (67, 2), true, Glyphs::Blocks);
        assert_eq!(rows[0], " 10 % |");
        let (_, plot) = rows[1].split_once('|').unwrap();
        let gap = plot.trim_start().strip_prefix("▁▁").unwrap().trim_start_matches(' ');
        assert_eq!(gap, "▁");
    }

    #[test]
    fn a_column_has_the_same_seconds_while_it_moves() {
        let values: Vec<_> = (0..600).map(|at| f64::from(at * 7 % 100)).collect();
        let history = history(&values);
        let of = |now_s| {
            let rows = rows(&history, now_s, (60, 1), true, Glyphs::Blocks);
            rows[0].chars().skip(SCALE_COLUMNS).collect::<String>()
        };
        let start_s = (NOW_S - 60) / 3 * 3;
        assert_eq!(column_s(60), 3);
        assert_eq!(of(start_s), of(start_s + 2));
        let (before, after) = (of(start_s), of(start_s + 3));
        assert!(after.starts_with(&before.chars().skip(1).collect::<String>()));
    }

    #[test]
    fn a_plot_has_its_size_whatever_it_is() {
        let values: Vec<_> = (0..700).map(|at| f64::from(at) * 1e7).collect();
        let history = history(&values);
        for width in (0..300).chain([1000, 5000]) {
            for height in [0, 1, 2, 7] {
                for glyphs in [Glyphs::Blocks, Glyphs::Ascii] {
                    for is_percent in [true, false] {
                        let rows = rows(&history, NOW_S, (width, height), is_percent, glyphs);
                        assert_eq!(rows.len(), height);
                        assert!(rows.iter().all(|row| row.chars().count() <= width));
                    }
                }
            }
        }
    }

    #[test]
    fn the_scale_is_round_and_above_all_values() {
        for (most, top) in [(0.0, 10.0), (10.0, 10.0), (10.1, 20.0), (49.0, 50.0), (101.0, 200.0)] {
            assert!((scale(most, 10.0) - top).abs() < 1e-9, "{most}");
        }
        assert!(scale(f64::MAX, 10.0) >= f64::MAX);
    }

    #[test]
    fn bytes_are_short() {
        for (value, text) in [
            (0.0, "0 B"),
            (999.4, "999 B"),
            (999.6, "1.0 kB"),
            (9949.0, "9.9 kB"),
            (9950.0, "10 kB"),
            (1_234_567.0, "1.2 MB"),
            (5e15, "5000 TB"),
        ] {
            assert_eq!(bytes(value), text);
        }
    }

    #[test]
    fn the_locale_says_whether_a_terminal_is_in_utf_8() {
        let of = |variables: &'static [(&str, &str)]| {
            Glyphs::of_locale(|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        for (variables, glyphs) in [
            (&[][..], Glyphs::Blocks),
            (&[("LANG", "")], Glyphs::Blocks),
            (&[("LANG", "C.UTF-8")], Glyphs::Blocks),
            (&[("LANG", "de_DE.utf8")], Glyphs::Blocks),
            (&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")], Glyphs::Ascii),
            (&[("LANG", "de_DE.ISO-8859-1")], Glyphs::Ascii),
        ] {
            assert_eq!(of(variables), glyphs, "{variables:?}");
        }
    }
}
