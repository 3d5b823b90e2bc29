"""Random numbers keyed by (seed, index, stream): Philox4x32-10, on any device.

A counter-based generator has no state: number k of scene i is a pure function of
(seed, i, stream, k), so shards, workers and resumed runs all draw the same scenes.
Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


def _multiply(a: int, b: Tensor) -> tuple[Tensor, Tensor]:
    """High and low 32 bits of a · b (wrapping 64-bit arithmetic keeps the bits right)."""
    product = a * b
    return (product >> 32) & _MASK, product & _MASK


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[int, int]) -> list[Tensor]:
    """Four 32-bit words (as int64) for each 128-bit counter; counters broadcast."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        high0, low0 = _multiply(_MULTIPLIERS[0], c0)
        high1, low1 = _multiply(_MULTIPLIERS[1], c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return [c0, c1, c2, c3]


def _words(seed: int, indices: Tensor, stream: int | Tensor, count: int) -> Tensor:
    blocks = torch.arange(-(-count // 4), device=indices.device)[None, :]
    index = indices.to(torch.int64)[:, None]
    streams = torch.as_tensor(stream, device=indices.device).reshape(-1, 1)
    counter = (blocks, streams, index & _MASK, (index >> 32) & _MASK)
    words = philox(counter, (seed & _MASK, (seed >> 32) & _MASK))
    expanded = torch.broadcast_tensors(*words)
    return torch.stack(expanded, -1).flatten(1)[:, :count]


def uniform(
    seed: int, indices: Int[Tensor, " batch"], stream: int | Int[Tensor, " batch"], count: int
) -> Float[Tensor, "batch count"]:
    """`count` uniform numbers in (0, 1) for each index, float64; one stream, or one for each."""
    return (_words(seed, indices, stream, count).to(torch.float64) + 0.5) / 2.0**32


def normal(
    seed: int, indices: Int[Tensor, " batch"], stream: int, count: int
) -> Float[Tensor, "batch count"]:
    """`count` standard normals for each index, float32 (Box–Muller)."""
    half = -(-count // 2)
    words = _words(seed, indices, stream, 2 * half)
    first = (words[:, :half].to(torch.float32) + 0.5) / 2.0**32
    angle = words[:, half:].to(torch.float32) * (2 * math.pi / 2.0**32)
    radius = torch.sqrt(-2 * torch.log(first.clamp(max=1 - 2.0**-24)))
    return torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], 1)[:, :count]
