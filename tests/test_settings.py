import os
from pathlib import Path

import platformdirs
import pytest

from smolctl.errors import UsageError
from smolctl.settings import Settings


def test_the_defaults_are_the_platforms():
    settings = Settings.from_environment({})
    assert settings.home.name == "smolctl"
    assert settings.docker_config == Path.home() / ".docker" / "config.json"
    assert settings.default_registry == "docker.io"
    assert not settings.offline
    assert settings.configuration.name == "config.toml"
    assert settings.configuration.parent.name == "smolctl"
    assert settings.ca_bundle is None
    assert settings.credential_file == settings.docker_config
    assert settings.docker_hub_account is None


def test_podmans_file_takes_the_place_of_dockers():
    settings = Settings.from_environment(
        {"DOCKER_CONFIG": "/etc/docker", "REGISTRY_AUTH_FILE": "'/run/auth.json'"}
    )
    assert settings.credential_file == Path("/run/auth.json")


def test_an_account_for_docker_hub_takes_a_name_and_a_password_and_is_not_shown():
    settings = Settings.from_environment({"DOCKER_USERNAME": "me", "DOCKER_PASSWORD": ' "s3cret '})
    assert settings.docker_hub_account == ("me", ' "s3cret ')
    assert "s3cret" not in repr(settings)
    for half in ({"DOCKER_USERNAME": "me"}, {"DOCKER_PASSWORD": "s3cret"}):
        assert Settings.from_environment(half).docker_hub_account is None


def test_variables_win_and_may_be_quoted():
    settings = Settings.from_environment(
        {
            "SMOLCTL_HOME": '"/srv/models" ',
            "DOCKER_CONFIG": "/etc/docker",
            "SMOLCTL_DEFAULT_REGISTRY": "'localhost:5000'",
            "SMOLCTL_OFFLINE": "Yes",
            "SMOLCTL_CONFIG": "'/etc/smolctl.toml'",
            "SSL_CERT_FILE": "/etc/third.pem",
            "CURL_CA_BUNDLE": "/etc/second.pem",
            "REQUESTS_CA_BUNDLE": "",
        }
    )
    assert settings.home == Path("/srv/models")
    assert settings.docker_config == Path("/etc/docker/config.json")
    assert settings.default_registry == "localhost:5000"
    assert settings.offline
    assert settings.configuration == Path("/etc/smolctl.toml")
    assert settings.ca_bundle == Path("/etc/second.pem")


def test_an_empty_variable_is_unset():
    assert Settings.from_environment({"SMOLCTL_HOME": "", "SMOLCTL_OFFLINE": ""}) == (
        Settings.from_environment({})
    )


def test_a_relative_home_does_not_move_with_the_working_folder():
    assert Settings.from_environment({"SMOLCTL_HOME": "models"}).home.is_absolute()


def test_a_flag_that_is_neither_yes_nor_no_is_an_error():
    with pytest.raises(UsageError, match="SMOLCTL_OFFLINE"):
        Settings.from_environment({"SMOLCTL_OFFLINE": "maybe"})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300), ("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("500ms", 0.5), ("0", 0),
     ("300", 300), ("2.5", 2.5), ("-1", -1), ("-5m", -1), ("1000000h", -1), ("0s", 0)],
)  # fmt: skip
def test_a_keep_alive_is_a_duration_as_go_writes_it(text, seconds):
    settings = Settings.from_environment({"SMOLCTL_KEEP_ALIVE": text})
    assert settings.keep_alive == seconds


@pytest.mark.parametrize(
    "text", ["soon", "5 m", "m", "5d", "1h-5m", "\u0665m", "inf", "nan", "--1"]
)
def test_what_is_no_duration_is_an_error(text):
    with pytest.raises(UsageError, match="SMOLCTL_KEEP_ALIVE"):
        Settings.from_environment({"SMOLCTL_KEEP_ALIVE": text})


def test_sockets_are_where_the_system_has_them_for_the_user(tmp_path):
    def runtime(**environment):
        return Settings.from_environment(environment).runtime

    assert runtime(XDG_RUNTIME_DIR=str(tmp_path)) == tmp_path / "smolctl"
    fallback = runtime(XDG_RUNTIME_DIR=str(tmp_path / "missing"))
    assert fallback == runtime()
    if not Path(f"/run/user/{os.getuid()}").exists():
        assert fallback == Path(f"/tmp/smolctl-{os.getuid()}")
        assert runtime(TMPDIR="/var/tmp") == Path(f"/var/tmp/smolctl-{os.getuid()}")
        assert runtime(TMPDIR="/long" * 20) == fallback


@pytest.mark.parametrize("kind", ["data", "config", "state"])
def test_folders_are_where_platformdirs_would_have_them(kind, monkeypatch):
    def found(environment):
        settings = Settings.from_environment(environment)
        places = {"data": settings.home, "config": settings.configuration.parent}
        return places.get(kind, settings.state)

    name = f"XDG_{kind.upper()}_HOME"
    assert found({name: "/s"}) == Path("/s/smolctl")
    monkeypatch.delenv(name, raising=False)
    theirs = getattr(platformdirs, f"user_{kind}_path")("smolctl", False)
    assert found({}) == found({name: "relative"}) == theirs


def test_a_gateway_and_its_key():
    settings = Settings.from_environment({"SMOLCTL_HOST": "x:1", "SMOLCTL_API_KEY": "s3cret"})
    assert (settings.host, settings.api_key) == ("x:1", "s3cret")
    assert "s3cret" not in repr(settings)
    assert Settings.from_environment({"SMOLCTL_HOST": ""}).host is None


def test_what_is_typed_in_a_chat_is_kept_unless_that_is_not_wanted():
    assert Settings.from_environment({}).keep_input
    assert not Settings.from_environment({"SMOLCTL_NOHISTORY": "1"}).keep_input
