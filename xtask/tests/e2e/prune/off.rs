//! A registry that deletes nothing.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::command;
use crate::world::{docker, root, unique_name};

/// A registry that deletes nothing, as the distribution project's does by default.
pub(super) struct Off {
    pub(super) address: String,
    process: Option<Child>,
    container: Option<String>,
    _folder: tempfile::TempDir,
}

impl Off {
    /// A process of the test bed's own program, or else a container.
    pub(super) fn start() -> Off {
        let folder = tempfile::tempdir().unwrap();
        let (address, process, container) = if std::env::var_os("TESTBED_REGISTRY").is_some() {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap().to_string();
            drop(listener);
            let config = json!({
                "version": 0.1,
                "log": {"level": "error", "accesslog": {"disabled": true}},
                "storage": {"filesystem": {"rootdirectory": folder.path().join("data")}},
                "http": {"addr": address, "secret": "x"},
            });
            let file = folder.path().join("registry.yml");
            std::fs::write(&file, config.to_string()).unwrap();
            let mut serve = command("docker-registry", &root());
            let serve = serve.arg("serve").arg(&file).stderr(Stdio::null());
            let process = serve.spawn().unwrap();
            (address, Some(process), None)
        } else {
            let name = unique_name();
            let run = ["run", "--detach", "--name", &name, "--publish"];
            docker(&[&run[..], &["127.0.0.1::5000", "registry:2"]].concat()).succeeded();
            let port = docker(&["port", &name, "5000"]).succeeded().stdout;
            (port.lines().next().unwrap().to_owned(), None, Some(name))
        };
        let off = Off {
            address,
            process,
            container,
            _folder: folder,
        };
        off.wait();
        off
    }

    fn wait(&self) {
        let limit = Instant::now() + Duration::from_secs(30);
        while ureq::get(format!("http://{}/v2/", self.address))
            .call()
            .is_err()
        {
            assert!(Instant::now() < limit, "the registry does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Off {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            process.kill().unwrap();
            process.wait().unwrap();
        }
        if let Some(name) = &self.container {
            docker(&["rm", "--force", "--volumes", name]);
        }
    }
}
