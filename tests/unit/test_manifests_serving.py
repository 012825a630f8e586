"""`whetstone serving`: what it writes is valid, is what the adapter was trained as, and refuses what can't be served."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from components.contracts.artifacts import open_artifact, write_artifact
from components.contracts.errors import InputError
from components.contracts.records import Message
from components.contracts.tool_calls import CALL_FORMATS
from components.evaluation.served_adapter import read_served_adapter
from components.policy.card import make_card, write_card
from components.policy.chat import Chat
from components.policy.load import load_tokenizer, open_chat
from components.publication.publish import publish
from components.storage import open_storage
from pipelines.cli import app
from pipelines.serving.folder import LIMITS, write_serving
from pipelines.serving.inference_service import LORA_RANKS, PARSERS
from tests.chat_families import FAMILIES, family_tokenizer
from tests.kustomized import Manifest, one_of, pods_of, rendered
from tests.network_policies import Peer, passes
from tests.object_store import ObjectStore
from tests.tiny_model import build_tiny_model
from tests.unit.test_manifests_policies import restricted_faults

validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")

PUBLISHED = "s3://bucket/published/0123456789abcdef"
HUB = "hf://org/base@v1"
# pkg/apis/serving/v1beta1/{component,predictor}.go of kserve 0.16: what a predictor has beside a PodSpec's fields.
PREDICTOR_FIELDS = {
    *(
        "minReplicas",
        "maxReplicas",
        "scaleTarget",
        "scaleMetric",
        "scaleMetricType",
        "autoScaling",
        "timeout",
    ),
    *("containerConcurrency", "canaryTrafficPercent", "logger", "batcher", "labels", "annotations"),
    *("deploymentStrategy", "model", "storageUris", "workerSpec"),
}


def lora(
    folder: Path, base: Path, *, call_format: str = "hermes", base_model: str = "", **config: Any
) -> Path:
    """An adapter's folder, without weights, trained on the model in the folder `base`."""
    folder.mkdir(parents=True)
    chat = open_chat(str(base), call_format)
    write_card(make_card(chat, base_model or str(base), settings={}, lineage={}), folder)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 16, **config}))
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("base"))


def arguments_of(folder: Path) -> list[str]:
    """vLLM's, as rendered."""
    service = one_of(rendered(folder), "InferenceService")
    (container,) = service["spec"]["predictor"]["containers"]
    return list(container["args"])


@pytest.mark.parametrize("call_format", CALL_FORMATS)
def test_parser_and_template_are_those_of_the_card(call_format: str, base: Path, tmp_path: Path) -> None:
    adapter = lora(tmp_path / "adapter", base, call_format=call_format)
    serving = write_serving(str(adapter), tmp_path / "out", uri=f"{PUBLISHED}/", base_model=HUB)
    arguments = arguments_of(tmp_path / "out")
    guide = (tmp_path / "out/README.md").read_text()
    assert serving.call_format == call_format
    if call_format == "paper":
        assert not any("tool" in one for one in arguments)
        assert "none of vLLM's parsers reads" in guide
    else:
        at = arguments.index("--enable-auto-tool-choice")
        assert arguments[at + 1] == f"--tool-call-parser={PARSERS[call_format]}"
        assert LIMITS[call_format] in guide
    assert "--chat-template=/etc/whetstone/chat_template.jinja" in arguments
    template = one_of(rendered(tmp_path / "out"), "ConfigMap")["data"]["chat_template.jinja"]
    assert template == load_tokenizer(base).chat_template
    assert json.dumps(list(read_card_stops(adapter))) in guide


def read_card_stops(adapter: Path) -> list[int]:
    """The ids that end a turn."""
    return list(json.loads((adapter / "policy.json").read_text())["stop_ids"])


def test_every_format_is_decided_upon() -> None:
    assert {*PARSERS, "paper"} == set(CALL_FORMATS)
    assert set(LIMITS) == set(PARSERS)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_pinned_template_renders_as_in_training(family: str, tmp_path: Path) -> None:
    """As a server renders it: today's date, no words of ours, against the ids that training had."""
    folder = tmp_path / "base"
    family_tokenizer(family).save_pretrained(str(folder))
    (folder / "config.json").write_text("{}")
    adapter = lora(tmp_path / "adapter", folder)
    found = read_served_adapter(str(adapter), _made(tmp_path / "scratch"))
    tokenizer = load_tokenizer(folder)
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is 12 + 30?"}],
        chat_template=found.chat_template,
        tokenize=False,
        add_generation_prompt=True,
    )
    chat = Chat(load_tokenizer(folder), "hermes")
    trained = chat.encode([Message(role="user", content="What is 12 + 30?")], generation_prompt=True).ids
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == trained
    assert found.native_tools == chat.native_tools


