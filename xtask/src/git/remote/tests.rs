//! Remotes of every form, and the addresses of their sources.

use super::*;

#[test]
fn remotes_become_web_addresses_without_credentials() {
    let want = Some("https://github.com/me/agent".to_owned());
    for url in [
        "https://github.com/me/agent",
        "https://github.com/me/agent.git",
        "https://github.com/me/agent.git/",
        "HTTPS://GitHub.com:443/me/agent",
        "https://x-access-token:s3cret@github.com/me/agent.git",
        "https://s3cret@github.com/me/agent",
        "https://me:p@ss@github.com/me/agent",
        "https://github.com/me/agent?token=s3cret",
        "https://github.com/me/agent#s3cret",
        "ssh://git@github.com:22/me/agent.git",
        "ssh://git:s3cret@github.com/me/agent.git",
        "git+ssh://git@github.com/me/agent.git",
        "git://github.com/me/agent",
        "git@github.com:me/agent.git",
        "git@GitHub.com:me/agent.git",
        "git@github.com:/me/agent",
        "github.com:me/agent",
    ] {
        assert_eq!(web_address(url), want, "{url}");
    }
    for (url, want) in [
        (
            "http://me:s3cret@git.example.org:3000/me/agent",
            "http://git.example.org:3000/me/agent",
        ),
        (
            "https://[2001:db8::1]:3000/me/agent",
            "https://[2001:db8::1]:3000/me/agent",
        ),
        ("https://gitserver/me/agent", "https://gitserver/me/agent"),
        (
            "ssh://git@git.example.org:2222/me/agent",
            "https://git.example.org/me/agent",
        ),
        (
            "git@gitlab.com:group/sub/agent.git",
            "https://gitlab.com/group/sub/agent",
        ),
        (
            "git@git.xn--bcher-kva.example:me/agent",
            "https://git.xn--bcher-kva.example/me/agent",
        ),
        ("git@git.sr.ht:~me/agent", "https://git.sr.ht/~me/agent"),
        (
            "git@gitlab-prod.example.org:me/agent",
            "https://gitlab-prod.example.org/me/agent",
        ),
    ] {
        assert_eq!(web_address(url).as_deref(), Some(want), "{url}");
    }
}

/// Aliases of ssh's configuration, and servers that speak nothing but ssh.
#[test]
fn a_name_that_only_ssh_knows_gives_no_address() {
    for url in [
        "github-work:me/agent",
        "git@github-work:me/agent.git",
        "ssh://git@github-work/me/agent",
        "gh:me/agent",
        // TeamCodeStream/codestream#359, pingdotgg/t3code#9458, alamops/agetor#101.
        "git@github.com-work:me/agent.git",
        "git@beer.github.com-cheese:me/agent.git",
        "git@github-work.com:me/agent.git",
        "git@work.github.com:me/agent.git",
        "git@ssh.github.com:443/me/agent.git",
        "ssh://git@ssh.github.com:443/me/agent",
        "ssh://git@altssh.gitlab.com:443/me/agent.git",
        "ssh://git@altssh.bitbucket.org:443/me/agent.git",
        "git@ssh.dev.azure.com:v3/me/project/agent",
        "me@vs-ssh.visualstudio.com:v3/me/project/agent",
        "git@localhost:me/agent",
        "git@192.0.2.7:me/agent",
        "ssh://git@[2001:db8::1]:22/me/agent",
        "[git@github.com:22]:me/agent",
        "git@[::1]:me/agent",
    ] {
        assert_eq!(web_address(url), None, "{url}");
    }
}

#[test]
fn a_path_is_no_address_and_half_a_password_neither() {
    for url in [
        "/srv/git/agent.git",
        "../agent",
        "./a:b",
        "./git@github.com:me/agent",
        "file:///srv/agent",
        "C:/src/agent",
        r"C:\src\agent",
        r"\\server\share\agent",
        "git@git.example.org:/srv/git/agent.git",
        "ssh://git@git.example.org/home/git/agent.git",
        "git@git.example.org:~/agent.git",
        "git@git.example.org:../agent",
        "git@git.example.org:22/me/agent",
        "ext::ssh -i key git@github.com %S me/agent",
        "hg::https://example.org/agent",
        "codecommit::eu-west-1://me@agent",
        "s3://bucket/agent",
        "https://github.com",
        "https://me:half/half@github.com/me/agent",
        "https://me:12/half@github.com/me/agent",
        "https://half/half@github.com/me/agent",
        "user:s3cret@github.com:me/agent",
        // A proxy on a build machine.
        "http://local_proxy@127.0.0.1:41729/git/me/agent",
        "http://localhost:3000/me/agent",
        "http://[::1]:3000/me/agent",
        "https://github.com/me/agent\norg.opencontainers.image.version=9",
        "https://github.com/me/my agent",
        "",
    ] {
        assert_eq!(web_address(url), None, "{url}");
    }
}
