"""A notebook server in a container: what it sees, what it may, what it can use."""

import pytest

pytestmark = [pytest.mark.docker, pytest.mark.slow]

SUM = """
import gateway.notebook as nb
volume = nb.open({ref!r})
print(type(volume.volume.store).__name__, int(volume[0].sum(dtype="uint64")))
"""


def test_somebody_signs_in_and_computes(hub):
    assert hub.kernel("ana").run("print(1 + 1)") == "2"


def test_a_volume_read_by_bind_has_the_sum_it_has_on_this_machine(hub, voxels):
    said = hub.kernel("ana").run(SUM.format(ref="ana1/image"))
    assert said == f"LocalStore {voxels('ana1/image')}"


def test_writing_into_what_is_shown_is_refused(hub):
    said = hub.kernel("ana").run(
        "import os\n"
        "for place in ('/gateway/data/ana1/image.ome.zarr/x', '/gateway/data/x', '/etc/x'):\n"
        "    try:\n"
        "        open(place, 'w')\n"
        "    except OSError as error:\n"
        "        print(error.errno)\n"
    )
    assert set(said.split()) <= {"30", "13"}
    assert said.split()[0] == "30"  # EROFS: read-only, not a matter of owners


def test_somebody_elses_private_dataset_is_invisible_by_bind_and_by_http(hub):
    kernel = hub.kernel("ana")
    said = kernel.run("import os; print(sorted(os.listdir('/gateway/data')))")
    assert said == "['ana1', 'open1']"
    assert "ben1" not in kernel.run("print(open('/proc/self/mountinfo').read())").replace(
        "open1", ""
    )
    said = kernel.run(SUM.format(ref="ben1/image"))
    assert said.startswith("ForbiddenError")
    code = (
        "import os, httpx\n"
        "url, token = os.environ['GATEWAY_URL'], os.environ['GATEWAY_TOKEN']\n"
        "for ref in ('ben1/image', 'ana1/image'):\n"
        "    print(httpx.get(f'{url}/data/{ref}.ome.zarr/zarr.json',"
        " headers={'Authorization': f'Bearer {token}'}).status_code)\n"
    )
    assert kernel.run(code).split() == ["403", "200"]


def test_nothing_is_shown_but_things_that_are_served(hub):
    said = hub.kernel("ana").run("import os; print(sorted(os.listdir('/gateway/data/ana1')))")
    assert said == "['cells.points.parquet', 'image.ome.zarr', 'labels.ome.zarr']"


def test_it_runs_as_an_ordinary_user_without_any_right(hub):
    said = hub.kernel("ana").run(
        "import os\n"
        "facts = dict(line.split(':\\t') for line in open('/proc/self/status') if ':\\t' in line)\n"
        "print(os.getuid(), os.geteuid(), os.getgid())\n"
        "print(*(facts[name].strip() for name in ('CapEff', 'CapPrm', 'CapBnd', 'CapInh')))\n"
        "print(facts['NoNewPrivs'].strip(), facts['Seccomp'].strip())\n"
        "print(os.path.exists('/var/run/docker.sock'), os.path.exists('/run/docker.sock'))\n"
    )
    lines = said.splitlines()
    assert lines[0] == "1000 1000 1000"
    assert set(lines[1].split()) == {"0" * 16}
    assert lines[2] == "1 2"  # no new privileges; system calls are filtered
    assert lines[3] == "False False"


def test_its_limits_hold_inside(hub):
    said = hub.kernel("ana").run(
        "from pathlib import Path\n"
        "def first(*names):\n"
        "    for name in names:\n"
        "        path = Path('/sys/fs/cgroup') / name\n"
        "        if path.is_file():\n"
        "            return path.read_text().strip()\n"
        "print(first('memory/memory.limit_in_bytes', 'memory.max'))\n"
        "print(first('pids/pids.max', 'pids.max'))\n"
        "cpu = first('cpu.max')\n"
        "quota = cpu.split() if cpu else [first('cpu/cpu.cfs_quota_us'),"
        " first('cpu/cpu.cfs_period_us')]\n"
        "print(int(quota[0]) / int(quota[1]))\n"
        "import os\n"
        "scratch = os.statvfs('/tmp')\n"
        "print(scratch.f_blocks * scratch.f_frsize)\n"
    )
    assert said.split() == [str(700 * 2**20), "200", "1.5", str(2**30)]


def test_it_cannot_start_more_processes_than_it_may(hub):
    said = hub.kernel("ana").run(
        "import subprocess\n"
        "started = []\n"
        "try:\n"
        "    for _ in range(300):\n"
        "        started.append(subprocess.Popen(['sleep', '30']))\n"
        "except OSError as error:\n"
        "    print(error.errno, len(started) < 200)\n"
        "finally:\n"
        "    for process in started:\n"
        "        process.kill(); process.wait()\n"
    )
    assert said == "11 True"


def test_a_process_that_takes_too_much_memory_is_killed_and_the_server_stays(hub):
    said = hub.kernel("ana").run(
        "import subprocess, sys\n"
        "greedy = 'held = [bytearray(2**24) for _ in range(64)]'\n"
        "print(subprocess.run([sys.executable, '-c', greedy]).returncode)\n"
    )
    assert said == "-9"
    assert hub.kernel("ana").run("print(2)") == "2"
