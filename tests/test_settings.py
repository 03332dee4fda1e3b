from pathlib import Path

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
