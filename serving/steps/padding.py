"""How far axes are padded along which attention adds up.

Sums are made in vectors, and what is left over is added apart, in another order. On an axis of
whole vectors, its padding on the right, nothing is left over: then what a sentence adds up, to the
last bit, hangs on its own entries only, however long its neighbours are. Eight is a vector of AVX2;
attention on AVX-512 needs no more (`tests/property/test_attention_padding.py`).
"""

VECTOR = 8


def padded(length: int) -> int:
    """The length in whole vectors."""
    return -(-length // VECTOR) * VECTOR
