"""Loading: what a URI may name, what is refused, and what an adapter does."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from components.contracts.errors import InputError
from components.contracts.records import Message
from components.policy.base_model import resolve_base_model
from components.policy.demo_model import DEMO_URI, demo_model
from components.policy.load import load_policy, open_chat
from components.policy.settings import ModelSettings
from components.storage import open_storage
from components.storage.cache import READY_MARK, build_once
from tests.object_store import ObjectStore
from tests.tiny_model import build_tiny_model

FP32 = ModelSettings(dtype="float32", threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def adapter(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
    config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    found = tmp_path_factory.mktemp("adapter")
    get_peft_model(model, config).save_pretrained(str(found))
    return found


def test_a_folder_that_this_user_may_not_read_is_named() -> None:
    with tempfile.TemporaryDirectory() as place:
        model = Path(place) / "model"
        model.mkdir()
        Path(place).chmod(0o755)
        model.chmod(0)
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:  # root may read everything, so that another user looks
            if os.getuid() == 0:
                os.setuid(65534)
            try:
                resolve_base_model(str(model))
            except InputError as error:
                os.write(tell, str(error).encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(tell)
        said = os.read(told, 1000).decode()
        os.close(told)
        model.chmod(0o700)
    assert said.endswith(f"/model' can't be read by user {os.getuid() or 65534}, as whom this runs")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("no/such/folder", "no folder 'no/such/folder'"),
        ("ftp://x/y", "unknown scheme 'ftp'"),
        ("demo://other", "unknown demo model"),
        ("hf://not a name", "can't fetch"),
    ],
)
def test_what_cant_be_resolved_is_named(uri: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        resolve_base_model(uri)


def test_a_model_in_the_object_store_is_fetched_whole(
    folder: Path, s3: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHETSTONE_CACHE", str(tmp_path))
    uri = f"s3://{s3.bucket}/models/tiny"
    open_storage(uri).upload_folder(folder)
    open_storage(f"{uri}-other").put_file(folder / "config.json", "other.json")
    fetched = resolve_base_model(uri)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {path.name: path.read_bytes() for path in fetched.iterdir() if path.name != READY_MARK} == files
    with pytest.raises(InputError, match=f"nothing lies under s3://{s3.bucket}/models/absent"):
        resolve_base_model(f"s3://{s3.bucket}/models/absent")


def test_pickled_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "model"))
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pickled weights \(pytorch_model\.bin\)"):
        load_policy(str(copied))
    (copied / "pytorch_model.bin").unlink()
    with pytest.raises(InputError, match=r"no \*\.safetensors"):
        load_policy(str(copied))
    (copied / "config.json").unlink()
    with pytest.raises(InputError, match=r"no config\.json"):
        load_policy(str(copied))


def test_models_that_bring_code_are_refused(folder: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "model"))
    config = (copied / "config.json").read_text()
    custom = config.replace(
        '"model_type": "llama"', '"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}'
    )
    (copied / "config.json").write_text(custom)
    (copied / "own.py").write_text("raise SystemExit('ran')")
    with pytest.raises(InputError, match="can't load"):
        load_policy(str(copied))


def test_merged_and_unmerged_adapters_score_alike(folder: Path, adapter: Path) -> None:
    ids = torch.arange(3, 40)[None]
    scores = []
    for merge in (False, True):
        policy = load_policy(str(folder), adapter=adapter, settings=FP32, merge=merge)
        with torch.inference_mode():
            scores.append(policy.model(input_ids=ids).logits)
    base = load_policy(str(folder), settings=FP32).model(input_ids=ids).logits
    torch.testing.assert_close(scores[0], scores[1], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(scores[0], base, atol=1e-2)


def test_only_a_trainable_adapter_takes_gradients(folder: Path, adapter: Path) -> None:
    for trainable in (False, True):
        model = load_policy(str(folder), adapter=adapter, settings=FP32, trainable=trainable).model
        trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        assert bool(trained) == trainable
        assert all("lora_" in name for name in trained)


def test_an_adapter_that_doesnt_fit_is_refused(folder: Path, adapter: Path, tmp_path: Path) -> None:
    other = build_tiny_model(tmp_path / "other", hidden=64)
    with pytest.raises(InputError, match="does not fit the base model"):
        load_policy(str(other), adapter=adapter)
    with pytest.raises(InputError, match=r"has no adapter_config\.json"):
        load_policy(str(folder), adapter=tmp_path)


def test_eos_ids_of_the_generation_config_end_a_turn_everywhere(folder: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "model"))
    path = copied / "generation_config.json"
    config = json.loads(path.read_text())
    before = open_chat(str(copied), "hermes")
    other = before.tokenizer.convert_tokens_to_ids("<|endoftext|>")
    path.write_text(json.dumps(config | {"eos_token_id": [other, *before.stop_ids]}))
    chat = open_chat(str(copied), "hermes")
    assert set(chat.stop_ids) == {other, *before.stop_ids}
    assert chat.stop_ids[0] == before.stop_ids[0]  # the template's own stays first
    assert load_policy(str(copied), settings=FP32).chat.stop_ids == chat.stop_ids
    messages = (Message(role="user", content="x"), Message(role="assistant", content="y"))
    said = (*chat.tokenizer.encode("y", add_special_tokens=False), other)
    for known, expected in ((chat, said), (before, (*said, before.stop_ids[0]))):
        encoding = known.encode(messages, sampled={1: said})
        (span,) = [span for span in encoding.spans if span.kind == "assistant"]
        assert tuple(encoding.ids[span.start : span.end]) == expected
        assert encoding.ids.count(before.stop_ids[0]) == (1 if known is chat else 2)


def test_a_damaged_generation_config_is_named(folder: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "model"))
    for content in ("{", "[1]", '{"eos_token_id": "end"}'):
        (copied / "generation_config.json").write_text(content)
        with pytest.raises(InputError, match=r"generation_config\.json: can't be read"):
            open_chat(str(copied), "hermes")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_what_needs_a_gpu_says_so(folder: Path) -> None:
    with pytest.raises(InputError, match="'nf4' \\(QLoRA\\) needs a GPU"):
        load_policy(str(folder), settings=ModelSettings(quantization="nf4"))
    with pytest.raises(InputError, match="torch sees no GPU"):
        load_policy(str(folder), settings=ModelSettings(device="cuda"))


def test_settings_import_neither_torch_nor_transformers() -> None:
    code = "import sys, components.policy.settings, components.policy.engine; print([m for m in ('torch', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_two_processes_build_a_cached_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
import os, sys, time
from components.storage.cache import build_once
def build(folder):
    time.sleep(0.3)
    (folder / "built_by").write_text(str(os.getpid()))
print((build_once("models/x", build) / "built_by").read_text())
"""
    monkeypatch.setenv("WHETSTONE_CACHE", str(tmp_path))
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert len({process.communicate()[0].strip() for process in running}) == 1


def test_a_failed_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHETSTONE_CACHE", str(tmp_path))

    def build(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise InputError("broken")

    with pytest.raises(InputError, match="broken"):
        build_once("models/x", build)
    assert [path.name for path in (tmp_path / "models").iterdir() if path.is_dir()] == []


def test_the_demo_model_pads_with_another_token_than_it_stops_with() -> None:
    try:
        folder = demo_model()
    except InputError as error:
        pytest.skip(f"the demo model can't be had here: {error}")
    policy = load_policy(DEMO_URI, settings=ModelSettings(threads=1))
    assert policy.tokenizer.pad_token == "<|endoftext|>"
    assert policy.tokenizer.pad_token_id not in policy.chat.stop_ids
    assert policy.chat.decode(policy.chat.stop_ids[:1]) == ""
    assert sum(parameter.numel() for parameter in policy.model.parameters()) == 134_515_008
    assert (folder / "model.safetensors").is_file()
