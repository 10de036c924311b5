"""From inside each running process: what it must not do fails.

build/*/tests/confine/inject makes a process do one system call (it needs root, as confined
processes are not dumpable). Without root what the kernel says in /proc is still checked.
"""

import os
import pwd
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.server import ROOT, Server, copy_for_everybody, message

AS_ROOT = os.getuid() == 0
INJECT = ROOT / "build" / "sanitized" / "tests" / "confine" / "inject"
NO_PTRACE = "the kernel lets only root trace a process that is not dumpable"

DENIED = {"EPERM", "EACCES"}
# Chrooted, a file outside has no name at all.
OUTSIDE = DENIED | {"ENOENT"}
CONFINED = ["chapar-login", "chapar-auth", "chapar-session", "chapar-send"]
WITHOUT_NETWORK = CONFINED[:-1]
WITHOUT_FILES = ["chapar-login", "chapar-send"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    own = Server(tmp_path_factory.mktemp("confinement"))
    own.configure(session_processes=2)
    own.start()
    yield own
    own.stop()
    own.check_log()


@pytest.fixture(scope="module")
def account(server):
    return server.add_account("confined")


@pytest.fixture(autouse=True)
def goes_on(server, account):
    """What was injected has done no harm: the server serves, with the same processes."""
    before = server.children()
    yield
    assert not server.deliver(message(), account[0])
    with server.imap(account) as client:
        client.ok("SELECT INBOX")
        client.ok("FETCH * ENVELOPE")
    assert server.children() == before


def inject(server, role, *call):
    """What the call gives in every process of the role: a set."""
    if not AS_ROOT:
        pytest.skip(NO_PTRACE)
    results = set()
    for pid in server.children(role):
        result = subprocess.run([INJECT, str(pid), *map(str, call)], capture_output=True,
                                text=True, timeout=20)
        if result.returncode == 77:
            pytest.skip("inject does not know this machine's registers")
        assert result.returncode == 0, result.stderr
        results.add(result.stdout.strip())
    return results


def test_the_tool_works(server):
    """A permitted call is made, so that a refusal below is the confinement's."""
    for role in CONFINED:
        assert inject(server, role, "getpid") == {"OK"}


@pytest.mark.parametrize("role", CONFINED)
@pytest.mark.parametrize("call", ["execve", "ptrace", "fork", "setuid", "kill", "mprotect-exec",
                                  "chroot", "mknod"])
def test_forbidden_to_all(server, role, call):
    arguments = {"execve": ["/bin/true"], "chroot": ["/"], "mknod": ["/fifo"]}.get(call, [])
    assert inject(server, role, call, *arguments) <= DENIED


@pytest.mark.parametrize("role", WITHOUT_NETWORK)
@pytest.mark.parametrize("family", ["inet", "inet6", "unix"])
def test_no_socket_of_its_own(server, role, family):
    assert inject(server, role, "socket", family) <= DENIED


@pytest.mark.parametrize("role", WITHOUT_NETWORK)
def test_no_connect(server, role):
    assert inject(server, role, "connect") <= DENIED


def test_send_connects_to_one_port(server):
    """TCP alone, and to outgoing_server's port, as far as Landlock knows ports (ABI 4)."""
    assert inject(server, "chapar-send", "socket", "unix") <= DENIED
    assert inject(server, "chapar-send", "socket", "inet") == {"OK"}
    (process,) = [process for process in server.json("status")["processes"]
                  if process["role"] == "chapar-send"]
    port_1 = inject(server, "chapar-send", "connect")
    assert port_1 == ({"EACCES"} if process["landlock"] >= 4 else {"ECONNREFUSED"})


@pytest.mark.parametrize("role", WITHOUT_FILES)
@pytest.mark.parametrize("path", ["/", ".", "/etc/passwd", "/proc/self/status", "/dev/null", "x"])
def test_opens_nothing(server, role, path):
    assert inject(server, role, "open", path) <= DENIED
    assert inject(server, role, "create", path + "-new") <= DENIED
    assert inject(server, role, "unlink", path) <= DENIED


def outside(server):
    """What is there, and neither auth nor session may see: system files, each other's, the key."""
    data = server.directory / "data"
    return ["/etc/passwd", "/etc/shadow", "/proc/self/status", "/proc/1/status", "/dev/null", "/tmp",
            server.config, server.directory / "tls" / "key.pem", "../../tls/key.pem",
            "/../../../../../etc/passwd", data]


@pytest.mark.parametrize("role, other", [("chapar-auth", "mail"), ("chapar-session", "auth")])
def test_only_its_own_directory(server, role, other):
    theirs = server.directory / "data" / other
    for path in [*outside(server), theirs, *theirs.iterdir()]:
        assert inject(server, role, "open", path) <= OUTSIDE, path
    for path in ("/tmp/made-by-a-test", theirs / "made", server.directory / "made"):
        assert inject(server, role, "create", path) <= OUTSIDE, path
        assert not Path(path).exists()
    # Its own is open to it.
    assert inject(server, role, "open", "." if not AS_ROOT else "/") == {"OK"}


def test_directories_are_closed_to_others(server):
    """The users of the processes differ, and their files are their own."""
    if not AS_ROOT:
        pytest.skip("without root all processes have one user")
    owners = {name: (server.directory / "data" / name).stat() for name in ("mail", "auth")}
    assert owners["mail"].st_uid != owners["auth"].st_uid
    for status in owners.values():
        assert status.st_uid != 0 and status.st_mode & 0o077 == 0
    for path in (server.directory / "data").rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o007 == 0, path


# --- what `chapar status` says agrees with the kernel ---

def kernel(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return dict(re.findall(r"^(\w+):\s+(.*)$", status, re.M))


def test_status_agrees_with_the_kernel(server):
    for process in server.json("status")["processes"]:
        says = kernel(process["pid"])
        assert process["uid"] == int(says["Uid"].split()[1]), process
        assert process["gid"] == int(says["Gid"].split()[1]), process
        assert int(process["capabilities"], 16) == int(says["CapEff"], 16)
        assert process["no_new_privs"] == (says["NoNewPrivs"] == "1")
        assert process["seccomp"] == int(says["Seccomp"])
        assert process["seccomp_filters"] == int(says["Seccomp_filters"])
        if AS_ROOT:
            root = os.readlink(f"/proc/{process['pid']}/root")
            assert process["chrooted"] == (root != "/"), process


def test_every_process_is_confined(server):
    for process in server.json("status")["processes"]:
        says = kernel(process["pid"])
        assert says["NoNewPrivs"] == "1" and says["Seccomp"] == "2", process["role"]
        if process["role"] not in CONFINED:
            continue
        for line in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            assert int(says[line], 16) == 0, (process["role"], line)
        if Path("/sys/kernel/security/landlock").exists() or process["landlock"]:
            assert process["landlock"] >= 1
        if AS_ROOT:
            assert 0 not in map(int, (says["Uid"] + " " + says["Gid"]).split())
            assert int(says.get("Groups", "").split()[0] if says.get("Groups") else -1) != 0
            assert process["chrooted"] is True


def test_each_has_a_user_of_its_own(server):
    if not AS_ROOT:
        pytest.skip("without root all processes have one user")
    users = {process["role"]: process["uid"] for process in server.json("status")["processes"]}
    assert len(set(users.values())) == len(users)
    for name in pwd.getpwall():
        if name.pw_uid in users.values() and name.pw_uid != 0:
            assert name.pw_name.startswith("chapar")


def test_chapard_keeps_few_capabilities(server):
    """Only what starting children needs (docs/architecture.md)."""
    (chapard,) = [process for process in server.json("status")["processes"]
                  if process["role"] == "chapard"]
    if not AS_ROOT:
        assert int(chapard["capabilities"], 16) == 0
        return
    held = int(chapard["capabilities"], 16)
    everything = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    never = {12: "NET_ADMIN", 13: "NET_RAW", 16: "SYS_MODULE", 17: "SYS_RAWIO", 21: "SYS_ADMIN",
             22: "SYS_BOOT", 25: "SYS_TIME"}
    assert held.bit_count() < everything
    for bit, word in never.items():
        assert not held & (1 << bit), word


@pytest.mark.parametrize("role", WITHOUT_FILES)
def test_descriptors(server, role):
    """Who opens no file holds sockets, pipes and shared memory: no file and no directory."""
    for pid in server.children(role):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            target = os.readlink(entry.path)
            assert re.match(r"socket:|pipe:|anon_inode:|/memfd:|/dev/null", target) or \
                target == str(server.log_path), target


# --- without root ---

def test_without_root(tmp_path_factory):
    """All but users and chroot stays on when another user starts the server."""
    if not AS_ROOT:
        pytest.skip("the other tests of this file are that one already")
    home = tmp_path_factory.mktemp("without-root")
    copy_for_everybody(home)
    os.chown(home, 65534, 65534)
    script = home / "run.py"
    script.write_text(f"""
import sys
sys.path.insert(0, {str(home / 'tests')!r})
from harness.server import Server, message
server = Server({str(home / 'server')!r}, binaries={str(home / 'bin')!r})
server.start()
account = server.add_account("plain")
assert not server.deliver(message(), account[0])
with server.imap(account) as client:
    assert "* 1 EXISTS" in client.ok("SELECT INBOX")
for process in server.json("status")["processes"]:
    assert process["uid"] == 65534
    assert process["capabilities"] == "0" * 16
    assert process["no_new_privs"] and process["seccomp"] == 2
    assert not process["chrooted"]
server.stop()
server.check_log()
print("all is well")
""")
    result = subprocess.run([sys.executable, "-B", script], capture_output=True, text=True,
                            user=65534, group=65534, extra_groups=[], timeout=60, cwd=home,
                            env={"PATH": os.environ["PATH"], "HOME": str(home)})
    assert "all is well" in result.stdout, result.stdout + result.stderr


def test_linker_fence():
    """chapard, chapar-login and chapar-send link no storage, chapar-auth none but kv
    (docs/architecture.md)."""
    result = subprocess.run([sys.executable, ROOT / "tools" / "lint.py", "symbols"], cwd=ROOT,
                            capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
