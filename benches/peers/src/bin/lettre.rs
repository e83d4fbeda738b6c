//! lettre: one connection driven by hand, which is its fastest way, and its pool on tokio for many.

use lettre::address::Envelope;
use lettre::message::header::ContentType;
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::client::{Certificate, SmtpConnection, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use peers::{Fault, Task, task};
use std::sync::Arc;

fn main() -> Result<(), Fault> {
    let task = task()?;
    let name = ClientId::Domain("client.example.test".into());
    let to = task.recipients.iter().map(|address| address.parse()).collect::<Result<_, _>>()?;
    let envelope = Envelope::new(Some("from@example.test".parse()?), to)?;
    let tls = parameters(&task)?;
    let connect = || -> Result<SmtpConnection, Fault> {
        let wrapped = tls.as_ref().filter(|_| task.tls == "wrap");
        let mut connection = SmtpConnection::connect(("127.0.0.1", task.port), None, &name, wrapped, None)?;
        if let Some(tls) = tls.as_ref().filter(|_| task.tls == "starttls") {
            connection.starttls(tls, &name)?;
        }
        Ok(connection)
    };
    match task.mode.as_str() {
        "single" => {
            let mut connection = connect()?;
            for _ in 0..task.messages {
                connection.send(&envelope, &task.body)?;
            }
            connection.quit()?;
        }
        "each" => {
            for _ in 0..task.messages {
                let mut connection = connect()?;
                connection.send(&envelope, &task.body)?;
                connection.quit()?;
            }
        }
        "made" => {
            let mut connection = connect()?;
            for _ in 0..task.messages {
                let message = make(&task)?;
                connection.send(message.envelope(), &message.formatted())?;
            }
            connection.quit()?;
        }
        "written" => {
            for _ in 0..task.messages {
                std::hint::black_box(make(&task)?.formatted());
            }
        }
        "parallel" => parallel(&Arc::new(task), name, &envelope)?,
        _ => return Err("no such mode".into()),
    }
    Ok(())
}

/// Puts a message together. The text is what the message of the other modes has for a body.
fn make(task: &Task) -> Result<Message, Fault> {
    Ok(Message::builder()
        .from("Benchmark <from@example.test>".parse()?)
        .to("to@example.test".parse()?)
        .subject("a message")
        .header(ContentType::TEXT_PLAIN)
        .body(task.text())?)
}

fn parameters(task: &Task) -> Result<Option<TlsParameters>, Fault> {
    if task.tls == "no" {
        return Ok(None);
    }
    let certificate = Certificate::from_pem(&task.certificate)?;
    let builder = TlsParameters::builder("localhost".into()).add_root_certificate(certificate);
    Ok(Some(builder.build_rustls()?))
}

fn parallel(task: &Arc<Task>, name: ClientId, envelope: &Envelope) -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Its drop wants the runtime.
        let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
            .port(task.port)
            .hello_name(name)
            .tls(Tls::None)
            .pool_config(PoolConfig::new().max_size(u32::try_from(task.connections)?))
            .build();
        let mut all = Vec::new();
        for number in 0..task.connections {
            let (transport, envelope, task) = (transport.clone(), envelope.clone(), Arc::clone(task));
            let share =
                task.messages / task.connections + usize::from(number < task.messages % task.connections);
            all.push(tokio::spawn(async move {
                for _ in 0..share {
                    transport.send_raw(&envelope, &task.body).await?;
                }
                Ok::<(), Fault>(())
            }));
        }
        for one in all {
            one.await??;
        }
        Ok(())
    })
}
