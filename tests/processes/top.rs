//! `esp top`, the built program: in a terminal of the test's own, and in a pipe.

#![cfg(target_os = "linux")]

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use esp::{
    report::fatal,
    settings::{Environment, OfTask, Settings},
};
use esp_endpoints::{
    agent::Cadence,
    containers::Shape,
    metadata::{Fault, MetadataEndpoint},
};
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize},
};

use crate::program::{AT_ONCE, Esp, SOON, agent};

/// What brings the terminal's own screen and its cursor back.
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

fn endpoint() -> MetadataEndpoint {
    MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}))
}

/// Nothing but the endpoint: no container's name, no namespace and no credentials.
fn top(uri: &str, more: &[(&str, &str)]) -> Command {
    let mut command = Esp::command(&[("ECS_CONTAINER_METADATA_URI_V4", uri), ("TERM", "xterm")]);
    command.envs(more.iter().copied()).arg("top");
    command
}

/// A terminal, and what it was told so far.
struct Terminal {
    master: Arc<OwnedFd>,
    /// The side of the program.
    side: File,
    seen: Arc<Mutex<String>>,
}

impl Terminal {
    fn new(columns: u16, rows: u16) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let side = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let terminal = Self { master: Arc::new(master), side, seen: Arc::default() };
        terminal.resize(columns, rows);
        terminal
    }

    /// From now on somebody looks.
    fn read(&self) {
        let (master, seen) = (Arc::clone(&self.master), Arc::clone(&self.seen));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = rustix::io::read(&master, &mut bytes) {
                // What is cut in the middle of a character is of no interest.
                seen.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
    }

    fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.side, size).unwrap();
    }

    fn start(&self, command: &mut Command) -> Esp {
        command.stdin(self.side.try_clone().unwrap()).stdout(self.side.try_clone().unwrap());
        Esp::run(command)
    }

    fn press(&self, keys: &[u8]) {
        rustix::io::write(&self.master, keys).unwrap();
    }

    /// What is not text of its modes, as one text.
    fn modes(&self) -> String {
        let Termios {
            input_modes, output_modes, control_modes, local_modes, special_codes, ..
        } = tcgetattr(&self.side).unwrap();
        format!(
            "{input_modes:?} {output_modes:?} {control_modes:?} {local_modes:?} {special_codes:?}"
        )
    }

    fn is_key_by_key(&self) -> bool {
        let modes = tcgetattr(&self.side).unwrap().local_modes;
        !modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    fn seen(&self) -> String {
        self.seen.lock().unwrap().clone()
    }

    fn wait_for(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !is_so(&self.seen()) {
            assert!(start.elapsed() < SOON, "no {what} in {:?}", self.seen());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// That everything is as it was.
    fn assert_given_back(&self, modes: &str) {
        assert_eq!(self.modes(), modes);
        self.wait_for("end of the screen", |seen| seen.ends_with(LEAVE));
    }
}

/// How it ends by itself: its code, and what it said on stderr.
fn ended(mut esp: Esp) -> (Option<i32>, String) {
    let mut text = String::new();
    esp.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    (esp.child.wait().unwrap().code(), text)
}

/// The last screen that was drawn to its end, line by line.
fn last_screen(seen: &str) -> Vec<String> {
    let screens: Vec<_> = seen.split("\x1b[H\x1b[K").collect();
    let whole = screens[screens.len().saturating_sub(2)];
    // The terminal's side makes one more of each end of a line.
    whole.split("\n\x1b[K").map(|line| line.trim_end_matches('\r').to_owned()).collect()
}

#[test]
fn it_draws_and_q_ends_it_with_the_terminal_as_it_was() {
    let metadata = endpoint();
    for key in [&b"q"[..], b"\x03"] {
        let terminal = Terminal::new(80, 24);
        terminal.read();
        let modes = terminal.modes();
        let esp = terminal.start(&mut top(&metadata.uri(), &[]));
        // A value, and a plot of it.
        let plotted = "web: CPU, 100 % = task limit of 2 vCPU";
        terminal.wait_for("plot", |seen| last_screen(seen).iter().any(|line| line == plotted));
        assert!(terminal.is_key_by_key());
        let screen = last_screen(&terminal.seen());
        assert_eq!(screen.len(), 24, "{screen:#?}");
        assert!(screen.iter().any(|line| line.starts_with("CONTAINER ")), "{screen:#?}");
        terminal.press(b"p");
        terminal.wait_for("plot of the memory", |seen| seen.contains("web: memory, 100 % = "));
        terminal.press(key);
        assert_eq!(ended(esp), (Some(0), String::new()), "{key:?}");
        terminal.assert_given_back(&modes);
    }
}

#[test]
fn a_signal_ends_it_with_the_terminal_as_it_was() {
    let metadata = endpoint();
    for signal in ["TERM", "INT", "HUP"] {
        let terminal = Terminal::new(80, 24);
        terminal.read();
        let modes = terminal.modes();
        let mut esp = terminal.start(&mut top(&metadata.uri(), &[]));
        terminal.wait_for("table", |seen| seen.contains("CONTAINER "));
        assert_eq!(esp.end(signal, AT_ONCE).code(), Some(0), "SIG{signal}");
        terminal.assert_given_back(&modes);
    }
}

#[test]
#[ignore = "not a test: the process that the test below starts"]
fn faulty_view() {
    fatal::exit_on_panic();
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(1));
        panic!("injected fault");
    });
    esp::top::run(&Settings::read(&OfTask(&Environment)).unwrap()).unwrap();
}

