//! Waiting for real: timers, other threads and sockets.

use std::net::TcpListener;

use smol::{
    LocalExecutor,
    channel::bounded,
    future::{FutureExt as _, poll_once},
    io::{AsyncReadExt as _, AsyncWriteExt as _},
};

use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A socket of this thread, and the other end.
fn connected(waiting: &Rc<Waiting>) -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (Socket::new(ours, Rc::clone(waiting)).unwrap(), listener.accept().unwrap().0)
}

#[test]
fn a_timer_waits_again_for_what_was_given_up() {
    let waiting = Waiting::new().unwrap();
    let mut wakeup = Wakeup::new(Rc::clone(&waiting));
    let at = Instant::now() + ms(30);
    waiting.block_on(async {
        let gave_up = async { false }.or(async {
            wakeup.until(at).await;
            true
        });
        assert!(!gave_up.await);
        wakeup.until(at).await;
        assert!(Instant::now() >= at);
        // And for what has passed already, at once.
        wakeup.until(at).await;
    });
    // The thread has not been woken by itself, which takes system calls.
    let sent = (&waiting.awakened).read(&mut [0; 1]);
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn timers_of_several_tasks_each_ring_when_due() {
    let waiting = Waiting::new().unwrap();
    let executor = LocalExecutor::new();
    let (rung, all) = bounded(8);
    let start = Instant::now();
    for after in [60, 20, 40] {
        let (mut wakeup, rung) = (Wakeup::new(Rc::clone(&waiting)), rung.clone());
        let task = async move {
            wakeup.until(start + ms(after)).await;
            rung.send((after, start.elapsed())).await.unwrap();
        };
        executor.spawn(task).detach();
    }
    // Their order is that of their times, unless the machine comes too late
    // for several.
    let mut which = waiting.block_on(executor.run(async {
        let mut which = Vec::new();
        for _ in 0..3 {
            let (after, elapsed) = all.recv().await.unwrap();
            assert!(elapsed >= ms(after));
            which.push(after);
        }
        which
    }));
    which.sort_unstable();
    assert_eq!(which, [20, 40, 60]);
    // All places are free again.
    drop(executor);
    assert!(waiting.slots.borrow().iter().all(|slot| !slot.is_taken));
}

#[test]
fn other_threads_wake_it_whenever_they_do() {
    let waiting = Waiting::new().unwrap();
    let (sender, receiver) = bounded(1);
    let thread = thread::spawn(move || {
        for number in 0..2000_u32 {
            // Now and then the other side has fallen asleep meanwhile.
            if number % 100 == 0 {
                thread::sleep(ms(1));
            }
            sender.send_blocking(number).unwrap();
        }
    });
    waiting.block_on(async {
        for number in 0..2000 {
            assert_eq!(receiver.recv().await.unwrap(), number);
        }
    });
    thread.join().unwrap();
}

#[test]
fn an_answer_is_waited_for_beside_a_deadline() {
    let waiting = Waiting::new().unwrap();
    let mut wakeup = Wakeup::new(Rc::clone(&waiting));
    let (mut ours, mut theirs) = connected(&waiting);
    let answering = thread::spawn(move || {
        let mut request = [0; 4];
        theirs.read_exact(&mut request).unwrap();
        thread::sleep(3 * ANSWER_AT_ONCE);
        theirs.write_all(b"pong").unwrap();
        theirs
    });
    waiting.block_on(async {
        let mut answer = [0; 4];
        ours.write_all(b"ping").await.unwrap();
        ours.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"pong");

        // Nothing comes now; the deadline does.
        let at = Instant::now() + ms(30);
        let deadline = async {
            wakeup.until(at).await;
            Err(ErrorKind::TimedOut.into())
        };
        let read = ours.read(&mut answer).or(deadline).await;
        assert_eq!(read.unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(Instant::now() >= at);
    });
    drop(answering.join().unwrap());
    // The end of the connection is an event too.
    waiting.block_on(async { assert_eq!(ours.read(&mut [0; 4]).await.unwrap(), 0) });
}

#[test]
fn an_answer_that_comes_at_once_is_had_without_being_woken() {
    let waiting = Waiting::new().unwrap();
    let (mut ours, mut theirs) = connected(&waiting);
    waiting.block_on(async {
        let mut answer = [0; 4];
        ours.write_all(b"ping").await.unwrap();
        // Before it is asked for, so that the machine may be as busy as it is.
        theirs.write_all(b"pong").unwrap();
        assert_eq!(poll_once(ours.read(&mut answer)).await.unwrap().unwrap(), 4);
        assert_eq!(&answer, b"pong");

        // What does not come is waited for only once, and not for long.
        ours.write_all(b"ping").await.unwrap();
        let start = Instant::now();
        assert!(poll_once(ours.read(&mut answer)).await.is_none());
        assert!(start.elapsed() >= ANSWER_AT_ONCE / 2);
        assert!(waiting.interest.borrow().is_some());
        theirs.write_all(b"late").unwrap();
        ours.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"late");
    });
}

#[test]
fn a_full_socket_is_waited_for_too() {
    let waiting = Waiting::new().unwrap();
    let (mut ours, mut theirs) = connected(&waiting);
    let bytes = vec![7; 16 << 20];
    let length = bytes.len();
    let reading = thread::spawn(move || {
        thread::sleep(ms(20));
        let mut received = Vec::new();
        theirs.read_to_end(&mut received).unwrap();
        received.len()
    });
    waiting.block_on(async {
        ours.write_all(&bytes).await.unwrap();
        ours.close().await.unwrap();
    });
    assert_eq!(reading.join().unwrap(), length);
}

#[test]
fn a_dropped_socket_is_closed_and_not_waited_for() {
    let waiting = Waiting::new().unwrap();
    let (mut ours, mut theirs) = connected(&waiting);
    let mut wakeup = Wakeup::new(Rc::clone(&waiting));
    waiting.block_on(async {
        let at = Instant::now() + ms(10);
        let patience = async {
            wakeup.until(at).await;
            Ok(0)
        };
        ours.read(&mut [0; 4]).or(patience).await.unwrap();
    });
    drop(ours);
    assert!(waiting.interest.borrow().is_none());
    assert_eq!(theirs.read(&mut [0; 4]).unwrap(), 0);
}
