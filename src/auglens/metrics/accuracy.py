"""Accuracies from a confusion matrix. Pure functions."""

import torch
from torch import Tensor

__all__ = ["accuracy", "balanced_accuracy"]


def accuracy(confusion: Tensor) -> float:
    """Share of correct predictions, in [0, 1].

    Args:
        confusion: Counts, row = true class, column = prediction, shape ``(K, K)``.
    """
    return float(confusion.diagonal().sum().double() / confusion.sum())


def balanced_accuracy(confusion: Tensor) -> float:
    """Mean recall over the classes that occur, in [0, 1].

    Args:
        confusion: As for :func:`accuracy`, shape ``(K, K)``.
    """
    counts = confusion.sum(dim=1)
    recall = confusion.diagonal().double() / counts
    return float(torch.mean(recall[counts > 0]))
