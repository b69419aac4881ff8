"""VidCom2 with the settlement of serving engines, one token at a time."""

import numpy as np


def vidcom2(features, target):
    """Returns the `target` tokens kept, in order, of features `(T, N, D)`; `target` at least T."""
    frames, patches, channels = features.shape
    flat = features.reshape(-1, channels)
    calm = np.argsort(flat.var(axis=0), kind="stable")[: channels // 2]
    unit = features[:, :, calm]
    unit = unit / np.linalg.norm(unit, axis=-1, keepdims=True)
    in_video = _gaussians(unit, unit.mean(axis=(0, 1)))
    common = in_video + _gaussians(unit, unit.mean(axis=1, keepdims=True))
    weight = np.exp((-in_video.mean(axis=1) - (-in_video.mean(axis=1)).max()) / 0.01)
    weight /= weight.sum()
    scale = np.minimum(1, target / (frames * patches) * (1 + weight - weight.mean()))
    kept = set()
    for t in range(frames):
        count = max(1, round(scale[t] * patches))
        order = np.argsort(common[t], kind="stable")[:count]
        kept |= {(t, int(n)) for n in order}
    return _settled(kept, common, target)


def _gaussians(unit, centre):
    squared = np.round(((unit - centre) ** 2).sum(axis=-1), 6)
    return sum(np.exp(-squared / (2 * a)) for a in (1 / 8, 1 / 4, 1 / 2, 1, 2))


def _settled(kept, common, target):
    """Returns the kept tokens once exactly `target` are, no frame left empty."""
    frames, patches = common.shape
    while len(kept) > target:
        spare = [(t, n) for t, n in kept if sum(u == t for u, _ in kept) > 1]
        kept.remove(max(spare, key=lambda token: (common[token], token)))
    while len(kept) < target:
        dropped = {(t, n) for t in range(frames) for n in range(patches)} - kept
        kept.add(min(dropped, key=lambda token: (common[token], token)))
    return sorted(t * patches + n for t, n in kept)
