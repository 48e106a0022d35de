"""A worker on another host says when it does not see the installation's folder."""

from marketing import startup
from marketing.core import shared


def test_a_worker_says_which_folder_is_not_shared(settings, tmp_path, caplog, db):
    settings.MEDIA_ROOT, settings.MODEL_DIR = tmp_path / "uploads", tmp_path / "models"
    shared.tell()
    assert [record.args for record in caplog.records] == [
        (str(tmp_path / "uploads"),),
        (str(tmp_path / "models"),),
    ]
    assert "Mount the shared folder" in caplog.text
    caplog.clear()

    startup.migrate()
    shared.tell()
    assert caplog.records == []
