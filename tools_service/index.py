"""`python -m tools_service.index --corpus FILE --out FOLDER_OR_S3_URI`: builds and publishes an index."""

import argparse
import sys
from collections.abc import Sequence

from components.contracts.errors import InputError
from tools_service.cache import local_corpus
from tools_service.retrievers import publish_index


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds, commits, prints the counts; 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m tools_service.index", description=__doc__)
    parser.add_argument(
        "--corpus", required=True, help="a file or s3:// with id, title and text: .jsonl or .jsonl.gz"
    )
    parser.add_argument("--out", required=True, help="a folder or s3://bucket/prefix")
    parser.add_argument("--retriever", choices=("bm25", "dense"), default="bm25")
    parser.add_argument("--encoder", default="", help="dense: the sentence-embedding model")
    given = parser.parse_args(arguments)
    try:
        with local_corpus(given.corpus) as corpus:
            counts = publish_index(given.retriever, corpus, given.out, encoder=given.encoder)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{given.out}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
