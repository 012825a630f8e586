"""The calls of the v2beta1 API when things go wrong: wrong hosts, refusals, lost answers, races, pages."""

import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from kfp import compiler, dsl, kubernetes
from kfp_server_api import V2beta1Run, V2beta1RuntimeConfig

from components.contracts.errors import InputError
from pipelines.local.services import free_ports
from pipelines.submit.api import KubeflowApi
from pipelines.submit.connection import Endpoint, Patience, Refused, Unanswered, said_by
from pipelines.submit.submission import read_package
from tests.kfp_stub import KfpStub, Trouble, kfp_stub

QUICK = Patience(connect=5.0, answer=10.0, outage=10.0, pause=0.02)
HASTY = Patience(connect=5.0, answer=0.3, outage=0.5, pause=0.02)
GIVEN = {"questions": "s3://b/q.jsonl"}


def api_of(stub: KfpStub, patience: Patience = QUICK, **given: Any) -> KubeflowApi:
    return KubeflowApi(Endpoint(stub.url, **given), patience)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small compiled pipeline with parameters of every kind that is checked."""

    @dsl.component(base_image="one", install_kfp_package=False)
    def stage(questions: str) -> None:
        print(questions)

    @dsl.pipeline(name="small")
    def small(questions: str, sft_accelerators: str = "0", tolerations: list = []) -> None:  # type: ignore[type-arg] # noqa: B006
        kubernetes.set_timeout(stage(questions=questions), 60)

    path = tmp_path_factory.mktemp("package") / "small.yaml"
    compiler.Compiler().compile(small, str(path))
    return path


def run_body(experiment_id: str, package: Path, **parameters: Any) -> V2beta1Run:
    return V2beta1Run(
        experiment_id=experiment_id,
        display_name="nightly",
        pipeline_spec=read_package(package),
        runtime_config=V2beta1RuntimeConfig(parameters=parameters or GIVEN),
    )


@pytest.fixture
def page_server() -> Iterator[str]:
    """Some other web server: a page for every path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "13")
            self.end_headers()
            self.wfile.write(b"<html></html>")

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_nobody_listens_there() -> None:
    (port,) = free_ports(1)
    host = f"http://127.0.0.1:{port}"
    began = time.monotonic()
    with pytest.raises(InputError) as refused:
        KubeflowApi(Endpoint(host))
    assert time.monotonic() - began < 5  # at first a wrong address is likelier than an outage
    assert str(refused.value) == (
        f"{host}: no Kubeflow Pipelines API reachable there (NewConnectionError); give its address with --host"
    )


def test_another_server_is_no_api(page_server: str) -> None:
    with pytest.raises(
        InputError, match=r"no Kubeflow Pipelines API reachable there \(something else answers\)"
    ):
        KubeflowApi(Endpoint(page_server), QUICK)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (
            Trouble("GET /healthz", 404, body="<html>404 page not found</html>"),
            "reachable there (status 404)",
        ),
        (Trouble("GET /healthz", 401), "answered 401: check the token (--token, KFP_EXISTING_TOKEN)"),
        (
            Trouble("GET /healthz", 302, headers={"Location": "/dex/auth"}),
            "answered 302: check the token (--token, KFP_EXISTING_TOKEN)",
        ),
        (
            Trouble("GET /healthz", 403, body="RBAC: access denied"),
            "answered 403: check the token (--token, KFP_EXISTING_TOKEN) and --namespace; it said: RBAC: access denied",
        ),
        (
            Trouble("GET /healthz", 503, times=99, body="no healthy upstream"),
            "answered 503: no healthy upstream",
        ),
        (Trouble("GET /healthz", 200, times=99, seconds=1.0), "reachable there (ReadTimeoutError)"),
    ],
)
def test_what_an_api_says_at_first_is_one_line(trouble: Trouble, said: str) -> None:
    with kfp_stub(troubles=[trouble]) as stub, pytest.raises(InputError) as refused:
        api_of(stub, HASTY, token="secret-token")
    message = str(refused.value)
    assert message.startswith(stub.url)
    assert said in message
    assert "\n" not in message
    assert "secret-token" not in message + repr(Endpoint(stub.url, token="secret-token"))


