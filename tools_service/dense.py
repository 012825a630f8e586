"""The dense retriever: inner product over sentence embeddings, float32, opened by mmap, searched exactly.

Files of a `dense_index/1` folder: passages.jsonl, passage_offsets.npy, embeddings.npy (passages,
dimensions) float32 of length 1, encoder.txt (the model's URI).
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from components.contracts.errors import InputError
from tools_service.cache import find_model
from tools_service.corpus import Passage
from tools_service.passages import PassageStore, PassageWriter
from tools_service.ranking import Hit, best_places

BATCH = 256  # passages encoded together
ROWS = 65_536  # embeddings compared together


class Encoder(Protocol):
    """Texts to (texts, dimensions) float32 rows of length 1."""

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encodes."""
        ...


class DenseIndex:
    """An opened index. Equal scores rank by the passage's place in the corpus."""

    def __init__(self, folder: Path, encoder: str = "") -> None:
        built_with = (folder / "encoder.txt").read_text(encoding="utf-8")
        if encoder and encoder != built_with:
            raise InputError(
                f"encoder {encoder}: the index {folder} was built with {built_with}; expected the same"
            )
        self._encode = load_encoder(built_with)
        self._passages = PassageStore(folder)
        self._embeddings: NDArray[np.float32] = np.load(
            folder / "embeddings.npy", mmap_mode="r", allow_pickle=False
        )

    def __len__(self) -> int:
        return len(self._passages)

    def passage(self, document: int) -> Passage:
        """The passage at this place of the corpus."""
        return self._passages[document]

    def search(self, query: str, k: int = 1) -> list[Hit]:
        """The k best by cosine similarity."""
        (wanted,) = self._encode([query])
        parts = [self._embeddings[start : start + ROWS] @ wanted for start in range(0, len(self), ROWS)]
        scores = np.concatenate(parts).astype(np.float64)
        return [Hit(int(place), float(scores[place])) for place in best_places(scores, k)]


def build_dense_index(passages: Iterable[Passage], folder: Path, encoder: str) -> dict[str, int]:
    """Writes the index's files into `folder` and returns its counts.

    Raises:
        InputError: no encoder was named, or it can't be loaded.
    """
    encode = load_encoder(encoder)
    rows: list[NDArray[np.float32]] = []
    waiting: list[str] = []
    with PassageWriter(folder) as writer:
        for passage in passages:
            writer.add(passage)
            waiting.append(passage.shown)
            if len(waiting) == BATCH:
                rows.append(encode(waiting))
                waiting = []
    if waiting:
        rows.append(encode(waiting))
    embeddings = np.concatenate(rows)
    np.save(folder / "embeddings.npy", embeddings)
    (folder / "encoder.txt").write_text(encoder, encoding="utf-8")
    return {"passages": len(embeddings), "dimensions": embeddings.shape[1]}


def load_encoder(uri: str) -> Encoder:
    """A sentence-transformers model: a folder, hf://name or s3://prefix; safetensors only, none of its code.

    Raises:
        InputError: no model was named, the library is absent, or the model can't be loaded.
    """
    if not uri:
        raise InputError(
            "the dense retriever needs an encoder; expected a folder or hf://name of a sentence model"
        )
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise InputError(
            f"encoder {uri}: needs the package sentence-transformers, which is not installed"
        ) from error
    name = find_model(uri, "encoder")
    try:
        model: Any = SentenceTransformer(
            name, trust_remote_code=False, model_kwargs={"use_safetensors": True}
        )
    except (OSError, ValueError) as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"encoder {uri}: can't be loaded: {first_line}") from error

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        rows = model.encode(
            list(texts), normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return np.ascontiguousarray(rows, dtype=np.float32)

    return encode
