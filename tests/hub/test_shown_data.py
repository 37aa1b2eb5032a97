"""What a person's container is shown, from a real store and real rights."""

from gateway.hub.binds import MOUNT
from gateway.hub.shown_data import binds_of
from gateway.service.access.actor import Actor, Role
from gateway.service.access.grants import grant
from gateway.service.access.groups import add_member
from gateway.service.access.login import local_administrator
from gateway.service.access.people import ensure_person
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.volumes.link import register
from gateway.volumes.ref import Ref


def test_rights_make_binds(tmp_path, fill_dataset, monkeypatch):
    home, inbox = tmp_path / "home", tmp_path / "inbox"
    inbox.mkdir()
    init_home(home)
    monkeypatch.setenv("GATEWAY_INBOXES", f'["{inbox}"]')
    gateway = open_gateway(home)
    with gateway.catalogue:
        for dataset in ("mine", "group", "public", "closed"):
            fill_dataset(gateway.store, dataset)
        store = home / "store"
        (store / "closed/image.ome.zarr").rename(inbox / "scope.ome.zarr")
        (store / "closed/labels.ome.zarr").rename(tmp_path / "far.ome.zarr")
        register(gateway.store, Ref("mine", "near"), str(inbox / "scope.ome.zarr"))
        register(gateway.store, Ref("mine", "far"), str(tmp_path / "far.ome.zarr"))
        (store / "public/alias.ome.zarr").symlink_to(store / "mine/image.ome.zarr")
        (store / "public/.staging").mkdir()
        admin = Actor(person=local_administrator(gateway), administrator=True)
        ensure_person(gateway, "ana")
        add_member(gateway, admin, "lab", "ana")
        grant(gateway, "mine", "person:ana", Role.OWNER)
        grant(gateway, "group", "group:lab", Role.VIEWER)
        grant(gateway, "public", "everyone", Role.VIEWER)
        chosen = binds_of(gateway, "ana")
    shown = {bind.target.removeprefix(f"{MOUNT}/"): bind.source for bind in chosen.binds}
    usual = ("cells.points.parquet", "image.ome.zarr", "labels.ome.zarr")
    expected = {f"{d}/{n}": f"{store}/{d}/{n}" for d in ("mine", "group", "public") for n in usual}
    expected["mine/near.ome.zarr"] = str(inbox / "scope.ome.zarr")
    assert shown == expected
    assert dict(chosen.over_http) == {
        Ref("mine", "far"): "linked elsewhere",
        Ref("public", "alias"): "odd place",
    }


def test_rights_are_those_of_the_moment(tmp_path, fill_dataset):
    init_home(tmp_path / "home")
    gateway = open_gateway(tmp_path / "home")
    with gateway.catalogue:
        fill_dataset(gateway.store, "m1")
        ensure_person(gateway, "ana")
        assert binds_of(gateway, "ana").binds == ()
        grant(gateway, "m1", "person:ana", Role.VIEWER)
        assert len(binds_of(gateway, "ana").binds) == 3
        grant(gateway, "m1", "person:ana", Role.NONE)
        assert binds_of(gateway, "ana").binds == ()
