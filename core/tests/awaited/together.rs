//! Many tasks on one thread, and functions of the caller's that block.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use smtpclient::options::OauthToken;
use smtpclient::tokio::{Mailer, SendMany, Session, Submission, sendmessage, verify};
use smtpclient::{Cancel, Commit, Kind, Message, Outcome};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;

use super::server::{Rules, Server};
use super::{LIMIT, address, for_waits, message, message_of, options, runtime, unless};

#[test]
fn many_at_once_on_one_thread() {
    let server = Server::start(Rules { gate: true, ..Rules::default() });
    runtime().block_on(async {
        let mut tasks = JoinSet::new();
        for number in 0..150 {
            let options = options(&server);
            tasks.spawn(async move { sendmessage(&message(number), &options).await.unwrap().complete() });
        }
        // None of them is answered before all have come.
        server.waited("all of them", |record| record.stored.len() == 150).await;
        server.open();
        while let Some(done) = tasks.join_next().await {
            assert!(done.unwrap());
        }
    });
    let mut stored = server.record().stored;
    stored.sort();
    stored.dedup();
    assert_eq!(stored.len(), 150);
}

#[test]
fn a_large_message_leaves_others_their_turn_and_comes_to_its_end() {
    let server = Server::start(Rules::default());
    let mut options = options(&server);
    options.timeout = Some(100 * LIMIT); // so that no look at the clock helps
    runtime().block_on(async {
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        let other = tokio::spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        });
        let large = message_of(1, 4 << 20);
        let sent = tokio::time::timeout(LIMIT, sendmessage(&large, &options)).await;
        assert!(sent.expect("it never went on").unwrap().complete());
        other.abort();
        // A turn of the connection moves 256 KiB.
        assert!(turns.load(Ordering::SeqCst) >= 16, "the other task had {turns:?} turns");
    });
}

/// A function that says that it was called, and then blocks until it may go on.
fn blocking()
-> (impl Fn() + Send + Sync, tokio::sync::mpsc::UnboundedReceiver<()>, std::sync::mpsc::Sender<()>) {
    let (enter, entered) = unbounded_channel();
    let (leave, left) = channel();
    let left = Mutex::new(left);
    let block = move || {
        let _ = enter.send(());
        left.lock().unwrap().recv_timeout(LIMIT).expect("the runtime was held up");
    };
    (block, entered, leave)
}

#[test]
fn a_commit_that_blocks_holds_up_nobody() {
    let server = Server::start(Rules::default());
    let (block, mut entered, leave) = blocking();
    let mut options = options(&server);
    options.commit = Some(Commit::new(move |ready| {
        block();
        if ready[0].index == 1 { Err("not this one") } else { Ok(()) }
    }));
    runtime().block_on(async {
        let mut session = Session::open("127.0.0.1", server.port(), &options).await.unwrap();
        let answered = async {
            entered.recv().await.unwrap();
            leave.send(()).unwrap();
        };
        let (first, second) = (message(0), message(1));
        let sent = async {
            // The message may name the commit of its session.
            session.send_message(&first, &options).await.unwrap()
        };
        let (sent, ()) = both(sent, answered).await;
        assert!(sent.complete());
        leave.send(()).unwrap();
        leave.send(()).unwrap();
        let mut reports = session.send_many([message(2), second]);
        assert!(reports.next().await.unwrap().1.complete());
        let failure = reports.next().await.unwrap().1.failure().unwrap();
        assert!(failure.kind() == Kind::Commit && failure.text().contains("not this one"), "{failure}");
    });
    assert_eq!(server.record().stored, [address(0), address(2)]);
}

#[test]
fn a_send_that_is_dropped_while_its_commit_blocks_is_not_sent() {
    let server = Server::start(Rules::default());
    let (block, mut entered, leave) = blocking();
    let mut options = options(&server);
    options.commit = Some(Commit::new(move |_| {
        block();
        Ok::<_, String>(())
    }));
    runtime().block_on(async {
        let message = message(0);
        assert!(unless(sendmessage(&message, &options), entered.recv()).await.is_none());
        leave.send(()).unwrap();
    });
    server.wait("the end of the connection", |record| record.ended == 1);
    assert!(server.record().stored.is_empty());
}

