//! libsmtp on tokio, on one thread. See benches/README.md for the arguments.

use peers::{Fault, Task, task};
use smtpclient::tokio::{Mailer, Session, sendmessage};
use smtpclient::{Message, Options};
use std::sync::Arc;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(600);

/// The mode is not for this client.
const NOT_HERE: i32 = 3;

fn main() -> Result<(), Fault> {
    let task = task()?;
    let options = options(&task)?;
    let message = Message::from_bytes(task.body.as_slice());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match task.mode.as_str() {
            "single" => some(&message, &options, task.messages).await?,
            "each" => {
                for _ in 0..task.messages {
                    complete(sendmessage(&message, &options).await?.complete())?;
                }
            }
            "batch" | "window" => {
                let mut session = Session::open(&options.servers[0], 0, &options).await?;
                let mut reports = session.send_many(std::iter::repeat_n(message, task.messages));
                while let Some((_, report)) = reports.next().await {
                    complete(report.complete())?;
                }
                drop(reports);
                session.close().await;
            }
            "parallel" => {
                let mut all = Vec::new();
                for number in 0..task.connections {
                    let (message, options) = (message.clone(), options.clone());
                    let share = task.messages / task.connections
                        + usize::from(number < task.messages % task.connections);
                    all.push(tokio::spawn(async move { some(&message, &options, share).await }));
                }
                for one in all {
                    one.await??;
                }
            }
            "queue" => queue(message, options, &task).await?,
            _ => std::process::exit(NOT_HERE),
        }
        Ok(())
    })
}

fn options(task: &Task) -> Result<Options, Fault> {
    let scheme = if task.tls == "wrap" { "smtps" } else { "smtp" };
    let mut options = Options::default();
    options.servers = vec![format!("{scheme}://127.0.0.1:{}", task.port)];
    options.client = Some("client.example.test".to_owned());
    options.originator = Some("from@example.test".to_owned());
    options.set("recipients", &task.recipients.join(","))?;
    options.set("pipelining", if task.mode == "window" { "full" } else { "rfc" })?;
    options.usetls = task.tls != "no";
    if task.tls != "no" {
        options.set("tlsrequired", "yes")?;
        // The words of the command line, of which the certificate is the last.
        options.tlscafile = std::env::args().last();
    }
    Ok(options)
}

async fn some(message: &Message, options: &Options, messages: usize) -> Result<(), Fault> {
    let mut session = Session::open(&options.servers[0], 0, options).await?;
    for _ in 0..messages {
        complete(session.send_message(message, options).await?.complete())?;
    }
    session.close().await;
    Ok(())
}

async fn queue(message: Message, mut options: Options, task: &Task) -> Result<(), Fault> {
    options.mailer.connections = task.connections;
    let mailer = Arc::new(Mailer::new(&options)?);
    for _ in 0..task.messages {
        drop(mailer.submit(&message, None).await?);
    }
    let is_sent = mailer.close(LIMIT).await?;
    complete(is_sent && mailer.counts().accepted == task.messages as u64)
}

fn complete(is_so: bool) -> Result<(), Fault> {
    if is_so { Ok(()) } else { Err("a message was not sent to all its recipients".into()) }
}
