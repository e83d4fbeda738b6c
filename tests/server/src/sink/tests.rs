use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::*;

fn sink(change: impl FnOnce(&mut SinkOptions)) -> Sink {
    let mut options = SinkOptions { keep: true, ..SinkOptions::default() };
    change(&mut options);
    Sink::start(options).unwrap()
}

/// Says everything at once, and gives the codes of the replies, without the greeting.
fn codes(sink: &Sink, said: &[u8]) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", sink.port())).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.write_all(said).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    let mut heard = String::new();
    socket.read_to_string(&mut heard).unwrap();
    heard.lines().skip(1).filter(|l| l.as_bytes()[3] == b' ').map(|l| &l[..3]).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_message_is_kept_byte_for_byte() {
    let sink = sink(|_| {});
    let said = b"EHLO me\r\nMAIL FROM:<a@b> SIZE=9\r\nRCPT TO:<c@d> NOTIFY=NEVER\r\nDATA\r\n\
        ..\r\n.x\r\nlone\n.\r\n\ncr\r.\r\n.\r\nQUIT\r\n";
    assert_eq!(codes(&sink, said), "250 250 250 354 250 221");
    let stored = sink.messages();
    // A dot after a bare LF or CR neither ends the message nor was doubled.
    assert_eq!(stored[0].content, b".\r\nx\r\nlone\n.\r\n\ncr\r.\r\n");
    assert_eq!(stored[0].envelope, ["MAIL FROM:<a@b> SIZE=9", "RCPT TO:<c@d> NOTIFY=NEVER"]);
    assert_eq!(sink.count(), 1);
}

#[test]
fn eight_bit_mime_can_be_left_out() {
    for offered in [true, false] {
        let sink = sink(|o| o.eight_bit_mime = offered);
        let mut socket = TcpStream::connect(("127.0.0.1", sink.port())).unwrap();
        socket.write_all(b"EHLO me\r\nQUIT\r\n").unwrap();
        let mut heard = String::new();
        socket.read_to_string(&mut heard).unwrap();
        assert_eq!((heard.contains("8BITMIME"), heard.contains("SMTPUTF8")), (offered, offered), "{heard}");
    }
}

#[test]
fn several_messages_on_one_connection() {
    let sink = sink(|_| {});
    let one = b"MAIL FROM:<>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n";
    assert_eq!(
        codes(&sink, &[b"HELO me\r\n", &one[..], one].concat()),
        "250 250 250 354 250 250 250 354 250"
    );
    assert_eq!(sink.messages().len(), 2);
}

#[test]
fn commands_out_of_order_are_refused() {
    let sink = sink(|_| {});
    let said =
        b"MAIL FROM:<a@b>\r\nEHLO me\r\nRCPT TO:<c@d>\r\nDATA\r\nMAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\n\
        DATA\r\nRCPT TO:<>\r\nRCPT TO:c@d\r\nRSET\r\nDATA\r\nLHLO me\r\nWHAT\r\nEHLO\r\nBDAT 2\r\nxx";
    assert_eq!(codes(&sink, said), "503 250 503 503 250 503 554 501 501 250 503 500 500 501 502");
    assert_eq!(sink.count(), 0);
}

#[test]
fn chunks_are_taken_as_they_are() {
    let sink = sink(|o| o.chunking = true);
    let said = b"EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 5\r\n.\r\n.\0BDAT 0\r\nBDAT 3 last\r\n\r\n\xffQUIT\r\n";
    assert_eq!(codes(&sink, said), "250 250 250 250 250 250 221");
    assert_eq!(sink.messages()[0].content, b".\r\n.\0\r\n\xff");
    // A chunk is read even where it is refused, and RSET forgets what was there.
    let said = b"EHLO me\r\nBDAT 6\r\nRSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 1\r\nxRSET\r\nBDAT 1 LAST\r\nxBDAT x\r\n";
    assert_eq!(codes(&sink, said), "250 503 250 250 250 250 503 501");
    assert_eq!(sink.count(), 1);
}

#[test]
fn recipients_and_sizes_are_refused() {
    let sink = sink(|o| {
        o.size = Some(3);
        o.reject("no*@x.*=550 5.1.1 No").unwrap();
    });
    let said = b"EHLO me\r\nMAIL FROM:<a@b> SIZE=4\r\nMAIL FROM:<a@b>\r\nRCPT TO:<Nobody@x.org>\r\nRCPT TO:<c@d>\r\nDATA\r\n12\r\n.\r\n";
    assert_eq!(codes(&sink, said), "250 552 250 550 250 354 552");
    assert_eq!(sink.count(), 0);
    for bad in ["a", "a=250 ok", "a=5500", "a=x"] {
        SinkOptions::default().reject(bad).unwrap_err();
    }
}

#[test]
fn lmtp_answers_for_each_recipient() {
    let sink = sink(|o| o.lmtp = true);
    let said =
        b"EHLO me\r\nLHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n.\r\nQUIT\r\n";
    assert_eq!(codes(&sink, said), "500 250 250 250 250 354 250 250 221");
    assert_eq!(sink.messages()[0].content, b"");
}