def test_manifests_are_valid_restricted_and_guarded(base: Path, tmp_path: Path) -> None:
    adapter = lora(tmp_path / "adapter", base)
    write_serving(str(adapter), tmp_path / "out", uri=PUBLISHED, base_model=HUB, name="tools-7b")
    manifests = rendered(tmp_path / "out")
    service = one_of(manifests, "InferenceService")
    predictor = service["spec"]["predictor"]
    pod_fields = {key: value for key, value in predictor.items() if key not in PREDICTOR_FIELDS}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": pod_fields}
    validate.validate(pod, "1.34", strict=True)
    for one in manifests:
        if one["kind"] != "InferenceService":
            validate.validate(one, "1.34", strict=True)
    (made,) = pods_of(manifests)
    assert restricted_faults(made.spec) == []
    assert made.spec["automountServiceAccountToken"] is False
    (container,) = made.spec["containers"]
    assert container["name"] == "kserve-container"
    assert container["image"].partition(":")[2] not in ("", "latest")
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in made.spec["volumes"]}
    (template,) = (one["configMap"]["name"] for one in made.spec["volumes"] if "configMap" in one)
    assert template == one_of(manifests, "ConfigMap")["metadata"]["name"]
    account = one_of(manifests, "ServiceAccount")
    assert account["metadata"]["name"] == made.spec["serviceAccountName"]
    assert account["secrets"] == [{"name": "whetstone-store"}]


def test_who_reaches_the_server_and_whom_it_reaches(base: Path, tmp_path: Path) -> None:
    adapter = lora(tmp_path / "adapter", base)
    write_serving(str(adapter), tmp_path / "hub", uri=PUBLISHED, base_model=HUB)
    write_serving(str(adapter), tmp_path / "store", uri=PUBLISHED, base_model="s3://bucket/base")
    for folder, to_hub in (("hub", True), ("store", False)):
        manifests = rendered(tmp_path / folder)
        policy = one_of(manifests, "NetworkPolicy")
        policy["metadata"]["namespace"] = "here"
        (pod,) = pods_of(manifests)
        server = Peer("server", "here", pod.labels)
        store = Peer("store", "here", {"app.kubernetes.io/name": "whetstone-store"})
        client, stranger = Peer("client", "here", {"app": "x"}), Peer("stranger", "elsewhere", {"app": "x"})
        assert passes([policy], client, server, 8080)
        assert not passes([policy], client, server, 22)
        assert not passes([policy], stranger, server, 8080)
        assert passes([policy], server, store, 8333)
        assert not passes([policy], server, client, 8080)
        assert passes([policy], server, Peer("hub", address="93.184.215.14"), 443) is to_hub
        assert not passes([policy], server, Peer("metadata", address="169.254.169.254"), 80)


def test_base_from_the_hub_with_its_revision(base: Path, tmp_path: Path) -> None:
    write_serving(str(lora(tmp_path / "adapter", base)), tmp_path / "out", uri=PUBLISHED, base_model=HUB)
    arguments = arguments_of(tmp_path / "out")
    assert arguments[0] == "org/base"
    assert {"--revision=v1", "--enable-lora", "--max-lora-rank=16"} <= set(arguments)
    module = json.loads(arguments[arguments.index("--lora-modules") + 1])
    assert module["name"] == "whetstone-policy"
    storage = one_of(rendered(tmp_path / "out"), "InferenceService")["spec"]["predictor"]["storageUris"]
    assert storage == [{"uri": PUBLISHED, "mountPath": module["path"]}]
    assert "those weights have to be the same" in (tmp_path / "out/README.md").read_text()


@pytest.mark.parametrize(
    ("rank", "served"), [(1, 8), (4, 8), (8, 8), (9, 16), (64, 64), (65, 128), (512, 512)]
)
def test_rank_is_one_that_vllm_takes(rank: int, served: int, base: Path, tmp_path: Path) -> None:
    adapter = lora(tmp_path / "adapter", base, r=4, rank_pattern={"q_proj": rank})
    write_serving(str(adapter), tmp_path / "out", uri=PUBLISHED, base_model=HUB)
    assert served in LORA_RANKS
    assert f"--max-lora-rank={served}" in arguments_of(tmp_path / "out")


