"""How far axes are padded along which attention adds up.

Sums are made in vectors, of sixteen numbers with AVX-512 and of eight before, and what is left over
is added apart, in another order. An axis of whole vectors, its padding on the right, leaves nothing
over: then what a sentence adds up, to the last bit, hangs on its own entries only, however long its
neighbours are.
"""

VECTOR = 16


def padded(length: int) -> int:
    """The length in whole vectors."""
    return -(-length // VECTOR) * VECTOR
