"""The translator: a real (tiny, untrained) seq2seq model goes through it; without one it is left out."""

from pathlib import Path
from typing import Any

import pytest

from components.contracts.errors import InputError
from components.contracts.tool_errors import ToolError
from tools_service.failures import ToolFailure
from tools_service.translator import find_translator


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    folder = tmp_path_factory.mktemp("seq2seq")
    vocabulary = {word: number for number, word in enumerate(["<pad>", "</s>", "<unk>", "hola", "mundo"])}
    words = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=64
    )
    tokenizer.save_pretrained(folder)
    config: Any = T5Config(  # type: ignore[call-arg]
        vocab_size=5, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, decoder_start_token_id=0
    )
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def test_a_model_by_its_folder_translates(model: Path) -> None:
    translate, reason = find_translator(str(model), "spa", "eng")
    assert reason == ""
    assert translate is not None
    assert translate.__name__ == "machine_translator"
    assert isinstance(translate("hola mundo"), str)
    for text in ("  ", "a" * 5000):
        with pytest.raises(ToolFailure) as caught:
            translate(text)
        assert caught.value.code is ToolError.WRONG_TYPE_OR_VALUE


def test_weights_that_are_not_safetensors_are_refused(model: Path, tmp_path: Path) -> None:
    for path in model.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(InputError, match="can't be loaded") as caught:
        find_translator(str(tmp_path), "spa", "eng")
    assert "\n" not in str(caught.value)


def test_without_a_model_or_apertium_the_reason_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_translator("", "spa", "eng") == (
        None,
        "no translation model was given and apertium is not installed",
    )


def test_apertium_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Not apertium itself (rarely installed): a program with its command line, to test ours.
    program = tmp_path / "apertium"
    program.write_text('#!/bin/sh\nif [ "$1" = "-l" ]; then echo "  spa-eng"; else tr a-z A-Z; fi\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    translate, _ = find_translator("", "spa", "eng")
    assert translate is not None
    assert translate("hola") == "HOLA"
    assert find_translator("", "deu", "eng") == (
        None,
        "no translation model was given and apertium has no pair deu-eng",
    )
