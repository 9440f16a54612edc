import pytest

from airloom.core.errors import UsageError
from airloom.lineage.delivery.address import Address


@pytest.fixture
def named(monkeypatch):
    """Set variables of the environment and read the address."""

    def read(url, **others):
        monkeypatch.setenv("AIRLOOM_LINEAGE_URL", url)
        for name, value in others.items():
            monkeypatch.setenv(f"AIRLOOM_LINEAGE_{name}", value)
        return Address.from_environment()

    return read


def test_without_an_address_there_is_no_backend(named):
    assert named("") is None


@pytest.mark.parametrize("url", ["http://marquez:5000", "http://marquez:5000/"])
def test_a_server_alone_is_asked_at_the_endpoint_of_openlineage(named, url):
    assert named(url).url == "http://marquez:5000/api/v1/lineage"


def test_a_path_is_the_endpoint(named):
    url = "https://datahub:8080/openapi/openlineage/api/v1/lineage"
    assert named(url).url == url


@pytest.mark.parametrize("url", ["marquez:5000", "ftp://marquez", "http://", "http://host:notaport", "http://[", "x"])
def test_what_is_no_address_is_refused(named, url):
    with pytest.raises(UsageError):
        named(url)


@pytest.mark.parametrize("url", ["http://me:hush@host", "http://host/path?token=hush", "http://host/#hush"])
def test_an_address_with_a_secret_is_refused_without_showing_it(named, url):
    with pytest.raises(UsageError, match="AIRLOOM_LINEAGE_API_KEY") as refusal:
        named(url)
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon", "61"])
def test_a_bound_that_makes_no_sense_is_refused(named, seconds):
    with pytest.raises(UsageError, match="seconds"):
        named("http://marquez:5000", TIMEOUT=seconds)


def test_another_process_reads_the_same(named):
    address = named("http://marquez:5000", TIMEOUT="2.5", CONNECTION="marquez")
    variables = address.variables()
    assert (
        named(
            variables["AIRLOOM_LINEAGE_URL"],
            TIMEOUT=variables["AIRLOOM_LINEAGE_TIMEOUT"],
            CONNECTION=variables["AIRLOOM_LINEAGE_CONNECTION"],
        )
        == address
    )
