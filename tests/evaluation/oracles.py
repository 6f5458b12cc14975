"""Slow and obvious versions of what the evaluation computes, for the tests to compare with."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


def make_network(features, *, seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(features, 256), nn.LeakyReLU(0.01), nn.Linear(256, 2))


def train_one(
    network, embeddings, labels, rows, point, *, epochs, batch_size, seed, class_weights=None, softmax=False
):
    """Plain torch training of one network by one grid point, embeddings already scaled."""
    optimizer = torch.optim.SGD(
        network.parameters(), lr=point.learning_rate, momentum=point.momentum, weight_decay=point.weight_decay
    )
    weight = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
    criterion = nn.CrossEntropyLoss(weight=weight)
    order = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        shuffled = rows[torch.randperm(len(rows), generator=order).numpy()]
        for start in range(0, len(rows), batch_size):
            chosen = shuffled[start : start + batch_size]
            output = network(torch.from_numpy(embeddings[chosen]))
            loss = criterion(
                torch.softmax(output, 1) if softmax else output, torch.from_numpy(labels[chosen])
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network


def probabilities(network, embeddings):
    with torch.no_grad():
        return torch.softmax(network(torch.from_numpy(embeddings)).double(), 1)[:, 1].numpy()


def roc_auc(labels, scores):
    """The share of (drug, control) pairs ranked rightly, ties half."""
    wins = pairs = 0.0
    for drug in scores[labels == 1]:
        for control in scores[labels == 0]:
            pairs += 1
            wins += 1.0 if drug > control else 0.5 if drug == control else 0.0
    return wins / pairs


def naive_median(a, b, distance):
    return float(np.median([distance(x, y) for x in a for y in b]))


def silhouette(points, labels):
    """Mean over points of (b - a) / max(a, b), by loops; 0 for a point alone in its cluster."""
    values = []
    for point, label in zip(points, labels, strict=True):
        gaps = np.linalg.norm(points - point, axis=1)
        own = labels == label
        if own.sum() == 1:
            values.append(0.0)
            continue
        a = gaps[own].sum() / (own.sum() - 1)
        b = min(gaps[labels == other].mean() for other in set(labels) - {label})
        values.append((b - a) / max(a, b))
    return float(np.mean(values))


def calinski_harabasz(points, labels):
    clusters = sorted(set(labels))
    center = points.mean(axis=0)
    between = within = 0.0
    for cluster in clusters:
        members = points[labels == cluster]
        between += len(members) * ((members.mean(axis=0) - center) ** 2).sum()
        within += ((members - members.mean(axis=0)) ** 2).sum()
    return float(between / (len(clusters) - 1) / (within / (len(points) - len(clusters))))


def davies_bouldin(points, labels):
    clusters = sorted(set(labels))
    centers = {c: points[labels == c].mean(axis=0) for c in clusters}
    spread = {c: np.linalg.norm(points[labels == c] - centers[c], axis=1).mean() for c in clusters}
    worst = [
        max((spread[i] + spread[j]) / np.linalg.norm(centers[i] - centers[j]) for j in clusters if j != i)
        for i in clusters
    ]
    return float(np.mean(worst))


def adjusted_rand(first, second):
    """From the counts of pairs of points that both, one or none of the partitions put together."""
    together = np.zeros((2, 2))
    for i in range(len(first)):
        for j in range(i):
            together[int(first[i] == first[j]), int(second[i] == second[j])] += 1
    (n00, n01), (n10, n11) = together
    return 2 * (n00 * n11 - n01 * n10) / ((n00 + n01) * (n01 + n11) + (n00 + n10) * (n10 + n11))


def entropy(names):
    counts = np.asarray([list(names).count(name) for name in set(names)]) / len(names)
    return float(-(counts * np.log(counts)).sum())
