//! Breakages of files, configuration, labels and layers: nothing has to run to find them.

use super::{Breakage, broken};

pub(super) const BREAKAGES: &[Breakage] = &[
    broken(
        "HOME is 0755",
        "contract-home-mode",
        "RUN chmod 755 /home/agentgate",
    ),
    broken(
        "the agent's shell is sh",
        "contract-passwd",
        "RUN sed -i '/^agentgate:/s|/bin/bash|/bin/sh|' /etc/passwd",
    ),
    broken(
        "no /etc/gitconfig",
        "contract-safe-directory",
        "RUN rm /etc/gitconfig",
    ),
    broken(
        "managed settings are not JSON",
        "claude-managed-settings",
        "RUN echo '{' >/etc/claude-code/managed-settings.json",
    ),
    broken(
        "a setuid program",
        "hardening-setuid",
        "RUN cp /bin/busybox /usr/bin/helper && chmod 4755 /usr/bin/helper",
    ),
    broken(
        "a program with capabilities",
        "hardening-file-capabilities",
        "RUN cp /bin/busybox /usr/bin/helper && python3 -c \"import os; os.setxattr('/usr/bin/helper', \
         'security.capability', bytes.fromhex('0100000200040000000000000000000000000000'))\"",
    ),
    broken(
        "root has no password",
        "hardening-passwords",
        "RUN sed -i 's/^root:[^:]*:/root::/' /etc/shadow",
    ),
    broken(
        "sudo is installed",
        "hardening-escalation-tools",
        "RUN printf '#!/bin/sh\\nexec \"$@\"\\n' >/usr/bin/sudo && chmod 755 /usr/bin/sudo",
    ),
    broken(
        "a folder that anyone writes to",
        "hardening-world-writable",
        "RUN mkdir /opt/shared && chmod 777 /opt/shared",
    ),
    broken(
        "apk's cache is left",
        "hardening-package-cache",
        "RUN mkdir -p /var/cache/apk && echo x >/var/cache/apk/APKINDEX.0a1b2c3d.tar.gz",
    ),
    broken(
        "npm's cache is left",
        "hardening-package-cache",
        "RUN mkdir -p /root/.npm/_cacache && echo x >/root/.npm/_cacache/index",
    ),
    broken(
        "a compiler is left",
        "hardening-build-tools",
        "RUN cp /bin/busybox /usr/bin/gcc",
    ),
    broken(
        "a token in ENV",
        "hardening-secrets-environment",
        "ENV NPM_TOKEN={TOKEN}",
    ),
    broken(
        "a token in a label",
        "hardening-secrets-labels",
        "LABEL note={TOKEN}",
    ),
    broken(
        "a token in the history",
        "hardening-secrets-history",
        "RUN : {TOKEN}",
    ),
    broken(
        "a token in .npmrc",
        "hardening-secrets-files",
        "RUN echo '//registry.example/:_authToken={TOKEN}' >/etc/npmrc",
    ),
    broken(
        "a token in a file that a later layer removes",
        "hardening-secrets-files",
        "RUN echo '//registry.example/:_authToken={TOKEN}' >/etc/npmrc\nRUN rm /etc/npmrc",
    ),
    broken(
        "Claude's credentials are in the image",
        "hardening-secrets-files",
        "RUN mkdir -p /opt/.claude && echo '{}' >/opt/.claude/.credentials.json",
    ),
    broken(
        "the build's CA bundle is left",
        "hardening-build-ca",
        "RUN mkdir -p /run/secrets && echo x >/run/secrets/ca-bundle",
    ),
    broken(
        "a file under HOME",
        "hardening-home",
        "RUN echo x >/home/agentgate/.profile",
    ),
    broken("no HEALTHCHECK", "health-declared", "HEALTHCHECK NONE"),
    broken("runs as root", "image-configuration", "USER root"),
    broken(
        "stops by SIGKILL",
        "image-stop-signal",
        "STOPSIGNAL SIGKILL",
    ),
    broken("a VOLUME", "image-volumes", "VOLUME /data"),
    broken("a port", "image-ports", "EXPOSE 8080"),
    broken(
        "the entrypoint needs a loader",
        "image-entrypoint-static",
        "RUN cat /bin/busybox >/usr/local/bin/agent-entrypoint",
    ),
    broken(
        "the entrypoint is for another machine",
        "image-architecture",
        "RUN printf '\\363' | dd of=/usr/local/bin/agent-entrypoint bs=1 seek=18 conv=notrunc",
    ),
    broken(
        "no title",
        "image-labels",
        "LABEL org.opencontainers.image.title=''",
    ),
    broken(
        "a base's digest that is none",
        "image-labels",
        "LABEL org.opencontainers.image.base.digest=latest",
    ),
    broken(
        "another commit",
        "image-revision",
        "LABEL org.opencontainers.image.revision=0123456789abcdef0123456789abcdef01234567",
    ),
    broken(
        "another time",
        "image-created",
        "LABEL org.opencontainers.image.created=2020-01-01T00:00:00Z",
    ),
    broken(
        "a layer above the entrypoint",
        "image-layers",
        "RUN touch /opt/late",
    ),
    broken(
        "70 MB too large",
        "image-size",
        "RUN head -c 70000000 /dev/urandom >/opt/large",
    ),
];
