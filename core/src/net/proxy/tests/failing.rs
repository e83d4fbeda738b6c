//! Proxies that are slow, silent, or gone.

use std::time::Instant;

use super::*;
use crate::cancel::Cancel;
use crate::net::Limits;

/// Answers byte by byte, and closes after the first `count` bytes of all answers.
fn trickling(script: Vec<(Vec<u8>, Vec<u8>)>, count: usize) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        client.set_nodelay(true).unwrap();
        let mut left = count;
        for (expected, answer) in script {
            client.read_exact(&mut vec![0; expected.len()]).unwrap();
            for byte in answer {
                if left == 0 {
                    return;
                }
                client.write_all(&[byte]).unwrap();
                left -= 1;
            }
        }
    });
    (port, thread)
}

#[test]
fn a_cut_anywhere_is_an_error_and_slowness_is_none() {
    let request = socks_request(&[1, 192, 0, 2, 1]);
    let socks = steps(&[(&[5, 2, 0, 2], &[5, 2]), (b"\x01\x01u\x01p", &[1, 0]), (&request, SOCKS_OK)]);
    let connect =
        b"CONNECT 192.0.2.1:25 HTTP/1.1\r\nHost: 192.0.2.1:25\r\nProxy-Authorization: Basic dTpw\r\n\r\n";
    let http = steps(&[(connect, b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n")]);
    for (scheme, script) in [("socks5", socks), ("http", http)] {
        let whole: usize = script.iter().map(|(_, answer)| answer.len()).sum();
        for count in 0..=whole {
            let (port, thread) = trickling(script.clone(), count);
            let result = through(&format!("{scheme}://u:p@127.0.0.1:{port}"), "192.0.2.1");
            if count == whole {
                result.unwrap();
            } else {
                let error = result.unwrap_err();
                assert_eq!((error.kind(), error.is_transient()), (Kind::Connect, true), "{count}: {error}");
                assert!(error.text().contains("closed the connection"), "{count}: {error}");
            }
            thread.join().unwrap();
        }
    }
}

#[test]
fn a_silent_proxy_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = Target::Tcp { host: "mail.example".to_owned(), port: 25 };
    let cancel = Cancel::new();
    let trigger = cancel.clone();
    let limits = [
        (Duration::from_millis(100), Limits::default(), Kind::Timeout, "no answer within 100ms"),
        (Duration::from_secs(30), Limits::new(None, Some(cancel)), Kind::Cancelled, "cancelled"),
    ];
    let _trigger = thread::spawn(move || {
        thread::sleep(Duration::from_millis(400));
        trigger.trigger();
    });
    for (connect_timeout, limits, kind, words) in limits {
        for scheme in ["socks5", "http"] {
            let proxy = Some(Proxy::parse(&format!("{scheme}://127.0.0.1:{port}")).unwrap());
            let begin = Instant::now();
            let options = DialOptions {
                proxy,
                connect_timeout,
                limits: limits.clone(),
                local_address: None,
                ..DialOptions::default()
            };
            let error = dial(&target, &options).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.text().contains(words), "{error}");
            assert!(begin.elapsed() < Duration::from_millis(700), "{:?}", begin.elapsed());
        }
    }
}
