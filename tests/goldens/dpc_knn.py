"""DPC-KNN one point at a time, without noise: of two equally dense points the earlier is denser."""

import numpy as np


def dpc_knn(points, count, neighbors):
    """Returns the ascending centres, and for each point the centre that is nearest to it.

    Distances are told apart to six digits, so that equal ones tie and the earlier point wins.
    """
    total, channels = points.shape
    distance = np.array([[np.linalg.norm(a - b) for b in points] for a in points])
    distance = np.round(distance / np.sqrt(channels), 6)
    density = [np.exp(-np.mean(np.sort(row)[:neighbors] ** 2)) for row in distance]
    score = []
    for i in range(total):
        denser = [j for j in range(total) if (density[j], -j) > (density[i], -i)]
        gap = min(distance[i, j] for j in denser) if denser else distance.max()
        score.append(density[i] * gap)
    centers = sorted(sorted(range(total), key=lambda i: (-score[i], i))[:count])
    nearest = [
        i if i in centers else min(centers, key=lambda c: (distance[i, c], c)) for i in range(total)
    ]
    return centers, nearest
