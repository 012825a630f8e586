"""Object storage against a real S3 server and against a local folder: the same behaviour."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.contracts.errors import InputError
from components.storage import Storage, fetch, open_storage
from tests.object_store import ObjectStore, free_ports


@pytest.fixture(params=["s3", "local"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """An empty storage of each kind."""
    if request.param == "local":
        return open_storage(str(tmp_path / "store"))
    store: ObjectStore = request.getfixturevalue("s3")
    return open_storage(f"s3://{store.bucket}/{tmp_path.name}/inner/")


def test_files_come_back_and_are_listed(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    contents = {"a.txt": b"a", "deep/b c+é.bin": bytes(range(256)), "deep/empty": b"", "deeper": b"x"}
    for name, content in contents.items():
        (source / name).write_bytes(content)
    assert storage.upload_folder(source, "copy") == 4
    listed = {one.name: one.size for one in storage.list("copy/")}
    assert listed == {f"copy/{name}": len(content) for name, content in contents.items()}
    assert [one.name for one in storage.list("copy/deep")] == [
        "copy/deep/b c+é.bin",
        "copy/deep/empty",
        "copy/deeper",
    ]
    assert storage.exists("copy/a.txt")
    assert storage.exists("copy/a.txt", size=1)
    assert not storage.exists("copy/a.txt", size=2)
    assert not storage.exists("copy/a")
    assert storage.download_folder("copy", tmp_path / "back") == 4
    assert {name: (tmp_path / "back" / name).read_bytes() for name in contents} == contents
    assert storage.delete_prefix("copy/deep") == 2
    assert [one.name for one in storage.list("copy")] == ["copy/a.txt", "copy/deeper"]


def test_a_large_file_goes_in_parts_and_comes_back_equal(storage: Storage, tmp_path: Path) -> None:
    content = os.urandom(1024 * 1024) * 40
    (tmp_path / "large").write_bytes(content)
    storage.put_file(tmp_path / "large", "large")
    storage.get_file("large", tmp_path / "back" / "large")
    assert (tmp_path / "back" / "large").read_bytes() == content
    assert os.listdir(tmp_path / "back") == ["large"]


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "a/../../b", ""])
def test_names_never_lead_out(storage: Storage, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="lead out of its folder"):
        storage.get_file(name, tmp_path / "x")


def test_a_missing_object_is_named(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing/here: no such"):
        storage.get_file("nothing/here", tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert list(storage.list("nothing")) == []


def test_fetch_takes_files_folders_and_local_paths(s3: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one.txt").write_text("1")
    storage = open_storage(f"s3://{s3.bucket}/fetch")
    storage.upload_folder(tmp_path / "data", "data")
    assert fetch(f"s3://{s3.bucket}/fetch/data/one.txt", tmp_path / "f").read_text() == "1"
    assert (fetch(f"s3://{s3.bucket}/fetch/data", tmp_path / "g") / "one.txt").read_text() == "1"
    assert (fetch(f"s3://{s3.bucket}/fetch/data/", tmp_path / "h") / "one.txt").read_text() == "1"
    assert fetch(str(tmp_path / "data"), tmp_path / "i") == tmp_path / "data"
    assert fetch(f"file://{tmp_path}/data", tmp_path / "i") == tmp_path / "data"
    for missing in (f"s3://{s3.bucket}/fetch/dat", str(tmp_path / "absent")):
        with pytest.raises(InputError, match="no such"):
            fetch(missing, tmp_path / "j")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("changes", "uri", "message"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "not-the-secret"}, "s3://{bucket}/x", "AWS_SECRET_ACCESS_KEY"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "s3://{bucket}/x", "AWS_ACCESS_KEY_ID"),
        ({}, "s3://no-such-bucket/x", "no such bucket"),
        ({}, "s3://Not A Bucket/x", "expected s3://bucket/prefix"),
        ({}, "s3:///x", "expected s3://bucket/prefix"),
        ({}, "gs://bucket/x", "unknown kind of address"),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:{free}"},
            "s3://{bucket}/x",
            "can't be reached; check AWS_ENDPOINT_URL",
        ),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:{silent}"},
            "s3://{bucket}/x",
            "can't be reached; check AWS_ENDPOINT_URL",
        ),
        ({"AWS_ENDPOINT_URL": "no address"}, "s3://{bucket}/x", "AWS_ENDPOINT_URL"),
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "s3://{bucket}/x", "no credentials"),
    ],
)
def test_what_is_wrong_is_said_quickly_in_one_line(
    s3: ObjectStore,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    silent_port: int,
    changes: dict[str, str | None],
    uri: str,
    message: str,
) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for name, value in changes.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            filled = value.replace("{free}", str(free_ports(1)[0])).replace("{silent}", str(silent_port))
            monkeypatch.setenv(name, filled)
    address = uri.replace("{bucket}", s3.bucket)
    start = time.monotonic()
    with pytest.raises(InputError) as raised:
        open_storage(address)
    assert time.monotonic() - start < 10
    text = str(raised.value)
    assert message in text
    assert text.startswith(address)
    assert "\n" not in text
    assert s3.secret_key not in text
    assert "not-the-secret" not in text
