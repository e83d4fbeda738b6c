use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;

const LIMIT: Duration = Duration::from_secs(5);

fn script(steps: &str) -> Script {
    let text = format!("# x\nserver\n{steps}\nreport\nstatus = sent\n");
    crate::dialogue::parse(&text).unwrap().servers.remove(0)
}

/// Says `words` one after the other, each when the server has said its line; gives what it heard.
fn client(server: &Server, words: &[&str]) -> String {
    let mut socket = TcpStream::connect(server.addr()).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let mut heard = String::new();
    for word in words {
        let mut byte = [0];
        while socket.read(&mut byte).is_ok_and(|n| n == 1) {
            heard.push(byte[0] as char);
            if byte[0] == b'\n' {
                break;
            }
        }
        let _ = socket.write_all(word.as_bytes());
    }
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    let _ = socket.read_to_string(&mut heard);
    heard
}

#[test]
fn a_client_that_keeps_to_the_script_passes() {
    let server =
        Server::start(&script("S: 220 hi\nC: EHLO {*}\nS: 250 ok\nC: QUIT\nS: 221 bye"), LIMIT).unwrap();
    assert_eq!(client(&server, &["EHLO me\r\n", "QUIT\r\n"]), "220 hi\r\n250 ok\r\n221 bye\r\n");
    assert_eq!(server.finish().unwrap().connections, [b"EHLO me\r\nQUIT\r\n".to_vec()]);
}

#[test]
fn every_departure_is_named() {
    let cases: [(&str, &[&str], &str); 9] = [
        ("S: 220\nC: QUIT", &["NOOP\r\n"], "expected: QUIT"),
        ("S: 220\nC: QUIT", &["QUIT\n"], "QUIT\\n"),
        ("S: 220\nC: QUIT", &["QUIT"], "QUIT"),
        ("S: 220\nC: QUIT", &[""], "end of the connection"),
        ("S: 220\nC: QUIT", &["QUIT\r\nNOOP\r\n"], "NOOP"),
        ("S: 220\nC: A\nS: 250\nC: B", &["A\r\nB\r\n"], "to wait"),
        ("S: 220\nC-DATA\n|a\n|.", &["a\n.\r\n"], "a\\n"),
        ("S: 220\nC-DATA\n|a\n+bc", &["a\r\nbd"], "octet 1 of 2"),
        ("S: 220\nREAD 5", &["1234"], "5 octets"),
    ];
    for (steps, words, text) in cases {
        let server = Server::start(&script(steps), LIMIT).unwrap();
        client(&server, words);
        let failure = server.finish().unwrap_err();
        assert!(failure.contains(text), "{steps}: {failure}");
    }
}

#[test]
fn groups_are_lines_without_a_reply_between() {
    let steps = "S: 220\nC: A\nC: B\nS: 1\nS: 2";
    let server = Server::start(&script(steps), LIMIT).unwrap();
    client(&server, &["A\r\nB\r\n"]);
    server.finish().unwrap();
    let server = Server::start(&script(steps), Duration::from_millis(300)).unwrap();
    let mut socket = TcpStream::connect(server.addr()).unwrap();
    socket.write_all(b"A\r\n").unwrap();
    let _ = socket.read_to_end(&mut Vec::new()); // waits for the reply to A, which does not come
    assert!(server.finish().unwrap_err().contains("until the time was over"));
}

#[test]
fn too_few_and_too_many_connections_are_failures() {
    let server = Server::start(&script("S: 220"), LIMIT).unwrap();
    assert!(server.finish().unwrap_err().contains("none came"));
    let server = Server::start(&script("S: 220"), LIMIT).unwrap();
    client(&server, &[""]);
    client(&server, &[]);
    assert!(server.finish().unwrap_err().contains("one connection more"));
    let idle = Script { listen: Listen::Idle, connections: Vec::new() };
    Server::start(&idle, LIMIT).unwrap().finish().unwrap();
    let server = Server::start(&idle, LIMIT).unwrap();
    client(&server, &[]);
    assert!(server.finish().unwrap_err().contains("to have none"));
}

#[test]
fn a_closed_port_refuses() {
    let server = Server::start(&Script { listen: Listen::Closed, connections: Vec::new() }, LIMIT).unwrap();
    assert_eq!(TcpStream::connect(server.addr()).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    server.finish().unwrap();
}

#[test]
fn reset_is_seen_as_such_and_close_is_not() {
    let server = Server::start(&script("S: 220\nRESET"), LIMIT).unwrap();
    let mut socket = TcpStream::connect(server.addr()).unwrap();
    assert_eq!(socket.read_to_end(&mut Vec::new()).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    server.finish().unwrap();
    let server = Server::start(&script("S: 421\nCLOSE"), LIMIT).unwrap();
    assert_eq!(client(&server, &["QUIT\r\n"]), "421\r\n");
    server.finish().unwrap();
}

#[test]
fn trickle_and_delay_take_their_time() {
    let server = Server::start(&script("TRICKLE 1\nS-RAW: 220 12345\\r\\n\nDELAY 20\nS: x"), LIMIT).unwrap();
    let begin = Instant::now();
    assert_eq!(client(&server, &[]), "220 12345\r\nx\r\n");
    assert!(begin.elapsed() >= Duration::from_millis(30));
    server.finish().unwrap();
}

#[test]
fn a_unix_socket_is_one_of_its_own_and_goes_with_its_server() {
    let mut script = script("S: 220 hi\nC: QUIT");
    script.listen = Listen::Unix;
    let server = Server::start(&script, LIMIT).unwrap();
    let path = server.path().unwrap().to_path_buf();
    let mut socket = std::os::unix::net::UnixStream::connect(&path).unwrap();
    socket.write_all(b"QUIT\r\n").unwrap();
    drop(socket);
    server.finish().unwrap();
    assert!(!path.exists());
}

#[test]
fn options_are_filled_in() {
    let text = "# x\noption servers = smtp://{host}:{port2} {unix3}\noption ports = {ports}\noption usetls = true\n\
        server closed\nserver idle\nserver unix\nreport\nstatus = sent\n";
    let running = Running::start(&crate::dialogue::parse(text).unwrap(), LIMIT).unwrap();
    let ports = running.ports();
    let option = |name: &str| running.options().iter().find(|(n, _)| n == name).unwrap().1.clone();
    let unix = running.servers()[2].path().unwrap().display();
    assert_eq!(option("servers"), format!("smtp://127.0.0.1:{} {unix}", ports[1]));
    assert_eq!(option("ports"), format!("{} {} 25", ports[0], ports[1]));
    assert_eq!((option("usetls"), option("client")), ("true".into(), "client.example".into()));
}
