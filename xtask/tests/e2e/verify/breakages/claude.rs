//! Breakages of Claude Code's strict settings.

use super::{Breakage, broken};

pub(super) const BREAKAGES: &[Breakage] = &[
    broken(
        "no strict settings",
        "claude-strict-settings",
        "RUN rm /etc/claude-code/strict.json",
    ),
    broken(
        "the strict settings are in force",
        "claude-strict-settings",
        "RUN install -D -m 644 /etc/claude-code/strict.json \
         /etc/claude-code/managed-settings.d/strict.json",
    ),
    broken(
        "the strict settings let a repository's hooks run",
        "claude-strict-hostile",
        "RUN jq 'del(.allowManagedHooksOnly, .strictPluginOnlyCustomization)' \
         /etc/claude-code/strict.json >/tmp/strict.json && \
         cat /tmp/strict.json >/etc/claude-code/strict.json && rm /tmp/strict.json",
    ),
];
