//! What became of a message when the connection dies within the records that carry its end.

use smtpclient::conversation::{Action, Conversation, Driven};
use smtpclient::delivery::Delivery;
use smtpclient::error::{Error, Kind, Step};
use smtpclient::message::Message;
use smtpclient::options::Options;
use smtpclient::report::Outcome;
use smtpclient::tls::{TlsConfig, TlsSettings};

use crate::common::acceptor;
use crate::common::memory::{Peer, delivery, take};
use crate::common::pki::{Folder, GOOD, TRUSTED};

/// A delivery under TLS that was told to go on with the message, and the server.
fn at_the_message(message: &Message, options: &Options, config: &TlsConfig) -> (Delivery, Peer) {
    let mut delivery = delivery(message, options, Some(config), false);
    let mut peer = Peer::new(&acceptor(&GOOD));
    for _ in 0..5 {
        let said = take(&mut delivery);
        let answer = peer.take(&said);
        delivery.handle_input(&answer);
    }
    for reply in ["220 s", "250 s", "250 ok", "250 ok", "354 go"] {
        let said = peer.say(format!("{reply}\r\n").as_bytes());
        delivery.handle_input(&said);
        if !reply.starts_with("354") {
            let said = take(&mut delivery);
            peer.take(&said);
        }
    }
    assert!(peer.got.ends_with(b"DATA\r\n"), "{}", peer.got.escape_ascii());
    (delivery, peer)
}

#[test]
fn unknown_means_that_the_server_could_decrypt_the_end_mark() {
    let folder = Folder::new();
    let mut settings = TlsSettings::default();
    settings.ca_file = Some(folder.file("ca.pem", TRUSTED.cert_pem()));
    let config = TlsConfig::new(settings).unwrap();
    let mut options = Options::default();
    options.tlsimport = true;
    options.servers = vec!["mx.example.org".to_owned()];
    let header = "From: a@client.example\nTo: b@mail.example\n\n";
    for lines in [1, 2000] {
        let message = Message::from_bytes(format!("{header}{}", "A line of the message.\n".repeat(lines)));
        let length = {
            let (mut delivery, _) = at_the_message(&message, &options, &config);
            take(&mut delivery).len()
        };
        // Every octet around the last record, and some before it.
        let from = length.saturating_sub(120);
        let (mut not_sent, mut unknown) = (0, 0);
        for cut in (0..from).step_by(1 + from / 20).chain(from..=length) {
            let (mut delivery, mut peer) = at_the_message(&message, &options, &config);
            let mut left = cut;
            while left > 0 {
                let output = delivery.poll_output();
                let n = output.len().min(left);
                let octets = output[..n].to_vec();
                delivery.output_done(n);
                peer.take(&octets);
                left -= n;
            }
            delivery.handle_error(Error::new(Kind::Closed, Step::Command, "the connection was reset"));
            assert!(take(&mut delivery).is_empty(), "{cut}: nothing leaves any more");
            assert_eq!(delivery.action(), Action::Done);
            let whole = peer.got.ends_with(b"\r\n.\r\n");
            let report = delivery.into_report();
            let (outcome, kind) = match whole {
                true => (Outcome::Unknown, Kind::Unknown),
                false => (Outcome::NotSent, Kind::Closed),
            };
            assert_eq!(report.recipients[0].outcome, outcome, "{cut} of {length}");
            assert_eq!(report.error.unwrap().kind(), kind, "{cut} of {length}");
            *if whole { &mut unknown } else { &mut not_sent } += 1;
        }
        assert_eq!(unknown, 1, "the last octet of the last record decides");
        assert!(not_sent >= 100);
    }
}

#[test]
fn what_waits_to_be_written_is_bounded() {
    let folder = Folder::new();
    let mut settings = TlsSettings::default();
    settings.ca_file = Some(folder.file("ca.pem", TRUSTED.cert_pem()));
    let config = TlsConfig::new(settings).unwrap();
    let mut options = Options::default();
    options.tlsimport = true;
    options.servers = vec!["mx.example.org".to_owned()];
    let message = Message::from_bytes([b"From: a@b\nTo: c@d\n\n", &b"line\n".repeat(1 << 20)[..]].concat());
    let (mut delivery, _) = at_the_message(&message, &options, &config);
    let mut longest = 0;
    // A network that takes next to nothing.
    for _ in 0..1000 {
        longest = longest.max(delivery.poll_output().len());
        delivery.output_done(1);
    }
    // 64 KiB, and a record (RFC 8446 section 5.2) with room for its head.
    assert!((1 << 14..(64 << 10) + (17 << 10)).contains(&longest), "{longest}");
}