#[test]
fn a_token_that_takes_long_holds_up_nobody() {
    let server = Server::start(Rules { keywords: &["AUTH XOAUTH2"], ..Rules::default() });
    let (block, mut entered, leave) = blocking();
    let mut options = options(&server);
    options.username = Some("ann".to_owned());
    options.oauthtoken = Some(OauthToken::asking(move |_| {
        block();
        Ok::<_, String>("a-token")
    }));
    runtime().block_on(async {
        let answered = async {
            entered.recv().await.unwrap();
            leave.send(()).unwrap();
        };
        let message = message(0);
        let (sent, ()) = both(sendmessage(&message, &options), answered).await;
        assert_eq!(sent.unwrap().attempts[0].logins[0].mechanism, "XOAUTH2");
    });
}

#[test]
fn a_commit_that_is_pending_is_asked_again_when_the_future_is() {
    let server = Server::start(Rules::default());
    let mut options = options(&server);
    let answer: Arc<Mutex<Option<Result<(), String>>>> = Arc::default();
    let known = Arc::clone(&answer);
    let (ask, mut asked) = unbounded_channel();
    options.commit = Some(Commit::polled(move |_| {
        let _ = ask.send(());
        known.lock().unwrap().clone().map_or(Poll::Pending, Poll::Ready)
    }));
    runtime().block_on(async {
        let message = message(0);
        let answered = async {
            asked.recv().await.unwrap();
            *answer.lock().unwrap() = Some(Ok(()));
        };
        let (sent, ()) = both(sendmessage(&message, &options), answered).await;
        assert!(sent.unwrap().complete());
    });
}

/// Both, in one task.
async fn both<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
    let (mut one, mut other) = (std::pin::pin!(one), std::pin::pin!(other));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|cx| {
        if second.is_none()
            && let Poll::Ready(done) = other.as_mut().poll(cx)
        {
            second = Some(done);
        }
        if first.is_none()
            && let Poll::Ready(done) = one.as_mut().poll(cx)
        {
            first = Some(done);
        }
        if first.is_some() && second.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (first.unwrap(), second.unwrap())
}

#[test]
fn a_cancel_ends_it_with_a_report() {
    let server = Server::start(Rules { silent_after: Some(5), ..Rules::default() });
    let mut options = options(&server);
    let cancel = Cancel::new();
    options.cancel = Some(cancel.clone());
    runtime().block_on(async {
        let message = message(0);
        let cancelled = async {
            server.waited("silence", |record| record.silent > 0).await;
            cancel.trigger();
        };
        let (sent, ()) = both(sendmessage(&message, &options), cancelled).await;
        let failed = sent.unwrap_err();
        assert_eq!(failed.report.recipients[0].outcome, Outcome::Unknown, "{failed}");
    });
}

#[test]
fn a_server_that_is_silent_for_too_long() {
    let server = Server::start(Rules { silent_after: Some(3), ..Rules::default() });
    let mut options = options(&server);
    options.timeout = Some(Duration::from_millis(50));
    let failed = runtime().block_on(async { sendmessage(&message(0), &options).await.unwrap_err() });
    assert_eq!(failed.error.kind(), Kind::Timeout, "{failed}");
    assert_eq!(failed.report.recipients[0].outcome, Outcome::NotSent);
}

/// Has its header section, and nothing more now.
struct Dry(bool);

impl smtpclient::message::Reader for Dry {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if std::mem::replace(&mut self.0, true) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let head = b"From: a@client.example\nTo: b@mail.example\n\n";
        buffer[..head.len()].copy_from_slice(head);
        Ok(head.len())
    }
}

