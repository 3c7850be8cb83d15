# SPDX-License-Identifier: Apache-2.0
"""How experiments/bus/noisy_neighbour judges; it starts no system."""
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


FAIR = {"ratio": 1.5, "jain": 0.99, "behind_ms": 100, "quiet": {"failed": 0},
        "noise": {"failed": 0}}


def test_what_is_fair_is_met():
    assert fairness.missed(FAIR) == []


@pytest.mark.parametrize("change,said", [
    ({"ratio": 1.51}, "p99 1.51 times"),
    ({"jain": 0.9899}, "Jain's index 0.9899"),
    ({"quiet": {"failed": 2}}, "others failed without noise: 2"),
    ({"noise": {"failed": 3}}, "others failed in the noise: 3"),
    ({"behind_ms": 101}, "the client was 101 ms late"),
])
def test_each_miss_is_said(change, said):
    assert fairness.missed({**FAIR, **change}) == [said]