def test_a_published_adapter_with_its_base_in_the_store(s3: ObjectStore, tmp_path: Path) -> None:
    """From what promotion published, read from the object store itself."""
    model = build_tiny_model(tmp_path / "model")
    base_uri = f"s3://{s3.bucket}/serving/base"
    open_storage(base_uri).upload_folder(model)
    adapter = lora(tmp_path / "adapter", model, base_model=base_uri)
    with write_artifact(tmp_path / "artifact", "adapter/1") as writer:
        for file in adapter.iterdir():
            (writer.folder / file.name).write_bytes(file.read_bytes())
        (writer.folder / "adapter_model.safetensors").write_bytes(b"weights")
    location = publish(
        open_artifact(tmp_path / "artifact", "adapter/1"), "# card", f"s3://{s3.bucket}/published", {}
    )
    done = CliRunner().invoke(app, ["serving", location, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.exception
    service = one_of(rendered(tmp_path / "out"), "InferenceService")
    assert service["spec"]["predictor"]["storageUris"] == [
        {"uri": location, "mountPath": "/mnt/models/adapter"},
        {"uri": base_uri, "mountPath": "/mnt/models/base"},
    ]
    assert arguments_of(tmp_path / "out")[0] == "/mnt/models/base"
    for name in ("policy.json", "adapter_config.json"):  # as if publishing had been stopped half-way
        open_storage(f"s3://{s3.bucket}/half").put_file(adapter / name, name)
    with pytest.raises(InputError, match=r"no manifest\.json; expected an adapter that promotion published"):
        write_serving(f"s3://{s3.bucket}/half", tmp_path / "half")


def test_a_whole_model_is_served_as_itself(tmp_path: Path) -> None:
    model = build_tiny_model(tmp_path / "model")
    write_card(make_card(open_chat(str(model), "hermes"), "hf://org/base", settings={}, lineage={}), model)
    write_serving(str(model), tmp_path / "out", uri=PUBLISHED)
    arguments = arguments_of(tmp_path / "out")
    assert arguments[0] == "/mnt/models/adapter"
    assert "--served-model-name=whetstone-policy" in arguments
    assert not any("lora" in one for one in arguments)
    with pytest.raises(InputError, match="whole model, expected none beside it"):
        write_serving(str(model), tmp_path / "other", uri=PUBLISHED, base_model=HUB)


def test_written_again_into_the_same_folder(base: Path, tmp_path: Path) -> None:
    adapter = str(lora(tmp_path / "adapter", base))
    write_serving(adapter, tmp_path / "out", uri=PUBLISHED, base_model=HUB, name="one")
    first = {path.name for path in (tmp_path / "out").iterdir()}
    write_serving(adapter, tmp_path / "out", uri=PUBLISHED, base_model=HUB, name="two")
    assert {path.name for path in (tmp_path / "out").iterdir()} == first
    assert one_of(rendered_again(tmp_path / "out"), "InferenceService")["metadata"]["name"] == "two"


def rendered_again(folder: Path) -> list[Manifest]:
    """The service's file, past the cache of what was rendered."""
    return [yaml.safe_load((folder / "inferenceservice.yaml").read_text())]


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {}, r"--uri: .* is a folder here, expected --uri s3://"),
        ({}, {"uri": "http://somewhere"}, r"--uri: .* is a folder here"),
        ({}, {"uri": PUBLISHED}, r"base model: the cluster can't load .* --base-model hf://"),
        ({}, {"uri": PUBLISHED, "base_model": "demo://x"}, "the cluster can't load 'demo://x'"),
        ({}, {"uri": PUBLISHED, "base_model": HUB, "name": "Big_One"}, "--name: 'Big_One': expected"),
        ({"use_dora": True}, {"uri": PUBLISHED, "base_model": HUB}, "no adapter with use_dora"),
        ({"modules_to_save": ["lm_head"]}, {"uri": PUBLISHED, "base_model": HUB}, "with modules_to_save"),
        ({"bias": "all"}, {"uri": PUBLISHED, "base_model": HUB}, "no adapter with bias;"),
        ({"r": 1024}, {"uri": PUBLISHED, "base_model": HUB}, "rank is 1024; vLLM serves at most 512"),
        ({"r": None}, {"uri": PUBLISHED, "base_model": HUB}, r"adapter_config\.json: r: expected a LoRA"),
    ],
)
def test_what_cannot_be_served_is_one_line(
    changes: dict[str, Any], options: dict[str, str], message: str, base: Path, tmp_path: Path
) -> None:
    adapter = lora(tmp_path / "adapter", base, **changes)
    with pytest.raises(InputError, match=message) as raised:
        write_serving(str(adapter), tmp_path / "out", **options)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_another_template_than_in_training_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = lora(tmp_path / "adapter", base)
    card = json.loads((adapter / "policy.json").read_text()) | {"template_hash": "0" * 64}
    (adapter / "policy.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="it was trained with chat template '0000"):
        write_serving(str(adapter), tmp_path / "out", uri=PUBLISHED, base_model=HUB)


def test_a_folder_with_something_else_is_left_alone(base: Path, tmp_path: Path) -> None:
    adapter = lora(tmp_path / "adapter", base)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        write_serving(str(adapter), tmp_path / "out", uri=PUBLISHED, base_model=HUB)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_no_adapter_there(tmp_path: Path) -> None:
    _made(tmp_path / "empty")
    with pytest.raises(InputError, match="expected a model's or an adapter's folder"):
        write_serving(str(tmp_path / "empty"), tmp_path / "out", uri=PUBLISHED)


def test_a_model_that_no_run_trained(base: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=rf"adapter: {base} has no policy\.json; expected an adapter that a run"
    ):
        write_serving(str(base), tmp_path / "out", uri=PUBLISHED)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