def test_an_answer_that_nobody_can_read() -> None:
    with kfp_stub() as stub:
        api = api_of(stub)
        stub.experiments.append({"experiment_id": "1", "display_name": "one", "created_at": "yesterday"})
        with pytest.raises(InputError, match="an answer that is not the API's: Failed to parse `yesterday`"):
            api.experiment("one")


@pytest.mark.parametrize("host", ["kubeflow.example", "127.0.0.1:8888", "ftp://host"])
def test_host_needs_a_scheme(host: str) -> None:
    with pytest.raises(InputError, match=r"--host: expected http\(s\)://host:port, got "):
        KubeflowApi(Endpoint(host))


def test_certificate_that_nobody_knows(tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make a certificate with")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    asked = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=one"]
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(certificate), "-keyout", str(key)]
    subprocess.run([*asked, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with kfp_stub() as stub:
        stub.socket = context.wrap_socket(stub.socket, server_side=True)
        host = stub.url.replace("http:", "https:")
        with pytest.raises(InputError, match=r"certificate is not trusted .*SSL_CERT_FILE") as refused:
            KubeflowApi(Endpoint(host), QUICK)
        assert "\n" not in str(refused.value)
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("SSL_CERT_FILE", str(certificate))
            assert KubeflowApi(Endpoint(host), QUICK).experiment("one")


@pytest.mark.parametrize("path", ["GET /healthz", "GET /experiments", "GET /runs"])
@pytest.mark.parametrize("status", [0, 429, 502, 503, 504])
def test_what_asks_only_is_asked_again(path: str, status: int, package: Path) -> None:
    with kfp_stub(troubles=[Trouble(path, status, times=2)]) as stub:
        api = api_of(stub)
        run_id = api.create_run(run_body(api.experiment("one"), package))
        assert [run["run_id"] for run in stub.runs] == [run_id]


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("status", [0, 429, 502, 503, 504])
@pytest.mark.parametrize(
    "path", ["POST /experiments", "POST /pipelines", "POST /pipelines/upload_version", "POST /runs"]
)
def test_a_lost_answer_makes_nothing_twice(path: str, status: int, done: bool, package: Path) -> None:
    with kfp_stub(troubles=[Trouble(path, status, times=2, done=done)]) as stub:
        api = api_of(stub)
        experiment = api.experiment("one")
        pipeline = api.pipeline("self-training")
        version = api.version(pipeline, "1.0", package)
        run_id = api.create_run(run_body(experiment, package))
        assert [one["experiment_id"] for one in stub.experiments] == [experiment]
        assert [one["pipeline_id"] for one in stub.pipelines] == [pipeline]
        assert [one["pipeline_version_id"] for one in stub.versions] == [version.pipeline_version_id]
        assert [one["run_id"] for one in stub.runs] == [run_id]


def test_a_slow_answer_starts_no_second_run(package: Path) -> None:
    slow = Trouble("POST /runs", 200, done=True, seconds=1.0)
    with kfp_stub(troubles=[slow]) as stub:
        api = api_of(stub, Patience(5.0, 0.5, 10.0, 0.02))
        run_id = api.create_run(run_body(api.experiment("one"), package))
        assert [run["run_id"] for run in stub.runs] == [run_id]


def test_runs_of_the_same_name_are_told_apart_over_many_pages(package: Path) -> None:
    with kfp_stub() as stub:
        api = api_of(stub)
        experiment = api.experiment("one")
        for _ in range(5):
            api.create_run(run_body(experiment, package))
        stub.page = 2
        before = api.runs_named(experiment, "nightly")
        stub.troubles.append(Trouble("POST /runs", 0, done=True))
        run_id = api.create_run(run_body(experiment, package))
        assert len(before) == 5
        assert {run["run_id"] for run in stub.runs} == before | {run_id}
        assert api.runs_named(experiment, "another") == frozenset()


def test_an_api_that_stays_away_is_an_error(package: Path) -> None:
    with kfp_stub(troubles=[Trouble("POST /runs", 503, times=99, body="upstream connect error")]) as stub:
        api = api_of(stub, HASTY)
        with pytest.raises(Unanswered, match=r"answered 503: upstream connect error"):
            api.create_run(run_body(api.experiment("one"), package))
        assert not stub.runs


def test_an_experiment_that_somebody_else_makes_at_the_same_time() -> None:
    with kfp_stub() as stub:
        api = api_of(stub)
        other = {"experiment_id": "theirs", "display_name": "one", "created_at": "2026-01-02T03:04:05Z"}
        stub.troubles.append(Trouble("POST /experiments", 409))
        created = stub.requests

        def appear() -> None:
            while not any(request.startswith("POST") for request, _ in created):
                time.sleep(0.005)
            stub.experiments.append(other)

        thread = threading.Thread(target=appear)
        thread.start()
        assert api.experiment("one") == "theirs"
        thread.join()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"questions": "q", "sft_imge": "i"}, "parameter(s) provided are not required by pipeline: sft_imge"),
        ({"questions": "q", "sft_accelerators": 1}, "input parameter sft_accelerators requires type string"),
        ({"questions": "q", "tolerations": {}}, "input parameter tolerations requires type list"),
        ({"sft_accelerators": "1"}, "parameter questions is not optional, yet has neither default value"),
    ],
)
def test_parameters_that_the_server_refuses(parameters: dict[str, Any], said: str, package: Path) -> None:
    with kfp_stub() as stub:
        api = api_of(stub)
        with pytest.raises(Refused) as refused:
            api.create_run(run_body(api.experiment("one"), package, **parameters))
        assert not stub.runs
    assert refused.value.status == 400
    assert str(refused.value).startswith(f"{stub.url}: the Kubeflow Pipelines API answered 400: {said}")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"display_name": "one", "experiment": "x"}, 'unknown field "experiment"'),
        ({"display_name": "one", "runtime_config": {"parameter": {}}}, 'unknown field "parameter"'),
        ({"display_name": 1}, "invalid value for str type"),
        ({"display_name": "one", "state": "DONE"}, "invalid value for enum type"),
        ({"display_name": "one", "experiment_id": "nobody"}, "Experiment nobody not found"),
        ({}, "The run name is empty"),
    ],
)
def test_the_stub_refuses_bodies_that_the_server_refuses(body: dict[str, Any], said: str) -> None:
    with kfp_stub() as stub:
        answer = httpx.post(f"{stub.url}/apis/v2beta1/runs", json=body)
    assert answer.status_code in (400, 404)
    assert said in answer.json()["message"]
    assert answer.json()["details"][0]["code"] == answer.json()["code"]


