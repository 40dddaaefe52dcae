//! The server's side of SPDY/3.1, as far as a Kubernetes API server needs it for `exec`: the client
//! opens a stream for each of error, stdin, stdout and stderr, in this order.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::thread::{self, Scope};

/// Kinds of control frames.
const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;

/// The flag of a stream's last frame.
const FIN: u8 = 1;

/// Headers are one zlib stream for the whole connection. We send none, four bytes of zeros: a stored
/// block, and an empty one, which flushes it.
const ZLIB: [u8; 2] = [0x78, 0x01];
const NO_HEADERS: [u8; 14] = [0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/// Which of the streams is which.
const STDIN: usize = 1;
const STDOUT: usize = 2;

/// Connects a client, whose bytes come from `reader`, to a program's stdin and stdout; ends when
/// either does.
pub(super) fn serve(client: &TcpStream, reader: impl Read, program: &UnixStream) {
    let writer = Mutex::new(client);
    thread::scope(|scope| {
        let _ = take(scope, &writer, reader, program);
        let _ = program.shutdown(Shutdown::Both);
        let _ = client.shutdown(Shutdown::Both);
    });
}

/// Takes the client's frames until one of the two ends.
fn take<'scope>(
    scope: &'scope Scope<'scope, '_>,
    writer: &'scope Mutex<&TcpStream>,
    mut reader: impl Read,
    program: &'scope UnixStream,
) -> std::io::Result<()> {
    let mut streams: Vec<u32> = Vec::new();
    loop {
        let mut head = [0; 8];
        reader.read_exact(&mut head)?;
        let [first, second, kind @ .., flags, _, _, _] = head;
        let length = u32::from_be_bytes([0, head[5], head[6], head[7]]);
        let mut body = Vec::new();
        reader.by_ref().take(length.into()).read_to_end(&mut body)?;
        let is_control = first & 0x80 != 0;
        if !is_control {
            let stream = u32::from_be_bytes([first, second, kind[0], kind[1]]);
            if streams.get(STDIN) == Some(&stream) {
                let mut program = program;
                program.write_all(&body)?;
                if flags & FIN != 0 {
                    program.shutdown(Shutdown::Write)?;
                }
            }
            continue;
        }
        match u16::from_be_bytes(kind) {
            SYN_STREAM => {
                let id = [body[0], body[1], body[2], body[3]];
                let zlib = if streams.is_empty() { &ZLIB[..] } else { &[] };
                let reply = [&id[..], zlib, &NO_HEADERS].concat();
                control(writer, SYN_REPLY, &reply)?;
                streams.push(u32::from_be_bytes(id));
                if streams.len() > STDOUT + 1 {
                    let stdout = streams[STDOUT];
                    scope.spawn(move || give(writer, stdout, program));
                }
            }
            PING => control(writer, PING, &body)?,
            RST_STREAM | GOAWAY => return Ok(()),
            _ => {}
        }
    }
}

/// Gives the client what the program says.
fn give(writer: &Mutex<&TcpStream>, stream: u32, mut program: &UnixStream) -> Option<()> {
    let mut buffer = vec![0; 1 << 15];
    loop {
        let count = program.read(&mut buffer).ok()?;
        if count == 0 {
            return writer.lock().unwrap().shutdown(Shutdown::Both).ok();
        }
        let head = [stream.to_be_bytes(), length(0, count)].concat();
        send(writer, &[&head, &buffer[..count]].concat()).ok()?;
    }
}

fn control(writer: &Mutex<&TcpStream>, kind: u16, body: &[u8]) -> std::io::Result<()> {
    let version = 0x8003_u16.to_be_bytes();
    let head = [&version[..], &kind.to_be_bytes(), &length(0, body.len())];
    send(writer, &[&head.concat(), body].concat())
}

/// Flags and a length.
fn length(flags: u8, count: usize) -> [u8; 4] {
    let [_, rest @ ..] = u32::try_from(count).unwrap().to_be_bytes();
    [flags, rest[0], rest[1], rest[2]]
}

fn send(writer: &Mutex<&TcpStream>, frame: &[u8]) -> std::io::Result<()> {
    writer.lock().unwrap().write_all(frame)
}
