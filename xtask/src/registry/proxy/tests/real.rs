//! Requests over proxies that listen on this machine.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread::{self, JoinHandle};

use ureq::Agent;

use super::*;

/// A proxy for one connection: `answer` is given to it, and the lines that matter are returned.
fn proxy(
    answer: impl FnOnce(TcpStream) -> Vec<String> + Send + 'static,
) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (
        address,
        thread::spawn(move || answer(listener.accept().unwrap().0)),
    )
}

/// The first line of a request and its `Proxy-Authorization`.
fn head(reader: &mut impl BufRead) -> Vec<String> {
    let lines = reader.lines().map(Result::unwrap);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let matters = |(at, line): &(usize, &String)| *at == 0 || line.starts_with("Proxy-A");
    let kept = head.iter().enumerate().filter(matters);
    kept.map(|(_, line)| line.clone()).collect()
}

/// Answers a CONNECT with `status`; if that is 200, it is the target as well.
fn connect(mut stream: &TcpStream, status: &str) -> Vec<String> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = head(&mut reader);
    write!(stream, "HTTP/1.1 {status}\r\n\r\n").unwrap();
    if status.starts_with("200") {
        lines.extend(head(&mut reader));
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
    }
    lines
}

/// Asks for `url`, as the client does in an environment; the answer's text or the error.
fn get(environment: &[(&str, &str)], url: &str) -> Result<String, String> {
    let exec = Exec::new(Path::new("/"), false).unwrap();
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
        "no_proxy",
        "NO_PROXY",
    ] {
        exec.set_var(name, "");
    }
    for (name, value) in environment {
        exec.set_var(name, value);
    }
    let proxy = for_address(&exec, &Url::parse(url).unwrap()).unwrap();
    let agent: Agent = Agent::config_builder().proxy(proxy).build().new_agent();
    let answer = agent.get(url).call().map_err(|error| error.to_string());
    answer.map(|mut answer| answer.body_mut().read_to_string().unwrap())
}

#[test]
fn a_request_goes_over_a_real_proxy() {
    // `me:s@x`
    let login = "Proxy-Authorization: Basic bWU6c0B4";
    let (address, requests) = proxy(|stream| connect(&stream, "200 OK"));
    let value = format!("http://me:s%40x@{address}");
    let text = get(&[("http_proxy", &value)], "http://registry.example.org/v2/");
    assert_eq!(text.as_deref(), Ok("hi"));
    let want = [
        "CONNECT registry.example.org:80 HTTP/1.1",
        login,
        "GET /v2/ HTTP/1.1",
    ];
    assert_eq!(requests.join().unwrap(), want);

    let (address, requests) = proxy(|stream| connect(&stream, "407 Proxy Authentication Required"));
    let error = get(
        &[("HTTPS_PROXY", &address)],
        "https://registry.example.org:8443/v2/",
    );
    let error = error.unwrap_err();
    assert!(error.contains("407"), "{error}");
    assert_eq!(
        requests.join().unwrap(),
        ["CONNECT registry.example.org:8443 HTTP/1.1"]
    );
}

#[test]
fn a_request_to_this_machine_goes_over_none() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v2/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        connect(&listener.accept().unwrap().0, "200 OK\r\nContent-Length: 0")
    });
    // Nobody listens there.
    let text = get(&[("http_proxy", "http://127.0.0.1:1")], &url);
    assert_eq!(text.as_deref(), Ok(""));
    assert_eq!(server.join().unwrap()[0], "GET /v2/ HTTP/1.1");
}

#[test]
fn a_request_goes_over_a_real_socks_proxy() {
    // RFC 1928: one method, none is needed; connect to a name; it is done.
    let (address, requests) = proxy(|mut stream| {
        let mut greeting = [0; 3];
        stream.read_exact(&mut greeting).unwrap();
        stream.write_all(&[5, 0]).unwrap();
        let mut start = [0; 5];
        stream.read_exact(&mut start).unwrap();
        let mut name = vec![0; usize::from(start[4]) + 2];
        stream.read_exact(&mut name).unwrap();
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        let port = u16::from_be_bytes([name[name.len() - 2], name[name.len() - 1]]);
        name.truncate(name.len() - 2);
        let mut lines = vec![format!(
            "{greeting:?} {} {port}",
            String::from_utf8(name).unwrap()
        )];
        lines.extend(head(&mut BufReader::new(stream.try_clone().unwrap())));
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
        lines
    });
    let value = format!("socks5h://{address}");
    let text = get(&[("all_proxy", &value)], "http://registry.example.org/v2/");
    assert_eq!(text.as_deref(), Ok("hi"));
    assert_eq!(
        requests.join().unwrap(),
        ["[5, 1, 0] registry.example.org 80", "GET /v2/ HTTP/1.1"]
    );
}
