//! The example of a service.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::server::{Rules, Server};
use crate::service_example::serve;
use crate::{options, runtime};

#[test]
fn it_answers_each_line_and_ends_when_everything_is_sent() {
    let server = Server::start(Rules { keywords: &["PIPELINING"], gate: true, ..Rules::default() });
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel::<()>();
        let options = options(&server);
        let service = tokio::spawn(async move { serve(listener, &options, ended).await });
        let mut client = BufReader::new(TcpStream::connect(address).await.unwrap());
        client.write_all(b"not an address\nann@example.test Hello\n").await.unwrap();
        let mut line = String::new();
        client.read_line(&mut line).await.unwrap();
        assert!(line.starts_with("not taken: "), "{line}");
        server.waited("the message", |record| record.stored.len() == 1).await;
        // It is told to end while the message is under way.
        end.send(()).unwrap();
        server.open();
        line.clear();
        client.read_line(&mut line).await.unwrap();
        assert!(line.starts_with("accepted: "), "{line}");
        drop(client);
        assert!(service.await.unwrap().unwrap());
    });
    assert_eq!(server.record().stored, ["ann@example.test"]);
}
