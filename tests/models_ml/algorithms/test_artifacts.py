import json

import numpy as np
import pytest

from models_ml.algorithms import artifacts


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "next_product" / "1"
    with artifacts.create(place, {"params": {"k": 1}, "seed": 3}) as draft:
        artifacts.write_arrays(draft / "a.npz", x=np.arange(5))
        artifacts.write_json(draft / "b.json", {"y": 2})
    return place


def test_a_folder_comes_back_as_it_was_written(folder):
    manifest = artifacts.check(folder)
    assert manifest["params"] == {"k": 1}
    assert manifest["seed"] == 3
    assert sorted(manifest["files"]) == ["a.npz", "b.json"]
    assert manifest["versions"]["numpy"] == np.__version__
    assert artifacts.read_arrays(folder / "a.npz")["x"].tolist() == [0, 1, 2, 3, 4]
    assert [p.name for p in folder.parent.iterdir()] == ["1"]


@pytest.mark.parametrize("name", ["a.npz", "b.json", "manifest.json"])
def test_one_flipped_bit_is_refused(folder, name):
    path = folder / name
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(bytes(raw))
    with pytest.raises(artifacts.Damaged, match=r"changed|cannot be read|format"):
        artifacts.check(folder)


@pytest.mark.parametrize("name", ["a.npz", "manifest.json"])
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(artifacts.Damaged, match=name):
        artifacts.check(folder)


def test_a_file_that_does_not_belong_is_refused(folder):
    (folder / "extra.json").write_text("{}")
    with pytest.raises(artifacts.Damaged, match=r"extra\.json"):
        artifacts.check(folder)


def test_a_manifest_that_was_edited_is_refused(folder):
    stored = json.loads((folder / "manifest.json").read_text())
    stored["params"] = {"k": 2}
    (folder / "manifest.json").write_text(json.dumps(stored))
    with pytest.raises(artifacts.Damaged, match="changed"):
        artifacts.check(folder)


def test_a_folder_is_never_replaced(folder):
    with (
        pytest.raises(FileExistsError, match="never changed"),
        artifacts.create(folder, {}),
    ):
        pass


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    with (
        pytest.raises(TypeError, match="serializable"),
        artifacts.create(tmp_path / "m" / "1", {}) as draft,
    ):
        artifacts.write_json(draft / "a.json", {"x": object()})
    assert list((tmp_path / "m").iterdir()) == []


def test_kinds_of_files_that_could_hide_code_are_refused(tmp_path):
    with (
        pytest.raises(ValueError, match="not a kind of file"),
        artifacts.create(tmp_path / "m", {}) as draft,
    ):
        (draft / "model.pkl").write_bytes(b"x")
    assert not (tmp_path / "m").exists()


def test_arrays_of_objects_are_refused(tmp_path):
    with pytest.raises(ValueError, match="plain arrays"):
        artifacts.write_arrays(tmp_path / "a.npz", x=np.array([object()]))


def test_a_manifest_without_numbers_that_json_knows_is_refused(tmp_path):
    with (
        pytest.raises(ValueError, match="JSON"),
        artifacts.create(tmp_path / "m", {"auc": float("nan")}),
    ):
        pass
