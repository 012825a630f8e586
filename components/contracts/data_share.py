"""A part of the data, for measuring gains against its scale (iTool paper, Figure 7)."""

import hashlib


def in_share(question_id: str, share: float, seed: int) -> bool:
    """Whether a question belongs to the given share of all, in (0, 1].

    It depends on its arguments alone, so parts are nested: what is in a quarter is in the half, too. Of many
    questions about that share is in it.
    """
    digest = hashlib.blake2b(
        f"{seed}\x1fshare\x1f{question_id}".encode(errors="surrogatepass"), digest_size=8
    )
    return share >= 1.0 or int.from_bytes(digest.digest(), "big") < share * 2**64
