//! The per-sample path, so many times and nothing else, for a tool that counts
//! instructions: those are the same in every run, where times are not.
//!
//!     instructions WHAT COUNT
//!
//! `copy` puts a fresh document of three containers into a buffer that is kept;
//! `tape` has simd-json build its tape of it besides, `parse` has ESP read all of
//! it, `sample` is the whole of what the sampler does with a poll's bytes, for one
//! container and the default metrics; `containers` is that for all containers, and
//! `everything` for all metrics besides. What they have in common at their start
//! falls out of the difference of two counts. simd-json chooses among its
//! implementations by what the processor offers; the one that it chose is
//! printed.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a script")]
#![expect(clippy::expect_used, reason = "a count of something else than meant is none")]

use std::{
    env,
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use esp::{
    endpoint::{stats::StatsParser, task::TaskDocument},
    reading::{Entry, Parts},
    sample::metric::MetricSet,
    sampler::{Sampler, Selection, parts_of},
    time::{Now, Timestamp},
};
use esp_benches::{default_metrics, places_of_time, stats_document, task_document, time_of_day};
use simd_json::{Buffers, Deserializer, Tape};

const CONTAINERS: usize = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [what, count] = &arguments[..] else { return usage() };
    let Ok(count) = count.parse() else { return usage() };
    let document = stats_document(CONTAINERS);
    let mut body = document.clone();
    match what.as_str() {
        "copy" => {
            for _ in 0..count {
                body.copy_from_slice(black_box(&document));
                black_box(&mut body);
            }
        }
        "tape" => {
            let (mut buffers, mut kept) = (Buffers::default(), Some(Tape::null()));
            for _ in 0..count {
                body.copy_from_slice(black_box(&document));
                let mut tape = kept.take().unwrap_or_else(Tape::null).reset();
                simd_json::fill_tape(&mut body, &mut buffers, &mut tape)
                    .expect("the document is valid");
                black_box(&tape);
                kept = Some(tape.reset());
            }
        }
        "parse" => {
            let mut parser = StatsParser::new(Parts::ALL);
            for _ in 0..count {
                body.copy_from_slice(black_box(&document));
                parser
                    .parse(&mut body, |docker_id, entry| {
                        black_box((docker_id, entry));
                    })
                    .expect("the document is valid");
            }
        }
        "sample" => {
            let one = Selection::Named(vec!["web".to_owned()]);
            sample((one, default_metrics()), document, body, count);
        }
        "containers" => {
            sample((Selection::All, default_metrics()), document, body, count);
        }
        "everything" => {
            sample((Selection::All, MetricSet::all()), document, body, count);
        }
        _ => return usage(),
    }
    println!("{}", Deserializer::algorithm());
    ExitCode::SUCCESS
}

/// A document that is new each time, as the sampler gets it.
fn sample(
    (selection, wanted): (Selection, MetricSet),
    mut document: Vec<u8>,
    mut body: Vec<u8>,
    count: u32,
) {
    let mut measuring = Sampler::new(selection, wanted);
    let mut parser = StatsParser::new(parts_of(wanted));
    let start = Instant::now();
    let midnight = Timestamp::parse("2026-11-24T00:00:00Z").expect("the time is valid");
    let at = |second: u32| Now {
        instant: start + Duration::from_secs(second.into()),
        wall: Timestamp::from_unix_ns(midnight.unix_ns() + u64::from(second) * 1_000_000_000),
    };
    let (mut samples, mut events) = (Vec::new(), Vec::new());
    let task = TaskDocument::parse(&mut task_document(CONTAINERS)).expect("the task is valid");
    measuring.on_task(&task, at(0), &mut samples, &mut events);
    let places = places_of_time(&document);
    for second in 0..count {
        let time = time_of_day(second % 86_400);
        for &place in &places {
            document[place..place + time.len()].copy_from_slice(&time);
        }
        body.copy_from_slice(black_box(&document));
        samples.clear();
        events.clear();
        let read = |visit: &mut dyn FnMut(&str, Entry)| parser.parse(&mut body, visit);
        measuring
            .on_readings(read, at(second), &mut samples, &mut events)
            .expect("the document is valid");
        black_box((&samples, &events));
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: instructions copy|tape|parse|sample|containers|everything COUNT");
    ExitCode::from(64)
}