def test_the_stub_gives_pages_newest_first() -> None:
    with kfp_stub() as stub:
        url = f"{stub.url}/apis/v2beta1/experiments"
        for number in range(25):
            httpx.post(url, json={"display_name": f"experiment {number}"})
        first = httpx.get(url).json()
        second = httpx.get(url, params={"page_token": first["next_page_token"]}).json()
        bad = httpx.get(url, params={"page_token": "x"})
    names = [one["display_name"] for page in (first, second) for one in page["experiments"]]
    assert names == [f"experiment {number}" for number in reversed(range(25))]
    assert (len(first["experiments"]), first["total_size"]) == (20, 25)
    assert "next_page_token" not in second
    assert (bad.status_code, bad.json()["details"][0]["message"]) == (400, "Invalid page token")


def test_server_errors_that_are_no_outage_are_not_tried_again(package: Path) -> None:
    with kfp_stub(troubles=[Trouble("POST /runs", 500, body="Internal Server Error")]) as stub:
        api = api_of(stub)
        with pytest.raises(Refused, match="answered 500: Internal Server Error"):
            api.create_run(run_body(api.experiment("one"), package))
        assert not stub.runs


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"code":3,"message":"long way: short","details":[{"@type":"x","message":"short"}]}', "short"),
        ('{"code":5,"message":"Run x\\nnot found","details":[]}', "Run x not found"),
        (
            '{"error_message":"Failed to create a pipeline","error_details":"..."}',
            "Failed to create a pipeline",
        ),
        ("<html><body>502</body></html>", ""),
        ("upstream connect error", "upstream connect error"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (None, ""),
        ("x" * 1000, "x" * 400),
    ],
)
def test_what_a_server_says_is_made_one_short_line(body: Any, said: str) -> None:
    assert said_by(body) == said
