"""JupyterLab, as `make lab` starts it: for whoever has its token, on this machine alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import psutil
import pytest
from checkout import wait_until

from lstmstudy import paths


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Return what a server that make started says of itself, and its process; it ends with the module."""
    home = tmp_path_factory.mktemp("home")
    (home / "notebooks").mkdir()
    (home / ".ci").mkdir()
    for name in ("Makefile", ".ci/environment"):
        (home / name).write_bytes((paths.ROOT / name).read_bytes())
    known = {
        key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "MAKE", "MFLAGS"))
    }
    folders = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("RUNTIME", "CONFIG", "DATA")}
    settings = {
        "HOME": str(home),
        "BROWSER": "true",
        "JUPYTER_PLATFORM_DIRS": "1",
        "JUPYTER_PREFER_ENV_PATH": "1",
    }
    (home / "config").mkdir()
    server = {"allow_root": True, "port": 0, "ip": "0.0.0.0"}  # noqa: S104 - what a user's own settings may say
    (home / "config" / "jupyter_server_config.json").write_text(
        json.dumps({"ServerApp": server}), encoding="utf-8"
    )
    command = ["make", "lab", f"PYTHON={sys.executable}"]
    with (home / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            command,
            cwd=home,
            env={**known, **folders, **settings},
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        facts_of = (home / "runtime").glob
        assert wait_until(lambda: list(facts_of("jpserver-*.json")) or process.poll() is not None, seconds=60)
        assert process.poll() is None, (home / "said.txt").read_text(encoding="utf-8")
        facts = json.loads(next(facts_of("jpserver-*.json")).read_text(encoding="utf-8"))
        assert wait_until(lambda: _status(facts["url"]) is not None, seconds=60)
        yield facts
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the session that was started here
        process.wait()


def _status(url, **headers):
    """Return the status that an address answers with; None if nothing answers."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:  # noqa: S310 - of our own server
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def test_nobody_gets_in_without_the_token(lab):
    """Contents, kernels and terminals are refused without a token or with another one, and there with the right one."""
    assert len(lab["token"]) >= 32
    assert not lab["password"]
    for place in ("api/contents", "api/kernels", "api/sessions", "api/terminals"):
        url = f"{lab['url']}{place}"
        assert _status(url) == 403
        assert _status(url, Authorization="token wrong") == 403
        assert _status(url, Authorization=f"token {lab['token']}") == 200


def test_a_page_from_elsewhere_gets_nothing(lab):
    """A request in the name of another site is refused, token or not."""
    url = f"{lab['url']}api/contents"
    host = {"Host": "evil.example", "Authorization": f"token {lab['token']}"}
    assert _status(url, **host) == 403


def test_the_server_listens_on_this_machine_alone(lab):
    """Its port is bound to the loopback address and to no other."""
    server = psutil.Process(lab["pid"])
    bound = {each.laddr.ip for each in server.net_connections("inet") if each.status == psutil.CONN_LISTEN}
    assert bound == {"127.0.0.1"}
    others = {
        each.address
        for found in psutil.net_if_addrs().values()
        for each in found
        if each.family == socket.AF_INET
    }
    for address in others - {"127.0.0.1"}:
        with socket.socket() as client:
            client.settimeout(5)
            assert client.connect_ex((address, lab["port"])) != 0
