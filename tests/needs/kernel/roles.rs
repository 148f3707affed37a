//! What this program does in the containers.

use std::{
    alloc::System,
    process::Command,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use esp::kernel::Kernel;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Plays that role, without end.
pub(crate) fn play(role: &str, words: &[String]) {
    match role {
        "reader" => read(words),
        "load" => load(&words[0], words[1].parse().unwrap()),
        _ => panic!("no role {role}"),
    }
}

fn unix_ns() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// Reads the kernel each second, and prints what it reads.
fn read(ids: &[String]) {
    let mut kernel = Kernel::new();
    kernel.look(ids.iter().map(String::as_str));
    for finding in kernel.findings() {
        let file = finding.file.map_or_else(ToString::to_string, |()| "open".to_owned());
        let sum = finding.sum.map_or_else(|why| why.to_string(), |()| "yes".to_owned());
        println!(
            "found {}: {} processes, file: {file}, sum: {sum}",
            finding.docker_id, finding.processes
        );
    }
    let mut read = Vec::with_capacity(ids.len());
    loop {
        thread::sleep(Duration::from_secs(1));
        read.clear();
        let region = Region::new(ALLOCATOR);
        let (start, before) = (Instant::now(), unix_ns());
        kernel.read(true, &mut |id, reading| {
            let place = ids.iter().position(|known| known == id).unwrap();
            read.push((place, *reading));
        });
        let took = start.elapsed();
        let allocations = region.change().allocations + region.change().reallocations;
        for (place, reading) in &read {
            // By the clock that the watching test has as well.
            let at = |instant: Instant| before + (instant - start).as_nanos();
            println!(
                "read {} {:?} {} {} {} {} {} {} {allocations}",
                ids[*place],
                reading.tier,
                reading.generation,
                at(reading.before),
                at(reading.after),
                reading.total_ns,
                reading.memory.map_or(0, |memory| memory.usage_bytes),
                took.as_nanos()
            );
        }
    }
}

/// Uses `percent` of a CPU for 3 s, and nothing for 3 s.
fn square(percent: u64) {
    loop {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(3) {
            let turn = Instant::now();
            while turn.elapsed() < Duration::from_micros(200 * percent) {}
            thread::sleep(Duration::from_micros(200 * (100 - percent)));
        }
        thread::sleep(Duration::from_secs(3));
    }
}

fn load(what: &str, number: u64) {
    match what {
        "square" => square(number),
        // Threads that come and go, and some that stay.
        "threads" => {
            for _ in 0..3 {
                thread::spawn(move || square(number / 6));
            }
            loop {
                let busy = thread::spawn(move || {
                    let turn = Instant::now();
                    while turn.elapsed() < Duration::from_millis(number) {}
                });
                busy.join().unwrap();
                thread::sleep(Duration::from_millis(200 - number));
            }
        }
        // So many that sleep, beside one that does not.
        "idle" => {
            let _sleeping: Vec<_> = (0..number)
                .map(|_| Command::new("/bin/busybox").args(["sleep", "600"]).spawn().unwrap())
                .collect();
            square(20);
        }
        // As the first process of a task: it waits for whoever becomes its child.
        "pause" => loop {
            if rustix::process::wait(rustix::process::WaitOptions::empty()).is_err() {
                thread::sleep(Duration::from_millis(number));
            }
        },
        _ => panic!("no such load"),
    }
}
