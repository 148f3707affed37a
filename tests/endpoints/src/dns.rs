//! A name server for one program: it answers every name with the same address,
//! or keeps silent. Enough of the protocol for a resolver that asks over UDP.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A header: id, flags and four counts.
const HEADER_BYTES: usize = 12;
/// A question's type and class.
const TYPE_AND_CLASS_BYTES: usize = 4;
const TYPE_A: [u8; 2] = [0, 1];

/// A running name server. Dropping it ends its thread.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    queries: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    answer: Option<Ipv4Addr>,
    stopping: bool,
}

impl NameServer {
    /// Listens there, silent at first. Resolvers ask port 53, which only root
    /// may bind.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn start(address: impl Into<SocketAddr>) -> io::Result<Self> {
        let socket = UdpSocket::bind(address.into())?;
        let address = socket.local_addr()?;
        let shared = Arc::<Shared>::default();
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || serve(&socket, &shared)
        });
        Ok(Self { address, shared, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the address of every name; without one it keeps silent.
    pub fn answer(&self, address: Option<Ipv4Addr>) {
        self.shared.state.lock().unwrap().answer = address;
    }

    /// Questions so far, those without an answer included.
    #[must_use]
    pub fn queries(&self) -> u64 {
        self.shared.queries.load(Ordering::Relaxed)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap().stopping = true;
        // Any packet ends the wait for one.
        let woken =
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|s| s.send_to(&[], self.address));
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, shared: &Shared) {
    let mut packet = [0; 512];
    while let Ok((length, client)) = socket.recv_from(&mut packet) {
        let answer = {
            let state = shared.state.lock().unwrap();
            if state.stopping {
                return;
            }
            state.answer
        };
        shared.queries.fetch_add(1, Ordering::Relaxed);
        let reply = answer.and_then(|address| reply(&packet[..length], address));
        if let Some(reply) = reply {
            let _ = socket.send_to(&reply, client);
        }
    }
}

/// The answer to a packet with one question: the address for type A, nothing for
/// any other type. `None` for what is no question.
fn reply(query: &[u8], address: Ipv4Addr) -> Option<Vec<u8>> {
    let mut end = HEADER_BYTES;
    // A name is labels, each after its length, and ends with an empty one.
    while *query.get(end)? != 0 {
        end += 1 + usize::from(query[end]);
    }
    let type_at = end + 1;
    let question = query.get(HEADER_BYTES..type_at + TYPE_AND_CLASS_BYTES)?;
    let is_address = query[type_at..].starts_with(&TYPE_A);

    let mut reply = query[..2].to_vec();
    // A response without error, recursion asked for and to be had; one
    // question, and at most one answer.
    reply.extend([0x81, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
    reply.extend(question);
    if is_address {
        // The name of the question, type A, class IN, good for a minute.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(address.octets());
    }
    Some(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str, kind: u8) -> Vec<u8> {
        let mut query = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(u8::try_from(label.len()).unwrap());
            query.extend(label.bytes());
        }
        query.extend([0, 0, kind, 0, 1]);
        query
    }

    #[test]
    fn a_name_has_the_address_that_was_set_last_and_no_other_kind() {
        let server = NameServer::start((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let ask = |kind| {
            socket.send_to(&query("monitoring.example", kind), server.address()).unwrap();
            let mut packet = [0; 512];
            let (length, _) = socket.recv_from(&mut packet).unwrap();
            assert_eq!(packet[..3], [0xab, 0xcd, 0x81]);
            (packet[7], packet[length - 4..length].to_vec())
        };
        for address in [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)] {
            server.answer(Some(address));
            assert_eq!(ask(1), (1, address.octets().to_vec()));
        }
        // AAAA: the name is there, such an address is not.
        assert_eq!(ask(28).0, 0);
        assert_eq!(server.queries(), 3);
    }

    #[test]
    fn what_is_no_question_gets_no_answer() {
        let whole = query("monitoring.example", 1);
        for length in 0..whole.len() {
            assert_eq!(reply(&whole[..length], Ipv4Addr::LOCALHOST), None, "{length}");
        }
    }
}
