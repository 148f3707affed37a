//! Real pipes and terminals that nobody reads, and the queue on a stream that
//! takes what it likes.

use std::{
    fs::File,
    io::{PipeReader, PipeWriter, Read as _, pipe},
    sync::mpsc,
    thread,
};

use esp_endpoints::random::Random;
use rustix::{fs::fcntl_getfl, pipe::fcntl_getpipe_size, pty};

use super::*;

/// For what would otherwise wait for ever.
const NEVER: Duration = Duration::from_secs(20);

/// What `work` gives, which must not block.
fn without_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result.recv_timeout(NEVER).expect("a write that waits for the reader")
}

/// Writes lines until there is no room: the bytes that went in.
fn fill<F: AsFd>(stream: &mut Stream<F>, line: &[u8]) -> usize {
    let mut bytes = 0;
    loop {
        match stream.write(line) {
            Ok(count) => bytes += count,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                return bytes;
            }
        }
    }
}

fn a_pipe() -> (PipeReader, Stream<PipeWriter>) {
    let (reader, writer) = pipe().unwrap();
    (reader, Stream::new(writer))
}

#[test]
fn a_full_pipe_takes_no_more_and_is_not_waited_for() {
    for length in [1, 100, 4095, 4096, 4097, 70_000] {
        let (mut reader, mut stream) = a_pipe();
        let capacity = fcntl_getpipe_size(&stream.shared).unwrap();
        let flags = fcntl_getfl(&stream.shared).unwrap();
        let (written, mut stream) = without_blocking(move || {
            let written = fill(&mut stream, &vec![b'x'; length]);
            (written, stream)
        });
        assert!((1..=capacity).contains(&written), "{written} of {length} each");
        assert_eq!(fcntl_getfl(&stream.shared).unwrap(), flags);
        assert!(!stream.wait(Duration::from_millis(10)));
        // What is read makes room again, and nothing is lost or added.
        let mut read = vec![0; written];
        reader.read_exact(&mut read).unwrap();
        assert!(stream.wait(NEVER));
        assert_eq!(stream.write(b"the rest").unwrap(), 8);
        drop(stream);
        read.clear();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read, b"the rest");
    }
}

#[test]
fn a_terminal_that_nobody_reads_is_not_waited_for() {
    for length in [1, 7, 100, 1000, 4096] {
        let master = pty::openpt(pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY).unwrap();
        pty::grantpt(&master).unwrap();
        pty::unlockpt(&master).unwrap();
        let name = pty::ptsname(&master, Vec::new()).unwrap();
        let terminal = File::options().write(true).open(name.to_str().unwrap()).unwrap();
        let flags = fcntl_getfl(&terminal).unwrap();
        // Lines: the terminal makes two bytes of each line feed.
        let mut line = vec![b'x'; length];
        line[length - 1] = b'\n';
        let mut stream = Stream::new(terminal);
        assert!(stream.own.is_some());
        let (written, mut stream) = without_blocking(move || {
            let written = fill(&mut stream, &line);
            (written, stream)
        });
        assert!(written > 1000, "{written}");
        assert_eq!(fcntl_getfl(&stream.shared).unwrap(), flags);
        // Now a little room at a time, and all of it used.
        let mut master = File::from(master);
        for _ in 0..50 {
            let _ = master.read(&mut [0; 700]).unwrap();
            let line = vec![b'\n'; length];
            stream = without_blocking(move || {
                fill(&mut stream, &line);
                stream
            });
        }
    }
}

