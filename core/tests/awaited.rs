//! `smtpclient::tokio`: nothing is sent twice or left half sent, whatever is dropped, and nothing that blocks holds up the runtime.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod common;
#[path = "awaited/dropped.rs"]
mod dropped;
#[path = "awaited/mailer.rs"]
mod mailer;
#[path = "awaited/server.rs"]
mod server;
#[path = "awaited/service.rs"]
mod service;
#[path = "../examples/service.rs"]
#[allow(dead_code, reason = "its main is for the command line")]
mod service_example;
#[path = "awaited/together.rs"]
mod together;
#[path = "awaited/verbs.rs"]
mod verbs;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use smtpclient::{Message, Options};
use tokio::runtime::{Builder, Runtime};

use self::server::Server;

/// Longer than anything takes; a test that waits so long has failed.
const LIMIT: Duration = Duration::from_secs(30);

/// One with one thread: what blocks that blocks everything.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Options for this server.
fn options(server: &Server) -> Options {
    let mut options = Options::default();
    options.servers = vec!["127.0.0.1".to_owned()];
    options.ports = vec![server.port()];
    options.client = Some("client.example".to_owned());
    options.timeout = Some(LIMIT);
    options
}

/// A message whose recipient is its number, with a body of about so many octets.
fn message_of(number: usize, octets: usize) -> Message {
    let line = "A line of sixty-four octets, CRLF included, of which it has many\n";
    let body = line.repeat(octets / line.len() + 1);
    Message::from_bytes(format!(
        "From: a@client.example\nTo: {}\nMessage-ID: <{number}@client.example>\nSubject: x\n\n{body}",
        address(number)
    ))
}

fn message(number: usize) -> Message {
    message_of(number, 1)
}

fn address(number: usize) -> String {
    format!("user{number}@mail.example")
}

/// What the future gives, unless `other` is ready first: `None` then, and the future is dropped.
async fn unless<T>(future: impl Future<Output = T>, other: impl Future) -> Option<T> {
    let (mut future, mut other) = (pin!(future), pin!(other));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => other.as_mut().poll(cx).map(|_| None),
    })
    .await
}

/// What the future gives, unless it waits for the so-many-th time: `None` then, and it is dropped there.
async fn for_waits<T>(future: impl Future<Output = T>, waits: usize) -> Option<T> {
    let (mut future, mut left) = (pin!(future), waits);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}
