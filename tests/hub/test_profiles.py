"""What people may choose of a machine, and how the form shows it."""

from dataclasses import replace

import pytest

from gateway.errors import CallError
from gateway.hub import kubernetes, local, slurm
from gateway.hub.facts import Resources
from gateway.hub.profile_form import draw_form
from gateway.hub.profiles import LAB_IMAGE, choose, offer, options_from_form

CONTAINERS = replace(kubernetes.KIND, elsewhere=False)


def test_sizes_are_parts_of_the_largest_that_the_machine_has(facts_of) -> None:
    offered = offer(facts_of(), CONTAINERS)
    assert [(s.key, s.cores, s.memory) for s in offered.sizes] == [
        ("small", 1.0, 2_000_000_000),
        ("medium", 2.7, 5_333_333_333),
        ("large", 8, 16_000_000_000),
    ]
    assert [(i.key, i.reference) for i in offered.images] == [("lab", LAB_IMAGE)]
    assert offered.gpus == ("none",)


def test_settings_bound_the_largest_and_the_machine_bounds_the_settings(facts_of) -> None:
    offered = offer(facts_of(hub_memory="3GB", hub_cores=2), CONTAINERS)
    assert (offered.sizes[-1].cores, offered.sizes[-1].memory) == (2, 3_000_000_000)
    offered = offer(facts_of(hub_memory="900GB", hub_cores=99), CONTAINERS)
    assert (offered.sizes[-1].cores, offered.sizes[-1].memory) == (8, 32_000_000_000)


def test_a_small_machine_offers_each_size_once(facts_of) -> None:
    small = replace(facts_of(), resources=Resources(cores=1, memory=2_000_000_000))
    offered = offer(small, CONTAINERS)
    assert [(s.cores, s.memory) for s in offered.sizes] == [(1, 1_000_000_000)]


def test_every_combination_is_a_profile(facts_of) -> None:
    facts = facts_of(hub_images=["lab=a", "registry.example.org/gpu:2"], device_shares=2)
    facts = replace(facts, resources=replace(facts.resources, devices=2))
    offered = offer(facts, CONTAINERS)
    assert offered.gpus == ("none", "share", "whole")
    assert len(offered.profiles()) == 2 * 3 * 3
    assert [i.key for i in offered.images] == ["lab", "gpu:2"]


def test_local_processes_have_nothing_to_choose_but_gpus(facts_of) -> None:
    assert draw_form(offer(facts_of(), local.KIND)) == ""
    facts = replace(facts_of(), resources=Resources(cores=1, memory=1, devices=1))
    assert 'name="gpu"' in draw_form(offer(facts, local.KIND))


def test_a_cluster_has_the_sizes_of_its_settings_whatever_this_machine_is(facts_of) -> None:
    offered = offer(facts_of(hub_memory="900GB", hub_cores=96), slurm.KIND)
    assert (offered.sizes[-1].cores, offered.sizes[-1].memory) == (96, 900_000_000_000)
    assert offered.images == ()


def test_what_is_not_offered_cannot_be_chosen(facts_of) -> None:
    offered = offer(facts_of(), CONTAINERS)
    for options in ({"image": "evil/image"}, {"size": "huge"}, {"gpu": "whole"}):
        (what,) = options
        with pytest.raises(CallError, match=f"there is no {what}"):
            choose(offered, options)
    first = choose(offered, {})
    assert (first.size, first.gpu) == (offered.sizes[0], "none")
    assert choose(offered, {"size": "large"}).size == offered.sizes[-1]


def test_the_form_shows_names_and_hands_back_options(facts_of) -> None:
    form = draw_form(offer(facts_of(hub_images=["<b>=a", "c=d"]), CONTAINERS))
    assert "&lt;b&gt;" in form
    assert "<b>" not in form
    assert "large: 8 cores, 16 GB" in form
    assert options_from_form({"size": ["large"], "other": ["x"]}) == {"size": "large"}
