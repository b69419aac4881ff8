"""PruMerge with the factor of its outlier rule solved for a budget, one token at a time."""

import numpy as np

from goldens.videos import cosine


def outliers(attention, factor):
    """Returns the tokens of one frame whose attention is above the fence of the quartiles."""
    low, high = np.percentile(attention, [25, 75])
    return [i for i, value in enumerate(attention) if value > high + factor * (high - low)]


def factor_for(attention, budget):
    """Returns the factor at which outliers and one sum per frame with a dropped token are `budget`.

    Of several, a factor that keeps most tokens.
    """
    fences = []
    for row in attention:
        low, high = np.percentile(row, [25, 75])
        fences += [(value - high) / (high - low) for value in row]
    for factor in [*sorted(fences), max(fences) + 1]:
        kept = [outliers(row, factor - 1e-9) for row in attention]
        sums = sum(len(own) < len(row) for own, row in zip(kept, attention, strict=True))
        if sum(map(len, kept)) + sums == budget:
            return factor - 1e-9
    raise AssertionError(f"no factor gives {budget} tokens")


def prumerge(features, attention, keys, kept, neighbors=32):
    """Returns the tokens of one frame: `kept` with their neighbours, then the sum of the others.

    Args:
        features: `(N, D)`.
        attention: what each patch receives from the class token `(N,)`.
        keys: attention keys averaged over heads `(N, Dk)`.
        kept: tokens that stay.
        neighbors: tokens that each of them adds.
    """
    everything = range(len(features))
    dropped = [i for i in everything if i not in kept]
    if not dropped:
        return [([i], features[i]) for i in kept]
    out = []
    for i in kept:
        others = [j for j in everything if j != i]
        nearest = sorted(others, key=lambda j: (-cosine(keys[i], keys[j]), j))[:neighbors]
        value = features[i] + sum(attention[j] * features[j] for j in nearest)
        out.append(([i, *nearest], value))
    return [*out, (dropped, sum(attention[j] * features[j] for j in dropped))]
