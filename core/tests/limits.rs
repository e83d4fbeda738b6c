//! Every bound of what others may send, and of what a caller may ask for: one less is taken, one more is not. The table in
//! docs/security.md has the reasons.

#![allow(clippy::unwrap_used, clippy::panic)]

use smtpclient::address::{MAX_COMMENT_DEPTH, parse_list, parse_mailbox};
use smtpclient::command::{Envid, ForwardPath, Hold, Orcpt, Parameter, RawCommand, Text};
use smtpclient::engine::Protocol;
use smtpclient::error::Kind;
use smtpclient::extensions::Extensions;
use smtpclient::message::Message;
use smtpclient::options::Options;
use smtpclient::reply::{Reply, ReplyFault, ReplyParser};
use smtpclient::sasl::{
    BindingKind, Channel, ChannelBinding, Credentials, Exchange, ExchangeStep, MechanismName, start,
};

fn reply(octets: &[u8]) -> Result<Reply, ReplyFault> {
    let (mut parser, mut rest) = (ReplyParser::new(), octets);
    loop {
        let (used, reply) = parser.parse(rest);
        match reply {
            Some(reply) => return reply,
            None => rest = &rest[used..],
        }
        assert!(!rest.is_empty(), "no end");
    }
}

/// Holds for `most`, and for no more.
fn crosses(most: usize, holds: impl Fn(usize) -> bool) {
    assert!(holds(most), "{most} is taken");
    assert!(!holds(most + 1), "{} is not", most + 1);
}

#[test]
fn replies() {
    // With its CR.
    crosses(8191, |n| reply(format!("250 {}\r\n", "x".repeat(n - 4)).as_bytes()).is_ok());
    crosses(512, |n| reply(("250-x\r\n".repeat(n - 1) + "250 x\r\n").as_bytes()).is_ok());
    // With all the octets that a line has beside its text: 16 lines of 4 KiB.
    let lines = |n: usize| format!("250-{}\r\n", "x".repeat(n));
    assert!(reply((lines(4000).repeat(15) + "250 x\r\n").as_bytes()).is_ok());
    assert!(reply((lines(4000).repeat(17) + "250 x\r\n").as_bytes()).is_err());
}

/// What is beyond is not remembered.
#[test]
fn extensions() {
    let many = Extensions::parse(&Reply::new(250, "x\n".to_owned() + &"KEY\n".repeat(400)));
    assert_eq!(many.keywords().count(), 256);
    let many: String = (0..100).map(|n| format!(" M{n}")).collect();
    assert_eq!(Extensions::parse(&Reply::new(250, format!("x\nAUTH{many}"))).auth().len(), 64);
}

/// However long a server goes on asking, a mechanism has an end.
#[test]
fn login_rounds() {
    let mut credentials = Credentials::with_password("user", "password");
    credentials.oauth_token = Some("token".into());
    credentials.external = true;
    let binding = ChannelBinding { kind: BindingKind::TlsExporter, data: vec![7; 32] };
    let mut channel = Channel::new("mail.example", 25);
    (channel.encrypted, channel.bindings) = (true, vec![binding]);
    for mechanism in MechanismName::ALL {
        for challenge in ["", "VXNlcm5hbWU6", "PDEuMkBob3N0Pg=="] {
            let offered = [mechanism.as_str().to_owned()];
            let mut exchange = Exchange::new(start(&mechanism, &credentials, &channel, &offered).unwrap());
            let mut out = Vec::new();
            exchange.command(&mut out);
            let rounds = (0..10).position(|_| {
                !matches!(exchange.reply(&Reply::new(334, challenge), &mut out), ExchangeStep::Continue)
            });
            assert!(rounds.is_some_and(|rounds| rounds <= 3), "{mechanism}: {rounds:?}");
        }
    }
}

#[test]
fn commands() {
    crosses(510, |n| RawCommand::new(&"x".repeat(n)).is_ok());
    crosses(12_286, |n| RawCommand::secret(&"x".repeat(n)).is_ok());
    crosses(505, |n| Text::new(&"x".repeat(n)).is_ok());
    crosses(510, |n| Parameter::new(&"X".repeat(n), None).is_ok());
    crosses(100, |n| Envid::new(&"x".repeat(n)).is_ok());
    crosses(500, |n| Orcpt::new("rfc822", &"x".repeat(n - 7)).is_ok());
    crosses(999_999_999, |n| Hold::for_seconds(n as u64).is_ok());
}

#[test]
fn addresses() {
    let domain = |n: usize| format!("{}.example", format!("{}.", "d".repeat(60)).repeat(5))[..n].to_owned();
    // A local part may have more than 64 octets: a client may send it (RFC 5321 section 4.5.3.1).
    crosses(244, |n| ForwardPath::new(&format!("{}@b.example", "x".repeat(n))).is_ok());
    crosses(244, |n| parse_mailbox(&format!("{}@b.example", "x".repeat(n))).is_ok());
    crosses(254, |n| ForwardPath::new(&format!("ab@{}", domain(n - 3))).is_ok());
    crosses(254, |n| parse_mailbox(&format!("ab@{}", domain(n - 3))).is_ok());
    crosses(MAX_COMMENT_DEPTH, |n| parse_list(&format!("{}{} a@b.c", "(".repeat(n), ")".repeat(n))).is_ok());
}

#[test]
fn messages() {
    let nested = |n: usize| (0..n).try_fold(Message::text("x"), |inner, _| Message::rfc822(inner));
    crosses(100, |n| nested(n).is_ok_and(|message| message.to_bytes().is_ok()));
    let head = |n: usize| Message::from_read(std::io::Cursor::new(vec![b'x'; n])).header("Subject");
    assert!(head(1000).is_ok());
    let mut long = b"X: ".to_vec();
    long.resize((1 << 20) + 10_000, b'x');
    let error = Message::from_read(std::io::Cursor::new(long)).header("X").unwrap_err();
    assert_eq!(error.kind(), Kind::Source, "{error}");
}

#[test]
fn options() {
    let mut options = Options::default();
    let year = 366 * 24 * 3600;
    crosses(year, |n| options.clone().set("timeout", &n.to_string()).is_ok());
    for value in ["0", "-1", "inf", "nan", "1e99"] {
        options.set("timeout", value).unwrap_err();
    }
    options.servers = vec![format!("{}.example", "a.".repeat(200))];
    assert_eq!(smtpclient::server::servers(&options).unwrap()[0].protocol, Protocol::Smtp);
    #[cfg(feature = "net")]
    {
        let failed = smtpclient::net::sendmessage(&Message::from_bytes("From: a@b\nTo: c@d\n\n"), &options);
        assert_eq!(failed.unwrap_err().error.kind(), Kind::Usage);
    }
}

/// Of a batch no more messages are held than fill a round trip.
#[cfg(feature = "net")]
#[test]
fn messages_under_way() {
    use std::cell::Cell;

    let sink = scripted_server::sink::Sink::start(scripted_server::sink::SinkOptions::default()).unwrap();
    let mut options = Options::default();
    options.usetls = false;
    let mut session = smtpclient::net::Session::open("127.0.0.1", sink.port(), &options).unwrap();
    let (taken, most) = (Cell::new(0), Cell::new(0));
    let messages = (0..200).map(|_| {
        taken.set(taken.get() + 1);
        Message::from_bytes("From: a@b.example\nTo: c@d.example\n\n")
    });
    for (reported, result) in session.send_many(messages).enumerate() {
        assert!(result.unwrap().complete());
        most.set(most.get().max(taken.get() - reported));
    }
    assert_eq!((taken.get(), most.get()), (200, 64));
}
