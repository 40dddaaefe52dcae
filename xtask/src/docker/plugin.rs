//! Whether the `docker` on PATH is Docker's own client, which does no more for `docker buildx …`
//! than start the plugin.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// True if the client is Docker's own program. A script, or a launcher that goes by another name
/// (a snap's is `snap`), may choose an engine, a user or a machine before it starts anything.
pub(super) fn is_all_of(client: &Path) -> bool {
    let own_name = client
        .canonicalize()
        .is_ok_and(|client| client.file_name().is_some_and(|name| name == "docker"));
    own_name && !is_script(client)
}

/// True if the file is for an interpreter, or cannot be read.
fn is_script(program: &Path) -> bool {
    let mut start = [0; 2];
    let read = File::open(program).and_then(|mut file| file.read_exact(&mut start));
    read.is_err() || start == *b"#!"
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn dockers_own_client_is_a_program_of_that_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for place in ["own", "script", "launcher", "empty", "linked", "lost"] {
            fs::create_dir(path(place)).unwrap();
        }
        fs::write(path("own/docker"), b"\x7fELF\x02").unwrap();
        fs::write(
            path("script/docker"),
            "#!/bin/sh\nexec sudo docker \"$@\"\n",
        )
        .unwrap();
        fs::write(path("empty/docker"), "").unwrap();
        fs::write(path("launcher/snap"), b"\x7fELF\x02").unwrap();
        symlink("snap", path("launcher/docker")).unwrap();
        symlink("../own/docker", path("linked/docker")).unwrap();
        for (place, is_own) in [
            ("own", true),
            ("linked", true),
            ("script", false),
            ("launcher", false),
            ("empty", false),
            ("lost", false),
        ] {
            let client = path(place).join("docker");
            assert_eq!(is_all_of(&client), is_own, "{place}");
        }
    }
}
