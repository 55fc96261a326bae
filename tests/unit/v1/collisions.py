"""Integers of 64 bits that make CPython's dicts slow, though all their hashes differ.

A dict of 2**n slots looks for a key in slot h, then at ``i = 5 * i + 1 + (h >> 5k)`` for k = 1, 2 …, all modulo 2**n.
After 13 steps h is used up, and every search follows one and the same cycle. So: fill a long piece of that cycle with
small integers, each of which lies in the slot of its own number; then make keys whose first steps all meet a full slot.
Each of them walks down the piece to its end, in which it differs from no other.
"""

from collections.abc import Iterator

_STEP_BITS = 5
_KEY_BITS = 60


def cycle(n: int, length: int) -> list[int]:
    """The first slots of the cycle that all searches in a dict of 2**n slots end in."""
    slots, slot = [], 0
    for _ in range(length):
        slots.append(slot)
        slot = (5 * slot + 1) % 2**n
    return slots


def slow_keys(n: int, filled: list[int], count: int) -> list[int]:
    """`count` integers whose search in such a dict walks at least half of `filled`."""
    is_full, is_early = bytearray(2**n), bytearray(2**n)
    for slot in filled:
        is_full[slot] = 1
    for slot in filled[: len(filled) // 2]:
        is_early[slot] = 1
    mask = 2**n - 1

    def grow(key: int, slot: int, bits: int, step: int) -> Iterator[int]:
        if bits == _KEY_BITS:
            while key >> _STEP_BITS * step:
                slot = (5 * slot + (key >> _STEP_BITS * step) + 1) & mask
                if not is_full[slot]:
                    return
                step += 1
            if is_early[slot]:
                yield key
            return
        width = min(_STEP_BITS, _KEY_BITS - bits)
        for choice in range(2**width):
            grown = key | choice << bits
            landed = (5 * slot + (grown >> _STEP_BITS * step) + 1) & mask
            if is_full[landed]:
                yield from grow(grown, landed, bits + width, step + 1)

    found: set[int] = set()
    for slot in filled:
        for place, key in enumerate(grow(slot, slot, n, 1)):
            if place == 2000:
                break  # and on to another start, for the sake of variety
            found.add(key)
            if len(found) == count:
                return sorted(found)
    raise ValueError("there are not as many such keys")