#[test]
fn a_reader_that_is_gone_is_an_error_and_not_a_signal() {
    let (reader, mut stream) = a_pipe();
    drop(reader);
    assert_eq!(stream.write(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_file_takes_everything() {
    let path = std::env::temp_dir().join(format!("esp-stream-{}", std::process::id()));
    let mut queue = LineQueue::new(1 << 20);
    let line = [&[b'x'; 9999][..], b"\n"].concat();
    (0..100).for_each(|_| queue.push(&line, 1));
    queue.write_to(&mut Stream::new(File::create(&path).unwrap())).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), line.repeat(100));
    std::fs::remove_file(&path).unwrap();
}

/// A stream that has room for so many bytes.
#[derive(Default)]
struct Trickle {
    room: usize,
    taken: Vec<u8>,
    /// The lengths of the writes.
    writes: Vec<usize>,
}

impl Write for Trickle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room);
        self.room -= count;
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.writes.push(bytes.len());
        self.taken.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_queue_drops_its_oldest_whole_lines_and_counts_them() {
    let mut queue = LineQueue::new(12);
    for line in ["one\n", "two\n", "six\n", "nine\n"] {
        queue.push(line.as_bytes(), 2);
    }
    let mut stream = Trickle { room: 2, ..Trickle::default() };
    queue.write_to(&mut stream).unwrap();
    // The one that is begun is not dropped, but those behind it are.
    queue.push(b"eleven\n", 3);
    stream.room = 100;
    queue.write_to(&mut stream).unwrap();
    assert_eq!(String::from_utf8(stream.taken).unwrap(), "six\neleven\n");
    assert!(queue.is_empty());
    let expected =
        QueueFigures { lines_written: 2, samples_written: 5, lines_dropped: 3, samples_dropped: 6 };
    assert_eq!(queue.figures(), expected);
    queue.push(b"longer than all\n", 1);
    assert!(queue.is_empty());
    assert_eq!(queue.figures().samples_dropped, 7);
}

#[test]
fn lines_are_written_whole_where_they_fit_into_a_page() {
    let mut queue = LineQueue::new(100_000);
    for length in [3000, 1000, 97, 5000, 10] {
        queue.push(&vec![b'x'; length], 1);
    }
    let mut stream = Trickle { room: 100_000, ..Trickle::default() };
    queue.write_to(&mut stream).unwrap();
    assert_eq!(stream.writes, [4000, 97, 5000, 10]);
}

#[test]
fn whatever_the_stream_takes_it_gets_whole_lines_in_order() {
    for seed in 1..200 {
        let mut random = Random::new(seed);
        let capacity = 1 + random.below(500);
        let mut queue = LineQueue::new(usize::try_from(capacity).unwrap());
        let mut stream = Trickle::default();
        let mut pushed = 0;
        for _ in 0..500 {
            if random.chance(60) {
                let filler = "x".repeat(usize::try_from(random.below(90)).unwrap());
                queue.push(format!("{pushed} {filler}\n").as_bytes(), 1);
                pushed += 1;
            }
            stream.room = usize::try_from(random.below(80)).unwrap();
            queue.write_to(&mut stream).unwrap();
            assert!(queue.bytes_waiting() <= usize::try_from(capacity).unwrap());
            let figures = queue.figures();
            let sum = figures.samples_written + figures.samples_dropped + queue.samples();
            assert_eq!(sum, pushed, "seed {seed}");
        }
        stream.room = usize::MAX;
        queue.write_to(&mut stream).unwrap();
        let text = String::from_utf8(stream.taken).unwrap();
        let numbers: Vec<u64> = text
            .lines()
            .map(|line| {
                let (number, filler) = line.split_once(' ').unwrap();
                assert!(filler.bytes().all(|byte| byte == b'x'), "seed {seed}: {line}");
                number.parse().unwrap()
            })
            .collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "seed {seed}: {numbers:?}");
        assert_eq!(numbers.len() as u64, queue.figures().lines_written);
    }
}

#[test]
fn a_queue_whose_reader_is_gone_is_emptied_and_counted() {
    let (reader, mut stream) = a_pipe();
    drop(reader);
    let mut queue = LineQueue::new(1000);
    queue.push(b"one\n", 4);
    assert!(queue.write_to(&mut stream).is_err());
    assert!(!queue.is_empty());
    queue.drop_all();
    assert_eq!((queue.is_empty(), queue.figures().samples_dropped), (true, 4));
}
