"""Files of a gateway that are shown beside it are read there."""

import gateway as package
from gateway.client.remote import _shown


def test_an_address_may_have_files_beside_it(tmp_path):
    with package.connect("http://127.0.0.1:9", data=tmp_path) as session:
        assert _shown(session._beside, "m1/raw.ome.zarr/zarr.json") is None
        (tmp_path / "m1/raw.ome.zarr").mkdir(parents=True)
        (tmp_path / "m1/raw.ome.zarr/zarr.json").write_text("{}")
        assert _shown(session._beside, "m1/raw.ome.zarr/zarr.json").url == str(tmp_path)
