//! The image as a whole: how it starts, what it says of itself, what it is made of.

mod built;
mod layers;
mod process;
#[cfg(test)]
mod tests;

use crate::check::{Check, How};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "health-declared",
        proves: "an engine asks the entrypoint whether the container is well",
        source: "docs/specification.md, 6.3.4: health check",
        remedy: "keep the `HEALTHCHECK` of docker/Dockerfile.agent; Podman and Buildah drop it \
                 without `--format docker`",
        how: How::Files(process::health),
    },
    Check {
        id: "image-configuration",
        proves: "a container starts the entrypoint as `agentgate`, by number, in `/workspace`",
        source: "docs/contract.md: the image's ENTRYPOINT stays, PATH comes from the image",
        remedy: "mend `USER`, `WORKDIR`, `ENTRYPOINT`, `CMD` and `ENV PATH` in \
                 docker/Dockerfile.agent",
        how: How::Files(process::configuration),
    },
    Check {
        id: "image-stop-signal",
        proves: "a container is asked to stop by SIGTERM",
        source: "docs/contract.md: stop by SIGTERM, five seconds, then SIGKILL",
        remedy: "set `STOPSIGNAL SIGTERM` in docker/Dockerfile.agent",
        how: How::Files(process::stop_signal),
    },
    Check {
        id: "image-volumes",
        proves: "no container makes a volume that nobody asked for",
        source: "docs/specification.md, Security Hardening: /workspace is only writable mount",
        remedy: "take `VOLUME` out of the Dockerfile; a base's cannot be taken back, so choose \
                 another base",
        how: How::Files(process::volumes),
    },
    Check {
        id: "image-ports",
        proves: "the image offers nothing on the network",
        source: "docs/contract.md: network `none` by default",
        remedy: "take `EXPOSE` out of the Dockerfile; a base's cannot be taken back, so choose \
                 another base",
        how: How::Files(process::ports),
    },
    Check {
        id: "image-entrypoint-static",
        proves: "the entrypoint needs no file but itself",
        source: "docs/specification.md, What the project adds: the entrypoint links no libc",
        remedy: "see crates/agent-entrypoint/build.rs for how it is linked, and copy it with mode \
                 755",
        how: How::Files(built::entrypoint_is_static),
    },
    Check {
        id: "image-architecture",
        proves: "the programs are for the platform that the image says it is for",
        source: "docs/specification.md, Multi-Architecture Support: linux/amd64, linux/arm64",
        remedy: "build with `cargo xtask image --platform PLATFORM`: in docker/Dockerfile.agent \
                 `TARGETARCH` chooses the programs",
        how: How::Files(built::architecture),
    },
    Check {
        id: "image-labels",
        proves: "the image says what it is",
        source: "docs/specification.md, What the project adds: the labels of OCI",
        remedy: "keep the `LABEL` of docker/Dockerfile.agent and build with `cargo xtask image`",
        how: How::Files(built::labels),
    },
    Check {
        id: "image-revision",
        proves: "the image says which commit it is built from",
        source: "docs/specification.md, Image Versioning: build with commit SHA tag",
        remedy: "build it from this commit with `cargo xtask image`",
        how: How::Files(built::revision),
    },
    Check {
        id: "image-created",
        proves: "the image is dated by its commit, so building it again gives the same one",
        source: "docs/specification.md, What the project adds: SOURCE_DATE_EPOCH makes builds reproducible",
        remedy: "build it from this commit with `cargo xtask image`",
        how: How::Files(built::created),
    },
    Check {
        id: "image-layers",
        proves: "what changes often lies above what changes rarely",
        source: "docs/specification.md, Layer Optimization: base, system packages, Claude CLI, entrypoint",
        remedy: "order the steps of docker/Dockerfile.agent so that the entrypoint's `COPY` is last",
        how: How::Files(layers::order),
    },
    Check {
        id: "image-size",
        proves: "the image is no larger than its budget",
        source: "docs/specification.md, Size optimization",
        remedy: "make the largest layers smaller, or raise the budget in \
                 `[workspace.metadata.image]`",
        how: How::Files(layers::size),
    },
    Check {
        id: "image-growth",
        proves: "the image did not grow much since the last release",
        source: "docs/specification.md, Size optimization",
        remedy: "make the layer smaller, or raise the allowed growth in \
                 `[workspace.metadata.image]`",
        how: How::Files(layers::growth),
    },
];
