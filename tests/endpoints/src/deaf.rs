//! A port at which a connection gets nowhere. (One that takes it and then says
//! nothing is any listener that nobody accepts from.)

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::SockRef;

/// A port whose queue of connections is full: to whoever knocks, it is as if
/// the packets were lost on the way.
#[derive(Debug)]
pub struct FullPort {
    listener: TcpListener,
    /// What fills the queue.
    _waiting: Vec<TcpStream>,
}

impl FullPort {
    /// A port of 127.0.0.1.
    ///
    /// # Errors
    /// When none can be bound, or its queue cannot be filled.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        // Linux lets one more wait than it is told.
        SockRef::from(&listener).listen(0)?;
        let address = listener.local_addr()?;
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            waiting.push(stream);
            if waiting.len() > 64 {
                return Err(io::Error::other("the queue of connections has no end"));
            }
        }
        Ok(Self { listener, _waiting: waiting })
    }

    /// Where nobody is let in.
    ///
    /// # Errors
    /// When the listener has no address.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_let_in_and_nobody_refused() {
        let port = FullPort::start().unwrap();
        let knocking =
            TcpStream::connect_timeout(&port.address().unwrap(), Duration::from_millis(300));
        assert_eq!(knocking.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
