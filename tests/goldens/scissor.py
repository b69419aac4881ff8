"""LLaVA-Scissor with exact components: a search through the graph, and Kruskal for the budget."""

import numpy as np


def scissor(features, threshold, budget=None):
    """Returns the outputs, each as its inputs and their weights.

    Args:
        features: `(T, N, D)`, float64.
        threshold: cosine above which tokens are connected, in both steps.
        budget: number of outputs; None leaves it to the threshold.
    """
    frames, patches = features.shape[:2]
    flat = features.reshape(frames * patches, -1)
    within = np.arange(len(flat)) // patches
    allowed = within[:, None] == within
    first = groups_above(cosines(flat), threshold, allowed)
    if budget is not None and len(first) < budget:
        first = groups_left(cosines(flat), budget, allowed)
        second = [[number] for number in range(len(first))]
    else:
        means = np.stack([flat[group].mean(0) for group in first])
        everywhere = np.ones((len(means), len(means)), dtype=bool)
        if budget is None:
            second = groups_above(cosines(means), threshold, everywhere)
        else:
            second = groups_left(cosines(means), budget, everywhere)
    weights = []
    for group in second:
        row = {}
        for number in group:
            for token in first[number]:
                row[token] = 1 / len(group) / len(first[number])
        weights.append(row)
    return finally_merged(flat, weights)


def finally_merged(flat, weights):
    """Returns the rows after every token was added to the one it is most similar to."""
    dense = np.zeros((len(weights), len(flat)))
    for row, part in enumerate(weights):
        for token, weight in part.items():
            dense[row, token] = weight
    count = np.ones(len(weights))
    added = dense.copy()
    for token, row in enumerate(cosines(flat, dense @ flat).argmax(1)):
        added[row, token] += 1
        count[row] += 1
    added /= count[:, None]
    return [dict(zip(np.flatnonzero(row), row[row > 0], strict=True)) for row in added]


def cosines(a, b=None):
    """Returns the cosines of each row of `a` with each of `b`, to nine digits."""
    b = a if b is None else b
    lengths = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)
    return (a @ b.T / lengths).round(9)


def groups_above(similarity, threshold, allowed):
    """Returns the connected components, by a search from every node not yet found."""
    linked = (similarity > threshold) & allowed
    found, groups = set(), []
    for start in range(len(linked)):
        if start in found:
            continue
        group, waiting = [], [start]
        found.add(start)
        while waiting:
            node = waiting.pop()
            group.append(node)
            for other in np.flatnonzero(linked[node]):
                if other not in found:
                    found.add(int(other))
                    waiting.append(int(other))
        groups.append(sorted(group))
    return groups


def groups_left(similarity, budget, allowed):
    """Returns the groups left when the strongest links were made until `budget` remain."""
    first, second = np.nonzero(np.triu(allowed, 1))
    order = np.argsort(-similarity[first, second], kind="stable")
    groups = {node: [node] for node in range(len(similarity))}
    home = {node: node for node in groups}
    for link in order:
        if len(groups) == budget:
            break
        a, b = home[int(first[link])], home[int(second[link])]
        if a == b:
            continue
        for node in groups.pop(b):
            home[node] = a
            groups[a].append(node)
    return [sorted(group) for group in groups.values()]


def two_step_count(features, threshold):
    """Returns the number of outputs that the threshold leaves."""
    return len(scissor(features, threshold))
