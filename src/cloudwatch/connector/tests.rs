//! The connector with real sockets and TLS, and with a resolver of the tests' own.

use std::{io, net::TcpListener, sync::Mutex};

use esp_endpoints::{
    cloudwatch::CloudWatch,
    http::{Delivery, Response, Server},
    tls::{Certificate, Tls},
};

use super::*;

const NAME: &str = esp_endpoints::tls::NAME;

/// Sends a request to `NAME`, and waits for its answer.
fn send(connector: &Connector, port: u16) -> Result<(), ConnectorError> {
    send_within(connector, port, TIMEOUT)
}

fn send_within(connector: &Connector, port: u16, timeout: Duration) -> Result<(), ConnectorError> {
    let mut request = HttpRequest::new(SdkBody::from("no CBOR"));
    request.set_uri(format!("https://{NAME}:{port}")).unwrap();
    request.set_method("POST").unwrap();
    let timed = TimedConnector {
        shared: Arc::clone(&connector.shared),
        connect_timeout: Duration::from_secs(3),
        timeout,
    };
    let response = smol::block_on(timed.call(request))?;
    assert_eq!(response.status().as_u16(), 404);
    Ok(())
}

fn server(address: [u8; 4], port: u16, tls: &Tls) -> CloudWatch {
    CloudWatch::start_tls_at((address, port).into(), tls).unwrap()
}

/// What the name has for addresses, or that it cannot be looked up.
type Addresses = Arc<Mutex<Option<Vec<[u8; 4]>>>>;

/// A client whose answers of a resolver are old at once.
fn connector(name: &str, tls: &Tls) -> (Connector, Addresses) {
    let file = std::env::temp_dir().join(format!("esp-{name}-{}.pem", std::process::id()));
    std::fs::write(&file, tls.authority_pem()).unwrap();
    let addresses = Addresses::default();
    let resolve = {
        let addresses = Arc::clone(&addresses);
        move |_: &str, port| {
            let known = addresses.lock().unwrap();
            let known = known.as_ref().ok_or_else(|| io::Error::other("cannot tell"))?;
            Ok(known.iter().map(|address| SocketAddr::from((*address, port))).collect())
        }
    };
    let names = Names::with(resolve, Duration::ZERO);
    (Connector::with(Some(file), Proxies::default(), names).unwrap(), addresses)
}

/// The look-up that a request begins is there for the next one.
fn settle() {
    std::thread::sleep(Duration::from_millis(500));
}

#[test]
fn connection_is_kept_while_the_name_has_its_address_or_cannot_be_looked_up() {
    let tls = Tls::new(Certificate::Valid);
    let (connector, addresses) = connector("kept", &tls);
    let old = server([127, 0, 0, 1], 0, &tls);
    let port = old.address().port();
    for known in [Some(vec![[127, 0, 0, 1]]), None, Some(vec![[127, 0, 0, 9], [127, 0, 0, 1]])] {
        *addresses.lock().unwrap() = known;
        for _ in 0..2 {
            send(&connector, port).unwrap();
            settle();
        }
    }
    assert_eq!(old.connections(), 1);
}

#[test]
fn name_that_moves_is_followed_and_the_old_connection_serves_until_then() {
    let tls = Tls::new(Certificate::Valid);
    let (connector, addresses) = connector("moved", &tls);
    *addresses.lock().unwrap() = Some(vec![[127, 0, 0, 1]]);
    let old = server([127, 0, 0, 1], 0, &tls);
    let port = old.address().port();
    send(&connector, port).unwrap();
    // Nobody listens there yet.
    *addresses.lock().unwrap() = Some(vec![[127, 0, 0, 2]]);
    for _ in 0..3 {
        send(&connector, port).unwrap();
        settle();
    }
    assert_eq!(old.connections(), 1);
    let new = server([127, 0, 0, 2], port, &tls);
    for _ in 0..3 {
        send(&connector, port).unwrap();
        settle();
    }
    assert_eq!((old.connections(), new.connections()), (1, 1));
    drop(old);
    send(&connector, port).unwrap();
}

#[test]
fn address_that_nobody_is_at_is_passed_over() {
    let tls = Tls::new(Certificate::Valid);
    let (connector, addresses) = connector("passed-over", &tls);
    *addresses.lock().unwrap() = Some(vec![[127, 0, 0, 3], [127, 0, 0, 1]]);
    let server = server([127, 0, 0, 1], 0, &tls);
    let port = server.address().port();
    send(&connector, port).unwrap();
    drop(server);
    // libcurl looks once a second whether what it keeps is still open.
    std::thread::sleep(Duration::from_millis(1200));
    let error = send(&connector, port).unwrap_err();
    let said = format!("{:?}", error.source().map(ToString::to_string));
    assert!(said.contains(&format!("127.0.0.3:{port}")), "{said}");
}

#[test]
fn unknown_name_is_said() {
    let (connector, _) = connector("unknown", &Tls::new(Certificate::Valid));
    let error = send(&connector, 443).unwrap_err();
    let said = error.source().unwrap().to_string();
    assert_eq!(said, format!("cannot look up the name {NAME}: cannot tell"));
}

#[test]
fn address_that_takes_the_request_and_does_not_answer_is_left() {
    let tls = Tls::new(Certificate::Valid);
    for delivery in [Delivery::After(Duration::from_mins(1)), Delivery::Cut, Delivery::Reset] {
        let (connector, addresses) = connector("silent", &tls);
        *addresses.lock().unwrap() = Some(vec![[127, 0, 0, 1], [127, 0, 0, 2]]);
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let silent = Server::start_on(listener, TIMEOUT, Some(tls.clone()), move |_| {
            Response::new(404, "text/plain", "nothing").delivered(delivery)
        });
        let silent = silent.unwrap();
        let good = server([127, 0, 0, 2], port, &tls);
        let timed = || send_within(&connector, port, Duration::from_secs(1));
        assert!(timed().is_err(), "{delivery:?}");
        for _ in 0..3 {
            settle();
            timed().unwrap();
        }
        assert_eq!((silent.connections(), good.connections()), (1, 1), "{delivery:?}");
    }
}
