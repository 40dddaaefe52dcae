//! Builds that wait, so that something can happen in the middle of them.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{DOCKERFILE, Workspace};
use crate::common::Ran;

/// A server that lets whoever asks it wait.
pub(super) struct Held(TcpListener);

impl Held {
    pub(super) fn new() -> Held {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Held(listener)
    }

    pub(super) fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    /// A commit whose build needs a file of this server, and does nothing else until it has it: a
    /// containerd that is killed while it makes a snapshot may have half of it.
    pub(super) fn commit(&self, workspace: &Workspace) {
        let add = format!("ADD http://{}/file /\n", self.address());
        let dockerfile = DOCKERFILE.replace("COPY --link content/ /\n", &add);
        workspace.write("docker/Dockerfile.agent", &dockerfile);
        workspace.commit("needs a file");
    }

    /// Waits until it is asked; `running` must not end before.
    pub(super) fn asked(&self, running: &mut Child) -> TcpStream {
        loop {
            if let Ok((client, _)) = self.0.accept() {
                client.set_nonblocking(false).unwrap();
                return client;
            }
            if running.try_wait().unwrap().is_some() {
                let mut said = String::new();
                let stderr = running.stderr.as_mut().unwrap();
                stderr.read_to_string(&mut said).unwrap();
                panic!("it ended without the file: {said}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// From now on nobody waits.
    pub(super) fn release(self) {
        self.0.set_nonblocking(false).unwrap();
        std::thread::spawn(move || {
            self.0.incoming().flatten().for_each(answer);
        });
    }
}

/// Gives the file to whoever asked.
pub(super) fn answer(mut asked: TcpStream) {
    // One that is not read to its end would be reset by the close.
    let _ = asked.read(&mut [0; 4096]);
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfile";
    let _ = asked.write_all(answer.as_bytes());
}

/// Starts it in a process group of its own, as a shell does.
pub(super) fn start(command: &mut Command) -> Child {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).spawn().unwrap()
}

pub(super) fn ended(running: Child) -> Ran {
    Ran::from(running.wait_with_output().unwrap())
}

/// Fails unless whoever asked hangs up, as a builder does whose build has ended.
#[track_caller]
pub(super) fn assert_hangs_up(mut asked: TcpStream) {
    let limit = Some(Duration::from_mins(1));
    asked.set_read_timeout(limit).unwrap();
    asked.read_to_end(&mut Vec::new()).unwrap();
}
