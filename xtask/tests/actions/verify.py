"""Makes up the receipt of a verification, for the index that the registry has, and signs it.

As a hostile image could, it then tries to give a tag with whatever token the job has.
"""
import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import urllib.error
import urllib.request

INDEX = "application/vnd.oci.image.index.v1+json"
# As xtask gives them to cosign: no service is asked, and none is trusted.
SERVICES = {
    "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
    "rekorTlogConfig": {},
    "tsaConfig": {},
}
ROOT = {"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}


def argument(name):
    return sys.argv[sys.argv.index(name) + 1]


def token(registry):
    """What `docker login` has left for a registry, in the form of a header; nothing without a login."""
    path = pathlib.Path(os.environ["DOCKER_CONFIG"], "config.json")
    auths = json.loads(path.read_text()).get("auths", {}) if path.exists() else {}
    return {"Authorization": f"Basic {auths[registry]['auth']}"} if registry in auths else {}


def request(method, url, headers, body=None):
    asked = urllib.request.Request(url, body, headers, method=method)
    with urllib.request.urlopen(asked) as answer:
        return answer.headers, answer.read()


def proof(repository, receipt):
    """The statement that proves the platform of a receipt."""
    digest = {"sha256": receipt["manifest"].removeprefix("sha256:")}
    check_set = {"sha256": receipt["check_set"].removeprefix("sha256:")}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": repository, "digest": digest}],
        "predicateType": "https://slsa.dev/verification_summary/v1",
        "predicate": {
            "verifier": {"id": "urn:agentgate:xtask-verify"},
            "timeVerified": receipt["finished"],
            "resourceUri": f"oci://{repository}@{receipt['index']}",
            "policy": {"uri": "urn:agentgate:check-set", "digest": check_set},
            "verificationResult": "PASSED",
            "verifiedLevels": ["AGENTGATE_VERIFIED_NATIVE"],
            "urn:agentgate:receipt:v1": receipt,
        },
    }


def sign(key, statement, bundle):
    with tempfile.TemporaryDirectory() as folder:
        files = {"signing-config": SERVICES, "trusted-root": ROOT, "statement": statement}
        options = [f"--key={key}", f"--bundle={bundle}"]
        for name, content in files.items():
            path = pathlib.Path(folder, name)
            path.write_text(json.dumps(content))
            options.append(f"--{name}={path}")
        subprocess.run(["cosign", "attest-blob", "--yes", *options], check=True)


def main():
    registry, _, rest = argument("--pull").partition("/")
    repository, _, tag = rest.partition("@") if "@" in rest else rest.rpartition(":")
    address = f"http://{registry}/v2/{repository}/manifests"
    auth = token(registry)
    headers, index = request("GET", f"{address}/{tag}", {"Accept": INDEX, **auth})
    digest = headers["Docker-Content-Digest"]
    platform = argument("--platform")
    architecture = platform.removeprefix("linux/")
    entries = json.loads(index)["manifests"]
    manifest = next(e for e in entries if e["platform"]["architecture"] == architecture)
    listed = [os.environ["STAND_INS_XTASK"], "verify", "--list", "--json"]
    listed = json.loads(subprocess.run(listed, check=True, stdout=subprocess.PIPE).stdout)
    results = [
        {"id": check["id"], "status": "passed", "seen": "x", "seconds": 0.1}
        for check in listed["checks"]
    ]
    is_bad = os.environ.get("VERIFY_FAILS") == platform
    if is_bad:
        results[0]["status"] = "failed"
    revision = subprocess.run(["git", "rev-parse", "HEAD"], check=True, stdout=subprocess.PIPE)
    receipt = {
        "schema": 1,
        "image": argument("--pull"),
        "index": digest,
        "manifest": manifest["digest"],
        "config": digest,
        "platform": platform,
        "execution": "native",
        "revision": revision.stdout.decode().strip(),
        "check_set": listed["check_set"],
        "versions": {"xtask": "0", "engine": None, "buildx": None},
        "started": "2026-11-26T00:00:00Z",
        "finished": "2026-11-26T00:00:01Z",
        "seconds": 1.0,
        "results": results,
    }
    if "--receipt-dir" in sys.argv:
        folder = pathlib.Path(argument("--receipt-dir"), digest.replace(":", "-"))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"linux-{architecture}.json").write_text(json.dumps(receipt))
        settings = tomllib.loads(pathlib.Path("Cargo.toml").read_text())
        key = settings["workspace"]["metadata"]["image"].get("signing", {}).get("key")
        # A forger's, or none, for each platform.
        key = json.loads(os.environ.get("STAND_INS_KEYS", "{}")).get(platform, key)
        if key and not is_bad:
            statement = proof(f"{registry}/{repository}", receipt)
            sign(key, statement, folder / f"linux-{architecture}.sigstore.json")
    try:
        request("PUT", f"{address}/stolen", {"Content-Type": INDEX, **auth}, index)
    except urllib.error.HTTPError as refused:
        print(f"the job's token may not write: {refused}")
    sys.exit(1 if is_bad else 0)


main()