#[test]
fn only_whole_messages_are_written() {
    let folder = std::env::temp_dir().join(format!("sink-test-{}", std::process::id()));
    let sink = sink(|o| o.dump = Some(folder.clone()));
    let head = b"EHLO me\r\nMAIL FROM:<\"a>b\"@c>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n";
    codes(&sink, head);
    codes(&sink, &[&head[..], b".\r\n"].concat());
    assert!(!folder.join("1.eml").exists());
    assert_eq!(std::fs::read(folder.join("2.eml")).unwrap(), b"x\r\n");
    let envelope = std::fs::read_to_string(folder.join("2.envelope")).unwrap();
    assert_eq!(envelope, "MAIL FROM:<\"a>b\"@c>\nRCPT TO:<c@d>\n");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn globs() {
    for (pattern, text, holds) in [
        ("a@b", "A@B", true),
        ("a@b", "a@bc", false),
        ("*", "", true),
        ("*@b", "a@b", true),
        ("*@b", "a@bc", false),
        ("a*c*", "abcd", true),
        ("a*a", "a", false),
        ("a*b*a", "aba", true),
    ] {
        assert_eq!(glob(pattern, text), holds, "{pattern} {text}");
    }
}

#[test]
fn only_users_send_and_only_with_their_password() {
    let sink = sink(|o| o.users = vec![("ann".into(), "secret".into()), ("bob".into(), "t0ken".into())]);
    let mail = "MAIL FROM:<a@b>\r\n";
    for (said, codes_of) in [
        ("", "250 530"),
        ("AUTH PLAIN AGFubgBzZWNyZXQ=\r\n", "250 235 250"),
        ("AUTH PLAIN\r\nAGFubgBzZWNyZXQ=\r\n", "250 334 235 250"),
        ("AUTH PLAIN AGFubgB0MGtlbg==\r\n", "250 535 530"),
        ("AUTH PLAIN *\r\n", "250 535 530"),
        ("AUTH LOGIN\r\nYW5u\r\nc2VjcmV0\r\n", "250 334 334 235 250"),
        ("AUTH LOGIN YW5u\r\nc2VjcmV0\r\n", "250 334 235 250"),
        ("AUTH XOAUTH2 dXNlcj1ib2IBYXV0aD1CZWFyZXIgdDBrZW4BAQ==\r\n", "250 235 250"),
        ("AUTH XOAUTH2 dXNlcj1ib2IBYXV0aD1CZWFyZXIgb3RoZXIBAQ==\r\n", "250 535 530"),
        ("AUTH CRAM-MD5\r\n", "250 504 530"),
    ] {
        assert_eq!(codes(&sink, format!("EHLO me\r\n{said}{mail}").as_bytes()), codes_of, "{said}");
    }
}

#[test]
fn faults_come_where_the_table_says() {
    let one = b"EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\nQUIT\r\n";
    for (rules, first, second, taken) in [
        (&["data#1=451 4.3.0 Later"][..], "250 250 250 451 500 221", "250 250 250 354 250 221", 1),
        (&["final#1=452 Full", "final#2=421 Bye"], "250 250 250 354 452 221", "250 250 250 354 421", 0),
        (&["final=close"], "250 250 250 354", "250 250 250 354", 2),
        (&["mail#2=close"], "250 250 250 354 250 221", "250", 1),
        (
            &["rcpt=550 5.1.1 No", "rcpt#2=450 4.2.1 Later"],
            "250 250 550 554 500 221",
            "250 250 550 554 500 221",
            0,
        ),
        (&["hello#1=421 4.3.2 Down"], "421", "250 250 250 354 250 221", 1),
        (&["quit=delay 0.01"], "250 250 250 354 250 221", "250 250 250 354 250 221", 2),
        (&["data=silence"], "250 250 250", "250 250 250", 0),
    ] {
        let sink = sink(|o| o.faults = rules.iter().map(|rule| rule.parse().unwrap()).collect());
        assert_eq!((codes(&sink, one).as_str(), codes(&sink, one).as_str()), (first, second), "{rules:?}");
        assert_eq!(sink.count(), taken, "{rules:?}");
    }
    let refused = sink(|o| o.faults.push("greeting=554 5.3.2 No".parse().unwrap()));
    assert_eq!(codes(&refused, b"QUIT\r\n"), "221");
    let reset = sink(|o| o.faults.push("hello=reset".parse().unwrap()));
    let mut socket = TcpStream::connect(("127.0.0.1", reset.port())).unwrap();
    socket.write_all(b"EHLO me\r\n").unwrap();
    let error = socket.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    for (rule, what) in [
        ("data", "STEP=FAULT"),
        ("body=close", "the steps are greeting, "),
        ("data#0=close", "counts from 1"),
        ("data=250 Ok", "400 to 599"),
        ("data=delay x", "seconds"),
        ("data=451 a\r\nb", "400 to 599"),
    ] {
        assert!(rule.parse::<Rule>().unwrap_err().contains(what), "{rule}");
    }
}
