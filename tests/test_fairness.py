# SPDX-License-Identifier: Apache-2.0
"""The index by which experiments/bus/noisy_neighbour judges; it starts no system."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "experiments" / "bus"))

import fairness


def index(demands, goodputs):
    return fairness.jain(fairness.parts(demands, goodputs))


def test_all_served_is_one():
    assert index([3, 5, 100], [3, 5, 100]) == 1


def test_only_the_noisy_one_is_cut_is_one():
    assert fairness.fair_level([10, 10, 1000], 120) == 100
    assert index([10, 10, 1000], [10, 10, 100]) == 1


def test_two_noisy_ones_share_what_is_left():
    assert fairness.fair_level([10, 400, 1000], 210) == 100
    assert index([10, 400, 1000], [10, 100, 100]) == 1
    assert index([10, 400, 1000], [10, 0, 200]) == pytest.approx(2 / 3)


def test_the_quiet_pay_for_the_noisy_one():
    assert index([10, 10, 1000], [5, 10, 105]) == pytest.approx(2.5 ** 2 / (3 * 2.25))


def test_one_of_many_has_all():
    assert index([10] * 50, [10] + [0] * 49) == pytest.approx(1 / 50)
    assert index([10] * 50, [0] * 50) == 0


def test_who_asked_for_nothing_is_left_out():
    assert fairness.parts([0, 10, 10], [0, 10, 5]) == [1.0, pytest.approx(2 / 3)]
