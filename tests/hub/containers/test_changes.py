"""What happens later: rights change, starts fail, containers vanish, hubs restart."""

import pytest
from hub_up import wait_for

from gateway.service.access.actor import Role
from gateway.service.access.grants import grant

pytestmark = [pytest.mark.docker, pytest.mark.slow]

READ = """
import gateway.notebook as nb
import os
print(os.path.exists("/gateway/data/ben1/image.ome.zarr/zarr.json"))
try:
    print(nb.open("ben1/image")[0, 0, 1, 1, 1] > 0)
except Exception as error:
    print(type(error).__name__)
"""


def share_of_ben(hub, role):
    grant(hub.gateway, "ben1", "person:ana", role)


def test_rights_come_and_go(hub):
    hub.kernel("ana")
    share_of_ben(hub, Role.VIEWER)
    # given while the server runs: at once over HTTP, by bind from the next start on
    assert hub.kernel("ana").run(READ).split() == ["False", "True"]
    hub.stop("ana")
    assert hub.kernel("ana").run(READ).split() == ["True", "True"]
    share_of_ben(hub, Role.NONE)
    # taken while it runs: the gateway refuses at once, the bind stays until the server stops
    assert hub.kernel("ana").run(READ).split() == ["True", "ForbiddenError"]
    hub.stop("ana")
    assert hub.kernel("ana").run(READ).split() == ["False", "ForbiddenError"]


def test_a_home_survives_its_container(hub):
    hub.kernel("ana").run("open('kept.txt', 'w').write('mine')")
    hub.stop("ana")
    assert hub.engine.containers(all=True, filters={"name": f"{hub.prefix}-ana"}) == []
    assert hub.kernel("ana").run("print(open('kept.txt').read())") == "mine"


def test_a_container_that_is_removed_is_noticed(hub):
    hub.kernel("ana")
    hub.engine.remove_container(f"{hub.prefix}-ana", force=True)
    wait_for(lambda: hub.server("ana") is None, "the notice of the hub")
    hub.kernels.clear()
    assert hub.kernel("ana").run("print(3)") == "3"


def test_a_hub_that_restarts_finds_its_servers(hub):
    before = hub.kernel("ana").run(
        "held = 41; import os; print(os.environ['JUPYTERHUB_API_TOKEN'])"
    )
    container = hub.container("ana")["Id"]
    hub.end()
    hub.begin()
    found = hub.server("ana")
    assert found is not None
    assert found["ready"]
    assert hub.container("ana")["Id"] == container
    assert before
    assert hub.kernel("ana").run("print(held + 1)") == "42"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"image": "no-such/image:here"}, "the image is not on this machine"),
        ({"mem_limit": 2**50}, "choose a smaller size"),
        ({"devices": ["gateway.test/gpu=77"]}, "the engine knows no such GPU"),
        ({"container_user": "0:0"}, "containers may not run as"),
        ({"cmd": ["no-such-program"]}, "ended with code 127"),
        ({"cmd": ["sh", "-c", "echo the reason; exit 3"]}, "ended with code 3"),
    ],
    ids=["image", "memory", "gpu", "root", "program", "end"],
)
def test_the_page_of_a_start_that_failed_says_why(hub, wanted, said):
    hub.stop("ben")
    page = hub.failure("ben", **wanted)
    assert said in page
    assert hub.engine.containers(all=True, filters={"name": f"{hub.prefix}-ben"}) == []


def test_a_foreign_container_of_the_same_name_is_left_alone(hub, lab_image):
    hub.stop("ben")
    name = f"{hub.prefix}-ben"
    made = hub.engine.create_container(lab_image, command=["true"], name=name, entrypoint=[])
    try:
        page = hub.failure("ben")
        assert "a container that this hub did not make has the name" in page
        assert hub.engine.inspect_container(name)["Id"] == made["Id"]
    finally:
        hub.engine.remove_container(made["Id"])


def test_a_gpu_is_seen_by_whom_it_was_lent_to_and_by_nobody_else(hub):
    hub.stop("ana")
    hub.stop("ben")
    hub.start("ana", devices=["gateway.test/gpu=1"])
    hub.start("ben")
    code = (
        "import os\n"
        "print([n for n in os.listdir('/dev') if 'gpu' in n], os.environ.get('FAKE_GPU'))"
    )
    assert hub.kernel("ana").run(code) == "['fake-gpu1'] 1"
    assert hub.kernel("ben").run(code) == "[] None"
