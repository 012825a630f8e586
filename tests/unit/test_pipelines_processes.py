"""Nothing that was started is left over: groups of real processes, the real object store."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from components.contracts.errors import InputError
from pipelines.local.processes import Interrupted, StopRequest, running, stop_group, stop_on_signals
from pipelines.local.services import BUCKET, GRPC_OFFSET, free_ports, object_store, tools_service

STUBBORN_FAMILY = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal,time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_stubborn_family_is_killed_with_its_children() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUBBORN_FAMILY], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    child = int(process.stdout.readline())
    stop_group(process, grace_seconds=0.3)
    process.stdout.close()
    assert process.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 5
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(child)


def test_orphans_of_a_leader_that_ended_are_stopped() -> None:
    script = (
        "import subprocess, sys; print(subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL).pid)"
    )
    with running([sys.executable, "-c", script], environment=os.environ, log=None) as process:
        assert process.stdout is not None
        orphan = int(process.stdout.readline())
        process.wait()
        assert is_alive(orphan)
    assert not is_alive(orphan)


def test_signals_only_ask_and_the_first_one_counts() -> None:
    with stop_on_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Interrupted) as caught:
            stop.sleep(5)
    assert caught.value.signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            stop.sleep(0.01)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_free_ports_leave_room_for_grpc() -> None:
    ports = free_ports(8, offset=GRPC_OFFSET)
    assert len(set(ports)) == 8
    assert all(port + GRPC_OFFSET < 32768 for port in ports)


def test_object_store_asks_for_its_own_credentials_and_is_gone_afterwards(tmp_path: Path) -> None:
    environment = {**os.environ, "AWS_SESSION_TOKEN": "somebody-else's"}
    with object_store(tmp_path, environment, StopRequest()) as access:
        assert "AWS_SESSION_TOKEN" not in access
        keys = {
            "aws_access_key_id": access["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": access["AWS_SECRET_ACCESS_KEY"],
        }
        place = {"endpoint_url": access["AWS_ENDPOINT_URL"], "region_name": access["AWS_DEFAULT_REGION"]}
        client = boto3.client("s3", **place, **keys)
        client.put_object(Bucket=BUCKET, Key="a", Body=b"1")
        assert client.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"1"
        wrong = boto3.client("s3", **place, **{**keys, "aws_secret_access_key": "0" * 40})
        with pytest.raises(ClientError, match="403"):
            wrong.head_bucket(Bucket=BUCKET)
        port = int(access["AWS_ENDPOINT_URL"].rpartition(":")[2])
    assert not list(Path("/tmp").glob(f"seaweedfs-*-{port}.sock"))
    with pytest.raises(OSError, match="refused"):
        __import__("socket").create_connection(("127.0.0.1", port), timeout=1)


def test_tools_service_that_does_not_come_up_says_why(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("this is not JSON\n", encoding="utf-8")
    with (
        pytest.raises(InputError, match=r"tools service: ended with code 1 while starting: .*corpus\.jsonl"),
        tools_service(tmp_path, str(corpus), os.environ, StopRequest()),
    ):
        pass


def test_a_stop_while_waiting_for_a_service_stops_it(tmp_path: Path) -> None:
    stop = StopRequest()
    stop.set(signal.SIGINT)
    with pytest.raises(Interrupted), object_store(tmp_path, os.environ, stop):
        pass
