import click
import pytest

from gateway.cli.values import BoxOfVoxels, Lengths, Named, Voxels, as_mapping
from gateway.volumes.box import Box


def convert(kind, text):
    return kind.convert(text, None, None)


def test_lengths_are_three_positive_numbers():
    assert convert(Lengths(), "5,2,2.5") == (5.0, 2.0, 2.5)


@pytest.mark.parametrize("text", ["5", "5,2", "a,b,c", "0,1,1", "-1,1,1", "nan,1,1", "inf,1,1"])
def test_a_bad_length_is_named(text):
    with pytest.raises(click.UsageError, match=text.replace(".", r"\.")):
        convert(Lengths(), text)


def test_voxels_are_three_positive_whole_numbers():
    assert convert(Voxels(), "64,32,1") == (64, 32, 1)


@pytest.mark.parametrize("text", ["64", "1.5,1,1", "0,64,64", "64,64,-1"])
def test_a_bad_shape_is_named(text):
    with pytest.raises(click.UsageError, match=text.replace(".", r"\.")):
        convert(Voxels(), text)


def test_a_box_is_half_open():
    assert convert(BoxOfVoxels(), "0:8,1:9,2:10") == Box((0, 1, 2), (8, 9, 10))


@pytest.mark.parametrize(
    "text", ["0:8", "8:0,0:1,0:1", "0:0,0:1,0:1", "-1:2,0:1,0:1", "a:b,0:1,0:1"]
)
def test_a_bad_box_is_named(text):
    with pytest.raises(click.UsageError, match=text):
        convert(BoxOfVoxels(), text)


def test_a_value_may_hold_an_equals_sign():
    assert convert(Named("NAME", "VALUE"), "a=b=c") == ("a", "b=c")


@pytest.mark.parametrize("text", ["a", "=b", "a="])
def test_half_a_pair_is_refused(text):
    with pytest.raises(click.UsageError, match="NAME=VALUE"):
        convert(Named("NAME", "VALUE"), text)


def test_a_name_given_twice_is_refused():
    with pytest.raises(click.UsageError, match="'sigma' twice: '1' and '2'"):
        as_mapping([("sigma", "1"), ("sigma", "2")], "--set")
