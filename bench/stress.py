"""The stress bench: many clients that do what mail programs do, at random (mix_load)."""

import subprocess

from work import PROGRAMS, show

CLIENTS, SEED = 20, 1


def mixed(server, accounts, shared, seconds):
    """Commands a second, logins, commands answered with NO."""
    output = subprocess.run([PROGRAMS / "mix_load", "-e", str(SEED), str(server.imap_port), str(CLIENTS),
                             str(seconds), shared[1], shared[0], *[name for name, _ in accounts]],
                            capture_output=True, text=True)
    assert output.returncode == 0, f"{server.name}: {output.stderr}"
    return list(map(int, output.stdout.split()))


def measure(servers, seconds):
    ours = None
    for server in servers:
        accounts = [server.add_account(f"mixed{n}") for n in range(CLIENTS)]
        rate, logins, refused = mixed(server, accounts, server.add_account("everybody"), seconds)
        ours = ours or rate
        beside = f"   {ours / rate:.1f} times" if server is not servers[0] else ""
        how = f"mix_load -e {SEED} PORT {CLIENTS} {seconds} PASSWORD SHARED USER*{CLIENTS}"
        show(f"{server.name}: commands/s, {CLIENTS} clients", rate, how + beside)
        show("  logins / commands answered with NO", f"{logins} / {refused}", how)
