//! mail-send, on one thread of tokio. It is told to trust any certificate.

use std::sync::Arc;

use mail_send::SmtpClientBuilder;
use mail_send::smtp::message::Message;
use peers::{Fault, Task, task};
use tokio::io::{AsyncRead, AsyncWrite};

type Client<S> = mail_send::SmtpClient<S>;

fn main() -> Result<(), Fault> {
    let task = Arc::new(task()?);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let builder = SmtpClientBuilder::new("127.0.0.1", task.port)?
            .helo_host("client.example.test")
            .allow_invalid_certs()
            .implicit_tls(task.tls == "wrap");
        match (task.mode.as_str(), task.tls.as_str()) {
            ("single", "no") => some(builder.connect_plain().await?, &task, task.messages).await,
            ("single", _) => some(builder.connect().await?, &task, task.messages).await,
            ("each", tls) => {
                for _ in 0..task.messages {
                    match tls {
                        "no" => some(builder.connect_plain().await?, &task, 1).await?,
                        _ => some(builder.connect().await?, &task, 1).await?,
                    }
                }
                Ok(())
            }
            ("parallel", _) => {
                let mut all = Vec::new();
                for number in 0..task.connections {
                    let (builder, task) = (builder.clone(), Arc::clone(&task));
                    let share = task.messages / task.connections
                        + usize::from(number < task.messages % task.connections);
                    all.push(tokio::spawn(async move {
                        some(builder.connect_plain().await?, &task, share).await
                    }));
                }
                for one in all {
                    one.await??;
                }
                Ok(())
            }
            _ => Err("no such mode".into()),
        }
    })
}

async fn some<S: AsyncRead + AsyncWrite + Unpin>(
    mut client: Client<S>,
    task: &Task,
    messages: usize,
) -> Result<(), Fault> {
    for _ in 0..messages {
        let to = task.recipients.iter().map(String::as_str);
        client.send(Message::new("from@example.test", to, task.body.as_slice())).await?;
    }
    client.quit().await?;
    Ok(())
}
