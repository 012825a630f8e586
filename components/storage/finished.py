"""Where a stage keeps what it has finished, so that a run that was killed takes it over.

That is `<checkpoint_root>/<stage>-<key>`; the key is a hash of all that decides what is kept, and of our version.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from components.contracts.images import VERSION
from components.storage.base import Storage
from components.storage.open import open_storage


@contextmanager
def finished_work(
    checkpoint_root: str, stage: str, decides: Mapping[str, str], *, what: str
) -> Iterator[Storage]:
    """A storage of this work's own; of a temporary folder when `checkpoint_root` is empty.

    decides: by name, all that decides what comes of the work. what: is kept, in the line that an exception prints.
    Nothing is deleted here: the stage does it once its artifact is committed.

    Raises:
        InputError: the store can't be reached.
    """
    if not checkpoint_root:
        with tempfile.TemporaryDirectory() as temporary:
            yield open_storage(temporary)
        return
    text = json.dumps({**decides, "version": VERSION}, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:32]
    place = f"{checkpoint_root.rstrip('/')}/{stage}-{key}"
    try:
        yield open_storage(place)
    except BaseException:
        print(f"[{stage}] {what} stay in {place}; running again takes them over", flush=True)
        raise
