# SPDX-License-Identifier: Apache-2.0
"""What experiments/bus/rolling_restart and anchors call a miss, for which they end with 1; neither
is run."""
import importlib.machinery
import importlib.util
import pathlib
import sys

import pytest

EXPERIMENTS = pathlib.Path(__file__).resolve().parent.parent / "experiments"
sys.path[:0] = [str(EXPERIMENTS), str(EXPERIMENTS / "bus")]


def program(name):
    loader = importlib.machinery.SourceFileLoader(name, str(EXPERIMENTS / "bus" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


SOUND = {"lost": 0, "twice": 0, "wrong_balances": 0}
RESTARTED = {"all": {"failed": 0}, "ratio": 2.0, "behind_ms_max": 50, "writes": SOUND}


def test_a_restart_that_nobody_notices_is_met():
    assert program("rolling_restart").missed(RESTARTED) == []


@pytest.mark.parametrize("change,said", [
    ({"all": {"failed": 1}}, "1 failed"),
    ({"ratio": 2.01}, "p99 above 2 times"),
    ({"behind_ms_max": 51}, "the client was late itself: these are not the system's figures"),
    ({"writes": {**SOUND, "lost": 1}}, "the writes are not sound"),
])
def test_each_miss_of_a_restart_is_said(change, said):
    assert program("rolling_restart").missed({**RESTARTED, **change}) == [said]


@pytest.mark.parametrize("in_flight,figures,said", [
    (64, {"valorize/1": 2.5, "nats/1": 3.0, "valorize/2": 2.9, "nats/2": 3.0}, []),
    (64, {"valorize/1": 2.6, "nats/1": 3.0}, ["above 2.5 us"]),
    (1, {"valorize/1": 2.6, "nats/1": 3.0}, []),
    (1, {"valorize/1": 9.0, "nats/1": 8.0}, ["nats/1 is cheaper"]),
    (8, {"valorize/1": 5.0, "valorize/2": 7.0, "nats-at-once/2": 6.0},
     ["nats-at-once/2 is cheaper"]),
    (1, {"bare/1": 2.0}, []),
])
def test_what_is_dearer_than_it_should_be_is_said(in_flight, figures, said):
    assert program("anchors").missed(in_flight, {name: {"us": us} for name, us in
                                                 figures.items()}) == said


@pytest.mark.parametrize("in_flight,figures,said", [
    (64, {"valorize/1": 2.5, "nats/1": 3.0}, "met"),
    (64, {"valorize/1": 2.5, "nats-at-once/1": 3.0}, "met"),
    (1, {"valorize/1": 9.0, "nats/1": 8.0}, "MISSED: nats/1 is cheaper"),
    (64, {"valorize/1": 2.6, "bare/1": 1.0}, "MISSED: above 2.5 us"),
    (1, {"valorize/1": 99.0, "bare/1": 1.0}, "not judged: no nats-server beside it"),
])
def test_met_is_said_only_where_there_was_a_nats_server(in_flight, figures, said):
    assert program("anchors").verdict(in_flight, {name: {"us": us} for name, us in
                                                  figures.items()}) == said


@pytest.mark.parametrize("cores,marked", [(0.2, False), (0.21, True)])
def test_figures_of_a_machine_that_others_use_are_marked(cores, marked):
    figures = {1: {"valorize/1": {"others_cores": 0.0}, "nats/1": {"others_cores": cores}},
               64: {"valorize/1": {"others_cores": 0.1}}}
    said = program("anchors").noise(figures)
    assert f"{cores:.2f} cores" in said and ("NOT A QUIET MACHINE" in said) == marked