#[test]
fn a_fault_of_its_own_leaves_the_terminal_as_it_was() {
    let metadata = endpoint();
    let terminal = Terminal::new(80, 24);
    terminal.read();
    let modes = terminal.modes();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "top::faulty_view", "--ignored", "--nocapture"]);
    command.env("ECS_CONTAINER_METADATA_URI_V4", metadata.uri()).env("TERM", "xterm");
    let esp = terminal.start(command.stderr(Stdio::piped()));
    terminal.wait_for("screen", |seen| seen.contains("esp top"));
    let (code, said) = ended(esp);
    assert_eq!(code, Some(70));
    assert!(said.contains("injected fault"), "{said}");
    terminal.assert_given_back(&modes);
}

#[test]
fn a_terminal_that_nobody_reads_does_not_keep_it() {
    let metadata = endpoint();
    // Its frames are larger than what a terminal keeps.
    let terminal = Terminal::new(250, 120);
    let modes = terminal.modes();
    let mut esp = terminal.start(&mut top(&metadata.uri(), &[]));
    let before = metadata.stats_requests();
    let start = Instant::now();
    while metadata.stats_requests() < before + 4 {
        assert!(start.elapsed() < SOON);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(esp.end("TERM", AT_ONCE).code(), Some(0));
    assert_eq!(terminal.modes(), modes);
}

#[test]
fn it_fits_a_terminal_that_changes_its_size() {
    let metadata = endpoint();
    let terminal = Terminal::new(0, 0);
    terminal.read();
    let mut esp = terminal.start(&mut top(&metadata.uri(), &[("LC_ALL", "C")]));
    for (columns, rows) in [(80, 24), (120, 40), (33, 6)] {
        if columns != 80 {
            terminal.resize(columns, rows);
        }
        let fits = |seen: &str| {
            let screen = last_screen(seen);
            screen.len() == usize::from(rows)
                && screen.iter().all(|it| it.len() <= usize::from(columns))
        };
        terminal.wait_for("screen of that size", fits);
    }
    assert!(terminal.seen().is_ascii(), "LC_ALL=C");
    assert_eq!(esp.end("TERM", AT_ONCE).code(), Some(0));
}

#[test]
fn a_terminal_that_can_do_nothing_gets_lines() {
    let metadata = endpoint();
    for term in ["dumb", ""] {
        let terminal = Terminal::new(80, 24);
        terminal.read();
        let modes = terminal.modes();
        let mut esp = terminal.start(&mut top(&metadata.uri(), &[("TERM", term)]));
        terminal.wait_for("lines", |seen| seen.contains("Z web "));
        assert_eq!(terminal.modes(), modes);
        assert_eq!(esp.end("INT", AT_ONCE).code(), Some(0));
        assert!(!terminal.seen().contains('\x1b'), "{:?}", terminal.seen());
    }
}

/// The words of the next line.
fn words(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Vec<String> {
    lines.next().unwrap().unwrap().split_whitespace().map(str::to_owned).collect()
}

fn output_of(child: &mut Child) -> impl Iterator<Item = std::io::Result<String>> + use<> {
    BufReader::new(child.stdout.take().unwrap()).lines()
}

#[test]
fn in_a_pipe_it_prints_a_line_for_each_container_and_second() {
    let metadata = endpoint();
    let mut esp = Esp::run(&mut top(&metadata.uri(), &[]));
    let mut lines = output_of(&mut esp.child);
    let heading = words(&mut lines);
    let column = |name: &str| heading.iter().position(|word| word == name).unwrap();
    let mut of_web = Vec::new();
    let mut seconds = Vec::new();
    while of_web.len() < 6 {
        let second: Vec<_> = (0..3).map(|_| words(&mut lines)).collect();
        let names: Vec<_> = second.iter().map(|line| line[column("container")].as_str()).collect();
        assert_eq!(names, ["(task)", "esp", "web"]);
        assert!(second.iter().all(|line| line.len() == heading.len()), "{second:?}");
        seconds.push(second[0][column("time")].clone());
        of_web.extend(second.into_iter().next_back());
    }
    seconds.dedup();
    assert!(seconds.len() >= 5, "{seconds:?}");
    let last = of_web.last().unwrap();
    let number = |name| last[column(name)].parse::<f64>().unwrap();
    assert!((number("cpu_percent") - 25.0).abs() < 0.5, "{last:?}");
    assert!((number("memory_mib") - 256.0).abs() < 0.01, "{last:?}");
    for source in ["cpu_source", "memory_source"] {
        assert_eq!(last[column(source)], "endpoint");
    }
    assert!(number("cpu_age_s") < 30.0);
    // Nobody reads any more: that is an end, not an error.
    drop(lines);
    assert_eq!(ended(esp), (Some(0), String::new()));
}

#[test]
fn a_pipe_that_nobody_reads_does_not_keep_it_and_a_trouble_is_told_once() {
    let metadata = endpoint();
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&vec![b' '; rustix::pipe::fcntl_getpipe_size(&writer).unwrap()]).unwrap();
    let mut command = top(&metadata.uri(), &[]);
    let mut esp = Esp::run(command.stdout(writer));
    drop(command);
    let start = Instant::now();
    while metadata.stats_requests() < 3 {
        assert!(start.elapsed() < SOON);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(esp.end("TERM", AT_ONCE).code(), Some(0));
    drop(reader);

    let metadata = endpoint();
    let mut esp = Esp::run(&mut top(&metadata.uri(), &[]));
    let mut lines = output_of(&mut esp.child);
    while !words(&mut lines).contains(&"web".to_owned()) {}
    metadata.always(Some(Fault::Status(500, b"{}".to_vec())));
    let requests = metadata.stats_requests();
    while metadata.stats_requests() < requests + 4 {
        // The lines go on.
        words(&mut lines);
    }
    esp.signal("TERM");
    let (code, said) = ended(esp);
    assert_eq!(code, Some(0));
    assert_eq!(
        said.matches("esp: the task metadata endpoint fails; retrying: ").count(),
        1,
        "{said}"
    );
}

#[test]
fn without_an_endpoint_it_says_so_and_ends_as_a_check_does() {
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.stdout.is_empty());
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = run(Esp::command(&[("TERM", "xterm")]).arg("top"));
    assert_eq!(code, Some(64));
    assert!(said.starts_with("esp: ECS_CONTAINER_METADATA_URI_V4 is not set: "), "{said}");
    let (code, said) = run(top("http://127.0.0.1:1/v4/x", &[]).args(["--source", "nowhere"]));
    assert_eq!(code, Some(64));
    assert!(said.starts_with("esp: --source=\"nowhere\" is not valid: "), "{said}");
    // On a terminal, too: the error comes after its own screen is back.
    let terminal = Terminal::new(80, 24);
    terminal.read();
    let modes = terminal.modes();
    let esp = terminal.start(&mut top("http://127.0.0.1:1/v4/x", &[]));
    terminal.wait_for("trouble", |seen| seen.contains("the endpoint fails: GET /task: "));
    let (code, said) = ended(esp);
    assert_eq!(code, Some(69));
    assert!(
        said.starts_with("esp: no answer from the task metadata endpoint: GET /task: "),
        "{said}"
    );
    terminal.assert_given_back(&modes);
}

#[test]
fn a_terminal_that_is_gone_is_an_end() {
    let metadata = endpoint();
    let terminal = Terminal::new(80, 24);
    let esp = terminal.start(top(&metadata.uri(), &[]).stderr(Stdio::piped()));
    let start = Instant::now();
    while metadata.stats_requests() < 2 {
        assert!(start.elapsed() < SOON);
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(terminal);
    assert_eq!(ended(esp), (Some(0), String::new()));
}
