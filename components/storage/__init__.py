"""Object storage (`s3://`) and local folders, behind one interface, and artifacts that use them."""

from components.storage.base import Storage, StoredObject
from components.storage.finished import finished_work
from components.storage.open import fetch, open_storage
from components.storage.payloads import commit_output, hand_on, open_input, write_output

__all__ = [
    "Storage",
    "StoredObject",
    "commit_output",
    "fetch",
    "finished_work",
    "hand_on",
    "open_input",
    "open_storage",
    "write_output",
]
