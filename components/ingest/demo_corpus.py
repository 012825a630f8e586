"""`python -m components.ingest.demo_corpus FILE` writes the demo's passages, one JSON line each."""

import json
import sys
from pathlib import Path

from components.ingest.demo_places import passages


def main() -> int:
    """Write the corpus to the file named by the only argument; 2 when there is none."""
    if len(sys.argv) != 2:
        print("usage: python -m components.ingest.demo_corpus FILE", file=sys.stderr)
        return 2
    with Path(sys.argv[1]).open("w", encoding="utf-8") as out:
        for passage in passages():
            out.write(json.dumps(passage, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
