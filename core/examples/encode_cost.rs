//! What encoding costs: `encode_cost copy|base64|qp|qp8|lines|finished MIBIBYTES`, or `encode_cost attach FILE`; to be run under
//! `valgrind --tool=callgrind`. The difference between two sizes, divided by the octets, is the cost of one.

use std::error::Error;
use std::io::BufRead;

use smtpclient::content::{Content, Transfer};
use smtpclient::message::{Edits, Encoding, Message};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(what), Some(size)) = (args.next(), args.next()) else {
        return Err("encode_cost WHAT MIBIBYTES".into());
    };
    let line: &[u8] = match &*what {
        "qp8" => "Gr\u{fc}\u{df}e aus K\u{f6}ln, der Stadt am Rhein, und noch einige W\u{f6}rter mehr.\r\n"
            .as_bytes(),
        "lines" => b"A line of text that ends in LF only, and is of the usual length.....\n",
        _ => b"A line of text that ends in CRLF, and is of the usual length........\r\n",
    };
    let message = if what == "attach" {
        let mut message = Message::text("see the file");
        message.attach_file(&size)?;
        message
    } else {
        sample(&what, line.repeat((size.parse::<usize>()? << 20) / line.len()))?
    };
    let mut sum = 0_usize;
    let mut copy = Vec::with_capacity(1 << 16);
    let mut out = message.prepare(&Edits::default())?;
    let mut transfer = Transfer::default();
    transfer.eight_bit = true;
    let mut input = out.open(transfer)?;
    loop {
        let piece = input.fill_buf()?;
        let count = piece.len().min(1 << 16);
        if count == 0 {
            break;
        }
        if what == "copy" {
            copy.clear();
            copy.extend_from_slice(&piece[..count]);
        }
        sum = sum.wrapping_add(usize::from(piece[count - 1])).wrapping_add(copy.len());
        input.consume(count);
    }
    std::hint::black_box(sum);
    Ok(())
}

fn sample(what: &str, data: Vec<u8>) -> Result<Message, Box<dyn Error>> {
    if what == "finished" || what == "copy" {
        return Ok(Message::from_bytes(data));
    }
    let mut message = Message::part(if what == "base64" { "application/x-y" } else { "text/plain" })?;
    message.set_encoding(match what {
        "base64" => Encoding::Base64,
        "qp" | "qp8" => Encoding::QuotedPrintable,
        _ => Encoding::Auto,
    })?;
    message.set_body_bytes(data)?;
    Ok(message)
}
