"""Where an installation keeps what it makes, as the environment says."""

from airloom.core.settings import Settings


def test_folders_that_are_named_from_where_one_is_stay_there_for_processes_that_work_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({"AIRLOOM_PROJECT": "project", "AIRLOOM_VAR": "./var2"})
    assert (settings.project, settings.var) == (tmp_path / "project", tmp_path / "var2")
    assert settings.state_url == f"sqlite:///{tmp_path / 'var2' / 'state' / 'airloom.db'}"
