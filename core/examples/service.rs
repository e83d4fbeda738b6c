//! service LISTEN SERVER: a service on tokio. It mails what it is told, in lines of `RECIPIENT TEXT`, and answers each with what became
//! of it. When its standard input ends it takes no more, sends what it has, and ends.
#![allow(unreachable_pub, clippy::print_stdout, reason = "a program, and core/tests/awaited.rs calls it")]

use std::sync::Arc;
use std::time::Duration;

use smtpclient::tokio::{Mailer, Submission};
use smtpclient::{Error, HeaderMode, Message, Options};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Serves until `end`; whether everything was sent that was taken.
pub async fn serve(listener: TcpListener, options: &Options, end: impl Future) -> Result<bool, Error> {
    let mailer = Arc::new(Mailer::new(options)?);
    let mut clients = JoinSet::new();
    let mut end = std::pin::pin!(end);
    loop {
        tokio::select! {
            _ = &mut end => break,
            client = listener.accept() => {
                if let Ok((client, _)) = client {
                    clients.spawn(talk(client, Arc::clone(&mailer)));
                }
            }
            _ = clients.join_next(), if !clients.is_empty() => {}
        }
    }
    // Clients that are not answered yet get their answers: dropping them would lose the reports, and not the messages.
    let is_sent = mailer.close(Duration::from_secs(60)).await?;
    clients.join_all().await;
    Ok(is_sent)
}

/// One client: whatever is wrong with it, or with a message of its, concerns nobody else.
async fn talk(mut client: TcpStream, mailer: Arc<Mailer>) -> std::io::Result<()> {
    let (input, mut output) = client.split();
    let mut lines = BufReader::new(input).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match submit(&line, &mailer).await {
            Err(error) => format!("not taken: {error}\n"),
            Ok(submission) => match submission.await {
                Ok(report) => format!("accepted: {}\n", report.queue_id().unwrap_or("-")),
                Err(failed) => format!("failed: {failed}\n"),
            },
        };
        output.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

async fn submit(line: &str, mailer: &Mailer) -> Result<Submission, Error> {
    let (recipient, text) = line.split_once(' ').unwrap_or((line, ""));
    let mut message = Message::text(text);
    message.set_header("From", "service@example.org", HeaderMode::Write)?;
    message.set_header("To", recipient, HeaderMode::Write)?;
    mailer.submit(&message, None).await // waits while the queue is full, and the client with it
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [listen, server] = words.as_slice() else { return Err("service LISTEN SERVER".into()) };
    let mut options = Options::default();
    options.set("servers", server)?;
    options.set("connections", "4")?;
    let end = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    if serve(TcpListener::bind(listen).await?, &options, end).await? {
        println!("everything was sent");
    }
    Ok(())
}
