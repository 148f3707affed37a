//! What the kernel counts for a container's control group, read many times a second
//! from outside; and what a reader in a container has printed.

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::engine::Container;

/// A reading that was printed.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) tier: String,
    pub(crate) generation: u64,
    pub(crate) before_ns: u64,
    pub(crate) after_ns: u64,
    pub(crate) total_ns: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) took_ns: u64,
    pub(crate) allocations: u64,
}

/// The readings in what was printed. The last line may be cut off.
pub(crate) fn lines(printed: &str) -> impl Iterator<Item = Line> {
    let whole = printed.rfind('\n').map_or("", |end| &printed[..end]);
    whole.lines().filter_map(|line| {
        let mut words = line.strip_prefix("read ")?.split(' ').skip(1);
        let tier = words.next()?.to_owned();
        let mut number = || words.next()?.parse().ok();
        Some(Line {
            tier,
            generation: number()?,
            before_ns: number()?,
            after_ns: number()?,
            total_ns: number()?,
            memory_bytes: number()?,
            took_ns: number()?,
            allocations: number()?,
        })
    })
}

/// The counter at one moment: between these two.
#[derive(Clone, Copy)]
struct Point {
    before_ns: u64,
    after_ns: u64,
    /// ns.
    total: u64,
}

/// The counter over some time.
pub(crate) struct Watch(Vec<Point>);

fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_nanos()).unwrap()
}

impl Watch {
    /// Watches the counter for so long.
    pub(crate) fn over(container: &Container, time: Duration) -> Self {
        let path = container.cgroup_file("cpuacct", "cpuacct.usage", "cpu.stat");
        let file = File::open(path).unwrap();
        let start = Instant::now();
        let mut points = Vec::new();
        while start.elapsed() < time {
            let mut buffer = [0; 4096];
            let before_ns = unix_ns();
            let length = file.read_at(&mut buffer, 0).unwrap();
            let after_ns = unix_ns();
            let text = std::str::from_utf8(&buffer[..length]).unwrap();
            let microseconds = text.lines().find_map(|line| line.strip_prefix("usage_usec "));
            let total_ns = microseconds.map_or_else(
                || text.trim().parse().unwrap(),
                |number| number.parse::<u64>().unwrap() * 1000,
            );
            points.push(Point { before_ns, after_ns, total: total_ns });
            thread::sleep(Duration::from_millis(4));
        }
        Self(points)
    }

    /// Whether it was watched before and after this reading.
    pub(crate) fn covers(&self, line: &Line) -> bool {
        self.0.first().is_some_and(|first| first.after_ns < line.before_ns)
            && self.0.last().is_some_and(|last| last.before_ns > line.after_ns)
    }

    /// The counter before and after the reading.
    pub(crate) fn bounds(&self, line: &Line) -> (u64, u64) {
        let before = self.0.partition_point(|point| point.after_ns < line.before_ns);
        let after = self.0.partition_point(|point| point.before_ns <= line.after_ns);
        (self.0[before - 1].total, self.0[after].total)
    }

    /// The counter at a moment, between the two points around it.
    fn at(&self, ns: u64) -> f64 {
        let next = self.0.partition_point(|point| point.after_ns <= ns);
        let (before, after) = (self.0[next - 1], self.0[next]);
        let share = ns.saturating_sub(before.after_ns) as f64
            / (after.after_ns - before.after_ns).max(1) as f64;
        before.total as f64 + share * (after.total - before.total) as f64
    }

    /// By how many points of a CPU the growth between two readings is off.
    pub(crate) fn points_off(&self, one: &Line, other: &Line) -> f64 {
        self.off_ns(one, other) / (other.after_ns - one.after_ns) as f64 * 100.0
    }

    /// By what share of the counter's own growth it is off.
    pub(crate) fn share_off(&self, one: &Line, other: &Line) -> f64 {
        self.off_ns(one, other) / (self.at(other.after_ns) - self.at(one.after_ns))
    }

    /// What was used of a CPU between two moments, %. `None` if they were not watched.
    pub(crate) fn points_between(&self, from_ns: u64, to_ns: u64) -> Option<f64> {
        let is_watched = self.0.first()?.after_ns < from_ns && self.0.last()?.before_ns > to_ns;
        let used = is_watched.then(|| self.at(to_ns) - self.at(from_ns))?;
        Some(used / (to_ns - from_ns) as f64 * 100.0)
    }

    /// How far the growth is outside what it can have been: a reading takes a time, in
    /// which the reader may wait for a CPU while the container has one.
    fn off_ns(&self, one: &Line, other: &Line) -> f64 {
        let (begin, end) = (self.bounds(one), self.bounds(other));
        let (least, most) = (end.0.saturating_sub(begin.1), end.1 - begin.0);
        let grown = other.total_ns - one.total_ns;
        if grown < least { -((least - grown) as f64) } else { grown.saturating_sub(most) as f64 }
    }
}
