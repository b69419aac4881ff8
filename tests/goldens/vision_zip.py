"""VisionZip, one image at a time and without its class token."""

import numpy as np

from goldens.videos import cosine


def vision_zip(features, attention, keys, dominant, contextual):
    """Returns the dominant, then the contextual tokens of one frame, each with its inputs.

    Args:
        features: `(N, D)`.
        attention: what each patch receives from the class token `(N,)`.
        keys: attention keys averaged over heads `(N, Dk)`.
        dominant: tokens kept.
        contextual: tokens that the others are added to.
    """
    ranked = sorted(range(len(features)), key=lambda i: (-attention[i], i))
    kept = sorted(ranked[:dominant])
    rest = [i for i in range(len(features)) if i not in kept]
    out = [([i], features[i]) for i in kept]
    step = max(1, len(rest) // contextual)
    targets = rest[::step][:contextual]
    assigned = {target: [] for target in targets}
    for i in rest:
        if i not in targets:
            best = max(targets, key=lambda target: (cosine(keys[i], keys[target]), -target))
            assigned[best].append(i)
    for target, others in assigned.items():
        value = features[target]
        if others:
            value = value + np.mean([features[i] for i in others], axis=0)
        out.append(([target, *others], value))
    return out