#[test]
fn a_reader_that_has_nothing_now_is_an_error() {
    let server = Server::start(Rules::default());
    let options = options(&server);
    let failed = runtime().block_on(async {
        let message = Message::from_reader(Dry(false));
        sendmessage(&message, &options).await.unwrap_err()
    });
    assert_eq!(failed.error.kind(), Kind::Source, "{failed}");
    assert!(failed.error.text().contains("a task cannot wait for it"), "{failed}");
    server.wait("the end of the connection", |record| record.ended == 1);
    assert!(server.record().stored.is_empty());
}

#[test]
fn outside_of_a_runtime_it_is_an_error() {
    let server = Server::start(Rules::default());
    let (options, message) = (options(&server), message(0));
    let mut sent = Box::pin(sendmessage(&message, &options));
    let Poll::Ready(Err(failed)) = sent.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it went on");
    };
    assert!(failed.error.kind() == Kind::Usage && failed.error.text().contains("runtime"), "{failed}");
    assert_eq!(server.record().begun, 0);
}

#[test]
fn a_send_whose_runtime_has_ended_says_so() {
    let server = Server::start(Rules { silent_after: Some(1), ..Rules::default() });
    let (options, message, first) = (options(&server), message(0), runtime());
    let mut sent = Box::pin(sendmessage(&message, &options));
    first.block_on(async {
        let silent = server.waited("silence", |record| record.silent > 0);
        assert!(unless(sent.as_mut(), silent).await.is_none());
    });
    drop(first);
    let failed = runtime().block_on(sent).unwrap_err();
    assert_eq!(failed.error.kind(), Kind::Closed, "{failed}");
    assert!(failed.error.text().contains("cannot be watched"), "{failed}");
}

#[test]
fn futures_may_go_from_thread_to_thread() {
    fn is_send<T: Send>(one: T) -> T {
        one
    }
    let server = Server::start(Rules::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let options = options(&server);
    runtime.unwrap().block_on(async {
        let report = is_send(sendmessage(&message(0), &options)).await.unwrap();
        assert!(report.complete());
        assert!(is_send(verify(&options)).await.unwrap().attempts[0].offered.is_some());
        let mut session = is_send(Session::open("127.0.0.1", server.port(), &options)).await.unwrap();
        assert!(is_send(session.send_message(&message(1), &options)).await.unwrap().complete());
        let messages = vec![message(2)];
        let mut reports: SendMany<'_, _> = is_send(session.send_many(messages));
        assert!(is_send(reports.next()).await.unwrap().1.complete());
        drop(reports);
        is_send(session.close()).await;
        let mailer = is_send(Mailer::new(&options).unwrap());
        let submission: Submission = is_send(mailer.submit(&message(3), None)).await.unwrap();
        assert!(is_send(submission).await.unwrap().complete());
        assert!(is_send(mailer.close(LIMIT)).await.unwrap());
    });
    assert_eq!(server.record().stored, (0..4).map(address).collect::<Vec<_>>());
}

#[test]
fn a_stream_that_has_none_now_does_not_hold_up_those_before() {
    let server = Server::start(Rules { keywords: &["PIPELINING"], ..Rules::default() });
    runtime().block_on(async {
        let (give, given) = unbounded_channel();
        let mut session = Session::open("127.0.0.1", server.port(), &options(&server)).await.unwrap();
        let mut reports = session.send_stream(Given(given));
        for number in 0..3 {
            give.send(message(number)).unwrap();
            assert!(reports.next().await.unwrap().1.complete());
        }
        assert!(for_waits(reports.next(), 0).await.is_none(), "there is none yet");
        drop(give);
        assert!(reports.next().await.is_none());
    });
    assert_eq!(server.record().stored.len(), 3);
}

/// Messages of a channel.
struct Given(tokio::sync::mpsc::UnboundedReceiver<Message>);

impl futures_core::Stream for Given {
    type Item = Message;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.0.poll_recv(cx)
    }
}
