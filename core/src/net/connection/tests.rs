use std::io::Write;
use std::net::{TcpListener, TcpStream};

use super::*;
use crate::dialogue::Dialogue;
use crate::net::session::{adopted, dialogue_over};

/// A session over a connection on which the server has said all that it ever says.
fn session(said: &[u8]) -> (Connection, Dialogue, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut theirs = listener.accept().unwrap().0;
    theirs.write_all(said).unwrap();
    let options = Options::default();
    let (connection, server, ends) = adopted(ours.into(), "mail.example", &options).unwrap();
    (connection, dialogue_over(server, &options, ends).unwrap(), theirs)
}

fn is_kept_alive(connection: &Connection) -> bool {
    let socket = connection.stream().unwrap().socket();
    let asks = socket.keepalive().unwrap();
    assert!(!asks || socket.tcp_keepalive_time().unwrap() == Duration::from_secs(60));
    asks
}

#[test]
fn a_connection_that_is_left_open_is_kept_alive() {
    let (mut connection, mut dialogue, _theirs) = session(b"220 mail.example\r\n");
    assert!(!is_kept_alive(&connection));
    connection.run(&mut dialogue, Wait::Block, |dialogue| dialogue.has_answers());
    assert_eq!(dialogue.action(), Action::Exchange);
    assert!(is_kept_alive(&connection));

    let (mut connection, mut dialogue, _theirs) = session(b"");
    connection.turn(&mut dialogue);
    assert_eq!(dialogue.action(), Action::Exchange);
    assert!(is_kept_alive(&connection));
}

#[test]
fn a_connection_that_is_used_up_at_once_is_not() {
    let (mut connection, mut dialogue, _theirs) = session(b"220 mail.example\r\n");
    dialogue.part();
    connection.run(&mut dialogue, Wait::Block, Dialogue::is_closed);
    assert_eq!(dialogue.action(), Action::Done);
    assert!(!is_kept_alive(&connection));
}
