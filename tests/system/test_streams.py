"""The daemons' real sockets: streams cut at every byte, crowds of idle connections, and who may open them at all."""

import base64
import json
from contextlib import ExitStack

import pytest

from kit.hosts import Host
from kit.trouble import WELL, Cast, look, make_cast, running

QUEUE = "/var/spool/postfix/outrider"
SOCKETS = {
    "/run/outrider/auth-login": "root",
    "/run/outrider/auth-master": "root",
    "/run/outrider/auth-admin": "root",
    f"{QUEUE}/auth": "postfix",
    f"{QUEUE}/policy": "postfix",
    f"{QUEUE}/socketmap": "postfix",
}
CROWD = 200


@pytest.fixture(scope="module")
def cast(host: Host) -> Cast:
    return make_cast(host)


# Says the stream whole, byte by byte, and cut in two at every place. The second part leaves only when the first has
# been read (SIOCOUTQ, unix(7)), so that it is a read of its own. Prints the different answers and how often each came.
CUTS = r"""
import base64, collections, fcntl, json, re, socket, struct, sys
order = json.load(sys.stdin)
stream = base64.b64decode(order["stream"])
banner, answer = (re.compile(order[name].encode(), re.DOTALL) for name in ("banner", "answer"))
def read(server, wanted):
    heard = b""
    while not wanted.search(heard):
        more = server.recv(65536)
        if not more:
            return heard + b"<closed>"
        heard += more
    return wanted.search(heard)[0]
def say(*parts):
    with socket.socket(socket.AF_UNIX) as server:
        server.settimeout(20)
        server.connect(order["path"])
        read(server, banner)
        for part in parts:
            server.sendall(part)
            while len(parts) > 1 and struct.unpack("i", fcntl.ioctl(server, 0x5411, b"\0" * 4))[0]:
                pass
        return read(server, answer).decode()
heard = collections.Counter([say(stream), say(*[stream[n : n + 1] for n in range(len(stream))])])
heard.update(say(stream[:cut], stream[cut:]) for cut in range(1, len(stream)))
json.dump(heard, sys.stdout)
"""


def policy_request(cast: Cast) -> bytes:
    """A request of a submission that is refused, so that its answer has something to say."""
    named = {
        "request": "smtpd_access_policy",
        "protocol_state": "RCPT",
        "sender": cast.alias,
        "recipient": "friend@remote.example",
        "sasl_username": cast.plain.address,
        "instance": "1.2.3.4",
        "policy_context": "submission",
    }
    return "".join(f"{name}={value}\n" for name, value in named.items()).encode() + b"\n"


def streams(cast: Cast) -> dict[str, tuple[str, bytes, str, str]]:
    """{name: (socket, what is said, the banner before, the answer)}; no slow hash, so that hundreds take a second."""
    plain = base64.b64encode(f"\0{cast.coded.address}\0{cast.app_password}".encode())
    login = b"VERSION\t1\t1\nCPID\t4711\nAUTH\t1\tPLAIN\tservice=imap\tnologin\tresp=" + plain + b"\n"
    user = f"VERSION\t1\t1\nUSER\t1\t{cast.alias}\tservice=lmtp\n".encode()
    lookup = f"recipients {cast.alias}".encode()
    return {
        "login": ("/run/outrider/auth-login", login, r"\nDONE\n", r"(OK|FAIL)\t1[^\n]*\n"),
        "userdb": ("/run/outrider/auth-master", user, r"SPID\t\d+\n", r"(USER|NOTFOUND|FAIL)\t1[^\n]*\n"),
        "policy": (f"{QUEUE}/policy", policy_request(cast), "", r"action=.*\n\n"),
        "socketmap": (f"{QUEUE}/socketmap", b"%d:%s," % (len(lookup), lookup), "", r"\d+:[^,]*,"),
    }


def test_a_stream_may_be_cut_anywhere(host: Host, cast: Cast) -> None:
    expected = {
        "login": f"OK\t1\tuser={cast.coded.address}",
        "userdb": f"USER\t1\t{cast.plain.address}\t",
        "policy": "action=550 5.7.1 ",
        "socketmap": "4:OK 1,",
    }
    for name, (path, stream, banner, answer) in streams(cast).items():
        order = {"path": path, "stream": base64.b64encode(stream).decode(), "banner": banner, "answer": answer}
        heard = json.loads(host.run(["/usr/bin/python3", "-c", CUTS], input=json.dumps(order)).stdout)
        ((words, times),) = heard.items()
        assert words.startswith(expected[name]), (name, words)
        assert times == len(stream) + 1


IDLE = f"""
import socket, sys
crowd = []
for path in sys.argv[1:]:
    for _ in range({CROWD}):
        crowd.append(socket.socket(socket.AF_UNIX))
        crowd[-1].connect(path)
print("here", flush=True)
sys.stdin.read()
for one in crowd:
    one.setblocking(False)
    try:
        assert one.recv(65536), "closed"
    except BlockingIOError:
        pass
"""


def test_two_hundred_idle_connections_disturb_nobody(host: Host, cast: Cast) -> None:
    with ExitStack() as stack:
        for user in ("root", "postfix"):
            paths = [path for path, owner in SOCKETS.items() if owner == user]
            stack.enter_context(running(host, IDLE, *paths, user=user))
        assert look(host, cast) == WELL


OPEN = """
import json, socket, sys
def opens(path):
    try:
        socket.socket(socket.AF_UNIX).connect(path)
    except PermissionError:
        return False
    return True
json.dump([opens(path) for path in sys.argv[1:]], sys.stdout)
"""


@pytest.mark.parametrize("user", ["www-data", "vmail", "dovenull", "outrider-hkpd", "outrider"])
def test_a_socket_opens_to_its_owner_alone(host: Host, user: str) -> None:
    command = ["runuser", "-u", user, "--", "/usr/bin/python3", "-c", OPEN, *SOCKETS]
    assert json.loads(host.run(command).stdout) == [False] * len(SOCKETS)
