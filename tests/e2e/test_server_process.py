"""The embedded server as a process: start, answer, stop."""

import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.app_client import SENTENCE, problem_of
from tests.echo_bundle import write_echo_bundle
from tests.server_process import PATIENCE_S, Server, seq2serve
from tests.visitor import left_behind, visit


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    write_echo_bundle(folder / "echo")
    write_echo_bundle(folder / "slow", name="slow", busy=700)
    return folder


@pytest.fixture(scope="module")
def server(bundles: Path) -> Iterator[Server]:
    with Server(str(bundles / "echo"), str(bundles / "slow")) as running:
        yield running


@pytest.fixture
def doomed(bundles: Path) -> Iterator[Server]:
    """A server for a test that stops it."""
    with Server(str(bundles / "echo"), str(bundles / "slow")) as running:
        yield running


def test_the_first_line_says_where_and_how(server: Server) -> None:
    assert server.first_line.startswith(
        f"Serving echo, slow at http://127.0.0.1:{server.port}; try: curl"
    )
    command = server.first_line.partition("try: ")[2]
    answer = subprocess.run(
        ["bash", "-c", command.strip()], capture_output=True, check=True, timeout=30
    )
    assert json.loads(answer.stdout)["model"] == "echo"


def test_only_loopback_listens(server: Server) -> None:
    table = Path(f"/proc/{server.process.pid}/net/tcp").read_text()
    port = f":{server.port:04X} "
    (line,) = [line for line in table.splitlines() if port in line and " 0A " in line]
    assert "0100007F" + port in line  # 127.0.0.1


def test_sigterm_finishes_what_was_accepted_and_refuses_the_rest(doomed: Server) -> None:
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(doomed.translate, model="slow")
        doomed.wait_until_busy()
        doomed.process.send_signal(signal.SIGTERM)
        doomed.wait_until_draining()
        refused = doomed.translate()
        assert problem_of(refused, 503)
        assert int(refused.headers["retry-after"]) >= 1
        assert slow.result().json()["translations"] == [{"text": SENTENCE}]
    assert doomed.wait() == 0


def test_a_second_signal_cuts_requests_off(doomed: Server) -> None:
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(doomed.translate, model="slow", text=SENTENCE * 8, beam_size=16)
        doomed.wait_until_busy()
        doomed.process.send_signal(signal.SIGTERM)
        doomed.wait_until_draining()
        doomed.process.send_signal(signal.SIGTERM)
        assert doomed.wait() == 1
        assert int(slow.result().headers["retry-after"]) >= 1
        problem_of(slow.result(), 503)
    assert "Traceback" not in doomed.log()


def test_ctrl_c_on_an_idle_server(doomed: Server) -> None:
    doomed.process.send_signal(signal.SIGINT)
    assert doomed.wait() == 0
    assert "Traceback" not in doomed.log()


def test_a_client_that_hangs_up_frees_the_engine(server: Server) -> None:
    with pytest.raises(httpx.ReadTimeout):
        server.translate(timeout=0.5, model="slow", text=SENTENCE * 8, beam_size=16)
    server.wait_until_idle()
    assert 'status="499"' in server.get("/metrics").text


def test_a_huge_body_is_refused_and_the_answer_arrives(server: Server) -> None:
    response = httpx.post(
        f"{server.url}/v1/translate",
        content=b" " * 30_000_000,
        headers={"Content-Type": "application/json"},
        timeout=30,
    )
    problem_of(response, 413)


def test_nothing_of_a_visitor_stays(server: Server) -> None:
    visit(server.url, PATIENCE_S)
    kept = {"/metrics": server.get("/metrics").text, "stderr": server.log()}
    assert kept["stderr"].count('"event": "request"') > 100
    assert left_behind(kept) == []


def test_garbage_is_a_bad_request(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(b"Geheimnis\x00\xff\r\n\r\n")
        answer = raw.recv(4096)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"Geheimnis" not in answer
    assert "Geheimnis" not in server.log()


def test_a_taken_port_is_one_line_and_exit_code_2(server: Server, bundles: Path) -> None:
    done = seq2serve("serve", str(bundles / "echo"), "--port", str(server.port))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"cannot listen on 127.0.0.1:{server.port}" in done.stderr


def test_settings_file_and_flags(bundles: Path, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(
        f"bundles: [{{path: {bundles / 'echo'}}}]\nlimits: {{max_beam_size: 2}}\nport: 1\n"
    )
    with Server("--settings", str(file), "--beam-size", "2", "--threads", "2") as server:
        assert server.translate().status_code == 200
        assert (
            problem_of(server.translate(beam_size=3), 422)["detail"] == "beam_size is 3, at most 2"
        )


def test_no_ray_and_no_torch_is_loaded(server: Server) -> None:
    first = psutil.Process(server.process.pid)
    of_models = first.children()
    mapped = [Path(f"/proc/{one.pid}/maps").read_text() for one in (first, *of_models)]
    assert of_models
    assert ["onnxruntime" in one for one in mapped] == [False, *(True for _ in of_models)]
    assert not any(re.search(r"/(ray|torch)/", one) for one in mapped)
