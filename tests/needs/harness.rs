//! A harness for tests that need what not every machine has. Such a test says
//! `ignored` and why, which Rust's own harness can only decide at compile time.
//!
//! It takes what `cargo test` passes on: words of which one must be part of the
//! test's name, `--skip WORD`, `--exact`, `--list`, `--test-threads=NUMBER`, and
//! switches that change nothing here. `ESP_TEST_REQUIRE` names needs with commas
//! between them: a test with one of these needs that cannot run fails.

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

/// What tests need.
pub(crate) struct Need {
    /// A word for `ESP_TEST_REQUIRE`.
    pub(crate) word: &'static str,
    /// What this machine lacks of it, if anything, and who sees to it.
    pub(crate) lacks: fn() -> Option<String>,
}

/// A test.
pub(crate) struct Case {
    /// With its module before it.
    pub(crate) name: &'static str,
    pub(crate) need: &'static Need,
    /// Whether nothing else of these tests may run beside it.
    pub(crate) is_alone: bool,
    pub(crate) test: fn(),
}

impl Need {
    /// Whether a test that cannot run has failed.
    pub(crate) fn is_required(&self) -> bool {
        let words = env::var("ESP_TEST_REQUIRE").unwrap_or_default();
        words.split(',').any(|word| word == self.word)
    }
}

/// What `cargo test` passed on.
struct Arguments {
    words: Vec<String>,
    skipped: Vec<String>,
    is_exact: bool,
    is_list: bool,
    threads: usize,
}

impl Arguments {
    fn read() -> Self {
        let threads = env::var("RUST_TEST_THREADS").ok().and_then(|text| text.parse().ok());
        let mut read = Self {
            words: Vec::new(),
            skipped: Vec::new(),
            is_exact: false,
            is_list: false,
            threads: threads.unwrap_or(4),
        };
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            let mut value = || value.clone().or_else(|| arguments.next()).unwrap_or_default();
            match name.as_str() {
                "--exact" => read.is_exact = true,
                "--list" => read.is_list = true,
                "--skip" => read.skipped.push(value()),
                "--test-threads" => read.threads = value().parse().unwrap_or(read.threads),
                "--format" | "--color" | "--logfile" => drop(value()),
                _ if name.starts_with('-') => {}
                _ => read.words.push(name),
            }
        }
        read
    }

    fn choose(&self, case: &Case) -> bool {
        let is_one = |words: &[String]| {
            words.iter().any(|word| {
                if self.is_exact { case.name == *word } else { case.name.contains(word.as_str()) }
            })
        };
        (self.words.is_empty() || is_one(&self.words)) && !is_one(&self.skipped)
    }
}

#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    ignored: usize,
}

impl Counts {
    fn result(&self) -> &'static str {
        if self.failed == 0 { "ok" } else { "FAILED" }
    }
}

/// Runs one test and says how it ended.
fn run_one(case: &'static Case, counts: &Mutex<Counts>) {
    let start = Instant::now();
    // A thread with its name, which a panic says.
    let ended = |test: fn()| {
        thread::Builder::new()
            .name(case.name.to_owned())
            .spawn(test)?
            .join()
            .map_err(|_| io::ErrorKind::Other.into())
    };
    let lacks = (case.need.lacks)();
    let is_ok = lacks.is_none() && {
        let ended: io::Result<()> = ended(case.test);
        ended.is_ok()
    };
    let mut counts = counts.lock().unwrap();
    let outcome = match lacks {
        Some(reason) if case.need.is_required() => {
            counts.failed += 1;
            format!("FAILED, cannot run here: {reason}")
        }
        Some(reason) => {
            counts.ignored += 1;
            format!("ignored, {reason}")
        }
        None if is_ok => {
            counts.passed += 1;
            format!("ok ({:.1} s)", start.elapsed().as_secs_f64())
        }
        None => {
            counts.failed += 1;
            "FAILED".to_owned()
        }
    };
    let _ = writeln!(io::stdout(), "test {} ... {outcome}", case.name);
}

/// Runs the tests: beside each other, and then one after the other those that have to
/// be alone.
pub(crate) fn run(cases: &'static [&'static [Case]]) -> ExitCode {
    let arguments = Arguments::read();
    let chosen: Vec<_> =
        cases.iter().copied().flatten().filter(|case| arguments.choose(case)).collect();
    let mut out = io::stdout();
    if arguments.is_list {
        for case in chosen {
            let _ = writeln!(out, "{}: test", case.name);
        }
        return ExitCode::SUCCESS;
    }
    let plural = if chosen.len() == 1 { "" } else { "s" };
    let _ = writeln!(out, "\nrunning {} test{plural}", chosen.len());
    let (alone, together): (Vec<_>, Vec<_>) = chosen.into_iter().partition(|case| case.is_alone);
    let (start, counts, next) =
        (Instant::now(), Mutex::new(Counts::default()), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..arguments.threads.min(together.len()) {
            scope.spawn(|| {
                while let Some(case) = together.get(next.fetch_add(1, Ordering::Relaxed)) {
                    run_one(case, &counts);
                }
            });
        }
    });
    for case in alone {
        run_one(case, &counts);
    }
    let counts = counts.into_inner().unwrap();
    let Counts { passed, failed, ignored } = counts;
    let _ = writeln!(
        out,
        "\ntest result: {}. {passed} passed; {failed} failed; {ignored} ignored; finished in \
         {:.2}s\n",
        counts.result(),
        start.elapsed().as_secs_f64()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
