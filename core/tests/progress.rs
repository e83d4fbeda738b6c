//! Option `progress`: what is told is what the server gets, in every form.

#![allow(clippy::unwrap_used)]

use std::io::Cursor;
use std::sync::{Arc, Mutex};

use scripted_server::sink::{Sink, SinkOptions};
use smtpclient::extensions::Chunking;
use smtpclient::{Encoding, Message, Options, Session, sendmessage};

type Told = Arc<Mutex<Vec<(u64, u64, Option<u64>)>>>;

fn options(sink: &Sink, told: &Told) -> Options {
    let mut options = Options::default();
    options.set("servers", &format!("127.0.0.1:{}", sink.port())).unwrap();
    options.set("originator", "a@c.example").unwrap();
    options.set("recipients", "b@s.example").unwrap();
    let told = Arc::clone(told);
    options.progress =
        Some(Arc::new(move |one| told.lock().unwrap().push((one.index, one.octets, one.total))));
    options
}

fn large() -> Vec<u8> {
    [&b"From: a@c.example\r\n\r\n"[..], &b"..a line\n.b\n".repeat(30_000)].concat()
}

#[test]
fn the_last_word_is_the_whole_message() {
    let composed = || {
        let mut message = Message::text("text\n");
        message.attach_bytes("data", None, vec![7; 200_000]).unwrap();
        message
    };
    let as_binary = || {
        let mut message = Message::part("application/x-data").unwrap();
        message.set_body_bytes(vec![b'\n'; 300_000]).unwrap();
        message.set_encoding(Encoding::Binary).unwrap();
        message
    };
    let with_a_reader = || {
        let mut message = Message::text("text\n");
        message.attach(Message::rfc822(Message::from_read(Cursor::new(large()))).unwrap()).unwrap();
        message
    };
    let sink = Sink::start(SinkOptions { keep: true, chunking: true, ..SinkOptions::default() }).unwrap();
    for chunking in [Chunking::Off, Chunking::On, Chunking::Auto] {
        for message in [
            Message::from_bytes(large()),
            Message::from_read(Cursor::new(large())),
            with_a_reader(),
            composed(),
            as_binary(),
        ] {
            let told = Told::default();
            let mut options = options(&sink, &told);
            options.chunking = chunking;
            assert!(sendmessage(&message, &options).unwrap().complete());
            let size = sink.messages().last().unwrap().content.len() as u64;
            let told = told.lock().unwrap();
            assert!(told.len() > 2 && told.windows(2).all(|two| two[0].1 < two[1].1), "{told:?}");
            assert_eq!(told.last().unwrap().1, size);
            assert!(told.iter().all(|one| one.2.is_none_or(|total| total == size)), "{size} {told:?}");
        }
    }
}

#[test]
fn a_session_tells_for_all_its_messages_and_only_by_its_own_function() {
    let sink = Sink::start(SinkOptions { keep: true, ..SinkOptions::default() }).unwrap();
    let (told, other) = (Told::default(), Told::default());
    let own = options(&sink, &told);
    let mut session = Session::open("127.0.0.1", sink.port(), &own).unwrap();
    let message = Message::from_bytes(*b"From: a@c.example\r\n\r\nx\r\n");
    for _ in 0..3 {
        assert!(session.send_message(&message, &own).unwrap().complete());
    }
    let error = session.send_message(&message, &options(&sink, &other)).unwrap_err();
    assert!(error.to_string().contains("option `progress` belongs to the session"), "{error}");
    let sizes: Vec<u64> = sink.messages().iter().map(|stored| stored.content.len() as u64).collect();
    assert_eq!(told.lock().unwrap().iter().map(|one| one.1).collect::<Vec<_>>(), sizes);
    assert!(other.lock().unwrap().is_empty());
}
