//! A stand-in for a Kubernetes cluster, as far as buildx's driver uses it: an API server of plain
//! HTTP, whose pods are the engine's BuildKit. The real one is not to be had where tests run.

use std::collections::BTreeMap;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::builders::buildkit;
use super::proxy::{read_head, respond};
use super::{protobuf, spdy};
use crate::common::{Ran, command};
use crate::world::root;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/build/deployments";
const PODS: &str = "/api/v1/namespaces/build/pods";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                      Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n";

/// A deployment of one pod, called like it.
struct Deployment {
    /// Of the machine that the pod asks for.
    arch: String,
    /// What is connected to the pod.
    connections: Vec<UnixStream>,
}

#[derive(Default)]
struct State {
    deployments: BTreeMap<String, Deployment>,
    /// Architectures that no machine of the cluster has.
    lacking: Vec<&'static str>,
    is_forbidden: bool,
}

impl State {
    /// Whether the pod of a deployment runs: whether there is a machine for it.
    fn runs(&self, deployment: &Deployment) -> bool {
        !self.lacking.iter().any(|arch| *arch == deployment.arch)
    }
}

/// A cluster, and a buildx that knows it alone.
pub(super) struct Cluster {
    state: Arc<Mutex<State>>,
    folder: TempDir,
}

impl Cluster {
    /// Listens until the test's process ends.
    pub(super) fn start() -> Cluster {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cluster = Cluster::at(&listener);
        let state = Arc::clone(&cluster.state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                thread::spawn(move || serve(&client, &state));
            }
        });
        cluster
    }

    /// One that nobody reaches.
    pub(super) fn gone() -> Cluster {
        Cluster::at(&TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn at(listener: &TcpListener) -> Cluster {
        let folder = tempfile::tempdir().unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        // JSON is YAML, too.
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": server}}],
            "users": [{"name": "test", "user": {}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        });
        std::fs::write(folder.path().join("kubeconfig"), config.to_string()).unwrap();
        let state = Arc::default();
        Cluster { state, folder }
    }

    /// Lets a program find the cluster, and the builders that were made here.
    pub(super) fn announce(&self, program: &mut Command) {
        program.env("KUBECONFIG", self.folder.path().join("kubeconfig"));
        program.env("BUILDX_CONFIG", self.folder.path());
    }

    pub(super) fn buildx(&self, args: &[&str]) -> Ran {
        let mut buildx = command("docker", &root());
        self.announce(&mut buildx);
        Ran::of(buildx.arg("buildx").args(args))
    }

    /// From now on no machine has this architecture: a pod for it waits, and one that ran is gone.
    pub(super) fn lose(&self, arch: &'static str) {
        let mut state = self.state();
        state.lacking.push(arch);
        let deployments = state.deployments.values_mut();
        for lost in deployments.filter(|deployment| deployment.arch == arch) {
            for connection in lost.connections.drain(..) {
                let _ = connection.shutdown(Shutdown::Both);
            }
        }
    }

    /// From now on machines have all architectures.
    pub(super) fn grow(&self) {
        self.state().lacking.clear();
    }

    /// From now on nothing is allowed.
    pub(super) fn forbid(&self) {
        self.state().is_forbidden = true;
    }

    /// The architectures that were asked for, by the names of the deployments.
    pub(super) fn asked_for(&self) -> Vec<String> {
        let state = self.state();
        let deployments = state.deployments.values();
        deployments.map(|made| made.arch.clone()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// Answers one request; a connection that breaks is the client's to tell.
fn serve(client: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let (head, length) = read_head(&mut reader)?;
    let head = String::from_utf8(head).ok()?;
    let (method, rest) = head.split_once(' ')?;
    let path = rest.split([' ', '?']).next()?;
    let of_pods = path.strip_prefix(PODS);
    if let Some(pod) = of_pods.and_then(|rest| rest.strip_suffix("/exec")) {
        let program = buildkit()?;
        let connection = program.try_clone().ok()?;
        let name = pod.trim_start_matches('/');
        let mut state = state.lock().unwrap();
        let deployment = state.deployments.get_mut(name)?;
        deployment.connections.push(connection);
        drop(state);
        let mut writer = client;
        writer.write_all(SWITCH.as_bytes()).ok()?;
        spdy::serve(client, reader, &program);
        return Some(());
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body).ok()?;
    let (status, answer) = answer(method, path, &body, &mut state.lock().unwrap());
    let json = "Content-Type: application/json\r\n";
    respond(client, status, json, answer.to_string().as_bytes())
}

fn answer(method: &str, path: &str, body: &[u8], state: &mut State) -> (&'static str, Value) {
    let failure = |code: u16, reason: &str| {
        json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
            "reason": reason, "message": format!("{path} is {reason}"),
        })
    };
    if state.is_forbidden {
        return ("403 Forbidden", failure(403, "Forbidden"));
    }
    if path == PODS {
        return ("200 OK", pods(state));
    }
    let name = path.strip_prefix(DEPLOYMENTS).unwrap_or_default();
    let name = name.trim_start_matches('/');
    if method == "POST" {
        let [name, arch] = read_deployment(body).unwrap();
        let connections = Vec::new();
        let made = Deployment { arch, connections };
        state.deployments.insert(name.clone(), made);
        return ("201 Created", deployment(&name, 0));
    }
    match state.deployments.get(name) {
        Some(made) => ("200 OK", deployment(name, state.runs(made).into())),
        None => ("404 Not Found", failure(404, "NotFound")),
    }
}

/// A deployment, of which so many pods run.
fn deployment(name: &str, running: u8) -> Value {
    json!({
        "kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}}, "status": {"readyReplicas": running},
    })
}

fn pods(state: &State) -> Value {
    let pods = state.deployments.iter().map(|(name, made)| {
        let platform = format!("linux/{}", made.arch);
        let annotations = json!({"buildx.docker.com/platform": platform});
        let runs = state.runs(made);
        json!({
            "metadata": {"name": name, "namespace": "build", "annotations": annotations},
            "spec": {"containers": [{"name": "buildkitd"}]},
            "status": {"phase": if runs { "Running" } else { "Pending" }},
        })
    });
    json!({"kind": "PodList", "apiVersion": "v1", "items": pods.collect::<Vec<_>>()})
}

/// The name of a deployment that is to be made, and the architecture that its pod asks for.
fn read_deployment(body: &[u8]) -> Option<[String; 2]> {
    // Some clients write JSON, others protobuf in an envelope.
    let Some(envelope) = body.strip_prefix(b"k8s\0") else {
        let asked: Value = serde_json::from_slice(body).ok()?;
        let pod = &asked["spec"]["template"]["spec"];
        let arch = &pod["nodeSelector"]["kubernetes.io/arch"];
        let text = |value: &Value| Some(value.as_str()?.to_owned());
        return Some([text(&asked["metadata"]["name"])?, text(arch)?]);
    };
    // The object, its `metadata`, the `name`; its `spec`, the pod's `template`, and so on.
    let name = protobuf::text(envelope, &[2, 1, 1])?;
    let arch = protobuf::text(envelope, &[2, 2, 3, 2, 7, 2])?;
    Some([name, arch])
}
