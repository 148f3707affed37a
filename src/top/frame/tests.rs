//! Screens, as they are seen.

use super::*;
use crate::{
    endpoint::task::TaskDocument,
    sample::{Metric, Sample},
};

const LOOK: Look = Look { plotted: Column::Cpu, glyphs: Glyphs::Ascii };

fn at(s: u64) -> Timestamp {
    Timestamp::from_unix_ns((1_795_514_400 + s) * 1_000_000_000)
}

/// A task of two containers after 240 s: a minute of 25 %, then one of 50 %, and so on.
fn model() -> Model {
    let task = r#"{"Cluster": "shop", "TaskARN": "arn:aws:ecs:eu-west-1:111122223333:task/shop/98de",
        "Family": "web-service", "Revision": "7", "LaunchType": "FARGATE", "Containers": [
        {"DockerId": "a", "Name": "web", "KnownStatus": "RUNNING"},
        {"DockerId": "b", "Name": "init", "KnownStatus": "STOPPED"}]}"#;
    let mut model = Model::default();
    model.set_names(&["web".to_owned(), "init".to_owned()]);
    model.set_task(&TaskDocument::parse(&mut task.as_bytes().to_vec()).unwrap());
    let mut take = |metric: Metric, container, s, value| {
        model.take(&Sample { read: at(s), value, metric: metric.into(), container });
    };
    for s in 1..=240 {
        let value = [25.0, 50.0, 75.0, 100.0][usize::try_from(s - 1).unwrap() / 60];
        take(Metric::CpuUtilization, Some(0), s, value);
        take(Metric::TaskCpuUtilization, None, s, value / 2.0);
    }
    take(Metric::MemoryUtilized, Some(0), 238, 256.0);
    take(Metric::MemoryUtilization, Some(0), 238, 12.5);
    take(Metric::NetworkRxBytes, None, 239, 123_456.0);
    take(Metric::NetworkTxBytes, None, 239, 99.0);
    for (container, part, source) in [
        (Some(0), Part::Cpu, "kernel"),
        (Some(0), Part::Memory, "endpoint"),
        (None, Part::Cpu, "endpoint"),
        (None, Part::Network, "endpoint"),
    ] {
        let basis = (part == Part::Cpu).then(|| "task limit of 2 vCPU".to_owned());
        model.set_source(container, part, source, basis);
    }
    model
}

fn screen(columns: usize, rows: usize, look: Look) -> Vec<String> {
    frame(&model(), at(240), Size { columns, rows }, look)
}

#[test]
fn a_screen_has_a_table_and_plots() {
    let lines: Vec<_> = screen(80, 24, LOOK).iter().map(|it| it.trim_end().to_owned()).collect();
    assert_eq!(lines.join("\n"), include_str!("screen.txt").trim_end());
}

#[test]
fn the_page_shows_it_and_names_each_column_of_the_lines() {
    let page = include_str!("../../../docs/operations.md");
    let (table, _) = include_str!("screen.txt").split_once("\n\n(task): ").unwrap();
    assert!(page.contains(table));
    for name in crate::top::lines::heading().split_whitespace() {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn another_plot_shows_only_what_has_values() {
    let lines = screen(80, 24, Look { plotted: Column::Received, ..LOOK });
    assert!(lines.iter().any(|line| line == "(task): received, bytes a second"), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("200 kB |")), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.starts_with("web: ")), "{lines:#?}");
}

#[test]
fn a_screen_fits_whatever_the_size() {
    let long = "a-very-long-name-".repeat(15);
    let mut many = model();
    let names = (0..300).map(|place| format!("{long}{place}"));
    let names: Vec<_> = ["web".to_owned(), "init".to_owned()].into_iter().chain(names).collect();
    many.set_names(&names);
    many.trouble = Some("GET /task/stats: ".to_owned() + &"connection refused ".repeat(30));
    for model in [Model::default(), model(), many] {
        for columns in (1..140).step_by(3).chain([500, 1000]) {
            for rows in [1, 2, 3, 4, 5, 8, 13, 24, 60, 500] {
                for glyphs in [Glyphs::Ascii, Glyphs::Blocks] {
                    let size = Size { columns, rows };
                    let lines = frame(&model, at(240), size, Look { glyphs, ..LOOK });
                    assert_eq!(lines.len(), rows);
                    assert!(lines.iter().all(|line| line.chars().count() <= columns));
                    assert!(!lines.iter().any(|line| line.contains(char::is_control)));
                }
            }
        }
    }
}

#[test]
fn before_the_first_answer_it_waits_and_a_trouble_is_shown() {
    let mut model = Model::default();
    model.trouble = Some("GET /task: connection refused".to_owned());
    let lines = frame(&model, at(0), Size { columns: 80, rows: 10 }, LOOK);
    assert_eq!(lines[1], "the endpoint fails: GET /task: connection refused");
    assert_eq!(lines[2], "waiting for the task metadata endpoint");
}

#[test]
fn what_is_too_old_is_a_dash() {
    let lines = frame(&model(), at(300), Size { columns: 80, rows: 24 }, LOOK);
    let web = lines.iter().find(|line| line.starts_with("web ")).unwrap();
    assert_eq!(
        web.split_whitespace().collect::<Vec<_>>(),
        ["web", "-", "-", "-", "-", "-", "-", "-"]
    );
}

#[test]
fn a_name_is_shortened_to_what_is_left() {
    assert_eq!(shortened("web", 8), "web");
    assert_eq!(shortened("log-router", 8), "log-rou~");
    let mut model = model();
    model.set_names(&["web", "init", &"x".repeat(90)].map(str::to_owned));
    for (columns, width) in [(40, 8), (80, 15), (200, 40)] {
        let lines = frame(&model, at(240), Size { columns, rows: 24 }, LOOK);
        let name = lines.iter().find(|line| line.starts_with('x')).unwrap();
        assert_eq!(name.find(' ').unwrap(), width, "{columns}");
    }
}
